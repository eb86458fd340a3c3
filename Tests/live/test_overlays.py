"""Reviewers' decisions: they act at once and on what lives, only where they are meant, and survive what the daemon does not."""

import json
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import AT_ONCE_MS, RESOLVERS, wait_until

TALKER = pathlib.Path(__file__).with_name("talker.py")
WEB = {4: "93.184.216.11", 6: "2606:2800:220:1::11"}
HOST = "api-service.com"
# The agent's two addresses are two sessions here, so that one has a neighbour.
SESSIONS = {
    "addresses": [
        {"source": "10.88.0.7", "session": "mine", "agentType": "research"},
        {"source": "fd00:88::7", "session": "neighbour", "agentType": "other"},
    ]
}


def types(**more):
    """Two agent types that hold nothing."""
    budget = {"budget": {"destinations": 200, "onReach": "flag"}}
    return {"research": {**budget, **more}, "other": budget}


def overlay(running, *words, check=True):
    """Runs `nfq-egressd overlay ...`."""
    return running.command("overlay", *words, check=check)


def added(running, *words):
    """Adds an overlay; returns its number."""
    answer = json.loads(overlay(running, "add", *words, "--why", "a test", "--json").stdout)
    assert answer["kept"] == "store"
    return answer["overlay"]["id"]


def listed(running):
    """The overlays in force."""
    return json.loads(overlay(running, "list", "--json").stdout)


@pytest.fixture(name="talker")
def talkers(lab):
    """A function that starts a talker of a family; `say` has it do something."""
    started = []

    def start(family):
        resolver = RESOLVERS[0 if family == 4 else 1]
        process = subprocess.Popen(
            lab.command("agent", "/usr/bin/python3", "-B", TALKER, WEB[family], resolver),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)

        def say(verb, word):
            process.stdin.write(f"{verb} {word}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        return say

    yield start
    for process in started:
        process.stdin.close()
        process.wait(10)


def refused(result):
    """A refusal that the agent feels at once."""
    assert result["outcome"] in ("reset", "refused", "unreachable"), result
    assert result["ms"] < AT_ONCE_MS, result
    return True


def reaches(lab, name, family=4):
    """Whether the agent gets a site, by one of its two sessions."""
    return lab.curl(f"-{family}", f"https://{name}/")[0] == 0


def test_block_stops_what_lives_and_what_begins_and_unblock_restores(lab, daemon, talker):
    running = daemon(sessions=SESSIONS, agentTypes=types())
    mine, neighbour = talker(4), talker(6)
    for say in (mine, neighbour):
        assert say("http", HOST)["outcome"] == "ok"
        assert say("ask", "dest1.com")["outcome"] == "ok"
    answer = json.loads(running.session("block", "mine", "--why", "uploads", "--who", "the reviewer", "--json").stdout)
    assert (answer["kept"], answer["lives"], answer["overlay"]["scope"]) == ("store", True, "session:mine")
    assert refused(mine("http", HOST))
    assert refused(mine("ask", "dest2.com"))
    assert refused(lab.agent("connect", WEB[4], 80))
    assert not reaches(lab, "dest1.com")
    for _ in range(2):
        assert neighbour("http", HOST)["outcome"] == "ok"
        assert neighbour("ask", "dest2.com")["outcome"] == "ok"
    drop = running.wait_for(event_type="drop", egress__verdict__reason="session-blocked")
    mark = drop["egress"]["verdict"]["overlay"]
    assert (mark["id"], mark["kind"], mark["who"]) == (answer["overlay"]["id"], "block", "the reviewer")
    flows = [event["flow_id"] for event in running.find(event_type="drop", egress__verdict__reason="session-blocked")]
    assert len(flows) == len(set(flows)), "one drop event a flow"
    assert {event["egress"]["session"] for event in running.find(event_type="drop")} == {"mine"}
    assert len(running.alerts("deny-hit")) == 1
    running.session("unblock", "mine", "--why", "explained")
    # The same UDP socket, and a new connection; the old one was reset.
    assert mine("ask", "dest3.com")["outcome"] == "ok"
    assert reaches(lab, "dest1.com")
    added_, removed = (running.wait_for(event_type="stats", egress__kind=f"overlay-{word}") for word in ("added", "removed"))
    assert added_["egress"]["who"] == "the reviewer" and added_["egress"]["why"] == "uploads"
    assert removed["egress"]["overlay"] == added_["egress"]["overlay"] and removed["egress"]["why"] == "explained"
    assert running.session("unblock", "mine", "--why", "again", check=False).returncode == 1


def test_denials_and_exceptions_act_where_they_are_meant(lab, daemon):
    running = daemon(sessions=SESSIONS, agentTypes=types())

    def says(name, family):
        address = {4: "93.184.217.1", 6: "2606:2800:221:1::1"}[family]
        return lab.agent("tls", address, name)["outcome"]

    assert (says("dest1.com", 4), says("dest1.com", 6)) == ("ok", "ok")
    deny = added(running, "deny", "dest1.com", "--scope", "session:mine")
    assert (says("www.dest1.com", 4), says("dest1.com", 4), says("dest1.com", 6)) == ("reset", "reset", "ok")
    (answer,) = lab.agent("ask", RESOLVERS[0], "dest1.com", "A")
    assert refused(answer)
    assert lab.agent("ask", RESOLVERS[1], "dest1.com", "A")[0]["outcome"] == "ok"
    event = running.wait_for(egress__verdict__reason="denied-by-reviewer")
    assert event["egress"]["session"] == "mine"
    assert (event["egress"]["verdict"]["overlay"]["id"], event["egress"]["verdict"]["overlay"]["entry"]) == (deny, "dest1.com")
    overlay(running, "remove", deny, "--why", "over")
    assert says("dest1.com", 4) == "ok"
    # denied.net is on the list; the exception is the other type's alone.
    assert lab.agent("tls", "93.184.216.15", "denied.net")["outcome"] == "reset"
    added(running, "except", "denied.net", "--scope", "type:other")
    assert lab.agent("tls", "93.184.216.15", "denied.net")["outcome"] == "reset"
    assert lab.agent("tls", "2606:2800:220:1::15", "denied.net")["outcome"] == "ok"
    # An address, for all: both that lies in it and its neighbour.
    added(running, "deny", "93.184.217.2/32", "--scope", "all")
    assert refused(lab.agent("connect", "93.184.217.2", 80))
    assert lab.agent("connect", "93.184.217.3", 80)["outcome"] == "ok"


def test_budget_of_one_session_and_of_one_by_overlay(lab, daemon):
    running = daemon(sessions={"addresses": []}, agentTypes=types())
    words = ["start", "--id", "mine", "--type", "research", "--address", "10.88.0.7"]
    begun = running.session_json(*words, "--budget", 2, "--on-reach", "hold", "--upload-budget", "1GB")
    assert (begun["budget"]["ceiling"], begun["budget"]["on_reach"]) == (2, "hold")
    assert running.session_json(*words, "--budget", 2, "--on-reach", "hold", "--upload-budget", "1GB") == begun
    # Saying nothing of it leaves it as it is.
    assert running.session_json(*words)["budget"]["ceiling"] == 2
    assert reaches(lab, "dest1.com") and reaches(lab, "dest2.com") and not reaches(lab, "dest3.com")
    time.sleep(1)
    running.stop(signal.SIGKILL)
    running.start()
    assert running.session_json("show", "mine")["session"]["budget"]["ceiling"] == 2
    assert not reaches(lab, "dest3.com")
    number = added(running, "budget", "mine", "--destinations", 3)
    shown = running.session_json("show", "mine")
    assert shown["session"]["budget"]["ceiling"] == 3 and shown["session"]["budget"]["on_reach"] == "hold"
    assert [each["id"] for each in shown["overlays"]] == [number]
    assert reaches(lab, "dest3.com") and not reaches(lab, "dest4.com")
    assert running.session_json("extend", "mine", "--by", 1)["budget"]["ceiling"] == 4
    assert reaches(lab, "dest4.com")


def test_expiry_acts_by_itself(lab, daemon):
    running = daemon(sessions=SESSIONS, agentTypes=types())
    added(running, "deny", "dest1.com", "--scope", "session:mine", "--expires", "2s")
    begun = time.monotonic()
    assert not reaches(lab, "dest1.com")
    wait_until(lambda: reaches(lab, "dest1.com"), 6, "the denial is over")
    assert 1.5 < time.monotonic() - begun < 4.5
    assert running.wait_for(event_type="stats", egress__kind="overlay-expired")["egress"]["subject"] == "dest1.com"
    assert listed(running) == []


def test_overlays_survive_kill_and_leave_a_record_that_nothing_changes(lab, daemon):
    running = daemon(sessions=SESSIONS, agentTypes=types())
    gone = added(running, "deny", "dest2.com", "--scope", "all")
    overlay(running, "remove", gone, "--why", "over")
    kept = added(running, "block", "mine")
    # Its answer said that it is on disk.
    running.stop(signal.SIGKILL)
    running.start()
    assert [(each["id"], each["kind"]) for each in listed(running)] == [(kept, "block")]
    assert refused(lab.agent("connect", WEB[4], 80))
    assert lab.agent("connect", WEB[6], 80)["outcome"] == "ok"
    # A reload keeps them, too.
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(event_type="stats", egress__kind="reloaded")
    assert refused(lab.agent("connect", WEB[4], 80))
    # No number comes twice.
    assert added(running, "deny", "dest3.com", "--scope", "all") > kept
    with sqlite3.connect(running.directory / "state.sqlite") as database:
        rows = database.execute("SELECT action, overlay, why FROM overlayAudit ORDER BY id").fetchall()
        assert rows[:3] == [("added", gone, "a test"), ("removed", gone, "over"), ("added", kept, "a test")]
        peers = {row[0] for row in database.execute("SELECT peer FROM overlayAudit")}
        assert len(peers) == 1 and "root" in peers.pop()
        for words in ("UPDATE overlayAudit SET who = 'nobody'", "DELETE FROM overlayAudit"):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute(words)


def test_observe_mode_says_what_a_block_would_do(lab, daemon):
    running = daemon(
        mode="observe", onFailure={"daemonAbsent": "open", "queueFull": "open"}, sessions=SESSIONS, agentTypes=types()
    )
    added(running, "block", "mine")
    assert reaches(lab, "dest1.com")
    event = running.wait_for(event_type="tls", tls__sni="dest1.com")
    assert event["egress"]["verdict"]["would"] == "reject"
    assert event["egress"]["verdict"]["reason"] == "session-blocked"


def test_without_a_store_the_answer_says_so(lab, daemon):
    running = daemon(store={"path": "none"}, sessions=SESSIONS, agentTypes=types())
    told = overlay(running, "add", "deny", "dest1.com", "--scope", "all", "--why", "a test").stdout
    assert "memory only" in told
    assert not reaches(lab, "dest1.com")


def test_locked_store_does_not_delay_a_block(lab, daemon):
    running = daemon(sessions=SESSIONS, agentTypes=types())
    assert reaches(lab, "dest1.com")
    with sqlite3.connect(running.directory / "state.sqlite", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        answer = json.loads(running.session("block", "mine", "--why", "urgent", "--json").stdout)
        assert answer["kept"] == "waiting"
        assert refused(lab.agent("connect", WEB[4], 80))
        database.execute("ROLLBACK")

    def written():
        with sqlite3.connect(running.directory / "state.sqlite") as database:
            return database.execute("SELECT COUNT(*) FROM overlay").fetchone() == (1,)

    wait_until(written, 10, "the block is on disk")


def test_wrong_overlays_are_refused(daemon):
    running = daemon(sessions=SESSIONS, agentTypes=types())
    for words, code in [
        (["add", "deny", "com", "--scope", "all", "--why", "x"], "bad-request"),
        (["add", "deny", "0.0.0.0/0", "--scope", "all", "--why", "x"], "bad-request"),
        (["add", "deny", "a b", "--scope", "all", "--why", "x"], "bad-request"),
        (["add", "deny", "dest1.com", "--scope", "nobody", "--why", "x"], "bad-request"),
        (["add", "deny", "dest1.com", "--scope", "type:nothing", "--why", "x"], "unknown-agent-type"),
        (["add", "budget", "mine", "--why", "x"], "bad-request"),
        (["add", "budget", "mine", "--destinations", "0", "--why", "x"], "bad-request"),
        (["remove", "77", "--why", "x"], "unknown-overlay"),
    ]:
        result = overlay(running, *words, check=False)
        assert result.returncode == 1 and code in result.stderr and result.stderr.count("\n") == 1, result
    for words in (["add", "deny", "--why", "x"], ["add", "block", "mine"], ["add", "block", "mine", "--scope", "all", "--why", "x"]):
        assert overlay(running, *words, check=False).returncode == 64
    assert listed(running) == []
    told = overlay(running, "add", "block", "nobody-yet", "--why", "x").stdout
    assert "no session of this id lives" in told
