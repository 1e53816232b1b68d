"""Runs the programs of one measurement in turn and prints their medians side by side.

usage: run.py NAME FOLDER [--json] [--rounds N]

FOLDER holds the built programs, and their data as NAME.data where they share some. Every source bench/NAME/NAME_PEER.c or .cc is a peer; one that
was not built, because what it measures is not installed, is named as missing. The rounds
alternate between the programs, so that a slow moment of the machine meets them all. A program
prints one line a result: measure, unit and value, separated by tabs (bench/measure.h).
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

OURS = "muster"


def peers_of(name):
    folder = pathlib.Path(__file__).parent / name
    peers = [file.stem.removeprefix(name + "_") for file in folder.glob(f"{name}_*.c*")]
    return sorted(peers, key=lambda peer: (peer != OURS, peer))


def measure(program, arguments):
    """One run: {(measure, unit): value} in the order printed."""
    run = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=600)
    if run.returncode != 0:
        sys.exit(f"bench: {program} failed: {run.stderr.strip()}")
    rows = (line.split("\t") for line in run.stdout.splitlines())
    return {(what, unit): float(value) for what, unit, value in rows}


def progress(text):
    """What runs now, on one line of the terminal; nothing when there is none."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def medians(programs, arguments, rounds):
    """{(measure, unit): {peer: median}} over rounds that alternate between the programs."""
    values = {}
    for number in range(1, rounds + 1):
        for peer, program in programs.items():
            progress(f"round {number} of {rounds}: {peer}")
            for row, value in measure(program, arguments).items():
                values.setdefault(row, {}).setdefault(peer, []).append(value)
    progress("")
    return {row: {peer: statistics.median(runs) for peer, runs in by_peer.items()} for row, by_peer in values.items()}


def ratio(unit, ours, theirs):
    """How many times better ours is: above 1 we are ahead. None where it has no meaning."""
    if unit == "mallocs":
        return None
    if unit.endswith("/s"):
        ours, theirs = theirs, ours
    return theirs / ours if ours else None


def number(value):
    if value is None:
        return "–"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def print_table(rows, peers, missing):
    header = ["measure", "unit"]
    for peer in peers:
        header += [peer] if peer == OURS else [peer, "ratio"]
    table = [header]
    for (what, unit), values in rows.items():
        line = [what, unit]
        for peer in peers:
            value = values.get(peer)
            line.append(number(value))
            if peer != OURS:
                both = value is not None and OURS in values
                times = ratio(unit, values[OURS], value) if both else None
                line.append(f"{times:.2f}×" if times is not None else "–")
        table.append(line)
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    for line in table:
        cells = (cell.ljust(width) if column < 2 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths)))
        print("  ".join(cells).rstrip())
    print("\nratio: how many times better Muster is than the peer at its left")
    for peer in missing:
        print(f"missing: {peer} (not installed, so not measured)")


def print_json(name, rows, peers, missing, rounds):
    print(json.dumps({
        "bench": name, "rounds": rounds, "peers": peers, "missing": missing,
        "results": [{"measure": what, "unit": unit, "medians": values} for (what, unit), values in rows.items()],
    }, indent=2))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    peers = peers_of(options.name)
    programs = {peer: options.folder / f"{options.name}_{peer}" for peer in peers}
    missing = [peer for peer in peers if not programs[peer].exists()]
    programs = {peer: program for peer, program in programs.items() if peer not in missing}
    data = options.folder / f"{options.name}.data"
    rows = medians(programs, [data] if data.exists() else [], options.rounds)
    if options.json:
        print_json(options.name, rows, list(programs), missing, options.rounds)
    else:
        print_table(rows, list(programs), missing)


if __name__ == "__main__":
    main()
