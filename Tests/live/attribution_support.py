"""What the tests of attribution share: the daemon and its rules where cgroups are to be seen, containers, cgroups.

The host is the lab's. It is entered by nsenter: `ip netns exec` mounts a /sys of its own, which hides the cgroups from
the daemon, from iptables and from podman.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from conftest import AGENT, PREFIX, REPOSITORY, RESOLVERS, SETUP, Daemon, configuration_for
from container_support import Host, agent_labels, label_options, linking_image, need, status_of, usable

NETWORKS = ("10.91.0.0/24", "fd91::/64")


def types(destinations=200, on_reach="flag"):
    """One agent type."""
    return {"research": {"budget": {"destinations": destinations, "onReach": on_reach}}}


def in_host(*words):
    """A command in the lab's host."""
    return ["nsenter", f"--net=/run/netns/{PREFIX}-host", *map(str, words)]


def run_in_host(*words, check=True, timeout=60):
    """Runs it."""
    done = subprocess.run(
        in_host(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert not check or done.returncode == 0, f"{words}: {done.stderr or done.stdout}"
    return done


class HostDaemon(Daemon):
    """The daemon where it sees cgroups."""

    def enter(self, *words):
        return in_host(*words)

    def sessions(self):
        """What lives, by id."""
        return {session["id"]: session for session in self.session_json("list")}

    def destinations(self, session):
        """The destinations of a session; none when there is no such session."""
        result = self.session("show", session, "--json", check=False)
        if result.returncode != 0:
            assert "unknown-session" in result.stderr, result.stderr
            return set()
        return {place["destination"] for place in json.loads(result.stdout)["destinations"]}


@contextlib.contextmanager
def host_daemon(lab, directory, options, setup=SETUP, **changes):
    """Rules for some agents, and a daemon behind them."""
    running = HostDaemon(lab, directory, configuration_for(directory, **changes))
    # The record of the slots is where the daemon looks for it; its name is the namespace's own.
    run_in_host(setup, "install", *options, "--queues", "0", "--on-failure", "closed")
    try:
        running.start()
        lab.mark()
        yield running
    finally:
        running.end()
        run_in_host(setup, "remove")


# --- containers ------------------------------------------------------------------------------------------------------


class AgentHost(Host):
    """podman in the lab's host: containers whose programs are this machine's, behind a bridge."""

    def __init__(self, lab):
        super().__init__()
        self.lab, self.bridge = lab, None

    def enter(self, *words):
        return in_host(*words)

    def prepare(self):
        """An image that is nothing but links into /usr, which containers get to see, and a network."""
        self.podman("import", linking_image(self.directory), "agent")
        subnets = [word for network in NETWORKS for word in ("--subnet", network)]
        self.podman("network", "create", "--ipv6", *subnets, "--disable-dns", "agents")
        (network,) = json.loads(self.podman("network", "inspect", "agents"))
        self.bridge = network["network_interface"]

    def run(self, name, *options, session=None, agent_type="research"):
        """Starts an agent's container; returns its id."""
        words = label_options(agent_labels(session, agent_type))
        words += [word for resolver in RESOLVERS for word in ("--dns", resolver)]
        for path in ("/usr", REPOSITORY, self.lab.directory / "ca.pem"):
            words += ["--volume", f"{path}:{path}:ro"]
        for name_of_authority in ("CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            words += ["--env", f"{name_of_authority}={self.lab.directory / 'ca.pem'}"]
        words += ["--network", "agents", "--cap-add", "NET_RAW", *options]
        return self.podman("run", "-d", "--name", name, *words, "agent", "sleep", "300")

    def remove(self, name):
        """Ends a container at once."""
        self.podman("rm", "-f", "-t", "0", name)

    def curl(self, name, url, *options):
        """curl's exit status in a container."""
        words = self.podman_command("exec", name, "curl", "-sS", "--max-time", "3", *options, url)
        return status_of(words, self.environment)

    def python(self, name, text, *words):
        """Runs Python in a container; returns what it prints."""
        return self.podman("exec", name, "/usr/bin/python3", "-c", text, *words)

    def clean(self):
        """Leaves nothing behind; the namespace is the lab's."""
        self.remove_all()
        self.podman("network", "rm", "-f", "agents", check=False)
        super().clean()


def agent_host(lab):
    """The host of containers, or the reason why there is none."""
    need("podman", "runc", "nsenter", "curl")
    return usable(AgentHost(lab))


# --- cgroups ---------------------------------------------------------------------------------------------------------


def cgroup_root():
    """Where the cgroup v2 tree is mounted."""
    with open("/proc/mounts", encoding="utf-8") as mounts:
        found = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    if not found:
        pytest.skip("no cgroup v2 tree is mounted")
    return pathlib.Path(found[0])


def remove_cgroup(directory):
    """Removes one as soon as it is empty."""
    for _ in range(100):
        try:
            directory.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)


@contextlib.contextmanager
def made_cgroups(*directories):
    """Cgroups, each after the one that it is in; a skip where none can be made."""
    try:
        try:
            for directory in directories:
                directory.mkdir()
        except OSError as error:
            pytest.skip(f"no control group can be made: {error}")
        yield
    finally:
        for directory in reversed(directories):
            remove_cgroup(directory)


def sessions_below(top):
    """The configuration by which cgroups below one are sessions."""
    return {"addresses": [], "cgroups": [{"pattern": f"/{top.name}/agent-{{type}}-{{session}}"}]}


def run_in_cgroup(lab, directory, *words, timeout=60):
    """Runs a command in a cgroup of the lab's host; returns what it prints."""
    text = 'echo 0 > "$1/cgroup.procs" && shift && exec "$@"'
    environment = dict(os.environ, SSL_CERT_FILE=str(lab.directory / "ca.pem"))
    done = subprocess.run(
        ["sh", "-c", text, "sh", str(directory), *in_host(*words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def agent_in_cgroup(lab, directory, *words):
    """Runs agent.py in a cgroup; returns its JSON."""
    return json.loads(run_in_cgroup(lab, directory, "/usr/bin/python3", "-B", AGENT, *words))
