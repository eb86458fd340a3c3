"""Where live packets go: three network namespaces of the benchmark's own, cut off from every real network."""
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from lab_run import end

AGENT = "10.88.0.7"
SERVER = "93.184.216.20"
RESOLVER = "93.184.216.53"
PORT = 443


def call(*command, namespace=None, env=None):
    full = (["ip", "netns", "exec", namespace] if namespace else []) + [str(part) for part in command]
    done = subprocess.run(full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(full)}: {done.stdout.strip()}")
    return done.stdout


class Stage:
    """agent - host - net, joined by veth; the rules in host are those of scripts/iptables-setup.sh."""

    def __init__(self, prefix, scripts, programs, work):
        self.agent, self.host, self.net = (f"{prefix}-{name}" for name in ("agent", "host", "net"))
        self.scripts, self.programs, self.work = pathlib.Path(scripts), pathlib.Path(programs), pathlib.Path(work)
        self.server = None
        self.setup_env = {**os.environ, "NFQ_EGRESSD_RUN_DIR": str(self.work / "run")}

    def __enter__(self):
        try:
            self._raise()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _raise(self):
        for name in (self.agent, self.host, self.net):
            call("ip", "netns", "add", name)
            call("ip", "link", "set", "lo", "up", namespace=name)
        call("ip", "link", "add", "up0", "netns", self.agent, "type", "veth", "peer", "name", "agents0", "netns", self.host)
        call("ip", "link", "add", "up0", "netns", self.net, "type", "veth", "peer", "name", "uplink0", "netns", self.host)
        for name, device, address in ((self.agent, "up0", f"{AGENT}/24"), (self.host, "agents0", "10.88.0.1/24"),
                                      (self.host, "uplink0", "93.184.216.2/24"), (self.net, "up0", f"{SERVER}/24")):
            call("ip", "addr", "add", address, "dev", device, namespace=name)
            call("ip", "link", "set", device, "up", namespace=name)
        call("ip", "addr", "add", f"{RESOLVER}/24", "dev", "up0", namespace=self.net)
        call("ip", "route", "add", "default", "via", "10.88.0.1", namespace=self.agent)
        call("ip", "route", "add", "default", "via", "93.184.216.2", namespace=self.net)
        call("sysctl", "-qw", "net.ipv4.ip_forward=1", namespace=self.host)
        # One client opens thousands of connections a second to one server: ports must come round in time.
        call("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1", namespace=self.agent)
        call("sysctl", "-qw", "net.core.somaxconn=4096", "net.ipv4.tcp_max_syn_backlog=8192", namespace=self.net)
        # Questions are counted where they arrive and go no further: the receiver must not cost what is measured.
        call("iptables", "-w", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "53", "-j", "DROP",
             namespace=self.net)
        call(self.scripts / "iptables-setup.sh", "install", "--source", "10.88.0.0/24", "--input", "--queues", "0",
             "--on-failure", "closed", namespace=self.host, env=self.setup_env)
        call("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1",
             "net.netfilter.nf_conntrack_tcp_timeout_close=1", namespace=self.host)
        self.server = self.start(self.net, self.programs / "byte_server", PORT)

    def __exit__(self, *_):
        if self.server:
            end(self.server, 10)
        for name in (self.agent, self.host, self.net):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)

    def start(self, namespace, *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        """Starts a program in a namespace; `ip netns exec` becomes that program, so that the id is its own."""
        return subprocess.Popen(["ip", "netns", "exec", namespace] + [str(part) for part in command],
                                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)

    def arrived(self):
        """Packets that have reached the other end."""
        for line in pathlib.Path(f"/proc/{self.server.pid}/net/dev").read_text().splitlines():
            device, _, figures = line.partition(":")
            if device.strip() == "up0":
                return int(figures.split()[1])
        raise RuntimeError("no device up0 at the other end")

    def await_queue(self, process, patience=20):
        """Waits until queue 0 is bound and configured."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError("the listener ended before it took the queue")
            line = queue_line(process.pid)
            if line and int(line[3]):
                return
            time.sleep(0.02)
        raise RuntimeError("the listener does not take the queue")


def queue_line(pid):
    """Queue 0 as /proc shows it in the namespace of a process: columns, or None."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/net/netfilter/nfnetlink_queue").read_text().splitlines()
    except OSError:
        return None
    return next((line.split() for line in lines if line.split()[:1] == ["0"]), None)


def queued(pid):
    """Packets handed to the listener of queue 0 so far, by the kernel's count."""
    line = queue_line(pid)
    return int(line[7]) - int(line[6]) if line else 0


def cpu_seconds(pid):
    """CPU time in seconds: of all of a process's threads, and of the one that serves the queue."""
    times = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        times[name] = times.get(name, 0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return sum(times.values()), times.get("nfqueue-0", sum(times.values()))


def resident_kilobytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0
