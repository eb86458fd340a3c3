"""More packets than the queue holds, sent while the daemon is stopped: lost or passed as the operator chose, and counted."""

import json
import re
import signal
import socket
import subprocess
import textwrap

import pytest
from conftest import PREFIX, wait_until

LENGTH = 64
SENT = 600
# A packet of the agent's kernel (neighbour discovery, a router's solicitation) may come between.
STRAY = 8
SINK = textwrap.dedent(
    """
    import select, socket, sys

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sink.bind(("93.184.216.10", 7777))
        print("listening", flush=True)
        got = 0
        while True:
            ready, _, _ = select.select([sink, sys.stdin], [], [])
            if sink in ready:
                got += len(sink.recv(2048)) > 0
            elif not sys.stdin.readline():
                break
            else:
                print(got, flush=True)
    """
)
SEND = textwrap.dedent(
    """
    import socket, sys

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        sender.connect(("93.184.216.10", 7777))
        for number in range(int(sys.argv[1])):
            sender.send(b"%08d" % number)
    """
)


class Sink:
    """What arrives at the server."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", f"{PREFIX}-internet", "/usr/bin/python3", "-c", SINK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "listening\n"

    def count(self):
        """Datagrams so far."""
        self.process.stdin.write("count\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self):
        """Ends it."""
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def sink(lab):
    """A server that counts datagrams."""
    made = Sink()
    yield made
    made.end()


def status(daemon):
    """What the control socket says of queue and rules."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(daemon.socket_path)
        client.sendall(b'{"version":1,"command":"status"}\n')
        with client.makefile() as answer:
            return json.loads(answer.readline())["status"]


def send(lab, count=SENT):
    """Datagrams of one flow."""
    lab.run("agent", "/usr/bin/python3", "-c", SEND, count)


def rule_packets(lab):
    """What the rules in front of the queue have counted, both families."""
    total = 0
    for tool in ("iptables", "ip6tables"):
        listing = lab.run("host", tool, "-t", "mangle", "-v", "-S", "NFQ-EGRESSD-QUEUE").stdout
        total += sum(int(packets) for packets in re.findall(r"-c (\d+) \d+ -j NFQUEUE", listing))
    return total


def kernel(lab):
    """Queued packets that wait, that were dropped for the queue was full, and the last number."""
    row = lab.run("host", "cat", "/proc/net/netfilter/nfnetlink_queue").stdout.split()
    return int(row[2]), int(row[5]), int(row[7])


def start(lab, daemon, sink, **changes):
    """A daemon with a short queue that passes every datagram on, one look at the rules behind it."""
    running = daemon(
        queues={"first": 0, "count": 1, "length": LENGTH, "offload": "none"},
        rules={"directory": str(lab.directory / "rules")},
        **changes,
    )
    # The rules are known, and what was sent till now is counted.
    wait_until(lambda: status(running).get("rules"), 20, "the rules are read")
    send(lab, 5)
    wait_until(lambda: sink.count() == 5, 5, "datagrams arrive")
    return running


def overload(lab, running, sink):
    """Stops the daemon, sends more than the queue holds, lets it go on. What it all came to, by the kernel's counts."""
    rules, (_, dropped, number) = rule_packets(lab), kernel(lab)
    running.process.send_signal(signal.SIGSTOP)
    try:
        send(lab)
        assert kernel(lab)[0] == LENGTH
    finally:
        running.process.send_signal(signal.SIGCONT)
    wait_until(lambda: kernel(lab)[0] == 0, 10, "the queue is empty")
    before = None
    while before != (before := sink.count()):
        pass
    later = kernel(lab)
    return rule_packets(lab) - rules, later[1] - dropped, later[2] - number


@pytest.mark.slow
def test_closed_queue_that_overflows_loses_packets_and_passes_none(lab, daemon, sink):
    running = start(lab, daemon, sink)
    queued, dropped, numbered = overload(lab, running, sink)
    assert SENT <= queued <= SENT + STRAY and queued == dropped + numbered
    assert LENGTH <= numbered <= LENGTH + STRAY
    # Only what got a number has arrived.
    assert LENGTH - STRAY <= sink.count() - 5 <= LENGTH
    event = running.wait_for(20, event_type="stats", egress__kind="uninspected")
    assert event["egress"]["lost_total"] == dropped and event["egress"]["passed_total"] == 0
    now = status(running)
    assert now["uninspected"] == {"cut": 0, "lost": dropped, "passed": 0}
    assert now["queue"]["dropped_full"] == dropped and now["queue"]["waiting_most"] <= LENGTH
    assert not running.alerts("unobserved")
    # Nobody's packets are lost any more.
    send(lab, 50)
    wait_until(lambda: sink.count() >= 5 + LENGTH - STRAY + 50, 5, "datagrams arrive again")


@pytest.mark.slow
def test_open_queue_that_overflows_passes_packets_and_counts_each(lab, daemon, sink):
    running = start(lab, daemon, sink, onFailure={"daemonAbsent": "closed", "queueFull": "open"})
    queued, dropped, numbered = overload(lab, running, sink)
    assert SENT <= queued <= SENT + STRAY and dropped == 0
    wait_until(lambda: sink.count() == 5 + SENT, 5, "every datagram arrives")
    uninspected = queued - numbered
    assert uninspected >= SENT - LENGTH
    event = running.wait_for(20, event_type="stats", egress__kind="uninspected")
    assert event["egress"]["passed_total"] == uninspected and event["egress"]["lost_total"] == 0
    (alert,) = running.alerts("unobserved")
    assert alert["egress"]["flag"]["evidence"]["passed"] == uninspected
    assert alert["alert"]["severity"] == 1 and "session" not in alert["egress"]
    assert status(running)["uninspected"] == {"cut": 0, "lost": 0, "passed": uninspected}
    assert running.stop() == 0
    (last,) = running.find(event_type="stats", egress__kind="queue")
    assert last["egress"]["passed_total"] == uninspected and last["egress"]["length"] == LENGTH
    assert last["egress"]["queued"] == rule_packets(lab) and last["egress"]["backstop"] == 0
