#!/usr/bin/python3
"""Sums JUnit XML reports, for scripts/test.sh.

usage: count_results.py REPORT...

Writes "PASSED FAILED SKIPPED" to stdout, and each failed or skipped test with its reason to stderr. A report that is
missing or broken is one failure: the test program died before it could write it.
"""

import sys
from xml.etree import ElementTree


def reason(element):
    """The first line of why a test failed or was skipped."""
    text = element.get("message") or element.text or ""
    return text.strip().split("\n")[0][:200]


def main(paths):
    """Counts over all reports; a test is failed once, however many of its expectations were not met."""
    passed = failed = skipped = 0
    for path in paths:
        try:
            cases = list(ElementTree.parse(path).iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"FAILED  {path}: no readable report ({error})", file=sys.stderr)
            failed += 1
            continue
        for case in cases:
            name = f"{case.get('classname')}: {case.get('name')}"
            bad = [child for child in case if child.tag in ("failure", "error")]
            left_out = case.find("skipped")
            if bad:
                failed += 1
                print(f"FAILED  {name}: {reason(bad[0])}", file=sys.stderr)
            elif left_out is not None:
                skipped += 1
                print(f"SKIPPED {name}: {reason(left_out)}", file=sys.stderr)
            else:
                passed += 1
    print(passed, failed, skipped)


main(sys.argv[1:])
