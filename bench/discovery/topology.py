"""The topology: beats of a million services, and watchers of a graph that is busy everywhere.

One process has the RPC server and the topology, another one plays the clients: discovery_topology.c says
how. There is no peer.
"""

import subprocess

BEATS = [
    ("1,000 streams × 1,000 services", ["beats", "1000", "1", "1000", "15"]),
    ("100,000 streams × 1 service", ["beats", "1000", "100", "1", "15"]),
]
WATCH = ("10,000 nodes, 50,000 edges, 50 watchers", ["watch", "10000", "50000", "50", "10"])


def run(built, arguments):
    printed = subprocess.run([built / "discovery_topology", *arguments], check=True, capture_output=True, text=True, timeout=120)
    rows = {}
    for line in printed.stdout.splitlines():
        measure, unit, value = line.split("\t")
        rows[measure, unit] = float(value)
    return rows


def measure(built, cache):
    """{peer: {(measure, unit): value}} of one round."""
    ours = {}
    for title, arguments in [*BEATS, WATCH]:
        ours.update({(f"{title}: {what}", unit): value for (what, unit), value in run(built, arguments).items()})
    return {"muster": ours}
