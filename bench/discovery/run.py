"""Measures discovery: lookups beside etcd; the topology under beats and watchers.

usage: run.py BUILT_FOLDER CACHE_FOLDER [--json] [--rounds N]

Each part is a file here with a function measure(built, cache), which gives the values of one round;
parts and rounds take turns.
"""

import argparse
import pathlib
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))
import lookups  # noqa: E402
import run as table  # noqa: E402
import topology  # noqa: E402

PARTS = [lookups, topology]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("built", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    built, cache = options.built.resolve(), options.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    values, missing = {}, []
    for number in range(1, options.rounds + 1):
        for part in PARTS:
            table.progress(f"round {number} of {options.rounds}: {part.__name__}")
            for peer, rows in part.measure(built, cache).items():
                if rows is None:
                    missing += [peer] if peer not in missing else []
                    continue
                for row, value in rows.items():
                    values.setdefault(row, {}).setdefault(peer, []).append(value)
    table.progress("")
    rows = {row: {peer: statistics.median(runs) for peer, runs in by_peer.items()} for row, by_peer in values.items()}
    peers = sorted({peer for by_peer in rows.values() for peer in by_peer}, key=lambda peer: (peer != table.OURS, peer))
    if options.json:
        table.print_json("discovery", rows, peers, missing, options.rounds)
    else:
        table.print_table(rows, peers, missing)


if __name__ == "__main__":
    main()
