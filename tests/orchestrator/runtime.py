"""A runtime with a project, for tests: `muster serve` in a folder of its own, called as JSON."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


class Refused(Exception):
    """A call that failed: its code ("not_found") and message."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def in_proto_names(value):
    """JSON as Connect writes it, with the names of the proto files."""
    if isinstance(value, list):
        return [in_proto_names(item) for item in value]
    if isinstance(value, dict):
        return {re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), key): in_proto_names(item)
                for key, item in value.items()}
    return value


class Runtime:
    """with Runtime(MUSTER, YAML) as runtime: …"""

    def __init__(self, muster, yaml, files=None):
        self.muster = muster
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-orchestrator-"))
        self.folder.chmod(0o755)
        (self.folder / "muster.yaml").write_text(yaml)
        for name, text in (files or {}).items():
            (self.folder / name).write_text(text)
        self.data = self.folder / ".muster"
        self.process = None

    def __enter__(self):
        self.serve()
        return self

    def serve(self):
        log = open(self.folder / "muster.log", "ab")
        command = [self.muster, "serve", "-f", self.folder / "muster.yaml", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise AssertionError(f"it does not serve: {(self.folder / 'muster.log').read_text()}")
        self.address = line.split()[-1]

    def __exit__(self, *_):
        try:
            self.call("RuntimeService/Shutdown", timeout=30)
        except (OSError, Refused):
            pass
        if self.process:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
        for pid in self.descendants():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- calls ----

    def request(self, method, body, timeout):
        if "/" not in method:
            method = "OrchestratorService/" + method
        request = urllib.request.Request(f"{self.address}/runtime.v1.{method}", json.dumps(body or {}).encode())
        request.add_header("content-type", "application/json")
        request.add_header("authorization", "Bearer " + (self.data / "token").read_text())
        return urllib.request.urlopen(request, timeout=timeout)

    def call(self, method, timeout=60, **body):
        try:
            with self.request(method, body, timeout) as answer:
                return in_proto_names(json.load(answer))
        except urllib.error.HTTPError as error:
            told = json.load(error)
            raise Refused(told["code"], told.get("message", "")) from None

    def stream(self, path, timeout=30, **body):
        """What a server-streaming method sends, by its REST path."""
        request = urllib.request.Request(self.address + path, json.dumps(body).encode() if body else None)
        request.add_header("content-type", "application/json")
        request.add_header("authorization", "Bearer " + (self.data / "token").read_text())
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            for line in answer:
                yield json.loads(line)

    def service(self, name):
        return self.call("GetService", service_name=name)["service"]

    def instance(self, name, replica=0):
        return self.service(name)["instances"][replica]

    def state(self, name):
        return self.service(name)["state"].removeprefix("SERVICE_STATE_")

    def start(self, *names):
        answer = self.call("StartAllServices", service_names=list(names))
        return {result["name"]: result for result in answer["results"]}

    def events(self, name="", kind=None):
        found = self.call("ListEvents", service_name=name, limit=1000).get("events", [])
        return [event for event in found if not kind or event["type"].endswith("TYPE_" + kind)]

    def output(self, name):
        import base64
        pieces = self.stream(f"/v1/services/{name}/output?once=true&replay_bytes=16777216")
        return b"".join(base64.b64decode(piece.get("data", "")) for piece in pieces)

    # ---- processes ----

    def descendants(self):
        """Processes that say in their environment that they are this project's; and its keeper."""
        found = []
        mark = f"MUSTER_DATA={self.data}".encode()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in variables or (command[0].endswith(b"muster-keeper") and str(self.data).encode() in command):
                found.append(int(entry.name))
        return found

    def keeper(self):
        for line in (self.data / "lock").read_text().splitlines():
            if line.startswith("pid "):
                return int(line[4:])
        raise AssertionError("there is no keeper")


def eventually(condition, seconds=20, what=None):
    """Waits for something to be true, and gives it."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not come true: {what() if what else condition}")
        time.sleep(0.02)
