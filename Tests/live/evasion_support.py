"""What the tests of evasion share: playing a trick, its verdict, and the report that docs/evasion.md is made of."""

import json

import pytest

from conftest import AGENT, wait_until

DENIED, DENIED6 = "93.184.216.15", "2606:2800:220:1::15"


@pytest.fixture
def told(request):
    """A function that writes into the report what a trick was and what came of it."""

    def write(trick, sent, happened, felt=None):
        felt = f"; the agent feels: {felt}" if felt else ""
        request.node.user_properties += [("trick", trick), ("sent", sent), ("happened", happened + felt)]

    return write


def trick(lab, *words, timeout=60):
    """Runs tricks.py in the agent's namespace; returns its JSON."""
    script = AGENT.with_name("tricks.py")
    result = lab.run("agent", "/usr/bin/python3", "-B", script, *words, timeout=timeout, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def verdict(running, *allowed):
    """Waits for the refusal, which must be of one of these reasons; says it in words."""
    allowed = allowed or ("denied-name",)
    found = wait_until(
        lambda: [e for e in running.find(event_type="drop") if e["egress"]["verdict"]["reason"] in allowed],
        what=f"a refusal for {allowed}",
    )
    decided = found[0]["egress"]["verdict"]
    assert decided["action"] == "reject"
    return f"rejected, `{decided['reason']}`"
