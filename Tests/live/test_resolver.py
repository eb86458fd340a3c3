"""Resolvers in the middle: the agent asks the host's, which asks the internet's; and podman's aardvark-dns."""

import json
import os
import subprocess

import pytest
from conftest import (
    DAEMON,
    HOST_RESOLVER,
    PREFIX,
    RESOLVERS,
    SESSION,
    SETUP,
    at,
    configuration_for,
    end_process,
    setup_rules,
    wait_until,
)
from container_support import FOUR, Host, need, usable

UPSTREAM = RESOLVERS[0]
HOST_ADDRESS = "93.184.216.2"


def watch_output(lab):
    """The rules of docs/rules.md with what this host itself sends."""
    setup_rules(lab, *["install", "--interface", "agents0", "--all-output", "--queues", "0", "--on-failure", "closed"])


def upstream_questions(running, name):
    """What the host's resolver asked about a name, as events."""
    return running.questions(name, dest_ip=UPSTREAM, src_ip=HOST_ADDRESS)


def ask_stub(lab, name, kind="A", transport="udp"):
    """The agent asks the host's resolver."""
    (result,) = lab.agent("ask", HOST_RESOLVER, transport, name, kind)
    return result


def used(running, session):
    """Destinations of a session; None without one."""
    found = [entry for entry in running.session_json("list") if entry["id"] == session]
    return found[0]["budget"]["used"] if found else None


def test_a_stubs_upstream_question_is_the_askers_and_its_answer_corroborates(lab, daemon):
    # The stub itself is no trusted resolver: what it answers proves nothing, what it was told does.
    running = daemon()
    watch_output(lab)
    assert ask_stub(lab, "dest11.com")["outcome"] == "ok"
    (event, *_) = wait_until(lambda: upstream_questions(running, "dest11.com"), 5, "the upstream question's event")
    assert at(event, "egress__session") == SESSION
    assert at(event, "egress__attribution") == "address" and at(event, "egress__via") == "resolver"
    # One lookup, one charge, one session.
    (question,) = running.find(event_type="dns", dns__type="request", dest_ip=HOST_RESOLVER)
    assert at(question, "egress__session") == SESSION and at(question, "egress__via") is None
    assert at(question, "egress__destination__new") is True and at(event, "egress__destination__new") is False
    assert used(running, SESSION) == 1
    assert used(running, f"unattributed-{HOST_ADDRESS}") is None
    assert lab.curl("--resolve", "dest11.com:443:93.184.217.11", "https://dest11.com/")[0] == 0
    hello = running.wait_for(event_type="tls", tls__sni="dest11.com")
    assert at(hello, "egress__destination__evidence") == "sni" and at(hello, "egress__destination__key") == "dest11.com"
    assert used(running, SESSION) == 1


def test_what_nobody_asked_the_host_for_is_the_resolvers_own(lab, daemon):
    running = daemon()
    watch_output(lab)
    assert ask_stub(lab, "dest12.com", transport="tcp")["outcome"] == "ok"
    wait_until(lambda: upstream_questions(running, "dest12.com"), 5, "the upstream question's event")
    lab.run("host", "dig", "+tries=1", "+time=2", f"@{UPSTREAM}", "dest13.com", "A")
    (event,) = wait_until(lambda: upstream_questions(running, "dest13.com"), 5, "the resolver's own question")
    assert (at(event, "egress__session"), at(event, "egress__attribution")) == ("resolver", "resolver")
    assert at(event, "egress__agent_type") == "unattributed" and at(event, "egress__via") is None
    assert used(running, "resolver") == 1 and used(running, SESSION) == 1


def test_a_denied_or_held_name_never_reaches_the_stub(lab, daemon):
    running = daemon(agentTypes={"research": {"budget": {"destinations": 1, "onReach": "hold"}}})
    watch_output(lab)
    assert ask_stub(lab, "denied.net")["outcome"] != "ok"
    assert ask_stub(lab, "dest14.com")["outcome"] == "ok"
    assert ask_stub(lab, "dest15.com")["outcome"] != "ok"
    # What the session has contacted goes on, through the stub too.
    assert ask_stub(lab, "www.dest14.com")["outcome"] == "ok"
    seen = lab.questions_seen()
    assert "dest14.com" in seen and "denied.net" not in seen and "dest15.com" not in seen
    assert not upstream_questions(running, "denied.net") and not upstream_questions(running, "dest15.com")
    assert used(running, SESSION) == 1 and used(running, "resolver") in (None, 0)


@pytest.fixture(name="resolvers_cgroup")
def cgroup_of_the_resolver(lab):
    """A cgroup with the host's resolver in it, whose upstream sockets are made anew for each question."""
    root = next((line.split()[1] for line in open("/proc/mounts", encoding="utf-8") if line.split()[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("no cgroup v2 tree is mounted")
    probe = ["iptables", "-w", "-C", "OUTPUT", "-m", "cgroup", "--path", "nfqtest-none", "-j", "RETURN"]
    if "cgroup" in lab.run("host", *probe, check=False).stderr.replace("nfqtest-none", ""):
        pytest.skip("xt_cgroup is unusable here")
    records = [line.split() for line in (lab.directory / "processes").read_text().splitlines()]
    process = next(pid for pid, _, name in records if name == "unbound-host")
    before = next(
        line.split("::", 1)[1].strip()
        for line in open(f"/proc/{process}/cgroup", encoding="utf-8")
        if line.startswith("0::")
    )
    place = f"{root}/nfqtest-resolver-{os.getpid()}"
    os.mkdir(place)
    try:
        with open(f"{place}/cgroup.procs", "w", encoding="utf-8") as members:
            members.write(process)
        yield place
    finally:
        with open(f"{root}{before}/cgroup.procs", "w", encoding="utf-8") as members:
            members.write(process)
        wait_until(lambda: not open(f"{place}/cgroup.procs", encoding="utf-8").read(), 5, "the cgroup is empty")
        os.rmdir(place)


def test_a_resolvers_own_cgroup_is_enough_to_join_its_questions(lab, daemon, resolvers_cgroup):
    running = daemon()
    rules = ["--interface", "agents0", "--cgroup", resolvers_cgroup, "--queues", "0", "--on-failure", "closed"]
    # Not by `ip netns exec`: its fresh /sys hides the cgroups.
    enter = ["nsenter", f"--net=/run/netns/{PREFIX}-host", "env", f"NFQ_EGRESSD_RUN_DIR={lab.directory}/rules"]
    subprocess.run([*enter, SETUP, "install", *rules], check=True, timeout=30, stdin=subprocess.DEVNULL)
    assert ask_stub(lab, "dest16.com")["outcome"] == "ok"
    (event, *_) = wait_until(lambda: upstream_questions(running, "dest16.com"), 5, "the upstream question's event")
    assert (at(event, "egress__session"), at(event, "egress__via")) == (SESSION, "resolver")
    assert used(running, SESSION) == 1
    # The answer was seen too.
    assert lab.curl("--resolve", "dest16.com:443:93.184.217.16", "https://dest16.com/")[0] == 0
    hello = running.wait_for(event_type="tls", tls__sni="dest16.com")
    assert at(hello, "egress__destination__evidence") == "sni"


# A resolver that knows every name: its A record is always the same.
UPSTREAM_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
while True:
    asked, peer = s.recvfrom(4096)
    end = 12
    while asked[end]:
        end += 1 + asked[end]
    question = asked[12 : end + 5]
    isA = asked[end + 1 : end + 3] == b"\\0\\1"
    record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\1\\x2c\\0\\4" + bytes([93, 184, 216, 10]) if isA else b""
    s.sendto(asked[:2] + b"\\x81\\x80\\0\\1\\0" + bytes([isA]) + b"\\0\\0\\0\\0" + question + record, peer)
"""


def machines_nameserver():
    """The IPv4 nameserver that aardvark-dns will ask, since it reads the machine's file; None without one."""
    with open("/etc/resolv.conf", encoding="utf-8") as lines:
        found = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return found[0] if len(found) == 1 and "." in found[0] and not found[0].startswith("127.") else None


class PodmanHost(Host):
    """A host of containers whose nameserver lives in another namespace."""

    def __init__(self, nameserver):
        super().__init__()
        self.nameserver = nameserver
        self.outside = f"nfqres-{os.getpid()}"
        self.processes = []

    def prepare(self):
        """The way to the nameserver beside the rest, and the nameserver."""
        super().prepare()
        subprocess.run(["ip", "netns", "add", self.outside], check=True, timeout=10)
        batch = f"link add out0 type veth peer name in0 netns {self.outside}\n"
        batch += f"addr add 198.51.100.1/24 dev out0\nlink set out0 up\nroute add {self.nameserver}/32 dev out0 proto static\n"
        subprocess.run(self.enter("ip", "-batch", "-"), input=batch, text=True, check=True, timeout=10)
        batch = "link set lo up\nlink set in0 up\naddr add 198.51.100.2/24 dev in0\n"
        batch += f"addr add {self.nameserver}/32 dev in0\n"
        subprocess.run(["ip", "-n", self.outside, "-batch", "-"], input=batch, text=True, check=True, timeout=10)
        self.launch("ip", "netns", "exec", self.outside, "/usr/bin/python3", "-c", UPSTREAM_SERVER, self.nameserver)

    def launch(self, *command):
        """Starts a process that `clean` ends."""
        with open(self.directory / "processes.log", "ab") as log:
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def rules(self, *words):
        """Runs iptables-setup.sh."""
        setting = f"NFQ_EGRESSD_RUN_DIR={self.directory}/rules"
        command = self.enter("env", setting, SETUP, *words)
        subprocess.run(command, check=True, timeout=30, capture_output=True, stdin=subprocess.DEVNULL)

    def clean(self):
        """Leaves nothing behind."""
        for process in reversed(self.processes):
            end_process(process)
        super().clean()
        subprocess.run(["ip", "netns", "del", self.outside], check=False, timeout=10, stderr=subprocess.DEVNULL)


@pytest.fixture(name="podman_host")
def podman_host_with_resolver():
    """The host with one running container, if this machine can have it."""
    need("podman", "runc", "busybox", "nsenter", "ip")
    if not any(os.access(f"{place}/podman/aardvark-dns", os.X_OK) for place in ("/usr/lib", "/usr/libexec")):
        pytest.skip("aardvark-dns is not installed")
    nameserver = machines_nameserver()
    if nameserver is None:
        pytest.skip("aardvark-dns reads /etc/resolv.conf, which does not name one IPv4 nameserver here")
    with usable(PodmanHost(nameserver), "--network", FOUR) as host:
        host.run("one", "--network", FOUR, "--ip", "10.91.0.11")
        yield host


def test_aardvark_dns_asks_for_the_container_that_asked_it(podman_host, tmp_path):
    host = podman_host
    sources = [{"source": "10.91.0.11", "session": SESSION, "agentType": "research"}]
    configuration = configuration_for(tmp_path, trustedResolvers=[host.nameserver], sessions={"addresses": sources})
    (tmp_path / "config.yaml").write_text(json.dumps(configuration))
    daemon = host.launch(*host.enter(DAEMON, "run", "--config", tmp_path / "config.yaml"))
    bridge = json.loads(host.podman("network", "inspect", FOUR))[0]["network_interface"]
    host.rules("install", "--interface", bridge, "--all-output", "--queues", "0", "--on-failure", "closed")
    events = tmp_path / "eve.json"

    def questions():
        assert daemon.poll() is None, (host.directory / "processes.log").read_text()
        text = events.read_text() if events.exists() else ""
        found = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        found = [event for event in found if at(event, "event_type") == "dns" and at(event, "dns__type") == "request"]
        return [event for event in found if event["dns"]["queries"][0]["rrname"] == "good-site.org"]

    def look_up():
        return host.podman("exec", "one", "busybox", "nslookup", "-type=a", "good-site.org", "10.91.0.1", check=False)

    answer = wait_until(lambda: "93.184.216.10" in (text := look_up()) and text, 15, "an answer through aardvark-dns")
    assert "good-site.org" in answer
    wait_until(lambda: any(at(event, "egress__via") for event in questions()), 5, "the upstream question's event")
    joined = [event for event in questions() if at(event, "egress__via") == "resolver"]
    asked = [event for event in questions() if at(event, "dest_ip") == "10.91.0.1"]
    assert asked and all(at(event, "egress__session") == SESSION for event in asked + joined)
    assert {at(event, "dest_ip") for event in joined} == {host.nameserver}
    # One destination, however often it was asked for on the way.
    assert {at(event, "egress__budget__used") for event in asked + joined} == {1}
    assert sum(at(event, "egress__destination__new") for event in asked + joined) == 1
