"""Whatever is sent: a refusal in problem+json or an acceptance, never a 5xx, nothing half stored."""

import copy
import json
from typing import Any

import httpx
import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.journeys.bodies import new_key, submission
from tests.journeys.conftest import System

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Each sends lines or a file, which no generator writes: they have their own cases, below and in test_bulk.py.
LEFT_OUT = ["submit_documents", "submit_file"]


@pytest.fixture(scope="session")
def contract(system: System) -> Any:
    return schemathesis.openapi.from_url(f"{system.base_url}/openapi.json").exclude(operation_id=LEFT_OUT)


ACTORS = {
    "a broker": ("broker", "declarant"),
    "a bank": ("bank", "bank_officer"),
    "customs": ("customs", "customs_officer"),
    "the operator": ("operator", "operator_admin"),
}
EXAMPLES_MAX = 30
PLAYED_MIN = {GenerationMode.POSITIVE: 40, GenerationMode.NEGATIVE: 25}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("actor", ACTORS)
def test_every_operation_answers_as_its_contract_says(
    actor: str, mode: GenerationMode, contract: Any, portolan: Portolan, demo: Demo
) -> None:
    by = demo.actor(kind=ACTORS[actor][0], role=ACTORS[actor][1]).credentials
    operations = [result.ok() for result in contract.get_all_operations()]
    assert len(operations) > 40
    played = 0
    for operation in operations:

        @settings(max_examples=EXAMPLES_MAX, deadline=None, suppress_health_check=QUIET)
        @given(operation.as_strategy(generation_mode=mode))
        def answers(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(headers={"authorization": f"Bearer {portolan.token(by)}"}, checks=CHECKS)

        try:
            answers()
            played += 1
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label  # nothing about a bare GET can be wrong
    assert played > PLAYED_MIN[mode]
    for endpoint in portolan.items("/v1/webhook-endpoints", by) if ACTORS[actor][1] == "declarant" else ():
        portolan.post(f"/v1/webhook-endpoints/{endpoint['id']}:disable", by)


NASTY = [
    *(None, True, [], {}, "", " ", "0", "-1", "1e3", "NaN", "٣", "\u202e1", "\u0000", "\ud800", "x" * 300, "é" * 5000),
    *(0, -1, 10**15 + 1, 10**30, -(10**30), 0.1, 1e300, "1" * 40, "0.0000001", "999999999999999999999"),
    *(
        "0000-00-00",
        "2026-02-30",
        "9999-12-31",
        "1000-01-01",
        "2026-13-01",
        "999999",
        "ZZZ",
        ["a"] * 200,
        {"a": {"b": 1}},
    ),
]
Path = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in paths(item, (*at, key)))]


def changed(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    result = copy.copy(value)
    result[path[0]] = changed(value[path[0]], path[1:], new)
    return result


def without(value: Any, path: Path) -> Any:
    target = copy.deepcopy(value)
    parent = target
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return target


@st.composite
def spoiled(draw: st.DrawFn, whole: dict[str, Any]) -> Any:
    """The submission with one to three faults: a nasty value, a member gone, a member nobody knows."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(whole)[1:]))
        fault = draw(st.sampled_from(["nasty", "nasty", "gone", "unknown"]))
        if fault == "nasty":
            whole = changed(whole, path, draw(st.sampled_from(NASTY)))
        elif fault == "gone":
            whole = without(whole, path)
        else:
            whole = {**whole, "nobody_knows": 1} if draw(st.booleans()) else changed(whole, path, {"nobody_knows": 1})
        if not isinstance(whole, dict) or len(paths(whole)) < 2:
            break
    return whole


class Filing:
    """Posts raw bytes as the broker, and counts what intake stored."""

    def __init__(self, system: System, portolan: Portolan, broker: Actor) -> None:
        self._url = f"{system.base_url}/v1/documents"
        self._portolan, self._broker = portolan, broker
        self._http = httpx.Client(timeout=20)
        self._database = psycopg.connect(system.database_url("intake"), autocommit=True)

    def post(self, raw: bytes, **headers: str) -> httpx.Response:
        given = {
            "authorization": f"Bearer {self._portolan.token(self._broker.credentials)}",
            "content-type": "application/json",
            "idempotency-key": new_key(),
        }
        return self._http.post(self._url, content=raw, headers=given | headers)

    def stored(self) -> tuple[int, ...]:
        row = self._database.execute(
            """
            select (select count(*) from documents),
                   (select count(*) from document_versions),
                   (select count(*) from submissions),
                   (select count(distinct key) from outbox where type like '%DocumentSubmitted')
            """
        ).fetchone()
        assert row is not None
        return tuple(row)

    def close(self) -> None:
        self._http.close()
        self._database.close()


@pytest.fixture
def filing(system: System, portolan: Portolan, broker: Actor) -> Any:
    opened = Filing(system, portolan, broker)
    yield opened
    opened.close()


def is_problem(answer: httpx.Response) -> bool:
    if not 400 <= answer.status_code < 500:
        return False
    content = answer.json()
    members = {"type", "title", "status", "code", "trace_id"} <= set(content)
    return members and answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("document_type", ["import_title.ei", "import_title.li", "export_title"])
def test_a_spoiled_document_is_refused_whole_or_accepted_whole(
    document_type: str, filing: Filing, portolan: Portolan, demo: Demo
) -> None:
    whole = submission(portolan, demo, document_type)

    @settings(max_examples=120, deadline=None, suppress_health_check=QUIET)
    @given(spoiled(whole))
    def judge(sent: Any) -> None:
        before = filing.stored()
        answer = filing.post(json.dumps(sent).encode("utf-8", "surrogatepass"))
        accepted = 1 if answer.status_code == 201 else 0
        assert accepted or is_problem(answer), (answer.status_code, answer.text[:500])
        assert filing.stored() == tuple(count + accepted for count in before)

    judge()


def raw_cases(whole: bytes) -> dict[str, bytes]:
    return {
        "duplicate keys": whole[:-1] + b', "type": "import_title.ei"}',
        "duplicate keys deep down": whole.replace(b'"incoterm":', b'"incoterm": "FOB", "incoterm":', 1),
        "ten megabytes": b'{"type": "' + b"x" * 10_000_000 + b'"}',
        "a body of ten megabytes of spaces": whole + b" " * 10_000_000,
        "deep nesting": b'{"type": "import_title.ei", "body": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        "NUL": whole.replace(b'"remarks": "', b'"remarks": "\\u0000', 1),
        "a raw NUL": whole.replace(b'"remarks": "', b'"remarks": "\x00', 1),
        "a lone surrogate": whole.replace(b'"remarks": "', b'"remarks": "\\ud800', 1),
        "NaN": whole.replace(b'"amount_minor": ', b'"amount_minor": NaN, "x": ', 1),
        "infinity": whole.replace(b'"amount_minor": ', b'"amount_minor": 1e999, "x": ', 1),
        "not UTF-8": whole.replace(b'"remarks": "', b'"remarks": "\xff', 1),
        "cut short": whole[: len(whole) // 2],
        "nothing": b"",
        "a list": b"[" + whole + b"]",
        "a text": b'"import_title.ei"',
        "a byte order mark": b"\xef\xbb\xbf" + whole,
    }


def test_bytes_that_are_no_document_are_refused_and_store_nothing(
    filing: Filing, portolan: Portolan, demo: Demo
) -> None:
    whole = json.dumps(submission(portolan, demo, remarks="x")).encode()
    before = filing.stored()
    for name, raw in raw_cases(whole).items():
        assert raw != whole, name
        answer = filing.post(raw)
        assert is_problem(answer), (name, answer.status_code, answer.text[:300])
    assert filing.post(whole, **{"content-type": "text/plain"}).status_code == 415
    assert filing.post(whole, **{"idempotency-key": "x" * 300}).status_code in (400, 422)
    assert filing.stored() == before


def test_a_batch_answers_line_by_line_in_order(
    filing: Filing, system: System, portolan: Portolan, demo: Demo, broker: Actor
) -> None:
    good = submission(portolan, demo)
    lines = [
        json.dumps(good | {"idempotency_key": "batch-a"}),
        json.dumps(good),
        "{",
        json.dumps(good | {"idempotency_key": "batch-a"}),
        json.dumps(good | {"idempotency_key": "batch-b", "type": "no_such.type"}),
        json.dumps(good | {"idempotency_key": "batch-c"}),
    ]
    answer = httpx.post(
        f"{system.base_url}/v1/documents:batch",
        content="\n".join(lines).encode(),
        headers={
            "authorization": f"Bearer {portolan.token(broker.credentials)}",
            "content-type": "application/x-ndjson",
        },
        timeout=20,
    )
    assert answer.status_code in (200, 207), answer.text
    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [result["status"] for result in results] == [201, 400, 400, 201, 422, 201]
