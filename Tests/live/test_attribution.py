"""Whose a packet is: real containers behind a bridge, and processes in cgroups of one host.

Each test asks the daemon (events, `session list`, `session show`) and holds it against what the lab's servers saw.
"""

import contextlib
import json
import os
import shutil
import subprocess
import textwrap
import time

import pytest

from attribution_support import (
    agent_host,
    agent_in_cgroup,
    cgroup_root,
    host_daemon,
    remove_cgroup,
    run_in_cgroup,
    run_in_host,
)
from conftest import DAEMON, RESOLVERS, SETUP, at, wait_until

RESOLVER4, RESOLVER6 = RESOLVERS
DATAGRAMS = 1000
NOBODY = "93.184.217.200"
# The host itself looks after cgroups every five seconds.
CGROUP_GONE = 7.0


def types(destinations=200, on_reach="flag"):
    """One agent type."""
    return {"research": {"budget": {"destinations": destinations, "onReach": on_reach}}}


def of_session(running, session, event_type):
    """The events of one type that a session has."""
    return running.find(event_type=event_type, egress__session=session)


def unattributed(running):
    """The sessions that stand for nobody."""
    return [session for session in running.sessions() if session.startswith("unattributed")]


# --- containers ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine(lab):
    """podman in the lab's host, if this machine can run containers."""
    yield from agent_host(lab)


@pytest.fixture(name="pods")
def fresh_machine(machine):
    """It, without containers, its API running."""
    machine.start_service()
    yield machine
    machine.remove_all()
    machine.stop_service()


@pytest.fixture(name="watched")
def daemon_of_containers(lab, pods, tmp_path):
    """A function that starts the daemon behind the bridge; its argument is the agent types."""
    stack = []

    def start(agent_types=None):
        sessions = {"addresses": [], "containers": {"socket": str(pods.socket)}}
        rules = ["--interface", pods.bridge, "--input"]
        manager = host_daemon(lab, tmp_path, rules, sessions=sessions, agentTypes=agent_types or types())
        running = manager.__enter__()
        stack.append(manager)
        return running

    yield start
    for manager in stack:
        manager.__exit__(None, None, None)


def test_two_containers_behind_a_bridge_are_two_sessions_counted_apart(lab, pods, watched):
    running = watched()
    pods.run("one", session="c-1")
    pods.run("two", session="c-2")
    for number in (1, 2):
        assert pods.curl("one", f"https://dest{number}.com/") == 0
    for number in (2, 3, 4):
        assert pods.curl("two", f"https://dest{number}.com/") == 0
    assert pods.curl("two", "http://dest5.com/", "-6") == 0
    for session, number in (("c-1", 2), ("c-2", 4)):
        event = running.wait_for(event_type="tls", tls__sni=f"dest{number}.com", egress__session=session)
        assert event["egress"]["attribution"] == "container"
        assert event["egress"]["agent_type"] == "research"
    assert running.destinations("c-1") == {"dest1.com", "dest2.com"}
    assert running.destinations("c-2") == {"dest2.com", "dest3.com", "dest4.com", "dest5.com"}
    assert set(running.sessions()) == {"c-1", "c-2"}
    # The servers saw each of them, and nothing else happened.
    assert sorted(seen["host"] for seen in lab.requests_seen()) == sorted(
        f"dest{number}.com" for number in (1, 2, 2, 3, 4, 5)
    )


def test_a_container_that_takes_over_an_address_starts_at_zero(pods, watched):
    running = watched(types(2, "hold"))
    fixed = ("--ip", "10.91.0.50", "--ip6", "fd91::50")
    pods.run("former", *fixed, session="old")
    for number in (1, 2):
        assert pods.curl("former", f"https://dest{number}.com/") == 0
    assert pods.curl("former", "https://dest3.com/") != 0
    pods.remove("former")
    pods.run("latter", *fixed, session="new")
    for number in (3, 4):
        assert pods.curl("latter", f"https://dest{number}.com/") == 0
    assert pods.curl("latter", "https://dest1.com/") != 0
    assert running.destinations("new") == {"dest3.com", "dest4.com"}
    ended = running.wait_for(event_type="stats", egress__kind="session-end", egress__session="old")
    assert ended["egress"]["reason"] == "container-gone" and ended["egress"]["destinations"] == 2
    assert set(running.sessions()) == {"new"}


def test_a_container_that_sends_at_once_is_not_charged_to_the_address_or_its_former_owner(pods, watched):
    running = watched()
    sends = "import socket\nfor n in range(20):\n socket.socket(2, 2).sendto(b'x', ('93.184.217.%d' % (100 + n), 7000))"
    for turn in range(3):
        options = ["--network", "agents", "--volume", "/usr:/usr:ro", "--ip", "10.91.0.60"]
        labels = ["--label", f"egress.session=quick-{turn}", "--label", "egress.agent-type=research"]
        words = ["agent", "/usr/bin/python3", "-c", f"{sends}\nimport time; time.sleep(3)"]
        pods.podman("run", "-d", "--name", f"quick-{turn}", *options, *labels, *words)
        wait_until(lambda: len(running.destinations(f"quick-{turn}")) == 20, 5, f"quick-{turn} has all its datagrams")
        pods.remove(f"quick-{turn}")
    assert unattributed(running) == []
    for turn in range(3):
        ended = running.wait_for(event_type="stats", egress__kind="session-end", egress__session=f"quick-{turn}")
        assert ended["egress"]["destinations"] == 20 and ended["egress"]["flows"] == 20


def test_a_reached_budget_holds_one_container_and_not_its_neighbour(lab, pods, watched):
    running = watched(types(2, "hold"))
    pods.run("one", session="c-1")
    pods.run("two", session="c-2")
    for number in (1, 2):
        assert pods.curl("one", f"https://dest{number}.com/") == 0
    assert pods.curl("two", "https://dest1.com/") == 0
    assert pods.curl("one", "https://dest7.com/") != 0
    assert pods.curl("two", "https://dest7.com/") == 0
    assert pods.curl("one", "https://dest1.com/") == 0, "what it has contacted stays open"
    (flag,) = running.alerts("budget-reached")[:1]
    assert flag["egress"]["session"] == "c-1"
    assert [seen["host"] for seen in lab.requests_seen()].count("dest7.com") == 1


def test_a_restart_keeps_containers_sessions_and_ends_those_of_containers_removed_meanwhile(pods, watched):
    running = watched(types(2, "hold"))
    pods.run("stays", "--ip", "10.91.0.80", session="stays")
    pods.run("goes", "--ip", "10.91.0.81", session="goes")
    for number in (1, 2):
        assert pods.curl("stays", f"https://dest{number}.com/") == 0
    assert pods.curl("goes", "https://dest1.com/") == 0
    assert running.stop() == 0
    pods.remove("goes")
    pods.run("comes", "--ip", "10.91.0.81", session="comes")
    running.start()
    ended = running.wait_for(event_type="stats", egress__kind="session-end", egress__session="goes")
    assert ended["egress"]["reason"] == "container-gone" and ended["egress"]["destinations"] == 1
    assert pods.curl("stays", "https://dest3.com/") != 0
    assert pods.curl("comes", "https://dest3.com/") == 0
    assert running.destinations("comes") == {"dest3.com"}
    assert running.destinations("stays") == {"dest1.com", "dest2.com"}
    assert set(running.sessions()) == {"stays", "comes"}


SPOOF = textwrap.dedent(
    """
    import socket, struct, sys
    source, target = sys.argv[1:]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    udp = struct.pack(">HHHH", 40000, 7000, 12, 0) + b"mine"
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    raw.sendto(head + udp, (target, 0))
    """
)


def test_a_neighbours_source_address_is_flagged_and_charged_to_its_true_sender(pods, watched):
    running = watched()
    pods.run("honest", "--ip", "10.91.0.70", session="honest")
    pods.run("liar", "--ip", "10.91.0.71", session="liar")
    assert pods.curl("honest", "https://dest1.com/") == 0
    pods.python("liar", SPOOF, "10.91.0.70", "93.184.217.99")
    event = running.wait_for(event_type="alert", egress__flag__kind="spoofed-source")
    assert event["egress"]["session"] == "liar"
    assert event["src_ip"] == "10.91.0.70" and event["dest_ip"] == "93.184.217.99"
    assert "93.184.217.99" in running.destinations("liar")
    assert running.destinations("honest") == {"dest1.com"}
    # An address of the bridge that nobody has is no way out either.
    pods.python("liar", SPOOF, "10.91.0.99", "93.184.217.98")
    wait_until(lambda: "93.184.217.98" in running.destinations("liar"), 5, "the liar is charged")
    assert unattributed(running) == []
    assert running.destinations("honest") == {"dest1.com"}


# Datagrams and segments with endpoints of somebody else's; those of TCP with nothing that a receiver would take.
INJECT = textwrap.dedent(
    """
    import socket, struct, sys
    proto, source, sport, target, dport, count = sys.argv[1:]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ports = struct.pack(">HH", int(sport), int(dport))
    if proto == "udp":
        pieces = [ports + struct.pack(">HH", 12, 0) + b"mine"]
    else:
        # A reset, a SYN, and bytes.
        flags = {0x04: b"", 0x02: b"", 0x18: b"GET / HTTP/1.1\\r\\nHost: dest9.com\\r\\n\\r\\n"}
        pieces = [ports + struct.pack(">LLBBHHH", 7, 7, 0x50, flag, 512, 0, 0) + data for flag, data in flags.items()]
    def total(data):
        words = sum(struct.unpack(f">{len(data) // 2}H", data))
        while words >> 16:
            words = (words & 0xffff) + (words >> 16)
        return ~words & 0xffff
    for _ in range(int(count)):
        for piece in pieces:
            number = 17 if proto == "udp" else 6
            ends = socket.inet_aton(source) + socket.inet_aton(target)
            if proto == "tcp":
                padded = ends + struct.pack(">BBH", 0, 6, len(piece)) + piece + b"\\0" * (len(piece) % 2)
                piece = piece[:16] + struct.pack(">H", total(padded)) + piece[18:]
            head = struct.pack(">BBHHHBBH8s", 0x45, 0, 20 + len(piece), 1, 0, 64, number, 0, ends)
            raw.sendto(head + piece, (target, 0))
    """
)
# Sends when it is told to, on one socket; tells its port first.
TALK = textwrap.dedent(
    """
    import socket, sys
    proto, address, port = sys.argv[1:]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM)
    sock.settimeout(3)
    # Connected, the first answer of "nobody listens" would end it.
    sock.bind(("0.0.0.0", 0)) if proto == "udp" else sock.connect((address, int(port)))
    print(sock.getsockname()[1], flush=True)
    for host in sys.stdin:
        if proto == "udp":
            sock.sendto(b"mine", (address, int(port)))
            print("sent", flush=True)
        else:
            sock.sendall(f"GET / HTTP/1.1\\r\\nHost: {host.strip()}\\r\\n\\r\\n".encode())
            print(sock.recv(4096).split(b"\\r\\n")[0].decode(), flush=True)
    """
)


@contextlib.contextmanager
def talking(pods, name, *words):
    """A program in a container that sends on one socket: its port, and a function that lets it send."""
    command = pods.podman_command("exec", "-i", name, "/usr/bin/python3", "-u", "-c", TALK, *words)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=pods.environment
    ) as process:

        def say(text):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield process.stdout.readline().strip(), say
        process.stdin.close()


def test_packets_on_a_neighbours_live_datagram_flow_are_not_charged_to_the_neighbour(pods, watched):
    running = watched()
    pods.run("honest", "--ip", "10.91.0.70", session="honest")
    pods.run("liar", "--ip", "10.91.0.71", session="liar")
    with talking(pods, "honest", "udp", "93.184.217.99", "7000") as (port, say):
        assert say("now") == "sent"
        wait_until(lambda: "93.184.217.99" in running.destinations("honest"), 5, "the flow is known")
        pods.python("liar", INJECT, "udp", "10.91.0.70", port, "93.184.217.99", "7000", "20")
        event = running.wait_for(event_type="alert", egress__flag__kind="spoofed-source")
        assert (event["egress"]["session"], event["src_ip"]) == ("liar", "10.91.0.70")
        assert event["egress"]["verdict"] == {"action": "drop", "reason": "evasion"}
        assert say("now") == "sent"
        # A datagram is judged before the next one's answer to `say`, but not before its own.
        assert say("now") == "sent"
        time.sleep(0.3)
    assert running.destinations("liar") == set()
    assert len(running.alerts("spoofed-source")) == 1
    assert running.stop() == 0
    (flow,) = running.find(event_type="flow", dest_ip="93.184.217.99")
    assert (flow["egress"]["session"], flow["src_port"]) == ("honest", int(port))
    assert (flow["flow"]["pkts_toserver"], flow["flow"]["bytes_toserver"]) == (3, 96)


def test_a_neighbours_segments_neither_end_a_connection_nor_hide_what_it_asks_for(lab, pods, watched):
    running = watched()
    pods.run("honest", "--ip", "10.91.0.70", session="honest")
    pods.run("liar", "--ip", "10.91.0.71", session="liar")
    assert pods.curl("honest", "http://dest5.com/") == 0
    seen = running.wait_for(event_type="http", http__hostname="dest5.com", egress__session="honest")
    address = seen["dest_ip"] if ":" not in seen["dest_ip"] else "93.184.217.5"
    with talking(pods, "honest", "tcp", address, "80") as (port, say):
        assert say("dest5.com").startswith("HTTP/1.1")
        pods.python("liar", INJECT, "tcp", "10.91.0.70", port, address, "80", "5")
        event = running.wait_for(event_type="alert", egress__flag__kind="spoofed-source")
        assert event["egress"]["session"] == "liar"
        assert say("second.dest5.com").startswith("HTTP/1.1")
    asked = running.wait_for(event_type="http", http__hostname="second.dest5.com")
    assert asked["egress"]["session"] == "honest" and asked["src_port"] == int(port)
    assert running.find(event_type="http", http__hostname="dest9.com") == []
    assert running.destinations("liar") == set()


# --- cgroups ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(lab):
    """A cgroup with agents' cgroups below it: two that a pattern knows, two that none knows."""
    top = cgroup_root() / f"nfqattr-{os.getpid()}"
    made = [top, *(top / name for name in ("agent-research-s1", "agent-research-s2", "plain", "other"))]
    try:
        try:
            for directory in made:
                directory.mkdir()
        except OSError as error:
            pytest.skip(f"no control group can be made: {error}")
        probe = ["iptables", "-t", "mangle", "-A", "OUTPUT", "-m", "cgroup", "--path", top.name]
        done = run_in_host(*probe, check=False)
        if done.returncode != 0:
            pytest.skip(f"xt_cgroup is unusable here: {done.stderr.strip()}")
        run_in_host(*(word.replace("-A", "-D") for word in probe[:4]), *probe[4:])
        yield top
    finally:
        for directory in reversed(made):
            remove_cgroup(directory)


def cgroup_daemon(lab, directory, tree, *cgroups, agent_types=None, setup=SETUP, rules=None):
    """The daemon on a host whose cgroups are agents; the rules are for the cgroups named, or for all below the top."""
    words = [word for cgroup in cgroups or [tree] for word in ("--cgroup", str(cgroup))]
    changes = {"rules": rules} if rules else {}
    sessions = {"addresses": [], "cgroups": [{"pattern": f"/{tree.name}/agent-{{type}}-{{session}}"}]}
    return host_daemon(lab, directory, words, setup, sessions=sessions, agentTypes=agent_types or types(), **changes)


@pytest.mark.parametrize("site4,site6,resolver", [(0, 10, RESOLVER4), (20, 30, RESOLVER6)])
def test_two_cgroups_of_one_host_are_two_sessions_over_tcp_and_udp_and_both_families(
    lab, tree, tmp_path, site4, site6, resolver
):
    with cgroup_daemon(lab, tmp_path, tree) as running:
        for index, name in ((1, "s1"), (2, "s2")):
            group = tree / f"agent-research-{name}"
            for site, address in (
                (site4 + index, f"93.184.217.{site4 + index}"),
                (site6 + index, f"2606:2800:221:{site6 + index}::1"),
            ):
                kind = "AAAA" if ":" in address else "A"
                (answer,) = agent_in_cgroup(lab, group, "ask", resolver, "udp", f"dest{site}.com", kind)
                assert answer["outcome"] == "ok", answer
                answer = agent_in_cgroup(lab, group, "tls", address, f"dest{site}.com")
                assert answer["outcome"] == "ok", answer
        for index, name in ((1, "s1"), (2, "s2")):
            sites = {f"dest{site + index}.com" for site in (site4, site6)}
            found = running.destinations(name)
            assert found == sites, [event for event in running.events() if event["event_type"] in ("dns", "tls")]
            for site in sites:
                wait_until(lambda: {"dns", "tls"} <= kinds_naming(running, name, site), 5, f"{name} has {site} in events")
            for event in of_session(running, name, "tls"):
                assert (event["egress"]["attribution"], event["egress"]["agent_type"]) == ("cgroup", "research")
        assert set(running.sessions()) == {"s1", "s2"}


def kinds_naming(running, session, site):
    """The types of a session's events that name a site."""
    found = set()
    for event in running.find(egress__session=session):
        questions = [question.get("rrname") for question in at(event, "dns__queries") or []]
        if site in [at(event, "tls__sni"), *questions]:
            found.add(event["event_type"])
    return found


FORGET = textwrap.dedent(
    """
    import socket, sys, time
    target, count = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    for number in range(count):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"forget", (target, 7000))
        if number % 100 == 99:
            # The test is of whose they are, not of how many the queue takes at once.
            time.sleep(0.05)
    """
)
PING = textwrap.dedent(
    """
    import socket, struct, sys
    six = ":" in sys.argv[1]
    raw = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if six else 1)
    raw.settimeout(3)
    raw.connect((sys.argv[1], 0))
    data = struct.pack(">BBHHH", 128 if six else 8, 0, 0, 7, 1)
    raw.send(data if six else data[:2] + struct.pack(">H", 0xffff - 0x0808) + data[4:])
    while raw.recv(2048)[0 if six else 20] != (129 if six else 0):
        pass
    """
)


@pytest.mark.parametrize("target", [NOBODY, "2606:2800:221:200::1"])
def test_datagrams_of_closed_sockets_and_pings_are_charged_to_their_slots_sessions(lab, tree, tmp_path, target):
    groups = [tree / "agent-research-s1", tree / "agent-research-s2", tree / "plain"]
    with cgroup_daemon(lab, tmp_path, tree, *groups) as running:
        for group in groups:
            run_in_cgroup(lab, group, "/usr/bin/python3", "-c", FORGET, target, str(DATAGRAMS))
            run_in_cgroup(lab, group, "/usr/bin/python3", "-c", PING, target)
        names = {"s1", "s2", f"cgroup:/{tree.name}/plain"}
        # IP, UDP and six bytes; IP and eight bytes of echo request. Ports may come twice, so flows are no count.
        head = 40 if ":" in target else 20
        sent = {name: DATAGRAMS * (head + 8 + 6) + head + 8 for name in names}

        def counted():
            return {name: session["bytes_out"] for name, session in running.sessions().items()}

        deadline = time.monotonic() + 20
        while counted() != sent and time.monotonic() < deadline:
            time.sleep(0.2)
        assert counted() == sent


def test_registered_cgroups_and_processes_are_charged_as_such(lab, tree, tmp_path):
    with cgroup_daemon(lab, tmp_path, tree) as running:
        running.session("start", "--id", "reg-path", "--type", "research", "--cgroup", f"/{tree.name}/plain")
        # A process is registered by its cgroup; here it is the test's own child that waits for its input.
        words = ["sh", "-c", 'echo 0 > "$1/cgroup.procs" && echo there && read -r _', "sh", str(tree / "other")]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout.readline() == "there\n"
            running.session("start", "--id", "reg-pid", "--type", "research", "--pid", child.pid)
            child.stdin.close()
        # Registered where a pattern matches too: what was said explicitly counts.
        over = f"/{tree.name}/agent-research-s1"
        running.session("start", "--id", "reg-over", "--type", "research", "--cgroup", over)
        groups = ("plain", "other", "agent-research-s1", "agent-research-s2")
        for index, (group, session) in enumerate(zip(groups, ("reg-path", "reg-pid", "reg-over", "s2")), 1):
            agent_in_cgroup(lab, tree / group, "ask", RESOLVER4, "udp", f"dest{index}.com", "A")
            answer = agent_in_cgroup(lab, tree / group, "tls", f"93.184.217.{index}", f"dest{index}.com")
            assert answer["outcome"] == "ok", answer
            event = running.wait_for(event_type="tls", tls__sni=f"dest{index}.com")
            kind = "cgroup" if session == "s2" else "registered-cgroup"
            assert (event["egress"]["session"], event["egress"]["attribution"]) == (session, kind)
            assert running.destinations(session) == {f"dest{index}.com"}
        assert set(running.sessions()) == {"reg-path", "reg-pid", "reg-over", "s2"}
        # After its end the pattern decides again, for processes that go on too.
        running.session("end", "reg-over")
        agent_in_cgroup(lab, tree / "agent-research-s1", "http", "93.184.217.9", "/", "dest9.com")
        wait_until(lambda: "s1" in running.sessions(), 5, "the pattern's session")


def test_a_hold_on_one_cgroup_leaves_the_other_alone(lab, tree, tmp_path):
    with cgroup_daemon(lab, tmp_path, tree, agent_types=types(1, "hold")) as running:
        one, two = tree / "agent-research-s1", tree / "agent-research-s2"
        for group, last, expected in ((one, 1, True), (one, 2, False), (two, 2, True), (one, 1, True)):
            address = f"93.184.217.{last}"
            (answer,) = agent_in_cgroup(lab, group, "http", address, "/", "x.test")
            assert (answer["outcome"] == "ok") == expected, (group, address, answer)
        assert {flag["egress"]["session"] for flag in running.alerts("budget-reached")} >= {"s1"}
        assert [seen["server"] for seen in lab.requests_seen()] == ["93.184.217.1", "93.184.217.2", "93.184.217.1"]


@pytest.mark.parametrize("how", ["socket", "slot"])
def test_a_session_ends_with_its_cgroup(lab, tree, tmp_path, how):
    group = tree / "agent-research-s1"
    with cgroup_daemon(lab, tmp_path, tree, group, tree / "agent-research-s2") as running:
        if how == "socket":
            # A process deeper down: what ends with it is not the session.
            deeper = group / "deeper"
            deeper.mkdir()
            try:
                agent_in_cgroup(lab, deeper, "ask", RESOLVER4, "udp", "dest1.com", "A")
            finally:
                remove_cgroup(deeper)
            time.sleep(CGROUP_GONE)
            assert running.find(egress__kind="session-end") == []
        run_in_cgroup(lab, group, "/usr/bin/python3", "-c", FORGET, NOBODY, "5")
        wait_until(lambda: "s1" in running.sessions(), 5, "the session")
        remove_cgroup(group)
        gone = time.monotonic()
        event = running.wait_for(CGROUP_GONE, event_type="stats", egress__kind="session-end", egress__session="s1")
        assert event["egress"]["reason"] == "cgroup-gone"
        assert time.monotonic() - gone < CGROUP_GONE
        assert "s1" not in running.sessions()
        # Made anew, it is another cgroup than the one that the rule means: its packets would not be seen.
        group.mkdir()
        try:
            stale = running.wait_for(CGROUP_GONE, event_type="stats", egress__kind="rule-stale")
            assert stale["egress"]["path"].endswith("/agent-research-s1") and stale["egress"]["slot"] > 0
        finally:
            remove_cgroup(group)


def private_setup(directory):
    """The script of the rules where root alone can change it, as a package puts it."""
    script = directory / "share" / "iptables-setup.sh"
    script.parent.mkdir()
    shutil.copy(SETUP, script)
    script.chmod(0o755)
    return script


def made_anew(group):
    """What a restart of a unit does to its cgroup."""
    remove_cgroup(group)
    assert not group.exists()
    group.mkdir()


def forget_from(lab, running, group, session, count):
    """Datagrams of closed sockets; waits until they are charged to the session."""
    before = running.sessions().get(session, {}).get("bytes_out", 0)
    run_in_cgroup(lab, group, "/usr/bin/python3", "-c", FORGET, NOBODY, str(count))

    def charged():
        return running.sessions().get(session, {}).get("bytes_out", 0) - before == count * (20 + 8 + 6)

    wait_until(charged, 5, f"{count} datagrams are charged to {session}")


def test_a_cgroup_made_anew_is_charged_to_its_session_again_without_anyones_hand(lab, tree, tmp_path):
    groups = [tree / "agent-research-s1", tree / "agent-research-s2"]
    with cgroup_daemon(lab, tmp_path, tree, *groups, setup=private_setup(tmp_path)) as running:
        for group, session in zip(groups, ("s1", "s2")):
            forget_from(lab, running, group, session, 50)
        for turn in range(2):
            made_anew(groups[0])
            # What leaves at once is seen by nobody: documented, and told.
            run_in_cgroup(lab, groups[0], "/usr/bin/python3", "-c", FORGET, NOBODY, "5")
            repaired = {"event_type": "stats", "egress__kind": "rule-repaired"}
            wait_until(lambda: len(running.find(**repaired)) == turn + 1, 8, "the rule is there again")
            figures = running.find(**repaired)[turn]["egress"]
            assert (figures["path"], figures["slot"]) == (f"/{tree.name}/agent-research-s1", 1)
            assert 0 < figures["took_ms"] <= figures["unseen_ms"]
            assert len(running.find(event_type="stats", egress__kind="rule-stale")) == turn + 1
            for group, session in zip(groups, ("s1", "s2")):
                forget_from(lab, running, group, session, 50)
        assert running.find(event_type="stats", egress__kind="rule-repair-failed") == []
        assert run_in_host(SETUP, "status").stdout.splitlines()[-1] == "complete"


def test_a_repair_by_a_script_that_others_can_change_is_refused_and_told(lab, tree, tmp_path):
    group = tree / "agent-research-s1"
    script = private_setup(tmp_path)
    with cgroup_daemon(lab, tmp_path, tree, group, setup=script) as running:
        script.chmod(0o775)
        made_anew(group)
        failed = running.wait_for(event_type="stats", egress__kind="rule-repair-failed")
        assert "others than root may write it" in failed["egress"]["error"]
        assert failed["egress"]["again_seconds"] == 10
        checked = run_in_host(DAEMON, "check-config", running.configuration_path)
        assert "others than root may write it" in checked.stderr
        script.chmod(0o755)
        # By hand in the meantime, which the daemon notices.
        run_in_host(script, "repair")
        forget_from(lab, running, group, "s1", 50)
        made_anew(group)
        wait_until(lambda: running.find(event_type="stats", egress__kind="rule-repaired"), 15, "it is tried again")
        forget_from(lab, running, group, "s1", 50)


def test_with_repair_none_it_is_only_told(lab, tree, tmp_path):
    group = tree / "agent-research-s1"
    with cgroup_daemon(lab, tmp_path, tree, group, setup=private_setup(tmp_path), rules={"repair": "none"}) as running:
        made_anew(group)
        running.wait_for(event_type="stats", egress__kind="rule-stale")
        time.sleep(3)
        assert running.find(event_type="stats", egress__kind="rule-repaired") == []
        assert json.loads(run_in_host(SETUP, "status", "--json", check=False).stdout)["cgroups"][0]["condition"] == "anew"
