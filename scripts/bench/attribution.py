"""Attribution's rows, out of the samples that AttributionBench leaves in a file."""
import json
import pathlib

import statistics_of as stats

PARTS = {
    "first": ("first packet of a flow, microseconds of CPU time", "with", "without evidence", "more", 1000),
    "later": ("later packet of a flow, nanoseconds of CPU time", "with", "without", "more", 1),
    "question": ("sock_diag, microseconds of CPU time", "nfq-egressd", "bare C", "more", 1000),
}


def rows(path):
    found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return {part: [row(one) for one in found.get(part, [])] for part in PARTS}


def row(one):
    ours, reference = one["ours"], one["reference"]
    return {
        "name": one["name"], "ours": stats.median(ours), "reference": stats.median(reference),
        "more": stats.median([a - b for a, b in zip(ours, reference)]), "ratio": stats.paired(ours, reference),
        "repetitions": len(ours), "samples": one,
    }


def tables(parts):
    return [table(part, parts[part]) for part in PARTS if parts[part]]


def table(part, found):
    title, ours, reference, more, unit = PARTS[part]
    digits = 2 if unit > 1 else 1
    lines = [f"| {title} | {ours} | {reference} | {more} | ratio (95 %) |", "|---|---:|---:|---:|---:|"]
    for one in found:
        ratio = one["ratio"]
        figures = " | ".join(f"{one[key] / unit:.{digits}f}" for key in ("ours", "reference", "more"))
        lines.append(f"| {one['name']} | {figures} | {ratio['ratio']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f}) |")
    return "\n".join(lines)
