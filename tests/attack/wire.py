"""What the attacks are made of: the server as a child, sockets that say anything, HTTP/2 by hand."""

import http.client
import json
import resource
import socket
import struct
import subprocess
import time

import hpack

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW = 4  # of a stream, among the settings
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Server:
    def __init__(self, program, *options):
        def many_files():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        self.child = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True, preexec_fn=many_files)
        self.where = json.loads(self.child.stdout.readline())
        host, port = self.where["address"].rsplit(":", 1)
        self.address = ("127.0.0.1", int(port))

    def status(self, name):
        with open(f"/proc/{self.child.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name))

    def rss(self):
        """In KB."""
        return self.status("VmRSS")

    def peak_reset(self):
        with open(f"/proc/{self.child.pid}/clear_refs", "w") as file:
            file.write("5")
        return self.rss()

    def peak(self):
        return self.status("VmHWM")

    def cpu(self):
        """Seconds."""
        with open(f"/proc/{self.child.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def post(self, path, body=b"{}", **headers):
        """(status, body) of a request; a dict as body is JSON."""
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        body = json.dumps(body) if isinstance(body, dict) else body
        connection.request("POST", path, body, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        result = answer.status, answer.read()
        connection.close()
        return result

    def get(self, path, **headers):
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        result = answer.status, answer.read()
        connection.close()
        return result

    def serves(self):
        """Others are served: gives how long a call took."""
        start = time.monotonic()
        status, body = self.post("/echo.v1.Calls/Unary", {"text": "still here"})
        assert status == 200 and b"still here" in body, (status, body)
        return time.monotonic() - start

    def stop(self):
        self.child.terminate()
        return self.child.wait(20)


class Muster(Server):
    """A runtime in that data folder."""

    def __init__(self, program, folder, *options):
        self.child = subprocess.Popen([program, "serve", "--data", folder, *(options or ("--listen", "127.0.0.1:0"))],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = ("127.0.0.1", int(self.child.stdout.readline().rsplit(":", 1)[1]))
        with open(f"{folder}/token") as file:
            self.token = file.read()


def raw(server, receive_buffer=None):
    it = socket.socket()
    if receive_buffer:
        it.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    it.settimeout(10)
    it.connect(server.address)
    return it


def exchange(server, request):
    """What comes back for these bytes, up to the end of the connection or a second's silence."""
    with raw(server) as it:
        said = b""
        try:
            it.sendall(request)
            it.settimeout(1)
            while piece := it.recv(65536):
                said += piece
        except OSError:
            pass
        return said


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def setting(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def envelope(message, flags=0):
    return struct.pack(">BI", flags, len(message)) + message


class Http2:
    """A client's connection. Streams are numbered by who writes them."""

    def __init__(self, server, *settings, receive_buffer=None):
        self.socket = raw(server, receive_buffer)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.authority = "%s:%d" % server.address
        self.left = b""
        self.next = 1
        self.over = False  # the server has ended it
        self.send(PREFACE + setting(*settings))

    def send(self, data):
        self.socket.sendall(data)

    def head(self, path, *more, content="application/grpc", method="POST"):
        return self.encoder.encode([(":method", method), (":scheme", "http"), (":path", path),
                                    (":authority", self.authority), ("content-type", content), ("te", "trailers"), *more])

    def open(self, path, *more, end=False, **options):
        stream, self.next = self.next, self.next + 2
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.head(path, *more, **options)))
        return stream

    def call(self, path, body, *more):
        stream = self.open(path, *more)
        self.send(frame(DATA, END_STREAM, stream, body))
        return stream

    def frames(self, seconds):
        """(kind, flags, stream, payload) of what comes until there is silence for so long, or the end."""
        self.socket.settimeout(seconds)
        while True:
            while len(self.left) < 9 or len(self.left) < 9 + int.from_bytes(self.left[:3], "big"):
                try:
                    piece = self.socket.recv(1 << 18)
                    self.over = not piece
                except TimeoutError:
                    return
                except OSError:
                    self.over = True
                if self.over:
                    return
                self.left += piece
            size = int.from_bytes(self.left[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", self.left[3:9])
            payload, self.left = self.left[9:9 + size], self.left[9 + size:]
            if kind == HEADERS:
                payload = self.decoder.decode(payload)
            yield kind, flags, stream, payload

    def pour(self, stream, data):
        """Sends a request's body, as the windows allow, and its end."""
        sent, room = 0, {0: 65535, stream: 65535}
        while sent < len(data):
            size = min(16384, len(data) - sent, *room.values())
            if size > 0:
                self.send(frame(DATA, 0, stream, data[sent:sent + size]))
                sent += size
                room = {which: left - size for which, left in room.items()}
                continue
            before = dict(room)
            for kind, flags, which, payload in self.frames(0.05):
                if kind == SETTINGS and not flags:
                    for name, value in struct.iter_unpack(">HI", payload):
                        room[stream] += value - 65535 if name == INITIAL_WINDOW else 0
                    self.send(frame(SETTINGS, ACK, 0, b""))
                elif kind == WINDOW_UPDATE and which in room:
                    room[which] += int.from_bytes(payload, "big")
                elif which == stream:
                    raise AssertionError(f"after {sent} bytes of {len(data)} came a frame of kind {kind}: {payload}")
            assert room != before or not self.over, "the server ended the connection"
        self.send(frame(DATA, END_STREAM, stream))

    def status(self, stream, seconds=5):
        """grpc-status of a call, or the code it was reset with, negative."""
        for kind, flags, which, payload in self.frames(seconds):
            if which != stream:
                continue
            if kind == RST:
                return -int.from_bytes(payload, "big")
            if kind == HEADERS and (status := dict(payload).get("grpc-status")):
                return int(status)
        return None

    def goaway(self, seconds=5):
        """The code that the server sends us away with."""
        for kind, _, _, payload in self.frames(seconds):
            if kind == GOAWAY:
                return int.from_bytes(payload[4:8], "big")
        return None

    def close(self):
        self.socket.close()
