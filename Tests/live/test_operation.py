"""Absence, reload, end, and what the rules leave behind."""

import json
import re
import signal

import pytest

from conftest import RESOLVERS, install_rules, setup_rules, wait_until

TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}$")
EVENT_TYPES = {"dns", "tls", "quic", "http", "flow", "alert", "drop", "stats"}
TOP_LEVEL = {
    *["timestamp", "event_type", "flow_id", "src_ip", "src_port", "dest_ip", "dest_port", "proto", "community_id"],
    *["dns", "tls", "quic", "http", "flow", "alert", "drop", "stats", "egress", "app_proto", "in_iface", "direction"],
    *["ip_v", "icmp_type", "icmp_code", "tx_id", "host", "pkt_src"],
}


@pytest.mark.parametrize("on_failure,outcome", [("closed", "timeout"), ("open", "ok")])
def test_killed_daemon_leaves_the_door_as_the_operator_chose(lab, daemon, on_failure, outcome):
    running = daemon(onFailure={"daemonAbsent": on_failure})
    assert lab.agent("connect", "93.184.216.10", 80)["outcome"] == "ok"
    running.stop(signal.SIGKILL)
    assert lab.agent("connect", "93.184.216.10", 80)["outcome"] == outcome
    assert lab.agent("connect", "2606:2800:220:1::10", 80)["outcome"] == outcome
    (question,) = lab.agent("ask", RESOLVERS[0], "docs-site.org", "A")
    assert question["outcome"] == outcome


def test_restarted_daemon_takes_up_again(lab, daemon):
    running = daemon()
    running.stop(signal.SIGKILL)
    running.start()
    assert lab.curl("https://docs-site.org/")[0] == 0
    assert lab.agent("tls", "93.184.216.15", "denied.net")["outcome"] == "reset"


def rules_of(lab):
    """All rules of the host, both families, both backends, without counters; and the accounting switch."""
    ruleset = lab.run("host", "nft", "list", "ruleset").stdout
    legacy = "".join(
        lab.run("host", tool, check=False).stdout for tool in ("iptables-legacy-save", "ip6tables-legacy-save")
    )
    accounting = lab.run("host", "sysctl", "-n", "net.netfilter.nf_conntrack_acct").stdout
    text = re.sub(r"counter packets \d+ bytes \d+|\[\d+:\d+\]", "counter", ruleset + legacy)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")) + accounting


def test_install_twice_changes_nothing_and_remove_restores(lab):
    lab.run("host", "iptables", "-w", "-A", "FORWARD", "-s", "192.0.2.1", "-j", "DROP")
    lab.run("host", "ip6tables", "-w", "-t", "mangle", "-A", "FORWARD", "-s", "2001:db8::1", "-j", "MARK", "--set-mark", "1")
    try:
        before = rules_of(lab)
        install_rules(lab)
        installed = rules_of(lab)
        install_rules(lab)
        assert rules_of(lab) == installed != before
        assert setup_rules(lab, "status", check=False).returncode == 0
        setup_rules(lab, "remove")
        assert rules_of(lab) == before
        setup_rules(lab, "remove")
        assert rules_of(lab) == before
        assert setup_rules(lab, "status", check=False).returncode == 1
    finally:
        setup_rules(lab, "remove", check=False)
        lab.run("host", "iptables", "-w", "-D", "FORWARD", "-s", "192.0.2.1", "-j", "DROP")
        lab.run("host", "ip6tables", "-w", "-t", "mangle", "-D", "FORWARD", "-s", "2001:db8::1", "-j", "MARK", "--set-mark", "1")


def test_reload_picks_up_a_changed_list(lab, daemon):
    running = daemon()
    assert lab.agent("tls", "93.184.217.5", "dest5.com")["outcome"] == "ok"
    with open(running.directory / "names.txt", "a", encoding="ascii") as names:
        names.write("dest5.com\n")
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: lab.agent("tls", "93.184.217.5", "dest5.com")["outcome"] == "reset", 10, "the new entry acts")
    assert [event for event in running.find(event_type="stats") if "reload" in event["egress"].get("kind", "")]


def test_bad_file_keeps_the_last_good_policy_and_says_so(lab, daemon):
    running = daemon()
    text = running.configuration_path.read_text()
    running.configuration_path.write_text(text.replace('"denyLists"', '"denyListz"'))
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "denyListz" in running.log(), 10, "the fault is named in the log")
    assert running.process.poll() is None
    assert lab.agent("tls", "93.184.216.15", "denied.net")["outcome"] == "reset"
    assert lab.agent("tls", "93.184.216.10", "docs-site.org")["outcome"] == "ok"


def test_sigterm_drains_and_exits_with_zero(lab, daemon):
    running = daemon()
    assert lab.curl("https://dest7.com/")[0] == 0
    assert running.stop(signal.SIGTERM) == 0
    assert not running.bound()
    # Written before it ended, to the last whole line.
    assert running.find(event_type="tls", tls__sni="dest7.com")
    assert running.events_path.read_text().endswith("\n")


def test_events_are_eve_and_tell_no_content(lab, daemon):
    running = daemon()
    lab.curl("https://docs-site.org/private-path-4711?token=private-query-4712")
    lab.agent("http", "93.184.216.11", "/private-path-4713?key=private-query-4714", "api-service.com", "denied.net")
    lab.agent("ask", RESOLVERS[0], "static.news-site.com", "A", "denied.net", "A", "nothing-here.com", "HTTPS")
    lab.agent("connect", "93.184.216.33", 80)
    running.wait_for(event_type="http", http__hostname="api-service.com")
    assert running.stop() == 0
    text = running.events_path.read_text()
    assert "private-" not in text
    seen = set()
    for line in text.splitlines():
        event = json.loads(line)
        assert TIMESTAMP.match(event["timestamp"]), line
        assert event["event_type"] in EVENT_TYPES, line
        assert set(event) <= TOP_LEVEL, line
        seen.add(event["event_type"])
        if "src_ip" in event:
            assert {"dest_ip", "proto", "flow_id"} <= set(event), line
            assert isinstance(event["flow_id"], int)
            if event["proto"] in ("TCP", "UDP"):
                assert 0 < event["src_port"] < 65536 and 0 < event["dest_port"] < 65536, line
        if event["event_type"] == "http":
            assert "url" not in event["http"], line
            assert event["http"]["http_method"] == "GET"
        if event["event_type"] == "dns":
            assert event["dns"]["version"] == 3, line
            assert event["dns"]["type"] in ("request", "response"), line
            assert event["dns"]["queries"][0]["rrname"], line
        if event["event_type"] == "alert":
            assert {"id", "kind", "summary"} <= set(event["egress"]["flag"]), line
    assert {"dns", "tls", "http"} <= seen
