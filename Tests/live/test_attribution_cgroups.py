"""Whose a packet is: processes in cgroups of one host.

Each test asks the daemon (events, `session list`, `session show`) and holds it against what the lab's servers saw.
"""

import json
import os
import shutil
import subprocess
import textwrap
import time

import pytest

from attribution_support import (
    agent_in_cgroup,
    cgroup_root,
    host_daemon,
    made_cgroups,
    remove_cgroup,
    run_in_cgroup,
    run_in_host,
    sessions_below,
    types,
)
from conftest import DAEMON, RESOLVERS, SETUP, at, wait_until

RESOLVER4, RESOLVER6 = RESOLVERS
DATAGRAMS = 1000
NOBODY = "93.184.217.200"
# The host itself looks after cgroups every five seconds.
CGROUP_GONE = 7.0


def of_session(running, session, event_type):
    """The events of one type that a session has."""
    return running.find(event_type=event_type, egress__session=session)


@pytest.fixture
def tree(lab):
    """A cgroup with agents' cgroups below it: two that a pattern knows, two that none knows."""
    top = cgroup_root() / f"nfqattr-{os.getpid()}"
    made = [top, *(top / name for name in ("agent-research-s1", "agent-research-s2", "plain", "other"))]
    with made_cgroups(*made):
        probe = ["iptables", "-t", "mangle", "-A", "OUTPUT", "-m", "cgroup", "--path", top.name]
        done = run_in_host(*probe, check=False)
        if done.returncode != 0:
            pytest.skip(f"xt_cgroup is unusable here: {done.stderr.strip()}")
        run_in_host(*(word.replace("-A", "-D") for word in probe[:4]), *probe[4:])
        yield top


def cgroup_daemon(lab, directory, tree, *cgroups, agent_types=None, setup=SETUP, rules=None):
    """The daemon on a host whose cgroups are agents; the rules are for the cgroups named, or for all below the top."""
    words = [word for cgroup in cgroups or [tree] for word in ("--cgroup", str(cgroup))]
    changes = {"rules": rules} if rules else {}
    changes |= {"sessions": sessions_below(tree), "agentTypes": agent_types or types()}
    return host_daemon(lab, directory, words, setup, **changes)


@pytest.mark.parametrize("site4,site6,resolver", [(0, 10, RESOLVER4), (20, 30, RESOLVER6)])
def test_two_cgroups_of_one_host_are_two_sessions_over_tcp_and_udp_and_both_families(
    lab, tree, tmp_path, site4, site6, resolver
):
    with cgroup_daemon(lab, tmp_path, tree) as running:
        for index, name in ((1, "s1"), (2, "s2")):
            group = tree / f"agent-research-{name}"
            for site, address in (
                (site4 + index, f"93.184.217.{site4 + index}"),
                (site6 + index, f"2606:2800:221:{site6 + index}::1"),
            ):
                kind = "AAAA" if ":" in address else "A"
                (answer,) = agent_in_cgroup(lab, group, "ask", resolver, "udp", f"dest{site}.com", kind)
                assert answer["outcome"] == "ok", answer
                answer = agent_in_cgroup(lab, group, "tls", address, f"dest{site}.com")
                assert answer["outcome"] == "ok", answer
        for index, name in ((1, "s1"), (2, "s2")):
            sites = {f"dest{site + index}.com" for site in (site4, site6)}
            found = running.destinations(name)
            assert found == sites, [event for event in running.events() if event["event_type"] in ("dns", "tls")]
            for site in sites:
                wait_until(lambda: {"dns", "tls"} <= kinds_naming(running, name, site), 5, f"{name} has {site} in events")
            for event in of_session(running, name, "tls"):
                assert (event["egress"]["attribution"], event["egress"]["agent_type"]) == ("cgroup", "research")
        assert set(running.sessions()) == {"s1", "s2"}


def kinds_naming(running, session, site):
    """The types of a session's events that name a site."""
    found = set()
    for event in running.find(egress__session=session):
        questions = [question.get("rrname") for question in at(event, "dns__queries") or []]
        if site in [at(event, "tls__sni"), *questions]:
            found.add(event["event_type"])
    return found


FORGET = textwrap.dedent(
    """
    import socket, sys, time
    target, count = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    for number in range(count):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"forget", (target, 7000))
        if number % 100 == 99:
            # The test is of whose they are, not of how many the queue takes at once.
            time.sleep(0.05)
    """
)
PING = textwrap.dedent(
    """
    import socket, struct, sys
    six = ":" in sys.argv[1]
    raw = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if six else 1)
    raw.settimeout(3)
    raw.connect((sys.argv[1], 0))
    data = struct.pack(">BBHHH", 128 if six else 8, 0, 0, 7, 1)
    raw.send(data if six else data[:2] + struct.pack(">H", 0xffff - 0x0808) + data[4:])
    while raw.recv(2048)[0 if six else 20] != (129 if six else 0):
        pass
    """
)


@pytest.mark.parametrize("target", [NOBODY, "2606:2800:221:200::1"])
def test_datagrams_of_closed_sockets_and_pings_are_charged_to_their_slots_sessions(lab, tree, tmp_path, target):
    groups = [tree / "agent-research-s1", tree / "agent-research-s2", tree / "plain"]
    with cgroup_daemon(lab, tmp_path, tree, *groups) as running:
        for group in groups:
            run_in_cgroup(lab, group, "/usr/bin/python3", "-c", FORGET, target, str(DATAGRAMS))
            run_in_cgroup(lab, group, "/usr/bin/python3", "-c", PING, target)
        names = {"s1", "s2", f"cgroup:/{tree.name}/plain"}
        # IP, UDP and six bytes; IP and eight bytes of echo request. Ports may come twice, so flows are no count.
        head = 40 if ":" in target else 20
        sent = {name: DATAGRAMS * (head + 8 + 6) + head + 8 for name in names}

        def counted():
            return {name: session["bytes_out"] for name, session in running.sessions().items()}

        deadline = time.monotonic() + 20
        while counted() != sent and time.monotonic() < deadline:
            time.sleep(0.2)
        assert counted() == sent


def test_registered_cgroups_and_processes_are_charged_as_such(lab, tree, tmp_path):
    with cgroup_daemon(lab, tmp_path, tree) as running:
        running.session("start", "--id", "reg-path", "--type", "research", "--cgroup", f"/{tree.name}/plain")
        # A process is registered by its cgroup; here it is the test's own child that waits for its input.
        words = ["sh", "-c", 'echo 0 > "$1/cgroup.procs" && echo there && read -r _', "sh", str(tree / "other")]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout.readline() == "there\n"
            running.session("start", "--id", "reg-pid", "--type", "research", "--pid", child.pid)
            child.stdin.close()
        # Registered where a pattern matches too: what was said explicitly counts.
        over = f"/{tree.name}/agent-research-s1"
        running.session("start", "--id", "reg-over", "--type", "research", "--cgroup", over)
        groups = ("plain", "other", "agent-research-s1", "agent-research-s2")
        for index, (group, session) in enumerate(zip(groups, ("reg-path", "reg-pid", "reg-over", "s2")), 1):
            agent_in_cgroup(lab, tree / group, "ask", RESOLVER4, "udp", f"dest{index}.com", "A")
            answer = agent_in_cgroup(lab, tree / group, "tls", f"93.184.217.{index}", f"dest{index}.com")
            assert answer["outcome"] == "ok", answer
            event = running.wait_for(event_type="tls", tls__sni=f"dest{index}.com")
            kind = "cgroup" if session == "s2" else "registered-cgroup"
            assert (event["egress"]["session"], event["egress"]["attribution"]) == (session, kind)
            assert running.destinations(session) == {f"dest{index}.com"}
        assert set(running.sessions()) == {"reg-path", "reg-pid", "reg-over", "s2"}
        # After its end the pattern decides again, for processes that go on too.
        running.session("end", "reg-over")
        agent_in_cgroup(lab, tree / "agent-research-s1", "http", "93.184.217.9", "/", "dest9.com")
        wait_until(lambda: "s1" in running.sessions(), 5, "the pattern's session")


def test_a_hold_on_one_cgroup_leaves_the_other_alone(lab, tree, tmp_path):
    with cgroup_daemon(lab, tmp_path, tree, agent_types=types(1, "hold")) as running:
        one, two = tree / "agent-research-s1", tree / "agent-research-s2"
        for group, last, expected in ((one, 1, True), (one, 2, False), (two, 2, True), (one, 1, True)):
            address = f"93.184.217.{last}"
            (answer,) = agent_in_cgroup(lab, group, "http", address, "/", "x.test")
            assert (answer["outcome"] == "ok") == expected, (group, address, answer)
        assert {flag["egress"]["session"] for flag in running.alerts("budget-reached")} >= {"s1"}
        assert [seen["server"] for seen in lab.requests_seen()] == ["93.184.217.1", "93.184.217.2", "93.184.217.1"]


@pytest.mark.parametrize("how", ["socket", "slot"])
def test_a_session_ends_with_its_cgroup(lab, tree, tmp_path, how):
    group = tree / "agent-research-s1"
    with cgroup_daemon(lab, tmp_path, tree, group, tree / "agent-research-s2") as running:
        if how == "socket":
            # A process deeper down: what ends with it is not the session.
            deeper = group / "deeper"
            deeper.mkdir()
            try:
                agent_in_cgroup(lab, deeper, "ask", RESOLVER4, "udp", "dest1.com", "A")
            finally:
                remove_cgroup(deeper)
            time.sleep(CGROUP_GONE)
            assert running.find(egress__kind="session-end") == []
        run_in_cgroup(lab, group, "/usr/bin/python3", "-c", FORGET, NOBODY, "5")
        wait_until(lambda: "s1" in running.sessions(), 5, "the session")
        remove_cgroup(group)
        gone = time.monotonic()
        event = running.wait_for(CGROUP_GONE, event_type="stats", egress__kind="session-end", egress__session="s1")
        assert event["egress"]["reason"] == "cgroup-gone"
        assert time.monotonic() - gone < CGROUP_GONE
        assert "s1" not in running.sessions()
        # Made anew, it is another cgroup than the one that the rule means: its packets would not be seen.
        group.mkdir()
        try:
            stale = running.wait_for(CGROUP_GONE, event_type="stats", egress__kind="rule-stale")
            assert stale["egress"]["path"].endswith("/agent-research-s1") and stale["egress"]["slot"] > 0
        finally:
            remove_cgroup(group)


def private_setup(directory):
    """The script of the rules where root alone can change it, as a package puts it."""
    script = directory / "share" / "iptables-setup.sh"
    script.parent.mkdir()
    shutil.copy(SETUP, script)
    script.chmod(0o755)
    return script


def made_anew(group):
    """What a restart of a unit does to its cgroup."""
    remove_cgroup(group)
    assert not group.exists()
    group.mkdir()


def forget_from(lab, running, group, session, count):
    """Datagrams of closed sockets; waits until they are charged to the session."""
    before = running.sessions().get(session, {}).get("bytes_out", 0)
    run_in_cgroup(lab, group, "/usr/bin/python3", "-c", FORGET, NOBODY, str(count))

    def charged():
        return running.sessions().get(session, {}).get("bytes_out", 0) - before == count * (20 + 8 + 6)

    wait_until(charged, 5, f"{count} datagrams are charged to {session}")


def test_a_cgroup_made_anew_is_charged_to_its_session_again_without_anyones_hand(lab, tree, tmp_path):
    groups = [tree / "agent-research-s1", tree / "agent-research-s2"]
    with cgroup_daemon(lab, tmp_path, tree, *groups, setup=private_setup(tmp_path)) as running:
        for group, session in zip(groups, ("s1", "s2")):
            forget_from(lab, running, group, session, 50)
        for turn in range(2):
            made_anew(groups[0])
            # What leaves at once is seen by nobody: documented, and told.
            run_in_cgroup(lab, groups[0], "/usr/bin/python3", "-c", FORGET, NOBODY, "5")
            repaired = {"event_type": "stats", "egress__kind": "rule-repaired"}
            wait_until(lambda: len(running.find(**repaired)) == turn + 1, 8, "the rule is there again")
            figures = running.find(**repaired)[turn]["egress"]
            assert (figures["path"], figures["slot"]) == (f"/{tree.name}/agent-research-s1", 1)
            assert 0 < figures["took_ms"] <= figures["unseen_ms"]
            assert len(running.find(event_type="stats", egress__kind="rule-stale")) == turn + 1
            for group, session in zip(groups, ("s1", "s2")):
                forget_from(lab, running, group, session, 50)
        assert running.find(event_type="stats", egress__kind="rule-repair-failed") == []
        assert run_in_host(SETUP, "status").stdout.splitlines()[-1] == "complete"


def test_a_repair_by_a_script_that_others_can_change_is_refused_and_told(lab, tree, tmp_path):
    group = tree / "agent-research-s1"
    script = private_setup(tmp_path)
    with cgroup_daemon(lab, tmp_path, tree, group, setup=script) as running:
        script.chmod(0o775)
        made_anew(group)
        failed = running.wait_for(event_type="stats", egress__kind="rule-repair-failed")
        assert "others than root may write it" in failed["egress"]["error"]
        assert failed["egress"]["again_seconds"] == 10
        checked = run_in_host(DAEMON, "check-config", running.configuration_path)
        assert "others than root may write it" in checked.stderr
        script.chmod(0o755)
        # By hand in the meantime, which the daemon notices.
        run_in_host(script, "repair")
        forget_from(lab, running, group, "s1", 50)
        made_anew(group)
        wait_until(lambda: running.find(event_type="stats", egress__kind="rule-repaired"), 15, "it is tried again")
        forget_from(lab, running, group, "s1", 50)


def test_with_repair_none_it_is_only_told(lab, tree, tmp_path):
    group = tree / "agent-research-s1"
    with cgroup_daemon(lab, tmp_path, tree, group, setup=private_setup(tmp_path), rules={"repair": "none"}) as running:
        made_anew(group)
        running.wait_for(event_type="stats", egress__kind="rule-stale")
        time.sleep(3)
        assert running.find(event_type="stats", egress__kind="rule-repaired") == []
        assert json.loads(run_in_host(SETUP, "status", "--json", check=False).stdout)["cgroups"][0]["condition"] == "anew"
