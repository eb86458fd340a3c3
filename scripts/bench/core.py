"""The core's rows, out of the samples that CoreBench prints."""
import json
import subprocess

import statistics_of as stats


def run(program, repetitions):
    done = subprocess.run([program, str(repetitions)], stdout=subprocess.PIPE, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stdout.strip() or f"CoreBench ended with {done.returncode}")
    return [row(part, one) for part, rows in json.loads(done.stdout).items() for one in rows]


def row(part, one):
    low, high = stats.interval(one["swift"])
    result = {
        "part": part, "name": one["name"], "nanoseconds": stats.median(one["swift"]), "low": low, "high": high,
        "best": min(one["swift"]), "allocations": one["allocations"], "repetitions": len(one["swift"]),
    }
    if one["c"]:
        result["c"] = {"nanoseconds": stats.median(one["c"]), "best": min(one["c"])}
        result["ratio"] = stats.paired(one["swift"], one["c"])
    return result


def table(rows):
    lines = ["| core, nanoseconds of CPU time a packet | Swift | best | C | best | Swift/C (95 %) | allocations |",
             "|---|---:|---:|---:|---:|---:|---:|"]
    for one in rows:
        c, ratio = one.get("c"), one.get("ratio")
        lines.append("| {} | {:.0f} | {:.0f} | {} | {} | {} | {:.2f} |".format(
            one["name"], one["nanoseconds"], one["best"], f"{c['nanoseconds']:.0f}" if c else "",
            f"{c['best']:.0f}" if c else "",
            f"{ratio['ratio']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "", one["allocations"]))
    return "\n".join(lines)
