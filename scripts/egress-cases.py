#!/usr/bin/python3
"""Runs the cases of agent-egress-bench through live rules and the running daemon.

usage: egress-cases.py --cases DIRECTORY [--daemon PROGRAM] [--markdown FILE] [--events FILE]      (as root)

agent-egress-bench (https://github.com/luckyPipewrench/agent-egress-bench) is a public corpus whose cases each hold
one request of an agent and the verdict that an egress control should give. Its own runners speak to proxies. This
one works on packets: each case is a session of its own (a source address of its own), which looks its host up and
then sends its request as plain HTTP over the lab of scripts/lab.sh; the daemon's events tell what came of it.

A case counts as noticed when its session was flagged or refused. nfq-egressd looks at destinations, shapes and
amounts, never at content, so a part of the cases cannot be seen by it: they are sent like the others, and counted
apart. What never leaves the agent (loopback, pipes) is not sent at all. Both are told by the case's own fields, before
the daemon is asked (see `scope`).

  --cases      the corpus: a directory with JSON files, at any depth
  --daemon     the daemon (default: .build/release/nfq-egressd, else .build/debug/nfq-egressd)
  --markdown   writes the table there as well
  --events     keeps the daemon's events there

Exit 0 when every case was run, whatever the score; 1 when one could not be.
"""

import http.client
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import lab_run

PREFIX = f"nfqcases-{os.getpid()}"
RESOLVER = "93.184.217.253"
SERVER = "93.184.217.80"
# The host's own policy for what agents must never reach, as a platform team would write it.
NEVER = ["10.0.0.0/8"]
LISTED = ["exfil-collector.example.net"]  # the corpus asks its runners to list this name


# --- what a case is ----------------------------------------------------------------------------------------------------


class Case:
    """One case: its request, and what should come of it."""

    def __init__(self, path):
        fields = json.loads(path.read_text())
        self.id, self.kind = fields["id"], fields["category"]
        self.expected = fields["expected_verdict"]
        self.why = fields.get("why_expected", "")
        self.tags = set(fields.get("capability_tags", []))
        self.input_type = fields.get("input_type", "")
        payload = fields["payload"]
        self.url = payload.get("url")
        self.method = payload.get("method", "GET")
        self.headers = dict(payload.get("headers", {}))
        self.body = payload.get("body")
        if payload.get("content_type"):
            self.headers.setdefault("Content-Type", payload["content_type"])

    @property
    def host(self):
        """The host as the URL writes it."""
        authority = urllib.parse.urlsplit(self.url).netloc.rpartition("@")[2]
        return authority.partition("]")[0][1:] if authority.startswith("[") else authority.partition(":")[0]

    @property
    def target(self):
        """Everything behind the authority, byte for byte."""
        rest = self.url.partition("://")[2]
        return "/" + rest.partition("/")[2]

    @property
    def literal(self):
        """The host's address if it is written as one, in any form that inet_aton reads."""
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            try:
                return ipaddress.ip_address(socket.inet_aton(self.host))
            except OSError:
                return None
        return getattr(address, "ipv4_mapped", None) or address

    def scope(self):
        """Why the case is not one of shape and destination, or None: by its fields alone."""
        if self.url is None:
            return "no network: a message on a pipe between an agent and its tool"
        if self.literal is not None and (self.literal.is_loopback or self.literal.is_unspecified):
            return "no network: loopback never leaves the agent"
        if self.expected == "allow":
            return None
        if "header_dlp" in self.tags:
            return "content: a secret in a header value"
        if "request_body_dlp" in self.tags:
            return "content: a secret in a body"
        return None

    @property
    def is_sent(self):
        """Whether there is a packet to look at."""
        return not (self.scope() or "").startswith("no network")


# --- in the agent's namespace ------------------------------------------------------------------------------------------


def look_up(name, source):
    """Asks the resolver for an IPv4 address; None when it is refused or silent."""
    question = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".")) + b"\0" + b"\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind((source, 0))
        asker.settimeout(1)
        asker.connect((RESOLVER, 53))
        try:
            asker.send(os.urandom(2) + b"\1\0\0\1\0\0\0\0\0\0" + question)
            return socket.inet_ntoa(asker.recv(512)[-4:])
        except OSError:
            return None


def send(case, source):
    """Sends a case's request; returns what the agent saw."""
    address = str(case.literal) if case.literal is not None else look_up(case.host, source)
    if address is None:
        return "lookup refused"
    connection = http.client.HTTPConnection(address, 80, timeout=2, source_address=(source, 0))
    try:
        connection.putrequest(case.method, case.target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"[{case.host}]" if ":" in case.host else case.host)
        body = None if case.body is None else case.body.encode()
        for name, value in case.headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return f"answered {connection.getresponse().status}"
    except OSError as error:
        return f"failed: {error.strerror or error}"
    finally:
        connection.close()


def as_agent(paths):
    """The agent's part: each case from the source address that stands before it."""
    for line in paths:
        source, _, path = line.partition(" ")
        print(json.dumps(send(Case(pathlib.Path(path)), source)), flush=True)


def as_resolver():
    """The internet's part: any name has the server's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((RESOLVER, 53))
        while True:
            question, asker = server.recvfrom(512)
            if len(question) < 17:
                continue
            head = question[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
            record = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 300, 4) + socket.inet_aton(SERVER)
            server.sendto(head + question[12:] + record, asker)


# --- the run ------------------------------------------------------------------------------------------------------------


def configuration(cases, work):
    """The daemon's configuration: the defaults, and a session for each case."""
    (work / "listed.txt").write_text("\n".join(LISTED) + "\n")
    (work / "never.txt").write_text("\n".join(NEVER) + "\n")
    return lab_run.configuration_for(
        work,
        [(source, case.id[:64]) for source, case in cases.items()],
        trustedResolvers=[RESOLVER],
        denyLists=[
            {"name": "builtin-metadata", "builtin": "cloud-metadata", "action": "reject"},
            {"name": "listed", "path": str(work / "listed.txt"), "format": "domains"},
            {"name": "never", "path": str(work / "never.txt"), "format": "cidr"},
        ],
    )


def run_all(files, daemon, work):
    """Sends every case; returns what each agent saw and the daemon's events."""
    cases = {f"10.88.0.{100 + number}": case for number, (_, case) in enumerate(files)}
    if len(cases) > 150:
        lab_run.fail("more than 150 cases; the lab has no addresses for them")
    with lab_run.LabRun(PREFIX, work) as lab:
        for source in cases:
            subprocess.run(["ip", "-n", f"{PREFIX}-agent", "addr", "add", f"{source}/24", "dev", "eth0"], check=True)
        lab.start("internet", sys.executable, "-B", __file__, "--as-resolver")
        running = lab.start_daemon(daemon, configuration(cases, work))
        words = [f"{source} {path}" for source, (path, case) in zip(cases, files) if case.is_sent]
        client = lab.start("agent", sys.executable, "-B", __file__, "--as-agent", *words, stdout=subprocess.PIPE, text=True)
        lines = client.communicate(timeout=10 * len(words))[0].splitlines()
        seen = dict(zip([word.partition(" ")[0] for word in words], map(json.loads, lines)))
        lab_run.end(running)  # it ends its flows and writes the last of its events
        return {case.id: seen.get(source) for source, case in cases.items()}, lab.events()


def findings(events):
    """By session: the kinds of its flags and the reasons for which it was refused."""
    found = {}
    for event in events:
        egress = event.get("egress", {})
        kinds = found.setdefault(egress.get("session"), set())
        if event["event_type"] == "alert":
            kinds.add(egress["flag"]["kind"])
        elif event["event_type"] == "drop":
            kinds.add(f"{egress['verdict']['action']}: {egress['verdict']['reason']}")
    return found


def report(cases, seen, found):
    """The table, as Markdown lines."""
    lines = ["| case | expected | scope | what the agent saw | flags and refusals | |", "|---|---|---|---|---|---|"]
    score = {"noticed": [0, 0], "left alone": [0, 0], "beyond": [0, 0]}
    for case in sorted(cases, key=lambda case: (case.kind, case.id)):
        kinds = sorted(found.get(case.id[:64], ()))
        scope = case.scope()
        if not case.is_sent:
            verdict = "not sent"
        else:
            is_right = bool(kinds) == (case.expected == "block")
            verdict = "as expected" if is_right else "false alarm" if kinds else "missed"
            row = "beyond" if scope else "noticed" if case.expected == "block" else "left alone"
            score[row][0] += is_right
            score[row][1] += 1
        what = ", ".join(kinds) or "none"
        lines.append(
            f"| `{case.id}` | {case.expected} | {scope or 'shape or destination'} | {seen.get(case.id) or ''} "
            f"| {what} | {verdict} |"
        )
    unsent = sum(not case.is_sent for case in cases)
    lines += [
        "",
        "| | as expected | of |",
        "|---|---|---|",
        "| should be noticed, by shape or destination | {} | {} |".format(*score["noticed"]),
        "| should be left alone | {} | {} |".format(*score["left alone"]),
        "| should be noticed, but only the content tells | {} | {} |".format(*score["beyond"]),
        f"| never leaves the agent: not sent | | {unsent} |",
    ]
    return lines


def main():
    if sys.argv[1:2] == ["--as-agent"]:
        return as_agent(sys.argv[2:])
    if sys.argv[1:2] == ["--as-resolver"]:
        return as_resolver()
    parser = lab_run.parser_for(__doc__)
    parser.add_argument("--cases", type=pathlib.Path, required=True)
    options = lab_run.options_of(parser)
    files = [(path, Case(path)) for path in sorted(options.cases.resolve().rglob("*.json"))]
    if not files:
        lab_run.fail(f"no case under {options.cases}")
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        seen, events = run_all(files, options.daemon, work)
        if options.events:
            shutil.copy(work / "eve.json", options.events)
    lines = report([case for _, case in files], seen, findings(events))
    lab_run.publish(lines, options)
    return 1 if any(case.is_sent and seen.get(case.id) is None for _, case in files) else 0


if __name__ == "__main__":
    sys.exit(main())
