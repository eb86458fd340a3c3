"""Namespaces, echo servers and a small NFQUEUE responder for the tests of the rules. Standard library only."""

import contextlib
import ctypes
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "iptables-setup.sh")
PREFIX = f"rules-{os.getpid()}-"  # two runs at once do not meet
AGENT, HOST, NET = PREFIX + "agent", PREFIX + "host", PREFIX + "net"
NET4, NET6 = "10.77.2.2", "fd77:2::2"
HOST4, HOST6 = "10.77.1.1", "fd77:1::1"

# States in the two lowest bits of the default mask 0xff000000.
STATE_MASK, PASS, DENY_FLOW, DENY_PACKET = 0x03000000, 0x01000000, 0x02000000, 0x03000000
HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT = 1, 2, 3

_libc = ctypes.CDLL(None, use_errno=True)


def run(*argv, ns=None, check=True, stdin=None, env=None):
    """Runs a command, in a namespace when one is named."""
    if ns:
        argv = ("nsenter", f"--net=/var/run/netns/{ns}", *argv)
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=60, env=env)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr or done.stdout}")
    return done


@contextlib.contextmanager
def inside(ns):
    """This thread is in the namespace; sockets opened here stay in it."""
    with open("/proc/thread-self/ns/net") as home, open(f"/var/run/netns/{ns}") as there:
        if _libc.setns(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if _libc.setns(home.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")


def add_namespace(name):
    run("ip", "netns", "add", name)
    run("ip", "link", "set", "lo", "up", ns=name)


def del_namespace(name):
    run("ip", "netns", "del", name, check=False)


def build_path():
    """agent - host - net, both families, the host forwarding."""
    sweep()
    for name in (AGENT, HOST, NET):
        add_namespace(name)
    run("ip", "link", "add", "rules-h0", "netns", HOST, "type", "veth", "peer", "name", "rules-a0", "netns", AGENT)
    run("ip", "link", "add", "rules-h1", "netns", HOST, "type", "veth", "peer", "name", "rules-n0", "netns", NET)
    for ns, device, net, last in (
        (AGENT, "rules-a0", 1, 2), (HOST, "rules-h0", 1, 1), (HOST, "rules-h1", 2, 1), (NET, "rules-n0", 2, 2)
    ):
        run("ip", "link", "set", device, "up", ns=ns)
        run("ip", "addr", "add", f"10.77.{net}.{last}/24", "dev", device, ns=ns)
        run("ip", "addr", "add", f"fd77:{net}::{last}/64", "dev", device, "nodad", ns=ns)
    for ns, net in ((AGENT, 1), (NET, 2)):
        run("ip", "route", "add", "default", "via", f"10.77.{net}.1", ns=ns)
        run("ip", "route", "add", "default", "via", f"fd77:{net}::1", ns=ns)
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", ns=HOST)
    # Many denied packets a second: the ICMP answers must not be rate-limited away.
    run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0", ns=HOST)


def await_path():
    """Returns when both families work from end to end (addresses and neighbours take a moment)."""
    for ns in (AGENT, HOST):
        for address in (NET4, NET6):
            for _ in range(50):
                try:
                    if asks(ns, socket.SOCK_DGRAM, address, 8080, b"ready", timeout=0.1)[0] == b"ready":
                        break
                except OSError:
                    time.sleep(0.1)
            else:
                raise AssertionError(f"no path from {ns} to {address}")


def sweep():
    """Takes away the namespaces of runs that were killed."""
    for name in os.listdir("/var/run/netns") if os.path.isdir("/var/run/netns") else ():
        owner = re.match(r"rules-(\d+)-", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            del_namespace(name)


def destroy_path():
    for name in (AGENT, HOST, NET):
        del_namespace(name)


def saved(backend, family, ns):
    """iptables-save without counters and comments."""
    name = "iptables" if family == 4 else "ip6tables"
    text = run(f"{name}-{backend}-save", ns=ns).stdout
    lines = [re.sub(r"\s*\[\d+:\d+\]", "", line) for line in text.splitlines() if not line.startswith("#")]
    tables, table = {}, None
    for line in lines:  # the order of tables is the kernel's and means nothing
        table = line if line.startswith("*") else table
        tables.setdefault(table, []).append(line)
    return tables


def connection_mark(ns, port):
    """The connmark of the newest tracked flow to a port."""
    text = run("conntrack", "-L", "-p", "tcp", "--dport", str(port), ns=ns).stdout
    return [int(m) for m in re.findall(r"mark=(\d+)", text)]


class Echo:
    """TCP and UDP echo servers in a namespace; `heard` holds every byte string that arrived."""

    def __init__(self, ns, ports):
        self.heard, self._sockets, self._stop = [], [], threading.Event()
        with inside(ns):
            for port in ports:
                for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        s = socket.socket(family, kind)
                        if family == socket.AF_INET6:
                            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        s.bind((address, port))
                        if kind == socket.SOCK_STREAM:
                            s.listen(16)
                        self._sockets.append(s)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        listening, connected = list(self._sockets), []
        while not self._stop.is_set():
            for s in select.select(listening + connected, [], [], 0.05)[0]:
                try:
                    if s in connected:
                        data = s.recv(65536)
                        if data:
                            self.heard.append(data)
                            s.sendall(data)
                            continue
                        connected.remove(s)
                        s.close()
                    elif s.type == socket.SOCK_STREAM:
                        connected.append(s.accept()[0])
                    else:
                        data, peer = s.recvfrom(65536)
                        self.heard.append(data)
                        s.sendto(data, peer)
                except OSError:
                    if s in connected:
                        connected.remove(s)
                        s.close()
        for s in listening + connected:
            s.close()

    def got(self, token, wait=0.0):
        """Whether anything that arrived holds the token."""
        end = time.monotonic() + wait
        while True:
            if any(token in data for data in list(self.heard)):
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)

    def close(self):
        self._stop.set()
        self._thread.join(2)


class Packet:
    """A queued packet: hook, mark as it arrived, IP bytes."""

    def __init__(self, hook, mark, data):
        self.hook, self.mark, self.data = hook, mark, data
        six = bool(data) and data[0] >> 4 == 6
        self.protocol = data[6] if six else data[9]
        transport = 40 if six else (data[0] & 15) * 4
        self.sport, self.dport = struct.unpack_from("!HH", data, transport) if self.protocol in (6, 17) else (0, 0)

    @property
    def slot(self):
        return self.mark >> 26


class Responder:
    """Listens on one queue and accepts everything, with a state that the payload asks for."""

    TOKENS = ((b"deny-me", DENY_FLOW), (b"deny-one", DENY_PACKET), (b"pass-me", PASS))

    def __init__(self, ns, queue=0, tokens=TOKENS):
        self.seen, self._tokens, self._queue, self._stop = [], tokens, queue, threading.Event()
        with inside(ns):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self._socket.bind((0, 0))
        self._config(struct.pack("!BxH", 1, 0), 1)  # bind
        self._config(struct.pack("!IB", 65531, 2), 2)  # copy whole packets
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @staticmethod
    def _attribute(kind, value):
        return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)

    def _message(self, kind, flags, body):
        body = struct.pack("!BBH", socket.AF_UNSPEC, 0, self._queue) + body
        return struct.pack("=IHHII", 16 + len(body), 3 << 8 | kind, flags, 0, 0) + body

    def _config(self, value, attribute):
        self._socket.send(self._message(2, 0x5, self._attribute(attribute, value)))
        self._socket.settimeout(2)
        error = struct.unpack_from("=i", self._socket.recv(65536), 16)[0]
        assert error == 0, f"queue {self._queue}: {os.strerror(-error)}"

    def _serve(self):
        while not self._stop.is_set():
            if not select.select([self._socket], [], [], 0.05)[0]:
                continue
            message = self._socket.recv(131072)
            kind = struct.unpack_from("=H", message, 4)[0]
            if kind != 3 << 8:
                continue
            attributes, at = {}, 20
            while at + 4 <= len(message):
                length, name = struct.unpack_from("=HH", message, at)
                if length < 4:
                    break
                attributes[name & 0x3FFF] = message[at + 4 : at + length]
                at += length + (-length % 4)
            number, _, hook = struct.unpack_from("!IHB", attributes[1])
            mark = struct.unpack("!I", attributes[3])[0] if 3 in attributes else 0
            data = attributes.get(10, b"")
            self.seen.append(Packet(hook, mark, data))
            state = next((s for token, s in self._tokens if token in data), 0)
            body = self._attribute(2, struct.pack("!II", 1, number))
            if state:
                body += self._attribute(3, struct.pack("!I", mark & ~STATE_MASK | state))
            self._socket.send(self._message(1, 0x1, body))

    def count(self, wait=0.0, **wanted):
        """How many queued packets have these properties (`token`: in the payload); waits for the first."""
        token = wanted.pop("token", b"")
        end = time.monotonic() + wait
        while True:
            n = sum(token in p.data and all(getattr(p, k) == v for k, v in wanted.items()) for p in list(self.seen))
            if n or time.monotonic() >= end:
                return n
            time.sleep(0.01)

    def close(self):
        self._stop.set()
        self._thread.join(2)
        self._socket.close()


def open_socket(ns, kind, address, port, timeout=1.0):
    """A connected socket of a namespace."""
    with inside(ns):
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    s.settimeout(timeout)
    s.connect((address, port))
    return s


def asks(ns, kind, address, port, data, timeout=1.0):
    """Sends and reads the echo once; the answer, or the OSError, and the seconds it took from sending."""
    with contextlib.closing(open_socket(ns, kind, address, port, timeout)) as s:
        return asks_on(s, data)


def asks_on(s, data):
    begin = time.monotonic()
    try:
        s.send(data)
        answer = s.recv(65536)
    except OSError as error:
        answer = error
    return answer, time.monotonic() - begin
