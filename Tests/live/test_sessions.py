"""Sessions over the control socket, and what a restart or a bad disk does to them."""

import json
import os
import pathlib
import signal
import socket
import sqlite3
import stat
import subprocess
import time

import pytest

from conftest import DAEMON, RESOLVERS, SESSION, wait_until

AGENT_SOURCES = ["10.88.0.7", "fd00:88::7"]


def types(destinations, on_reach="hold", **more):
    """One agent type."""
    return {"research": {"budget": {"destinations": destinations, "onReach": on_reach}, **more}}


def start(running, identity="live-2", *more):
    """Registers the lab's agent."""
    words = [word for source in AGENT_SOURCES for word in ("--address", source)]
    return running.session_json("start", "--id", identity, "--type", "research", *words, *more)


def reach(lab, number, ok=True):
    """The agent contacts the numbered site, or is held."""
    status = lab.curl(f"https://dest{number}.com/")[0]
    assert (status == 0) == ok, f"dest{number}.com: curl ended with {status}"


def ask(running, **request):
    """Speaks the protocol without the client."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(running.socket_path)
        sock.sendall(json.dumps({"version": 1, **request}).encode() + b"\n")
        with sock.makefile() as lines:
            return json.loads(lines.readline())


def stored(path):
    """Destinations in the store, by session."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT session, key FROM destination ORDER BY key").fetchall()
    result = {}
    for session, key in rows:
        result.setdefault(session, []).append(key)
    return result


def settled(running, count, session=SESSION):
    """Waits until the store knows so many destinations of the session."""
    path = running.directory / "state.sqlite"
    wait_until(lambda: len(stored(path).get(session, [])) == count, 5, f"{count} destinations are stored")


def test_registered_session_is_charged_and_ends_with_a_summary(lab, daemon):
    running = daemon(agentTypes=types(200, "flag"), sessions={"addresses": []})
    begun = start(running)
    assert begun["id"] == "live-2" and begun["budget"]["used"] == 0
    assert begun["attribution"] == "registered-address"
    # Saying it again changes nothing.
    assert start(running)["started"] == begun["started"]
    reach(lab, 1)
    reach(lab, 2)
    event = running.wait_for(event_type="tls", tls__sni="dest2.com")
    assert event["egress"]["session"] == "live-2"
    (listed,) = running.session_json("list")
    assert (listed["id"], listed["budget"]["used"]) == ("live-2", 2)
    assert running.session_json("list", "--type", "unattributed") == []
    shown = running.session_json("show", "live-2")
    assert {place["destination"] for place in shown["destinations"]} == {"dest1.com", "dest2.com"}
    assert shown["addresses"] == AGENT_SOURCES
    table = running.session("show", "live-2").stdout
    assert "dest1.com" in table and "2 of 200 destinations" in table
    assert "live-2" in running.session("list").stdout
    ended = running.session_json("end", "--id", "live-2")
    assert ended["ended"] >= ended["started"]
    summary = running.wait_for(event_type="stats", egress__kind="session-end", egress__session="live-2")
    assert summary["egress"]["reason"] == "explicit" and summary["egress"]["destinations"] == 2
    # Its address is nobody's again.
    reach(lab, 3)
    event = running.wait_for(event_type="tls", tls__sni="dest3.com")
    assert event["egress"]["session"].startswith("unattributed-")


def test_extend_lifts_a_hold_at_once(lab, daemon):
    running = daemon(agentTypes=types(2))
    reach(lab, 1)
    reach(lab, 2)
    reach(lab, 3, ok=False)
    extended = running.session_json("extend", SESSION, "--by", 1)
    assert extended["budget"] == {"used": 2, "ceiling": 3, "on_reach": "hold", "extended_by": 1}
    reach(lab, 3)
    reach(lab, 4, ok=False)
    assert len(running.alerts("budget-reached")) == 2


def test_wrong_commands_are_refused_with_their_codes(daemon):
    running = daemon()
    for words, code in [
        (["show", "nobody"], "unknown-session"),
        (["end", "nobody"], "unknown-session"),
        (["extend", "nobody", "--by", "3"], "unknown-session"),
        (["start", "--id", "x", "--type", "nothing", "--address", "10.88.0.7"], "unknown-agent-type"),
        (["start", "--id", "x", "--type", "research", "--pid", "4194304"], "no-such-process"),
    ]:
        result = running.session(*words, check=False)
        assert result.returncode == 1 and result.stderr.count("\n") == 1 and code in result.stderr, result.stderr
        assert result.stdout == ""
    start(running, "first")
    result = running.session("start", "--id", "second", "--type", "research", "--address", "10.88.0.7", check=False)
    assert result.returncode == 1 and "source-taken" in result.stderr and "'first'" in result.stderr
    for words in (["show"], ["extend", "x", "--by", "0"], ["start", "--id", "x", "--type", "research"]):
        assert running.session(*words, check=False).returncode == 64
    assert ask(running, command="brew")["error"]["code"] == "unknown-command"
    assert ask(running, command="list", version=9)["error"]["code"] == "unsupported-version"


def test_process_is_registered_by_its_control_group(daemon):
    root = next((path for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if os.path.exists(f"{path}/cgroup.procs")), None)
    group = pathlib.Path(f"{root}/nfqtest-control-{os.getpid()}")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    child = None
    try:
        child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
        (group / "cgroup.procs").write_text(str(child.pid))
        running = daemon()
        running.session("start", "--id", "by-pid", "--type", "research", "--pid", child.pid)
        (registered,) = running.session_json("show", "by-pid")["cgroups"]
        assert registered.endswith(f"/{group.name}")
    finally:
        if child is not None:
            child.kill()
            child.wait(10)
        wait_until(lambda: not (group / "cgroup.procs").read_text(), what="the group is empty")
        group.rmdir()


def test_socket_is_private_and_gone_at_the_end(daemon):
    running = daemon()
    status = os.stat(running.socket_path)
    assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o660
    assert running.stop() == 0
    assert not os.path.exists(running.socket_path)
    result = running.session("list", check=False)
    assert result.returncode == 1 and "nfq-egressd run" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("number,reason", [(signal.SIGTERM, "stopped"), (signal.SIGKILL, "crashed")])
def test_restart_keeps_a_held_session_held(lab, daemon, number, reason):
    running = daemon(agentTypes=types(2), sessions={"addresses": []})
    start(running)
    reach(lab, 1)
    reach(lab, 2)
    reach(lab, 3, ok=False)
    if number == signal.SIGKILL:
        # `relaxed` promises a second.
        settled(running, 2, "live-2")
    running.stop(number)
    running.start()
    reach(lab, 1)
    reach(lab, 3, ok=False)
    shown = running.session_json("show", "live-2")
    assert (shown["session"]["budget"]["used"], shown["addresses"]) == (2, AGENT_SOURCES)
    gap = running.wait_for(event_type="stats", egress__kind="unobserved")
    assert gap["egress"]["reason"] == reason
    # Flagged once, before the restart; and kept for review.
    assert len(running.alerts("budget-reached")) == 1
    with sqlite3.connect(f"file:{running.directory / 'state.sqlite'}?mode=ro", uri=True) as database:
        kept = [kind for (kind,) in database.execute("SELECT kind FROM flag WHERE session = 'live-2' ORDER BY id")]
    assert "budget-reached" in kept


def test_extension_and_end_survive_a_crash(lab, daemon):
    running = daemon(agentTypes=types(1), sessions={"addresses": []})
    start(running)
    other = running.session_json("start", "--id", "other", "--type", "research", "--address", "10.88.0.99")
    reach(lab, 1)
    reach(lab, 2, ok=False)
    running.session("extend", "live-2", "--by", 1)
    running.session("end", other["id"])
    time.sleep(1)
    running.stop(signal.SIGKILL)
    running.start()
    assert [session["id"] for session in running.session_json("list")] == ["live-2"]
    reach(lab, 2)
    reach(lab, 3, ok=False)


def tmpfs(directory, size):
    """A small file system, and what undoes it."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(directory)], check=True)
    return lambda: subprocess.run(["umount", "-l", str(directory)], check=True)


def test_full_disk_stops_nothing_and_is_made_up_for(lab, daemon, tmp_path):
    undo = tmpfs(tmp_path / "disk", "16m")
    try:
        running = daemon(store={"path": str(tmp_path / "disk/state.sqlite")})
        with open(tmp_path / "disk/ballast", "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass
        for number in range(1, 6):
            reach(lab, number)
        running.wait_for(10, event_type="stats", egress__kind="store-unavailable")
        reach(lab, 6)
        assert "wait in memory" in running.log()
        os.unlink(tmp_path / "disk/ballast")
        running.wait_for(10, event_type="stats", egress__kind="store-recovered")
        wait_until(lambda: len(stored(tmp_path / "disk/state.sqlite").get(SESSION, [])) == 6, 5, "all six are stored")
        assert running.stop() == 0
    finally:
        undo()


def test_read_only_disk_at_the_start_stops_nothing(lab, daemon, tmp_path):
    undo = tmpfs(tmp_path / "disk", "4m")
    try:
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
        running = daemon(store={"path": str(tmp_path / "disk/state.sqlite")})
        running.wait_for(event_type="stats", egress__kind="store-unavailable")
        reach(lab, 1)
        assert running.session_json("list")[0]["budget"]["used"] == 1
        # `ip netns exec` gave the daemon a mount of its own of the same file system.
        words = ["mount", "-o", "remount,rw", str(tmp_path / "disk")]
        subprocess.run(words, check=True)
        subprocess.run(["nsenter", "-t", str(running.process.pid), "-m", *words], check=True)
        running.wait_for(10, event_type="stats", egress__kind="store-recovered")
        wait_until(lambda: stored(tmp_path / "disk/state.sqlite").get(SESSION) == ["n:dest1.com"], 5, "it is stored")
        assert running.stop() == 0
    finally:
        undo()


def test_locked_database_stops_nothing_and_is_written_after(lab, daemon):
    running = daemon()
    reach(lab, 1)
    settled(running, 1)
    with sqlite3.connect(running.directory / "state.sqlite", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        reach(lab, 2)
        running.wait_for(10, event_type="stats", egress__kind="store-unavailable")
        reach(lab, 3)
        database.execute("ROLLBACK")
    running.wait_for(10, event_type="stats", egress__kind="store-recovered")
    settled(running, 3)


def test_database_locked_at_the_start_is_taken_up_late(lab, daemon):
    running = daemon(agentTypes=types(2), sessions={"addresses": []})
    start(running)
    reach(lab, 1)
    reach(lab, 2)
    assert running.stop() == 0
    with sqlite3.connect(running.directory / "state.sqlite", isolation_level=None) as database:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        running.start()
        running.wait_for(event_type="stats", egress__kind="store-unavailable")
        # Nobody knows yet who this is.
        reach(lab, 3)
        database.execute("ROLLBACK")
    database.close()
    running.wait_for(10, event_type="stats", egress__kind="store-recovered")
    wait_until(lambda: [each["id"] for each in running.session_json("list", "--type", "research")] == ["live-2"])
    reach(lab, 1)
    reach(lab, 4, ok=False)


def test_damaged_database_is_set_aside_and_begun_anew(lab, daemon):
    running = daemon()
    reach(lab, 1)
    assert running.stop() == 0
    path = running.directory / "state.sqlite"
    rubbish = b"no database" * 2000
    path.write_bytes(rubbish)
    running.start()
    event = running.wait_for(event_type="stats", egress__kind="store-set-aside")
    assert pathlib.Path(event["egress"]["path"]).read_bytes() == rubbish
    reach(lab, 2)
    settled(running, 1)


def test_store_none_keeps_nothing(lab, daemon, tmp_path):
    running = daemon(store={"path": "none"}, agentTypes=types(1))
    reach(lab, 1)
    reach(lab, 2, ok=False)
    assert running.stop() == 0
    running.start()
    reach(lab, 2)
    assert not list(tmp_path.glob("*sqlite*"))


def test_second_daemon_names_the_first(lab, daemon):
    running = daemon()
    second = subprocess.run(
        lab.command("host", DAEMON, "run", "--config", running.configuration_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert second.returncode == 1 and f"process {running.process.pid}" in second.stderr, second.stderr
    assert running.session_json("list") == []
    (answer,) = lab.agent("ask", RESOLVERS[0], "docs-site.org", "A")
    assert answer["outcome"] == "ok"


def test_strict_store_has_a_destination_before_its_first_packet_leaves(lab, daemon, tmp_path):
    path = tmp_path / "state.sqlite"
    running = daemon(agentTypes=types(200, "flag"), store={"path": str(path), "durability": "strict"})
    for number in range(1, 9):
        # The answer to the question is here, so the question has left: its name must be on disk already.
        begun = time.monotonic()
        answer = lab.agent("ask", RESOLVERS[0], f"dest{number}.com", "A")
        took = time.monotonic() - begun
        assert answer, "no answer"
        assert f"n:dest{number}.com" in stored(path).get(SESSION, []), f"dest{number}.com is not on disk"
        assert took < 1.0, "the packet waited for its patience, not for the disk"
    # SIGKILL right behind an answer takes nothing away.
    assert lab.agent("ask", RESOLVERS[0], "docs-site.org", "A")
    running.stop(signal.SIGKILL)
    assert "n:docs-site.org" in stored(path)[SESSION]


def test_strict_store_on_a_bad_disk_delays_but_does_not_stop(lab, daemon, tmp_path):
    path = tmp_path / "state.sqlite"
    running = daemon(agentTypes=types(200, "flag"), store={"path": str(path), "durability": "strict"})
    reach(lab, 1)
    with sqlite3.connect(path, isolation_level=None) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        reach(lab, 2)
        locker.execute("ROLLBACK")
    reach(lab, 3)
    settled(running, 3)
