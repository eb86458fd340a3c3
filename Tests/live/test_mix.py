"""A session's mix of categories: its shift is flagged, holds what it says, survives a restart, and is released."""

import signal
import sqlite3
import time

import pytest

from conftest import RESOLVERS, SESSION, wait_until
from test_sessions import settled
from test_verdicts import refused_at_once

# Dozens of lookups, one after the other, and a look at the session after each.
pytestmark = pytest.mark.slow

# dest1.com to dest36.com are documentation here, dest60.com and what is elsewhere nothing that is known. Names need not
# exist: looking one up is a contact.
DOCS = [f"dest{number}.com" for number in range(1, 36)]
# A session that never leaves its kind of site is expected to cling to another, too; one that does not is sooner told.
WANDERING = [
    name
    for number in range(25)
    for name in (f"elsewhere{2 * number}.com", f"elsewhere{2 * number + 1}.com", f"page{number}.com")
]


@pytest.fixture
def watched(daemon, tmp_path):
    """A function that starts a daemon that expects documentation, and does this on a shift."""

    def start(on_shift, **changes):
        names = [*DOCS, "dest36.com", *(f"page{number}.com" for number in range(60))]
        (tmp_path / "docs.txt").write_text("".join(f"{name}\n" for name in names))
        categories = [
            {"builtin": "default"},
            {"category": "documentation", "path": str(tmp_path / "docs.txt"), "format": "domains"},
        ]
        mix = {
            "baseline": {"documentation": 0.85, "search": 0.1, "unknown": 0.05},
            "contactGap": "1s",
            "onShift": on_shift,
        }
        return daemon(**{"categories": categories, "agentTypes": {"research": {"categories": mix}}, **changes})

    return start


def ask(lab, names):
    """Looks names up in turn; returns what came of each."""
    words = [word for name in names for word in (name, "A")]
    return lab.agent("ask", RESOLVERS[0], *words)


def work(lab):
    """What the baseline expects: lookups, and some requests."""
    assert all(answer["outcome"] == "ok" for answer in ask(lab, DOCS))
    for name in DOCS[:3]:
        assert lab.curl(f"https://{name}/")[0] == 0


def shown(running):
    """The mix as `session show` tells it, with its rows by category."""
    mix = running.session_json("show", SESSION)["mix"]
    return mix, {row["category"]: row for row in mix["categories"]}


def shift(lab, running, names=WANDERING):
    """Goes elsewhere until that is flagged; returns after how many contacts."""
    for count, name in enumerate(names, 1):
        assert ask(lab, [name])[0]["outcome"] == "ok"
        if shown(running)[0]["flags"]:
            return count
    pytest.fail(f"no shift after {len(names)} contacts elsewhere")


def shifted(lab, watched, on_shift):
    """A daemon whose one session has just shifted."""
    running = watched(on_shift)
    work(lab)
    shift(lab, running)
    return running


def refused_for(lab, running, name, reason):
    """Whether a lookup is refused at once; waits for the event with the reason."""
    is_refused = refused_at_once(ask(lab, [name])[0])
    running.wait_for(event_type="dns", egress__verdict__reason=reason)
    return is_refused


def flagged(running):
    """The flag of the one shift there is."""
    (alert,) = wait_until(lambda: running.alerts("category-shift"), 5, "the flag")
    assert alert["egress"]["session"] == SESSION
    return alert["egress"]["flag"]


def test_shift_is_flagged_with_categories_and_hosts_and_goes_on(lab, watched):
    running = watched("flag")
    work(lab)
    mix, rows = shown(running)
    assert mix["flags"] == 0 and not mix["held"] and mix["contacts"] == rows["documentation"]["contacts"] >= len(DOCS)
    assert (rows["documentation"]["baseline"], rows["documentation"]["share"]) == (0.85, 1)
    assert rows["unknown"] == {"category": "unknown", "contacts": 0, "share": 0, "baseline": 0.05}
    assert not running.alerts("category-shift")
    count = shift(lab, running)
    flag = flagged(running)
    assert "unknown rose from" in flag["summary"] and "documentation fell" in flag["summary"]
    assert "elsewhere" in flag["evidence"]["unknown_hosts"] and "The session goes on." in flag["summary"]
    assert 10 <= flag["evidence"]["contacts"] <= count + 4
    assert ask(lab, ["dest60.com"])[0]["outcome"] == "ok"
    table = running.session("show", SESSION).stdout
    assert "BASELINE" in table and "1 shift flagged" in table and "rose" in table


def test_hold_refuses_what_is_new_until_a_release(lab, watched):
    running = shifted(lab, watched, "hold")
    assert "Destinations not yet contacted are held." in flagged(running)["summary"]
    assert refused_for(lab, running, "dest60.com", "category-held")
    assert ask(lab, ["elsewhere0.com"])[0]["outcome"] == "ok"
    assert lab.curl("https://dest1.com/")[0] == 0
    assert lab.curl("https://dest36.com/")[0] != 0
    result = running.session("release", SESSION, check=False)
    assert result.returncode == 64, "a release says why"
    released = running.session_json("release", SESSION, "--why", "the task changed")
    assert (released["was_held"], released["kept"], released["session"]["id"]) == (True, "store", SESSION)
    assert ask(lab, ["dest60.com"])[0]["outcome"] == "ok"
    assert lab.curl("https://dest36.com/")[0] == 0
    mix, rows = shown(running)
    assert mix["flags"] == 0 and not mix["held"] and not any("risen" in row for row in rows.values())
    event = running.wait_for(event_type="stats", egress__kind="mix-released")
    assert (event["egress"]["scope"], event["egress"]["why"]) == (f"session:{SESSION}", "the task changed")
    with sqlite3.connect(running.directory / "state.sqlite") as database:
        rows = database.execute("SELECT action, kind, scope, why FROM overlayAudit").fetchall()
    assert rows == [("released", "mix", f"session:{SESSION}", "the task changed")]
    assert "nothing of session" in running.session("release", SESSION, "--why", "again").stdout
    assert "unknown-session" in running.session("release", "nobody", "--why", "x", check=False).stderr


def test_reject_refuses_what_rose_and_leaves_the_rest(lab, watched):
    running = shifted(lab, watched, "reject")
    assert "held, and unknown is rejected." in flagged(running)["summary"]
    assert refused_for(lab, running, "elsewhere0.com", "category-denied")
    assert refused_for(lab, running, "dest36.com", "category-held")
    assert lab.curl("https://dest1.com/")[0] == 0
    running.session("release", SESSION, "--why", "explained")
    assert all(answer["outcome"] == "ok" for answer in ask(lab, ["dest36.com", "elsewhere0.com"]))


def test_mix_goes_on_after_a_kill(lab, watched):
    running = watched("hold")

    def run(is_killed):
        """Contacts elsewhere until the flag."""
        assert all(answer["outcome"] == "ok" for answer in ask(lab, DOCS))
        assert all(answer["outcome"] == "ok" for answer in ask(lab, WANDERING[:6]))
        if is_killed:
            before = shown(running)
            settled(running, len(DOCS) + 6)
            # `relaxed` promises a second.
            time.sleep(1)
            running.stop(signal.SIGKILL)
            running.start()
            assert shown(running) == before
        return shift(lab, running, WANDERING[6:])

    plain = run(False)
    running.session("end", SESSION)
    assert run(True) == plain
    # The hold goes on, too.
    time.sleep(1)
    running.stop(signal.SIGKILL)
    running.start()
    assert refused_at_once(ask(lab, ["dest60.com"])[0])
    assert shown(running)[0]["held"]
    assert len(running.alerts("category-shift")) == 2
