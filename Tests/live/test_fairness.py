"""A small flow table, and an agent that fills it many times over: others' connections stay what they are."""

import json
import pathlib
import socket
import subprocess

import pytest
from conftest import SESSION, wait_until

SPRAY = pathlib.Path(__file__).with_name("spray.py")
TALKER = pathlib.Path(__file__).with_name("talker.py")
LIMIT = 1024
# The event of every flow has room.
LIMITS = {"flows": LIMIT, "eventRing": 1 << 20}
NEIGHBOUR = "10.88.0.8"


def ask(daemon, **request):
    """One request to the control socket, and its answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(daemon.socket_path)
        client.sendall(json.dumps({"version": 1, **request}).encode() + b"\n")
        with client.makefile() as answer:
            return json.loads(answer.readline())


def flows(daemon):
    """The table's figures."""
    return ask(daemon, command="status")["status"]["flows"]


@pytest.fixture
def neighbour(lab):
    """A second agent: another address behind the same link."""
    lab.run("agent", "ip", "addr", "add", f"{NEIGHBOUR}/24", "dev", "eth0")
    yield NEIGHBOUR
    lab.run("agent", "ip", "addr", "del", f"{NEIGHBOUR}/24", "dev", "eth0")


@pytest.fixture
def talker(lab, neighbour):
    """A kept-alive connection of the second agent's, told what to do."""
    command = lab.command("agent", "/usr/bin/python3", "-B", TALKER, "93.184.216.10", "93.184.216.53", neighbour)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(line):
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())["outcome"]

    yield do
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


def spray(lab, *words):
    """Sprays; returns how many packets left."""
    return int(lab.run("agent", "/usr/bin/python3", "-B", SPRAY, *words, timeout=60).stdout)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("udp", "93.184.216.0", "-", 20_000), id="udp"),
        pytest.param(("udp", "2606:2800:220:1::", "-", 20_000), id="udp-ipv6-64"),
        pytest.param(("syn", "93.184.216.10", "10.88.0", 10_000), id="syn-invented-sources"),
    ],
)
@pytest.mark.parametrize("is_attributed", [True, False], ids=["session", "address"])
def test_spray_takes_no_flow_of_another_agent(lab, daemon, request, words, is_attributed):
    sources = [("10.88.0.7", SESSION), ("fd00:88::7", SESSION)] + [(NEIGHBOUR, "live-2")] * is_attributed
    running = daemon(
        limits=LIMITS,
        sessions={"addresses": [{"source": a, "session": s, "agentType": "research"} for a, s in sources]},
    )
    talk = request.getfixturevalue("talker")
    assert talk("ask docs-site.org") == "ok"
    assert talk("http docs-site.org") == "ok"
    before = flows(running)
    assert spray(lab, *words) > 5 * LIMIT
    after = wait_until(
        lambda: (now := flows(running))["evicted"] - before["evicted"] > 3 * LIMIT and now, 20, "the table overflows"
    )
    assert after["tracked"] <= LIMIT == after["limit"]
    assert after["refused"] == 0 and after["lost"] == 0
    # The same connection goes on, and is still judged request by request, by name.
    assert talk("http docs-site.org") == "ok"
    assert talk("ask docs-site.org") == "ok"
    assert talk("http denied.net") == "reset"
    # The writer has the spray's events to write first.
    running.wait_for(40, event_type="http", src_ip=NEIGHBOUR, egress__verdict__reason="denied-name")
    heads = running.find(event_type="http", src_ip=NEIGHBOUR)
    assert len(heads) == 3 and len({head["flow_id"] for head in heads}) == 1
    session = "live-2" if is_attributed else f"unattributed-{NEIGHBOUR}"
    assert {head["egress"]["session"] for head in heads} == {session}


def test_own_flood_lets_no_half_of_a_request_through(lab, daemon):
    running = daemon(limits=LIMITS)
    script = (
        "import socket,sys;s=socket.create_connection(('93.184.216.10',80),timeout=5);"
        "s.sendall(b'GET / HTTP/1.1\\r\\nHo');print('half',flush=True);sys.stdin.readline();"
        "s.sendall(b'st: denied.net\\r\\n\\r\\n');print(len(s.recv(9)))"
    )
    client = subprocess.Popen(
        lab.command("agent", "/usr/bin/python3", "-c", script),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdout.readline() == "half\n"
        # Datagrams are forgotten first, so connections it must be.
        flood = (
            "import socket;keep=[]\n"
            f"for n in range({2 * LIMIT}):\n"
            " s=socket.create_connection(('93.184.216.10',80),timeout=5);keep.append(s)\n"
        )
        lab.run("agent", "bash", "-c", f'ulimit -n 8192; exec /usr/bin/python3 -c "$1"', "_", flood, timeout=60)
        wait_until(lambda: flows(running)["lost"] > 0, 10, "the half request is forgotten")
        lab.mark()
        _, errors = client.communicate("go\n", timeout=20)
        assert client.returncode != 0 and "ConnectionResetError" in errors
    finally:
        client.kill()
        client.wait(10)
    assert not lab.requests_seen()
    assert running.wait_for(40, event_type="drop", egress__verdict__reason="midstream")
