"""Documents a second, end to end, in the embedded profile, beside `pgbench -N` on the same server in the same run.

A document counts when all it causes is there: case opened, first task waiting and on its timeline, charge and journal
booked where one is due, notices in the feeds, letters sent. The clock stops when the system is drained, not when the
last 201 came.

    python loadtests/first_figure.py [DOCUMENTS] [CONNECTIONS]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from portolan_cli.embedded.postgres import binaries

sys.path.insert(0, str(Path(__file__).parent))
import rig
from rig import Running, Source

DOCUMENTS, CONNECTIONS = 5_000, 32
PGBENCH_S, PGBENCH_SCALE, PGBENCH_CLIENTS = 10, 10, 2
WARM_DOCUMENTS, WARM_S = 300, 3
RESULTS = Path(__file__).parent / "results"


def pgbench(url: str) -> float:
    """Transactions a second of simple updates, on the very server the system runs on."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create database pgbench")
    target = re.sub(r"/[^/?]*(\?|$)", r"/pgbench\1", url)
    tool = str(binaries() / "pgbench")
    subprocess.run([tool, "-q", "-i", "-s", str(PGBENCH_SCALE), target], check=True, capture_output=True)
    command = [tool, "-N", "-c", str(PGBENCH_CLIENTS), "-j", str(PGBENCH_CLIENTS), "-T", str(PGBENCH_S), target]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"tps = ([\d.]+)", said)
    assert found is not None, said
    return float(found.group(1))


def measure(system: Running, count: int, connections: int) -> dict[str, Any]:
    source, tps = Source.of(system), pgbench(system.url("intake"))
    asyncio.run(rig.submit_all(system, source.token, source.bodies(WARM_DOCUMENTS), connections))
    time.sleep(WARM_S)
    bodies, since = source.bodies(count), rig.now(system)
    cpu, began = rig.cpu_seconds(system), time.perf_counter()
    took = asyncio.run(rig.submit_all(system, source.token, bodies, connections))
    submitted = time.perf_counter() - began
    found = rig.drained(system, since, rig.expected(bodies))
    total = time.perf_counter() - began
    spent = {name: seconds - cpu.get(name, 0.0) for name, seconds in rig.cpu_seconds(system).items()}
    cuts = quantiles(took, n=100)
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "documents": count,
        "connections": connections,
        "pgbench_per_s": round(tps, 1),
        "accepted_per_s": round(count / submitted, 1),
        "end_to_end_per_s": round(count / total, 1),
        "ratio_to_pgbench": round(count / total / tps, 3),
        "post_p50_ms": round(cuts[49] * 1000, 1),
        "post_p99_ms": round(cuts[98] * 1000, 1),
        "cpu_us_per_document": _per_document(spent, count),
        "effects": found,
    }


def _per_document(spent: Mapping[str, float], count: int) -> dict[str, int]:
    """PostgreSQL in one line."""
    services = {name: seconds for name, seconds in spent.items() if not name.startswith("postgres ")}
    server = sum(seconds for name, seconds in spent.items() if name.startswith("postgres "))
    return {name: round(seconds / count * 1e6) for name, seconds in (services | {"postgres": server}).items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("documents", type=int, nargs="?", default=DOCUMENTS)
    arguments.add_argument("connections", type=int, nargs="?", default=CONNECTIONS)
    asked = arguments.parse_args()
    with rig.fresh_home() as home, rig.running(home) as system:
        result = measure(system, asked.documents, asked.connections)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "first_figure.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
