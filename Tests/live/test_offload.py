"""Flows that the kernel keeps to itself: what is passed, what is counted, and that it can be taken back."""

import json
import re
import signal
import subprocess
import textwrap
import time

import pytest
from conftest import PREFIX, SESSION, wait_until

PORT = 8443
SERVERS = {"-4": "93.184.216.10", "-6": "2606:2800:220:1::10"}
# How Python tells a reset, depending on where in a record it comes.
RESET = ("ConnectionResetError", "SSLEOFError", "BrokenPipeError")
BULK = textwrap.dedent(
    """
    import socket, ssl, sys, threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])

    def serve(connection):
        # Answers every line with as many bytes as it says, for as long as the client reads.
        try:
            with context.wrap_socket(connection, server_side=True) as client:
                lines = client.makefile("rb")
                for line in lines:
                    verb, count = line.split()
                    left = int(count)
                    if verb == b"get":
                        while left > 0:
                            left -= client.send(bytes(min(left, 65536)))
                    else:
                        while left > 0:
                            left -= len(lines.read1(min(left, 65536)))
                        client.sendall(b"k")
        except OSError:
            pass

    with socket.create_server(("::", int(sys.argv[3])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512) as server:
        print("listening", flush=True)
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
    """
)
CLIENT = textwrap.dedent(
    """
    import json, socket, ssl, sys, time

    context = ssl.create_default_context()
    address, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    socket.getaddrinfo(name, None)
    client = context.wrap_socket(socket.create_connection((address, port), timeout=10), server_hostname=name, suppress_ragged_eofs=False)
    print(json.dumps({"port": client.getsockname()[1]}), flush=True)
    for line in sys.stdin:
        verb, count = line.split()
        start = time.monotonic()
        try:
            client.sendall(line.encode())
            left = int(count)
            if verb == "put":
                while left > 0:
                    client.sendall(bytes(min(left, 65536)))
                    left -= min(left, 65536)
                left = 1
            while left > 0:
                got = len(client.recv(min(left, 65536)))
                if not got:
                    raise EOFError
                left -= got
            outcome = "done"
        except Exception as error:
            outcome = type(error).__name__
        print(json.dumps({"outcome": outcome, "ms": (time.monotonic() - start) * 1000}), flush=True)
    """
)


class Talk:
    """A TLS connection of the agent's that is told what to do."""

    def __init__(self, lab, address, port=PORT, name="docs-site.org"):
        self.process = subprocess.Popen(
            lab.command("agent", "/usr/bin/python3", "-c", CLIENT, address, port, name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self.read()["port"]

    def read(self):
        line = self.process.stdout.readline()
        assert line, "the client ended"
        return json.loads(line)

    def begin(self, verb, count):
        self.process.stdin.write(f"{verb} {count}\n")
        self.process.stdin.flush()

    def do(self, verb, count):
        self.begin(verb, count)
        return self.read()

    def pass_on(self, lab):
        """Talks until the kernel keeps the flow to itself; a daemon that has just started passes none yet."""

        def talk():
            assert self.do("get", 10_000)["outcome"] == "done"
            return is_passed(lab, self.port)

        wait_until(talk, 3, "the flow is passed")

    def end(self):
        """Ends the connection in order."""
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def bulk(lab):
    """A TLS server that gives and takes as much as it is told."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", f"{PREFIX}-internet", "/usr/bin/python3", "-c", BULK]
        + [str(lab.directory / "tls/docs.pem"), str(lab.directory / "tls/server.key"), str(PORT)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith("listening")
        yield
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def talk(lab, bulk):
    """A function that makes connections; they are ended with the test."""
    made = []

    def make(address="93.184.216.10", **more):
        made.append(Talk(lab, address, **more))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait(10)


def entry(lab, port, text=None):
    """What conntrack says of the TCP flow from this port: (packets, bytes) each way and the mark; None without one."""
    lines = text or lab.run("host", "sh", "-c", "conntrack -L -f ipv4 2>/dev/null; conntrack -L -f ipv6 2>/dev/null").stdout
    for line in lines.splitlines():
        # Other tests have left thousands of datagrams' flows, one from the same port perhaps.
        if line.startswith("tcp") and f"sport={port} dport=" in line.split("[")[0]:
            counts = [(int(a), int(b)) for a, b in re.findall(r"packets=(\d+) bytes=(\d+)", line)]
            return counts, int(re.search(r"mark=(\d+)", line).group(1))
    return None


def is_passed(lab, port):
    """Whether the flow's connmark says that the kernel keeps it."""
    found = entry(lab, port)
    return found is not None and found[1] >> 24 & 0b11 == 1


def queued(lab):
    """Packets that the rules have queued so far, both families."""
    total = 0
    for family in ("iptables", "ip6tables"):
        listing = lab.run("host", family, "-w", "-t", "mangle", "-nvxL", "NFQ-EGRESSD-QUEUE").stdout
        total += sum(int(line.split()[0]) for line in listing.splitlines() if "NFQUEUE" in line)
    return total


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_bulk_transfer_over_tls_is_left_to_the_kernel_and_counted_to_the_byte(lab, daemon, talk, family):
    running = daemon()
    connection = talk(SERVERS[family])
    connection.pass_on(lab)
    before = queued(lab)
    assert connection.do("get", 20_000_000)["outcome"] == "done"
    assert connection.do("put", 20_000_000)["outcome"] == "done"
    assert queued(lab) == before, "no packet of a passed flow is queued"
    # The account follows while the flow lives.
    told = lambda: running.session_json("show", SESSION)["session"]
    wait_until(lambda: told()["bytes_out"] > 20_000_000 and told()["bytes_in"] > 20_000_000, 5, "the session's bytes")
    connection.end()
    flow = wait_until(
        lambda: [e for e in running.find(event_type="flow") if e.get("src_port") == connection.port], 5, "the flow's end"
    )[0]
    # Closed on both sides: connection tracking counts nothing any more, and forgets it two minutes later.
    counts, _ = entry(lab, connection.port)
    assert flow["egress"]["counted_by"] == "conntrack"
    assert (flow["flow"]["pkts_toserver"], flow["flow"]["bytes_toserver"]) == counts[0]
    assert (flow["flow"]["pkts_toclient"], flow["flow"]["bytes_toclient"]) == counts[1]
    shape = flow["egress"]["shape"]
    assert 20_000_000 <= shape["bytes_out"] <= 20_600_000, shape


def test_an_end_that_connection_tracking_tells_ends_the_flow(lab, daemon, talk):
    running = daemon()
    connection = talk()
    connection.pass_on(lab)
    lab.run("host", "conntrack", "-D", "-p", "tcp", "--sport", str(connection.port))
    flow = wait_until(
        lambda: [e for e in running.find(event_type="flow") if e.get("src_port") == connection.port], 5, "the flow's end"
    )[0]
    assert flow["egress"]["counted_by"] == "conntrack"


def test_requests_in_the_clear_are_never_left_to_the_kernel(lab, daemon):
    running = daemon()
    names = [f"http://docs-site.org/{number}" for number in range(30)]
    assert lab.curl("-4", *[word for name in names for word in ("-o", "/dev/null", name)])[0] == 0
    wait_until(lambda: len(running.find(event_type="http")) == 30, 5, "every request is told")
    assert " mark=16777216" not in lab.run("host", "conntrack", "-L").stdout


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_block_takes_a_passed_flow_back_and_its_client_is_reset(lab, daemon, talk, family):
    running = daemon()
    connection = talk(SERVERS[family])
    connection.pass_on(lab)
    connection.begin("get", 50_000_000_000)
    time.sleep(1)
    start = time.monotonic()
    running.session("block", SESSION, "--why", "test")
    outcome = connection.read()
    took = (time.monotonic() - start) * 1000
    assert outcome["outcome"] in RESET, outcome
    print(f"from the command to the reset: {took:.0f} ms")
    assert took < 2_000
    assert not is_passed(lab, connection.port)
    wait_until(lambda: running.find(event_type="stats", egress__kind="passes-revoked"), 3, "it is told")


def test_a_reload_takes_passed_flows_back_and_they_go_on(lab, daemon, talk):
    running = daemon()
    connection = talk()
    connection.pass_on(lab)
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(event_type="stats", egress__kind="passes-revoked", egress__reason="policy")
    assert not is_passed(lab, connection.port)
    connection.pass_on(lab)


def test_a_denied_destination_is_cut_although_its_flow_was_passed(lab, daemon, talk, tmp_path):
    running = daemon()
    connection = talk()
    connection.pass_on(lab)
    with open(tmp_path / "names.txt", "a", encoding="utf-8") as names:
        names.write("docs-site.org\n")
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(event_type="stats", egress__kind="passes-revoked", egress__reason="policy")
    outcome = connection.do("get", 1_000_000)
    assert outcome["outcome"] in RESET, outcome


def test_a_new_daemon_takes_back_what_the_former_one_passed(lab, daemon, talk):
    running = daemon()
    connection = talk()
    connection.pass_on(lab)
    running.process.send_signal(signal.SIGKILL)
    running.process.wait(10)
    # Nobody is there, and the rules are closed: what was passed goes on.
    assert connection.do("get", 1_000_000)["outcome"] == "done"
    running.start()
    wait_until(lambda: not is_passed(lab, connection.port), 3, "the flow is taken back")
    assert connection.do("get", 1_000_000)["outcome"] == "done"
    assert not is_passed(lab, connection.port), "a flow whose start was not seen is never passed"


def test_nothing_is_passed_where_the_configuration_says_so(lab, daemon, talk):
    daemon(queues={"first": 0, "count": 1, "offload": "none"})
    connection = talk()
    assert connection.do("get", 3_000_000)["outcome"] == "done"
    assert not is_passed(lab, connection.port)


def test_nothing_is_passed_while_nobody_counts(lab, daemon, talk):
    running = daemon()
    first = talk()
    first.pass_on(lab)
    lab.run("host", "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0")
    try:
        wait_until(lambda: not is_passed(lab, first.port), 5, "the flow is taken back")
        wait_until(lambda: "not passed to the kernel" in running.log(), 3, "the log says why")
        second = talk()
        assert second.do("get", 3_000_000)["outcome"] == "done"
        assert not is_passed(lab, second.port)
    finally:
        lab.run("host", "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1")
