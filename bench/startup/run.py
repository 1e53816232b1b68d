"""Measures how soon `muster serve` answers after it was started, beside other servers.

usage: run.py BUILT_FOLDER CACHE_FOLDER [--json] [--rounds N]

From the start of the process to the end of the first answered request, by a client that tries
without pause. "new" is with an empty data folder: keys are made and a database is begun. Each round
starts each server ten times. A peer that is not installed is named as missing.
"""

import argparse
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import run as table  # noqa: E402

PORT = 57241
TIMES = 10
REQUEST = b"GET /v1/runtime HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"


def answer(request, deadline):
    """The first bytes that come back, as soon as anybody listens."""
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", PORT), timeout=5) as connection:
                connection.sendall(request)
                if got := connection.recv(4096):
                    return got
        except ConnectionError:
            pass
    raise RuntimeError("no answer")


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


def start(command, request, expected):
    """Milliseconds until it answers, and its memory then, in MiB."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        got = answer(request, begin + 10)
        took = (time.monotonic() - begin) * 1000
        if not got.startswith(expected):
            raise RuntimeError(f"{command[0]} answers {got[:40]}")
        return took, resident(process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def servers(built, cache):
    """{peer: (command, request, expected)}; None where it is not installed."""
    web = (REQUEST, b"HTTP/1.1 ")
    (cache / "node.js").write_text(f"require('http').createServer((q, r) => r.end('hello')).listen({PORT}, '127.0.0.1')\n")
    (cache / "nginx.conf").write_text(
        f"daemon off; master_process off; error_log /dev/null; pid {cache}/nginx.pid;\n"
        f"events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{PORT}; return 200 hello; }} }}\n")
    muster = [str(built.parent.parent / "muster"), "serve", "--quiet", "--listen", f"127.0.0.1:{PORT}", "--data"]
    peers = {
        "nginx": (["nginx", "-c", str(cache / "nginx.conf")], *web),
        "redis": (["redis-server", "--port", str(PORT), "--save", ""], b"PING\r\n", b"+PONG"),
        "node": (["node", str(cache / "node.js")], *web),
        "python": (["python3", "-m", "http.server", "--bind", "127.0.0.1", str(PORT)], REQUEST, b"HTTP/1.0 "),
    }
    found = {"muster": (muster + [str(cache / "data")], *web)}
    for peer, (command, *rest) in peers.items():
        found[peer] = (command, *rest) if shutil.which(command[0]) else None
    return found


def measure(peer, server, cache):
    """{(measure, unit): value} of ten starts."""
    starts = [start(*server) for _ in range(TIMES)]
    rows = {
        ("start to first answer", "ms"): statistics.median(took for took, _ in starts),
        ("memory then", "MiB"): statistics.median(memory for _, memory in starts),
    }
    if peer == "muster":
        fresh = []
        for _ in range(TIMES):
            shutil.rmtree(cache / "data", ignore_errors=True)
            fresh.append(start(*server)[0])
        rows[("start to first answer, new", "ms")] = statistics.median(fresh)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("built", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cache = (options.cache / "startup").resolve()
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    found = servers(options.built.resolve(), cache)
    missing = [peer for peer, server in found.items() if server is None]
    values = {}
    for number in range(1, options.rounds + 1):
        for peer, server in found.items():
            if server is None:
                continue
            table.progress(f"round {number} of {options.rounds}: {peer}")
            for row, value in measure(peer, server, cache).items():
                values.setdefault(row, {}).setdefault(peer, []).append(value)
    table.progress("")
    rows = {row: {peer: statistics.median(runs) for peer, runs in by_peer.items()} for row, by_peer in values.items()}
    peers = [peer for peer in found if peer not in missing]
    if options.json:
        table.print_json("startup", rows, peers, missing, options.rounds)
    else:
        table.print_table(rows, peers, missing)


if __name__ == "__main__":
    main()
