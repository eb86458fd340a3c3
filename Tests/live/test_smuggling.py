"""A request to a denied name in a body whose end servers disagree about never reaches the server that would read it.

Each form is played against a server that reads it (disagreeing_server.py), with the daemon and, as a control, without.
"""

import collections
import subprocess

import pytest

from conftest import AGENT, end_process, wait_until
from evasion_support import told, trick, verdict  # noqa: F401  (a fixture)

ADDRESS, PORT = "93.184.216.10", 8000
HIDDEN = r"GET / HTTP/1.1\r\nHost: denied.net\r\n\r\n"
Form = collections.namedtuple("Form", "reading fields body")
FORMS = {
    "in a chunk, for a server that reads the length": Form("first", r"Content-Length: 4\r\nTransfer-Encoding: chunked", rf"24\r\n{HIDDEN}\r\n0\r\n\r\n"),
    "in the length, for a server that reads chunks": Form("chunks", r"Content-Length: 41\r\nTransfer-Encoding: chunked", rf"0\r\n\r\n{HIDDEN}"),
    "behind the first of two lengths": Form("first", r"Content-Length: 0\r\nContent-Length: 36", HIDDEN),
    "behind the second of two lengths": Form("last", r"Content-Length: 36\r\nContent-Length: 0", HIDDEN),
    "under a length in a line that the server folds": Form("first", r"A: b\r\n Content-Length: 36", HIDDEN),
    "under a length behind a bare line feed": Form("first", r"A: b\nContent-Length: 36", HIDDEN),
}


@pytest.fixture
def server(lab, tmp_path):
    """A function that starts the server with a reading, and returns what tells the hosts that it was asked for."""
    log = tmp_path / "hosts.txt"
    processes = []

    def start(reading):
        script = AGENT.with_name("disagreeing_server.py")
        words = ["/usr/bin/python3", "-B", script, reading, log, ADDRESS, PORT]
        processes.append(subprocess.Popen(lab.command("internet", *words), stdin=subprocess.DEVNULL))
        wait_until(log.exists, 10, "the server listens")
        return lambda: log.read_text().split()

    try:
        yield start
    finally:
        for process in processes:
            end_process(process)


def play(lab, form):
    """Sends an allowed request with a body of this form."""
    head = rf"POST / HTTP/1.1\r\nHost: docs-site.org\r\n{form.fields}\r\n\r\n"
    return trick(lab, "request", ADDRESS, head + form.body, PORT)["outcome"]


@pytest.mark.parametrize("name", FORMS)
def test_smuggled_request_is_refused(lab, daemon, server, told, name):  # noqa: F811
    running, hosts = daemon(), server(FORMS[name].reading)
    outcome = play(lab, FORMS[name])
    happened = verdict(running, "denied-name", "evasion")
    running.wait_for(event_type="alert", egress__flag__kind="smuggling")
    told("a request hidden by contradictory lengths", f"a denied request {name}", f"{happened}, `smuggling` flagged", outcome)
    assert "denied.net" not in hosts()


@pytest.mark.parametrize("name", FORMS)
def test_smuggled_request_is_answered_where_nobody_inspects(lab, server, name):
    """The control: without rules the server reads the hidden request, so the refusal above is the daemon's."""
    hosts = server(FORMS[name].reading)
    assert play(lab, FORMS[name]) == "ok"
    wait_until(lambda: hosts() == ["docs-site.org", "denied.net"], 5, "both requests are read")


def test_careless_client_is_not_hurt(lab, daemon, server):
    """A length and chunks that carry as much, as some clients send them: nothing that could be a request is hidden."""
    running, hosts = daemon(), server("chunks")
    fields = r"Content-Length: 5\r\nTransfer-Encoding: chunked"
    body = r"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: docs-site.org\r\n\r\n"
    assert play(lab, Form("chunks", fields, body)) == "ok"
    wait_until(lambda: hosts() == ["docs-site.org"] * 2, 5, "both requests are read")
    assert not running.find(event_type="drop")
    assert not running.alerts("evasion")
