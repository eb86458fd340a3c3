"""Whose a packet is: real containers behind a bridge.

Each test asks the daemon (events, `session list`, `session show`) and holds it against what the lab's servers saw.
"""

import contextlib
import subprocess
import textwrap
import time

import pytest

from attribution_support import agent_host, host_daemon, types
from conftest import wait_until
from container_support import fresh


def unattributed(running):
    """The sessions that stand for nobody."""
    return [session for session in running.sessions() if session.startswith("unattributed")]


@pytest.fixture(scope="module")
def machine(lab):
    """podman in the lab's host, if this machine can run containers."""
    with agent_host(lab) as host:
        yield host


@pytest.fixture(name="pods")
def fresh_machine(machine):
    """It, without containers, its API running."""
    yield from fresh(machine)


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
