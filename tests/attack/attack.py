"""Attacks on the echo server, each of which has to leave it small and serving others:

    attack.py ECHO-SERVER MUSTER [NAME…]

Each function whose name begins with "attack_" is one; what it returns is a figure for the log."""

import base64
import contextlib
import json
import os
import resource
import struct
import sys
import tempfile
import time
import zlib

import brotli
import zstandard

from wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST, WINDOW_UPDATE,
                  Http2, Muster, Server, envelope, exchange, frame, raw, setting)

UNARY = "/echo.v1.Calls/Unary"
ENHANCE_YOUR_CALM, REFUSED_STREAM = 11, 7
RESOURCE_EXHAUSTED = 8
PATIENCE = 1.5  # seconds, of the server that `hasty` is
MODEST = 32 << 20  # bytes that all exchanges of the server `modest` may hold


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


# ---- decompression bombs ----


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def snappy_bomb(blocks):
    zeros = bytes(65536)
    packed = varint(65536) + b"\0\0" + (b"\xfe\1\0" * 1024)[:-3] + bytes([62 << 2 | 2, 1, 0])
    crc = crc32c(zeros)
    checked = struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF) + packed
    chunk = b"\0" + struct.pack("<I", len(checked))[:3] + checked
    return b"\xff\x06\0\0sNaPpY" + chunk * blocks


def bombs():
    size, piece = 1 << 30, bytes(1 << 20)
    deflate, zip_, zstd = zlib.compressobj(9), zlib.compressobj(9, wbits=31), zstandard.ZstdCompressor().compressobj()
    made = {"deflate": b"", "gzip": b"", "zstd": b""}
    for _ in range(size // len(piece)):
        for name, packer in (("deflate", deflate), ("gzip", zip_), ("zstd", zstd)):
            made[name] += packer.compress(piece)
    for name, packer in (("deflate", deflate), ("gzip", zip_), ("zstd", zstd)):
        made[name] += packer.flush()
    made["br"] = brotli.compress(bytes(256 << 20), quality=5, lgwin=24)
    made["snappy"] = snappy_bomb(800)
    return {name: data for name, data in made.items() if len(data) < 4 << 20}


def attack_decompression_bombs(server):
    made = bombs()
    assert len(made) == 5, {name: len(data) for name, data in made.items()}
    before, cpu = server.peak_reset(), server.cpu()
    for name, bomb in made.items():
        status, body = server.post(UNARY, bomb, **{"content-type": "application/proto", "content-encoding": name})
        assert status == 429 and b"resource_exhausted" in body, (name, status, body)
        status, body = server.post("/v1/things", bomb, **{"content-encoding": name})
        assert status == 429, (name, status, body)
        connection = Http2(server)
        stream = connection.open(UNARY, ("grpc-encoding", name))
        connection.pour(stream, envelope(bomb, 1))
        status = connection.status(stream)
        assert status == RESOURCE_EXHAUSTED, (name, status)
        connection.close()
    grown = server.peak() - before
    assert grown < 40 << 10, grown
    sizes = ", ".join(f"{name} {len(bomb) >> 10} KB" for name, bomb in made.items())
    return f"{sizes}: {grown} KB more at the peak, {server.cpu() - cpu:.2f} s of CPU"


# ---- sizes that are only announced ----


def attack_announced_not_sent(server):
    connection = Http2(server)
    stream = connection.open(UNARY)
    connection.send(frame(DATA, 0, stream, b"\0\xff\xff\xff\xff"))
    assert connection.status(stream) == RESOURCE_EXHAUSTED
    before = server.peak_reset()
    for _ in range(250):
        stream = connection.open("/echo.v1.Calls/ClientStream")
        connection.send(frame(DATA, 0, stream, b"\0\0\x3f\xff\xff" + b"x" * 100))
    server.serves()
    grown = server.peak() - before
    assert grown < 20 << 10, grown
    answer = exchange(server, b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                              b"content-length: 99999999999\r\n\r\n" % UNARY.encode() + b" " * (5 << 20))
    assert b" 429 " in answer or b" 413 " in answer, answer[:200]
    connection.close()
    return f"250 streams that announce 4 MB each: {grown} KB"


def attack_messages_without_end(modest):
    """Messages that come but for their last byte, from many: all of them together are bounded."""
    before, cut, connections = modest.peak_reset(), 0, []
    head = b"POST /echo.v1.Calls/ClientStream HTTP/1.1\r\nhost: localhost\r\n" \
           b"content-type: application/connect+proto\r\ncontent-length: %d\r\n\r\n" % (5 + (4 << 20))
    for _ in range(60):
        it = raw(modest)
        with contextlib.suppress(OSError):
            it.sendall(head + struct.pack(">BI", 0, 4 << 20) + bytes((4 << 20) - 1))
        connections.append(it)
    time.sleep(0.3)
    for it in connections:
        it.settimeout(0)
        try:
            cut += not it.recv(1)
        except BlockingIOError:
            pass
        except OSError:
            cut += 1
    modest.serves()
    grown = modest.peak() - before
    for it in connections:
        it.close()
    assert grown < 3 * MODEST >> 10 and 0 < cut < 60, (grown, cut)
    return f"60 connections with 4 MB each: {grown >> 10} MB more at the peak, with a budget of {MODEST >> 20} MB"


# ---- slowness ----


def attack_slow_loris(hasty):
    """Headers that never end, byte by byte; HTTP/2 prefaces likewise; bodies that stop."""
    lines = [b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 1000, PREFACE, b"",
             b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
             % UNARY.encode()]
    victims = [(raw(hasty), lines[i % len(lines)]) for i in range(400)]
    start, worst = time.monotonic(), 0
    step, living = 0, victims
    while living and time.monotonic() - start < 3 * PATIENCE + 3:
        still = []
        for it, line in living:
            try:
                it.settimeout(0)
                if step < len(line) and not line.startswith(b"POST"):
                    it.send(line[step:step + 1])
                elif step == 0:
                    it.send(line)
                with contextlib.suppress(BlockingIOError):
                    if not it.recv(4096):
                        continue
                still.append((it, line))
            except OSError:
                pass
        living, step = still, step + 1
        worst = max(worst, hasty.serves())
        time.sleep(0.05)
    took = time.monotonic() - start
    for it, _ in victims:
        it.close()
    assert not living, f"{len(living)} of {len(victims)} are still connected after {took:.1f} s"
    return f"400 connections gone after {took:.1f} s (limit {PATIENCE} s); others waited {worst * 1000:.0f} ms at most"


def attack_slow_readers(server):
    """Streams without end to clients that read nothing, and a sender that does not wait for them."""
    before, connections = server.peak_reset(), []
    flood = envelope(b"\x20" + varint(60000))  # Request.size
    for _ in range(50):
        it = Http2(server, (4, (1 << 31) - 1), receive_buffer=4096)
        it.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65535)))
        for _ in range(20):
            it.call("/echo.v1.Calls/Flood", flood)
        connections.append(it)
    for _ in range(100):
        it = raw(server, 4096)
        body = envelope(json.dumps({"size": 60000}).encode())
        it.sendall(b"POST /echo.v1.Calls/Flood HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/connect+json\r\n"
                   b"content-length: %d\r\n\r\n" % len(body) + body)
        connections.append(it)
    worst = max(server.serves() for _ in range(30))
    grown = server.peak() - before
    careless = Http2(server, receive_buffer=4096)
    stream = careless.call("/echo.v1.Calls/Careless", envelope(b"\x20" + varint(60000) + b"\x18" + varint(20000)))
    time.sleep(0.3)
    peak = server.peak() - before
    for it in connections:
        it.close()
    stats = json.loads(server.post("/echo.v1.Calls/GetStats")[1])
    assert int(stats.get("exhausted", 0)) >= 1, stats
    careless.close()
    # Two marks of 64 KB and a message in buffers that double, and the payload that the handler keeps.
    assert grown < 1100 * 600, f"{grown} KB"
    return (f"1,100 streams: {grown >> 10} MB, {grown // 1100} KB each; others waited {worst * 1000:.0f} ms at most; "
            f"with a sender that does not wait {peak >> 10} MB")


def attack_stalled_readers(hasty):
    """Connections that stop reading for good, with streams that still have much to say."""
    connections, start = [], time.monotonic()
    for _ in range(20):
        it = Http2(hasty, (4, (1 << 31) - 1), receive_buffer=4096)
        it.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65535)))
        it.call("/echo.v1.Calls/Flood", envelope(b"\x20" + varint(60000)))
        connections.append(it)
    still = 1
    while still and time.monotonic() - start < 4 * PATIENCE:
        time.sleep(0.1)
        still = int(json.loads(hasty.post("/echo.v1.Calls/GetStats")[1]).get("open", 0))
    took = time.monotonic() - start
    for it in connections:
        it.close()
    assert not still, f"{still} streams are still open after {took:.1f} s"
    return f"gone after {took:.1f} s (limit {PATIENCE} s)"


# ---- floods ----


def flooded(server, name, data, repeat, wanted, before=b""):
    connection, cpu = Http2(server), server.cpu()
    try:
        connection.send(before)
        for _ in range(repeat):
            connection.send(data)
    except OSError:
        connection.over = True
    code = connection.goaway(3)
    connection.close()
    assert code in wanted or (code is None and connection.over), (name, code)
    return f"{name} {server.cpu() - cpu:.2f} s"


def attack_floods(server):
    calm = (ENHANCE_YOUR_CALM, 1)
    head = Http2(server)
    literal = bytes([0x83, 0x86, 0x44]) + bytes([len(UNARY)]) + UNARY.encode()  # POST, http, :path
    literal += b"\x41\x09localhost"
    head.close()
    asking = literal + b"\x5f\x10application/grpc"  # without it, it would be answered at once
    resets = b"".join(frame(HEADERS, END_HEADERS, 2 * i + 1, asking) + frame(RST, 0, 2 * i + 1, struct.pack(">I", 8))
                      for i in range(20000))
    figures = [
        flooded(server, "rapid reset", resets, 1, calm),
        flooded(server, "CONTINUATION", frame(CONTINUATION, 0, 1, b"\0\1a\1b" * 200), 20000, calm,
                before=frame(HEADERS, 0, 1, literal)),
        flooded(server, "empty CONTINUATION", frame(CONTINUATION, 0, 1) * 1000, 100, calm,
                before=frame(HEADERS, 0, 1, literal)),
        flooded(server, "SETTINGS", setting((3, 100)) * 1000, 100, calm),
        flooded(server, "PING", frame(PING, 0, 0, b"12345678") * 1000, 100, calm),
        flooded(server, "empty DATA", frame(DATA, 0, 1) * 1000, 100, calm, before=frame(HEADERS, END_HEADERS, 1, literal)),
        flooded(server, "PRIORITY", frame(2, 0, 3, b"\0\0\0\0\1") * 1000, 100, calm),
    ]
    server.serves()
    return "CPU: " + ", ".join(figures)


def attack_too_many_streams(server):
    connection = Http2(server)
    request = envelope(b"\x28" + varint(60000))  # delay_ms
    streams = [connection.call(UNARY, request) for _ in range(600)]
    refused = sum(1 for kind, _, _, payload in connection.frames(0.5)
                  if kind == RST and int.from_bytes(payload, "big") == REFUSED_STREAM)
    opened = int(json.loads(server.post("/echo.v1.Calls/GetStats")[1]).get("open", 0))
    connection.close()
    assert len(streams) - 256 <= refused and opened <= 256, (refused, opened)
    return f"600 streams: {opened} open, {refused} refused"


# ---- headers, paths, texts ----


def attack_header_bombs(server):
    before = server.peak_reset()
    # A header of 4,000 bytes into the dynamic table, then 16,000 references to it.
    connection = Http2(server)
    literal = bytes([0x83, 0x86, 0x44, len(UNARY)]) + UNARY.encode() + b"\x41\x09localhost"
    bomb = literal + b"\x40\1a\x7f" + varint(4000 - 127) + b"x" * 4000 + b"\xbe" * 12000
    connection.send(frame(HEADERS, END_HEADERS, 1, bomb))
    said = list(connection.frames(1))
    statuses = [dict(payload).get(":status") for kind, _, _, payload in said if kind == HEADERS]
    assert statuses == ["431"] or any(kind in (RST, GOAWAY) for kind, *_ in said), said
    connection.close()
    many = b"".join(b"x-%d: y\r\n" % i for i in range(1000))
    for text in (b"x: " + b"y" * (1 << 20) + b"\r\n", many, b"x" * 100000):
        answer = exchange(server, b"GET /v1/things/a HTTP/1.1\r\nhost: localhost\r\n" + text + b"\r\n")
        assert not answer or b" 431 " in answer or b" 400 " in answer, answer[:100]
    grown = server.peak() - before
    assert grown < 8 << 10, grown
    return f"{grown} KB more at the peak"


def attack_giant_paths(server):
    cpu, before = server.cpu(), server.peak_reset()
    for path in ("/v1/things/" + "a" * 60000, "/v1/all/" + "a/" * 30000, "/v1/things/a?text=" + "%41" * 20000,
                 "/v1/things/a?" + "numbers=1&" * 6000, "/v1/things/a?" + "tags=&" * 10000,
                 "/v1/things/a?" + "a." * 30000 + "b=1", "/v1/things/a?" + "&" * 60000, "/" + "/" * 60000,
                 "/v1/things/a?" + "leaf.text=&" * 5000, "/v1/things/a?" + "labels.x=y&" * 5000,
                 "/echo.v1.Calls/Get?connect=v1&encoding=json&message=" + "%5B" * 20000):
        status, _ = server.get(path)
        assert status in (200, 400, 404, 414, 431), (path[:40], status)
    answer = exchange(server, b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert not answer or b" 431 " in answer or b" 414 " in answer or b" 400 " in answer, answer[:100]
    spent, grown = server.cpu() - cpu, server.peak() - before
    assert spent < 3 and grown < 64 << 10, (spent, grown)
    return f"{spent:.2f} s of CPU, {grown} KB more at the peak"


def attack_deep_messages(server):
    cpu, before = server.cpu(), server.peak_reset()
    deep = 1000000
    for text in ("[" * deep, '{"a":' * deep, '{"anything":' + '{"a":' * deep, '{"anything":{"a":' + "[" * deep,
                 '{"anything":{"a":"' + "\\u0041" * deep):
        status, _ = server.post("/v1/things", text.encode()[:4 << 20])
        assert status == 400, (text[:20], status)
    nested = b""
    for _ in range(2000):  # Thing.anything, a Struct, in itself: unknown fields from there on
        nested = b"\xda\1" + varint(len(nested)) + nested
    groups = b"\xfb\7" * deep  # start of an unknown group, again and again
    for body in (nested, groups, b"\xff" * 100000):
        status, _ = server.post("/echo.v1.Things/Create", body, **{"content-type": "application/proto"})
        assert status in (200, 400), status
    wide = json.dumps({"anything": {str(i): {} for i in range(200000)}}).encode()
    status, _ = server.post("/v1/things", wide)
    assert status in (200, 400, 429), status
    spent, grown = server.cpu() - cpu, server.peak() - before
    assert spent < 5 and grown < 400 << 10, (spent, grown)
    return f"{spent:.2f} s of CPU, {grown >> 10} MB more at the peak"


# ---- who may ask ----


def attack_hosts_and_origins(server):
    port = server.address[1]
    good = ["localhost", f"localhost:{port}", "LOCALHOST", "127.0.0.1", f"127.0.0.1:{port}", "[::1]", f"[::1]:{port}",
            "app.localhost", "10.1.2.3"]
    bad = ["evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost",
           "localhost@evil.example", "127.0.0.1:80@evil.example", "[::1]evil.example", "[::1", "::1]", "localhost:evil",
           "localhost:80:80", "127.0.0.1:", "", "0x7f.1", "2130706433", "127.1", "localhost%00.evil", "[::1%25lo]",
           "[127.0.0.1]", "a" * 5000, ".localhost:99999999"]

    def status(host, *more):
        head = "GET /v1/things/a HTTP/1.1\r\nhost: %s\r\n%s\r\n" % (host, "".join(line + "\r\n" for line in more))
        return exchange_status(server, head.encode())

    for host in good:
        assert status(host) == 200, host
    for host in bad:
        assert status(host) in (400, 403), (host, status(host))
    assert exchange_status(server, b"GET /v1/things/a HTTP/1.1\r\n\r\n") in (400, 403)
    assert exchange_status(server, b"GET /v1/things/a HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n") == 400
    assert exchange_status(server, b"GET http://evil.example/v1/things/a HTTP/1.1\r\nhost: localhost\r\n\r\n") in (400, 403, 404)
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}", "http://127.0.0.1:1", f"http://localhost:{port}",
                   f"http://127.0.0.1:{port}.evil.example", f"http://evil.example/127.0.0.1:{port}", f"http:127.0.0.1:{port}",
                   f"http://127.0.0.1:{port}@evil.example", f"http://a@127.0.0.1:{port}", "https://app.example.evil"):
        assert status(f"127.0.0.1:{port}", f"origin: {origin}") == 403, origin
    for origin in (f"http://127.0.0.1:{port}", "https://app.example"):
        assert status(f"127.0.0.1:{port}", f"origin: {origin}") == 200, origin
    return f"{len(good)} hosts served, {len(bad)} refused"


def exchange_status(server, head):
    with raw(server) as it:
        it.sendall(head)
        answer = it.recv(4096)
    return int(answer.split(b" ")[1]) if answer else 400


def attack_tokens(guarded):
    control = "/echo.v1.Calls/NeedsControl"
    tokens = guarded.where["tokens"]
    token = tokens["control"]
    scope, subject, mac = token.split(".")

    def asked(path=control, **headers):
        return guarded.post(path, **headers)[0]

    bearer = lambda text: {"authorization": "Bearer " + text}
    assert asked(**bearer(token)) == 200
    wrong = ["", "x", token[:-1], token + "A", token[1:], scope + "." + subject, "control..", "." * 300, token.upper(),
             ".".join((scope, subject, mac[::-1])), ".".join((scope, "b3RoZXI", mac)),
             ".".join(("control", *tokens["read"].split(".")[1:])), token + "." + mac, token.replace(".", ""), "A" * 5000,
             " " + token, token + " x"]
    for text in wrong:
        assert asked(**bearer(text)) == 401, text
    basic = base64.b64encode(f"control:{token}".encode()).decode()
    for place in ({"authorization": token}, {"authorization": "Basic " + basic}, {"authorization": "Token " + token},
                  {"x-authorization": "Bearer " + token}, {"proxy-authorization": "Bearer " + token}, {"token": token},
                  {"cookie": f"token={token}"}, {"cookie": f"xmuster_token={token}"}, {"grpc-authorization": "Bearer " + token}):
        assert asked(**place) == 401, place
    assert asked(control + "?authorization=Bearer+" + token) == 401
    assert asked(control + "?access_token=" + token) == 401
    assert asked(**{"cookie": f"a=b; muster_token={token}; c=d"}) == 200
    for name, allowed in (("read", "NeedsRead"), ("report", "NeedsRead NeedsReport"), ("control", "NeedsRead NeedsReport NeedsControl")):
        for method in ("NeedsRead", "NeedsReport", "NeedsControl"):
            wanted = 200 if method in allowed.split() else 403
            assert asked("/echo.v1.Calls/" + method, **bearer(tokens[name])) == wanted, (name, method)
    assert asked("/echo.v1.Calls/NeedsRead") == 401 and asked(UNARY) == 200
    forwarded = {"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1", "x-real-ip": "127.0.0.1"}
    assert asked("/echo.v1.Calls/NeedsRead", **forwarded) == 401
    return f"{len(wrong)} forged tokens refused"


def attack_muster_on_every_interface(muster):
    """muster serve on 0.0.0.0: everything but health needs the token of its data folder."""
    with tempfile.TemporaryDirectory() as folder:
        server = Muster(muster, folder, "--listen", "0.0.0.0:0")
        try:
            assert os.stat(os.path.join(folder, "token")).st_mode & 0o777 == 0o600
            listing = envelope(b"\x3a\1*")  # ServerReflectionRequest.list_services
            reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            for headers, wanted in (((), 16), ((("authorization", "Bearer " + server.token),), 0),
                                    ((("authorization", "Bearer " + server.token[:-2]),), 16)):
                connection = Http2(server)
                status = connection.status(connection.call(reflection, listing, *headers))
                assert status == wanted, (headers, status)
                connection.close()
            assert server.post("/grpc.health.v1.Health/Check")[0] == 200
        finally:
            server.stop()


# ---- what services do to a runtime ----


def attack_slow_log_readers(muster):
    """Subscribers that read nothing of what they asked for hold little, and nothing once they go."""
    with tempfile.TemporaryDirectory() as folder:
        server = Muster(muster, folder)
        try:
            entry = json.dumps({"service_name": "noisy", "message": "x" * 1000}) + "\n"
            status, body = server.post("/v1/log-entries", (entry * 5000).encode())
            assert status == 200 and json.loads(body)["accepted"] in (5000, "5000"), (status, body)
            sizes = []
            for _ in range(6):
                readers = [raw(server, 4096) for _ in range(100)]
                for it in readers:
                    it.sendall(b"GET /v1/logs:subscribe?replay=5000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
                time.sleep(0.5)
                sizes.append(server.rss())
                for it in readers:
                    it.close()
        finally:
            assert server.stop() == 0
        assert max(sizes) < 200 << 10 and sizes[-1] - sizes[1] < 20 << 10, sizes
        return f"600 subscribers: {sizes[0] >> 10} MB after the first hundred, {sizes[-1] >> 10} MB after all"


# ---- crowds ----


def attack_idle_connections(program):
    """10,000 connections that have asked once and stay."""
    server = Server(program)
    count, idle = 10000, []
    server.serves()
    before = server.rss()
    request = b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % UNARY.encode()
    figures = []
    for kind in ("HTTP/1.1", "HTTP/2"):
        start = server.rss()
        for i in range(count // 2):
            if kind == "HTTP/2":
                it = Http2(server)
                it.call(UNARY, envelope(b""))
                idle.append(it.socket)
            else:
                it = raw(server)
                it.sendall(request)
                idle.append(it)
        for it in idle[-count // 2:]:
            assert it.recv(4096)
        time.sleep(0.2)
        each = (server.rss() - start) / (count / 2)
        figures.append(f"{kind} {each:.1f} KB each")
        assert each <= 20, figures
    took = max(server.serves() for _ in range(20))
    for it in idle:
        it.close()
    assert server.stop() == 0
    return f"{', '.join(figures)}; others waited {took * 1000:.0f} ms at most; without connections {before / 1024:.1f} MB"


def main():
    program, muster, *chosen = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    servers = {
        "server": Server(program, "--origin", "https://app.example"),
        "hasty": Server(program, "--patience", str(int(PATIENCE * 1000))),
        "modest": Server(program, "--memory", str(MODEST)),
        "guarded": Server(program, "--listen", "0.0.0.0:0", "--require-token"),
    }
    given = {**servers, "muster": muster, "program": program}
    passed = failed = 0
    for name, attack in list(globals().items()):
        if not name.startswith("attack_") or (chosen and name[7:] not in chosen):
            continue
        wanted = attack.__code__.co_varnames[0]
        start = time.monotonic()
        try:
            figure = attack(given[wanted])
            for server in servers.values():
                server.serves()
            passed += 1
            print(f"{name[7:]}: {figure or 'held off'} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as error:  # whatever went wrong is the finding
            failed += 1
            where = error.__traceback__
            while where.tb_next:
                where = where.tb_next
            print(f"{name[7:]}: broken in line {where.tb_lineno}: {type(error).__name__}: {error}", flush=True)
    for name, server in servers.items():
        if server.stop() != 0:
            failed += 1
            print(f"{name} ended badly")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
