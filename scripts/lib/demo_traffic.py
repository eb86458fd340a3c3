"""The demo's agent: makes requests in the lab and shows beside each what the daemon decided and why.

usage: demo_traffic.py PREFIX CA EVENTS

Run by scripts/demo.sh. PREFIX is the lab's; EVENTS the daemon's event file.
"""

import json
import os
import subprocess
import sys
import time

# What curl's exit status means to who waits for an answer.
CURL_ENDS = {6: "not resolved", 7: "refused", 28: "timed out", 35: "reset", 52: "closed", 56: "reset"}

DENIED = "93.184.216.15"
SCENES = [
    (
        "Ordinary work: every registrable domain is one destination, over either family",
        [
            ("https://docs-site.org/", ["-4"]),
            ("https://www.docs-site.org/", ["-6"]),
            ("https://alice.github.io/", []),
            ("https://bob.github.io/", []),
            ("http://static.news-site.com/", []),
        ],
    ),
    (
        "Denied by name: at the DNS question, in the TLS hello, in the HTTP head",
        [
            ("https://evil-paste.com/", []),
            ("https://sub.denied.net/", ["--resolve", f"sub.denied.net:443:{DENIED}"]),
            ("http://api-service.com/", ["-H", "Host: evil-paste.com"]),
        ],
    ),
    ("Denied by address: at the first packet", [("https://listed-address.com/", ["-4"])]),
    (
        "A name is a claim: this one was never looked up, so the address is what counts",
        [("https://docs-site.org/", ["-k", "--resolve", "docs-site.org:443:93.184.217.40"])],
    ),
    (
        "Over budget: new destinations are held, old ones go on",
        [
            ("https://dest1.com/", []),
            ("https://dest2.com/", []),
            ("https://dest3.com/", []),
            ("https://dest4.com/", ["-k", "--resolve", "dest4.com:443:93.184.217.4"]),
            ("https://docs-site.org/", []),
        ],
    ),
]

COLUMNS = [("request", 44), ("the client saw", 22), ("decision", 9), ("reason", 15), ("destination (evidence)", 42), ("budget", 7)]
COLOURS = {"accept": "32", "reject": "31", "drop": "31"} if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else {}


def note(options):
    """What is unusual about a request, in a word or two."""
    if "--resolve" in options:
        return " at " + options[options.index("--resolve") + 1].split(":", 2)[2]
    if "-H" in options:
        return " as " + options[options.index("-H") + 1].split(" ")[1]
    return {"-4": " (IPv4)", "-6": " (IPv6)"}.get("".join(options), "")


class Demo:
    """The lab's agent and the daemon's events."""

    def __init__(self, prefix, authority, events):
        self.prefix, self.authority, self.events_path = prefix, authority, events
        self.offset = 0

    def request(self, address, options):
        """Makes a request; returns what the client saw."""
        result = subprocess.run(
            ["ip", "netns", "exec", f"{self.prefix}-agent", "curl", "-s", "-o", os.devnull, "--max-time", "5"]
            + ["--cacert", self.authority, "-w", "%{http_code} %{time_total}", *options, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        status, seconds = (result.stdout.split() + ["000", "0"])[:2]
        milliseconds = float(seconds) * 1000
        word = status if result.returncode == 0 else CURL_ENDS.get(result.returncode, f"curl error {result.returncode}")
        return f"{word}, {milliseconds:.0f} ms" if milliseconds >= 1 else f"{word}, {milliseconds:.1f} ms"

    def new_events(self):
        """Whole lines since the last look."""
        try:
            with open(self.events_path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def settled_events(self):
        """The events of a request: all until nothing has come for a while."""
        events, deadline, quiet = [], time.monotonic() + 3, 0
        while time.monotonic() < deadline and not (quiet >= 4 and events):
            time.sleep(0.05)
            new = self.new_events()
            events += new
            quiet = 0 if new else quiet + 1
        return events


def deciding(events):
    """The event that shows why a request ended as it did: a refusal, else the latest with a destination."""
    judged = [event for event in events if event.get("egress", {}).get("verdict")]
    refused = [event for event in judged if event["egress"]["verdict"]["action"] != "accept"]
    named = [event for event in judged if event["egress"].get("destination")]
    content = [event for event in named if event["event_type"] in ("tls", "http")]
    for choice in (refused, content, named, judged):
        if choice:
            return choice[-1]["egress"]
    return {}


def row(cells, colour=None):
    """One line of the table; only the decision is coloured."""
    texts = []
    for (name, width), cell in zip(COLUMNS, cells):
        text = cell[: width - 1].ljust(width)
        texts.append(f"\033[{colour}m{text}\033[0m" if colour and name == "decision" else text)
    return "".join(texts).rstrip()


def show(demo, address, options):
    """One request and its row."""
    saw = demo.request(address, options)
    events = demo.settled_events()
    egress = deciding(events)
    verdict, destination, budget = (egress.get(key) or {} for key in ("verdict", "destination", "budget"))
    listed = verdict.get("list")
    where = destination.get("key", "-")
    if destination.get("evidence"):
        where += f" ({destination['evidence']})"
    if listed:
        where = f"list {listed['name']}, line {listed['line']}: {listed['entry']}"
    figures = f"{budget['used']}/{budget.get('ceiling', '-')}" if "used" in budget else "-"
    action = verdict.get("action", "-")
    cells = [address + note(options), saw, action, verdict.get("reason", "no event"), where, figures]
    print("  " + row(cells, COLOURS.get(action)), flush=True)
    return [event for event in events if event["event_type"] == "alert"]


def main(prefix, authority, events):
    """Plays all scenes; fails if a request left no event at all."""
    demo = Demo(prefix, authority, events)
    demo.new_events()
    alerts = []
    print("\n  " + row([name for name, _ in COLUMNS]))
    for title, requests in SCENES:
        print(f"\n  {title}")
        for address, options in requests:
            alerts += show(demo, address, options)
    print("\n  Flags raised for the reviewers")
    for alert in alerts:
        flag = alert["egress"]["flag"]
        print(f"  {flag['kind']:<18}{alert['egress'].get('session', '-'):<10}{flag.get('summary', '')}")
    if not alerts:
        print("  none")
    if demo.offset == 0:
        sys.exit("demo_traffic.py: the daemon wrote no events")


if len(sys.argv) != 4:
    sys.exit(__doc__)
main(*sys.argv[1:])
