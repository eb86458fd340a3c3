"""What single packets cost, out of what CoreBench prints."""
import json
import subprocess

PASSES = 25
GOAL = 20


def run(program, captures, inputs):
    """Groups with the figures of all packets and of those that brought a whole message, and their slowest packets."""
    words = [program, str(PASSES), "worst", captures] + ([inputs] if inputs else [])
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=3600)
    if done.returncode:
        raise RuntimeError(done.stdout.strip() or f"CoreBench ended with {done.returncode}")
    return json.loads(done.stdout)["worst"]


def tables(result):
    """Figures by group, the slowest packets against the captures' medians, and what of it is cryptography."""
    groups, bare = result["groups"], result["cryptography"]
    figures = [f"| single packets, nanoseconds, least of {PASSES} passes | packets | median | 99 % | slowest |",
               "|---|---:|---:|---:|---:|"]
    for group in groups:
        for part, name in (("all", group["group"]), ("messages", f"{group['group']}, those with a whole message")):
            one = group[part]
            figures.append(f"| {name} | {one['packets']} | {one['median']} | {one['p99']} | {one['max']} |")
    figures.append(f"| the library's cryptography of one QUIC Initial of 1,200 bytes, alone: least of many; "
                   f"with cold caches | | {bare['warm']} | | {bare['cold']} |")
    usual = {part: max(1, groups[0][part]["median"]) for part in ("all", "messages")}
    slowest = ["| slowest packets | what it brought | bytes | ns | times the captures' median packet | "
               "times their median packet with a whole message |", "|---|---|---:|---:|---:|---:|"]
    for group in groups:
        for one in group["slowest"]:
            slowest.append("| {}: {} | {} | {} | {} | {:.0f} | {:.1f} |".format(
                group["group"], one["name"], one["kind"], one["length"], one["nanoseconds"],
                one["nanoseconds"] / usual["all"], one["nanoseconds"] / usual["messages"]))
    return ["\n".join(figures), "\n".join(slowest), goal(groups, usual)]


def goal(groups, usual):
    """Whether what was captured and what fuzzers found keeps the goal, by both medians."""
    most = max(group["all"]["max"] for group in groups if group["group"] != "made to be slow")
    said = {part: "met" if most < GOAL * usual[part] else "not met" for part in usual}
    return (f"The slowest packet of captures and fuzz inputs against {GOAL} times the captures' median: "
            f"{said['messages']} by packets with a whole message ({most / usual['messages']:.1f} times), "
            f"{said['all']} by all packets ({most / usual['all']:.0f} times).")
