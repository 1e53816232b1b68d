"""The commands that people type, from muster init to muster down: the real program, real processes.

usage: commands.py MUSTER

Each function test_… is a case. Those that draw in a terminal get one. Ends with `N passed, N failed`.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

MUSTER = str(pathlib.Path(sys.argv[1]).resolve())
LIMIT = 30  # seconds that anything may take at the very most
QUIET = {"NO_COLOR": "1", "CI": "1"}


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, arguments, folder, rows=24, columns=100):
        self.text = b""
        environment = {key: value for key, value in os.environ.items() if key not in LIVE_NOT}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(MUSTER, [MUSTER, *arguments], {**environment, "TERM": "xterm-256color"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            got = os.read(self.fd, 65536)
        except OSError:  # the other side is closed
            return False
        self.text += got
        return bool(got)

    def expect(self, pattern):
        """Reads on until what it has shown matches."""
        end = time.monotonic() + LIMIT
        while not re.search(pattern, self.text.decode(errors="replace")):
            if time.monotonic() > end:
                raise AssertionError(f"'{pattern}' did not come: {self.text.decode(errors='replace')}")
            self.read(0.1)
        return self

    def type(self, keys):
        self.text = b""
        os.write(self.fd, keys)
        return self

    def end(self):
        """Its exit code, once it has ended."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.read(0):
                    pass
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError(f"it did not end: {self.text.decode(errors='replace')}")


LIVE_NOT = {"CI", "NO_COLOR", "AI_AGENT", "AGENT", "CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI", "CODEX_SANDBOX",
            "OPENCODE", "MUSTER_ADDRESS", "MUSTER_TOKEN"}


class Project:
    """A folder with a project; what still runs at the end is ended."""

    def __init__(self, text=None):
        # An empty data folder above keeps commands from finding somebody else's runtime.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="muster-commands-"))
        (self.root / ".muster").mkdir()
        self.folder = self.root / "project"
        self.folder.mkdir()
        if text is not None:
            self.write("muster.yaml", text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *arguments, code=0, stdin="", environment=None, folder=None):
        """Runs muster to its end, and checks how it ends."""
        clean = {key: value for key, value in os.environ.items() if key not in LIVE_NOT}
        done = subprocess.run([MUSTER, *arguments], cwd=folder or self.folder, input=stdin, capture_output=True,
                              text=True, timeout=LIMIT, env={**clean, **QUIET, **(environment or {})})
        assert code is None or done.returncode == code, \
            f"{' '.join(arguments)}: exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments, **options):
        clean = {key: value for key, value in os.environ.items() if key not in LIVE_NOT}
        return subprocess.Popen([MUSTER, *arguments], cwd=self.folder, stdout=subprocess.PIPE, text=True,
                                env={**clean, **QUIET}, **options)

    def up(self, *arguments, code=0):
        return self.run("up", "-d", "--listen", "127.0.0.1:0", *arguments, code=code)

    def states(self):
        return {service["name"]: service["state"].removeprefix("SERVICE_STATE_").lower()
                for service in self.run("ps", "--json").json()["services"]}

    def end(self):
        if (self.folder / ".muster").exists():
            self.run("down", "--force", code=None)
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def project(text=None):
    made = Project(text)
    try:
        yield made
    finally:
        made.end()


TWO = """
services:
  db:
    command: [sh, -c, "echo db up; exec sleep 1000"]
  web:
    command: [sh, -c, "echo web up $MUSTER_SERVICE; exec sleep 1000"]
    depends_on: [db]
"""

FAILING = TWO + """
  bad:
    command: [sh, -c, "echo 'no such table' >&2; exit 3"]
    max_retries: 1
"""


# ---- without a runtime ----

def test_help_everywhere():
    with project() as p:
        text = p.run("--help").out
        names = re.findall(r"^  ([a-z]+) ", text, re.M)
        assert {"up", "down", "ps", "init", "doctor", "components", "serve"} <= set(names)
        for name in names:
            help_text = p.run(name, "--help").out
            assert help_text.startswith(f"Usage: muster {name}") or name == "status", name
            assert max(map(len, help_text.splitlines())) <= 100, f"{name} --help is too wide"
        assert p.run("--version").out.startswith("muster ")


def test_wrong_usage():
    with project() as p:
        assert "did you mean 'restart'" in p.run("restrat", code=2).err
        assert "did you mean --timeout" in p.run("wait", "--timeuot", "1s", code=2).err
        assert "missing argument" in p.run("restart", code=2).err
        assert "unexpected argument" in p.run("down", "all", code=2).err
        assert "not a time" in p.run("wait", "--timeout", "soon", code=2).err
        assert "without its value" in p.run("up", "--data", code=2).err
        assert "did you mean --values" in p.run("check", "--vlaues", code=2).err
        assert "here it is muster run" in p.run("exec", "web", "ls", code=2).err
        assert p.run("help", "up").out == p.run("up", "--help").out
        assert p.run("version").out == p.run("-V").out == p.run("--version").out


def test_nothing_runs():
    with project() as p:
        (p.folder / ".muster").mkdir()
        for command in (["ps"], ["down"], ["events"], ["components"], ["wait"], ["start"], ["attach", "web"]):
            error = p.run(*command, code=3).err
            assert error.startswith("muster: no runtime is running: "), error
        (p.folder / ".muster/address").write_text("http://127.0.0.1:1")
        assert "does not answer" in p.run("ps", code=3).err


def test_no_project():
    with project() as p:
        assert "muster init" in p.run("up", "-d", code=2).err
        p.write("muster.yaml", "services:\n  web:\n    comand: x\n")
        error = p.run("up", "-d", code=2).err
        assert re.search(r"muster\.yaml:3:5: .*comand.*: did you mean `command`\?$", error, re.M), error
        assert "cannot read" in p.run("up", "-f", "none.yaml", code=2).err
        assert "not an address" in p.run("up", "--listen", "nowhere", code=2).err


def test_init():
    with project() as p:
        p.write("web/package.json", '{"name": "@team/page", "scripts": {"dev": "vite"}}')
        p.write("api/go.mod", "module api\n")
        p.write("api/main.go", "package main\n")
        p.write("node_modules/other/package.json", '{"scripts": {"dev": "x"}}')
        p.run("init")
        text = (p.folder / "muster.yaml").read_text()
        assert '"npm run dev"' in text and '"go run ."' in text and "other" not in text, text
        p.run("check")
        assert "there is a project already" in p.run("init", code=1).err
    with project() as p:
        p.write("Procfile", "web: python3 -m http.server $PORT\n# no\nworker: sleep 5\n")
        assert "2 services" in p.run("init").out
        p.run("check")
        assert "port: auto" in (p.folder / "muster.yaml").read_text()  # what reads $PORT gets one
    with project() as p:
        p.write("docker-compose.yml", "services:\n  db:\n    image: postgres\n    ports: ['127.0.0.1:5433:5432']\n"
                                      "  api:\n    build: .\n    command: [node, x.js]\n    depends_on: [db]\n")
        text = p.run("init", "--print").out
        assert "external: true" in text and "port: 5433" in text and "depends_on: [db]" in text, text
        assert not (p.folder / "muster.yaml").exists()
    with project() as p:
        assert "an example" in p.run("init").out
        p.run("check")


COMPOSE = """
x-common: &common { restart: unless-stopped, environment: &env { LOG: debug, ROLE: none } }
services:
  db:
    image: postgres:16
    ports: ['127.0.0.1:5433:5432', '9187:9187']
    healthcheck: { test: [CMD-SHELL, pg_isready -U postgres] }
  migrate: { build: ./api, command: [./migrate, up all], depends_on: [db] }
  api.v2:
    <<: *common
    build: { context: api }
    entrypoint: [node]
    command: [server.js, 'a b']
    ports: ['8080:80', '9090:9090/tcp', { target: 70, published: 7070 }, '3000-3005:3000-3005']
    environment: { <<: *env, ROLE: "web\\n", B: }
    env_file: .env.api
    healthcheck: { test: [CMD, curl, http://localhost/], interval: 1m30s, retries: 5, start_period: 40s }
    depends_on:
      db: { condition: service_healthy }
      migrate: { condition: service_completed_successfully }
    stop_grace_period: 3s
    volumes: ['.:/app']
"""


def test_init_from_compose():
    with project() as p:
        p.write("docker-compose.yml", COMPOSE)
        p.write(".env.api", "")
        p.write("api/server.js", "")
        p.run("init")
        p.run("check")
        text = (p.folder / "muster.yaml").read_text()
        for line in ("ports: { main: 5433, p9187: 9187 }",
                     "# its container has a check of its own: CMD-SHELL pg_isready -U postgres",
                     'command: ["./migrate", "up all"]', "task: true", 'command: ["node", "server.js", "a b"]',
                     'working_dir: "api"', "ports: { main: 8080, p9090: 9090, p7070: 7070 }",
                     "# a port that has to be named one by one: 3000-3005:3000-3005",
                     'health_check: { type: exec, command: ["curl", "http://localhost/"], interval: 1m30s, '
                     'failure_threshold: 5, start_limit: 40s }',
                     'env: { LOG: "debug", ROLE: "web\\x0a" }', 'env_files: [".env.api"]', "restart: always",
                     "stop: { timeout: 3s }", "depends_on: { db: healthy, migrate: completed }",
                     "# not taken over: volumes"):
            assert f"    {line}\n" in text, f"{line} is not in\n{text}"


def test_init_with_what_cannot_be_read():
    """Said with its place; an example would not be what is wanted."""
    with project() as p:
        p.write("docker-compose.yml", "services:\n  a: [\n")
        error = p.run("init", code=1).err
        assert "muster: passed over: docker-compose.yml:3:1: " in error and "nothing written" in error, error
        assert not (p.folder / "muster.yaml").exists()
        p.write("package.json", '{"scripts": {"dev": "vite"}}')
        done = p.run("init")
        assert "passed over: docker-compose.yml" in done.err and "npm run dev" in done.out, done.err
    with project() as p:
        (p.folder / "Procfile").mkdir()
        assert "passed over: Procfile: Is a directory" in p.run("init", code=1).err
    with project() as p:
        p.write("Cargo.toml", "this is not TOML [")
        assert "passed over: Cargo.toml:1:" in p.run("init", code=1).err


def test_doctor():
    with project() as p:
        checks = {check["name"]: check for check in p.run("doctor", "--json").json()["checks"]}
        assert {"kernel", "proc", "open files", "data folder", "disk space", "port", "clock"} <= set(checks)
        assert checks["kernel"]["state"] == "good"
        assert all(check["remedy"] for check in checks.values() if check["state"] != "good")
        (p.folder / "file").write_text("x")
        failed = p.run("doctor", "--data", "file", "--json", code=1).json()["checks"]
        assert [check["name"] for check in failed if check["state"] == "bad"] == ["data folder"]


def test_doctor_of_a_disk():
    """That takes nothing, for reasons of its own."""
    with project() as p:
        (p.folder / "disk").mkdir()
        for options, remedy in (("ro", "mount it for writing"), ("size=4k", "make room")):
            script = f"mount -t tmpfs -o {options} none disk && {{ [ {options} = ro ] || cat /dev/zero >disk/full; }}; " \
                     f"exec {MUSTER} doctor --data disk"
            done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=p.folder, capture_output=True, text=True,
                                  timeout=LIMIT)
            if "mount:" in done.stderr or "unshare:" in done.stderr:
                return  # nobody mounts anything here
            assert done.returncode == 1 and f"→ {remedy}" in done.stdout, done.stdout + done.stderr


def test_completion():
    with project(TWO) as p:
        script = p.run("completion", "bash").out
        (p.folder / "muster.bash").write_text(script)
        p.up()
        path = f"{os.path.dirname(MUSTER)}:{os.environ['PATH']}"

        def complete(*words):
            code = f'source ./muster.bash; COMP_WORDS=({" ".join(map(repr, words))}); COMP_CWORD={len(words) - 1}; ' \
                   '_muster; printf "%s\\n" "${COMPREPLY[@]}"'
            done = subprocess.run(["bash", "-c", code], cwd=p.folder, capture_output=True, text=True, timeout=LIMIT,
                                  env={**os.environ, "PATH": path})
            assert done.returncode == 0 and not done.stderr, done.stderr
            return done.stdout.split()

        assert complete("muster", "re") == ["restart"]
        assert complete("muster", "restart", "--with") == ["--with-dependants"]
        assert complete("muster", "stop", "") == ["db", "web"]
        for shell in ("zsh", "fish"):
            assert "restart" in p.run("completion", shell).out
        assert "bash, zsh or fish" in p.run("completion", "csh", code=2).err


def test_manual():
    with project() as p:
        text = p.run("man").out
        assert ".TH MUSTER 1" in text and "muster restart" in text
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", "-K", "utf8"], input=text, text=True,
                                  capture_output=True, timeout=LIMIT)
            assert done.returncode == 0 and not done.stderr, done.stderr


def test_unit():
    with project() as p:
        text = p.run("unit", "-f", "a 100% $x.yaml").out
        assert f'up -d -f "{p.folder}/a 100%% $$x.yaml"' in text and "Delegate=yes" in text, text
        assert "no project here" in p.run("unit", code=2).err
        p.write("below/file", "")
        p.write("muster.yaml", TWO)
        p.write("configs/services.toml", "")
        for arguments in ([], ["-f", "../configs/services.toml"], ["-f", "../muster.yaml", "--data", "d"]):
            text = p.run("unit", *arguments, folder=p.folder / "below").out
            folder = re.search("^WorkingDirectory=(.*)$", text, re.M)[1]
            assert folder == str(p.folder.resolve()), text
        assert f'down --data "{p.folder}/below/d"' in text, text


# ---- the runtime alone ----

def test_serve():
    with project() as p:
        runtime = p.start("serve", "--listen", "127.0.0.1:0", stderr=subprocess.PIPE)
        url = runtime.stdout.readline().removeprefix("listening on ").strip()
        assert (p.folder / ".muster/address").read_text() == url
        below = p.folder / "a/b"
        below.mkdir(parents=True)
        components = {one["name"]: one for one in p.run("components", "--json", folder=below).json()["components"]}
        assert all(one["state"] == "COMPONENT_STATE_RUNNING" for one in components.values())
        assert all(components[name]["level"] < one["level"] for one in components.values() for name in one["requires"])
        assert "runtime" in p.run("components").out
        assert "runtime" in p.run("components", "--address", url, folder="/").out
        second = p.run("serve", "--listen", "127.0.0.1:0", code=1).err
        assert "another runtime works in this folder" in second or "keeper" in second, second
        taken = p.run("serve", "--data", "other", "--listen", url.removeprefix("http://"), code=1).err
        assert "the address is in use" in taken, taken
        runtime.send_signal(signal.SIGTERM)
        assert runtime.wait(LIMIT) == 0
        assert not (p.folder / ".muster/address").exists()


def test_second_signal():
    """A call that goes on holds the end up; the second signal does not wait for it."""
    with project() as p:
        runtime = p.start("serve", "--listen", "127.0.0.1:0", stderr=subprocess.PIPE)
        port = int(runtime.stdout.readline().rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"POST /v1/access-tokens HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                         b"content-length: 100\r\n\r\n{")
            time.sleep(0.2)
            runtime.send_signal(signal.SIGINT)
            runtime.stderr.readline()
            assert runtime.poll() is None
            runtime.send_signal(signal.SIGINT)
            assert runtime.wait(LIMIT) == 128 + signal.SIGINT


def test_nothing_starts_while_the_runtime_stops():
    """Neither would it be stopped, nor does it hold the end up."""
    slow = 'trap "sleep 2; exit" TERM; while :; do sleep 0.05; done'
    with project(f"services:\n  slow: {{ command: '{slow}' }}\n"
                 "  web: { command: sleep 1000, disabled: true }\n") as p:
        p.up()
        revision = p.run("call", ".", "OrchestratorService/GetConfiguration", "{}").json()["revision"]
        down = p.start("down")
        while p.states()["slow"] != "stopping":
            time.sleep(0.02)
        named = json.dumps({"serviceName": "web"})
        for method, request in (("StartAllServices", "{}"), ("StartService", named), ("RestartService", named),
                                ("Scale", json.dumps({"serviceName": "web", "replicas": 2})),
                                ("ApplyConfiguration", json.dumps({"revision": revision}))):
            refused = p.run("call", ".", f"OrchestratorService/{method}", request, code=None)
            assert refused.code != 0 and "the runtime is stopping" in refused.err, (method, refused.err)
        down.stdout.read()
        assert down.wait(LIMIT) == 0
        p.up()
        assert p.states() == {"slow": "running", "web": "skipped"}


def test_tokens():
    with project() as p:
        runtime = p.start("serve", "--listen", "127.0.0.1:0", "--quiet")
        url = runtime.stdout.readline().removeprefix("listening on ").strip()
        make = "RuntimeService/CreateAccessToken"
        made = p.run("call", ".", make, '{"scope": "ACCESS_SCOPE_CONTROL", "one_time": true, "label": "Ada"}').json()
        assert made["url"] == f"{url}/#token={made['token']}"
        token = {"MUSTER_TOKEN": made["token"]}
        scale = ["call", url, make, '{"scope": "ACCESS_SCOPE_READ", "ttl_seconds": 1}']
        assert "UNAUTHENTICATED" in p.run(*scale, folder="/", code=1).err
        bearer = ["-H", f"authorization: Bearer {made['token']}"]
        short = p.run(*scale, *bearer, folder="/").json()
        assert "used up" in p.run(*scale, *bearer, folder="/", code=1).err
        assert "PERMISSION_DENIED" in p.run(*scale, "-H", f"authorization: Bearer {short['token']}", folder="/",
                                            code=1).err
        wrong = p.run("call", ".", make, '{"scope": "ACCESS_SCOPE_READ", "ttl_seconds": -1}', code=1).err
        assert "INVALID_ARGUMENT" in wrong and "ttl_seconds" in wrong
        assert token
        runtime.terminate()
        assert runtime.wait(LIMIT) == 0


# ---- a project ----

def test_up_and_down():
    with project(TWO) as p:
        shown = p.up().out
        assert shown.index("db: running") < shown.index("web: running"), shown
        assert p.states() == {"db": "running", "web": "running"}
        status = p.run("ps", "--json").json()
        assert status["total_services"] == 2 and status["services"][0]["instances"][0]["pid"] > 0
        pids = [one["instances"][0]["pid"] for one in status["services"]]
        assert p.up().code == 0  # joins in
        assert [one["instances"][0]["pid"] for one in p.run("ps", "--json").json()["services"]] == pids
        p.run("down")
        assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
        assert "no runtime" in p.run("down", code=3).err


def test_changed_files_come_into_force():
    with project(TWO) as p:
        p.up()
        before = {one["name"]: one["instances"][0]["pid"] for one in p.run("ps", "--json").json()["services"]}
        p.write("muster.yaml", TWO.replace("echo web up", "echo web anew") + "\n  more:\n    command: [sleep, '1000']\n")
        shown = p.up().out
        assert "web is restarted" in shown and "more is new" in shown, shown
        after = {one["name"]: [i["pid"] for i in one["instances"] if i["pid"]]
                 for one in p.run("ps", "--json").json()["services"]}
        assert after["db"] == [before["db"]] and after["web"] != [before["web"]] and after["more"], after
        p.write("muster.yaml", TWO + "  more:\n    comand: x\n")
        p.up(code=2)
        assert p.states() == {"db": "running", "web": "running", "more": "running"}


def test_what_holds_for_who_joins():
    """Files and addresses are those that it was started with; tasks do not run again."""
    with project("services:\n  migrate: { command: 'echo x >>runs', task: true }\n"
                 "  web: { command: sleep 1000, depends_on: [migrate] }\n") as p:
        runs = p.folder / "runs"
        p.up()
        address = (p.folder / ".muster/address").read_text().removeprefix("http://")
        p.run("up", "-d", "--listen", address)
        p.run("up", "-d", "--listen", f"localhost:{address.rsplit(':', 1)[1]}")
        for other in ("127.0.0.1:1", "0.0.0.0:0", "unix:elsewhere"):
            error = p.run("up", "-d", "--listen", other, code=2).err
            assert f"at http://{address}" in error and other in error, error
        p.write("other.yaml", "services:\n  web: { command: sleep 1000 }\n")
        error = p.run("up", "-d", "-f", "other.yaml", code=2).err
        assert "muster.yaml, not" in error and "other.yaml" in error, error
        p.run("stop", "web")
        p.run("up", "-d", "web")  # with what it depends on
        p.run("start")
        assert runs.read_text() == "x\n" and p.states() == {"migrate": "completed", "web": "running"}
        p.run("start", "migrate")
        p.run("up", "-d", "--force")
        assert runs.read_text() == "x\n" * 3
        p.run("stop", "migrate")
        p.up()
        assert runs.read_text() == "x\n" * 4
        kill_runtime(p)
        p.up()
        assert runs.read_text() == "x\n" * 4
        p.run("down")
        p.up()
        assert runs.read_text() == "x\n" * 5


def test_a_project_begins_anew():
    """How services are scaled and how often they were restarted is over with the project."""
    with project(TWO) as p:
        p.up()
        assert "web has 3 instances" in p.run("scale", "web", "3").out
        os.kill(p.run("ps", "--json", "db").json()["services"][0]["instances"][0]["pid"], signal.SIGKILL)
        while p.run("ps", "--json", "db").json()["services"][0]["restarts"] == 0:
            time.sleep(0.05)
        kill_runtime(p)
        assert "web has 3 instances, as it was scaled to; its configuration says 1" in p.up().out
        status = p.run("ps", "--json").json()["services"]
        assert [one["restarts"] for one in status] == [1, 0], status
        p.run("down")
        assert "instances" not in p.up().out
        status = p.run("ps", "--json").json()["services"]
        assert [(one["replicas"], one["restarts"]) for one in status] == [(1, 0), (1, 0)], status


def test_who_falls_during_the_start():
    """A service without a check comes up at once; that it crashes while others start is told."""
    with project("services:\n  crash: { command: 'sleep 0.1; exit 3', restart: { initial: 100ms } }\n"
                 "  once: { command: 'sleep 0.1; [ -e there ] && sleep 1000; touch there; exit 4',\n"
                 "          restart: { initial: 100ms, stable: 500ms } }\n"
                 "  slow: { command: sleep 1000, health_check: { command: 'sleep 0.5' } }\n") as p:
        shown = p.up(code=1).out
        assert "✗ crash failed" in shown and "restarted 3 times" in shown, shown
        assert "✗ once" not in shown and p.states()["once"] == "running", shown


def test_taken_over():
    """A process that is the service and runs already, though nobody of Muster's has started it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [shutil.which("python3"), "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with project(f"services:\n  web: {{ command: {json.dumps(command)}, port: {port}, health_check: tcp }}\n") as p:
        child = subprocess.Popen(command, cwd=p.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        try:
            assert f"web: pid {child.pid} is this service and runs already: taken over" in p.up().out
            assert "taken over: it ran already" in p.run("ps").out
            p.run("down")
        finally:
            child.kill()
            child.wait()


def test_up_of_no_such_service():
    with project(TWO) as p:
        assert "there is no service 'wbe'" in p.up("wbe", code=3).err
        p.run("ps", code=3)  # what was started for it has gone
        p.up("db")
        p.run("up", "-d", "wbe", code=3)
        assert p.states()["db"] == "running"


def test_several_ups_at_once():
    with project(TWO) as p:
        for _ in range(3):
            children = [p.start("up", "-d", "--listen", "127.0.0.1:0") for _ in range(4)]
            for child in children:
                shown = child.stdout.read()
                assert child.wait(LIMIT) == 0, shown
            child = p.start("down")
            while (p.folder / ".muster/address").exists():
                time.sleep(0.001)
            p.up()  # while the last keeper goes
            child.stdout.read()
            child.wait(LIMIT)
            p.run("down", code=None)


def test_a_failure_is_shown():
    with project(FAILING) as p:
        shown = p.up(code=1).out
        assert re.search(r"✗ bad failed.*exited with code 3", shown), shown
        assert "  │ no such table" in shown
        assert p.states()["web"] == "running"
        assert "exited with code 3" in p.run("ps").out
        assert "bad is failed" in p.run("wait", "bad", code=1).err
        told = [(event["type"].removeprefix("SERVICE_EVENT_TYPE_"), event["actor"], event["message"])
                for event in p.run("events", "bad", "--json", "-n", "50").lines()]
        assert [who for what, who, _ in told if what == "STARTED"][0] == "cli", told
        assert {who for what, who, _ in told if what in ("EXITED", "FAILED")} == {"runtime"}, told
        assert all("exited with code 3" in why for what, who, why in told if what == "STARTED" and who == "runtime"), told
        p.run("wait", "--healthy", "web", "--timeout", "5s")
        assert "timed out: web is running" in p.run("wait", "--completed", "web", "--timeout", "200ms", code=4).err
        assert "no such service" in p.run("wait", "wbe", code=3).err


def test_up_does_not_wait_for_ever():
    """For something that Muster does not start itself, and that nobody else has started."""
    with project("services:\n  db: { external: true, health_check: { type: tcp, port: 1, start_limit: 300ms } }\n"
                 "  web: { command: sleep 1000, depends_on: [db] }\n") as p:
        for _ in range(2):
            shown = p.up(code=1).out
            assert "db unhealthy" in shown and "does not answer" in shown, shown
            assert "web waiting" in shown and "waits still, for db" in shown, shown
        assert "db was not started again" in p.run("restart", "db", code=None).err


def test_a_schedule_is_ready():
    with project("services:\n  job: { command: 'true', schedule: { interval: 1h } }\n"
                 "  web: { command: sleep 1000, depends_on: [job] }\n") as p:
        p.up()
        assert p.states() == {"job": "stopped", "web": "running"}
        p.run("wait", "--healthy", "--timeout", "5s")
        p.run("wait", "--stopped", "job", "--timeout", "5s")
        assert re.search(r"job .*next start in (1 h|59 min)", p.run("ps").out)
        p.run("stop", "job")
        assert "job is stopped" in p.run("wait", "job", "--timeout", "200ms", code=4).err


def test_down_tells_who_is_waited_for():
    text = "services:\n  stubborn:\n    command: \"trap '' TERM; touch here; while true; do sleep 0.1; done\"\n" \
           "    stop: { timeout: 3s }\n"
    with project(text) as p:
        here = p.folder / "here"
        p.up()
        while not here.exists():
            time.sleep(0.02)
        shown = p.run("down").out
        assert re.search(r"stubborn: waited for since .*sh \(pid \d+\)", shown), shown
        here.unlink()
        p.up()
        while not here.exists():
            time.sleep(0.02)
        assert "what is left is killed" in p.run("down", "--timeout", "100ms").out


def test_port_in_use():
    with project(TWO) as p, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = p.run("up", "-d", "--listen", f"127.0.0.1:{port}", code=1).err
        assert f"the address is in use: 127.0.0.1:{port} by " in error and "--listen" in error, error
        assert f"(pid {os.getpid()})" in error, error
        assert "no runtime" in p.run("ps", code=3).err


def test_actions():
    with project(TWO) as p:
        p.up()
        assert "web stopped" in p.run("stop", "web").out
        assert p.states() == {"db": "running", "web": "stopped"}
        assert "web running" in p.run("start", "web").out
        pid = p.run("ps", "--json", "db").json()["services"][0]["instances"][0]["pid"]
        assert p.run("restart", "db", "--with-dependants").out == "✓ db restarted\n✓ web restarted, too\n"
        p.run("restart", "db")
        assert p.run("ps", "--json", "db").json()["services"][0]["instances"][0]["pid"] != pid
        assert "has 3 instances" in p.run("scale", "web=3").out
        web = p.run("ps", "--json", "web").json()["services"][0]
        assert len([one for one in web["instances"] if one["pid"]]) == 3
        p.run("scale", "web=1")
        assert "✓ db has 1 instance\n✓ web has 1 instance\n" == p.run("scale", "db", "1", "web=1").out
        for wrong in (["web"], ["web=1", "db"], ["web", "many"], ["=1"], ["web", "db"]):
            assert "SERVICE=COUNT" in p.run("scale", *wrong, code=2).err
        for command in (["stop", "wbe"], ["restart", "wbe"], ["scale", "wbe=2"], ["ps", "wbe"], ["run", "wbe", "true"]):
            assert "wbe" in p.run(*command, code=3).err
        p.run("stop")
        assert set(p.states().values()) == {"stopped"}
        assert p.run("ps", "--quiet").out == "db\nweb\n"
        events = p.run("events", "db", "--json", "-n", "50").lines()
        assert [event["service"] for event in events] == ["db"] * len(events)
        assert "SERVICE_EVENT_TYPE_STARTED" in {event["type"] for event in events}


def test_no_such_service():
    with project(TWO + "  quiet:\n    command: [sleep, '1000']\n    disabled: true\n") as p:
        p.up()
        for command in (["logs", "wbe"], ["logs", "-f", "wbe"], ["events", "wbe"], ["events", "-f", "web", "wbe"]):
            assert "no such service: wbe: did you mean web?" in p.run(*command, code=3).err
        assert "see muster ps" in p.run("events", "elsewhere", code=3).err
        assert "--grep finds words" in p.run("logs", "web", "timeout", code=3).err
        for command in (["logs", "quiet"], ["events", "quiet"], ["logs", "nobody*"]):
            assert "web" not in p.run(*command).out
        assert "db up" not in p.run("logs", "web").out


def test_full_output():
    """What cannot be written is no success."""
    with project(TWO) as p:
        p.up()
        for command in ("ps", "--version", "--help"):
            with open("/dev/full", "w") as full:
                done = subprocess.run([MUSTER, command], cwd=p.folder, stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=LIMIT)
            assert done.returncode == 1 and "cannot write: standard output: No space" in done.stderr, done.stderr


def test_closed_output():
    with project(TWO) as p:
        p.up()
        for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
            subprocess.run(["sh", "-c", f"{MUSTER} ps {closed}"], cwd=p.folder, check=True, timeout=LIMIT,
                           capture_output=True)


def test_run():
    with project(TWO) as p:
        p.up()
        done = p.run("run", "web", "sh", "-c", "echo $MUSTER_SERVICE; echo wrong >&2; exit 7", code=7)
        assert (done.out, done.err) == ("web\n", "wrong\n")
        assert p.run("run", "-i", "web", "tr", "a-z", "A-Z", stdin="hello").out == "HELLO"
        assert p.run("run", "web", "--", "echo", "--", "x").out == "-- x\n"
        assert p.run("run", "web", "echo $MUSTER_SERVICE | tr a-z A-Z").out == "WEB\n"
        assert "no-such-program cannot be started" in p.run("run", "web", "no-such-program", code=3).err
        assert p.run("run", "web", "sh", "-c", "kill -9 $$", code=137)


def test_signal():
    with project("services:\n  web:\n    command: [sh, -c, 'trap \"echo reloaded\" HUP; echo ready; while :; do sleep 0.05; done']\n"
                 "  off: { command: sleep 1, disabled: true }\n") as p:
        p.up()
        while "ready" not in p.run("logs", "web").out:
            time.sleep(0.05)
        assert "web was sent HUP (1 process)" in p.run("signal", "HUP", "web").out
        while "reloaded" not in p.run("logs", "web").out:
            time.sleep(0.05)
        assert "'HOP' is not a signal" in p.run("signal", "HOP", "web", code=2).err
        assert "no process of it runs" in p.run("signal", "1", "off", code=1).err
        assert "wbe" in p.run("signal", "HUP", "wbe", code=3).err


def test_attach():
    text = "services:\n  cat:\n    command: [cat]\n    stdin: true\n"
    with project(text) as p:
        p.up()
        child = p.start("attach", "-i", "cat", stdin=subprocess.PIPE)
        child.stdin.write("one\n")
        child.stdin.flush()
        assert child.stdout.readline() == "one\n"
        child.stdin.close()  # ends the service's input, too
        p.run("wait", "--stopped", "cat", "--timeout", "10s", code=None)
        child.kill()
        child.wait()
        assert "one" in p.run("attach", "--once", "cat").out
    with project(TWO) as p:
        p.up()
        assert "takes no input" in p.run("attach", "-i", "web", stdin="x", code=1).err


def test_attach_to_a_terminal():
    text = "services:\n  shell:\n    command: [sh, -c, 'stty size; read line; echo got $line; sleep 100']\n    tty: true\n"
    with project(text) as p:
        p.up()
        terminal = Terminal(["attach", "shell"], p.folder, rows=30, columns=77)
        terminal.expect(r"\d+ \d+").type(b"words\r").expect("got words")
        terminal.type(b"\x10\x11").expect("detached from shell, which goes on")
        assert terminal.end() == 0
        assert p.states() == {"shell": "running"}


def test_interrupt_without_terminal():
    with project(TWO) as p:
        child = p.start("up", "--listen", "127.0.0.1:0")
        for line in child.stdout:
            if "web up web" in line:
                break
        child.send_signal(signal.SIGINT)
        rest = child.stdout.read()
        assert child.wait(LIMIT) == 130
        assert "all is stopped" in rest
        p.run("ps", code=3)


def test_interrupt_of_a_detached_start():
    with project("services:\n  web: { command: sleep 1000, health_check: { command: 'false' } }\n") as p:
        child = p.start("up", "-d", "--listen", "127.0.0.1:0")
        while "starting" not in child.stdout.readline():
            pass
        child.send_signal(signal.SIGINT)
        assert "muster down ends it" in child.stdout.read()
        assert child.wait(LIMIT) == 130
        assert p.states() == {"web": "starting"}


def test_up_in_a_terminal():
    with project(TWO) as p:
        terminal = Terminal(["up", "--listen", "127.0.0.1:0"], p.folder)
        terminal.expect("web up web").type(b"\x03").expect("stop all services.*detach").type(b"x").expect("going on")
        terminal.type(b"\x03").expect("detach").type(b"d").expect("detached")
        assert terminal.end() == 0
        assert p.states() == {"db": "running", "web": "running"}
        terminal = Terminal(["up"], p.folder)
        terminal.expect("web up web").type(b"\x03").expect("detach").type(b"s").expect("all is stopped")
        assert terminal.end() == 130
        p.run("ps", code=3)


def test_watch_in_a_terminal():
    with project(TWO) as p:
        p.up()
        terminal = Terminal(["ps", "--watch"], p.folder).expect("web.*running")
        p.run("stop", "web")
        terminal.expect("web.*stopped").type(b"\x03")
        assert terminal.end() == 130


def test_top_in_a_terminal():
    with project(TWO) as p:
        p.up()
        terminal = Terminal(["top"], p.folder).expect("(?s)db.*web")
        terminal.type(b"q")
        assert terminal.end() == 0


def test_data_elsewhere():
    """Where commands do not look by themselves is said."""
    with project() as p:
        p.write("deploy/dev.yaml", TWO)
        shown = p.run("up", "-d", "-f", "deploy/dev.yaml", "--listen", "127.0.0.1:0").out
        data = re.search(r"it runs in (\S+): muster ps --data", shown)[1]
        assert data == str((p.folder / "deploy/.muster").resolve())
        p.run("ps", code=3)
        p.run("ps", folder=p.folder / "deploy")
        (p.folder / "deploy/below").mkdir()
        assert "it runs in" not in p.run("up", "-d", "-f", "../dev.yaml", folder=p.folder / "deploy/below").out
        p.run("down", "--data", data)


def test_deep_folder():
    """Sockets are reached where their paths are longer than a socket's address, and folders have any name."""
    with project() as p:
        deep = "/".join(["Prøjekt mit Ümlaut " + "d" * 50] * 3)
        p.write(f"{deep}/muster.yaml", TWO)
        folder = p.folder / deep
        p.run("up", "-d", "--listen", "127.0.0.1:0", folder=folder)
        while "web up web" not in p.run("attach", "--once", "web", folder=folder).out:
            time.sleep(0.02)
        p.run("doctor", folder=folder)
        p.run("down", folder=folder)


def test_isolated():
    with project(TWO) as p:
        p.up()
        shown = p.run("up", "-d", "--isolated").out
        data = re.search(r"it runs in (\S+):", shown)[1]
        mine = p.run("ps", "--json").json()["services"][0]["instances"][0]["pid"]
        other = p.run("ps", "--json", "--data", data).json()["services"][0]["instances"][0]["pid"]
        assert mine != other
        p.run("down", "--data", data)
        assert not os.path.exists(data)
        assert p.states() == {"db": "running", "web": "running"}
        child = p.start("up", "--isolated")
        for line in child.stdout:
            if "web up web" in line:
                break
        folders = list(pathlib.Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp").glob("muster-??????"))
        child.send_signal(signal.SIGTERM)
        child.stdout.read()
        assert child.wait(LIMIT) == 130
        assert any(not folder.exists() for folder in folders)


def test_link():
    with project(TWO) as p:
        p.run("up", "-d", "--listen", "unix:.muster/socket")
        assert "--listen HOST:PORT" in p.run("link", code=1).err
        p.run("down")
        p.up()
        assert re.match(r"http://127\.0\.0\.1:\d+/#token=", p.run("link").out)
        p.run("down")
        p.run("up", "-d", "--listen", "unix:.muster/socket", "--listen", "127.0.0.1:0")
        assert re.match(r"http://127\.0\.0\.1:\d+/#token=", p.run("link").out)


def kill_runtime(p):
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"serve" in words and os.fsencode(p.folder / ".muster") in words:
                os.kill(int(path.parent.name), signal.SIGKILL)


def test_up_ends_when_all_has_ended():
    tasks = "services:\n  build: { command: 'sleep 0.2; echo built', task: true }\n" \
            "  check: { command: echo checked, task: true, depends_on: [build] }\n" \
            "  off: { command: sleep 1000, disabled: true }\n"
    database = "  db: { external: true, health_check: { type: tcp, port: 1, start_limit: 100ms } }\n"
    with project(tasks) as p:
        shown = p.run("up", "--listen", "127.0.0.1:0").out
        assert "build | built" in shown and "check | checked" in shown and "all services have ended" in shown, shown
        p.run("ps", code=3)
        terminal = Terminal(["up", "--listen", "127.0.0.1:0"], p.folder)
        assert terminal.expect("all services have ended").end() == 0
        p.up()
        child = p.start("up")  # joins in, and stays
        while "completed" not in child.stdout.readline():
            pass
        time.sleep(1.5)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        child.stdout.read()
        assert child.wait(LIMIT) == 130
    with project(tasks.replace("echo checked", "exit 3") + database) as p:
        shown = p.run("up", "--listen", "127.0.0.1:0", code=1).out
        assert "check failed" in shown and "all services have ended" in shown, shown
        terminal = Terminal(["up", "--listen", "127.0.0.1:0"], p.folder)
        terminal.expect("check.*failed.*exited with code 3").type(b"\x03").expect("detach").type(b"s")
        assert terminal.expect("all is stopped").end() == 130
    with project(tasks + "  web: { command: 'true', schedule: { interval: 1h } }\n") as p:
        child = p.start("up", "--listen", "127.0.0.1:0")
        while "checked" not in child.stdout.readline():
            pass
        time.sleep(1.5)
        assert child.poll() is None  # something is to come
        p.run("down")
        child.stdout.read()
        assert child.wait(LIMIT) == 0


def test_up_shows_no_earlier_run():
    with project("services:\n  web: { command: echo in turn $TURN; sleep 1000 }\n") as p:
        for turn in "12":
            p.write(".env", f"TURN={turn}")
            child = p.start("up", "--listen", "127.0.0.1:0")
            shown = ""
            while f"in turn {turn}" not in shown:
                shown += child.stdout.readline()
            child.send_signal(signal.SIGTERM)
            shown += child.stdout.read()
            assert child.wait(LIMIT) == 130
            assert shown.count("in turn") == 1, shown


def test_up_goes_on_after_the_runtime_was_killed():
    waits = "echo line 1; until [ -e go ]; do sleep 0.05; done; echo line 2; sleep 1000"
    with project(f"services:\n  web: {{ command: '{waits}' }}\n") as p:
        child = p.start("up", "--listen", "127.0.0.1:0")
        shown = ""
        while "line 1" not in shown:
            shown += child.stdout.readline()
        kill_runtime(p)
        while p.run("ps", code=None).code:
            time.sleep(0.05)
        p.write("go", "")
        while "line 2" not in shown:
            line = child.stdout.readline()
            assert line, shown
            shown += line
        assert shown.count("line 1") == 1, shown
        p.run("down")
        child.stdout.read()
        assert child.wait(LIMIT) == 0


def test_down_after_the_runtime_was_killed():
    with project(TWO) as p:
        p.up()
        status = p.run("ps", "--json").json()
        pids = [one["instances"][0]["pid"] for one in status["services"]]
        kill_runtime(p)
        deadline = time.monotonic() + LIMIT
        while p.run("ps", "--json", code=None).code and time.monotonic() < deadline:
            time.sleep(0.05)
        again = p.run("ps", "--json").json()
        assert [one["instances"][0]["pid"] for one in again["services"]] == pids
        p.run("down")
        assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def lives(pid):
    """Not so a process that is waited for by whoever got it when its parent was killed."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_down_after_both_were_killed():
    with project(TWO) as p:
        p.up()
        status = p.run("ps", "--json").json()
        pids = [one["instances"][0]["pid"] for one in status["services"]]
        keeper = re.search(r"^pid (\d+)$", (p.folder / ".muster/lock").read_text(), re.M)[1]
        os.kill(int(keeper), signal.SIGSTOP)  # so that it does not start the runtime again
        kill_runtime(p)
        os.kill(int(keeper), signal.SIGKILL)
        p.run("ps", code=3)
        assert all(lives(pid) for pid in pids)
        assert "all is stopped" in p.run("down").out
        assert not any(lives(pid) for pid in pids)
        p.run("down", code=3)


def test_up_after_the_machine_was_restarted():
    """Or anything else that leaves no process: the project begins anew, with its tasks."""
    with project("services:\n  migrate: { command: 'echo x >>runs', task: true }\n"
                 "  web: { command: sleep 1000, depends_on: [migrate] }\n") as p:
        p.up()
        pid = p.run("ps", "--json", "web").json()["services"][0]["instances"][0]["pid"]
        keeper = int(re.search(r"^pid (\d+)$", (p.folder / ".muster/lock").read_text(), re.M)[1])
        os.kill(keeper, signal.SIGSTOP)  # so that it does not start the runtime again
        kill_runtime(p)
        os.kill(keeper, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        while lives(pid) or lives(keeper):
            time.sleep(0.02)
        p.up()
        assert (p.folder / "runs").read_text() == "x\nx\n"
        assert p.states() == {"migrate": "completed", "web": "running"}


def test_project_of_another_user():
    if os.geteuid() != 0:
        return  # nobody else can give a file away
    with project(TWO) as p:
        file, below = p.folder / "muster.yaml", p.folder / "below"
        below.mkdir()
        os.chown(file, 65534, 65534)
        p.run("check")
        for command in (["up", "-d"], ["check"]):
            error = p.run(*command, code=2, folder=below).err
            assert f"{file} belongs to user 65534" in error and f"-f {file}" in error, error
        p.run("check", "-f", str(file), folder=below)
        os.chown(below, 65534, 65534)
        p.run("check", folder=below)
        os.chown(below, 0, 0)
        file.rename(p.root / "real.yaml")
        os.chown(p.root / "real.yaml", 0, 0)
        file.symlink_to(p.root / "real.yaml")
        p.run("check", folder=below)
        os.chown(file, 65534, 65534, follow_symlinks=False)
        assert "belongs to user 65534" in p.run("check", code=2, folder=below).err
        file.unlink()
        p.write("configs/services.toml", '[[services]]\nname = "a"\ncommand = "sleep 1"\n')
        p.run("check", folder=below, code=None)
        os.chown(p.folder / "configs", 65534, 65534)
        assert "not to be trusted" in p.run("check", code=2, folder=below).err


def test_data_of_another_user():
    if os.geteuid() != 0:
        return  # nobody else can give a folder away
    with project(TWO) as p:
        (p.root / ".muster/address").write_text("http://127.0.0.1:1")
        os.chown(p.root / ".muster", 65534, 65534)
        assert "another user" in p.run("ps", code=3).err
        (p.folder / ".muster").mkdir()
        os.chown(p.folder / ".muster", 65534, 65534)
        assert "another user" in p.run("up", "-d", code=1).err
        os.chown(p.folder / ".muster", 0, 0)
        (p.folder / ".muster").chmod(0o777)
        assert "others may write into it" in p.run("up", "-d", code=1).err
        p.write("file", "")
        assert "Not a directory" in p.run("up", "-d", "--data", "file", code=1).err


def test_damaged_data():
    """Whatever lies in the data folder: a runtime that serves, or a message that names what is wrong."""
    def garbage(path):
        path.write_bytes(bytes(range(1, 251)) * 12)

    def empty(path):
        path.write_bytes(b"")

    def folder(path):
        path.unlink(missing_ok=True)
        path.mkdir()

    def newer(path):
        with contextlib.closing(sqlite3.connect(path)) as store:
            store.execute("PRAGMA user_version = 99")

    def foreign(path):
        path.unlink()
        with contextlib.closing(sqlite3.connect(path)) as store:
            store.execute("CREATE TABLE things (a)")

    def cut(path):
        os.truncate(path, path.stat().st_size // 2)

    with project(TWO) as p:
        p.up()
        p.run("down")
        data, whole = p.folder / ".muster", p.root / "whole"
        segment = next(path.relative_to(data) for path in (data / "segments").iterdir())
        data.rename(whole)
        for name, damage, said in (
                ("key", empty, "the token key was damaged"), ("key", folder, "key: Is a directory"),
                ("token", garbage, ""), ("token", folder, "token: Is a directory"), ("address", garbage, ""),
                ("lock", garbage, ""), ("store.db", garbage, "an empty one takes its place"), ("store.db", empty, ""),
                ("store.db", cut, "an empty one takes its place"), ("store.db", folder, "unable to open"),
                ("store.db", newer, "written by a newer Muster"), ("store.db", foreign, "of another program"),
                ("store.db-wal", garbage, ""), ("keeper.sock", garbage, ""), ("rings/db-1.1.out", garbage, ""),
                ("instances/db-1.1", garbage, ""), (segment, garbage, "nothing in it can be read"), (segment, cut, ""),
                (segment, empty, ""), ("segments/ffffffffffffffff.raw", garbage, "was damaged"),
                ("segments/what", garbage, "")):
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(whole, data)
            damage(data / name)
            runtime = p.start("serve", "--listen", "127.0.0.1:0", stderr=subprocess.PIPE)
            serves = runtime.stdout.readline().startswith("listening on ")
            if serves:
                p.run("events")
                runtime.terminate()
            error = runtime.communicate(timeout=LIMIT)[1]
            assert runtime.returncode == (0 if serves else 1), (name, damage.__name__, runtime.returncode, error)
            assert said in error and (serves or said), (name, damage.__name__, error)


def main():
    wanted = sys.argv[2:]
    passed = failed = 0
    for name, case in list(globals().items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        try:
            case()
            passed += 1
        except Exception:  # noqa: BLE001 - whatever it is, the case has failed
            failed += 1
            print(f"not ok: {name}")
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed")


main()
