"""kill -9, many times over, under traffic of two sessions to ever new destinations.

What the agents and the lab's servers saw is held against what the daemon knows after every restart: `relaxed` may lose
the last second before a crash and nothing else.
"""

import os
import random
import signal
import socket
import struct
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from attribution_support import host_daemon
from conftest import PREFIX, wait_until
from rules_support import inside

CRASHES = 50
# Between a restart and the next crash. More than what may be lost, or nothing would ever have to be kept.
LIVES = (1.1, 1.7)
PROMISE = 1.0
SESSIONS = {"even": ("10.88.0.7", "fd00:88::7"), "odd": ("10.88.0.8", "fd00:88::8")}
PARITY = {"even": 0, "odd": 1}


class Agent(threading.Thread):
    """Goes from destination to destination; each is tried until it has answered."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.session, self.over = session, threading.Event()
        # Destination as the daemon names it, and when its first try began and its answer came.
        self.reached = []
        self.trying = None
        # What the daemon said last that it knows.
        self.known = set()

    def targets(self):
        """Addresses of the lab, of every fourth turn an IPv4 one while there are any."""
        turn, four, six = 0, PARITY[self.session] + 2, PARITY[self.session] + 256
        while True:
            turn += 1
            if turn % 4 == 0 and four < 250:
                yield f"93.184.217.{four}", f"93.184.217.{four}"
                four += 2
            else:
                yield f"2606:2800:221:{six:x}::1", f"2606:2800:221:{six:x}::/64"
                six += 2

    def run(self):
        with inside(f"{PREFIX}-agent"):
            for address, destination in self.targets():
                began = time.time()
                self.trying = destination
                while not self.over.is_set() and not self.contact(address):
                    pass
                if self.over.is_set():
                    return
                self.reached.append((destination, began, time.time()))
                time.sleep(0.03)

    def contact(self, address):
        """Whether a request got its answer."""
        source = SESSIONS[self.session][":" in address]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(0.4)
            # Closed by a reset: the lab's servers keep no state of thousands of connections.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                sock.bind((source, 0))
                sock.connect((address, 80))
                sock.sendall(f"GET /{self.session} HTTP/1.0\r\n\r\n".encode())
                return sock.recv(64).startswith(b"HTTP/1.1 200")
            except OSError:
                return False


@pytest.fixture
def two_addresses(lab):
    """The agents' namespace with a second agent in it."""
    words = [("-4", "10.88.0.8/24", ()), ("-6", "fd00:88::8/64", ("nodad",))]
    for family, address, more in words:
        lab.run("agent", "ip", family, "addr", "add", address, "dev", "eth0", *more)
    yield
    for family, address, _ in words:
        lab.run("agent", "ip", family, "addr", "del", address, "dev", "eth0")


def may_be_lost(reached, crashes):
    """Whether a contact fell into the last second before a crash: begun before it, answered not earlier than that."""
    _, began, answered = reached
    return any(began <= crash and answered >= crash - PROMISE for crash in crashes)


@pytest.mark.slow
def test_no_session_loses_more_than_its_last_second_to_any_crash(lab, two_addresses, tmp_path):
    sources = [
        {"source": source, "session": session, "agentType": "research"}
        for session, addresses in SESSIONS.items()
        for source in addresses
    ]
    rules = ["--source", "10.88.0.0/24", "--source", "fd00:88::/64"]
    kinds = {"research": {"budget": {"destinations": 100_000, "onReach": "flag"}}}
    agents = {session: Agent(session) for session in SESSIONS}
    chance = random.Random(7)
    crashes, begun = [], {}
    with host_daemon(lab, tmp_path, rules, sessions={"addresses": sources}, agentTypes=kinds) as running:
        try:
            for agent in agents.values():
                agent.start()
            wait_until(lambda: all(agent.reached for agent in agents.values()), 10, "both have begun")
            begun = {name: session["started"] for name, session in running.sessions().items()}
            for number in range(CRASHES):
                time.sleep(chance.uniform(*LIVES))
                crashes.append(time.time())
                running.stop(signal.SIGKILL)
                kept = {session: list(agent.reached) for session, agent in agents.items()}
                running.start()
                for session in agents:
                    compare(running, session, agents, kept[session], crashes, f"crash {number + 1}")
            assert {name: session["started"] for name, session in running.sessions().items()} == begun
        finally:
            for agent in agents.values():
                agent.over.set()
            for agent in agents.values():
                if agent.ident is not None:
                    agent.join(5)
        assert set(running.sessions()) == set(SESSIONS)
        gaps = running.find(event_type="stats", egress__kind="unobserved")
        assert [gap["egress"]["reason"] for gap in gaps] == ["crashed"] * CRASHES
    # The agents told the truth about themselves: this is what the servers logged of each.
    seen = {session: set() for session in SESSIONS}
    for request in lab.requests_seen():
        for session, addresses in SESSIONS.items():
            if request["client"] in addresses:
                assert request["request"] == f"GET /{session} HTTP/1.0"
                seen[session].add(request["server"])
    for session, agent in agents.items():
        assert {destination.replace("::/64", "::1") for destination, _, _ in agent.reached} <= seen[session]
        lost = [reached for reached in agent.reached if reached[0] not in agent.known]
        assert len(agent.reached) > 5 * CRASHES
        assert len(lost) < len(agent.reached) / 2
        print(f"{session}: {len(agent.reached)} destinations, {len(lost)} lost in {CRASHES} crashes")


def compare(running, session, agents, reached, crashes, when):
    """What the daemon knows of a session after a crash, against what the session did."""
    known = running.destinations(session)
    agent = agents[session]
    agent.known = known
    missing = [one for one in reached if one[0] not in known and not may_be_lost(one, crashes)]
    assert missing == [], f"{when}: {session} lost what is older than a second: {missing[:3]}, crashes {crashes[-2:]}"
    # Nothing that it did not do; what is on its way is its own.
    trying = agent.trying
    foreign = known - {destination for destination, _, _ in list(agent.reached)} - {trying}
    assert foreign == set(), f"{when}: {session} is charged for {sorted(foreign)[:3]}"
