"""Hellos in every form that a server understands are named, and tricks are refused."""

import pytest

from conftest import REPOSITORY

VENV_PYTHON = REPOSITORY / ".build/fixture-venv/bin/python"
CHROME = """
import sys
from curl_cffi import CurlOpt, requests
session = requests.Session(
    impersonate="chrome", verify=sys.argv[2], timeout=10, curl_options={CurlOpt.RESOLVE: sys.argv[3:]}
)
print(session.get(sys.argv[1]).status_code)
"""


def chrome(lab, address, *fixed):
    """Chrome's TLS client, by curl_cffi; `fixed` are curl's NAME:PORT:ADDRESS."""
    if not VENV_PYTHON.exists():
        pytest.skip("curl_cffi is not installed (PyPI out of reach?)")
    return lab.run("agent", VENV_PYTHON, "-B", "-c", CHROME, address, lab.directory / "ca.pem", *fixed, check=False)


def test_post_quantum_hello_over_two_segments_is_named(lab, daemon):
    running = daemon()
    result = chrome(lab, "https://docs-site.org/")
    assert result.stdout == "200\n", result.stderr
    event = running.wait_for(event_type="tls", tls__sni="docs-site.org")
    assert event["egress"]["tls"]["post_quantum"] is True
    # Chrome sends an encrypted hello's extension even where it encrypts nothing, so that nobody can tell the two apart.
    # The name may then be a public name only: what counts is the name that a trusted resolver gave for the address.
    assert event["egress"]["tls"]["ech"] is True
    assert event["egress"]["destination"]["key"] == "docs-site.org"
    assert event["egress"]["destination"]["evidence"] == "dns-answer"


def test_post_quantum_hello_to_a_denied_name_is_refused(lab, daemon):
    running = daemon()
    result = chrome(lab, "https://evil-paste.com/", "evil-paste.com:443:93.184.216.14")
    assert result.returncode != 0
    running.wait_for(egress__verdict__reason="denied-name")
    assert not lab.requests_seen()


@pytest.mark.parametrize("form", [["records", "1", "3", "60", "100"], ["in-name"], ["segments", "24"]])
def test_hello_in_records_and_segments_is_named(lab, daemon, form):
    running = daemon()
    client = REPOSITORY / "scripts/lib/lab_clients.py"
    words = [form[0], "docs-site.org", "docs-site.org", lab.directory / "ca.pem", *form[1:]]
    result = lab.run("agent", "/usr/bin/python3", "-B", client, *words, check=False)
    assert result.returncode == 0, result.stderr
    running.wait_for(event_type="tls", tls__sni="docs-site.org", egress__destination__evidence="sni")


@pytest.mark.parametrize("form", [["records", "1", "3", "60", "100"], ["in-name"], ["segments", "24"]])
def test_denied_hello_in_records_and_segments_is_refused(lab, daemon, form):
    running = daemon()
    client = REPOSITORY / "scripts/lib/lab_clients.py"
    words = [form[0], "93.184.216.15", "denied.net", lab.directory / "ca.pem", *form[1:]]
    result = lab.run("agent", "/usr/bin/python3", "-B", client, *words, check=False)
    assert result.returncode != 0
    running.wait_for(egress__verdict__reason="denied-name")
    assert not lab.requests_seen()


@pytest.mark.slow
def test_hello_with_half_a_minute_between_its_bytes_is_named(lab, daemon):
    running = daemon()
    assert lab.agent("ask", "93.184.216.53", "docs-site.org", "A")[0]["outcome"] == "ok"
    # OpenSSL's hello has 517 bytes: five pieces, four gaps.
    result = lab.agent("tls", "93.184.216.10", "docs-site.org", 105, 7.5, timeout=120)
    assert (result["outcome"], result.get("certificate")) == ("ok", "good")
    assert result["ms"] > 28_000
    running.wait_for(event_type="tls", tls__sni="docs-site.org", egress__destination__key="docs-site.org")


@pytest.mark.slow
def test_denied_hello_with_pauses_is_refused(lab, daemon):
    running = daemon()
    result = lab.agent("tls", "93.184.216.15", "denied.net", 140, 6, timeout=120)
    assert result["outcome"] == "reset", result
    running.wait_for(egress__verdict__reason="denied-name")


@pytest.fixture
def quiet_kernel(lab):
    """The agent's kernel knows nothing of hand-made connections: it must not reset them."""
    rule = ["OUTPUT", "-p", "tcp", "--sport", "61000:61100", "--tcp-flags", "RST", "RST", "-j", "DROP"]
    lab.run("agent", "iptables", "-w", "-A", *rule)
    try:
        yield
    finally:
        lab.run("agent", "iptables", "-w", "-D", *rule)


def test_overlapping_segments_that_contradict_each_other_are_refused(lab, daemon, quiet_kernel):
    running = daemon()
    result = lab.agent("overlap", "93.184.216.10", "docs-site.org", "10.88.0.7", 61001)
    assert result["outcome"] == "reset", result
    event = running.wait_for(egress__verdict__reason="evasion")
    assert event["egress"]["verdict"]["action"] == "reject"


def test_overlap_reaches_the_server_where_nobody_inspects(lab, quiet_kernel):
    """The control: without rules the server answers the same bytes, so the refusal above is the daemon's."""
    result = lab.agent("overlap", "93.184.216.10", "docs-site.org", "10.88.0.7", 61002)
    assert result["outcome"] == "ok", result
