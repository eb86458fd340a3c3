"""Deny-lists by their size: what it takes to make a snapshot, to open it, to look into it, and to reload it live."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import stage as stages
import statistics_of as stats

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
NETWORKS = (1_000, 10_000, 100_000, 500_000)

CONFIGURATION = """\
mode: enforce
onFailure: {{daemonAbsent: closed}}
denyLists:
  - {{name: names, path: {work}/names.txt, format: domains}}
  - {{name: networks, path: {work}/networks.txt, format: cidr}}
sessions:
  addresses:
    - {{source: {agent}, session: bench-1, agentType: bench}}
agentTypes:
  bench:
    budget: {{destinations: 4000, window: session, onReach: flag}}
queues: {{offload: none}}
control: {{socket: {work}/control.sock, group: root}}
store: {{path: {work}/state.sqlite}}
events: {{path: {work}/eve.json}}
"""


def memory(pid):
    """Resident megabytes of a process: anonymous, and of files."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return [int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) / 1024 for name in ("RssAnon", "RssFile")]


def watched(process):
    """Waits for a process; gives its largest anonymous memory in megabytes, and its CPU seconds."""
    most = 0.0
    while True:
        try:
            most = max(most, memory(process.pid)[0])
        except (OSError, TypeError):
            pass
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            process.returncode = os.waitstatus_to_exitcode(status)
            return most, usage.ru_utime + usage.ru_stime
        time.sleep(0.002)


class Lists:
    """Generated lists in a directory, and a configuration that names them."""

    def __init__(self, core, daemon, work):
        self.core, self.daemon, self.work = core, daemon, pathlib.Path(work) / "lists-bench"
        self.work.mkdir(mode=0o700)
        self.configuration = self.work / "config.yaml"
        self.configuration.write_text(CONFIGURATION.format(work=self.work, agent=stages.AGENT), encoding="ascii")

    def write(self, kind, count, change=""):
        """A list of so many entries; `change` is one more."""
        path = self.work / f"{kind}.txt"
        with open(path, "wb") as file:
            subprocess.run([self.core, str(count), "write", kind], stdout=file, check=True, timeout=120)
            file.write(change.encode())
        # Old enough that its time tells of a change.
        os.utime(path, (1_700_000_000, time.time() - 60))

    def compile(self, name, *words):
        """Runs `deny compile`: its line, seconds, CPU seconds and anonymous megabytes."""
        start = time.monotonic()
        with subprocess.Popen([self.daemon, "deny", "compile", "--config", self.configuration, *words, name],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            most, cpu = watched(process)
            line = process.stdout.read()
        if process.returncode:
            raise RuntimeError(f"deny compile ended with {process.returncode}")
        return line, time.monotonic() - start, cpu, most

    def making(self, kind, count, times=3):
        """A row: making and opening a snapshot."""
        self.write(kind, count)
        made = [self.compile(kind, "--force") for _ in range(times)]
        opened = [self.compile(kind) for _ in range(times)]
        line = made[0][0]
        names, networks, size = (int(number) for number in re.match(
            r"\w+: (\d+) names, (\d+) networks, (\d+) bytes", line).groups())
        index = re.search(r"([\d.]+) of index a name", line)
        return {
            "kind": kind, "entries": names or networks, "bytes": size / (names or networks),
            "index": float(index[1]) if index else None,
            "rate": stats.median([count / one[1] for one in made]),
            "rate_cpu": stats.median([count / one[2] for one in made]),
            "anonymous": max(one[3] for one in made), "opened_anonymous": max(one[3] for one in opened),
            "ready_ms": stats.median([int(re.search(r"ready in (\d+) ms", one[0])[1]) for one in opened]),
        }

    def lookups(self, names, networks, repetitions):
        """CoreBench's rows for two sizes."""
        done = subprocess.run([self.core, str(repetitions), "lists", str(names), str(networks)],
                              stdout=subprocess.PIPE, text=True, timeout=900, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout.strip() or f"CoreBench ended with {done.returncode}")
        return json.loads(done.stdout)

    def reload(self, stage, count):
        """A row: the daemon with a list, then with another, beside connections one after the other."""
        self.write("networks", 1_000)
        self.write("names", count)
        log = self.work / "daemon.log"
        with open(log, "w", encoding="utf-8") as out:
            process = stage.start(stage.host, self.daemon, "run", "--config", self.configuration, stdout=out, stderr=out)
        try:
            stage.await_queue(process, 120)
            connections(stage, 1)
            quiet = connections(stage, 5)
            before = memory(process.pid)
            self.write("names", count, "changed.example\n")
            probe = start_connections(stage, 60)
            time.sleep(0.2)
            ordered = time.monotonic()
            process.send_signal(signal.SIGHUP)
            most = before[0]
            while not self._reloaded():
                most = max(most, memory(process.pid)[0])
                if process.poll() is not None or time.monotonic() > ordered + 55:
                    raise RuntimeError(f"no reload: {log.read_text(encoding='utf-8')[-500:]}")
                time.sleep(0.005)
            taken = time.monotonic() - ordered
            time.sleep(0.5)
            most = max(most, memory(process.pid)[0])
            probe.send_signal(signal.SIGTERM)
            busy = json.loads(probe.communicate(timeout=20)[0])
            time.sleep(2)
            after = memory(process.pid)
        finally:
            stages.end(process, 10)
        for path in [self.work / "eve.json", *self.work.glob("lists/*"), *self.work.glob("state.sqlite*")]:
            path.unlink(missing_ok=True)
        return {"names": count, "seconds": taken, "before": before, "most": most, "after": after, "quiet": quiet,
                "busy": busy}

    def _reloaded(self):
        path = self.work / "eve.json"
        if not path.exists():
            return False
        with open(path, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 262144))
            return b'"kind":"reloaded"' in file.read().replace(b" ", b"")


def start_connections(stage, seconds):
    """Connections one after the other from the agent, for so long or until told to end."""
    return stage.start(stage.agent, "/usr/bin/python3", "-B", __file__, stages.SERVER, stages.PORT, seconds,
                       stdout=subprocess.PIPE)


def connections(stage, seconds):
    """The same, to its end."""
    return json.loads(start_connections(stage, seconds).communicate(timeout=seconds + 20)[0])


def probe(address, port, seconds):
    """Connects each 2 ms, one at a time; prints how long that took in microseconds."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    times, failures = [], {}
    deadline = time.monotonic() + seconds
    while not ended and time.monotonic() < deadline:
        start = time.perf_counter()
        try:
            socket.create_connection((address, port), timeout=5).close()
            times.append((time.perf_counter() - start) * 1e6)
        except OSError as error:
            failures[str(error)] = failures.get(str(error), 0) + 1
        time.sleep(0.002)
    times.sort()
    print(json.dumps({"connections": len(times), "failed": sum(failures.values()), "failures": failures, "p50": times[len(times) // 2],
                      "p99": times[int((len(times) - 1) * 0.99)], "max": times[-1]}))


def run(core, daemon, work, repetitions, stage, tell):
    """Everything; without `stage` nothing is reloaded."""
    lists = Lists(core, daemon, work)
    result = {"making": [], "lookups": [], "reloads": []}
    for kind, sizes in (("names", SIZES), ("networks", NETWORKS)):
        for count in sizes:
            tell(f"making snapshots of {count:,} {kind}")
            result["making"].append(lists.making(kind, count))
    for names, networks in zip(SIZES, NETWORKS):
        tell(f"looking up among {names:,} names and {networks:,} networks")
        result["lookups"] += lists.lookups(names, networks, max(3, repetitions // 5))
    for count in (SIZES[-2], SIZES[-1]) if stage else ():
        tell(f"reloading {count:,} names")
        result["reloads"].append(lists.reload(stage, count))
    return result


def tables(result):
    """As text."""
    lines = ["| snapshots | lines a second | by CPU time | ready in, ms | bytes an entry | of index | anonymous MB, most |",
             "|---|---:|---:|---:|---:|---:|---:|"]
    for one in result["making"]:
        index = "" if one["index"] is None else f"{one['index']:.1f}"
        lines.append(f"| {one['entries']:,} {one['kind']} | {one['rate']:,.0f} | {one['rate_cpu']:,.0f} | "
                     f"{one['ready_ms']:.0f} | {one['bytes']:.1f} | {index} | {one['anonymous']:.0f} |")
    texts = ["\n".join(lines)]
    lines = ["| lookups, nanoseconds of CPU time | Swift | best | C | best | Swift/C (95 %) | allocations |",
             "|---|---:|---:|---:|---:|---:|---:|"]
    for one in result["lookups"]:
        ratio = stats.paired(one["swift"], one["c"]) if one["c"] else None
        c = (f"{stats.median(one['c']):.0f}", f"{min(one['c']):.0f}") if one["c"] else ("", "")
        shown = f"{ratio['ratio']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else ""
        name = re.sub(r"\d+", lambda found: f"{int(found[0]):,}", one["name"], count=1)
        lines.append(f"| {name} | {stats.median(one['swift']):.0f} | {min(one['swift']):.0f} | {c[0]} | {c[1]} | {shown} "
                     f"| {one['allocations']:.2f} |")
    texts.append("\n".join(lines))
    if result["reloads"]:
        lines = ["| reload | taken, s | anonymous MB before | most | ratio | files MB before | after "
                 "| connect, us: median | p99 | max | while reading: median | p99 | max | failed |",
                 "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
        for one in result["reloads"]:
            figures = [one[kind][figure] for kind in ("quiet", "busy") for figure in ("p50", "p99", "max")]
            shown = " | ".join(f"{figure:,.0f}" for figure in figures)
            lines.append(
                f"| {one['names']:,} names | {one['seconds']:.1f} | {one['before'][0]:.0f} | {one['most']:.0f} "
                f"| {one['most'] / one['before'][0]:.2f} | {one['before'][1]:.0f} | {one['after'][1]:.0f} | {shown} "
                f"| {one['busy']['failed']} |")
        texts.append("\n".join(lines))
    return texts


if __name__ == "__main__":
    probe(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
