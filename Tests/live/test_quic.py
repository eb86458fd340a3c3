"""QUIC is judged by the names inside its Initial packets, one connection at a time."""

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


@pytest.mark.parametrize("versions,family,shown", [("1", 4, "1"), ("2", 6, "6b3343cf"), ("1+2", 4, "1"), ("1,large", 4, "1")])
def test_allowed_name_is_recorded_as_destination(lab, daemon, server, versions, family, shown):
    running, peer = daemon(), server()
    ask(lab, "docs-site.org", {4: "A", 6: "AAAA"}[family])
    (result,) = get(lab, versions, DOCS[family], "docs-site.org")
    assert (result["outcome"], result.get("body")) == ("ok", "docs-site.org\n")
    event = running.wait_for(event_type="quic", quic__sni="docs-site.org")
    assert event["quic"]["version"] == shown
    assert event["quic"]["ja4"].startswith("q13d")
    assert event["proto"] == "UDP" and event["dest_port"] == 443
    assert event["egress"]["destination"]["key"] == "docs-site.org"
    assert event["egress"]["destination"]["evidence"] == "quic-sni"
    assert len(running.find(event_type="quic")) == 1
    assert peer.seen() == ["docs-site.org"]


def test_retry_is_survived_and_recorded_once(lab, daemon, server):
    running = daemon()
    server("retry")
    ask(lab, "docs-site.org")
    assert get(lab, "1", DOCS[4], "docs-site.org")[0]["outcome"] == "ok"
    running.wait_for(event_type="quic", egress__destination__evidence="quic-sni")
    assert len(running.find(event_type="quic")) == 1


def test_name_that_nobody_asked_for_is_charged_to_its_address(lab, daemon, server):
    running = daemon()
    server()
    assert get(lab, "1", DOCS[4], "docs-site.org")[0]["outcome"] == "ok"
    event = running.wait_for(event_type="quic", quic__sni="docs-site.org")
    assert event["egress"]["destination"]["key"] == DOCS[4]
    assert event["egress"]["destination"]["evidence"] == "sni-unverified"


@pytest.mark.parametrize("versions", ["1", "2", "1,large"])
def test_denied_name_never_reaches_its_server(lab, daemon, server, versions):
    running, peer = daemon(), server()
    (result,) = get(lab, versions, DENIED, "sub.denied.net")
    assert result["outcome"] != "ok"
    event = running.wait_for(event_type="drop", egress__verdict__reason="denied-name")
    assert event["proto"] == "UDP"
    assert event["egress"]["verdict"]["list"]["name"] == "names"
    assert not peer.seen()


def test_second_connection_on_one_socket_is_judged_by_its_own_name(lab, daemon, server):
    running, peer = daemon(), server()
    ask(lab, "docs-site.org")
    first, second = get(lab, "1", DOCS[4], "docs-site.org", "denied.net")
    assert first["outcome"] == "ok" and second["outcome"] != "ok"
    running.wait_for(event_type="quic", quic__sni="denied.net", egress__verdict__action="reject")
    assert peer.seen() == ["docs-site.org"]


def test_denied_name_over_quic_goes_through_when_observing(lab, daemon, server):
    running = daemon(mode="observe", onFailure={"daemonAbsent": "open"})
    server()
    assert get(lab, "1", DENIED, "denied.net")[0]["outcome"] == "ok"
    running.wait_for(event_type="quic", quic__sni="denied.net", egress__verdict__would="reject")
