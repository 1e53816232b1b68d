"""Measures the logs beside SQLite's full-text index and VictoriaLogs.

usage: run.py BUILT_FOLDER CACHE_FOLDER [--json] [--rounds N]

All are given the same entries and the same questions (logs_workload.h), in rounds that alternate
between them. VictoriaLogs is built from its Go module into CACHE_FOLDER; without Go, or without that
module, it is named as missing.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import run as table  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SERVER = "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs"


def build_server(cache):
    program = cache / "victoria-logs"
    if program.exists():
        return program
    if shutil.which("go") is None:
        return None
    module = cache / "victoria_logs_module"  # go.sum is written beside go.mod
    module.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "go.mod", module)
    built = subprocess.run(["go", "build", "-o", program, SERVER], cwd=module,
                           env={**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false"})
    return program if built.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("built", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = build_server(options.cache.resolve())
    arguments = {"muster": [], "sqlite": [], "victorialogs": [server]}
    peers = [peer for peer in arguments if peer != "victorialogs" or server]
    missing = [peer for peer in arguments if peer not in peers]
    values = {}
    for number in range(1, options.rounds + 1):
        for peer in peers:
            table.progress(f"round {number} of {options.rounds}: {peer}")
            for row, value in table.measure(options.built / f"logs_{peer}", arguments[peer]).items():
                values.setdefault(row, {}).setdefault(peer, []).append(value)
    table.progress("")
    rows = {row: {peer: statistics.median(runs) for peer, runs in by_peer.items()} for row, by_peer in values.items()}
    if options.json:
        table.print_json("logs", rows, peers, missing, options.rounds)
    else:
        table.print_table(rows, peers, missing)


if __name__ == "__main__":
    main()
