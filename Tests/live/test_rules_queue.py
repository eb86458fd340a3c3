"""Live tests of scripts/iptables-setup.sh: which packets are queued, and whose cgroup they are of (root needed)."""

import contextlib
import os
import socket
import struct
import textwrap
import time

import pytest

import rules_support as lab
from rules_fixtures import (  # noqa: F401  (fixtures among them)
    AT_ONCE,
    FAMILIES,
    ICMP_ERRORS,
    TCP,
    UDP,
    counters,
    needs_iptables,
    namespace,
    path,
    rules,
    run_dir,
    setup,
)
from rules_support import AGENT, HOST, NET4, NET6, HOST4, HOST6, asks, asks_on, open_socket, run

pytestmark = needs_iptables


# ---------------------------------------------------------------- which packets are queued

def test_closed_drops_and_open_lets_by_while_nobody_listens(path, rules, setup):
    rules("--interface", "rules-h0", "--on-failure", "closed", responder=False)
    for address in FAMILIES.values():
        assert isinstance(asks(AGENT, UDP, address, 8080, b"closed", timeout=0.15)[0], TimeoutError)
    assert not path.got(b"closed")
    setup("install", "--interface", "rules-h0", "--on-failure", "open")
    for address in FAMILIES.values():
        assert asks(AGENT, UDP, address, 8080, b"open")[0] == b"open"
        assert asks(AGENT, TCP, address, 8080, b"open")[0] == b"open"
    # what went by unseen is what the rule counted and nobody received
    assert counters(setup)["queued"] >= 8


def test_what_conntrack_calls_invalid_is_dropped(path, rules, setup):
    responder = rules("--interface", "rules-h0")
    tcp = struct.pack("!HHIIBBHHH", 4444, 8080, 1, 1, 5 << 4, 0x10, 1024, 0xDEAD, 0) + b"bad checksum"
    with lab.inside(AGENT):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    with contextlib.closing(s):
        for _ in range(3):
            s.sendto(tcp, (NET4, 0))
    time.sleep(0.1)
    assert counters(setup)["invalid"] == 3
    assert responder.count(token=b"bad checksum") == 0


@pytest.mark.parametrize("address", FAMILIES.values(), ids=FAMILIES)
def test_dns_is_queued_both_ways_and_even_on_a_passed_flow(address, rules):
    responder = rules("--interface", "rules-h0")
    with contextlib.closing(open_socket(AGENT, UDP, address, 53)) as s:
        for data in (b"pass-me", b"second question"):
            assert asks_on(s, data)[0] == data
            assert responder.count(token=data, hook=lab.HOOK_FORWARD, dport=53) == 1
            assert responder.count(token=data, hook=lab.HOOK_FORWARD, sport=53) == 1
    assert asks(AGENT, TCP, address, 53, b"by tcp")[0] == b"by tcp"
    assert responder.count(token=b"by tcp", sport=53) == responder.count(token=b"by tcp", dport=53) == 1
    # the answers to anything else are not
    assert asks(AGENT, UDP, address, 8080, b"other")[0] == b"other"
    assert responder.count(token=b"other") == 1


@pytest.mark.parametrize("agents", [("--interface", "rules-h0"), ("--source", "10.77.1.0/24", "--source", "fd77:1::/64")])
def test_packets_to_the_host_itself(agents, rules, setup):
    responder = rules(*agents)
    with contextlib.closing(lab.Echo(HOST, (53, 8080))):
        for address in (HOST4, HOST6):
            responder.seen.clear()
            for kind in (UDP, TCP):
                assert asks(AGENT, kind, address, 53, b"question")[0] == b"question"
                assert asks(AGENT, kind, address, 8080, b"service")[0] == b"service"
            assert responder.count(token=b"question", hook=lab.HOOK_INPUT, dport=53) == 2
            assert responder.count(token=b"question", hook=lab.HOOK_OUTPUT, sport=53) == 2
            assert responder.count(token=b"service") == 0
            # a denied question to the host's resolver fails at once
            for kind in (UDP, TCP):
                answer, seconds = asks(AGENT, kind, address, 53, b"deny-one")
                assert isinstance(answer, OSError) and seconds < AT_ONCE, answer
        setup("install", *agents, "--input")
        for address in (HOST4, HOST6):
            responder.seen.clear()
            for kind in (UDP, TCP):
                assert asks(AGENT, kind, address, 8080, b"service")[0] == b"service"
                assert asks(AGENT, kind, address, 53, b"question")[0] == b"question"
                answer, seconds = asks(AGENT, kind, address, 8080, b"deny-me")
                assert isinstance(answer, OSError) and seconds < AT_ONCE, answer
            assert responder.count(token=b"service", hook=lab.HOOK_INPUT) == 2
            assert responder.count(token=b"question", hook=lab.HOOK_INPUT) == 2
    assert counters(setup)["backstop"] == 0


def test_dns_on_loopback_is_queued_and_the_rest_of_loopback_is_not(rules):
    responder = rules("--all-output")
    with contextlib.closing(lab.Echo(HOST, (53, 8080))):
        for address in ("127.0.0.1", "::1"):
            responder.seen.clear()
            assert asks(HOST, UDP, address, 53, b"question")[0] == b"question"
            assert asks(HOST, UDP, address, 8080, b"other")[0] == b"other"
            assert responder.count(token=b"question", hook=lab.HOOK_OUTPUT, dport=53) == 1
            assert responder.count(token=b"question", hook=lab.HOOK_INPUT, sport=53) == 1
            assert responder.count(token=b"other") == 0
            answer, seconds = asks(HOST, UDP, address, 53, b"deny-one")
            assert isinstance(answer, OSError) and seconds < AT_ONCE


def test_exempt_destinations_are_not_inspected_but_their_dns_is(rules):
    responder = rules("--interface", "rules-h0", "--all-output", "--exempt", "10.77.2.0/24", "--exempt", NET6)
    for client in (AGENT, HOST):
        for address in FAMILIES.values():
            responder.seen.clear()
            assert asks(client, UDP, address, 8080, b"deny-me")[0] == b"deny-me"
            assert asks(client, TCP, address, 8080, b"exempt")[0] == b"exempt"
            assert responder.count() == 0
            assert asks(client, UDP, address, 53, b"question")[0] == b"question"
            assert responder.count(token=b"question", dport=53) == 1


def test_other_hosts_traffic_is_not_touched(path, rules):
    responder = rules("--source", "10.99.0.0/16", "--source", "fd99::/64")
    for address in FAMILIES.values():
        assert asks(AGENT, TCP, address, 8080, b"deny-me")[0] == b"deny-me"
        assert asks(AGENT, UDP, address, 53, b"deny-me")[0] == b"deny-me"
    assert responder.count() == 0


# ---------------------------------------------------------------- cgroups

CLIENT = textwrap.dedent(
    """
    import os, socket, sys
    open(sys.argv[1] + "/cgroup.procs", "w").write("0")
    for address, port, data in zip(*[iter(sys.argv[2:])] * 3):
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(1)
        s.connect((address, int(port)))
        s.send(data.encode())
        try:
            assert s.recv(100) == data.encode()
        except OSError as error:
            print(data, error.errno)
    """
)


@pytest.fixture
def cgroups():
    root = next((line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)
    if not root:
        pytest.skip("no cgroup v2 tree is mounted")
    made = [f"{root}/rules-{os.getpid()}-{n}" for n in (1, 2)]
    try:
        for directory in made:
            os.mkdir(directory)
        yield made
    finally:
        for directory in made:
            for _ in range(100):
                try:
                    os.rmdir(directory)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)


def test_a_cgroups_ordinal_is_the_slot_in_its_packets_mark(cgroups, rules, namespace, setup):
    probe = namespace("cgroup")
    tried = run("iptables", "-A", "OUTPUT", "-m", "cgroup", "--path", os.path.basename(cgroups[0]), ns=probe, check=False)
    if tried.returncode:
        pytest.skip(f"xt_cgroup is unusable here: {tried.stderr.strip()}")
    responder = rules("--cgroup", "/" + os.path.basename(cgroups[0]), "--cgroup", cgroups[1])
    for slot, cgroup in enumerate(cgroups, 1):
        for address in FAMILIES.values():
            responder.seen.clear()
            done = run("/usr/bin/python3", "-c", CLIENT, cgroup, address, "8080", "hello", address, "53", "question",
                       address, "8080", "deny-me", ns=HOST)
            assert done.stdout.split()[0] == "deny-me" and int(done.stdout.split()[1]) in ICMP_ERRORS
            assert responder.count(token=b"hello", hook=lab.HOOK_OUTPUT, slot=slot) == 1
            assert responder.count(token=b"question", hook=lab.HOOK_OUTPUT, slot=slot) == 1
            # the answer comes in without a socket that could tell; the flow remembers whose it is
            assert responder.count(token=b"question", hook=lab.HOOK_INPUT, slot=slot) == 1
            assert responder.count(token=b"hello", hook=lab.HOOK_INPUT) == 0
    responder.seen.clear()
    assert asks(HOST, UDP, NET4, 8080, b"deny-me")[0] == b"deny-me"
    assert asks(HOST, UDP, NET4, 53, b"deny-me")[0] == b"deny-me"
    assert responder.count() == 0, "processes outside the cgroups are no agents"
    assert counters(setup)["backstop"] == 0


def test_the_listing_in_the_documentation_is_what_install_makes(cgroups, rules):
    name = os.path.basename(cgroups[0])
    page = open(os.path.join(os.path.dirname(lab.SCRIPT), "..", "docs", "rules.md")).read()
    written = [line for line in page.splitlines() if line.startswith("-A ")]
    rules("--interface", "podman0", "--cgroup", name, "--exempt", "192.0.2.0/24", responder=False)
    made = [
        line.replace(name, "agents/demo").replace('"agents/demo"', "agents/demo")
        for line in run("iptables-save", ns=HOST).stdout.splitlines()
        if "NFQ-EGRESSD-" in line and line.startswith("-A ")
    ]
    assert sorted(line.replace('"agents/demo"', "agents/demo") for line in written) == sorted(made)


def test_a_cgroup_that_is_missing_or_made_anew_is_told(cgroups, path, setup, rules):
    done = setup("install", "--cgroup", "/rules-no-such-cgroup", check=False)
    assert done.returncode == 1 and "there is no cgroup" in done.stderr
    rules("--cgroup", cgroups[0], responder=False)
    os.rmdir(cgroups[0])
    os.mkdir(cgroups[0])
    done = setup("status", check=False)
    assert done.returncode == 1 and "made anew" in done.stdout
    setup("install", "--cgroup", cgroups[0])
    assert setup("status").returncode == 0
