"""Runs the benchmarks and prints the tables; scripts/bench.sh builds everything and calls it."""
import argparse
import json
import os
import pathlib
import signal
import sys

import attribution
import core
import lists
import live
import stage
import worst


def machine():
    processor = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    return {"cores": os.cpu_count(), "kernel": os.uname().release.split("-")[0], "architecture": os.uname().machine,
            "processor": processor, "load": round(os.getloadavg()[0], 2)}


def tell(text):
    print(text, file=sys.stderr, flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--core")
    options.add_argument("--worst")
    options.add_argument("--lists")
    options.add_argument("--lists-live", action="store_true")
    options.add_argument("--live", action="store_true")
    options.add_argument("--attribution")
    options.add_argument("--captures")
    options.add_argument("--fuzz-inputs")
    options.add_argument("--daemon")
    options.add_argument("--scripts")
    options.add_argument("--programs")
    options.add_argument("--work")
    options.add_argument("--prefix")
    options.add_argument("--repetitions", type=int)
    options.add_argument("--pairs", type=int)
    options.add_argument("--seconds", type=float)
    options.add_argument("--json")
    given = options.parse_args()
    # An order to stop unwinds like an error, so that nothing is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    result = {"machine": machine()}
    tables = []
    try:
        if given.core:
            tell(f"Measuring the core, {given.repetitions} repetitions")
            result["core"] = core.run(given.core, given.repetitions)
            tables.append(core.table(result["core"]))
        if given.worst:
            tell("Measuring single packets")
            result["worst"] = worst.run(given.worst, given.captures, given.fuzz_inputs)
            tables += worst.tables(result["worst"])
        if given.attribution:
            result["attribution"] = attribution.rows(given.attribution)
            tables += attribution.tables(result["attribution"])
        if given.lists:
            tell("Measuring lists")
            if given.lists_live:
                with stage.Stage(given.prefix, given.scripts, given.programs, given.work) as raised:
                    result["lists"] = lists.run(given.lists, given.daemon, given.work, given.repetitions, raised, tell)
            else:
                result["lists"] = lists.run(given.lists, given.daemon, given.work, given.repetitions, None, tell)
            tables += lists.tables(result["lists"])
        if given.live:
            tell(f"Measuring live, {given.pairs} pairs of three tests of {given.seconds:g} s each")
            with stage.Stage(given.prefix, given.scripts, given.programs, given.work) as raised:
                trials = live.run(raised, given.daemon, given.pairs, given.seconds, tell)
            result["live"] = live.rows(trials)
            result["trials"] = trials
            tables.append(live.table(result["live"]))
    except (RuntimeError, OSError) as error:
        sys.exit(f"bench.sh: {error}")
    facts = result["machine"]
    print(f"\n{facts['cores']} cores ({facts['processor']}, {facts['architecture']}), Linux {facts['kernel']}, "
          f"load {facts['load']} at the start\n")
    print("\n\n".join(tables))
    if given.json:
        pathlib.Path(given.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
