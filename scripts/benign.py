#!/usr/bin/python3
"""Sends ordinary requests of real clients through live rules and the daemon, and counts what is flagged.

usage: benign.py [--daemon PROGRAM] [--requests N] [--seed N] [--without KIND,...] [--markdown FILE] [--events FILE]
                                                                                                           (as root)

In the lab of scripts/lab.sh (namespaces of its own), all in the clear, where paths and queries can be read:

  pip, git, apt   download, clone and update from an index, a repository and an archive made for the run
  chromium        headless, over a site made for the run: hashed assets, data by fetch(), tracking pixels
  curl, Python    29 kinds of targets (scripts/lib/benign_requests.py) on connections that are kept

The servers' logs say how many requests arrived, the daemon's events how many it read and which it flagged. Values are
fresh from --seed (default: the clock), so a second run is a second sample. Flags of a kind are raised once an hour for
a session and destination; each kind of request has destinations of its own.

  --daemon     the daemon (default: .build/release/nfq-egressd, else .build/debug/nfq-egressd)
  --requests   how many curl and Python send together (default 30000)
  --without    clients to leave out: pip, git, apt, chromium
  --markdown   writes the table there as well
  --events     keeps the daemon's events there

Exit 0 when every request arrived, was read and none was flagged; 1 otherwise.
"""

import collections
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import benign_clients as clients
import benign_files as files
import lab_run
from benign_requests import KINDS
from benign_values import Values

PREFIX = f"nfqbenign-{os.getpid()}"
KINDS_OF_FLAGS = ("encoded-path", "encoded-query", "encoded-host", "label-burst")


def run_all(options, work):
    """Runs every client; returns requests by host as the servers counted them, and the daemon's events."""
    values = Values(options.seed)
    root = work / "files"
    root.mkdir(mode=0o755)
    os.chmod(work, 0o755)
    made = {
        "pip": files.make_index(root, values),
        "apt": files.make_archive(root, values),
        "git": files.make_repository(root, values),
    }
    files.make_site(root, values, KINDS)
    configuration = lab_run.configuration_for(work, [("10.88.0.7", "benign"), ("fd00:88::7", "benign")], trustedResolvers=["93.184.216.53"])
    with lab_run.LabRun(PREFIX, work) as lab:
        log, served = lab.directory / "nginx-access.json", work / "server.log"
        lab.start("internet", sys.executable, "-B", files.__file__, root, served)
        daemon = lab.start_daemon(options.daemon, configuration)
        before = len(log.read_text().splitlines())  # the lab's own test of readiness

        def agent(*words):
            clients.run_client(lab.inside("agent", *words), words[0])

        commands = clients.written(work, options.requests, values, KINDS)
        beside = [threading.Thread(target=agent, args=command) for command in commands]
        for thread in beside:
            thread.start()
        for name, run in clients.RUNS.items():
            if name not in options.without:
                run(agent, work, made.get(name))
        for thread in beside:
            thread.join()
        lab_run.end(daemon)  # it ends its flows and writes the last of its events
        counted = collections.Counter(json.loads(line)["host"] for line in log.read_text().splitlines()[before:])
        if served.exists():
            counted.update(json.loads(line)["host"] for line in served.read_text().splitlines())
        return counted, lab.events()


def upper_bound(flagged, total):
    """The exact one-sided upper bound at 95 % of a share (Clopper and Pearson, 1934), by bisection."""
    if total == 0 or flagged >= total:
        return 1.0
    low, high = flagged / total, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        terms = [
            math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) + k * math.log(middle) + (total - k) * math.log1p(-middle)
            for k in range(flagged + 1)
        ] if 0 < middle < 1 else [-math.inf]
        low, high = (middle, high) if sum(map(math.exp, terms)) > 0.05 else (low, middle)
    return high


def report(counted, events):
    """The table as Markdown lines, and whether all is well."""
    names = {host: name for name, host in clients.HOSTS.items()}
    names |= {f"dest{clients.FIRST + number}.com": name for number, name in enumerate(KINDS)}
    flags, read, others = collections.defaultdict(collections.Counter), collections.Counter(), collections.Counter()
    for event in events:
        if event["event_type"] == "http":
            read[event["http"]["hostname"].partition(":")[0]] += 1
        elif event["event_type"] == "alert":
            flag = event["egress"]["flag"]
            if flag["kind"] in KINDS_OF_FLAGS:
                figures = flag.get("evidence", {})
                flags[figures.get("destination", figures.get("domain", "?"))][flag["kind"]] += 1
                print(f"benign.py: flagged: {json.dumps(flag)}", file=sys.stderr)
            else:
                others[flag["kind"]] += 1
    lines = ["| kind | sent by | requests (server's log) | read by the daemon | flagged |", "|---|---|---:|---:|---:|"]
    for host, name in names.items():
        if counted[host]:
            by = name if host in clients.HOSTS.values() else "curl, Python"
            found = ", ".join(f"{kind} {count}" for kind, count in flags[host].items()) or "0"
            lines.append(f"| {name} | {by} | {counted[host]} | {read[host]} | {found} |")
    total = sum(counted[host] for host in names)
    seen = sum(read[host] for host in names)
    flagged = sum(sum(kinds.values()) for kinds in flags.values())
    lines.append(f"| all | | {total} | {seen} | {flagged} |")
    lines += ["", f"Upper bound at 95 % of the share that is flagged: {100 * upper_bound(flagged, total):.4f} % (Clopper-Pearson)."]
    if others:
        lines.append("Other flags: " + ", ".join(f"`{kind}` {count}" for kind, count in sorted(others.items())) + ".")
    return lines, flagged == 0 and 0 < total <= seen


def install_missing(without):
    """Puts the clients on this machine that it lacks."""
    for program in ("pip", "git", "apt-get", "chromium"):
        if program.removesuffix("-get") not in without and not shutil.which(program):
            package = {"pip": "python3-pip", "apt-get": "apt"}.get(program, program)
            command = ["apt-get", "-qq", "install", "-y", package]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if done.returncode != 0:
                lab_run.fail(f"{program} is missing and {package} cannot be installed; or leave it out with --without")


def main():
    parser = lab_run.parser_for(__doc__)
    parser.add_argument("--requests", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--without", type=lambda text: set(text.split(",")), default=set())
    options = lab_run.options_of(parser)
    signal.signal(signal.SIGTERM, lambda *_: lab_run.fail("ended"))
    install_missing(options.without)
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        counted, events = run_all(options, work)
        if options.events:
            shutil.copy(work / "eve.json", options.events)
    lines, is_well = report(counted, events)
    lab_run.publish([*lines, f"Seed {options.seed}."], options)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
