"""Broker and health from outside: the real program, asked by REST, by grpcurl and by muster call.

usage: discovery.py MUSTER GRPCURL

Each function case_… is a test; ends with `N passed, N failed`.
"""

import http.client
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

MUSTER, GRPCURL = sys.argv[1], sys.argv[2]


class Runtime:
    """The program in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.listen = folder, "127.0.0.1:0"

    def start(self):
        self.process = subprocess.Popen([MUSTER, "serve", "--quiet", "--listen", self.listen, "--data", self.folder],
                                        stdout=subprocess.PIPE, text=True)
        self.listen = self.process.stdout.readline().strip().removeprefix("listening on http://")
        return self

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait()

    def request(self, method, path, body=None):
        """Status and decoded answer of a REST call."""
        connection = http.client.HTTPConnection(self.listen, timeout=20)
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"content-type": "application/json"} if body is not None else {})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, json.loads(text) if text else None

    def get(self, path):
        status, answer = self.request("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def post(self, path, body):
        status, answer = self.request("POST", path, body)
        assert status == 200, (path, status, answer)
        return answer

    def register(self, name, instance="", interval_ms=60_000):
        return self.post("/v1/registrations", {"service_name": name, "instance_id": instance, "heartbeat_interval_ms": interval_ms})["service_id"]

    def offer(self, name, address, **more):
        return self.post("/v1/instances", {"name": name, "address": address, **more})["registration_id"]

    def found(self, name):
        """Addresses that a lookup gives; None when nobody has offered the name."""
        status, answer = self.request("GET", f"/v1/lookups/{name}")
        return None if status == 404 else [one["address"] for one in answer["instances"]]

    def memory_mib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024


class Stream:
    """A stream of answers, read in the background: each a line of JSON."""

    def __init__(self, runtime, path, headers=None):
        self.messages, self.changed = [], threading.Condition()
        self.connection = http.client.HTTPConnection(runtime.listen, timeout=60)
        self.connection.request("GET", path, headers=headers or {})
        self.response = self.connection.getresponse()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.response:
                if line.strip():
                    with self.changed:
                        self.messages.append(json.loads(line))
                        self.changed.notify_all()
        except (OSError, http.client.HTTPException, AttributeError, ValueError):
            pass

    def wait(self, what, wanted):
        """The first message that is wanted."""
        with self.changed:
            end = time.monotonic() + 10
            while True:
                for message in self.messages:
                    if wanted(message):
                        return message
                left = end - time.monotonic()
                assert left > 0, f"it did not come: {what}: {self.messages[-3:]}"
                self.changed.wait(left)


def until(what, probe):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not come to pass: {what}")


class Beats:
    """Heartbeats of some instances on one stream, as REST has it: a line each."""

    def __init__(self, runtime, service_ids, interval):
        self.beating, self.sequence = True, 0
        self.connection = http.client.HTTPConnection(runtime.listen, timeout=60)
        self.connection.putrequest("POST", "/v1/heartbeats")
        self.connection.putheader("content-type", "application/json")
        self.connection.putheader("transfer-encoding", "chunked")
        self.connection.endheaders()
        self.service_ids, self.interval = service_ids, interval
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.beating:
            self.sequence += 1
            for one in self.service_ids:
                line = json.dumps({"service_id": one, "sequence": self.sequence}).encode() + b"\n"
                self.connection.send(b"%x\r\n%s\r\n" % (len(line), line))
            time.sleep(self.interval)

    def cease(self):
        """No more beats; the connection stays."""
        self.beating = False
        self.thread.join()


# ---- broker ----


def case_offers_by_lease(runtime):
    registration = runtime.offer("Leased", "127.0.0.1:1", lease_ms=600, metadata={"zone": "a"})
    assert runtime.found("Leased") == ["127.0.0.1:1"]
    assert runtime.offer("Leased", "127.0.0.1:1", lease_ms=600) == registration
    for _ in range(4):
        time.sleep(0.3)
        runtime.post(f"/v1/instances/{registration}:renew", {"load": 0.5})
    assert runtime.found("Leased") == ["127.0.0.1:1"]
    until("the lease runs out", lambda: runtime.found("Leased") == [])
    status, answer = runtime.request("POST", f"/v1/instances/{registration}:renew", {})
    assert status == 404 and "register it again" in answer["message"], answer
    registration = runtime.offer("Leased", "127.0.0.1:1")
    assert runtime.request("DELETE", f"/v1/instances/{registration}")[1] == {"existed": True}
    assert runtime.request("DELETE", f"/v1/instances/{registration}")[1] == {"existed": False}


def case_refusals_say_what_to_do(runtime):
    for request, words in [
        ({"name": "a b", "address": "h:1"}, "name:"),
        ({"name": "a", "address": "nowhere"}, "HOST:PORT"),
        ({"name": "a", "address": "h:1", "weight": -1}, "weight:"),
        ({"name": "a", "address": "h:1", "lease_ms": -5}, "lease_ms:"),
    ]:
        status, answer = runtime.request("POST", "/v1/instances", request)
        assert status == 400 and words in answer["message"], (status, answer)
    status, answer = runtime.request("POST", "/v1/instances", {"name": "a", "address": "h:1", "service_id": "who"})
    assert status == 404 and "RegisterService" in answer["message"], answer
    status, answer = runtime.request("GET", "/v1/lookups/NeverHeardOf")
    assert status == 404 and "RegisterInstance" in answer["message"], answer
    status, answer = runtime.request("GET", "/v1/health/never-heard-of")
    assert status == 404 and "ListHealth" in answer["message"], answer


def case_known_instances_register_again(runtime):
    first, second = runtime.register("again", "i-1"), runtime.register("again", "i-1")
    other = runtime.register("again", "i-2")
    assert first == second != other
    offers = [runtime.offer("Again", "127.0.0.1:1", service_id=first) for _ in range(3)]
    assert len(set(offers)) == 1
    runtime.offer("Again", "127.0.0.1:2", service_id=other)
    assert sorted(runtime.found("Again")) == ["127.0.0.1:1", "127.0.0.1:2"]
    assert sorted(runtime.found("again")) == ["127.0.0.1:1", "127.0.0.1:2"]  # by the service's name, too
    runtime.request("DELETE", f"/v1/registrations/{first}")
    assert runtime.found("Again") == ["127.0.0.1:2"]


def case_watchers_hear_at_once(runtime):
    watch = Stream(runtime, "/v1/lookups/Watched:watch")
    watch.wait("an empty beginning", lambda message: not message["instances"])
    service = runtime.register("watched")
    runtime.offer("Watched", "127.0.0.1:1", service_id=service)
    seen = watch.wait("it comes", lambda message: len(message["instances"]) == 1)
    resumed = Stream(runtime, f"/v1/lookups/Watched:watch?resume_after.epoch={seen['revision']['epoch']}&resume_after.number={seen['revision']['number']}")
    line = json.dumps({"service_id": service, "state": "UNHEALTHY", "message": "DB gone"})
    assert runtime.post("/v1/health", json.loads(line))["accepted"] == "1"
    watch.wait("it is unusable", lambda message: message["unusable_count"] == 1 and not message["instances"])
    resumed.wait("the change, too", lambda message: message["unusable_count"] == 1)
    assert len(resumed.messages) == 1, "what was known already is not told again"
    runtime.request("DELETE", f"/v1/registrations/{service}")
    watch.wait("it is gone", lambda message: message["unusable_count"] == 0 and not message["instances"] and message is not watch.messages[0])


def case_silence_ends_an_offer(runtime):
    """A client that stops beating and keeps its connection."""
    silent, alive = runtime.register("silent", interval_ms=200), runtime.register("alive", interval_ms=200)
    beats = [Beats(runtime, [silent], 0.1), Beats(runtime, [alive], 0.1)]
    runtime.offer("Silent", "127.0.0.1:1", service_id=silent)
    runtime.offer("Alive", "127.0.0.1:1", service_id=alive)
    time.sleep(1)
    assert runtime.found("Silent") and runtime.found("Alive")
    beats[0].cease()
    begin = time.monotonic()
    until("it is degraded before it is gone", lambda: runtime.get("/v1/health/silent")["state"] == "DEGRADED")
    assert runtime.found("Silent") == ["127.0.0.1:1"]
    until("its offer ends", lambda: runtime.found("Silent") == [])
    assert 0.4 < time.monotonic() - begin < 3
    assert runtime.found("Alive") == ["127.0.0.1:1"]
    beats[1].cease()


def case_a_stopped_runtime_calls_nobody_dead(runtime):
    service = runtime.register("patient", interval_ms=500)
    beats = Beats(runtime, [service], 0.2)
    runtime.offer("Patient", "127.0.0.1:1", service_id=service)
    watch, health = Stream(runtime, "/v1/lookups/Patient:watch"), Stream(runtime, "/v1/health:watch")
    watch.wait("it is there", lambda message: len(message["instances"]) == 1)
    runtime.process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    runtime.process.send_signal(signal.SIGCONT)
    time.sleep(1.5)
    assert runtime.found("Patient") == ["127.0.0.1:1"]
    assert all(len(message["instances"]) == 1 for message in watch.messages), watch.messages
    states = {event["status"]["state"] for event in health.messages if event["status"]["service_name"] == "patient"}
    assert states == {"HEALTHY"}, states
    beats.cease()


def case_a_watcher_that_never_reads(runtime):
    lazy = http.client.HTTPConnection(runtime.listen, timeout=60)
    lazy.request("GET", "/v1/lookups/Busy:watch")  # and no more
    watch = Stream(runtime, "/v1/lookups/Busy:watch")
    before = runtime.memory_mib()
    for number in range(1500):
        runtime.offer("Busy", "127.0.0.1:1", metadata={"padding": "x" * 900, "number": str(number)})
    watch.wait("the last change", lambda message: any(one["metadata"]["number"] == "1499" for one in message["instances"]))
    assert runtime.memory_mib() - before < 8, f"{runtime.memory_mib() - before:.1f} MiB more"
    lazy.close()


def case_many_names_have_a_bound(runtime):
    for number in range(3000):
        runtime.request("DELETE", "/v1/instances/" + runtime.offer(f"Passing{number}", "127.0.0.1:1"))
    assert runtime.found("Passing2999") == [] and runtime.found("Passing0") is None


# ---- health ----


def case_reports_are_answered(runtime):
    service = runtime.register("reporter")
    connection = http.client.HTTPConnection(runtime.listen)
    lines = [{"service_id": service, "state": "DEGRADED", "message": "slow", "metadata": {"queue": "812"}},
             {"service_id": "nobody", "state": "HEALTHY"}, {"service_id": service, "state": "HEALTH_UNKNOWN"}]
    connection.request("POST", "/v1/health", "\n".join(map(json.dumps, lines)) + "\n", {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    assert (answer["accepted"], answer["rejected"]) == ("1", "2") and "state" in answer["message"], answer
    status = runtime.get("/v1/health/reporter")
    assert (status["state"], status["message"], status["source"]) == ("DEGRADED", "slow", "HEALTH_SOURCE_REPORT")
    assert status["instances"][0]["metadata"] == {"queue": "812"}
    names = [one["service_name"] for one in runtime.get("/v1/health")["statuses"]]
    assert names == sorted(names) and "reporter" in names


def case_health_is_watched_and_resumed(runtime):
    service = runtime.register("seen")
    watch = Stream(runtime, "/v1/health:watch")
    first = watch.wait("the state that is found", lambda event: event["status"]["service_name"] == "seen")
    assert first["initial"] and first["status"]["state"] == "HEALTHY"
    runtime.post("/v1/health", {"service_id": service, "state": "UNHEALTHY", "message": "why"})
    event = watch.wait("the change", lambda event: event["status"]["service_name"] == "seen" and not event["initial"])
    assert (event["previous_state"], event["status"]["state"], event["status"]["message"]) == ("HEALTHY", "UNHEALTHY", "why")
    last = event["revision"]
    runtime.post("/v1/health", {"service_id": service, "state": "HEALTHY"})
    resumed = Stream(runtime, "/v1/health:watch", {"last-event-id": f"{last['epoch']}-{last['number']}"})
    event = resumed.wait("what came after", lambda event: event["status"]["service_name"] == "seen")
    assert event["status"]["state"] == "HEALTHY" and not event["initial"]
    runtime.request("DELETE", f"/v1/registrations/{service}")
    watch.wait("it is gone", lambda event: event["status"]["service_name"] == "seen" and event["removed"])


def case_grpc_clients_get_answers(runtime):
    service = runtime.register("by-grpc")
    runtime.offer("ByGrpc", "127.0.0.1:7", service_id=service)

    def grpcurl(method, request):
        run = subprocess.run([GRPCURL, "-plaintext", "-d", json.dumps(request), runtime.listen, method], capture_output=True, text=True, timeout=20)
        return json.loads(run.stdout) if run.returncode == 0 else run.stderr

    assert grpcurl("runtime.v1.BrokerService/LookupService", {"name": "ByGrpc"})["instances"][0]["address"] == "127.0.0.1:7"
    assert grpcurl("runtime.v1.HealthService/CheckHealth", {"service_name": "by-grpc"})["state"] == "HEALTHY"
    assert grpcurl("grpc.health.v1.Health/Check", {"service": "by-grpc"}) == {"status": "SERVING"}
    runtime.post("/v1/health", {"service_id": service, "state": "UNHEALTHY"})
    until("grpc.health.v1 says so, too", lambda: grpcurl("grpc.health.v1.Health/Check", {"service": "by-grpc"}) == {"status": "NOT_SERVING"})
    assert "NotFound" in grpcurl("grpc.health.v1.Health/Check", {"service": "nobody"})
    call = subprocess.run([MUSTER, "call", "--data", runtime.folder, ".", "runtime.v1.HealthService/ListHeartbeats", '{"service_name": "by-grpc"}'],
                          capture_output=True, text=True, timeout=20)
    assert json.loads(call.stdout)["statistics"][0]["alive"], call


def case_history_survives_a_kill(runtime):
    service = runtime.register("remembered")
    runtime.post("/v1/health", {"service_id": service, "state": "UNHEALTHY", "message": "DB connection lost"})
    time.sleep(0.5)
    runtime.post("/v1/health", {"service_id": service, "state": "HEALTHY"})
    time.sleep(10.5)  # it is written every ten seconds
    runtime.kill()
    runtime.start()
    assert runtime.request("GET", "/v1/health/remembered")[0] == 404  # it is not there now …
    history = runtime.get("/v1/health/remembered/history?resolution=HEALTH_RESOLUTION_HOUR")["histories"][0]  # … but was
    assert history["incidents"][0]["message"] == "DB connection lost"
    assert 400 < sum(int(hour["unhealthy_ms"]) for hour in history["summaries"]) < 2000
    assert sum(int(hour["healthy_ms"]) for hour in history["summaries"]) > 300  # up to the last mark
    assert all(sum(int(hour[f"{state}_ms"]) for state in ["healthy", "degraded", "unhealthy", "starting", "unknown"]) == 3600_000
               for hour in history["summaries"][:-1])
    status, answer = runtime.request("GET", "/v1/health/never-heard-of/history")
    assert status == 404, answer


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="muster-services-") as folder:
        runtime = Runtime(folder).start()
        try:
            for name, case in list(globals().items()):
                if not name.startswith("case_"):
                    continue
                try:
                    case(runtime)
                    passed += 1
                except Exception:  # noqa: BLE001: whatever a case throws, it has failed
                    failed += 1
                    print(f"{name}:\n{traceback.format_exc()}")
                if runtime.process.poll() is not None:
                    print(f"{name}: the runtime ended with {runtime.process.returncode}")
                    runtime.start()
        finally:
            runtime.kill(signal.SIGTERM)
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main()
