"""An HTTP/3 server and its clients, for the tests of QUIC."""

import json
import subprocess

import pytest

from conftest import REPOSITORY, RESOLVERS, wait_until

PYTHON = REPOSITORY / ".build/quic-venv/bin/python"
PEER = REPOSITORY / "scripts/lib/quic_peer.py"
DOCS = {4: "93.184.216.10", 6: "2606:2800:220:1::10"}
DENIED = "93.184.216.15"


class Server:
    """An HTTP/3 server on the addresses of these tests."""

    def __init__(self, lab, directory):
        self.lab, self.log = lab, directory / "quic-server.json"
        self.process = None

    def start(self, mode):
        """Starts it and waits until it listens."""
        tls = self.lab.directory / "tls"
        words = [PEER, mode, tls / "docs.pem", tls / "server.key", self.log, *DOCS.values(), DENIED]
        self.process = subprocess.Popen(
            self.lab.command("internet", PYTHON, "-B", *words),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.log.exists, 10, "the HTTP/3 server listens")

    def seen(self):
        """The names of the requests that reached it."""
        return [entry["host"] for entry in map(json.loads, self.log.read_text().splitlines()) if "host" in entry]

    def end(self):
        """Ends it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)


@pytest.fixture
def server(lab, tmp_path):
    """A function that starts the server; in mode "retry" it sends each client a Retry first."""
    if not PYTHON.exists():
        pytest.skip("aioquic is not installed (PyPI out of reach?)")
    instance = Server(lab, tmp_path)

    def start(mode="serve"):
        instance.start(mode)
        return instance

    try:
        yield start
    finally:
        instance.end()


def get(lab, versions, address, *names):
    """The outcomes of HTTP/3 requests from the agent."""
    result = lab.run("agent", PYTHON, "-B", PEER, "get", versions, address, *names, timeout=30, check=False)
    assert result.returncode in (0, 1) and result.stdout, result.stderr
    return json.loads(result.stdout)


def ask(lab, name, kind="A"):
    """Lets a trusted resolver say where a name is."""
    assert lab.agent("ask", RESOLVERS[0], name, kind)[0]["outcome"] == "ok"


def second_is_refused(lab, running, peer):
    """A denied connection from the UDP socket of an allowed one never reaches the server; returns its outcome."""
    ask(lab, "docs-site.org")
    first, second = get(lab, "1", DOCS[4], "docs-site.org", "denied.net")
    assert first["outcome"] == "ok" and second["outcome"] != "ok"
    running.wait_for(event_type="quic", quic__sni="denied.net", egress__verdict__action="reject")
    assert peer.seen() == ["docs-site.org"]
    return second["outcome"]
