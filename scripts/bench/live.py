"""Packets through a real queue: nfq-egressd and a C loop that only accepts, in turns, behind the same rules."""
import json
import subprocess
import time

import stage as stages
import statistics_of as stats

OURS, YARDSTICK = "nfq-egressd", "C accept loop"
PACED = 30000

# What each test yields, which way is better, and what a ratio over 1 means.
ROWS = (
    ("flood", "rate", "DNS questions a second, unlimited offer"),
    ("flood", "cpu", "CPU seconds per 100,000 packets, unlimited offer"),
    ("paced", "cpu", f"CPU seconds per 100,000 packets at {PACED:,} questions a second"),
    ("paced", "cpu_queue", "the same, the thread that serves the queue alone"),
    ("paced", "delivered", f"share delivered at {PACED:,} questions a second"),
    ("hello", "rate", "TLS connections a second, 32 at a time"),
    ("hello", "p50", "connect and first byte, median, microseconds"),
    ("hello", "p99", "connect and first byte, 99th percentile, microseconds"),
    ("hello", "cpu", "CPU seconds per 100,000 packets of TLS connections"),
    ("all", "calls", "system calls a packet, over the whole run"),
    ("all", "resident", "resident memory after the run, megabytes"),
)

CONFIGURATION = """\
mode: enforce
queues: {{first: 0, count: 1}}
onFailure: {{daemonAbsent: closed}}
trustedResolvers: ["{resolver}"]
sessions:
  addresses:
    - {{source: {agent}, session: bench-1, agentType: bench}}
agentTypes:
  bench:
    budget: {{destinations: 4000, window: session, onReach: flag}}
events: {{path: {events}}}
"""


class Trial:
    """One start of one of the two, with all tests."""

    def __init__(self, stage, name, daemon, seconds):
        self.stage, self.name, self.daemon, self.seconds = stage, name, daemon, seconds
        self.events = stage.work / "eve.json"

    def run(self):
        log = self.stage.work / "listener.log"
        with open(log, "w", encoding="utf-8") as out:
            process = self._start(out)
            try:
                self.stage.await_queue(process)
                time.sleep(0.2)
                # The flood comes last: the daemon's writer works off its events for seconds afterwards.
                results = {"paced": self._questions(process, PACED), "hello": self._hellos(process),
                           "flood": self._questions(process, 0)}
                resident = stages.resident_kilobytes(process.pid) / 1024
            except Exception as error:
                raise RuntimeError(f"{self.name}: {error}\n{log.read_text(encoding='utf-8')[-500:]}") from error
            finally:
                ended = stages.end(process, 10)
        if not ended or process.returncode:
            raise RuntimeError(f"{self.name} did not end well: {log.read_text(encoding='utf-8')[-500:]}")
        results["all"] = {"resident": resident, **self._counts(log)}
        self.events.unlink(missing_ok=True)
        return results

    def _start(self, out):
        if self.name == YARDSTICK:
            return self.stage.start(self.stage.host, self.stage.programs / "accept_loop", 0, stdout=out, stderr=out)
        file = self.stage.work / "config.yaml"
        file.write_text(CONFIGURATION.format(resolver=stages.RESOLVER, agent=stages.AGENT, events=self.events),
                        encoding="utf-8")
        return self.stage.start(self.stage.host, self.daemon, "run", "--config", file, stdout=out, stderr=out)

    def _mark(self, process):
        return (time.monotonic(), self.stage.arrived(), stages.queued(process.pid), *stages.cpu_seconds(process.pid))

    def _questions(self, process, rate):
        before = self.stage.arrived()
        arguments = [stages.RESOLVER, self.seconds] + ([rate] if rate else [])
        blaster = self.stage.start(self.stage.agent, self.stage.programs / "question_blaster", *arguments,
                                   stdout=subprocess.PIPE)
        try:
            # The window leaves out both ends: caches fill, and the last packets drain.
            time.sleep(self.seconds * 0.25)
            first = self._mark(process)
            time.sleep(self.seconds * 0.65)
            last = self._mark(process)
            sent = json.loads(blaster.communicate(timeout=self.seconds + 20)[0])["sent"]
        finally:
            stages.end(blaster, 10)
        time.sleep(0.3)
        return {"rate": (last[1] - first[1]) / (last[0] - first[0]), **cpu(first, last),
                "delivered": (self.stage.arrived() - before) / sent, "offered": sent / self.seconds}

    def _hellos(self, process):
        first = self._mark(process)
        text = stages.call(self.stage.programs / "hello_client", stages.SERVER, stages.PORT, self.seconds,
                           namespace=self.stage.agent)
        result = json.loads(text)
        if result["connections"] < 100 or result["errors"] > result["connections"] / 100:
            raise RuntimeError(f"connections fail: {text.strip()}")
        return {**result, **cpu(first, self._mark(process))}

    def _counts(self, log):
        """Packets and system calls by the listener's own count."""
        if self.name == YARDSTICK:
            counts = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        else:
            with open(self.events, "rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - 65536))
                lines = [line for line in file.read().splitlines() if b'"stopped"' in line]
            if not lines:
                raise RuntimeError("the daemon wrote no closing stats event")
            figures = json.loads(lines[-1])["egress"]
            counts = {"packets": figures["packets"], "receive_calls": figures["receive_calls"],
                      "send_calls": figures["send_calls"], "events_lost": figures["events_lost"]}
        counts["calls"] = (counts["receive_calls"] + counts["send_calls"]) / max(1, counts["packets"])
        return counts


def cpu(first, last):
    """CPU seconds per 100,000 packets handed to the program between two marks."""
    packets = max(1, last[2] - first[2])
    return {"cpu": (last[3] - first[3]) * 1e5 / packets, "cpu_queue": (last[4] - first[4]) * 1e5 / packets}


def run(stage, daemon, pairs, seconds, tell):
    """All pairs; the order within a pair alternates. Returns the trials' figures by name."""
    trials = {OURS: [], YARDSTICK: []}
    for pair in range(pairs):
        order = (OURS, YARDSTICK) if pair % 2 == 0 else (YARDSTICK, OURS)
        for name in order:
            result = Trial(stage, name, daemon, seconds).run()
            trials[name].append(result)
            tell(f"pair {pair + 1} of {pairs}, {name}: {result['flood']['rate']:,.0f} questions, "
                 f"{result['hello']['rate']:,.0f} connections a second")
    return trials


def rows(trials):
    result = []
    for test, figure, name in ROWS:
        ours = [trial[test][figure] for trial in trials[OURS]]
        theirs = [trial[test][figure] for trial in trials[YARDSTICK]]
        result.append({"name": name, "ours": stats.median(ours), "c": stats.median(theirs),
                       "ratio": stats.paired(ours, theirs)})
    return result


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def table(found):
    lines = [f"| live | {OURS} | {YARDSTICK} | ratio (95 %) |", "|---|---:|---:|---:|"]
    for one in found:
        ratio = one["ratio"]
        text = f"{ratio['ratio']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else ""
        lines.append(f"| {one['name']} | {number(one['ours'])} | {number(one['c'])} | {text} |")
    return "\n".join(lines)
