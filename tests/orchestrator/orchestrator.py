"""The orchestrator with real programs under it:

    orchestrator.py MUSTER [NAME…]

Each function whose name begins with "case_" is one; its text says what is to be seen."""

import base64
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import urllib.request

from runtime import Refused, Runtime, eventually

MUSTER = os.path.abspath(sys.argv[1])
POSTGRES = next((folder for folder in ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin")
                 if os.path.exists(folder)), "")
PYTHON = sys.executable


def project(yaml, **files):
    return Runtime(MUSTER, textwrap.dedent(yaml).replace("PYTHON", PYTHON), files)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(port, path="/"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read()


# ---- servers that everybody knows ----


def case_real_servers_under_checks_of_each_kind():
    """node, nginx, redis, PostgreSQL and Python come up in order, answer, and go without a trace."""
    as_user = "" if os.getuid() else "setpriv --reuid=postgres --regid=postgres --clear-groups "
    node = "require('http').createServer((q, r) => r.end('node')).listen(process.env.PORT, '127.0.0.1')"
    nginx = """
        daemon off; pid FOLDER/nginx.pid; error_log stderr; worker_processes 1;
        events {} http { access_log off; client_body_temp_path FOLDER; proxy_temp_path FOLDER;
        fastcgi_temp_path FOLDER; uwsgi_temp_path FOLDER; scgi_temp_path FOLDER;
        server { listen 127.0.0.1:WEB; location / { return 200 nginx; } } }"""
    ports = {name: free_port() for name in ("web", "cache", "db")}
    runtime = project(f"""
        services:
          db:
            command: {as_user}{POSTGRES}/postgres -D FOLDER/pg -k FOLDER/pg -h 127.0.0.1 -p ${{PORT}}
            ports: {{db: {ports['db']}}}
            health_check: {{type: exec, command: "{POSTGRES}/pg_isready -q -h 127.0.0.1 -p ${{PORT}}", interval: 1s}}
            stop: {{signal: INT}}
          cache:
            command: [redis-server, --port, "${{PORT}}", --save, "", --dir, FOLDER]
            ports: {{redis: {ports['cache']}}}
            health_check: {{type: tcp, interval: 1s}}
          node:
            command: [node, -e, "{node}"]
            ports: {{http: auto}}
            health_check: {{type: http, endpoint: /, interval: 1s}}
            depends_on: [cache]
          python:
            command: [PYTHON, -u, -c, "import time; print('ready now'); time.sleep(1000)"]
            health_check: {{type: log_line, pattern: "ready \\\\w+"}}
            depends_on: [db]
          inner:
            command: [{MUSTER}, serve, --listen, "127.0.0.1:${{PORT}}", --data, FOLDER/inner]
            ports: {{grpc: auto}}
            health_check: {{type: grpc, interval: 1s}}
          web:
            command: [nginx, -c, FOLDER/nginx.conf, -e, stderr]
            ports: {{http: {ports['web']}}}
            health_check: {{type: http, endpoint: /, interval: 1s}}
            depends_on: {{node: healthy, db: {{condition: log_line, pattern: "ready to accept connections"}}}}
        """)
    path = runtime.folder / "muster.yaml"
    path.write_text(path.read_text().replace("FOLDER", str(runtime.folder)))
    (runtime.folder / "nginx.conf").write_text(
        nginx.replace("FOLDER", str(runtime.folder)).replace("WEB", str(ports["web"])))
    data = runtime.folder / "pg"
    data.mkdir(mode=0o700)
    if not os.getuid():
        os.chown(data, pwd.getpwnam("postgres").pw_uid, -1)
    subprocess.run(f"{as_user}{POSTGRES}/initdb -D {data} -A trust", shell=True, check=True, capture_output=True,
                   cwd="/")
    with runtime:
        results = runtime.start()
        for name, result in results.items():
            assert result.get("success"), (name, result)
            eventually(lambda: runtime.state(name) == "HEALTHY", what=lambda: runtime.service(name))
        assert get(ports["web"]) == b"nginx"
        assert get(runtime.instance("node")["ports"][0]) == b"node"
        order = [event["service"] for event in reversed(runtime.events(kind="STARTED"))]
        assert order.index("web") > order.index("node") > order.index("cache"), order
        eventually(lambda: all(runtime.instance("db").get(what, 0) > 3
                               for what in ("processes", "threads", "open_files")),
                   what=lambda: runtime.instance("db"))
        began = time.monotonic()
        runtime.call("StopAllServices")
        assert time.monotonic() - began < 9, "somebody had to be killed"
        assert not runtime.events(kind="STOP_WAITING"), runtime.events(kind="STOP_WAITING")
        assert all(runtime.state(name) == "STOPPED" for name in results)
        order = [event["service"] for event in reversed(runtime.events(kind="STOPPED"))]
        assert order.index("web") < order.index("node") < order.index("cache"), order


# ---- services that do not behave ----


def case_ignores_sigterm():
    """It is killed after its time, and meanwhile people are told who is waited for."""
    with project("""
        services:
          deaf:
            command: [PYTHON, -c, "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(1000)"]
            health_check: {type: log_line, pattern: "1"}
            stop: {timeout: 3s}
        """.replace("-c", "-u, -c")) as runtime:
        assert runtime.start()["deaf"]["success"]
        pid = runtime.instance("deaf")["pid"]
        runtime.call("StopService", service_name="deaf")
        assert runtime.state("deaf") == "STOPPED"
        assert not os.path.exists(f"/proc/{pid}")
        told = runtime.events("deaf", "STOP_WAITING")
        assert told and str(pid) in told[0]["message"] and "killed in" in told[-1]["message"], told


def case_forks_a_daemon():
    """What it leaves behind is named and ended, even where it has a session of its own."""
    fork = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(1000)"
    with project(f"""
        services:
          daemon: {{command: [PYTHON, -c, "{fork}"], max_retries: 1, restart: {{policy: always, initial: 50ms}}}}
        """) as runtime:
        runtime.start()
        eventually(lambda: runtime.state("daemon") == "FAILED", what=lambda: runtime.service("daemon"))
        assert "left others behind" in runtime.service("daemon")["last_error"], runtime.service("daemon")
        eventually(lambda: len(runtime.descendants()) == 1, what=runtime.descendants)  # the keeper


def case_a_shell_and_its_children_all_end():
    """Children that went to another session go with their service."""
    with project("""
        services:
          tree: {command: "sleep 1000 & setsid sleep 1001 & (setsid sh -c 'sleep 1002 & sleep 1003' &) ; wait"}
        """) as runtime:
        runtime.start()
        eventually(lambda: len(runtime.descendants()) >= 5, what=runtime.descendants)
        runtime.call("StopService", service_name="tree")
        eventually(lambda: len(runtime.descendants()) == 1, 5, runtime.descendants)


def case_floods_output():
    """50 MB of it cost neither the service nor the runtime its life, and the end is there to be read."""
    flood = "import sys; [sys.stdout.write('x' * 999 + '\\\\n') for _ in range(50000)]; print('the end')"
    with project(f"""
        services:
          flood: {{command: [PYTHON, -c, "{flood}"], task: true}}
        """) as runtime:
        assert runtime.start()["flood"]["success"]
        eventually(lambda: runtime.output("flood").endswith(b"the end\n"))
        status = eventually(lambda: int(runtime.call("GetOrchestratorStatus").get("runtime_memory_bytes", 0)))
        assert status < 300 << 20, status


def case_crashes_at_once():
    """The failure has the exit code and the last lines."""
    with project("""
        services:
          broken: {command: "echo one; echo two >&2; exit 7", restart: {initial: 50ms}}
        """) as runtime:
        result = runtime.start()["broken"]
        assert not result.get("success") and "exited with code 7" in result["error"], result
        assert sorted(result["last_output"]) == ["one", "two"], result
        service = runtime.service("broken")
        assert service["exit_code"] == 7 and service["state"].endswith("FAILED"), service
        assert service["last_output"] == result["last_output"]


def case_no_such_program():
    """The failure names it, at the first attempt."""
    with project("services: {ghost: {command: [no-such-program-here]}}") as runtime:
        result = runtime.start()["ghost"]
        assert result["attempts"] == 1 and "no-such-program-here" in result["error"], result
        with_hint = None
        try:
            runtime.service("gost")
        except Refused as refused:
            with_hint = refused
        assert with_hint and with_hint.code == "not_found" and "'ghost'" in with_hint.message, with_hint


def case_crashes_after_a_while():
    """It is restarted after a pause, and the history knows why."""
    with project("""
        services:
          later: {command: "sleep 0.5; test -e been && sleep 1000; touch been; exit 9", restart: {initial: 50ms}}
        """) as runtime:
        assert runtime.start()["later"]["success"]
        eventually(lambda: runtime.service("later").get("restarts") == 1 and runtime.state("later") == "RUNNING")
        runs = runtime.call("ListRuns", service_name="later")["runs"]
        assert [run["run"] for run in runs] == ["2", "1"] and runs[1]["exit_code"] == 9, runs
        told = runtime.events("later", "EXITED")[0]
        assert "exited with code 9" in told["message"] and told["next_start_ms"], told


def case_never_gets_healthy():
    """After its attempts it has failed, with what its check last said; it never looked broken before."""
    port = free_port()
    with project(f"""
        services:
          mute:
            command: sleep 1000
            ports: {{http: {port}}}
            max_retries: 2
            restart: {{initial: 50ms}}
            health_check: {{type: http, endpoint: /, start_limit: 500ms, interval: 100ms}}
        """) as runtime:
        result = runtime.start()["mute"]
        assert not result.get("success") and "not ready within" in result["error"], result
        assert "connection refused" in result["error"] and result["attempts"] == 2, result
        assert not runtime.events("mute", "HEALTH_CHECK_FAILED") and not runtime.events("mute", "UNHEALTHY")


def case_becomes_unhealthy():
    """Three failing checks in a row restart it."""
    server = """
        import http.server, os, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(500 if os.path.exists("ill") else 200)
                self.end_headers()
            def log_message(self, *_): pass
        http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()"""
    with project("""
        services:
          web:
            command: [PYTHON, server.py]
            ports: {http: auto}
            restart: {initial: 50ms}
            health_check: {type: http, endpoint: /, interval: 100ms}
        """, **{"server.py": textwrap.dedent(server)}) as runtime:
        assert runtime.start()["web"]["success"]
        (runtime.folder / "ill").touch()
        eventually(lambda: runtime.events("web", "UNHEALTHY"))
        (runtime.folder / "ill").unlink()
        eventually(lambda: runtime.service("web").get("restarts") == 1 and runtime.state("web") == "HEALTHY")
        assert "GET /: 500" in runtime.events("web", "UNHEALTHY")[0]["message"]
        assert len(runtime.events("web", "HEALTH_CHECK_FAILED")) == 2


def case_prints_binary():
    """Its output comes back byte for byte."""
    with project("""
        services:
          bytes: {command: "head -c 100000 data", task: true}
        """) as runtime:
        data = bytes(range(256)) * 400
        (runtime.folder / "data").write_bytes(data)
        assert runtime.start()["bytes"]["success"]
        eventually(lambda: runtime.output("bytes") == data[:100000])


def case_needs_a_terminal():
    """It has one, can be typed into and told its size."""
    with project("""
        services:
          shell: {command: [sh], tty: true}
          pipe: {command: [cat], stdin: true}
          none: {command: sleep 1000}
        """) as runtime:
        runtime.start()
        runtime.call("ResizeTerminal", service_name="shell", columns=111, rows=33)

        def type_in(name, text, **more):
            runtime.call("SendInput", service_name=name, data=base64.b64encode(text.encode()).decode(), **more)

        type_in("shell", "stty size; test -t 1 && echo is a terminal\n")
        eventually(lambda: b"33 111" in runtime.output("shell") and b"\nis a terminal" in runtime.output("shell"),
                   what=lambda: runtime.output("shell"))
        type_in("pipe", "through\n")
        eventually(lambda: runtime.output("pipe") == b"through\n")
        type_in("pipe", "", end_of_input=True)
        eventually(lambda: runtime.state("pipe") == "COMPLETED")
        try:
            type_in("none", "x")
            raise AssertionError("nobody reads that")
        except Refused as refused:
            assert refused.code == "failed_precondition" and "stdin" in refused.message, refused


def case_says_when_it_is_ready():
    """Type=notify: readiness, and a watchdog that hears nothing."""
    notify = """
        import os, socket, sys, time
        def tell(text):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.sendto(text, os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
        time.sleep(0.5)
        tell(b"READY=1\\nSTATUS=all is well")
        for _ in range(3):
            tell(b"WATCHDOG=1")
            time.sleep(0.2)
        time.sleep(1000)"""
    with project("""
        services:
          app: {command: [PYTHON, app.py], type: notify, watchdog: 500ms, restart: {initial: 10s}}
        """, **{"app.py": textwrap.dedent(notify)}) as runtime:
        result = runtime.start()["app"]
        assert result.get("success") and int(result["duration_ms"]) >= 500, result
        assert runtime.service("app")["health_message"] == "all is well"
        eventually(lambda: runtime.state("app") == "BACKING_OFF")
        assert "watchdog" in runtime.service("app")["last_error"]


# ---- ports ----


def serve_python(port, folder, *more, **env):
    server = subprocess.Popen([PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1", *more], cwd=folder,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **env})
    eventually(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    return server


WEB = """
    services:
      web:
        command: [PYTHON, -m, http.server, "${PORT}", --bind, 127.0.0.1]
        ports: {http: TAKEN}
        health_check: {type: http, endpoint: /}
        MORE
    """


def case_a_stranger_has_the_port():
    """The failure names its pid and command line, and how to go on; the stranger is left alone."""
    port = free_port()
    stranger = serve_python(port, "/", "--directory", "/tmp")
    try:
        with project(WEB.replace("TAKEN", str(port)).replace("MORE", "")) as runtime:
            error = runtime.start()["web"]["error"]
            assert str(stranger.pid) in error and "http.server" in error and "port_conflict: kill" in error, error
            assert stranger.poll() is None
            assert runtime.events("web", "PORT_CONFLICT")
    finally:
        stranger.kill()
        stranger.wait()


def case_a_stranger_is_ended():
    """With port_conflict: kill, gracefully."""
    port = free_port()
    stranger = serve_python(port, "/", "--directory", "/tmp")
    with project(WEB.replace("TAKEN", str(port)).replace("MORE", "port_conflict: kill")) as runtime:
        threading.Thread(target=stranger.wait, daemon=True).start()
        assert runtime.start()["web"]["success"]
    assert stranger.wait() == -signal.SIGTERM


def case_a_leftover_has_the_port():
    """What an earlier life of the service left behind is ended, and only that."""
    port = free_port()
    with project(WEB.replace("TAKEN", str(port)).replace("MORE", "")) as runtime:
        left = serve_python(port, "/", MUSTER_DATA=str(runtime.data), MUSTER_SERVICE="web", MUSTER_INSTANCE="web-1.99")
        threading.Thread(target=left.wait, daemon=True).start()
        assert runtime.start()["web"]["success"]
        assert left.wait() == -signal.SIGTERM and runtime.instance("web")["pid"] != left.pid
        assert "left behind" in runtime.events("web", "PORT_CONFLICT")[0]["message"]


def case_the_service_runs_already():
    """The same program, folder and arguments: it is taken over, checked and stopped like any other."""
    port = free_port()
    with project(WEB.replace("TAKEN", str(port)).replace("MORE", "")) as runtime:
        running = serve_python(port, runtime.folder)
        assert runtime.start()["web"]["success"]
        web = runtime.instance("web")
        assert web["pid"] == running.pid and web["adopted"], web
        assert runtime.state("web") == "HEALTHY" and runtime.events("web", "ADOPTED")
        threading.Thread(target=running.wait, daemon=True).start()
        runtime.call("StopService", service_name="web")
        assert running.wait() == -signal.SIGTERM


# ---- what people ask for ----


def case_replicas():
    """Scaling starts and stops instances, each with a port of its own."""
    with project("""
        services:
          web:
            command: [PYTHON, -m, http.server, "${PORT}", --bind, 127.0.0.1]
            ports: {http: auto}
            replicas: 2
            health_check: {type: http, endpoint: /}
        """) as runtime:
        assert runtime.start()["web"]["success"]
        service = runtime.call("Scale", service_name="web", replicas=4)["service"]
        assert len(service["instances"]) == 4 and len(set(service["ports"])) == 4, service
        for port in service["ports"]:
            get(port)
        service = runtime.call("Scale", service_name="web", replicas=1)["service"]
        assert len(service["instances"]) == 1, service
        assert len(runtime.descendants()) == 2, runtime.descendants()


def case_closures():
    """Starting takes dependencies along, stopping takes whom it is asked to, each in order."""
    with project("""
        services:
          db: {command: sleep 1000}
          cache: {command: sleep 1000}
          api: {command: sleep 1000, depends_on: [db, cache]}
          web: {command: sleep 1000, depends_on: [api]}
          jobs: {command: sleep 1000, depends_on: [cache]}
          tool: {command: sleep 1000, disabled: true}
          user: {command: sleep 1000, depends_on: [tool]}
        """) as runtime:

        def running():
            services = runtime.call("GetOrchestratorStatus")["services"]
            return {service["name"] for service in services if service["state"].endswith("RUNNING")}

        answer = runtime.call("StartService", service_name="api")
        assert answer["success"] and running() == {"db", "cache", "api"}, answer
        results = runtime.start()
        assert running() == {"db", "cache", "api", "web", "jobs"} and "tool" not in results, results
        assert "disabled" in results["user"]["error"] and runtime.state("tool") == "SKIPPED", results
        assert runtime.call("StartService", service_name="user")["success"] and "tool" in running()

        before = {name: runtime.instance(name)["run"] for name in ("db", "api", "web", "jobs")}
        runtime.call("RestartService", service_name="db", with_dependants=True)
        after = {name: runtime.instance(name)["run"] for name in before}
        assert after == {**{name: str(int(before[name]) + 1) for name in ("db", "api", "web")},
                         "jobs": before["jobs"]}, (before, after)

        stopped = runtime.call("StopService", service_name="api", with_dependants=True, with_dependencies=True)
        assert stopped["stopped"][:2] == ["web", "api"] and set(stopped["stopped"]) == {"web", "api", "db"}, stopped
        assert running() == {"cache", "jobs", "tool", "user"}
        assert runtime.service("api")["stopped_by_user"]
        assert not runtime.call("StopService", service_name="api").get("stopped")
        assert runtime.call("Signal", service_name="jobs", signal="SIGCONT")["delivered"] == 1
        forced = time.monotonic()
        runtime.call("StopService", service_name="jobs", force=True)
        assert time.monotonic() - forced < 2 and runtime.instance("jobs")["exit_signal"] == 9


def case_environment():
    """A service knows where the runtime is, who it is, and may report there."""
    with project("""
        services:
          task: {command: "env; echo replica ${replica}", env: {COLOUR: blue}, ports: {x: auto, y: auto}, task: true}
        """) as runtime:
        runtime.start()
        text = eventually(lambda: runtime.output("task").decode())
        env = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        assert env["MUSTER_ADDRESS"] == runtime.address and env["MUSTER_SERVICE"] == "task", env
        assert env["MUSTER_INSTANCE"] == runtime.instance("task")["instance_id"] and env["COLOUR"] == "blue"
        assert env["PORT"].isdigit() and env["MUSTER_TOKEN"].startswith("report."), env
        assert "replica 0" in text


def case_commands():
    """In the environment of a service: output, input, exit code; unknown programs are refused."""
    with project("""
        services:
          app: {command: sleep 1000, env: {WHO: me}, commands: {greet: "echo hello $WHO"}}
        """) as runtime:
        runtime.start()

        def run(command, *arguments, text=""):
            said, code = b"", None
            for piece in runtime.stream("/v1/services/app:run", command=command, arguments=arguments,
                                        input=base64.b64encode(text.encode()).decode()):
                said += base64.b64decode(piece.get("data", ""))
                code = piece.get("exit_code", code)
            return said, code

        assert run("greet", "you too") == (b"hello me you too\n", 0)
        assert run("sh", "-c", "cat; exit 5", text="typed") == (b"typed", 5)
        assert len(run("head", "-c", "3000000", "/dev/zero")[0]) == 3000000


def case_schedules():
    """It runs every so often, and a stop ends that."""
    with project("""
        services:
          tick: {command: "echo tick", schedule: {every: 1s, at_start: true}}
        """) as runtime:
        assert runtime.start()["tick"]["success"]
        eventually(lambda: int(runtime.instance("tick").get("run", 0)) >= 3)
        service = runtime.service("tick")
        assert service["kind"].endswith("SCHEDULED") and int(service["next_start_ms"]) > time.time() * 1000 - 500
        runtime.call("StopService", service_name="tick")
        runs = runtime.instance("tick")["run"]
        time.sleep(1.5)
        assert runtime.instance("tick")["run"] == runs


def case_external():
    """It is probed only, and others wait for it."""
    port = free_port()
    with project(f"""
        services:
          db: {{external: true, health_check: {{type: tcp, endpoint: "127.0.0.1:{port}", interval: 100ms}}}}
          app: {{command: sleep 1000, depends_on: [db]}}
        """) as runtime:
        answer = {}
        thread = threading.Thread(target=lambda: answer.update(runtime.start()))
        thread.start()
        eventually(lambda: runtime.state("app") == "WAITING" and runtime.service("app")["waiting_for"] == ["db"])
        with socket.create_server(("127.0.0.1", port)):
            thread.join()
            assert answer["app"]["success"] and runtime.state("db") == "HEALTHY", answer
        eventually(lambda: runtime.state("db") == "UNHEALTHY")


def case_memory_limit():
    """What grows beyond it is restarted, or was ended by the kernel where a cgroup keeps it."""
    grow = "import time; x = bytearray(200 << 20); time.sleep(1000)"
    with project(f"""
        services:
          hog: {{command: [PYTHON, -c, "{grow}"], limits: {{memory: 64MiB}}, restart: {{initial: 20s}}}}
        """) as runtime:
        runtime.start()
        eventually(lambda: runtime.state("hog") == "BACKING_OFF", 15, lambda: runtime.service("hog"))
        error = runtime.service("hog")["last_error"]
        assert "MiB of memory" in error or "signal 9" in error, error


def case_watched_files():
    """A change restarts the service, and names the file; one that writes its own files is found out."""
    with project("""
        services:
          app: {command: sleep 1000, watch: {paths: [src], ignore: ["*.log"], debounce: 50ms}}
          loop: {command: "date +%N > own; sleep 1000", watch: {paths: [own], debounce: 50ms}}
        """) as runtime:
        (runtime.folder / "src" / "deep").mkdir(parents=True)
        runtime.call("ApplyConfiguration", revision="1")
        runtime.start("app")
        (runtime.folder / "src" / "deep" / "a.log").write_text("1")
        (runtime.folder / "src" / "deep" / "a.ts").write_text("1")
        eventually(lambda: runtime.instance("app")["run"] == "2" and runtime.state("app") == "RUNNING")
        told = runtime.events("app", "FILE_CHANGED")
        assert "src/deep/a.ts" in told[0]["message"] and len(told) == 1, told
        runtime.start("loop")
        eventually(lambda: any("watch.ignore" in event["message"] for event in runtime.events("loop", "FILE_CHANGED")))
        assert int(runtime.instance("loop")["run"]) < 10


def case_configuration():
    """Only what differs restarts; what is wrong, or was changed meanwhile, is refused."""
    with project("""
        services:
          same: {command: sleep 1000}
          other: {command: sleep 1001}
          gone: {command: sleep 1002}
        """) as runtime:
        runtime.start()
        before = {name: runtime.instance(name)["pid"] for name in ("same", "other", "gone")}
        seen = runtime.call("GetConfiguration", include_text=True)
        path, text = seen["files"][0]["path"], seen["files"][0]["text"]
        values = {value["path"]: value for value in seen["values"]}
        assert values["services.same.command"]["source"] == "CONFIGURATION_SOURCE_FILE", values
        assert int(seen["revision"]) == 1 and not seen.get("outdated")

        wrong = text.replace("command: sleep 1001", "comand: sleep 1001")
        found = runtime.call("CheckConfiguration", files=[{"path": path, "text": wrong}])
        assert not found.get("valid") and "command" in found["problems"][0]["suggestion"] + \
            found["problems"][0]["message"] and found["problems"][0]["line"] == 4, found
        for body, code in (({"revision": "1", "files": [{"path": path, "text": wrong}]}, "invalid_argument"),
                           ({"revision": "7"}, "aborted")):
            try:
                runtime.call("ApplyConfiguration", **body)
                raise AssertionError(f"accepted: {body}")
            except Refused as refused:
                assert refused.code == code, refused
        assert (runtime.folder / "muster.yaml").read_text() == text

        right = text.replace("sleep 1001", "sleep 2001").replace("gone: {command: sleep 1002}",
                                                                  "fresh: {command: sleep 3000}")
        answer = runtime.call("ApplyConfiguration", revision="1", files=[{"path": path, "text": right}])
        changes = {change["service_name"]: change["type"].rpartition("_")[2] for change in answer["changes"]}
        assert changes == {"gone": "REMOVED", "other": "RESTARTED", "fresh": "ADDED"}, answer
        assert int(answer["revision"]) == 2 and all(result["success"] for result in answer["results"]), answer
        assert runtime.instance("same")["pid"] == before["same"]
        assert runtime.instance("other")["pid"] != before["other"] and runtime.state("fresh") == "RUNNING"
        assert not os.path.exists(f"/proc/{before['gone']}")
        assert (runtime.folder / "muster.yaml").read_text() == right


def case_what_others_take_from_the_configuration():
    """Timings of heartbeats change without a restart of anything; each probe counts, with its time."""
    with project("""
        services:
          app:
            command: sleep 1000
            health_check: {type: exec, command: "true", interval: 100ms}
        """) as runtime:
        runtime.start()
        pid = runtime.instance("app")["pid"]
        registration = {"service_name": "app", "instance_id": "app-1.1"}

        def node():
            graph = runtime.call("TopologyService/GetTopology", include_instances=True)
            (instance,) = graph["instances"]
            return instance.get("heartbeat_interval_ms"), instance.get("timeout_multiplier")

        def beats():
            return runtime.call("HealthService/ListHeartbeats", service_name="app")["statistics"][0]

        handle = runtime.call("TopologyService/RegisterService", **registration)
        assert node() == (5000, 3), node()
        eventually(lambda: int(beats()["beats_received"]) >= 5)
        assert beats()["latency_max_ms"] > 0, beats()

        timings = "topology: {heartbeat_interval: 7s, stale_after: 4, dead_after: 9}"
        text = (runtime.folder / "muster.yaml").read_text()
        text = text.replace("command: sleep 1000", f"command: sleep 1000\n    {timings}")
        (runtime.folder / "muster.yaml").write_text(text)
        runtime.call("ApplyConfiguration", revision="1")
        eventually(lambda: node() == (5000, 9))
        again = runtime.call("TopologyService/RegisterService", **registration)
        assert again["service_id"] == handle["service_id"] and node() == (7000, 9), (again, node())
        assert runtime.instance("app")["pid"] == pid


def case_watching():
    """A watcher sees the present, then each change of state, in order."""
    with project("services: {a: {command: sleep 1000}, b: {command: sleep 1000, depends_on: [a]}}") as runtime:
        stream = runtime.stream("/v1/services:watch")
        first = next(stream)
        assert first["reset"] and {service["name"] for service in first["services"]} == {"a", "b"}, first
        threading.Thread(target=runtime.start).start()
        states = {}
        for update in stream:
            for service in update.get("services", []):
                states[service["name"]] = service["state"]
            if all(state.endswith("RUNNING") for state in states.values()) and len(states) == 2:
                break


# ---- who dies ----


def revived(runtime, seconds=20):
    """The keeper starts the runtime again: at the same address."""
    def answers():
        try:
            return runtime.call("RuntimeService/GetRuntime", timeout=2)
        except (OSError, Refused):
            return None
    return eventually(answers, seconds)


def case_the_runtime_is_killed():
    """No service notices; what ended meanwhile ended as it did; the address is the same."""
    with project("""
        services:
          a: {command: sleep 1000}
          b: {command: [PYTHON, -m, http.server, "${PORT}", --bind, 127.0.0.1], ports: {http: auto},
              health_check: {type: http, endpoint: /}}
          task: {command: "true", task: true}
          none: {command: sleep 1000}
          dies: {command: "while ! test -e now; do sleep 0.05; done; exit 42", restart: {initial: 30s}}
        """) as runtime:
        assert all(result["success"] for result in runtime.start().values())
        runtime.call("Scale", service_name="none", replicas=0)
        before = {name: runtime.instance(name) for name in ("a", "b")}
        epoch = runtime.call("RuntimeService/GetRuntime")["epoch"]
        for round in range(5):
            pid = eventually(lambda: runtime_pid(runtime))
            os.kill(pid, signal.SIGKILL)
            if round == 2:
                (runtime.folder / "now").touch()
            runtime.process.wait() if round == 0 else None
            eventually(lambda: revived(runtime)["epoch"] != epoch)
            epoch = runtime.call("RuntimeService/GetRuntime")["epoch"]
            for name, instance in before.items():
                after = runtime.instance(name)
                assert after["pid"] == instance["pid"] and after["state"] == instance["state"], after
        assert runtime.state("task") == "COMPLETED"
        assert not runtime.service("none").get("instances"), "it is forgotten that there should be none"
        eventually(lambda: runtime.state("dies") == "BACKING_OFF", what=lambda: runtime.service("dies"))
        assert runtime.service("dies")["exit_code"] == 42
        assert not [event for event in runtime.events() if event["type"].endswith("UNHEALTHY")]


def runtime_pid(runtime):
    """Who listens at its address."""
    port = int(runtime.address.rpartition(":")[2])
    found = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True).stdout
    pids = [int(pid) for name, pid in re.findall(r'"([^"]+)",pid=(\d+)', found) if "keeper" not in name]
    return pids[0] if pids else None


def case_the_keeper_is_killed():
    """Services go on under a new one; an exit after that is told as it was, or said not to be known."""
    with project("services: {a: {command: sleep 1000}, b: {command: sleep 1000}}") as runtime:
        runtime.start()
        before = runtime.instance("a")["pid"]
        keeper = runtime.keeper()
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: runtime.keeper() != keeper)
        assert runtime.instance("a")["pid"] == before and runtime.state("a") == "RUNNING"
        os.kill(runtime.instance("b")["pid"], signal.SIGKILL)
        eventually(lambda: runtime.events("b", "EXITED"))
        told = runtime.events("b", "EXITED")[0]["message"]
        assert "nobody knows how" in told or "signal 9" in told, told


def case_both_are_killed():
    """The next runtime finds the orphans and takes them over."""
    with project("services: {a: {command: sleep 1000}}") as runtime:
        runtime.start()
        before = runtime.instance("a")["pid"]
        keeper = runtime.keeper()
        os.kill(runtime.process.pid, signal.SIGSTOP)
        os.kill(keeper, signal.SIGKILL)
        os.kill(runtime.process.pid, signal.SIGKILL)
        runtime.process.wait()
        runtime.process.stdout.close()
        runtime.serve()
        runtime.start()
        after = runtime.instance("a")
        assert after["pid"] == before and after["adopted"], after
        assert runtime.state("a") == "RUNNING" and len(runtime.descendants()) == 2


def case_the_runtime_is_held_up():
    """Stopped for twenty seconds, it restarts nothing when it goes on."""
    beats = """
        import os, socket, time
        while True:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.sendto(b"READY=1\\nWATCHDOG=1", os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
            time.sleep(0.2)"""
    with project("""
        services:
          web:
            command: [PYTHON, -m, http.server, "${PORT}", --bind, 127.0.0.1]
            ports: {http: auto}
            health_check: {type: http, endpoint: /, interval: 500ms, timeout: 500ms, failure_threshold: 1}
          program:
            command: [sleep, "1000"]
            health_check: {type: exec, command: ["true"], interval: 500ms, timeout: 500ms, failure_threshold: 1}
          watched: {command: [PYTHON, app.py], type: notify, watchdog: 1s}
        """, **{"app.py": textwrap.dedent(beats)}) as runtime:
        runtime.start()
        before = {name: runtime.instance(name)["pid"] for name in ("web", "program", "watched")}
        os.kill(runtime.process.pid, signal.SIGSTOP)
        time.sleep(20)
        os.kill(runtime.process.pid, signal.SIGCONT)
        time.sleep(2)
        for name, pid in before.items():
            service = runtime.service(name)
            assert service["instances"][0]["pid"] == pid and not service.get("restarts"), service
            assert service["state"].endswith("RUNNING" if name == "watched" else "_HEALTHY"), service
            assert not runtime.events(name, "HEALTH_CHECK_FAILED")


def mount(folder, size, options=""):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700{options}", "none", folder],
                          capture_output=True).returncode == 0


def case_the_disk_is_full():
    """Services go on; the loss is bounded and told; output is stored again once there is room."""
    runtime = project("""
        services:
          calm: {command: [sh, -c, "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.02; done"]}
          flood: {command: [sh, -c, "seq 1000000000 1002000000; exec sleep 1000"]}
        """)
    runtime.data.mkdir(mode=0o700)
    if not mount(runtime.data, "8m"):
        print("# skipped: a file system cannot be mounted here")
        return
    log = runtime.folder / "muster.log"
    try:
        with runtime:
            runtime.start()
            eventually(lambda: "does not take what services print" in log.read_text(), what=log.read_text)
            before = {name: runtime.instance(name)["pid"] for name in ("calm", "flood")}
            printed = eventually(lambda: command_of(before["flood"]).startswith("sleep"), what=lambda: "it hangs")
            assert printed and runtime.state("calm") == runtime.state("flood") == "RUNNING"
            assert mount(runtime.data, "64m", ",remount")
            eventually(lambda: "is stored again" in log.read_text(), what=log.read_text)
            last = int(runtime.output("calm").split()[-1])
            eventually(lambda: int(runtime.output("calm").split()[-1]) > last)
            assert {name: runtime.instance(name)["pid"] for name in before} == before
            lines = runtime.output("calm").split()
            assert lines == [b"%d" % number for number in range(len(lines))], "calm has lost lines"
            command = [MUSTER, "logs", "flood", "--data", runtime.data, "-g", "were dropped"]
            eventually(lambda: b"bytes of stdout" in subprocess.run(command, capture_output=True, timeout=30).stdout,
                       what=log.read_text)
    finally:
        subprocess.run(["umount", "-l", runtime.data], capture_output=True)
        shutil.rmtree(runtime.folder, ignore_errors=True)


def command_of(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text()


def main():
    wanted = sys.argv[2:]
    cases = [(name[5:], case) for name, case in globals().items()
             if name.startswith("case_") and (not wanted or name[5:] in wanted)]
    failed = 0
    for name, case in cases:
        began = time.monotonic()
        try:
            case()
            print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # a case that breaks has failed, whatever broke it
            failed += 1
            print(f"not ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
            traceback.print_exc()
    print(f"{len(cases) - failed} passed, {failed} failed")


main()
