"""Files of many documents over public HTTP: every row its receipt or its refusal, the same file the same documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portolan_cli.client import Portolan, Problem
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.bodies import new_key
from tests.journeys.conftest import System

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
TITLE = "import_title.ei"


class Files:
    """Sends files as the broker, for an importer."""

    def __init__(self, system: System, portolan: Portolan, broker: Actor, owner: str) -> None:
        self._system, self._portolan, self._broker, self._owner = system, portolan, broker, owner
        self._http = httpx.Client(base_url=system.base_url, timeout=60)

    def headers(self, by: Actor | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {self._portolan.token((by or self._broker).credentials)}"}

    def template(self, document_type: str) -> bytes:
        answer = self._http.get(f"/v1/document-types/{document_type}/bulk-template.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return answer.content

    def send(
        self,
        raw: bytes,
        document_type: str = TITLE,
        media_type: str = "text/csv",
        key: str = "",
        by: Actor | None = None,
    ) -> httpx.Response:
        headers = {
            **self.headers(by),
            "content-type": f"{media_type}; charset=utf-8",
            "idempotency-key": key or new_key(),
        }
        query = {"type": document_type, "on_behalf_of": self._owner}
        if by is not None and by.organisation_id == self._owner:
            del query["on_behalf_of"]
        return self._http.post("/v1/documents:bulk", params=query, content=raw, headers=headers)

    def close(self) -> None:
        self._http.close()

    def documents(self) -> int:
        with psycopg.connect(self._system.database_url("intake")) as connection:
            row = connection.execute("select count(*) from documents").fetchone()
        return int(row[0]) if row else 0


@pytest.fixture
def files(system: System, portolan: Portolan, demo: Demo, broker: Actor) -> Iterator[Files]:
    opened = Files(system, portolan, broker, demo.organisation_id("importer"))
    yield opened
    opened.close()


@pytest.fixture
def importer(demo: Demo) -> Actor:
    return demo.actor(organisation_id=demo.organisation_id("importer"), role="declarant")


def table(raw: bytes, *rows: dict[str, str], delimiter: str = ",") -> bytes:
    """The template's example once for each of `rows`, changed where that says so."""
    (example,) = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")))
    names = list(dict.fromkeys([*example, *(name for row in rows for name in row)]))
    written = io.StringIO()
    writer = csv.DictWriter(written, names, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows([{**example, **row} for row in rows])
    return written.getvalue().encode()


def acceptable(portolan: Portolan, by: Actor) -> dict[str, Any]:
    """Type to example, of those that this actor may file as they stand.

    Some examples refer to what others filed, some types are filed by others.
    """
    examples = {one["type"]: one["schema"]["examples"][0] for one in portolan.get("/v1/document-types")["items"]}
    found = {key: body for key, body in examples.items() if is_acceptable(portolan, by, key, body)}
    assert len(found) >= 4
    return found


def is_acceptable(portolan: Portolan, by: Actor, document_type: str, body: dict[str, Any]) -> bool:
    asked = {"type": document_type, "body": body}
    try:
        return bool(portolan.post("/v1/documents:simulate", by.credentials, asked)["valid"])
    except Problem as problem:
        if problem.code != "FORBIDDEN":
            raise
        return False


def test_the_template_of_every_type_is_accepted(files: Files, portolan: Portolan, importer: Actor) -> None:
    for document_type in acceptable(portolan, importer):
        answer = files.send(files.template(document_type), document_type, by=importer)
        assert answer.status_code == 207, answer.text
        assert (answer.json()["accepted"], answer.json()["refused"]) == (1, 0), (document_type, answer.text)


def test_one_bad_row_does_not_sink_the_others_and_the_same_file_is_the_same_receipts(
    files: Files, portolan: Portolan, broker: Actor
) -> None:
    goods = {"contract.number": "A;1\r\n", "remarks": '\u0633\u0646\u062f, "x"'}
    bad = {"origin_country": "ZZ", "total.amount_minor": "many"}
    raw = table(files.template(TITLE), {"contract.number": "1"}, bad, goods, delimiter=";")
    key, before = new_key(), files.documents()
    answer = files.send(raw, key=key).json()
    assert [row["status"] for row in answer["rows"]] == [201, 422, 201]
    refused = answer["rows"][1]["problem"]
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("INVALID_DOCUMENT", "/body/total/amount_minor")
    assert files.documents() == before + 2
    third = portolan.get(f"/v1/documents/{answer['rows'][2]['document']['id']}", broker.credentials)
    assert (third["body"]["contract"]["number"], third["body"]["remarks"]) == tuple(goods.values())
    assert third["receipt"] == answer["rows"][2]["document"]["receipt"]
    again = files.send(b"\xef\xbb\xbf" + raw, key=key).json()
    assert [row.get("document") for row in again["rows"]] == [row.get("document") for row in answer["rows"]]
    assert [row.get("replayed", False) for row in again["rows"]] == [True, False, True]
    assert files.documents() == before + 2


def test_rows_of_one_key_are_the_lines_of_one_title(files: Files, portolan: Portolan, broker: Actor) -> None:
    lines = table(files.template(TITLE), {"row_key": "A"}, {"row_key": "A"}).replace(b"lines.0.", b"lines.")
    rows = list(csv.DictReader(io.StringIO(lines.decode())))
    total = sum(int(row["lines.value.amount_minor"]) for row in rows)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows([{**row, "total.amount_minor": str(total)} for row in rows])
    answer = files.send(written.getvalue().encode()).json()
    assert [row["status"] for row in answer["rows"]] == [201], answer
    document = portolan.get(f"/v1/documents/{answer['rows'][0]['document']['id']}", broker.credentials)
    assert len(document["body"]["lines"]) == 2


def as_xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(as_xml(name, item) for item in value)
    if isinstance(value, dict):
        inner = "".join(as_xml(member, item) for member, item in value.items())
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = str(value).replace("&", "&amp;").replace("<", "&lt;")
    return f"<{name}>{inner}</{name}>"


def test_the_example_of_every_type_is_accepted_as_xml(files: Files, portolan: Portolan, importer: Actor) -> None:
    for document_type, example in acceptable(portolan, importer).items():
        raw = f"<documents>{as_xml('document', example)}</documents>".encode()
        answer = files.send(raw, document_type, "application/xml", by=importer).json()
        assert [row["status"] for row in answer["rows"]] == [201], answer


def test_a_stranger_and_a_role_that_does_not_file(files: Files, demo: Demo) -> None:
    raw, before = files.template(TITLE), files.documents()
    refused = files.send(raw, by=demo.actor(kind="exporter", role="declarant"))
    assert [row["problem"]["code"] for row in refused.json()["rows"]] == ["MANDATE_REQUIRED"]
    assert files.send(raw, by=demo.actor(kind="customs")).status_code == 403
    assert files.documents() == before


def test_a_thousand_rows_of_one_file(files: Files) -> None:
    rows = [{"contract.number": f"B-{number}"} for number in range(1_000)]
    before, key = files.documents(), new_key()
    raw = table(files.template(TITLE), *rows)
    answer = files.send(raw, key=key).json()
    answers = [answer, files.send(raw, key=key).json()] if answer["refused"] else [answer]
    assert answers[-1]["accepted"] == 1_000, answers[-1]["rows"][-1]
    assert files.documents() == before + 1_000
    too_many = table(files.template(TITLE), *rows, {})
    assert files.send(too_many).status_code == 413


CELLS = st.text(max_size=8) | st.sampled_from(
    ["\x00", "\ud800", "1e400", "-0", "9" * 30, "=1+1", "true", "\u202e", "2026-02-30"]
)


def test_whatever_a_file_holds_it_is_never_our_fault(files: Files) -> None:
    template = files.template(TITLE)
    (example,) = csv.DictReader(io.StringIO(template.decode("utf-8-sig")))
    before = files.documents()

    @settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
    @given(st.dictionaries(st.sampled_from(list(example)), CELLS, min_size=1, max_size=3), st.binary(max_size=30))
    def judge(changes: dict[str, str], noise: bytes) -> None:
        nonlocal before
        written = io.StringIO()
        csv.writer(written).writerows([list(example), list({**example, **changes}.values())])
        raw = written.getvalue().encode("utf-8", "surrogatepass")
        for content, media_type in ((raw, "text/csv"), (raw + noise, "text/csv"), (noise, "application/xml")):
            answer = files.send(content, media_type=media_type)
            assert answer.status_code in (207, 400, 413, 422), answer.text
            before += answer.json().get("accepted", 0)
            assert all(row["status"] < 500 for row in answer.json().get("rows", []))
        assert files.documents() == before

    judge()
