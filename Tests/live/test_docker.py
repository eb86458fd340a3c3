"""Docker itself, not only its API as podman speaks it: containers behind a Docker bridge are sessions of their own.

dockerd runs in the lab's host namespace and a mount namespace of its own, with its own containerd and all that it
keeps in a temporary directory; it makes its iptables rules there, as on a real host. The machine's own Docker is not
touched. The programs are the installed ones, or those that scripts/test.sh has unpacked.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from attribution_support import host_daemon, in_host
from conftest import REPOSITORY, RESOLVERS, end_process, wait_until
from container_support import agent_labels, label_options, linking_image, output_of, status_of, usable

UNPACKED = pathlib.Path(REPOSITORY) / ".build/unpacked/docker"
BRIDGE, NETWORK = "nfqdock0", "10.93.0.0/24"
LAUNCH = """
set -e
mount --make-rprivate /
exec dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --config-file "$1/daemon.json" \
  --host "unix://$1/docker.sock" --storage-driver vfs --bridge none --exec-opt native.cgroupdriver=cgroupfs \
  --cgroup-parent "/$2"
"""
TABLES = [(family, table) for family in ("iptables", "ip6tables") for table in ("nat", "filter")]


def find_programs():
    """The search path on which all of it is found."""
    places = [UNPACKED / "usr/sbin", UNPACKED / "usr/bin"]
    path = os.pathsep.join([*map(str, places), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
    for program in ("dockerd", "docker", "containerd", "runc", "nsenter", "unshare", "curl"):
        if shutil.which(program, path=path) is None:
            pytest.skip(f"{program} is neither installed nor unpacked (scripts/test.sh unpacks it)")
    return path


class Docker:
    """dockerd in the lab's host."""

    def __init__(self, lab, path):
        self.lab = lab
        # Short: addresses of sockets bear only short paths.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="nfqdock-"))
        self.socket, self.log = self.directory / "docker.sock", self.directory / "log"
        self.environment = dict(os.environ, PATH=path, HOME=str(self.directory))
        self.parent = f"nfqdock-{os.getpid()}"
        (self.directory / "daemon.json").write_text("{}\n")
        # Docker leaves its chains; the lab is for other tests too.
        self.before = {(family, table): self.tables(f"{family}-save", "-t", table) for family, table in TABLES}
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                in_host("unshare", "--mount", "sh", "-c", LAUNCH, "sh", self.directory, self.parent),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
            )

    def tables(self, *words, text=None):
        """iptables-save and -restore in the namespace."""
        return subprocess.run(
            in_host(*words), input=text or "", capture_output=True, text=True, timeout=20, check=True
        ).stdout

    def command(self, *words):
        """A docker command; the client needs no namespace."""
        return ["docker", "--host", f"unix://{self.socket}", *map(str, words)]

    def docker(self, *words, check=True):
        """Runs docker; returns its standard output."""
        return output_of(self.command(*words), "docker", words, self.environment, check)

    def answers(self):
        """Whether it has ended, or answers."""
        return self.process.poll() is not None or (self.socket.exists() and self.docker("version", check=False))

    def prepare(self):
        """An image that is nothing but links into /usr, which containers get to see, and a network."""
        wait_until(self.answers, 20, "dockerd answers")
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text(errors="replace").strip().splitlines()[-1])
        self.docker("import", linking_image(self.directory), "agent")
        name = f"com.docker.network.bridge.name={BRIDGE}"
        self.docker("network", "create", "--subnet", NETWORK, "--opt", name, "agents")

    def run(self, name, *options, session=None, agent_type="research"):
        """Starts an agent's container."""
        words = label_options(agent_labels(session, agent_type))
        certificate = self.lab.directory / "ca.pem"
        for path in ("/usr", certificate):
            words += ["--volume", f"{path}:{path}:ro"]
        words += ["--env", f"CURL_CA_BUNDLE={certificate}", "--network", "agents"]
        # Its embedded resolver forwards to the --dns addresses from within the container's namespace.
        words += [word for resolver in RESOLVERS[:1] for word in ("--dns", resolver)]
        self.docker("run", "-d", "--name", name, *words, *options, "agent", "sleep", "300")

    def curl(self, name, url):
        """curl's exit status in a container."""
        words = self.command("exec", name, "curl", "-4", "-sS", "--max-time", "3", url)
        return status_of(words, self.environment)

    def remove_all(self):
        """Ends every container."""
        for container in self.docker("ps", "-aq", check=False).split():
            self.docker("rm", "-f", container, check=False)

    def clean(self):
        """Leaves nothing behind; the namespace is the lab's."""
        if self.process.poll() is None and self.socket.exists():
            self.remove_all()
            self.docker("network", "rm", "agents", check=False)
        end_process(self.process, 20)
        subprocess.run(in_host("ip", "link", "del", BRIDGE), check=False, timeout=10, stderr=subprocess.DEVNULL)
        for (family, _), text in self.before.items():
            self.tables(f"{family}-restore", text=text)
        for place in pathlib.Path("/sys/fs/cgroup").glob(f"**/{self.parent}"):
            for directory in sorted((path for path in place.rglob("*") if path.is_dir()), reverse=True):
                directory.rmdir()
            place.rmdir()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def machine(lab):
    """Docker, if this machine can run containers."""
    with usable(Docker(lab, find_programs()), runtime="Docker") as docker:
        yield docker


@pytest.fixture
def running(lab, machine, tmp_path):
    """The daemon behind the bridge."""
    sessions = {"addresses": [], "containers": {"socket": str(machine.socket)}}
    with host_daemon(lab, tmp_path, ["--interface", BRIDGE, "--input"], sessions=sessions) as daemon:
        yield daemon
        machine.remove_all()


def test_two_containers_of_docker_are_two_sessions_by_their_labels(lab, machine, running):
    machine.run("one", session="c-1")
    machine.run("two", session="c-2")
    machine.run("plain")
    assert machine.curl("one", "https://dest1.com/") == 0
    for number in (2, 3):
        assert machine.curl("two", f"https://dest{number}.com/") == 0
    assert machine.curl("plain", "https://dest4.com/") == 0
    for session, number in (("c-1", 1), ("c-2", 2)):
        event = running.wait_for(event_type="tls", tls__sni=f"dest{number}.com", egress__session=session)
        assert (event["egress"]["attribution"], event["egress"]["agent_type"]) == ("container", "research")
    assert running.destinations("c-1") == {"dest1.com"}
    assert running.destinations("c-2") == {"dest2.com", "dest3.com"}
    # Without labels it is its name and short id.
    (other,) = set(running.sessions()) - {"c-1", "c-2"}
    assert other.startswith("plain-") and running.destinations(other) == {"dest4.com"}
    assert sorted(seen["host"] for seen in lab.requests_seen()) == [f"dest{number}.com" for number in (1, 2, 3, 4)]


def test_an_address_that_docker_gives_again_is_another_session(machine, running):
    fixed = ("--ip", "10.93.0.50")
    machine.run("former", *fixed, session="old")
    assert machine.curl("former", "https://dest1.com/") == 0
    machine.docker("rm", "-f", "former")
    machine.run("latter", *fixed, session="new")
    assert machine.curl("latter", "https://dest2.com/") == 0
    assert running.destinations("new") == {"dest2.com"}
    ended = running.wait_for(event_type="stats", egress__kind="session-end", egress__session="old")
    assert ended["egress"]["reason"] == "container-gone" and ended["egress"]["destinations"] == 1
    assert set(running.sessions()) == {"new"}
