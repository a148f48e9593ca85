"""A demonstration with a past: the same for the same seed, every effect there, and `run` goes on from it as normal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from portolan_cli.client import Portolan
from portolan_cli.embedded import ports

from tests.journeys.conftest import System

DOCUMENTS, COMPANIES, DAYS = 40, 20, 14
UNTIL = "2026-11-20T16:00:00"
# What no history may leave behind, by service.
LEFTOVERS = {
    "identity": ["select count(*) from outbox where published_at is null"],
    "intake": ["select count(*) from outbox where published_at is null", "select count(*) from dead_letters"],
    "routing": ["select count(*) from outbox where published_at is null", "select count(*) from dead_letters"],
    "billing": [
        "select count(*) from outbox where published_at is null",
        "select count(*) from dead_letters",
        "select coalesce(sum(amount_minor), 0) from entries",
    ],
    "notifications": [
        "select count(*) from outbox where published_at is null",
        "select count(*) from dead_letters",
        "select count(*) from waiting_events",
        "select count(*) from deliveries where channel = 'email' and created_at < now() - interval '1 hour'",
    ],
}


def lived(home: Path, seed: int = 7) -> dict[str, Any]:
    home.mkdir(mode=0o755)
    command = [sys.executable, "-m", "portolan_cli", "history", "--home", str(home), "--seed", str(seed), "--json"]
    command += ["--documents", str(DOCUMENTS), "--companies", str(COMPANIES), "--days", str(DAYS), "--until", UNTIL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def asked(system: System, service: str, question: str) -> int:
    with psycopg.connect(system.database_url(service)) as connection:
        row = connection.execute(question).fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.timeout(600)
def test_a_past_is_lived_once_and_alike_and_the_window_goes_on(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    first, second = lived(tmp_path / "first"), lived(tmp_path / "second")
    assert first["documents"] == DOCUMENTS
    assert {"decide", "impute", "pay"} <= set(first["acts"])
    assert first["left"] > 0, "something is still on its way, so that queues are alive"
    assert first["overtaken"] == {}
    told = [{name: value for name, value in one.items() if name != "took_s"} for one in (first, second)]
    assert told[0] == told[1], "references, states, amounts and moments are those of the seed"
    _goes_on(System(tmp_path / "first", ports.free()))


def _goes_on(system: System) -> None:
    system.start()
    try:
        for service, questions in LEFTOVERS.items():
            assert {question: asked(system, service, question) for question in questions} == dict.fromkeys(questions, 0)
        oldest = "select count(*) from documents where submitted_at < timestamptz '2026-11-16'"
        assert asked(system, "intake", oldest) > 0
        with Portolan(system.base_url) as portolan:
            customs = system.demo.actor(kind="customs").credentials
            shown = portolan.items("/v1/documents", customs)
            timeline = portolan.get(f"/v1/documents/{shown[-1]['id']}/timeline", customs)
            moments = [item["at"] for item in timeline["items"]]
            assert moments[0] < "2026-11-21"
            assert len(moments) > 2
        again = [sys.executable, "-m", "portolan_cli", "history", "--home", str(system.home)]
        refused = subprocess.run(again, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert httpx.get(f"{system.base_url}/readyz").status_code == 200
    finally:
        system.stop()


def test_outside_the_demonstration_there_is_no_invented_past(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PORTOLAN_DEMO_MODE": "false", "PORTOLAN_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "history"]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "demonstration" in refused.stderr
