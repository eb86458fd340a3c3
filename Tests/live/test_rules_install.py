"""Live tests of scripts/iptables-setup.sh: installing and removing the rules, and their status (root needed)."""

import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest

import rules_support as lab
from rules_fixtures import (  # noqa: F401  (fixtures among them)
    UDP,
    needs_iptables,
    shim,
    namespace,
    run_dir,
    setup,
)
from rules_support import open_socket, run, saved

pytestmark = needs_iptables


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
