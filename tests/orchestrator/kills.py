"""Kills, again and again, while twenty services print numbered lines:

    kills.py MUSTER [KILLS]

The runtime at any moment, in the end the keeper, and both. No service restarts, no line is lost or
doubled, the address stays, and what exits meanwhile has exited as it did. Ends with "N passed, N
failed"."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

MUSTER = os.path.abspath(sys.argv[1])
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
SERVICES = 20
SEED = int(os.environ.get("TEST_SEED", "20261121"))
# As it is buffered by nobody, each line is a write of its own.
COUNT = "import os, time\nn = 0\nwhile True:\n    os.write(1, b'%d\\n' % n)\n    n += 1\n    time.sleep(0.002)"


def eventually(what, seconds=30):
    """The first answer that is true; while it is not, it is asked again."""
    until = time.monotonic() + seconds
    while True:
        try:
            if answer := what():
                return answer
        except (OSError, ValueError, KeyError, StopIteration, subprocess.CalledProcessError):
            pass
        assert time.monotonic() < until, f"it does not come true within {seconds} s"
        time.sleep(0.01)


class Project:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        services = [f"  count-{n}: {{command: {json.dumps([sys.executable, '-c', COUNT])}}}" for n in range(SERVICES)]
        services.append("  dies: {command: 'while ! test -e now; do sleep 0.02; done; exit 42', restart: {initial: 60s}}")
        (self.folder / "muster.yaml").write_text("services:\n" + "\n".join(services) + "\n")
        self.run("up", "-d", "--listen", "127.0.0.1:0")

    def run(self, *words):
        done = subprocess.run([MUSTER, *words], cwd=self.folder, capture_output=True, timeout=60)
        done.check_returncode()
        return done.stdout

    def services(self):
        return {service["name"]: service for service in json.loads(self.run("ps", "--json"))["services"]}

    def address(self):
        return (self.folder / ".muster/address").read_text()

    def keeper(self):
        lines = (self.folder / ".muster/lock").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("pid "))

    def runtime(self):
        """Its pid, by the keeper's children or, under a keeper that it started itself, by its files."""
        data = str(self.folder / ".muster").encode()
        for process in pathlib.Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    words = (process / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"serve" in words and data in words:
                    return int(process.name)
        raise ValueError("there is none")


def pids(project):
    return {name: service["instances"][0]["pid"] for name, service in project.services().items() if name != "dies"}


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def check_lines(project, name):
    """All numbers from 0 on, each once; how many."""
    lines = project.run("logs", name, "--raw").split(b"\n")[:-1]
    for number, line in enumerate(lines):
        assert line == b"%d" % number, f"{name}: line {number} is {line[:40]}"
    return len(lines)


def case_the_runtime_is_killed_again_and_again(project):
    chance = random.Random(SEED)
    before, address = pids(project), project.address()
    for round in range(KILLS):
        victim = eventually(project.runtime)
        time.sleep(chance.random() ** 2 * 0.3)  # often early: while it is being put together
        kill(victim)
        if round == KILLS // 2:
            (project.folder / "now").touch()
        eventually(lambda: project.runtime() != victim)
    eventually(lambda: pids(project) == before)
    assert project.address() == address
    for name, service in project.services().items():
        assert name == "dies" or service.get("restarts", 0) == 0, service
    dead = eventually(lambda: project.services()["dies"]["exit_code"])
    assert dead == 42, dead
    total = sum(check_lines(project, f"count-{n}") for n in range(SERVICES))
    print(f"# {KILLS} kills, {total} lines")


def case_the_keeper_is_killed(project):
    before = pids(project)
    for _ in range(5):
        victim = project.keeper()
        kill(victim)
        eventually(lambda: project.keeper() != victim)
        time.sleep(0.2)
    eventually(lambda: pids(project) == before)
    for n in range(SERVICES):
        check_lines(project, f"count-{n}")


def case_both_are_killed(project):
    before = pids(project)
    kill(project.keeper())
    kill(project.runtime())
    time.sleep(0.5)
    # It would wait for the service that died, too.
    up = subprocess.Popen([MUSTER, "up", "-d", "--listen", "127.0.0.1:0"], cwd=project.folder, stdout=subprocess.DEVNULL)
    eventually(lambda: pids(project) == before)
    up.terminate()
    up.wait()
    for n in range(SERVICES):
        check_lines(project, f"count-{n}")


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Project(folder)
        print(f"# TEST_SEED={SEED}")
        for name, case in list(globals().items()):
            if not name.startswith("case_"):
                continue
            try:
                case(project)
                passed += 1
                print(f"ok {name[5:]}")
            except Exception as error:  # whatever it is, the next case has its turn
                failed += 1
                print(f"not ok {name[5:]}: {error!r}")
        project.run("down")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
