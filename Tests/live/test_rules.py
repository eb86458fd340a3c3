"""Live tests of scripts/iptables-setup.sh, in network namespaces of their own (root needed)."""

import contextlib
import errno
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import textwrap
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules_support as lab
from rules_support import AGENT, HOST, NET, NET4, NET6, HOST4, HOST6, asks, asks_on, open_socket, run, saved

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
AT_ONCE = 0.2  # seconds
ICMP_ERRORS = (errno.EHOSTUNREACH, errno.EACCES, errno.ECONNREFUSED, errno.EPERM)
FAMILIES = {"IPv4": NET4, "IPv6": NET6}

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "iptables-nft", "iptables-legacy", "conntrack"))),
    reason="needs root, iproute2, util-linux, iptables and conntrack",
)


@pytest.fixture
def run_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("rules-run")


@pytest.fixture
def setup(run_dir):
    """Runs the script in a namespace."""

    def call(*argv, ns=HOST, check=True, path=None):
        env = dict(os.environ, NFQ_EGRESSD_RUN_DIR=str(run_dir))
        if path:
            env["PATH"] = f"{path}:{env['PATH']}"
        return run(lab.SCRIPT, *argv, ns=ns, check=check, env=env)

    return call


@pytest.fixture
def namespace():
    """Makes bare namespaces and takes them away again."""
    made = []

    def make(name):
        made.append(lab.PREFIX + name)
        lab.add_namespace(lab.PREFIX + name)
        return lab.PREFIX + name

    yield make
    for name in made:
        lab.del_namespace(name)


@pytest.fixture(scope="module")
def path():
    """agent - host - net with an echo server at the far end."""
    try:
        lab.build_path()
        with contextlib.closing(lab.Echo(NET, (53, 8080))) as server:
            lab.await_path()
            yield server
    finally:
        lab.destroy_path()


@pytest.fixture
def rules(path, setup):
    """Installs rules on the host, with a responder unless told otherwise; removes them afterwards."""
    with contextlib.ExitStack() as stack:

        def install(*argv, responder=True, shims=None):
            if responder:
                answer = lab.Responder(HOST)
                stack.callback(answer.close)
            stack.callback(run, "conntrack", "-F", ns=HOST, check=False)
            stack.callback(setup, "remove")
            setup("install", *argv, path=shims)
            path.heard.clear()
            return answer if responder else None

        yield install


def counters(setup):
    families = json.loads(setup("status", "--json", check=False).stdout)["families"]
    return {
        name: sum(f["counters"][name] for f in families.values())
        for name in ("queued", "invalid", "rejected", "backstop")
    }


def shim(directory, command, test):
    """A command that fails where the shell test (on "$input") says so and else is the real one."""
    real = shutil.which(command)
    target = directory / command
    target.write_text(
        f'#!/bin/bash\ninput=$(cat)\nif {test}; then echo "$0: line 1 failed (shim)" >&2; exit 1; fi\n'
        f'exec {real} "$@" <<<"$input"\n'
    )
    target.chmod(0o755)


# ---------------------------------------------------------------- install and remove

AGENTS = ("--interface", "br0", "--source", "10.88.0.0/16", "--source", "fd88::/64", "--all-output", "--input")
PREFILLED = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:RUNTIME-USER - [0:0]
-A FORWARD -j RUNTIME-USER
-A FORWARD -i eth9 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A RUNTIME-USER -p tcp -m tcp --dport 25 -j DROP
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A POSTROUTING -o eth9 -j MARK --set-xmark 0x1/0xff
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -o eth9 -j MASQUERADE
COMMIT
"""
LATER = """\
*filter
:LATER - [0:0]
-I FORWARD 1 -j LATER
-A LATER -j RETURN
-D FORWARD -j RUNTIME-USER
COMMIT
*mangle
-I FORWARD 1 -p icmp -j ACCEPT
-A POSTROUTING -o eth8 -j ACCEPT
COMMIT
"""
PREFILLED6, LATER6 = PREFILLED, LATER.replace("-p icmp", "-p ipv6-icmp")


def fill(backend, ns, text4, text6):
    for name, text in (("iptables", text4), ("ip6tables", text6)):
        run(f"{name}-{backend}-restore", "--noflush", ns=ns, stdin=text)


def load_legacy(ns):
    """Legacy tables cannot be unloaded once looked at, so an empty legacy host is one that has them."""
    for name in ("iptables", "ip6tables"):
        for table in ("filter", "mangle"):
            run(f"{name}-legacy", "-t", table, "-S", ns=ns)


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("tables", ["empty", "prefilled", "changed in between"])
def test_remove_leaves_both_families_as_they_were(backend, tables, namespace, setup):
    ns, twin = namespace("tables"), namespace("twin")
    for name in (ns, twin):
        if backend == "legacy":
            load_legacy(name)
        if tables != "empty":
            fill(backend, name, PREFILLED, PREFILLED6)
    before = [saved(backend, family, ns) for family in (4, 6)]
    if tables == "empty" and backend == "nft":
        assert before == [{}, {}]
    setup("install", "--backend", backend, *AGENTS, ns=ns)
    assert [saved(backend, family, ns) for family in (4, 6)] != before
    assert setup("status", ns=ns).stdout.rstrip().endswith("complete")
    if tables == "changed in between":
        for name in (ns, twin):
            fill(backend, name, LATER, LATER6)
    setup("remove", ns=ns)
    assert [saved(backend, family, ns) for family in (4, 6)] == [saved(backend, family, twin) for family in (4, 6)]
    if tables == "empty":
        assert run("nft", "list", "ruleset", ns=ns).stdout == ""


def test_base_chains_that_install_made_in_a_table_of_others_go_again(namespace, setup):
    ns = namespace("chains")
    run("iptables-nft", "-t", "mangle", "-A", "PREROUTING", "-j", "ACCEPT", ns=ns)
    before = run("nft", "list", "ruleset", ns=ns).stdout
    setup("install", "--backend", "nft", *AGENTS, ns=ns)
    setup("remove", ns=ns)
    assert run("nft", "list", "ruleset", ns=ns).stdout == before


def test_rules_of_others_that_lead_to_ours_stay_until_ours_go(namespace, setup):
    ns = namespace("led")
    setup("install", "--backend", "nft", "--interface", "br0", ns=ns)
    run("iptables-nft", "-N", "OTHER", ns=ns)
    run("iptables-nft", "-A", "OTHER", "-j", "NFQ-EGRESSD-VERDICT", ns=ns)
    setup("install", "--backend", "nft", "--interface", "br1", ns=ns)
    assert "-A OTHER -j NFQ-EGRESSD-VERDICT" in run("iptables-nft-save", ns=ns).stdout
    assert "led to a chain of ours" in setup("remove", ns=ns).stderr
    assert saved("nft", 4, ns) == {"*filter": [
        "*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT", ":OTHER -", "COMMIT"]}


def test_a_table_of_ours_that_others_use_now_stays(namespace, setup):
    ns = namespace("used")
    setup("install", "--backend", "nft", *AGENTS, ns=ns)
    run("iptables-nft", "-t", "mangle", "-A", "POSTROUTING", "-j", "ACCEPT", ns=ns)
    setup("remove", ns=ns)
    assert "-A POSTROUTING -j ACCEPT" in run("iptables-nft-save", ns=ns).stdout
    assert "filter" not in run("nft", "list", "tables", ns=ns).stdout


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_installing_twice_changes_nothing_and_keeps_the_counters(backend, namespace, setup):
    ns = namespace("twice")
    setup("install", "--backend", backend, *AGENTS, ns=ns)
    with contextlib.closing(open_socket(ns, UDP, "127.0.0.1", 9)) as s:
        s.send(b"counted")
    once = run(f"iptables-{backend}-save", "-c", "-t", "mangle", ns=ns).stdout.splitlines()[1:-1]
    assert any("] -A NFQ-EGRESSD-OUTPUT -o lo -j RETURN" in line and not line.startswith("[0:") for line in once)
    assert "nothing changed" in setup("install", "--backend", backend, *AGENTS, ns=ns).stdout
    assert run(f"iptables-{backend}-save", "-c", "-t", "mangle", ns=ns).stdout.splitlines()[1:-1] == once


def test_other_options_replace_the_rules(namespace, setup):
    ns = namespace("replace")
    setup("install", "--backend", "nft", *AGENTS, ns=ns)
    setup("install", "--backend", "nft", "--interface", "br1", "--queues", "4-7", "--on-failure", "open", ns=ns)
    text = run("iptables-nft-save", ns=ns).stdout
    assert "br0" not in text and "-i br1 " in text
    assert "--queue-balance 4:7 --queue-bypass" in text and "fanout" not in text
    assert setup("status", ns=ns).returncode == 0
    setup("remove", ns=ns)
    assert saved("nft", 4, ns) == {}


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("table", ["filter", "mangle"])
def test_a_failing_install_puts_everything_back(backend, table, namespace, setup, tmp_path, run_dir):
    ns = namespace("rollback")
    if backend == "legacy":
        load_legacy(ns)
    fill(backend, ns, PREFILLED, PREFILLED6)
    before = [saved(backend, family, ns) for family in (4, 6)], run("nft", "list", "ruleset", ns=ns).stdout
    shim(tmp_path, f"ip6tables-{backend}-restore", f'[[ $input == *"*{table}"*NFQ-EGRESSD-*"-I FORWARD 1"* ]]')
    done = setup("install", "--backend", backend, *AGENTS, ns=ns, check=False, path=tmp_path)
    assert done.returncode == 1 and "everything put back" in done.stderr.splitlines()[-1]
    assert ([saved(backend, family, ns) for family in (4, 6)], run("nft", "list", "ruleset", ns=ns).stdout) == before
    assert run("cat", "/proc/sys/net/netfilter/nf_conntrack_acct", ns=ns).stdout == "0\n"
    assert [f.name for f in run_dir.glob("rules.[0-9]*")] == []


def test_a_failing_second_install_puts_the_first_one_back(namespace, setup, tmp_path):
    ns = namespace("rollback")
    setup("install", "--backend", "nft", *AGENTS, ns=ns)
    before = [saved("nft", family, ns) for family in (4, 6)]
    shim(tmp_path, "ip6tables-nft-restore", '[[ $input == *"*mangle"*br7* ]]')
    done = setup("install", "--backend", "nft", "--interface", "br7", ns=ns, check=False, path=tmp_path)
    assert done.returncode == 1
    assert [saved("nft", family, ns) for family in (4, 6)] == before
    assert setup("status", ns=ns).returncode == 0
    setup("remove", ns=ns)
    assert saved("nft", 4, ns) == saved("nft", 6, ns) == {}


def test_an_interrupted_install_puts_everything_back(namespace, run_dir, tmp_path):
    ns = namespace("signal")
    begun = tmp_path / "begun"
    shim(tmp_path, "ip6tables-nft-restore", f'[[ $input == *"*mangle"*"-I FORWARD"* ]] && touch {begun} && sleep 0.5 && false')
    env = dict(os.environ, NFQ_EGRESSD_RUN_DIR=str(run_dir), PATH=f"{tmp_path}:{os.environ['PATH']}")
    argv = ["nsenter", f"--net=/var/run/netns/{ns}", lab.SCRIPT, "install", "--backend", "nft", *AGENTS]
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 10
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.terminate()
        errors = process.communicate(timeout=20)[1]
    assert process.returncode == 1 and "interrupted: nothing installed" in errors
    assert run("nft", "list", "ruleset", ns=ns).stdout == ""
    assert run("cat", "/proc/sys/net/netfilter/nf_conntrack_acct", ns=ns).stdout == "0\n"


@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_dry_run_prints_the_commands_and_changes_nothing(backend, namespace, setup, run_dir):
    ns = namespace("dry")
    printed = setup("install", "--backend", backend, *AGENTS, "--dry-run", ns=ns).stdout
    assert printed.count(f"tables-{backend}-restore --noflush") == 4
    assert saved(backend, 4, ns) == saved(backend, 6, ns) == {}
    assert run("nft", "list", "ruleset", ns=ns).stdout == "" and list(run_dir.glob("rules.[0-9]*")) == []
    # what it printed is what install does
    run("bash", "-ec", printed, ns=ns)
    by_hand = [saved(backend, family, ns) for family in (4, 6)]
    other = namespace("wet")
    setup("install", "--backend", backend, *AGENTS, ns=other)
    assert [saved(backend, family, other) for family in (4, 6)] == by_hand


def test_conntrack_accounting_is_turned_on_and_restored(namespace, setup):
    for former in "01":
        ns = namespace("acct" + former)
        key = "net.netfilter.nf_conntrack_acct"
        run("sysctl", "-qw", f"{key}={former}", ns=ns)
        setup("install", "--backend", "nft", *AGENTS, ns=ns)
        setup("install", "--backend", "nft", "--interface", "br1", ns=ns)
        assert run("sysctl", "-n", key, ns=ns).stdout == "1\n"
        setup("remove", ns=ns)
        assert run("sysctl", "-n", key, ns=ns).stdout == former + "\n"


@pytest.mark.parametrize(
    "argv",
    [
        (), ("frobnicate",), ("install",), ("install", "--bogus"), ("install", "--interface"),
        ("install", "--interface", "a b"), ("install", "--interface", "averyveryverylong"),
        ("install", "--interface", "-x"), ("install", "--source", "10.0.0.0/33"), ("install", "--source", "10.0.0"),
        ("install", "--source", "256.1.1.1"), ("install", "--source", "fd00:::1"), ("install", "--source", "1:2:3/64"),
        ("install", "--source", "fd00::/129"), ("install", "--source", "::1::2"), ("install", "--source", "x.example"),
        ("install", "--all-output", "--mark-mask", "0xff00ff00"), ("install", "--all-output", "--mark-mask", "0x7f"),
        ("install", "--all-output", "--mark-mask", "0x1ff"), ("install", "--all-output", "--mark-mask", "0"),
        ("install", "--all-output", "--queues", "3-1"), ("install", "--all-output", "--queues", "65536"),
        ("install", "--all-output", "--on-failure", "maybe"), ("install", "--all-output", "--exempt", "0.0.0.0/0"),
        ("install", "--all-output", "--input"), ("install", "--cgroup", "/"), ("install", "--interface", "lo"),
        ("status", "--dry-run"), ("remove", "--json"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_clear_line_and_exit_64(argv):
    done = run(lab.SCRIPT, *argv, check=False)
    assert done.returncode == 64
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""


def test_what_is_missing_is_said_in_one_line_and_exit_1(tmp_path):
    for tool in ("bash", "awk", "stat", "sed", "cat"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = subprocess.run(
        [lab.SCRIPT, "status"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=10
    )
    assert done.returncode == 1 and "iptables not found" in done.stderr
    done = run("setpriv", "--reuid=65534", "--clear-groups", lab.SCRIPT, "install", "--all-output", check=False)
    assert done.returncode == 1 and "must be root" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("mask", [0xFF, 0x1FE000])
def test_any_eight_contiguous_bits_can_be_the_mask(mask, namespace, setup):
    ns = namespace("mask")
    setup("install", "--backend", "nft", "--interface", "br0", "--mark-mask", hex(mask), ns=ns)
    low = mask & -mask
    text = run("iptables-nft-save", ns=ns).stdout
    assert f"-j MARK --set-xmark {0:#x}/{mask:#x}" in text
    assert f"-A POSTROUTING -m mark --mark {2 * low:#x}/{2 * low:#x} -j NFQ-EGRESSD-BACKSTOP" in text


# ---------------------------------------------------------------- status

def test_status_names_what_is_missing_moved_or_foreign(namespace, setup):
    ns = namespace("status")
    done = setup("status", ns=ns, check=False)
    assert done.returncode == 1 and "no rules of ours" in done.stdout
    setup("install", "--backend", "nft", "--interface", "br0", ns=ns)
    assert json.loads(setup("status", "--json", ns=ns).stdout)["complete"] is True

    def faults():
        done = setup("status", "--json", ns=ns, check=False)
        report = json.loads(done.stdout)
        assert (done.returncode == 0) == report["complete"] == (not report["problems"])
        assert all("install --interface br0" in p["mend"] or "sysctl" in p["mend"] for p in report["problems"])
        return [p["what"] for p in report["problems"]]

    breakages = (
        (("ip6tables-nft", "-I", "FORWARD", "-j", "ACCEPT"), "IPv6 filter FORWARD: position lost"),
        (("iptables-nft", "-t", "mangle", "-I", "FORWARD", "-j", "ACCEPT"), "IPv4 mangle FORWARD: position lost"),
        (("iptables-nft", "-D", "OUTPUT", "1"), "IPv4 filter OUTPUT: our jump is missing"),
        (("iptables-nft", "-t", "mangle", "-D", "NFQ-EGRESSD-AGENT", "3"), "IPv4 mangle: missing: -A NFQ-EGRESSD-AGENT"),
        (("ip6tables-nft", "-t", "mangle", "-A", "NFQ-EGRESSD-AGENT", "-j", "ACCEPT"), "IPv6 mangle: not ours: -A NFQ"),
        (("iptables-nft", "-t", "mangle", "-A", "POSTROUTING", "-j", "ACCEPT"), "the backstop is rule 1 of 2"),
        (("sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0"), "nf_conntrack_acct is not 1"),
    )
    for breakage, _ in breakages:
        run(*breakage, ns=ns)
    told = faults()
    assert len(told) == len(breakages)
    for breakage, expected in breakages:
        assert any(expected in fault for fault in told), breakage
    setup("install", "--backend", "nft", "--interface", "br0", ns=ns)
    assert faults() == []
    # the rules of others are still there, below ours
    text = run("iptables-nft-save", "-t", "mangle", ns=ns).stdout
    assert "-A FORWARD -j NFQ-EGRESSD-FORWARD\n-A FORWARD -j ACCEPT\n" in text
    assert "-A POSTROUTING -j ACCEPT\n-A POSTROUTING -m mark" in text
    # one rule out of its place is told and mended too
    run("iptables-nft", "-I", "INPUT", "-j", "ACCEPT", ns=ns)
    assert len(faults()) == 1
    setup("install", "--backend", "nft", "--interface", "br0", ns=ns)
    assert faults() == []


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
