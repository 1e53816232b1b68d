"""Measures unary calls of Muster's RPC server beside nghttpd, grpc-go, tonic and C++ gRPC.

usage: run.py BUILT_FOLDER CACHE_FOLDER [--json] [--rounds N]

Each server runs on one processor, the load (h2load, of nghttp2) on another. Rounds alternate between
the servers. Beside the rate stands the processor time that the server took for a request, since at
the top it is the load's own processor that is full. nghttpd answers with a file: what HTTP/2 alone
costs. A peer that cannot be built here is named as missing.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import run as table  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PATH = "/bench.v1.EchoService/Echo"
SHAPES = [(1, 1, 20_000), (10, 10, 200_000), (10, 100, 300_000)]
TICK = os.sysconf("SC_CLK_TCK")


def build_go(cache):
    program = cache / "rpc_grpc_go"
    if shutil.which("go") is None:
        return None
    environment = {**os.environ, "GOFLAGS": "-mod=mod"}
    source = cache / "rpc_go_source"  # go.sum is written beside go.mod
    shutil.copytree(HERE / "go", source, dirs_exist_ok=True)
    built = subprocess.run(["go", "build", "-o", program.resolve(), "."], cwd=source, env=environment)
    return [str(program.resolve())] if built.returncode == 0 else None


def build_tonic(cache):
    if shutil.which("cargo") is None:
        return None
    built = subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", HERE / "tonic/Cargo.toml",
                            "--target-dir", (cache / "rpc_tonic").resolve()])
    return [str((cache / "rpc_tonic/release/rpc_tonic").resolve())] if built.returncode == 0 else None


def static_file(cache):
    """nghttpd's answer to the same path: as many bytes as the others send."""
    folder = cache / "rpc_nghttpd"
    (folder / PATH[1:]).parent.mkdir(parents=True, exist_ok=True)
    (folder / PATH[1:]).write_bytes(request_bytes())
    return folder


def request_bytes():
    message = b"\x0a\x0bhello world"
    return b"\0" + struct.pack(">I", len(message)) + message


class Server:
    """One server, started on processor 0 and ended with the block."""

    def __init__(self, command, port=None):
        self.command, self.port = command, port

    def __enter__(self):
        self.process = subprocess.Popen(["taskset", "-c", "0", *self.command], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        if self.port is None:
            self.port = int(self.process.stdout.readline().decode().rsplit(":", 1)[1])
        else:
            time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def load(port, connections, streams, requests, body, headers, path=PATH, extra=()):
    command = ["taskset", "-c", "1", "h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-n{requests}", "-d", body,
               *extra]
    for header in headers:
        command += ["-H", header]
    run = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=300)
    done = int(re.search(r"status codes: (\d+) 2xx", run.stdout)[1])
    if done != requests:
        raise RuntimeError(f"{requests - done} of {requests} calls failed")
    return float(re.search(r"finished in .*?, ([\d.]+) req/s", run.stdout)[1])


def tail(server, rate, body, cache):
    """99th percentile of the time of a call, in µs, at about half the server's best rate."""
    log = cache / "rpc_times.tsv"
    log.unlink(missing_ok=True)
    requests = int(rate)  # two seconds
    load(server.port, 10, 10, requests, body, GRPC, extra=["--rps", str(max(1, int(rate / 2 / 10))), "--log-file", log])
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return times[int(len(times) * 0.99)]


def streamed(server, method, cache):
    """Messages of 200 bytes a second, sent one way on one connection."""
    count, calls = 100_000, 10
    message = b"\x0a\xc2\x01" + b"x" * 194 + b"\x10\x01"
    body = cache / "rpc_stream.bin"
    body.write_bytes((b"\0" + struct.pack(">I", len(message)) + message) * count)
    window = ["-w", "24", "-W", "24"]
    return load(server.port, 1, 1, calls, body, GRPC, f"/bench.v1.SinkService/{method}", window) * count


GRPC = ["content-type: application/grpc", "te: trailers"]


def first_answer(command, body):
    """Milliseconds from starting the server to the end of the first call."""
    begin = time.monotonic()
    with Server(command) as server:
        load(server.port, 1, 1, 1, body, GRPC)
    return (time.monotonic() - begin) * 1000


def measure(server, body, cache):
    """{(measure, unit): value} of one server in one round."""
    rows = {("memory when idle", "MiB"): server.memory_mib()}
    for connections, streams, requests in SHAPES:
        before = server.processor_seconds()
        rate = load(server.port, connections, streams, requests, body, GRPC)
        shape = f"{connections}×{streams}"
        rows[f"unary {shape}", "calls/s"] = rate
        rows[f"unary {shape}, processor", "µs"] = (server.processor_seconds() - before) / requests * 1e6
    rows["unary 10×10 at half that rate, 99th percentile", "µs"] = tail(
        server, rows["unary 10×10", "calls/s"], body, cache)
    return rows


def measure_ours(server, command, body, json_body, cache):
    """What has no peer here."""
    return {
        ("unary 10×100, Connect JSON", "calls/s"): load(
            server.port, 10, 100, 200_000, json_body, ["content-type: application/json"]),
        ("one-way stream, decoded", "messages/s"): streamed(server, "Sink", cache),
        ("one-way stream, raw", "messages/s"): streamed(server, "RawSink", cache),
        ("start to first answer, with h2load's own", "ms"): first_answer(command, body),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("built", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    body = options.cache / "rpc_request.bin"
    body.write_bytes(request_bytes())
    json_body = options.cache / "rpc_request.json"
    json_body.write_bytes(b'{"text":"hello world"}')

    cpp = options.built / "cpp/rpc_grpc_cpp"
    commands = {
        "muster": [str(options.built / "rpc_muster")],
        "nghttpd": ["nghttpd", "--no-tls", "-d", str(static_file(options.cache)), "57231"]
        if shutil.which("nghttpd") else None,
        "tonic": build_tonic(options.cache),
        "grpc-go": build_go(options.cache),
        "grpc-c++": [str(cpp)] if cpp.exists() else None,
    }
    missing = [peer for peer, command in commands.items() if command is None]
    commands = {peer: command for peer, command in commands.items() if command}
    values = {}
    for number in range(1, options.rounds + 1):
        for peer, command in commands.items():
            table.progress(f"round {number} of {options.rounds}: {peer}")
            with Server(command, 57231 if peer == "nghttpd" else None) as server:
                rows = measure(server, body, options.cache)
                if peer == "muster":
                    rows.update(measure_ours(server, command, body, json_body, options.cache))
            for row, value in rows.items():
                values.setdefault(row, {}).setdefault(peer, []).append(value)
    table.progress("")
    rows = {row: {peer: statistics.median(runs) for peer, runs in by_peer.items()} for row, by_peer in values.items()}
    if options.json:
        table.print_json("rpc", rows, list(commands), missing, options.rounds)
    else:
        table.print_table(rows, list(commands), missing)


if __name__ == "__main__":
    main()
