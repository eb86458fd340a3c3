"""The review queue: a real flag becomes an item, a decision acts on real traffic, and nothing is decided on stale sight."""

import json
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import RESOLVERS, SESSION, wait_until
from test_overlays import HOST, TALKER, WEB, reaches, refused


def review(running, *words, check=True):
    """Runs `nfq-egressd review ...`."""
    return running.command("review", *words, check=check)


def review_json(running, *words, check=True):
    """Its JSON, of refusals too."""
    return json.loads(review(running, *words, "--json", check=check).stdout)


def item(running, session=SESSION):
    """The item of a session, or None."""
    return next((each for each in review_json(running, "list", "--state", "all") if each["id"] == session), None)


def kinds(one):
    """Its flags by kind."""
    return {each["kind"]: each["count"] for each in one["kinds"]}


def flagged(running, kind, seconds=1.5):
    """Waits until the item has a flag of this kind; returns the item."""

    def look():
        one = item(running)
        # The session itself may be written a moment after its first flag.
        return one if one and kind in kinds(one) and "agent_type" in one else None

    return wait_until(look, seconds, f"a flag {kind} in the queue")


@pytest.fixture(name="reviewed")
def reviewing(daemon):
    """A daemon whose session has a budget of one destination."""

    def start(**more):
        budget = {"budget": {"destinations": 1, "onReach": "flag"}}
        return daemon(agentTypes={"research": {**budget, **more}})

    return start


def test_a_flag_becomes_an_item_and_block_refuses_what_lives_within_a_second(lab, reviewed):
    running = reviewed()
    assert review_json(running, "list") == []
    assert review(running, "show", SESSION, check=False).returncode == 1
    assert reaches(lab, "dest1.com")
    one = flagged(running, "budget-reached")
    assert (one["state"], one["agent_type"], one["severity"]) == ("open", "research", 2)
    shown = review_json(running, "show", SESSION)
    (flag,) = [each for each in shown["flags"] if each["kind"] == "budget-reached"]
    assert {"name": "ceiling", "count": 1} in flag["evidence"]
    assert shown["steps"] == [] and "budget-reached" in review(running, "show", SESSION).stdout
    acknowledged = review_json(running, "acknowledge", SESSION, "--why", "reading", "--seen", one["version"])
    assert acknowledged["review"]["state"] == "acknowledged"
    assert [each["state"] for each in review_json(running, "list")] == ["acknowledged"]
    talker = subprocess.Popen(
        lab.command("agent", "/usr/bin/python3", "-B", TALKER, WEB[4], RESOLVERS[0]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def say(*words):
        talker.stdin.write(" ".join(words) + "\n")
        talker.stdin.flush()
        return json.loads(talker.stdout.readline())

    try:
        assert say("http", HOST)["outcome"] == "ok"
        time.sleep(0.5)
        begun = time.monotonic()
        answer = review_json(running, "resolve", SESSION, "block", "--why", "uploads", "--who", "anna")
        assert refused(say("http", HOST))
        assert time.monotonic() - begun < 1
        assert (answer["kept"], answer["review"]["state"]) == ("store", "resolved")
        # The block that goes on acting is no news; the count shows it.
        one = flagged(running, "deny-hit")
        assert one["state"] == "resolved" and one["version"] == answer["review"]["version"]
        assert review_json(running, "list") == []
    finally:
        talker.stdin.close()
        talker.wait(10)
    event = running.wait_for(event_type="stats", egress__kind="review-resolved")["egress"]
    assert (event["disposition"], event["who"], event["overlay"]) == ("block", "anna", answer["overlay"]["id"])


def test_a_new_flag_opens_again_and_what_was_seen_before_decides_nothing(lab, reviewed):
    running = reviewed()
    assert reaches(lab, "dest1.com")
    seen = flagged(running, "budget-reached")["version"]
    done = review_json(running, "resolve", SESSION, "deny", "--destination", "dest1.com", "--why", "no part", "--seen", seen)
    assert done["overlay"]["scope"] == f"session:{SESSION}"
    assert not reaches(lab, "dest1.com") and reaches(lab, "dest2.com")
    time.sleep(0.6)
    former = item(running)
    assert former["state"] == "resolved"
    # A name on a list: something new.
    lab.agent("tls", "93.184.216.15", "denied.net")
    wait_until(lambda: item(running)["state"] == "open", 1.5, "the item is open again")
    assert item(running)["severity"] == 1
    # Who saw it before may not decide, and is told why.
    words = ["resolve", SESSION, "block", "--why", "late", "--seen", former["version"]]
    refusal = review_json(running, *words, check=False)
    assert refusal["error"]["code"] == "changed"
    assert "deny-hit" in [each["kind"] for each in refusal["flags"]]
    told = review(running, *words, check=False)
    assert told.returncode == 1 and "deny-hit" in told.stdout and "(changed)" in told.stderr
    assert reaches(lab, "dest2.com"), "nothing was done"
    # Nor who looked before another one decided.
    version = item(running)["version"]
    review(running, "resolve", SESSION, "confirmed", "--why", "reported", "--who", "anna", "--seen", version)
    refusal = review_json(running, "resolve", SESSION, "benign", "--why", "fine", "--seen", version, check=False)
    assert [(each["who"], each["disposition"]) for each in refusal["steps"]] == [("anna", "confirmed")]
    assert review(running, "acknowledge", SESSION, "--why", "again", check=False).returncode == 1


def test_the_queue_survives_a_kill_and_its_record_cannot_be_changed(lab, reviewed):
    running = reviewed()
    assert reaches(lab, "dest1.com")
    flagged(running, "budget-reached")
    answer = review_json(running, "resolve", SESSION, "extend", "--by", 5, "--why", "a larger task")
    assert answer["session"]["budget"]["ceiling"] == 6
    assert review_json(running, "resolve", SESSION, "benign", "--why", "read its log")["contacts"] == 0
    before = item(running)
    running.stop(signal.SIGKILL)
    running.start()
    assert item(running) == before
    assert [each["disposition"] for each in review_json(running, "show", SESSION)["steps"]] == ["extend", "benign"]
    with sqlite3.connect(running.directory / "state.sqlite") as database:
        rows = database.execute("SELECT session, action, disposition, matter, why FROM reviewAudit ORDER BY id").fetchall()
        assert rows == [
            (SESSION, "resolved", "extend", "5 destinations", "a larger task"),
            (SESSION, "resolved", "benign", "", "read its log"),
        ]
        for words in ("UPDATE reviewAudit SET who = 'nobody'", "DELETE FROM reviewAudit"):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute(words)


def test_a_decision_whose_time_is_over_brings_the_item_back(lab, reviewed):
    running = reviewed()
    assert reaches(lab, "dest1.com")
    flagged(running, "budget-reached")
    review(running, "resolve", SESSION, "block", "--why", "for now", "--expires", "2s")
    assert not reaches(lab, "dest1.com")
    assert item(running)["state"] == "resolved"
    wait_until(lambda: item(running)["state"] == "open", 4, "the item is open again")
    wait_until(lambda: reaches(lab, "dest1.com"), 6, "the block is over")


def test_five_hundred_open_items_among_five_thousand_are_listed_quickly(reviewed):
    running = reviewed()
    with sqlite3.connect(running.directory / "state.sqlite", timeout=10) as database:
        flags = [(n + 1, f"s{n // 6}", n, ("drip", "beacon", "odd-port")[n % 3], "many", "[]") for n in range(30_000)]
        database.executemany("INSERT INTO flag (id, session, at, kind, summary, evidence) VALUES (?, ?, ?, ?, ?, ?)", flags)
        steps = [(f"s{n}", 1, 1, "resolved", "confirmed", 1 << 50, "", "anna", "root", "a test") for n in range(500, 5_000)]
        database.executemany(
            "INSERT INTO reviewAudit (session, number, at, action, disposition, flag, matter, who, peer, why)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            steps,
        )
    begun = time.monotonic()
    assert len(review_json(running, "list")) == 500
    seconds = time.monotonic() - begun
    print(f"{seconds:.3f} s")
    # Of a debug build on a busy machine.
    assert seconds < 3
    begun = time.monotonic()
    assert review_json(running, "show", "s7")["review"]["flags"] == 6
    print(f"{time.monotonic() - begun:.3f} s")
