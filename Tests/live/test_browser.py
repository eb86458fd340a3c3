"""A real browser, headless Chromium, over HTTP/3 to a real server, Caddy, and over TCP to nginx."""

from browser_support import browser, http3  # noqa: F401  (fixtures)
from evasion_support import told, verdict  # noqa: F401  (a fixture)
from quic_support import DENIED, DOCS

OVER_HTTP3 = "--origin-to-force-quic-on={}:443"


def test_chromium_over_http3_is_named_and_answered(lab, daemon, browser, http3, told):  # noqa: F811
    running, server = daemon(), http3("docs", *DOCS.values())
    document = browser.load("https://docs-site.org/", OVER_HTTP3.format("docs-site.org"))
    assert "HTTP/3.0 docs-site.org" in document
    event = running.wait_for(event_type="quic", quic__sni="docs-site.org")
    assert event["quic"]["ja4"].startswith("q13d")
    assert event["egress"]["destination"]["key"] == "docs-site.org"
    assert event["egress"]["verdict"]["action"] == "accept"
    assert ("HTTP/3.0", "docs-site.org") in server.requests()
    # Nothing went over TCP instead, and nothing was refused on the way.
    assert not lab.requests_seen()
    assert not running.find(event_type="drop")
    assert not running.alerts("evasion")
    told("ordinary clients", "Chromium over HTTP/3 to Caddy", "named and answered; no packet refused, no `evasion` flag")


def test_denied_name_of_chromium_over_http3_never_reaches_its_server(lab, daemon, browser, http3, told):  # noqa: F811
    running, server = daemon(), http3("denied", DENIED)
    # Its lookup would be refused before: the agent knows the address from elsewhere.
    document = browser.load(
        "https://denied.net/", OVER_HTTP3.format("denied.net"), f"--host-resolver-rules=MAP denied.net {DENIED}"
    )
    assert "HTTP/3.0 denied.net" not in document
    event = running.wait_for(event_type="drop", egress__verdict__reason="denied-name")
    assert (event["proto"], event["dest_ip"], event["dest_port"]) == ("UDP", DENIED, 443)
    assert event["egress"]["verdict"]["list"]["name"] == "names"
    running.wait_for(event_type="quic", quic__sni="denied.net", egress__verdict__action="reject")
    assert not server.requests()
    assert not lab.requests_seen()
    told("a denied name in Chromium", "a page over HTTP/3 alone, its address known beforehand", verdict(running))


def test_that_page_is_answered_over_http3_where_nobody_inspects(lab, browser, http3):  # noqa: F811
    """The control: without rules the same load is answered, so the refusal above is the daemon's."""
    server = http3("denied", DENIED)
    document = browser.load(
        "https://denied.net/", OVER_HTTP3.format("denied.net"), f"--host-resolver-rules=MAP denied.net {DENIED}"
    )
    assert "HTTP/3.0 denied.net" in document
    assert ("HTTP/3.0", "denied.net") in server.requests()


def test_chromium_over_tcp_is_named_and_answered(lab, daemon, browser, told):  # noqa: F811
    running = daemon()
    document = browser.load("https://docs-site.org/", "--disable-quic")
    assert "docs GET docs-site.org" in document
    event = running.wait_for(event_type="tls", tls__sni="docs-site.org")
    # A key share of ML-KEM, so that the hello takes two segments, and the extension of an encrypted hello.
    assert event["egress"]["tls"]["post_quantum"] is True
    assert event["egress"]["tls"]["ech"] is True
    assert event["egress"]["destination"]["key"] == "docs-site.org"
    assert {entry["host"] for entry in lab.requests_seen()} == {"docs-site.org"}
    assert not running.find(event_type="drop")
    assert not running.alerts("evasion")
    told("ordinary clients", "Chromium over TCP, a hello of two segments", "named and answered; no packet refused, no `evasion` flag")


def test_denied_name_of_chromium_over_tcp_never_reaches_its_server(lab, daemon, browser, told):  # noqa: F811
    running = daemon()
    document = browser.load("https://denied.net/", "--disable-quic", f"--host-resolver-rules=MAP denied.net {DENIED}")
    assert "denied GET denied.net" not in document
    event = running.wait_for(event_type="drop", egress__verdict__reason="denied-name")
    assert event["proto"] == "TCP"
    assert not lab.requests_seen()
    told("a denied name in Chromium", "a page over TCP, its address known beforehand", verdict(running))
