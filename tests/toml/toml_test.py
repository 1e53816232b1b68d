"""Runs toml-test's files (TOML 1.0) through a program that prints documents as tagged JSON.

Usage: toml_test.py TESTEE FOLDER, the latter being toml-test's tests/.
"""

import json
import math
import pathlib
import re
import subprocess
import sys

STRINGS = {"string", "datetime", "datetime-local", "date-local", "time-local"}


def instant(text):
    """A date or time without what may be written in several ways."""
    text = text.upper().replace(" ", "T").replace("+00:00", "Z")
    return re.sub(r"(\.\d*?)0+(?=Z|[+-]|$)", r"\1", text).replace(".Z", "Z").rstrip(".")


def same_scalar(wanted, got):
    kind, value = wanted["type"], wanted["value"]
    if kind in STRINGS:
        if got["type"] != "string":
            return False
        return got["value"] == value if kind == "string" else instant(got["value"]) == instant(value)
    if got["type"] != kind:
        return False
    if kind == "float":
        a, b = float(value), float(got["value"])
        return a == b or (math.isnan(a) and math.isnan(b))
    return got["value"] == value


def same(wanted, got):
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(same, wanted, got))
    if set(wanted) == {"type", "value"} and isinstance(wanted["type"], str):
        return isinstance(got, dict) and set(got) == {"type", "value"} and same_scalar(wanted, got)
    return isinstance(got, dict) and set(wanted) == set(got) and all(same(wanted[k], got[k]) for k in wanted)


def run(testee, path):
    return subprocess.run([testee, "toml"], input=path.read_bytes(), capture_output=True, timeout=20)


def check(testee, root, path):
    """What is wrong; None when nothing is."""
    done = run(testee, path)
    if done.returncode not in (0, 1):
        return f"ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
    if "invalid" in path.relative_to(root).parts:
        return "was accepted" if done.returncode == 0 else None
    if done.returncode:
        return "was refused: " + done.stderr.decode().strip()
    wanted = json.loads(path.with_suffix(".json").read_text())
    return None if same(wanted, json.loads(done.stdout)) else "was misread"


def main(testee, folder):
    root = pathlib.Path(folder)
    names = (root / "files-toml-1.0.0").read_text().split()
    paths = [root / name for name in names if name.endswith(".toml")]
    failed = 0
    for path in paths:
        problem = check(testee, root, path)
        if problem:
            failed += 1
            print(f"{path.relative_to(root)} {problem}")
    print(f"{len(paths) - failed} passed, {failed} failed")


main(*sys.argv[1:])
