"""The budget counts what can be proved: names by trusted answers, else addresses."""

from conftest import AT_ONCE_MS, LYING_RESOLVER, RESOLVERS


def budget(destinations, on_reach):
    """An agent type with this budget."""
    return {
        "research": {
            "budget": {"destinations": destinations, "window": "session", "onReach": on_reach, "warnAt": 0.8}
        }
    }


def used(running):
    """The highest budget figure in the events."""
    figures = [event.get("egress", {}).get("budget", {}).get("used", 0) for event in running.events()]
    return max(figures, default=0)


def test_hold_stops_the_next_destination_while_old_ones_go_on(lab, daemon):
    running = daemon(agentTypes=budget(3, "hold"))
    for number in (1, 2, 3):
        assert lab.curl(f"https://dest{number}.com/")[0] == 0
    status, milliseconds, _ = lab.curl("https://dest4.com/")
    assert status != 0
    assert milliseconds < 1500  # the question is refused; a timeout would take five seconds
    by_address = lab.agent("tls", "93.184.217.4", "dest4.com")
    assert by_address["outcome"] in ("reset", "refused")
    assert by_address["ms"] < AT_ONCE_MS
    assert lab.curl("https://dest1.com/")[0] == 0
    assert lab.curl("https://dest3.com/")[0] == 0
    held = running.wait_for(egress__verdict__reason="budget-held")
    assert held["egress"]["verdict"]["action"] == "reject"
    assert held["egress"]["budget"] == {"used": 3, "ceiling": 3}
    assert "dest4.com" not in {seen["sni"] for seen in lab.requests_seen()}
    assert len(running.alerts("budget-reached")) == 1


def test_flag_only_flags_once(lab, daemon):
    running = daemon(agentTypes=budget(2, "flag"))
    for number in (1, 2, 3, 4):
        assert lab.curl(f"https://dest{number}.com/")[0] == 0
    running.wait_for(event_type="tls", tls__sni="dest4.com")
    assert len(running.alerts("budget-reached")) == 1
    # A flag on a session has no addresses.
    assert "src_ip" not in running.alerts("budget-reached")[0]


def test_hosts_of_one_registrable_domain_are_one_destination_and_of_a_public_suffix_are_not(lab, daemon):
    running = daemon()
    for name in ("docs-site.org", "www.docs-site.org"):
        assert lab.curl(f"https://{name}/")[0] == 0
    running.wait_for(event_type="tls", tls__sni="www.docs-site.org")
    assert used(running) == 1
    for name in ("alice.github.io", "bob.github.io"):
        assert lab.curl(f"https://{name}/")[0] == 0
    running.wait_for(event_type="tls", tls__sni="bob.github.io")
    assert used(running) == 3


def test_one_name_to_fifty_addresses_costs_fifty(lab, daemon):
    running = daemon()
    addresses = [f"93.184.217.{number}" for number in range(1, 51)]
    results = lab.agent("many", "docs-site.org", *addresses, timeout=60)
    assert {result["outcome"] for result in results} == {"ok"}
    running.wait_for(egress__destination__key="93.184.217.50")
    events = running.find(egress__destination__evidence="sni-unverified")
    assert {event["egress"]["destination"]["key"] for event in events} == set(addresses)
    assert used(running) == 50


def test_uncorroborated_name_is_charged_to_the_address(lab, daemon):
    running = daemon()
    assert lab.agent("tls", "93.184.216.10", "docs-site.org")["outcome"] == "ok"
    event = running.wait_for(event_type="tls", tls__sni="docs-site.org")
    assert event["egress"]["destination"]["key"] == "93.184.216.10"
    assert event["egress"]["destination"]["evidence"] == "sni-unverified"


def test_answer_behind_a_chain_of_aliases_corroborates(lab, daemon):
    running = daemon()
    assert lab.curl("https://static.news-site.com/")[0] == 0
    event = running.wait_for(event_type="tls", tls__sni="static.news-site.com")
    assert event["egress"]["destination"]["key"] == "news-site.com"
    assert event["egress"]["destination"]["evidence"] == "sni"


def test_lying_resolver_buys_nothing(lab, daemon):
    running = daemon()
    (lie,) = lab.agent("ask", LYING_RESOLVER, "docs-site.org", "A")
    assert lie["outcome"] == "ok"
    assert lab.agent("tls", "93.184.216.15", "docs-site.org")["outcome"] == "ok"
    event = running.wait_for(event_type="tls", tls__sni="docs-site.org")
    assert event["egress"]["destination"]["key"] == "93.184.216.15"
    assert event["egress"]["destination"]["evidence"] == "sni-unverified"


def test_name_that_was_only_looked_up_counts(lab, daemon):
    running = daemon()
    lab.agent("ask", RESOLVERS[0], "dest9.com", "A")
    event = running.wait_for(egress__destination__key="dest9.com")
    assert event["egress"]["destination"]["evidence"] == "dns-query"
    assert event["egress"]["destination"]["new"] is True
    # The resolver itself is no destination.
    assert used(running) == 1
