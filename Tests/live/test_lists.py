"""Large deny-lists: read again beside packets that go on, opened at once when they are the same, told when stale."""

import json
import os
import signal
import subprocess
import time

from conftest import DAEMON, RESOLVERS, wait_until

# A million take the daemon's debug build, which these tests usually drive, half a minute; what is proven is the same.
ENTRIES = 1_000_000 if "NFQ_EGRESSD" in os.environ else 200_000


def write_list(path, marker, entries=1):
    """A list of so many names of which the last is `marker`."""
    with open(path, "w", encoding="ascii") as file:
        for number in range(entries - 1):
            file.write(f"n{number * 7919 % 99_999_989}.x{number % 977}.example\n")
        file.write(f"{marker}\n")
    # Old enough that its time tells of a change.
    os.utime(path, (1_700_000_000, 1_700_000_000 + len(marker)))


def with_large(directory):
    """The lab's lists and a large one."""
    return [
        {"name": "names", "path": str(directory / "names.txt"), "format": "domains", "action": "reject"},
        {"name": "large", "path": str(directory / "large.txt"), "format": "domains", "action": "reject"},
    ]


def stats(running, kind):
    """Events of a kind."""
    return running.find(event_type="stats", egress__kind=kind)


def test_packets_go_on_while_a_large_list_is_read(lab, daemon, tmp_path):
    write_list(tmp_path / "large.txt", "dest5.com")
    running = daemon(denyLists=with_large(tmp_path))
    assert lab.agent("tls", "93.184.217.5", "dest5.com")["outcome"] == "reset"
    assert lab.agent("tls", "93.184.217.6", "dest6.com")["outcome"] == "ok"

    write_list(tmp_path / "large.txt", "dest6.com", ENTRIES)
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(20, event_type="stats", egress__kind="reloading")
    # Until the new list is in force the old one answers, question after question.
    deadline = time.monotonic() + 90
    while not stats(running, "reloaded"):
        (question,) = lab.agent("ask", RESOLVERS[0], "docs-site.org", "A")
        assert question["outcome"] == "ok"
        assert time.monotonic() < deadline, "the list is not read to its end"
    events = running.events()
    kinds = [event["egress"].get("kind") for event in events if event["event_type"] == "stats"]
    assert kinds.count("reloading") == 1 and "reload-failed" not in kinds
    first = next(place for place, event in enumerate(events) if event["egress"].get("kind") == "reloading")
    last = next(place for place, event in enumerate(events) if event["egress"].get("kind") == "reloaded")
    between = [event for event in events[first:last] if event["event_type"] == "dns"]
    assert len(between) >= 4, "no packet was judged while the list was read"
    assert all(event["egress"]["verdict"]["action"] == "accept" for event in between if "verdict" in event["egress"])

    assert lab.agent("tls", "93.184.217.6", "dest6.com")["outcome"] == "reset"
    assert lab.agent("tls", "93.184.217.5", "dest5.com")["outcome"] == "ok"
    drop = running.wait_for(event_type="drop", egress__verdict__list__entry="dest6.com")
    assert drop["egress"]["verdict"]["list"]["line"] == ENTRIES


def test_order_to_stop_is_obeyed_while_a_list_is_read(lab, daemon, tmp_path):
    write_list(tmp_path / "large.txt", "dest5.com")
    running = daemon(denyLists=with_large(tmp_path))
    snapshot = tmp_path / "lists/large.snapshot"
    before = snapshot.stat().st_ino
    write_list(tmp_path / "large.txt", "dest6.com", ENTRIES)
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(20, event_type="stats", egress__kind="reloading")
    assert running.stop() == 0
    assert not stats(running, "reloaded")
    # The snapshot of the last good list is there, and nothing half made.
    assert snapshot.stat().st_ino == before
    assert sorted(path.name for path in snapshot.parent.iterdir()) == ["large.snapshot", "names.snapshot"]


def test_two_orders_are_two_readings_one_after_the_other(lab, daemon, tmp_path):
    write_list(tmp_path / "large.txt", "dest5.com")
    running = daemon(denyLists=with_large(tmp_path))
    write_list(tmp_path / "large.txt", "dest6.com", ENTRIES)
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(20, event_type="stats", egress__kind="reloading")
    with open(tmp_path / "names.txt", "a", encoding="ascii") as names:
        names.write("dest7.com\n")
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(stats(running, "reloaded")) == 2, 90, "both readings")
    assert lab.agent("tls", "93.184.217.7", "dest7.com")["outcome"] == "reset"


def test_damaged_snapshot_is_made_again_at_the_start(lab, daemon, tmp_path):
    running = daemon()
    running.stop()
    snapshot = tmp_path / "lists/names.snapshot"
    damaged = bytearray(snapshot.read_bytes())
    damaged[-30] ^= 0xFF
    snapshot.write_bytes(damaged)
    running.start()
    assert "wrong checksum" in running.log()
    assert lab.agent("tls", "93.184.216.15", "denied.net")["outcome"] == "reset"


def test_stale_list_is_told_and_stays_in_force(lab, daemon, tmp_path):
    (tmp_path / "old.txt").write_text("dest5.com\n", encoding="ascii")
    os.utime(tmp_path / "old.txt", (1_700_000_000, 1_700_000_000))
    lists = [{"name": "old", "path": str(tmp_path / "old.txt"), "format": "domains", "maxAge": "7d"}]
    running = daemon(denyLists=lists)
    stale = running.wait_for(event_type="stats", egress__kind="list-stale")
    assert stale["egress"]["list"] == "old" and stale["egress"]["max_age_seconds"] == 7 * 86_400
    assert stale["egress"]["age_seconds"] > 7 * 86_400
    assert lab.agent("tls", "93.184.217.5", "dest5.com")["outcome"] == "reset"
    status = subprocess.run([DAEMON, "deny", "status", "--config", running.configuration_path, "--json"],
                            capture_output=True, text=True, timeout=30, check=False)
    (row,) = json.loads(status.stdout)
    assert status.returncode == 1 and row["stale"] and row["compiled"] and row["names"] == 1
