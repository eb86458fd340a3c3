"""A category's action is felt at the question, the hello and the head; the rest of the agent's traffic goes on."""

import json
import subprocess

import pytest

from conftest import DAEMON, RESOLVERS, SESSION, wait_until
from test_verdicts import refused_at_once

DOCS, API = "93.184.216.10", "93.184.216.11"


@pytest.fixture
def categorised(daemon, tmp_path):
    """A function that starts a daemon in which api-service.com is a paste site, with this action."""

    def start(action, **changes):
        (tmp_path / "paste.txt").write_text("# ours\napi-service.com\n")
        (tmp_path / "docs.txt").write_text("0.0.0.0 docs-site.org\n")
        categories = [
            {"builtin": "default"},
            {"category": "paste", "path": str(tmp_path / "paste.txt"), "format": "domains"},
            {"category": "our-docs", "path": str(tmp_path / "docs.txt"), "format": "hosts"},
        ]
        types = {"research": {"categoryActions": {"paste": action}}}
        return daemon(**{"categories": categories, "agentTypes": types, **changes})

    return start


def set_action(running, action):
    """Changes the action and reloads."""
    configuration = json.loads(running.configuration_path.read_text())
    configuration["agentTypes"]["research"]["categoryActions"] = {"paste": action}
    running.write(configuration)
    before = len(running.find(event_type="stats", egress__kind="reloaded"))
    running.process.send_signal(1)
    wait_until(
        lambda: len(running.find(event_type="stats", egress__kind="reloaded")) > before, 5, "the reload"
    )


def test_rejected_category_is_refused_at_the_question_alone(lab, categorised):
    running = categorised("reject")
    answers = lab.agent("ask", RESOLVERS[0], "api-service.com", "A", "docs-site.org", "A")
    assert refused_at_once(answers[0])
    assert answers[1]["outcome"] == "ok"
    event = running.wait_for(event_type="dns", egress__verdict__reason="category-denied")
    assert event["egress"]["destination"]["category"] == "paste"
    assert event["egress"]["destination"]["new"] is False
    assert "api-service.com" not in lab.questions_seen()
    flag = wait_until(lambda: running.alerts("category-flagged"), 5, "the flag")[0]["egress"]["flag"]
    assert flag["evidence"]["entry"] == "api-service.com" and flag["evidence"]["line"] == 2
    (session,) = running.session_json("list")
    assert session["budget"]["used"] == 1
    running.wait_for(event_type="dns", egress__destination__category="our-docs")


@pytest.mark.parametrize("place", ["tls", "http"])
def test_rejected_category_is_refused_at_hello_and_head(lab, categorised, place):
    running = categorised("accept")
    assert lab.agent("ask", RESOLVERS[0], "api-service.com", "A")[0]["outcome"] == "ok"
    set_action(running, "reject")
    if place == "tls":
        assert refused_at_once(lab.agent("tls", API, "api-service.com"))
    else:
        (answer,) = lab.agent("http", API, "/", "api-service.com")
        assert refused_at_once(answer)
    event = running.wait_for(event_type=place, egress__verdict__reason="category-denied")
    assert event["egress"]["destination"]["category"] == "paste"
    assert not lab.requests_seen()
    status, _, body = lab.curl("https://docs-site.org/")
    assert (status, body) == (0, "docs GET docs-site.org\n")


def test_second_request_to_a_rejected_category_on_a_kept_alive_connection_is_refused(lab, categorised):
    running = categorised("reject")
    answers = lab.agent("http", DOCS, "/", "docs-site.org", "api-service.com")
    assert answers[0]["outcome"] == "ok"
    assert refused_at_once(answers[1])
    running.wait_for(event_type="http", egress__verdict__reason="category-denied")


def test_held_category_goes_on_where_it_was_contacted_and_nowhere_else(lab, categorised):
    running = categorised("hold")
    assert refused_at_once(lab.agent("ask", RESOLVERS[0], "api-service.com", "A")[0])
    running.wait_for(event_type="dns", egress__verdict__reason="category-held")
    set_action(running, "accept")
    assert lab.agent("ask", RESOLVERS[0], "api-service.com", "A")[0]["outcome"] == "ok"
    set_action(running, "hold")
    assert lab.agent("tls", API, "api-service.com")["outcome"] == "ok"
    detail = running.session_json("show", SESSION)
    assert [one["category"] for one in detail["destinations"]] == ["paste"]


def test_flagged_category_goes_through_with_one_flag(lab, categorised):
    running = categorised("flag")
    for _ in range(2):
        status, _, body = lab.curl("http://api-service.com/")
        assert status == 0 and "api-service.com" in body
    running.wait_for(event_type="http", egress__destination__category="paste")
    assert len(wait_until(lambda: running.alerts("category-flagged"), 5, "the flag")) == 1
    running.session("end", SESSION)
    end = running.wait_for(event_type="stats", egress__kind="session-end")
    assert end["egress"]["categories"]["paste"]["destinations"] == 1
    assert end["egress"]["categories"]["paste"]["contacts"] >= 2


def test_observe_mode_says_what_the_category_would_do(lab, categorised):
    running = categorised("reject", mode="observe", onFailure={"daemonAbsent": "open"})
    status, _, body = lab.curl("http://api-service.com/")
    assert status == 0 and "api-service.com" in body
    event = running.wait_for(event_type="http", egress__verdict__reason="category-denied")
    assert (event["egress"]["verdict"]["action"], event["egress"]["verdict"]["would"]) == ("accept", "reject")


def test_command_says_which_entry_decided(categorised):
    running = categorised("accept")

    def category(*words):
        command = [str(DAEMON), "category", *words, "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout)

    configured = ["--config", str(running.configuration_path)]
    found = category("x.api-service.com", *configured)
    assert (found["category"], found["entry"], found["line"]) == ("paste", "api-service.com", 2)
    assert found["list"].endswith("/paste.txt") and found["destination"] == "api-service.com"
    assert category("api-service.com")["category"] == "unknown"
    assert category("gist.github.com")["list"] == "builtin:paste"
