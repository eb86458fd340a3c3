"""Hosts of containers: podman with all that it keeps in a temporary directory, in a network namespace."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from conftest import wait_until

NAMESPACE = f"nfqctn-{os.getpid()}"
# Limits that a container on a test machine may not be able to raise.
ULIMITS = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n'
APPLETS = ["sh", "sleep"]
FOUR, BOTH = f"four-{os.getpid()}", f"both-{os.getpid()}"


# What a runtime says on machines that let nobody run containers: a root without rights (itself in a container), no
# cgroups, no bridges in the kernel. Anything else that it says is our failure, or a runtime's bug to look at.
UNUSABLE = (
    "operation not permitted",
    "permission denied",
    "operation not supported",
    "cgroup mountpoint does not exist",
    "cgroups: cgroup",
    "no cgroup mount found",
    "devices cgroup isn't mounted",
)


def skip_where_unusable(error, runtime="podman"):
    """Skips where the machine cannot run containers; raises what was raised otherwise."""
    text = str(error)
    if isinstance(error, RuntimeError) and any(reason in text.lower() for reason in UNUSABLE):
        pytest.skip(f"{runtime} cannot run a container here: {text.splitlines()[-1]}")
    raise error


def output_of(command, runtime, words, environment, check=True):
    """Runs a runtime's client; returns its standard output. What it says of a failure is in the error raised."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"{runtime} {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout.strip()


def status_of(command, environment):
    """Runs a command in a container; returns its exit status."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, env=environment
    ).returncode


def label_options(labels):
    """The options that give a container labels."""
    return [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]


def agent_labels(session, agent_type):
    """The labels of an agent's container; none without a session."""
    return {"egress.session": session, "egress.agent-type": agent_type} if session else {}


def linking_image(directory):
    """An archive of nothing but links into /usr, for containers that get to see this machine's."""
    image = directory / "image"
    for name in ("etc", "tmp", "proc", "sys", "dev", "usr"):
        (image / name).mkdir(parents=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (image / link).symlink_to(f"usr/{link}")
    return shutil.make_archive(str(image), "tar", image)


class Host:
    """A host of containers: a network namespace with podman in it."""

    def __init__(self):
        # Short: podman and socket addresses bear only short paths.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="nfqctn-"))
        self.socket = self.directory / "podman.sock"
        self.service = None
        (self.directory / "containers.conf").write_text(ULIMITS)
        self.environment = dict(os.environ, CONTAINERS_CONF=str(self.directory / "containers.conf"))

    def enter(self, *words):
        """A command in the namespace. Not by `ip netns exec`: its fresh /sys hides the cgroups from podman."""
        return ["nsenter", f"--net=/run/netns/{NAMESPACE}", *map(str, words)]

    def podman_command(self, *words):
        """A podman command with everything it keeps in the temporary directory."""
        options = ["--root", self.directory / "root", "--runroot", self.directory / "run"]
        options += ["--tmpdir", self.directory / "tmp", "--network-config-dir", self.directory / "networks"]
        options += ["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "runc"]
        return self.enter("podman", *options, *words)

    def podman(self, *words, check=True):
        """Runs podman; returns its standard output."""
        return output_of(self.podman_command(*words), "podman", words, self.environment, check)

    def prepare(self):
        """The namespace, an image of busybox alone, and two networks."""
        subprocess.run(["ip", "netns", "add", NAMESPACE], check=True, timeout=10)
        subprocess.run(["ip", "-n", NAMESPACE, "link", "set", "lo", "up"], check=True, timeout=10)
        programs = self.directory / "image/bin"
        programs.mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), programs / "busybox")
        for applet in APPLETS:
            (programs / applet).symlink_to("busybox")
        archive = shutil.make_archive(str(self.directory / "image"), "tar", self.directory / "image")
        self.podman("import", archive, "agent")
        self.podman("network", "create", "--subnet", "10.91.0.0/24", FOUR)
        self.podman("network", "create", "--subnet", "10.92.0.0/24", "--ipv6", "--subnet", "fd92::/64", BOTH)

    def start_service(self):
        """Starts the API and waits until its socket is there."""
        self.service = subprocess.Popen(
            self.podman_command("system", "service", "--time=0", f"unix://{self.socket}"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment,
        )
        wait_until(self.socket.exists, 10, "the API's socket")

    def stop_service(self):
        """Ends the API; containers go on."""
        if self.service is None:
            return
        self.service.send_signal(signal.SIGKILL)
        self.service.wait(10)
        self.service = None
        self.socket.unlink(missing_ok=True)

    def run(self, name, *options, labels=None):
        """Starts a container; returns its id."""
        return self.podman("run", "-d", "--name", name, *label_options(labels or {}), *options, "agent", "sleep", "300")

    def remove_all(self):
        """Removes every container, members of others' networks first."""
        self.podman("pod", "rm", "-f", "-t", "0", "-a", check=False)
        for _ in range(3):
            for container in self.podman("ps", "-aq", "--no-trunc", check=False).split():
                self.podman("rm", "-f", "-t", "0", container, check=False)

    def clean(self):
        """Leaves nothing behind."""
        self.remove_all()
        self.podman("network", "rm", FOUR, BOTH, check=False)
        self.stop_service()
        with open("/proc/mounts", encoding="utf-8") as mounts:
            ours = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{self.directory}/")]
        for mount in sorted(ours, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False, timeout=10)
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, timeout=10, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)


def need(*programs):
    """Skips where one of the programs is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@contextlib.contextmanager
def usable(host, *options, runtime="podman"):
    """A host of containers that has run one, or the reason why it cannot."""
    try:
        try:
            host.prepare()
            host.run("probe", *options)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            skip_where_unusable(error, runtime)
        host.remove_all()
        yield host
    finally:
        host.clean()


def fresh(host):
    """A fixture's body: the host without containers, its API running."""
    host.start_service()
    yield host
    host.remove_all()
    host.stop_service()
