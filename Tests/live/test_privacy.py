"""Nothing of what agents send gets out of the daemon but what docs/privacy.md says: searched for in all that it writes.

indiscreet.py puts a secret into every place of real traffic. Each is searched for, in many forms and in pieces, in every
file that the daemon makes, in its output, in every answer of its control socket, in what it leaves when it crashes, and
in what `replay` prints of a capture of the same traffic. What has to be there is searched for by the same means.
"""

import base64
import json
import os
import resource
import signal
import socket
import subprocess

import pytest

import indiscreet
from conftest import DAEMON, REPOSITORY, SESSION, install_rules, wait_until

PROGRAM = REPOSITORY / "Tests/live/indiscreet.py"
# Characters of a secret in a row that count as a leak.
PIECE = 12
# Only to be read by who has the keys, or hidden by a mask.
UNSEEN_ON_THE_WIRE = ("quic ",)


class Finder:
    """Finds pieces of secrets in bytes, whatever their case."""

    def __init__(self, sent):
        self.pieces = {}
        self.lengths = set()
        for place, form in sent.items():
            for text, shortest in self.forms(place, form):
                text = text.lower()
                self.lengths.add(shortest)
                for start in range(len(text) - shortest + 1):
                    self.pieces[text[start : start + shortest]] = place

    @staticmethod
    def forms(place, sent):
        """What a secret may look like, and how long a piece of that is no accident."""
        plain = indiscreet.secret(place)
        # In a DNS message a label's length stands in the place of the dot; indiscreet.in_labels cuts after ten.
        for text in {plain, sent, sent.replace(b".", b"\n")}:
            yield text, PIECE
            digits = text.hex().encode()
            yield digits, 2 * PIECE
            pairs = [digits[start : start + 2] for start in range(0, len(digits), 2)]
            # As dumps of memory, digests and URLs write it.
            for joint in (b" ", b":", b"%", b", 0x"):
                yield joint.join(pairs), PIECE * (2 + len(joint))
            # Backwards as well: a register or a word of memory begins with its last byte.
            yield b"".join(reversed(pairs)), 16
            for offset in range(3):
                coded = base64.b64encode(bytes(offset) + text)
                # The first and last characters hold bits of their neighbours.
                yield coded[4 if offset else 0 : -4], PIECE
                yield coded[4 if offset else 0 : -4].translate(bytes.maketrans(b"+/", b"-_")), PIECE
            yield base64.b32encode(text).rstrip(b"=")[:-1], PIECE

    def find(self, content):
        """The places whose secrets are in it."""
        content = content.lower()
        found = set()
        for length in self.lengths:
            for start in range(len(content) - length + 1):
                place = self.pieces.get(content[start : start + length])
                if place is not None:
                    found.add(place)
        return found


def traffic(lab):
    """Sends everything; returns what was sent where."""
    result = lab.run("agent", "/usr/bin/python3", "-B", PROGRAM, lab.directory / "ca.pem", timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return {place: bytes.fromhex(digits) for place, digits in json.loads(result.stdout).items()}


def written(directory, *besides):
    """All that is in the files below a directory, by name."""
    files = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name not in besides:
            files[path.name] = path.read_bytes()
    return files


def run(*words):
    """A subcommand's standard output and standard error."""
    result = subprocess.run([str(DAEMON), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return result.stdout, result.stderr


def spoken(running, *lines):
    """The control socket's answer to each line."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(running.socket_path)
        answers = b""
        for line in lines:
            connection.sendall(json.dumps(line).encode() + b"\n")
            while not answers.endswith(b"\n") or answers.count(b"\n") < lines.index(line) + 1:
                data = connection.recv(65536)
                if not data:
                    return answers
                answers += data
        return answers


def answers(running):
    """Every verb of the control socket, by word and by the protocol, and the subcommands beside."""
    control = ["--socket", running.socket_path]
    told = {}
    for words in [
        ("session", "list"),
        ("session", "show", SESSION),
        ("session", "extend", SESSION, "--by", "5"),
        ("session", "start", "--id", "other", "--type", "research", "--address", "10.88.0.99"),
        ("session", "release", SESSION, "--why", "test"),
        ("session", "block", "other", "--why", "test"),
        ("session", "unblock", "other", "--why", "test"),
        ("session", "end", "other"),
        ("overlay", "add", "deny", "paste.example", "--scope", "all", "--why", "test"),
        ("overlay", "list"),
        ("review", "list"),
        ("review", "show", SESSION),
    ]:
        for form in ([], ["--json"]):
            told[" ".join([*words, *form])] = b"".join(run(*words, *control, *form))
    told["protocol"] = spoken(
        running,
        {"version": 1, "command": "list"},
        {"version": 1, "command": "show", "id": SESSION},
        {"version": 1, "command": "extend", "id": SESSION, "by": 1},
        {"version": 1, "command": "status"},
        {"version": 1, "command": "review-list"},
        {"version": 1, "command": "review-show", "id": SESSION},
        {"version": 1, "command": "end", "id": SESSION},
        {"version": 1, "command": "nothing"},
    )
    told["check-config"] = b"".join(run("check-config", running.configuration_path))
    return told


class Capture:
    """tcpdump on the host's side of the agent."""

    def __init__(self, lab, path):
        self.path = path
        words = ["tcpdump", "-i", "agents0", "-U", "-n", "-s", "0", "-w", str(path)]
        self.process = subprocess.Popen(lab.command("host", *words), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # What it says first is that it listens.
        self.process.stderr.readline()

    def end(self):
        """Ends it; returns the capture."""
        subprocess.run(["sleep", "0.5"], check=True)
        self.process.terminate()
        self.process.wait(10)
        self.process.stderr.close()
        return self.path.read_bytes()


@pytest.fixture
def capture(lab, tmp_path_factory):
    """A function that begins a capture."""
    begun = []

    def begin():
        begun.append(Capture(lab, tmp_path_factory.mktemp("capture") / "agent.pcap"))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.end()


def leaks(finder, outputs):
    """What was found where."""
    return {name: sorted(found) for name, content in outputs.items() if (found := finder.find(content))}


@pytest.mark.slow
def test_no_secret_of_any_place_gets_out(lab, daemon, capture):
    running = daemon(metrics={"listen": "127.0.0.1:9478"})
    sniffer = capture()
    sent = traffic(lab)
    assert len(sent) > 100
    finder = Finder(sent)
    running.wait_for(10, event_type="quic")
    wait_until(lambda: running.alerts("encoded-path") and running.alerts("encoded-query"), 5, "encoded tokens are flagged")
    wait_until(lambda: b"docs-site.org" in b"".join(written(running.directory, "eve.json").values()), 10, "the state is stored")
    told = answers(running)
    told["metrics"] = lab.run("host", "curl", "-sf", "http://127.0.0.1:9478/metrics").stdout.encode()
    assert b"nfq_egressd_flags_total" in told["metrics"] and b"encoded-path" in told["review list"]
    files = written(running.directory, "config.yaml")
    alive = {**told, **files}
    assert running.stop() == 0
    over = written(running.directory, "config.yaml")
    captured = sniffer.end()

    # Every secret was on the wire, and the finder finds it.
    missed = {place for place in sent if not place.startswith(UNSEEN_ON_THE_WIRE)} - finder.find(captured)
    assert not missed
    # What is to be found, where it belongs.
    for name in ("eve.json", "state.sqlite-wal"):
        assert b"docs-site.org" in files[name], name
    assert b"docs-site.org" in over["state.sqlite"]
    assert b"inspecting queue" in over["daemon.log"]
    for name in (f"session show {SESSION}", f"session show {SESSION} --json", "protocol"):
        assert b"docs-site.org" in told[name] and b"api-service.com" in told[name], name
    for name in ("session list", "overlay list", "check-config"):
        assert told[name], name

    assert not leaks(finder, alive)
    assert not leaks(finder, over)

    plain = dict(zip(("stdout", "stderr"), run("replay", sniffer.path)))
    configured = dict(zip(("stdout", "stderr"), run("replay", sniffer.path, "--config", running.configuration_path)))
    assert b"docs-site.org" in plain["stdout"] and b"frames" in plain["stderr"]
    assert b"docs-site.org" in configured["stdout"] and b'"quic"' in configured["stdout"]
    assert not leaks(finder, plain)
    assert not leaks(finder, configured)
    # The one mode that shows targets shows them: what is not found above would be found.
    facts = finder.find(run("replay", sniffer.path, "--facts")[0])
    assert {"path", "query", "label in SNI", "quic label"} <= facts


@pytest.mark.slow
def test_without_redaction_the_labels_would_be_found(lab, daemon):
    running = daemon(privacy={"redactLabels": "never"})
    sent = traffic(lab)
    running.wait_for(10, event_type="quic")
    assert running.stop() == 0
    found = Finder(sent).find(running.events_path.read_bytes())
    expected = {place for place in sent if "label" in place and "without a domain" not in place}
    # What is refused at once, or is never a name to the daemon, gives no event with the name.
    assert len(expected & found) >= len(expected) * 3 // 4, sorted(expected - found)
    assert not {place for place in found if "label" not in place and "dot" not in place and "domain" not in place}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGTRAP])
def test_a_crash_tells_nothing(lab, daemon, number, monkeypatch):
    monkeypatch.delenv("SWIFT_BACKTRACE", raising=False)
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    if limits[1] == resource.RLIM_INFINITY:
        # Nothing but the daemon itself keeps a core file from being written.
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        running = daemon()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    finder = Finder(traffic(lab))
    running.wait_for(10, event_type="quic")
    before = set(os.listdir("."))
    assert running.stop(number) == -number
    files = written(running.directory, "config.yaml")
    assert b"inspecting queue" in files["daemon.log"]
    assert b"docs-site.org" in files["eve.json"]
    assert not leaks(finder, files)
    assert b"Crash" not in files["daemon.log"] and b"rax" not in files["daemon.log"]
    assert not {name for name in set(os.listdir(".")) - before if name.startswith("core")}
