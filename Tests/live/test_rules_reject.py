"""Live tests of scripts/iptables-setup.sh: what is denied is rejected at once, and what the marks say (root needed)."""

import contextlib
import json
import socket
import struct
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
    shim,
    path,
    rules,
    run_dir,
    setup,
)
from rules_support import AGENT, HOST, NET4, NET6, asks, asks_on, open_socket, run

pytestmark = needs_iptables


# ---------------------------------------------------------------- reject

PLACES = {
    "FORWARD": (("--interface", "rules-h0"), (AGENT,)),
    "FORWARD by source": (("--source", "10.77.1.0/24", "--source", "fd77:1::/64"), (AGENT,)),
    "OUTPUT": (("--all-output",), (HOST,)),
    "both": (("--interface", "rules-h0", "--all-output", "--input"), (AGENT, HOST)),
}


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_denied_is_rejected_at_once(backend, place, path, rules, setup):
    options, clients = PLACES[place]
    responder = rules("--backend", backend, *options)
    for client in clients:
        for address in FAMILIES.values():
            assert asks(client, TCP, address, 8080, b"hello")[0] == b"hello"
            assert asks(client, UDP, address, 8080, b"hello")[0] == b"hello"
            # a flow that was good so far
            with contextlib.closing(open_socket(client, TCP, address, 8080)) as s:
                assert asks_on(s, b"hello")[0] == b"hello"
                answer, seconds = asks_on(s, b"deny-me")
                assert isinstance(answer, ConnectionResetError), (client, address, answer)
                assert seconds < AT_ONCE
            # one packet of TCP denied is a reset too
            answer, seconds = asks(client, TCP, address, 8080, b"deny-one")
            assert isinstance(answer, ConnectionResetError) and seconds < AT_ONCE
            for token in (b"deny-me", b"deny-one"):
                answer, seconds = asks(client, UDP, address, 8080, token)
                assert isinstance(answer, OSError) and answer.errno in ICMP_ERRORS, (client, address, answer)
                assert seconds < AT_ONCE
    assert not path.got(b"deny", wait=0.05)
    tally = counters(setup)
    assert tally["backstop"] == 0 and tally["rejected"] >= 8 * len(clients)
    assert responder.count() > 0 and setup("status").returncode == 0


@pytest.mark.parametrize("address", FAMILIES.values(), ids=FAMILIES)
def test_a_new_connection_that_is_denied_is_refused_at_once(address, rules):
    # the server's port stands in the SYN, so the SYN itself is denied
    responder = rules("--interface", "rules-h0", "--all-output")
    responder._tokens = ((struct.pack("!H", 8080), lab.DENY_FLOW),)
    for client in (AGENT, HOST):
        begin = time.monotonic()
        with pytest.raises(ConnectionRefusedError):
            open_socket(client, TCP, address, 8080)
        assert time.monotonic() - begin < AT_ONCE


@pytest.mark.parametrize("client", [AGENT, HOST])
def test_a_denied_flow_stays_denied_without_the_queue(client, path, rules):
    responder = rules("--interface", "rules-h0", "--all-output")
    with contextlib.closing(open_socket(client, UDP, NET4, 8080)) as s:
        assert asks_on(s, b"hello")[0] == b"hello"
        assert isinstance(asks_on(s, b"deny-me")[0], OSError)
        queued = responder.count()
        for _ in range(3):
            answer, seconds = asks_on(s, b"harmless now")
            assert isinstance(answer, OSError) and answer.errno in ICMP_ERRORS and seconds < AT_ONCE
        assert responder.count() == queued
    assert not path.got(b"harmless now")


@pytest.mark.parametrize("client", [AGENT, HOST])
@pytest.mark.parametrize("address", FAMILIES.values(), ids=FAMILIES)
def test_a_udp_socket_survives_a_denied_packet(client, address, rules):
    rules("--interface", "rules-h0", "--all-output")
    with contextlib.closing(open_socket(client, UDP, address, 53)) as s:
        assert asks_on(s, b"hello")[0] == b"hello"
        assert isinstance(asks_on(s, b"deny-one")[0], OSError)
        assert asks_on(s, b"hello again")[0] == b"hello again"


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_an_accept_above_ours_does_not_let_denied_traffic_out(backend, path, rules, setup):
    rules("--backend", backend, "--interface", "rules-h0", "--all-output")
    try:
        for name in ("iptables", "ip6tables"):
            for chain in ("FORWARD", "OUTPUT"):
                run(f"{name}-{backend}", "-I", chain, "1", "-j", "ACCEPT", ns=HOST)
        for client in (AGENT, HOST):
            for address in FAMILIES.values():
                for kind in (TCP, UDP):
                    for token in (b"deny-me", b"deny-one"):
                        assert isinstance(asks(client, kind, address, 8080, token, timeout=0.1)[0], OSError)
        assert not path.got(b"deny", wait=0.1)
        assert counters(setup)["backstop"] >= 16
        done = setup("status", check=False)
        assert done.returncode == 1
        assert done.stdout.count("filter FORWARD: position lost") == done.stdout.count("filter OUTPUT: position lost") == 2
        setup("install", "--backend", backend, "--interface", "rules-h0", "--all-output")
        assert setup("status").returncode == 0
        assert isinstance(asks(AGENT, TCP, NET4, 8080, b"deny-me")[0], ConnectionResetError)
    finally:
        for name in ("iptables", "ip6tables"):
            for chain in ("FORWARD", "OUTPUT"):
                run(f"{name}-{backend}", "-D", chain, "-j", "ACCEPT", ns=HOST, check=False)


def test_reflected_marks_do_not_swallow_the_reset(rules, setup):
    rules("--interface", "rules-h0", "--all-output")
    keys = ("net.ipv4.fwmark_reflect", "net.ipv6.fwmark_reflect")
    try:
        run("sysctl", "-qw", *(f"{key}=1" for key in keys), ns=HOST)
        for client in (AGENT, HOST):
            for address in FAMILIES.values():
                answer, seconds = asks(client, TCP, address, 8080, b"deny-me")
                assert isinstance(answer, ConnectionResetError) and seconds < AT_ONCE
    finally:
        run("sysctl", "-qw", *(f"{key}=0" for key in keys), ns=HOST)
    assert counters(setup)["backstop"] == 0


# ---------------------------------------------------------------- marks

def test_foreign_bits_of_both_marks_are_kept(rules):
    table = ("iptables", "-t", "mangle")
    marks = (("MARK", "0x5a/0xffffff"), ("CONNMARK", "0xa5/0xffffff"))
    try:
        for target, value in marks:
            run(*table, "-A", "PREROUTING", "-i", "rules-h0", "-j", target, "--set-xmark", value, ns=HOST)
        # what an outsider put into our bits does not count
        run(*table, "-A", "PREROUTING", "-i", "rules-h0", "-j", "MARK", "--set-xmark", "0xfd000000/0xff000000", ns=HOST)
        responder = rules("--interface", "rules-h0")
        with contextlib.closing(open_socket(AGENT, TCP, NET4, 8080)) as s:
            assert asks_on(s, b"hello")[0] == b"hello"
            assert {p.mark for p in responder.seen} == {0x5A}
            assert lab.connection_mark(HOST, 8080) == [0xA5]
            assert asks_on(s, b"pass-me")[0] == b"pass-me"
            assert lab.connection_mark(HOST, 8080) == [0x010000A5]
        run("conntrack", "-F", ns=HOST)
        with contextlib.closing(open_socket(AGENT, TCP, NET4, 8080)) as s:
            assert isinstance(asks_on(s, b"deny-me")[0], ConnectionResetError)
            assert 0x020000A5 in lab.connection_mark(HOST, 8080)  # the end of the first may be tracked anew
    finally:
        run(*table, "-F", "PREROUTING", ns=HOST)


def test_a_passed_flow_leaves_the_queue_and_a_revocation_is_not_undone(rules):
    responder = rules("--interface", "rules-h0")
    with contextlib.closing(open_socket(AGENT, TCP, NET4, 8080)) as s:
        assert asks_on(s, b"pass-me")[0] == b"pass-me"
        queued = responder.count()
        for _ in range(5):
            assert asks_on(s, b"unseen")[0] == b"unseen"
        assert responder.count() == queued
    # pass is saved over undecided only: a deny that stands in the connmark outlives a verdict in flight
    run("conntrack", "-F", ns=HOST)
    try:
        with contextlib.closing(open_socket(AGENT, TCP, NET4, 8080)) as s:
            assert asks_on(s, b"hello")[0] == b"hello"
            # stands for ctnetlink between the queue and filter: the next base chain after mangle
            run("nft", "add", "table", "ip", "rulesrace", ns=HOST)
            run("nft", "add", "chain", "ip", "rulesrace", "f", "{ type filter hook forward priority -10; }", ns=HOST)
            run("nft", "add", "rule", "ip", "rulesrace", "f", "tcp", "dport", "8080", "ct", "mark", "set", "0x02000000", ns=HOST)
            asks_on(s, b"pass-me")
            marks = lab.connection_mark(HOST, 8080)  # the first flow's end may still be tracked, unmarked
            assert lab.DENY_FLOW in marks and lab.PASS not in marks
            run("nft", "delete", "table", "ip", "rulesrace", ns=HOST)
            assert isinstance(asks_on(s, b"after the revocation")[0], ConnectionResetError)
    finally:
        run("nft", "delete", "table", "ip", "rulesrace", ns=HOST, check=False)


@pytest.mark.parametrize("match", ["u32", "bpf", "none"])
def test_a_udp_pass_never_covers_quic_long_headers(match, rules, setup, tmp_path):
    without = {"u32": "bpf", "bpf": "-m u32", "none": r"-m u32\|-m bpf"}[match]
    for command in ("iptables-nft-restore", "ip6tables-nft-restore"):
        shim(tmp_path, command, f'grep -q -- "{without}" <<<"$input"')
    responder = rules("--backend", "nft", "--interface", "rules-h0", shims=tmp_path)
    for address in FAMILIES.values():
        with contextlib.closing(open_socket(AGENT, UDP, address, 8080)) as s:
            assert asks_on(s, b"pass-me")[0] == b"pass-me"
            # first bytes: short headers, long headers of two versions, one with the fixed bit greased, a tiny datagram
            for data, goes_on in (
                (b"\x40short header", True), (b"\x7fshort too", True),
                (b"\xc0\0\0\0\1initial", False), (b"\xd0\x6b\x33\x43\xcfinitial", False), (b"\x80\0\0\0\1greased", False),
            ):
                responder.seen.clear()
                assert asks_on(s, data)[0] == data
                queued = responder.count(token=data) > 0
                assert queued == (not goes_on or match == "none"), (address, data)
    report = json.loads(setup("status", "--json").stdout)
    assert report["families"]["ipv4"]["udpPass"] is report["families"]["ipv6"]["udpPass"] is (match != "none")
    text = run("ip6tables-nft-save", ns=HOST).stdout
    assert ("-m u32" in text, "-m bpf" in text) == (match == "u32", match == "bpf")


def test_ipv6_extension_headers_do_not_hide_a_long_header(rules):
    responder = rules("--interface", "rules-h0")
    with contextlib.closing(open_socket(AGENT, UDP, NET6, 8080)) as s:
        assert asks_on(s, b"pass-me")[0] == b"pass-me"
        # an empty destination options header: next header, length, PadN of 4
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes((0, 0, 1, 4, 0, 0, 0, 0)))
        responder.seen.clear()
        assert asks_on(s, b"\xc0\0\0\0\1initial")[0] == b"\xc0\0\0\0\1initial"
        assert responder.count(token=b"initial") == 1
