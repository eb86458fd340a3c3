"""scripts/update-lists.sh against a server on loopback: what is unchanged, what is new, and what must not come in."""

import fcntl
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import threading

import pytest

from conftest import DAEMON, REPOSITORY

SCRIPT = REPOSITORY / "scripts/update-lists.sh"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the server's `pages` with an ETag; notes what was asked."""

    def do_GET(self):
        body = self.server.pages.get(self.path)
        asked = self.headers.get("If-None-Match")
        if body is None:
            self.server.answers.append((self.path, 404))
            self.send_error(404)
            return
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        status = 304 if asked == tag else 200
        self.server.answers.append((self.path, status))
        self.send_response(status)
        self.send_header("ETag", tag)
        if status == 200 and self.path not in self.server.unannounced:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status == 200:
            try:
                self.wfile.write(body)
            except OSError:
                pass

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def server():
    """A server on loopback; `pages` is what it has."""
    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.pages, instance.answers, instance.unannounced = {}, [], set()
    thread = threading.Thread(target=instance.serve_forever, daemon=True)
    thread.start()
    yield instance
    instance.shutdown()
    instance.server_close()
    thread.join()


class Updates:
    """A table of sources with one list, and runs of the script over it."""

    def __init__(self, directory, server):
        self.directory, self.server = directory, server
        self.list = directory / "lists/feed.txt"
        self.list.parent.mkdir()
        self.configuration = directory / "config.yaml"
        self.configuration.write_text(json.dumps({
            "denyLists": [{"name": "feed", "path": str(self.list), "format": "domains"}],
            "store": {"path": str(directory / "state.sqlite")},
        }))
        self.snapshot = directory / "lists/feed.snapshot"
        self.table()

    def table(self, options="", format="domains"):
        """Writes the table."""
        url = f"http://127.0.0.1:{self.server.server_address[1]}/feed"
        (self.directory / "sources").write_text(f"# comment\n\nfeed {format} {self.list} {url} {options}  # why\n")

    def serve(self, *names):
        """What the server has from now on."""
        self.server.pages["/feed"] = "".join(f"{name}\n" for name in names).encode()

    def run(self, *words, check=True):
        """Runs the script; returns what subprocess.run does."""
        result = subprocess.run(
            [SCRIPT, "--sources", self.directory / "sources", "--config", self.configuration, "--daemon", DAEMON,
             "--state", self.directory / "updates", "--reload", f"echo x >>'{self.directory}/reloads'", *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert not check or result.returncode == 0, result.stderr
        return result

    @property
    def reloads(self):
        """How often the daemon would have been told."""
        path = self.directory / "reloads"
        return len(path.read_text().split()) if path.exists() else 0

    def refused(self, reason, *words):
        """Runs it and sees that the last good list stays, with one line that says why."""
        before, reloads = self.list.read_bytes() if self.list.exists() else None, self.reloads
        result = self.run(*words, check=False)
        assert result.returncode == 1
        lines = result.stderr.splitlines()
        assert len(lines) == 1 and reason in lines[0] and "feed" in lines[0] and "last good" in lines[0], result.stderr
        assert (self.list.read_bytes() if self.list.exists() else None) == before and self.reloads == reloads
        # Nothing half made lies about.
        left = {path.name for path in self.list.parent.iterdir()} - {"feed.txt", "feed.snapshot"}
        assert not left and not list((self.directory / "updates").glob("run.*"))


@pytest.fixture
def updates(tmp_path, server):
    """Two names are there and fetched."""
    instance = Updates(tmp_path, server)
    instance.serve("one.example", "two.example")
    instance.run()
    return instance


def test_first_list_is_put_in_place_compiled_and_told(updates):
    assert updates.list.read_text() == "one.example\ntwo.example\n"
    assert updates.snapshot.exists()
    assert updates.reloads == 1


def test_unchanged_list_is_asked_for_by_etag_and_only_touched(updates):
    os.utime(updates.list, (1_700_000_000, 1_700_000_000))
    inode = updates.list.stat().st_ino
    assert "unchanged" in updates.run().stdout
    assert updates.server.answers[-1] == ("/feed", 304)
    assert updates.reloads == 1
    assert updates.list.stat().st_ino == inode and updates.list.stat().st_mtime > 1_700_000_000


def test_list_that_comes_again_without_etag_is_not_replaced(updates):
    for path in (updates.directory / "updates").glob("feed*"):
        path.unlink()
    inode = updates.list.stat().st_ino
    assert "unchanged" in updates.run().stdout
    assert updates.server.answers[-1] == ("/feed", 200)
    assert updates.list.stat().st_ino == inode and updates.reloads == 1


def test_changed_list_replaces_the_old_one_with_its_rights(updates):
    updates.list.chmod(0o640)
    updates.serve("three.example", "two.example", "four.example")
    assert "3 entries, 2 before" in updates.run().stdout
    assert updates.list.read_text().startswith("three.example")
    assert updates.list.stat().st_mode & 0o777 == 0o640
    assert updates.reloads == 2
    check = subprocess.run([DAEMON, "deny", "check", "x.four.example", "--config", updates.configuration, "--json"],
                           capture_output=True, text=True, timeout=30, check=False)
    assert check.returncode == 1 and json.loads(check.stdout)["line"] == 3


def test_error_page_is_refused(updates):
    updates.server.pages["/feed"] = b"<html><h1>Not today</h1>\n</html>\n"
    updates.refused("none of its")
    # And again at the next run: the page's ETag was not kept.
    updates.refused("none of its")


def test_list_that_shrank_or_grew_absurdly_is_refused_and_taken_by_force(updates):
    updates.serve(*(f"n{number}.example" for number in range(100)))
    updates.refused("grew by more than 300 %")
    updates.run("--force")
    updates.serve("one.example")
    updates.refused("shrank by more than 50 %")
    updates.table("shrink=99")
    updates.run()
    assert updates.list.read_text() == "one.example\n"


def test_too_few_and_too_many_entries_are_refused(updates):
    updates.serve("one.example", "three.example")
    updates.table("min=3")
    updates.refused("fewer than the 3")
    updates.table("max=1")
    updates.refused("more than the 1")


@pytest.mark.parametrize("announced", [True, False])
def test_too_many_bytes_are_refused_announced_or_not(updates, announced):
    updates.serve(*(f"name-{number}.example" for number in range(3)), *["#" * 1000] * 400)
    if not announced:
        updates.server.unannounced.add("/feed")
    updates.table("bytes=100000 grow=1000")
    updates.refused("more than 100000 bytes")


def test_absent_list_and_absent_server_are_told_and_the_good_one_stays(updates):
    del updates.server.pages["/feed"]
    updates.refused("404")
    (updates.directory / "sources").write_text(f"feed domains {updates.list} http://127.0.0.1:1/feed\n")
    updates.refused("127.0.0.1")


def test_table_with_faults_names_each(updates):
    (updates.directory / "sources").write_text(
        f"feed adblock {updates.list} http://127.0.0.1/x\nbad/name domains {updates.list} http://127.0.0.1/x\n"
        f"third domains relative.txt http://127.0.0.1/x\nfourth domains {updates.list} gopher://127.0.0.1/x\n"
        f"fifth domains {updates.list} http://127.0.0.1/x wrong=1\n")
    result = updates.run("sixth", "feed", "third", "fourth", "fifth", "bad/name", check=False)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 6, result.stderr
    for word in ("adblock", "bad/name", "relative.txt", "gopher", "wrong=1", "sixth"):
        assert word in result.stderr
    assert updates.list.read_text() == "one.example\ntwo.example\n"


def test_second_run_at_the_same_time_is_refused(updates):
    with open(updates.directory / "updates/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = updates.run(check=False)
    assert result.returncode == 1 and "another run" in result.stderr


def test_help_names_every_option_and_units_name_the_script():
    text = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, timeout=10, check=True).stdout
    for option in ("--sources", "--config", "--daemon", "--state", "--reload", "--timeout", "--force"):
        assert option in text
    service = pathlib.Path(REPOSITORY / "config/nfq-egressd-update-lists.service").read_text(encoding="utf-8")
    assert "update-lists.sh" in service
