"""Lookups of a service by name, beside etcd reading one key: what a client asks before it calls.

Each server runs on one processor, the load (h2load) on another. etcd answers a serializable range of
one key, which is its fastest read. Tails are measured at 10,000 lookups a second, which both can take,
and at 50,000, which etcd cannot: there it has none.
"""

import base64
import importlib.util
import pathlib
import shutil
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
specification = importlib.util.spec_from_file_location("rpc_run", HERE.parent / "rpc/run.py")
rpc = importlib.util.module_from_spec(specification)
specification.loader.exec_module(rpc)

NAME = b"CalculatorService"
RATES = [10_000, 50_000]
SHAPES = [(10, 10, 200_000), (10, 100, 300_000)]
INSTANCES = 3


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


def framed(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def muster(built, cache):
    data = cache / "discovery_data"
    shutil.rmtree(data, ignore_errors=True)
    return rpc.Server([str(built.parent.parent / "muster"), "serve", "--quiet", "--listen", "127.0.0.1:0", "--data", str(data)])


def fill_muster(server):
    for number in range(INSTANCES):
        body = f'{{"name": "{NAME.decode()}", "address": "127.0.0.1:{4000 + number}", "lease_ms": 3600000}}'
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/v1/instances", body.encode(),
                                         {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=5).read()


def etcd(cache):
    if shutil.which("etcd") is None:
        return None
    data = cache / "discovery_etcd"
    shutil.rmtree(data, ignore_errors=True)
    urls = ["--listen-client-urls", "http://127.0.0.1:52379", "--advertise-client-urls", "http://127.0.0.1:52379",
            "--listen-peer-urls", "http://127.0.0.1:52380", "--initial-advertise-peer-urls", "http://127.0.0.1:52380",
            "--initial-cluster", "default=http://127.0.0.1:52380"]
    return rpc.Server(["env", "GOMAXPROCS=1", "etcd", "--data-dir", str(data), "--logger", "zap", "--log-level", "error",
                       *urls], port=52379)


def fill_etcd(server):
    key, value = base64.b64encode(NAME).decode(), base64.b64encode(b"127.0.0.1:4000").decode()
    text = f'{{"key": "{key}", "value": "{value}"}}'
    for _ in range(50):
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}/v3/kv/put", text.encode())
            return urllib.request.urlopen(request, timeout=5).read()
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("etcd does not answer")


def tail(server, path, body, cache, offered):
    """99th percentile in µs of calls offered at that rate for two seconds; None when it cannot keep up."""
    log = cache / "discovery_times.tsv"
    log.unlink(missing_ok=True)
    rate = rpc.load(server.port, 10, 100, 2 * offered, body, rpc.GRPC, path, ["--rps", str(offered // 10), "--log-file", log])
    if rate < 0.9 * offered:
        return None
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return times[int(len(times) * 0.99)]


def measure_one(server, fill, path, message, cache):
    body = cache / "discovery_request"
    body.write_bytes(framed(message))
    rows = {}
    with server:
        fill(server)
        rpc.load(server.port, 10, 10, 20_000, body, rpc.GRPC, path)
        for connections, streams, requests in SHAPES:
            before = server.processor_seconds()
            rate = rpc.load(server.port, connections, streams, requests, body, rpc.GRPC, path)
            shape = f"lookup {connections}×{streams}"
            rows[shape, "lookups/s"] = rate
            rows[f"{shape}, processor", "µs"] = (server.processor_seconds() - before) / requests * 1e6
        for offered in RATES:
            slowest = tail(server, path, body, cache, offered)
            if slowest is not None:
                rows[f"lookup, 99th percentile at {offered // 1000}k/s", "µs"] = slowest
    return rows


def measure(built, cache):
    """{peer: {(measure, unit): value}} of one round; a peer that is not installed is None."""
    found = {"muster": measure_one(muster(built, cache), fill_muster, "/runtime.v1.BrokerService/LookupService",
                                   field(1, NAME) + field(2, b"server"), cache)}
    peer = etcd(cache)
    found["etcd"] = peer and measure_one(peer, fill_etcd, "/etcdserverpb.KV/Range", field(1, NAME) + b"\x38\x01", cache)
    return found
