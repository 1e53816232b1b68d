"""Measures `muster up` with a hundred services beside other process managers.

usage: run.py BUILT_FOLDER CACHE_FOLDER [--json] [--rounds N] [--idle SECONDS]

The services are a hundred `sleep`. "up" is from the start of the command until the hundredth of
them runs, "down" from the command or signal that ends all until the last is gone, both as /proc
tells. Processor time and memory are those of the manager's own processes, idle for a while (10 s).
"probes" is idle with a check each every 10 s, which only Muster has of these. "output" is a service
that prints a million lines, until they are where the manager keeps them.

supervisord comes from PyPI and PM2 from npm, into CACHE_FOLDER. process-compose is not to be had
from a registry: its module is not served whole. What cannot be installed is named as missing.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import run as table  # noqa: E402

SERVICES = 100
LINES = 1_000_000
LINE = "2026-11-21T06:49:08.123Z INFO request served in 12 ms"
SUPERVISOR = "supervisor==4.3.0"
PM2 = "pm2@7.0.1"
MARK = "86421"  # how long the services sleep: what they are known by
PRINT = f"until test -e GO; do sleep 0.01; done; yes '{LINE}' | head -n {LINES}; exec sleep {MARK}"
LIMIT = 120


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


class Sleepers:
    """The services that run. Looking must cost little, so nobody is read twice: neither those that
    ran before, nor those that are known to be services."""

    def __init__(self, before=()):
        self.before, self.found = set(before), set()

    def count(self):
        there = {pid for pid in os.listdir("/proc") if pid.isdigit()} - self.before
        self.found &= there
        self.found |= {pid for pid in there - self.found if command_line(pid)[1:] == [MARK.encode()]}
        return len(self.found)

    def until(self, count):
        begin = time.monotonic()
        while self.count() != count:
            if time.monotonic() > begin + LIMIT:
                raise RuntimeError(f"{self.count()} services instead of {count}")
            time.sleep(0.003)


def gone():
    """Waits until no service is left."""
    Sleepers().until(0)


def seconds_used(pids):
    """Of their own threads; in nanoseconds, where /proc/PID/stat counts hundredths of a second."""
    return sum(int(task.read_text().split()[0]) for pid in pids
               for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident(pids):
    """MiB of memory, without what is mapped and shared with others, as rings are."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssFile:")):
                total += int(line.split()[1])
    return total / 1024


def percent(pids, idle):
    before = seconds_used(pids)
    time.sleep(idle)
    return (seconds_used(pids) - before) / idle * 100


class Muster:
    def __init__(self, built, folder):
        self.program, self.folder = str(built.parent.parent / "muster"), folder

    def configure(self, commands, probe=""):
        lines = ["services:"]
        for name, command in commands.items():
            lines.append(f"  {name}: {{command: {json.dumps(command)}{probe}}}")
        (self.folder / "muster.yaml").write_text("\n".join(lines) + "\n")

    def run(self, *words):
        subprocess.run([self.program, *words], cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)

    def up(self):
        self.process = subprocess.Popen(
            [self.program, "up", "-d", "--listen", "127.0.0.1:0"], cwd=self.folder, stdout=subprocess.DEVNULL)

    def settle(self):
        self.process.wait(LIMIT)

    def down(self):
        self.run("down")

    def pids(self):
        keeper = next(line.split()[1] for line in (self.folder / ".muster/lock").read_text().splitlines()
                      if line.startswith("pid "))
        children = pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        return [keeper] + [pid for pid in children if b"serve" in command_line(pid)]

    def has_taken(self, size):
        """The tail of the ring moves when what lies before it is stored."""
        for ring in (self.folder / ".muster/rings").glob("lines*.out"):
            with open(ring, "rb") as file:
                head, tail = struct.unpack_from("<QQ", file.read(48), 24)
                return tail >= size
        return False


class Supervisord:
    def __init__(self, cache, folder):
        self.folder = folder
        self.program = cache / "supervisor/bin/supervisord"
        if not self.program.exists():
            subprocess.run([sys.executable, "-m", "venv", cache / "supervisor"], check=True, capture_output=True)
            subprocess.run([cache / "supervisor/bin/pip", "install", "-q", SUPERVISOR], check=True, capture_output=True)

    def configure(self, commands):
        text = f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={self.folder}/pid\n"
        for name, command in commands.items():
            (self.folder / f"{name}.sh").write_text(command[-1] if len(command) == 3 else " ".join(command))
            words = f"/bin/sh {self.folder}/{name}.sh" if len(command) == 3 else " ".join(command)
            text += (f"[program:{name}]\ncommand={words}\nstartsecs=0\nstopasgroup=true\n"
                     f"stdout_logfile={self.folder}/{name}.log\nstdout_logfile_maxbytes=0\n")
        (self.folder / "conf").write_text(text)

    def up(self):
        self.process = subprocess.Popen([self.program, "-c", self.folder / "conf"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def settle(self):
        pass

    def down(self):
        self.process.send_signal(signal.SIGTERM)
        gone()
        self.process.wait(LIMIT)

    def pids(self):
        return [self.process.pid]

    def has_taken(self, size):
        log = self.folder / "lines.log"
        return log.exists() and log.stat().st_size >= size


class Pm2:
    def __init__(self, cache, folder):
        self.folder = folder
        self.program = cache / "pm2/node_modules/.bin/pm2"
        self.environment = {**os.environ, "PM2_HOME": str(folder / "home")}
        if not self.program.exists():
            subprocess.run(["npm", "install", "--prefix", cache / "pm2", "--no-progress", "--loglevel=error", PM2],
                           check=True, capture_output=True)

    def configure(self, commands):
        apps = [{"name": name, "script": command[0], "args": command[1:], "interpreter": "none", "treekill": True,
                 "out_file": str(self.folder / f"{name}.log"), "error_file": "/dev/null"}
                for name, command in commands.items()]
        for app in apps:
            app["script"] = shutil.which(app["script"])
        (self.folder / "apps.json").write_text(json.dumps({"apps": apps}))

    def up(self):
        self.process = subprocess.Popen([self.program, "start", self.folder / "apps.json"], env=self.environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def settle(self):
        self.process.wait(LIMIT)

    def down(self):
        subprocess.run([self.program, "kill"], env=self.environment, check=True, capture_output=True, timeout=LIMIT)

    def pids(self):
        return [int((self.folder / "home/pm2.pid").read_text())]

    def has_taken(self, size):
        log = self.folder / "lines.log"
        return log.exists() and log.stat().st_size >= size


def measure(peer, manager, idle):
    """{(measure, unit): value} of one round."""
    sleepers = {f"s{number}": ["sleep", MARK] for number in range(SERVICES)}
    rows = {}
    manager.configure(sleepers)
    running = Sleepers(os.listdir("/proc"))
    begin = time.monotonic()
    manager.up()
    running.until(SERVICES)
    rows["up", "ms"] = (time.monotonic() - begin) * 1000
    manager.settle()
    time.sleep(2)
    pids = manager.pids()
    rows["memory", "MiB"] = resident(pids)
    if peer == "muster":
        rows["memory of the keeper alone", "MiB"] = resident(pids[:1])
    rows["idle", "% of a processor"] = percent(pids, idle)
    begin = time.monotonic()
    manager.down()
    gone()
    rows["down", "ms"] = (time.monotonic() - begin) * 1000
    if peer == "muster":
        manager.configure(sleepers, ", health_check: {type: exec, command: ['true'], interval: 10s}")
        manager.up()
        manager.settle()
        time.sleep(2)
        rows["idle, with probes", "% of a processor"] = percent(manager.pids(), idle)
        manager.down()
    rows["output", "lines/s"] = measure_output(manager)
    return rows


def measure_output(manager):
    go = manager.folder / "go"
    go.unlink(missing_ok=True)
    manager.configure({"lines": ["/bin/sh", "-c", PRINT.replace("GO", str(go))]})
    manager.up()
    manager.settle()
    time.sleep(1)
    go.touch()
    begin = time.monotonic()
    while not manager.has_taken(LINES * (len(LINE) + 1)):
        if time.monotonic() > begin + LIMIT:
            raise RuntimeError("the output does not come")
        time.sleep(0.001)
    took = time.monotonic() - begin
    manager.down()
    gone()
    return LINES / took


def managers(built, cache):
    """{peer: manager}, each in a folder without a past; None where it cannot be installed."""
    found = {}
    for peer, make in (("muster", lambda folder: Muster(built, folder)),
                       ("supervisord", lambda folder: Supervisord(cache, folder)),
                       ("pm2", lambda folder: Pm2(cache, folder))):
        folder = cache / f"{peer}.data"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            found[peer] = make(folder)
        except (OSError, subprocess.CalledProcessError):
            found[peer] = None
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("built", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=float, default=10)
    options = parser.parse_args()
    values = {}
    for number in range(1, options.rounds + 1):
        found = managers(options.built.resolve(), (options.cache / "orchestrator").resolve())
        for peer, manager in found.items():
            if manager is None:
                continue
            table.progress(f"round {number} of {options.rounds}: {peer}")
            for row, value in measure(peer, manager, options.idle).items():
                values.setdefault(row, {}).setdefault(peer, []).append(value)
    table.progress("")
    rows = {row: {peer: statistics.median(runs) for peer, runs in by_peer.items()} for row, by_peer in values.items()}
    peers = [peer for peer, manager in found.items() if manager is not None]
    missing = [peer for peer in found if peer not in peers] + ["process-compose"]
    if options.json:
        table.print_json("orchestrator", rows, peers, missing, options.rounds)
    else:
        table.print_table(rows, peers, missing)


if __name__ == "__main__":
    main()
