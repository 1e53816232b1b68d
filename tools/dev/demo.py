"""Shows on the calculator what Muster does, unattended, and checks that it happened.

usage: demo.py MUSTER PROJECT SECONDS

Status 0 only if services became healthy and called each other, a killed server and a killed runtime
came back by themselves with nothing lost, and one request could be followed through all services.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

SERVER, CLIENT, NAME = "calculator-server", "calculator-client", "CalculatorService"


class Failed(Exception):
    pass


class Demo:
    def __init__(self, program, project, folder):
        self.program, self.project, self.folder = program, project, folder

    def muster(self, *arguments, timeout=60):
        """The output of a command that has to succeed."""
        run = subprocess.run([self.program, *arguments, "--data", self.folder], capture_output=True, text=True, timeout=timeout)
        if run.returncode != 0:
            raise Failed(f"muster {' '.join(arguments)} ended with {run.returncode}: {run.stderr.strip()}")
        return run.stdout

    def ask(self, method, **request):
        """A call of the runtime; None while it does not answer."""
        command = [self.program, "call", "--data", self.folder, "--timeout", "2s", ".", f"runtime.v1.{method}", json.dumps(request)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return [json.loads(line) for line in run.stdout.splitlines()] if run.returncode == 0 else None

    def one(self, method, **request):
        answers = self.ask(method, **request)
        return answers[0] if answers else None

    def until(self, what, probe, seconds=20):
        """The first true value of `probe`, and how long it took."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            found = probe()
            if found:
                return found, time.monotonic() - begin
            time.sleep(0.02)
        raise Failed(f"it did not happen within {seconds} s: {what}")

    # what is looked at

    def processes(self):
        services = json.loads(self.muster("ps", "--json"))["services"]
        return {service["name"]: [int(one["pid"]) for one in service["instances"] if int(one["pid"])] for service in services}

    def healthy(self):
        """Names of the services, when all are healthy."""
        answer = self.one("HealthService/ListHealth")
        statuses = (answer or {}).get("statuses", [])
        return sorted(one["service_name"] for one in statuses) if statuses and all(one.get("state") == "HEALTHY" for one in statuses) else None

    def calls(self):
        """The edges of calls that have a rate."""
        graph = self.one("TopologyService/GetTopology") or {}
        return [edge for edge in graph.get("edges", []) if edge.get("kind") == "EDGE_KIND_CALL" and edge.get("total_rps", 0) > 0]

    def usable(self):
        """What a lookup finds of the server."""
        found = (self.one("BrokerService/LookupService", name=NAME) or {}).get("instances", [])
        return [one for one in found if one["service_name"] == SERVER]

    def entries(self, **query):
        return self.ask("LoggerService/QueryLogs", limit=-1, **query) or []

    def asked(self):
        """The numbers that the client has asked about, as its entries say: "Calling Add(7,8)"."""
        found = (re.match(r"Calling Add\((\d+),", entry.get("message", "")) for entry in self.entries(service_names=[CLIENT], search_text="Calling"))
        return [int(match[1]) for match in found if match]

    def runtime_process(self):
        """The one process `muster serve` that works in our folder."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"serve" in words[:3] and os.fsencode(self.folder) in words:
                return int(folder.name)
        raise Failed("the process of the runtime was not found")

    # what is shown

    def start(self):
        begin = time.monotonic()
        self.muster("up", "-d", "-f", f"{self.project}/muster.yaml", "-f", f"{self.project}/c.yaml", "--listen", "127.0.0.1:0")
        took = time.monotonic() - begin
        names, _ = self.until("all services are healthy", self.healthy)
        return f"{len(names)} services healthy after {took:.1f} s: {', '.join(names)}"

    def traffic(self):
        def all_clients():
            edges = self.calls()
            clients = {name for name in self.processes() if "client" in name}
            return edges if clients <= {edge["source"] for edge in edges} else None

        edges, _ = self.until("every client's calls flow", all_clients)
        return "; ".join(f"{edge['source']} → {edge['target']} {edge['total_rps']:.1f} calls/s, "
                         f"p95 {edge.get('latency', {}).get('p95_ms', 0):.1f} ms" for edge in edges)

    def kill_server(self):
        (pid,) = self.processes()[SERVER]
        os.kill(pid, signal.SIGKILL)
        _, vanished = self.until("the broker names it no more", lambda: not self.usable(), 5)
        _, back = self.until("another takes its place", lambda: self.usable() and self.healthy())
        self.until("calls flow again", lambda: [edge for edge in self.calls() if edge["target"] == SERVER])
        return f"process {pid} killed; gone from the broker within {vanished * 1000:.0f} ms, healthy again after {vanished + back:.2f} s"

    def kill_runtime(self):
        before, asked = self.processes(), self.asked()
        pid = self.runtime_process()
        os.kill(pid, signal.SIGKILL)
        _, took = self.until("the runtime answers again", lambda: self.one("RuntimeService/GetRuntime"))
        self.until("all services are registered again", lambda: self.healthy() and self.usable())
        self.until("calls flow again", lambda: self.calls())
        if self.processes() != before:
            raise Failed(f"processes changed: {before} became {self.processes()}")
        graph = self.one("TopologyService/GetTopology")
        doubled = [node["service_name"] for node in graph["nodes"] if node.get("instance_count", 0) > 1]
        if doubled:
            raise Failed(f"registered twice: {', '.join(doubled)}")
        self.until("its entries go on", lambda: self.asked()[-1] > asked[-1])
        numbers = set(self.asked())
        lost = sorted(set(range(min(asked), max(numbers) + 1)) - numbers)
        if lost:
            raise Failed(f"{len(lost)} log entries are lost, the first is about {lost[0]}")
        return f"process {pid} killed; answers again after {took:.2f} s, the services' processes untouched, none of {len(numbers)} entries lost"

    def follow(self):
        """Asks for requests until one is there from end to end, and shows it."""

        def whole():
            for entry in reversed(self.entries(service_names=[CLIENT], search_text="Result")[-20:]):
                lines = self.entries(correlation_id=entry["correlation_id"])
                services = [line["service_name"] for line in lines]
                if services.count(CLIENT) == 2 and len(services) == 4 and "broker" in services:
                    return entry["correlation_id"]
            return None

        correlation, _ = self.until("a request is logged by all services", whole)
        text = self.muster("logs", "--corr", correlation).rstrip()
        order = [line.split("|")[0].strip() for line in text.splitlines()]
        if [order[0], order[1], order[3]] != [CLIENT, "broker", CLIENT] or not order[2].startswith(SERVER):
            raise Failed(f"{correlation} went another way: {order}")
        return f"{correlation}\n" + "\n".join(f"      {line}" for line in text.splitlines())


def main():
    program, project, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    end = time.monotonic() + seconds
    steps = [("services", "start"), ("calls", "traffic"), ("server killed", "kill_server"),
             ("runtime killed", "kill_runtime"), ("one request", "follow")]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="muster-demo-") as folder:
        demo = Demo(program, project, folder)
        try:
            for label, step in steps:
                print(f"  {label:<15}", end="", flush=True)
                try:
                    print(getattr(demo, step)(), flush=True)
                except (Failed, subprocess.TimeoutExpired) as error:
                    failed += 1
                    print(f"FAILED: {error}", flush=True)
                    break
            while not failed and time.monotonic() < end:
                time.sleep(min(1, max(0, end - time.monotonic())))
            if not failed:
                print(f"  {'at the end':<15}{demo.traffic()}")
        finally:
            subprocess.run([program, "down", "--quiet", "--data", folder], timeout=60)
    print("everything happened as it should" if not failed else "not everything happened as it should")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
