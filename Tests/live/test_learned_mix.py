"""A baseline that is learned from a session that a reviewer found benign, and from it alone."""

import json
import signal
import sqlite3

import pytest

from conftest import RESOLVERS, SESSION, wait_until

# Names need not exist: looking one up is a contact.
BASELINE = {"documentation": 0.6, "search": 0.3, "unknown": 0.1}
BENIGN = [f"site{number}.com" for number in range(30)]
UNREVIEWED = [f"elsewhere{number}.com" for number in range(30)]


@pytest.fixture
def learning(daemon, tmp_path):
    """A function that starts a daemon whose research agents' baseline is learned; `site*.com` is documentation."""
    (tmp_path / "docs.txt").write_text("".join(f"{name}\n" for name in BENIGN))

    def start(**changes):
        categories = [
            {"builtin": "default"},
            {"category": "documentation", "path": str(tmp_path / "docs.txt"), "format": "domains"},
        ]
        types = {
            "research": {"categories": {"baseline": BASELINE, "learn": "reviewed"}},
            "other": {"categories": {"baseline": BASELINE, "learn": "reviewed"}},
            "unwatched": {},
        }
        return daemon(**{"categories": categories, "agentTypes": types, **changes})

    return start


def ask(lab, names):
    """Looks names up in turn."""
    words = [word for name in names for word in (name, "A")]
    assert all(answer["outcome"] == "ok" for answer in lab.agent("ask", RESOLVERS[0], *words))


def baseline(running, session=SESSION):
    """A session's type's baseline by category, and what it rests on."""
    mix = running.session_json("show", session)["mix"]
    return {row["category"]: row["baseline"] for row in mix["categories"] if "baseline" in row}, mix.get("learned")


def reload(running):
    """Has the configuration read again."""
    before = len(running.find(event_type="stats", egress__kind="reloaded"))
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(running.find(event_type="stats", egress__kind="reloaded")) > before, 5, "the reload")


def learned_events(running, agent_type):
    """What was said of a type's baseline, in order."""
    return [
        (event["egress"]["sessions"], event["egress"]["contacts"])
        for event in running.find(event_type="stats", egress__kind="mix-learned", egress__agent_type=agent_type)
    ]


def test_baseline_moves_towards_the_reviewed_session_alone_and_stays_moved(lab, learning):
    running = learning()
    # A session that nobody reviews: all elsewhere.
    ask(lab, UNREVIEWED)
    assert running.session_json("show", SESSION)["mix"]["contacts"] == 30
    running.session("end", SESSION)
    reload(running)
    # Another life of the same address, reviewed.
    ask(lab, BENIGN)
    assert baseline(running) == (BASELINE, None)
    answer = running.session_json("benign", SESSION, "--why", "read its log", "--who", "anna")
    assert (answer["contacts"], answer["kept"], answer["session"]["id"]) == (30, "store", SESSION)
    assert baseline(running) == (BASELINE, None), "not before a reload"
    reload(running)
    shares, basis = baseline(running)
    assert shares["documentation"] > BASELINE["documentation"]
    assert shares["unknown"] < BASELINE["unknown"] and shares["search"] < BASELINE["search"]
    assert (basis["sessions"], basis["contacts"], basis["prior"]) == (1, 30, 5)
    assert "learned from 1 reviewed session, 30 contacts, prior 5" in running.session("show", SESSION).stdout
    assert learned_events(running, "research") == [(0, 0), (0, 0), (1, 30)]
    assert learned_events(running, "other") == [(0, 0)] * 3
    # The other type learns nothing of it.
    running.session("start", "--id", "apart", "--type", "other", "--address", "198.51.100.77")
    assert baseline(running, "apart") == (BASELINE, None)
    # Reviewed again it weighs no more.
    running.session("benign", SESSION, "--why", "looked again")
    reload(running)
    assert baseline(running) == (shares, basis)
    running.stop(signal.SIGKILL)
    running.start()
    assert baseline(running) == (shares, basis)
    event = running.wait_for(event_type="stats", egress__kind="session-reviewed")["egress"]
    assert (event["scope"], event["disposition"]) == (f"session:{SESSION}", "benign")
    assert (event["who"], event["why"]) == ("anna", "read its log")
    with sqlite3.connect(running.directory / "state.sqlite") as database:
        rows = database.execute("SELECT session, agentType, who, why, contacts FROM benignMix ORDER BY id").fetchall()
    contacts = json.dumps({"documentation": 30}, separators=(",", ":"))
    assert rows[0] == (SESSION, "research", "anna", "read its log", contacts)
    assert [row[3] for row in rows] == ["read its log", "looked again"]


def test_withdrawn_verdict_teaches_nothing_from_the_next_reload_on_also_after_a_restart(lab, learning):
    running = learning()
    ask(lab, BENIGN)
    running.session("benign", SESSION, "--why", "read its log")
    reload(running)
    shares, basis = baseline(running)
    assert shares != BASELINE and basis["sessions"] == 1
    # The session that was reviewed is of the past, and the daemon another.
    running.session("end", SESSION)
    running.stop(signal.SIGTERM)
    running.start()
    ask(lab, BENIGN[:1])
    assert baseline(running) == (shares, basis)
    answer = running.session_json("benign", SESSION, "--withdraw", "--why", "the wrong log", "--who", "anna")
    assert (answer["contacts"], answer["kept"]) == (30, "store") and "session" not in answer
    assert baseline(running) == (shares, basis), "not before a reload"
    reload(running)
    assert baseline(running)[0] == BASELINE
    again = running.session("benign", SESSION, "--withdraw", "--why", "x", check=False)
    assert again.returncode == 1 and "no-verdict" in again.stderr
    events = [event["egress"] for event in running.find(event_type="stats", egress__kind="session-reviewed")]
    assert [event["disposition"] for event in events] == ["benign", "benign-withdrawn"]
    with sqlite3.connect(running.directory / "state.sqlite") as database:
        rows = database.execute("SELECT session, who, why, contacts FROM benignMix ORDER BY id").fetchall()
    assert rows[1] == (SESSION, "anna", "the wrong log", "{}") and rows[0][2] == "read its log"
    # It may be found benign again.
    ask(lab, BENIGN)
    running.session("benign", SESSION, "--why", "the right one")
    reload(running)
    assert baseline(running)[1]["sessions"] == 1


def test_session_that_ended_lately_may_be_reviewed_and_what_cannot_be_says_so(lab, learning):
    running = learning()

    def refused(session):
        result = running.session("benign", session, "--why", "x", check=False)
        assert result.returncode == 1
        return result.stderr

    assert "unknown-session" in refused("nobody")
    running.session("start", "--id", "idle", "--type", "research", "--address", "198.51.100.78")
    assert "no-contacts" in refused("idle")
    running.session("start", "--id", "plain", "--type", "unwatched", "--address", "198.51.100.79")
    assert "no-baseline" in refused("plain")
    assert running.session("benign", "idle", check=False).returncode == 64, "a review says why"
    ask(lab, BENIGN[:5])
    running.session("end", SESSION)
    assert running.session_json("benign", SESSION, "--why", "its log is complete")["contacts"] == 5


def test_without_a_store_there_is_nothing_to_learn_from(lab, learning):
    types = {"research": {"categories": {"baseline": BASELINE}}}
    running = learning(store={"path": "none"}, agentTypes=types)
    ask(lab, BENIGN[:5])
    result = running.session("benign", SESSION, "--why", "x", check=False)
    assert result.returncode == 1 and "no-store" in result.stderr
