#!/usr/bin/python3
"""Writes docs/evasion.md out of the report of its live tests. For scripts/evasion.sh.

usage: evasion_table.py REPORT COMMIT
"""

import sys
from xml.etree import ElementTree

HEAD = """# Evasion

Tricks that have been used against inspectors, each a live test (`test_evasion.py`, `test_smuggling.py` and `test_browser.py` in `Tests/live`): an agent in a network namespace of its own sends it through the rules and the daemon to a server that would have answered. This page is the report of the last run; `sudo scripts/evasion.sh` runs the tests and writes it anew.

A trick is met when the denied name is refused by that name (`denied-name`), or the flow is refused as evasive (`evasion`): the bytes that the server would read contradict those that were seen. The controls send the same where nobody inspects, and the server answers them, so that it is not the trick's own clumsiness that ends the connection. Where the agent feels `ok`, the server answered the harmless bytes, and never read the denied name.
"""

NOTES = """
## What this does not show

- **Time.** A byte of the hello every 30 seconds is tested with a simulated clock (`EvasionTests`: *by one byte a segment with 30 seconds between them*); live, the gaps are those that the table says. No verdict depends on a clock: a flow stays queued until its hello is complete, is known to be none, or has passed 16 KiB.
- **Hops.** In the lab the agent's packets meet one router. That a packet's TTL ends before the server is brought about by the server's side, which drops what arrives with one hop left.
- **TCP Fast Open** is tested by data in the SYN as a raw client sends it; the lab's server has no cookie to give, so it ignores that data, which is just what the fake relies on.
- **What is not compared.** Hellos, heads, questions and unknown bytes are compared with other copies of them until the server has answered. Bodies are not, the sizes between the chunks of one included, nor is anything behind 64 KiB of an unknown protocol: who lets the first copy of such bytes be lost on the way can put a request or a hello in their place. It is then charged to the flow's address, which deny-lists of addresses see.
- Servers differ in what they put up with. The tests fix what the daemon does, for nginx, for Caddy over HTTP/3, and for servers made to read the end of a body in one way or another.
"""


def main(report, commit):
    """Writes the page to standard output; exit 1 when a test failed."""
    rows, controls, others, failures, skipped = [], [], [], [], []
    for case in ElementTree.parse(report).iter("testcase"):
        told = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
        name = case.get("name")
        if any(child.tag in ("failure", "error") for child in case):
            failures.append(name)
        elif case.find("skipped") is not None:
            skipped.append(name)
        elif told:
            rows.append((told["trick"], told["sent"], told["happened"]))
        elif "where_nobody_inspects" in name:
            controls.append(name)
        else:
            others.append(name)
    print(HEAD)
    print("| trick | what was sent | what happened |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |")
    print(f"\nControls: {len(controls)} of them sent where nobody inspects, all answered by the server.", end=" ")
    print(f"Beside these, {len(others)} tests that hellos in odd forms are named, and denied ones refused, passed.")
    for title, names in (("Failed", failures), ("Skipped", skipped)):
        if names:
            print(f"\n**{title}:** " + ", ".join(f"`{name}`" for name in names))
    print(f"\nRun at commit {commit}.")
    print(NOTES, end="")
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:]))
