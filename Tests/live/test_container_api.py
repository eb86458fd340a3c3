"""`nfq-egressd containers` against a runtime that misbehaves: a server of our own on a Unix socket.

Real ones are in test_containers.py; this is for what those do not do on request.
"""

import http.server
import json
import os
import pathlib
import shutil
import signal
import socketserver
import subprocess
import tempfile
import threading
import time

import pytest
from conftest import DAEMON, wait_until

ONE, TWO = "ab12" * 16, "cd34" * 16
EVENTS = "/v1.41/events"
LIST = "/v1.41/containers/json"
NETWORKS = "/v1.41/networks"


def inspection(container, address, **labels):
    """A running container as Docker describes it."""
    return {
        "Id": container,
        "Name": f"/name-{container[:2]}",
        "State": {"Status": "running", "Running": True, "Paused": False},
        "Config": {"Labels": labels},
        "HostConfig": {"NetworkMode": "bridge"},
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": address, "MacAddress": "02:42:0a:58:00:07"}}},
    }


class Runtime:
    """The server: what it answers can be changed at any time."""

    def __init__(self, path):
        self.path = path
        self.answers = {LIST: [], NETWORKS: [], EVENTS: None}
        self.streams = []
        self.requests = []
        runtime = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers by the table."""

            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                """One request."""
                target = self.path.split("?")[0]
                runtime.requests.append(self.path)
                answer = runtime.answers.get(target, (404, {"message": "no such thing"}))
                if target == EVENTS and answer is None:
                    self.stream()
                    return
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                if callable(body):
                    body(self)
                    return
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self):
                """An endless answer, until the test closes it."""
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.flush()
                closed = threading.Event()
                runtime.streams.append((self.wfile, closed))
                closed.wait(30)
                self.close_connection = True

            def log_message(self, *_):  # pylint: disable=arguments-differ
                """Silence."""

            def address_string(self):
                """There is none on a Unix socket."""
                return "local"

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            """A thread for each connection."""

            daemon_threads = True

            def handle_error(self, *_):
                """Clients that go away are what is tested."""

        self.server = Server(str(path), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def add(self, container, address, **labels):
        """A container that lives."""
        self.answers[LIST] = self.answers[LIST] + [{"Id": container}]
        self.answers[f"/v1.41/containers/{container}/json"] = inspection(container, address, **labels)

    def say(self, data):
        """Bytes into the newest stream of events."""
        wait_until(lambda: self.streams, 5, "a stream of events")
        stream, _ = self.streams[-1]
        for start in range(0, len(data), 50_000):
            piece = data[start : start + 50_000]
            stream.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        stream.flush()

    def event(self, action, subject, kind="container", when=None, **attributes):
        """A line of events as Docker writes it."""
        line = {"Type": kind, "Action": action, "Actor": {"ID": subject, "Attributes": attributes}}
        if kind == "container":
            line["id"] = subject
        line["timeNano"] = time.time_ns() if when is None else when
        self.say(json.dumps(line).encode() + b"\n")

    def hang_up(self):
        """Ends the newest stream."""
        wait_until(lambda: self.streams, 5, "a stream of events")
        self.streams.pop()[1].set()

    def close(self):
        """The end."""
        for _, closed in self.streams:
            closed.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def runtime():
    """A runtime without containers."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="nfqapi-"))
    server = Runtime(directory / "api.sock")
    yield server
    server.close()
    shutil.rmtree(directory)


class Watcher:
    """`nfq-egressd containers --watch --json`."""

    def __init__(self, path, environment=None):
        command = [str(DAEMON), "containers", "--socket", str(path), "--watch", "--json"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ, **(environment or {})),
        )
        self.changes, self.notices = [], []
        threading.Thread(target=self._changes, daemon=True).start()
        threading.Thread(target=self._notices, daemon=True).start()

    def _changes(self):
        for line in self.process.stdout:
            self.changes.append(json.loads(line))

    def _notices(self):
        for line in self.process.stderr:
            self.notices.append(line.strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0
        assert time.monotonic() - start < 3, "stopped too slowly"

    def words(self, container):
        """What was said about a container."""
        return [change["change"] for change in list(self.changes) if change.get("id") == container]

    def wait_for(self, container, words, seconds=5.0):
        """Waits until exactly that was said about a container."""
        wait_until(
            lambda: self.words(container) == words, seconds, f"{words}, not {self.words(container)} {self.notices}"
        )

    def resident(self):
        """Resident memory in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_dockers_way_of_telling_networks_is_understood(runtime):
    """Docker's network events name the network and put the container among the attributes."""
    runtime.add(ONE, "10.88.0.7")
    with Watcher(runtime.path) as watcher:
        watcher.wait_for(ONE, ["started"])
        runtime.answers[f"/v1.41/containers/{ONE}/json"] = inspection(ONE, "10.88.0.9")
        runtime.event("connect", TWO, kind="network", container=ONE)
        watcher.wait_for(ONE, ["started", "started"])
        runtime.event("die", ONE)
        watcher.wait_for(ONE, ["started", "started", "ended"])


def test_a_label_called_container_names_no_other_container(runtime):
    """Labels stand among the attributes of a container's events, where anybody can write one."""
    runtime.add(ONE, "10.88.0.7")
    with Watcher(runtime.path) as watcher:
        watcher.wait_for(ONE, ["started"])
        runtime.event("die", TWO, container=ONE, id=ONE)
        runtime.event("start", TWO, container="../../networks")
        time.sleep(0.3)
        assert watcher.words(ONE) == ["started"]
        assert f"/v1.41/containers/{TWO}/json" in runtime.requests
        assert not [request for request in runtime.requests if ".." in request]


def test_an_end_from_before_the_list_ends_nothing(runtime):
    """Events are asked for from a moment ago: some are of an earlier life."""
    runtime.add(ONE, "10.88.0.7")
    with Watcher(runtime.path) as watcher:
        watcher.wait_for(ONE, ["started"])
        runtime.event("die", ONE, when=time.time_ns() - 60_000_000_000)
        time.sleep(0.3)
        assert watcher.words(ONE) == ["started"]


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"\x00\xff\xfe\n", b"[[[[\n", b"[" * 200_000 + b"\n", b"x" * 3_000_000 + b"\n"],
    ids=["words", "binary", "open", "deep", "long"],
)
def test_an_event_that_cannot_be_read_is_made_good_by_a_list(runtime, line):
    """What it may have said is found within two seconds, over the same connection."""
    with Watcher(runtime.path) as watcher:
        wait_until(lambda: watcher.notices, 5, "connected")
        runtime.add(ONE, "10.88.0.7")
        runtime.say(line)
        watcher.wait_for(ONE, ["started"], 4)
        runtime.event("die", ONE)
        watcher.wait_for(ONE, ["started", "ended"])
        assert len(runtime.streams) == 1


def test_a_container_that_cannot_be_read_hides_no_other(runtime):
    """Garbage, a wrong id, an answer without end and one that is too large are one container's trouble."""
    runtime.add(TWO, "10.88.0.8", **{"egress.session": "s2"})
    bad = ["0bad" * 16, "1bad" * 16, "2bad" * 16]
    for container in bad:
        runtime.add(container, "10.88.0.9")
    runtime.answers[f"/v1.41/containers/{bad[0]}/json"] = b"nonsense"
    runtime.answers[f"/v1.41/containers/{bad[1]}/json"] = inspection(TWO, "10.88.0.9")
    runtime.answers[f"/v1.41/containers/{bad[2]}/json"] = b"[" + b" " * (9 << 20)
    with Watcher(runtime.path) as watcher:
        watcher.wait_for(TWO, ["started"])
        wait_until(lambda: len(watcher.notices) == 4, 5, f"three warnings: {watcher.notices}")
        assert all(watcher.words(container) == [] for container in bad)
        assert watcher.resident() < 100


def test_an_endless_list_is_refused_within_bounds(runtime):
    """Neither memory nor time without end."""

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        for _ in range(200):
            handler.wfile.write(b" " * (1 << 20))

    runtime.answers[LIST] = (200, endless)
    with Watcher(runtime.path) as watcher:
        wait_until(lambda: any("larger than 32 MiB" in line for line in watcher.notices), 10, "refused")
        assert watcher.resident() < 150
        runtime.answers[LIST] = []
        runtime.add(ONE, "10.88.0.7")
        watcher.wait_for(ONE, ["started"], 10)


def test_a_runtime_that_hangs_up_is_called_again_and_said_once(runtime):
    """With a back-off: a second brings a handful of attempts, not hundreds, and two lines in the log."""
    runtime.add(ONE, "10.88.0.7")
    runtime.answers[EVENTS] = (500, {"message": "no events here"})
    with Watcher(runtime.path) as watcher:
        watcher.wait_for(ONE, ["started"])
        time.sleep(3)
        attempts = len([request for request in runtime.requests if request.startswith(EVENTS)])
        assert 3 <= attempts <= 9
        assert len([line for line in watcher.notices if "no events here" in line]) == 1
        assert len(watcher.notices) <= 2
        # Without events the lists of each attempt still tell.
        runtime.answers[LIST] = []
        watcher.wait_for(ONE, ["started", "ended"], 8)
        runtime.answers[EVENTS] = None
        wait_until(lambda: runtime.streams, 8, "events")
        runtime.add(TWO, "10.88.0.8")
        runtime.event("start", TWO)
        watcher.wait_for(TWO, ["started"])


def test_a_proxy_of_the_environment_does_not_count(runtime):
    """http_proxy leads elsewhere; the socket is meant."""
    runtime.add(ONE, "10.88.0.7")
    proxy = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks5h://127.0.0.1:9"}
    with Watcher(runtime.path, proxy) as watcher:
        watcher.wait_for(ONE, ["started"])


def test_a_socket_that_nobody_listens_at_is_an_error_of_a_listing(tmp_path):
    """One clear line, status 1, at once."""
    result = subprocess.run(
        [str(DAEMON), "containers", "--socket", str(tmp_path / "none.sock")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "No such file or directory" in result.stderr
