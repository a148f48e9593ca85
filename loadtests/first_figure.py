"""Documents a second, end to end, in the embedded profile, beside `pgbench -N` on the same server in the same run.

A document counts when all it causes is there: case opened, first task waiting and on its timeline, charge and journal
booked where one is due, notices in the feeds. The clock stops when the system is drained, not when the last 201 came.

    python loadtests/first_figure.py [DOCUMENTS] [CONNECTIONS]
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from portolan_cli import demo_file
from portolan_cli.client import Portolan
from portolan_cli.embedded.ports import free
from portolan_cli.embedded.postgres import binaries

sys.path.insert(0, str(Path(__file__).parent))
from lean_client import Connection

DOCUMENTS, CONNECTIONS = 5_000, 32
PGBENCH_S, PGBENCH_SCALE, PGBENCH_CLIENTS = 10, 10, 2
MIX = {"import_title.ei": 78, "import_title.li": 7, "export_title": 15}
READY_S_MAX, DRAIN_S_MAX = 60.0, 300.0
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[bytes]
    home: Path
    port: int

    @property
    def content(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return loaded

    def url(self, service: str) -> str:
        return str(self.content["services"][service]["database_url"])


def started(home: Path) -> Running:
    port = free(frozenset())
    command = [sys.executable, "-m", "portolan_cli", "run", "--port", str(port), "--home", str(home)]
    environment = os.environ | {"PORTOLAN_SUBMISSIONS_PER_MINUTE": "1000000"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    limit = time.monotonic() + READY_S_MAX
    while not (home / "demo.json").exists():
        assert process.poll() is None, "the system did not start"
        assert time.monotonic() < limit, "the system was not ready in time"
        time.sleep(0.2)
    return Running(process, home, port)


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


def varied(schemas: Mapping[str, Any], owners: Mapping[str, str], count: int) -> Iterator[bytes]:
    """Full, valid documents of the mix, no two alike."""
    chance = random.Random(7)
    for number, kind in enumerate(chance.choices(list(MIX), list(MIX.values()), k=count)):
        body = copy.deepcopy(schemas[kind]["examples"][0])
        body["remarks"] = f"consignment {number}, {chance.randrange(10**9)}"
        yield json.dumps({"type": kind, "on_behalf_of": owners[kind], "body": body}).encode()


async def submit_all(running: Running, token: str, bodies: list[bytes], connections: int) -> list[float]:
    """Seconds each submission took to be answered 201."""
    waiting = iter(enumerate(bodies))
    took: list[float] = []
    run = f"{time.time_ns():x}"

    async def work() -> None:
        head = [f"authorization: Bearer {token}", "content-type: application/json"]
        connection = Connection("127.0.0.1", running.port, head)
        for number, body in waiting:
            began = time.perf_counter()
            answer = await connection.post("/v1/documents", body, f"idempotency-key: {run}-{number}")
            assert answer.status == 201, answer.body[:500]
            took.append(time.perf_counter() - began)
        await connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return took


def effects(running: Running, since: str) -> dict[str, int]:
    """What the databases hold of the documents submitted since."""
    questions = {
        "documents": ("intake", "select count(*) from documents where submitted_at >= %s"),
        "tasks on the timeline": (
            "intake",
            "select count(distinct document_id) from timeline_items where kind = 'task_opened' and at >= %s",
        ),
        "cases": ("routing", "select count(*) from cases where opened_at >= %s"),
        "charges": ("billing", "select count(*) from charges where occurred_at >= %s"),
        "deliveries": (
            "notifications",
            "select count(*) from deliveries where created_at >= %s and channel = 'in_app'",
        ),
        "unpublished": ("intake", "select count(*) from outbox where published_at is null and %s::text is not null"),
    }
    found = {}
    for name, (service, question) in questions.items():
        with psycopg.connect(running.url(service)) as connection:
            row = connection.execute(question, [since]).fetchone()
            found[name] = int(row[0]) if row else 0
    return found


def drained(running: Running, since: str, wanted: Mapping[str, int]) -> dict[str, int]:
    limit = time.monotonic() + DRAIN_S_MAX
    found: dict[str, int] = {}
    while time.monotonic() < limit:
        found = effects(running, since)
        if all(found[name] >= count for name, count in wanted.items()) and not found["unpublished"]:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not drained after {DRAIN_S_MAX} s: {found}, wanted {wanted}")


def cpu_seconds(running: Running) -> dict[str, float]:
    """User and system time so far, of each service and of the server with all its backends."""
    ticks = os.sysconf("SC_CLK_TCK")
    content = running.content
    pids = {name: [one["pid"]] for name, one in content["services"].items()}
    server = content["postgres"]["pid"]
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    pids["postgres"] = [server, *map(int, children)]
    return {name: sum(_ticks(pid) for pid in group) / ticks for name, group in pids.items()}


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return sum(int(field) for field in fields[11:15])


def expected(bodies: list[bytes]) -> dict[str, int]:
    """Every document has a case, a waiting task; those registered by submission itself are charged at once."""
    kinds = [json.loads(body)["type"] for body in bodies]
    count = len(kinds)
    return {
        "documents": count,
        "tasks on the timeline": count,
        "cases": count,
        "charges": kinds.count("import_title.ei"),
        "deliveries": 2 * count,
    }


def measure(running: Running, count: int, connections: int) -> dict[str, Any]:
    demo = demo_file.read(running.home / "demo.json")
    broker = demo.actor(kind="broker", role="declarant")
    owners = {kind: demo.organisation_id("exporter" if kind == "export_title" else "importer") for kind in MIX}
    with Portolan(demo.base_url) as portolan:
        schemas = {kind: portolan.get(f"/v1/document-types/{kind}")["schema"] for kind in MIX}
        token = portolan.token(broker.credentials)
    tps = pgbench(running.url("intake"))
    warm = list(varied(schemas, owners, 300))
    asyncio.run(submit_all(running, token, warm, connections))
    time.sleep(3)
    bodies = list(varied(schemas, owners, count))
    since = _now(running)
    cpu, began = cpu_seconds(running), time.perf_counter()
    took = asyncio.run(submit_all(running, token, bodies, connections))
    submitted = time.perf_counter() - began
    found = drained(running, since, expected(bodies))
    total = time.perf_counter() - began
    spent = {name: seconds - cpu[name] for name, seconds in cpu_seconds(running).items()}
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
        "cpu_us_per_document": {name: round(seconds / count * 1e6) for name, seconds in spent.items()},
        "effects": found,
    }


def _now(running: Running) -> str:
    with psycopg.connect(running.url("intake")) as connection:
        row = connection.execute("select clock_timestamp()::text").fetchone()
    assert row is not None
    return str(row[0])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("documents", type=int, nargs="?", default=DOCUMENTS)
    arguments.add_argument("connections", type=int, nargs="?", default=CONNECTIONS)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="portolan-figure-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        running = started(Path(folder))
        try:
            result = measure(running, asked.documents, asked.connections)
        finally:
            running.process.send_signal(signal.SIGINT)
            running.process.wait(30)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "first_figure.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
