"""What is allowed goes through; what is denied is refused at once, whichever way it is named."""

import pytest

from conftest import AT_ONCE_MS, HOST_RESOLVER, RESOLVERS, SESSION

DOCS = {4: "93.184.216.10", 6: "2606:2800:220:1::10"}
DENIED = {4: "93.184.216.15", 6: "2606:2800:220:1::15"}
LISTED = {4: "93.184.216.33", 6: "2606:2800:220:1:32::1"}
RESOLVER = {4: RESOLVERS[0], 6: RESOLVERS[1]}
both_families = pytest.mark.parametrize("family", [4, 6])


def refused_at_once(result):
    """A refusal that the agent feels, not a timeout."""
    assert result["outcome"] in ("reset", "refused", "unreachable"), result
    assert result["ms"] < AT_ONCE_MS, result
    return True


@both_families
def test_allowed_https_request_succeeds_and_is_recorded(lab, daemon, family):
    running = daemon()
    status, _, body = lab.curl(f"-{family}", "https://docs-site.org/")
    assert (status, body) == (0, "docs GET docs-site.org\n")
    event = running.wait_for(event_type="tls", tls__sni="docs-site.org")
    assert event["src_ip"] == {4: "10.88.0.7", 6: "fd00:88::7"}[family].lower()
    assert event["dest_port"] == 443
    egress = event["egress"]
    assert egress["session"] == SESSION
    assert egress["agent_type"] == "research"
    assert egress["destination"]["key"] == "docs-site.org"
    assert egress["destination"]["evidence"] == "sni"
    assert egress["destination"]["external"] is True
    assert egress["verdict"]["action"] == "accept"


@both_families
def test_denied_server_name_is_reset_at_once(lab, daemon, family):
    running = daemon()
    assert refused_at_once(lab.agent("tls", DENIED[family], "sub.denied.net"))
    event = running.wait_for(egress__verdict__reason="denied-name")
    assert event["egress"]["verdict"]["action"] == "reject"
    assert event["egress"]["verdict"]["list"]["name"] == "names"
    assert not lab.requests_seen()
    # The flow was refused, not the agent.
    assert lab.agent("tls", DOCS[family], "docs-site.org")["outcome"] == "ok"


@both_families
def test_denied_question_is_refused_at_once_and_its_socket_lives_on(lab, daemon, family):
    running = daemon()
    names = ["denied.net", "A", "docs-site.org", "A", "sub.denied.net", "AAAA", "docs-site.org", "AAAA"]
    answers = lab.agent("ask", RESOLVER[family], *names)
    assert refused_at_once(answers[0]) and refused_at_once(answers[2])
    assert [answers[i]["outcome"] for i in (1, 3)] == ["ok", "ok"]
    assert all(answers[i]["matches"] and answers[i]["answers"] == 1 for i in (1, 3))
    running.wait_for(event_type="dns", egress__verdict__reason="denied-name")
    assert "denied.net" not in lab.questions_seen()


def test_denied_question_over_tcp_is_refused_at_once(lab, daemon):
    running = daemon()
    (answer,) = lab.agent("ask", RESOLVERS[0], "tcp", "evil-paste.com", "A")
    assert refused_at_once(answer)
    running.wait_for(egress__verdict__reason="denied-name")
    assert "evil-paste.com" not in lab.questions_seen()


@both_families
def test_denied_address_is_refused_at_its_first_packet(lab, daemon, family):
    running = daemon()
    assert refused_at_once(lab.agent("connect", LISTED[family], 80))
    event = running.wait_for(egress__verdict__reason="denied-address")
    assert event["egress"]["verdict"]["list"]["name"] == "addresses"
    assert lab.agent("connect", DOCS[family], 80)["outcome"] == "ok"


def test_denied_host_header_is_refused_at_once(lab, daemon):
    running = daemon()
    (answer,) = lab.agent("http", "93.184.216.10", "/", "evil-paste.com")
    assert refused_at_once(answer)
    running.wait_for(egress__verdict__reason="denied-name")


def test_denied_host_on_a_kept_alive_connection_is_refused(lab, daemon):
    running = daemon()
    answers = lab.agent("http", "93.184.216.11", "/", "api-service.com", "api-service.com", "denied.net")
    assert [answer["outcome"] for answer in answers[:2]] == ["ok", "ok"]
    assert refused_at_once(answers[2])
    running.wait_for(egress__verdict__reason="denied-name")
    assert not [seen for seen in lab.requests_seen() if seen["host"] == "denied.net"]


@pytest.mark.parametrize("target,allowed", [("docs-site.org:443", True), ("denied.net:443", False)])
def test_connect_target_is_judged(lab, daemon, target, allowed):
    running = daemon()
    result = lab.agent("proxy", "93.184.216.20", 3128, target)
    if allowed:
        assert (result["outcome"], result["status"]) == ("ok", 200)
    else:
        assert refused_at_once(result)
        running.wait_for(egress__verdict__reason="denied-name")


def test_question_to_a_resolver_on_the_host_is_judged(lab, daemon):
    running = daemon(trustedResolvers=[*RESOLVERS, HOST_RESOLVER])
    refused, answered = lab.agent("ask", HOST_RESOLVER, "denied.net", "A", "api-service.com", "A")
    assert refused_at_once(refused)
    assert (answered["outcome"], answered["answers"]) == ("ok", 1)
    running.wait_for(event_type="dns", egress__verdict__reason="denied-name", dest_ip=HOST_RESOLVER)
    # What it answers counts as evidence, like any trusted resolver's answer.
    assert lab.agent("tls", "93.184.216.11", "api-service.com")["outcome"] == "ok"
    event = running.wait_for(event_type="tls", tls__sni="api-service.com")
    assert event["egress"]["destination"]["evidence"] == "sni"


def test_observe_mode_blocks_nothing_and_says_what_it_would_do(lab, daemon):
    running = daemon(mode="observe", onFailure={"daemonAbsent": "open"})
    assert lab.agent("tls", DENIED[4], "denied.net")["outcome"] == "ok"
    assert lab.agent("connect", LISTED[4], 80)["outcome"] == "ok"
    (question,) = lab.agent("ask", RESOLVERS[0], "evil-paste.com", "A")
    assert question["outcome"] == "ok"
    running.wait_for(event_type="tls", tls__sni="denied.net", egress__verdict__would="reject")
    running.wait_for(egress__verdict__would="reject", egress__verdict__reason="denied-address")
    assert not running.find(egress__verdict__action="reject")


def test_exception_lifts_a_denial(lab, daemon):
    daemon(denyExceptions=["sub.denied.net"])
    assert lab.agent("tls", DENIED[4], "sub.denied.net")["outcome"] == "ok"
    assert refused_at_once(lab.agent("tls", DENIED[4], "other.denied.net"))
