"""The embedded system under a generator: started in a home of its own, loaded with varied documents, drained, read."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from lean_client import Connection
from portolan_cli import demo_file
from portolan_cli.client import Portolan
from portolan_cli.embedded.ports import free
from portolan_cli.embedded.postgres import MAINTENANCE_DATABASE
from psycopg.conninfo import make_conninfo

MIX = {"import_title.ei": 78, "import_title.li": 7, "export_title": 15}
READY_S_MAX, DRAIN_S_MAX, STOP_S_MAX = 60.0, 300.0, 30.0
DRAIN_POLL_S = 0.5
LOOP_TURNS = 1_000_000


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

    @property
    def maintenance_url(self) -> str:
        return make_conninfo(self.url("intake"), dbname=MAINTENANCE_DATABASE)


@contextmanager
def fresh_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="portolan-figure-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def running(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[Running]:
    system = _started(home, environment or {})
    try:
        yield system
    finally:
        system.process.send_signal(signal.SIGINT)
        system.process.wait(STOP_S_MAX)


def _started(home: Path, environment: Mapping[str, str]) -> Running:
    port = free(frozenset())
    command = [sys.executable, "-m", "portolan_cli", "run", "--port", str(port), "--home", str(home)]
    unlimited = {"PORTOLAN_SUBMISSIONS_PER_MINUTE": "1000000"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | unlimited | dict(environment))
    limit = time.monotonic() + READY_S_MAX
    while not (home / "demo.json").exists():
        assert process.poll() is None, "the system did not start"
        assert time.monotonic() < limit, "the system was not ready in time"
        time.sleep(0.2)
    return Running(process, home, port)


@dataclass(frozen=True)
class Source:
    """Whose token submits, and what: full, valid documents of the mix, no two alike."""

    token: str
    schemas: Mapping[str, Any]
    owners: Mapping[str, str]

    @classmethod
    def of(cls, system: Running) -> Source:
        demo = demo_file.read(system.home / "demo.json")
        broker = demo.actor(kind="broker", role="declarant")
        owners = {kind: demo.organisation_id("exporter" if kind == "export_title" else "importer") for kind in MIX}
        with Portolan(demo.base_url) as portolan:
            schemas = {kind: portolan.get(f"/v1/document-types/{kind}")["schema"] for kind in MIX}
            return cls(portolan.token(broker.credentials), schemas, owners)

    def bodies(self, count: int) -> list[bytes]:
        chance = random.Random(7)
        return [
            self._body(kind, f"consignment {number}, {chance.randrange(10**9)}")
            for number, kind in enumerate(chance.choices(list(MIX), list(MIX.values()), k=count))
        ]

    def _body(self, kind: str, remarks: str) -> bytes:
        body = copy.deepcopy(self.schemas[kind]["examples"][0])
        body["remarks"] = remarks
        return json.dumps({"type": kind, "on_behalf_of": self.owners[kind], "body": body}).encode()


async def submit_all(
    system: Running, token: str, bodies: Sequence[bytes], connections: int, rate_per_s: float = 0.0
) -> list[float]:
    """Seconds each submission took to be answered 201; as fast as the connections go, or at the rate asked for."""
    waiting = iter(enumerate(bodies))
    took: list[float] = []
    run, began = f"{time.time_ns():x}", time.perf_counter()

    async def work() -> None:
        head = [f"authorization: Bearer {token}", "content-type: application/json"]
        connection = Connection("127.0.0.1", system.port, head)
        for number, body in waiting:
            due = began + number / rate_per_s if rate_per_s else time.perf_counter()
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            answer = await connection.post("/v1/documents", body, f"idempotency-key: {run}-{number}")
            assert answer.status == 201, answer.body[:500]
            took.append(time.perf_counter() - due)
        await connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return took


def expected(bodies: Sequence[bytes]) -> dict[str, int]:
    """Every document has a case, a waiting task; those registered by submission itself are charged at once."""
    kinds = Counter(json.loads(body)["type"] for body in bodies)
    count = len(bodies)
    return {
        "documents": count,
        "tasks on the timeline": count,
        "cases": count,
        "charges": kinds["import_title.ei"],
        "charges on the timeline": kinds["import_title.ei"],
        "deliveries": 2 * count,
        "letters": 2 * count,
    }


QUESTIONS = {
    "documents": ("intake", "select count(*) from documents where submitted_at >= %s"),
    "tasks on the timeline": (
        "intake",
        "select count(distinct document_id) from timeline_items where kind = 'task_opened' and at >= %s",
    ),
    "charges on the timeline": (
        "intake",
        "select count(*) from timeline_items where kind = 'charge_recorded' and at >= %s",
    ),
    "cases": ("routing", "select count(*) from cases where opened_at >= %s"),
    "charges": ("billing", "select count(*) from charges where occurred_at >= %s"),
    "deliveries": ("notifications", "select count(*) from deliveries where created_at >= %s and channel = 'in_app'"),
    "letters": (
        "notifications",
        "select count(*) from deliveries where created_at >= %s and channel = 'email' and state = 'SENT'",
    ),
}
NOTHING_LEFT = {
    "unpublished": ("intake", "select count(*) from outbox where published_at is null"),
    "letters to send": ("notifications", "select count(*) from deliveries where state = 'PENDING' and not gathered"),
}


def effects(system: Running, since: str) -> dict[str, int]:
    """What the databases hold of the documents submitted since."""
    found = {name: _number(system.url(service), text, [since]) for name, (service, text) in QUESTIONS.items()}
    return found | {name: _number(system.url(service), text, []) for name, (service, text) in NOTHING_LEFT.items()}


def _number(url: str, question: str, values: list[str]) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(question, values).fetchone()
    return int(row[0]) if row else 0


def drained(system: Running, since: str, wanted: Mapping[str, int]) -> dict[str, int]:
    """One question at a time, and seldom: whoever asks takes from what is measured."""
    limit = time.monotonic() + DRAIN_S_MAX
    for name, (service, text) in QUESTIONS.items():
        while _number(system.url(service), text, [since]) < wanted[name]:
            _wait(name, limit)
    for name, (service, text) in NOTHING_LEFT.items():
        while _number(system.url(service), text, []):
            _wait(name, limit)
    return effects(system, since)


def _wait(name: str, limit: float) -> None:
    assert time.monotonic() < limit, f"{name} not complete after {DRAIN_S_MAX} s"
    time.sleep(DRAIN_POLL_S)


def now(system: Running) -> str:
    with psycopg.connect(system.url("intake")) as connection:
        row = connection.execute("select clock_timestamp()::text").fetchone()
    assert row is not None
    return str(row[0])


def cpu_seconds(system: Running) -> dict[str, float]:
    """User and system time so far: each service, and of PostgreSQL each database's backends and the server's own.

    Backends that ended do not count: those of whoever measures.
    """
    content = system.content
    spent = defaultdict(float, {name: _seconds(one["pid"]) for name, one in content["services"].items()})
    server = content["postgres"]["pid"]
    spent["postgres server"] = _seconds(server)
    for child in map(int, Path(f"/proc/{server}/task/{server}/children").read_text().split()):
        spent[f"postgres {_database(child)}"] += _seconds(child)
    return dict(spent)


def _database(backend: int) -> str:
    """A backend's title names its user, its database and its peer; the server's own workers have no peer."""
    try:
        words = Path(f"/proc/{backend}/cmdline").read_text().replace("\0", " ").split()
    except FileNotFoundError:
        return "server"
    is_client = len(words) > 3 and "(" in words[3]
    return words[2].removeprefix("portolan_") if is_client else "server"


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def loop_us() -> float:
    """CPU of a fixed piece of work: how fast the machine is just now, beside which figures may be compared."""
    began = time.process_time()
    total = 0
    for number in range(LOOP_TURNS):
        total += number * number % 7
    assert total
    return (time.process_time() - began) * 1e6
