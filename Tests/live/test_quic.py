"""QUIC is judged by the names inside its Initial packets, one connection at a time."""

import pytest

from quic_support import DENIED, DOCS, ask, get, second_is_refused, server  # noqa: F401  (a fixture)


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
    second_is_refused(lab, daemon(), server())


def test_denied_name_over_quic_goes_through_when_observing(lab, daemon, server):
    running = daemon(mode="observe", onFailure={"daemonAbsent": "open"})
    server()
    assert get(lab, "1", DENIED, "denied.net")[0]["outcome"] == "ok"
    running.wait_for(event_type="quic", quic__sni="denied.net", egress__verdict__would="reject")
