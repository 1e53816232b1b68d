"""Counts the test cases in the JUnit file that `meson test` left: `N passed, N failed`.

usage: count_junit.py FILE STATUS     STATUS is meson's exit status: a run that failed without a
                                      failed case (a crash, a timeout) counts as one failure.
"""

import sys
import xml.etree.ElementTree as ElementTree


def count(file):
    passed = failed = 0
    for case in ElementTree.parse(file).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None:
            passed += 1
    return passed, failed


passed, failed = count(sys.argv[1])
if sys.argv[2] != "0":
    failed = max(failed, 1)
print(f"{passed} passed, {failed} failed")
