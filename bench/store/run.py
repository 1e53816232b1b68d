"""Measures the store beside etcd and SQLite alone, and segments beside plain write(2).

usage: run.py BUILT_FOLDER CACHE_FOLDER [--json] [--rounds N]

All write to fresh folders on the disk of CACHE_FOLDER, with fsync. A caller waits for its answer
before it asks again. Ours are callers in the same process, as the runtime's own parts are; etcd's
come by gRPC over loopback (h2load), since there is no other way to it, so that its figures hold
that way, too; what a gRPC call costs, `./dev bench rpc` says.
"""

import argparse
import pathlib
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import run as table  # noqa: E402

PORT = 57239
PUT = "/etcdserverpb.KV/Put"
CALLERS = [(1, 1, 1), (16, 1, 16), (256, 4, 64)]  # all, connections, streams on each
SECONDS = 3


def put_request():
    """PutRequest of a key of 8 bytes and a value of 100, in gRPC's frame."""
    message = b"\x0a\x08key-0001" + b"\x12\x64" + b"v" * 100
    return b"\0" + struct.pack(">I", len(message)) + message


def wait_for(port):
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("bench: etcd does not answer")


def h2load(connections, streams, requests, body):
    run = subprocess.run(
        ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-n{requests}", "-d", body, "-H",
         "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{PORT}{PUT}"],
        capture_output=True, text=True, timeout=300)
    done = int(re.search(r"status codes: (\d+) 2xx", run.stdout)[1])
    if done != requests:
        sys.exit(f"bench: etcd refused {requests - done} of {requests} puts")
    return float(re.search(r"finished in .*?, ([\d.]+) req/s", run.stdout)[1])


def measure_etcd(folder, body):
    server = subprocess.Popen(
        ["etcd", "--data-dir", f"{folder}/etcd", "--listen-client-urls", f"http://127.0.0.1:{PORT}",
         "--advertise-client-urls", f"http://127.0.0.1:{PORT}", "--listen-peer-urls", f"http://127.0.0.1:{PORT + 1}",
         "--log-level", "error"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(PORT)
        time.sleep(1)  # until it has elected itself
        rows = {}
        for callers, connections, streams in CALLERS:
            rate = h2load(connections, streams, callers * 100, body)  # to know how many fill the time
            rate = h2load(connections, streams, max(callers, int(rate * SECONDS)), body)
            rows[(f"durable put, {callers} callers", "txn/s")] = rate
        return rows
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("built", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    body = options.cache / "store_request.bin"
    body.write_bytes(put_request())

    peers = ["muster", "etcd", "sqlite", "write"]
    missing = [] if shutil.which("etcd") and shutil.which("h2load") else ["etcd"]
    peers = [peer for peer in peers if peer not in missing]
    values = {}
    for number in range(1, options.rounds + 1):
        for peer in peers:
            table.progress(f"round {number} of {options.rounds}: {peer}")
            with tempfile.TemporaryDirectory(dir=options.cache) as folder:
                rows = measure_etcd(folder, body) if peer == "etcd" else \
                    table.measure(options.built / f"store_{peer}", [folder])
            for row, value in rows.items():
                values.setdefault(row, {}).setdefault(peer, []).append(value)
    table.progress("")
    rows = {row: {peer: statistics.median(runs) for peer, runs in by_peer.items()} for row, by_peer in values.items()}
    if options.json:
        table.print_json("store", rows, peers, missing, options.rounds)
    else:
        table.print_table(rows, peers, missing)


if __name__ == "__main__":
    main()
