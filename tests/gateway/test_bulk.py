"""Files of many documents: read as they were meant, refused in words, whatever they hold."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import packs
import pytest
from gateway.bulk import DOCUMENTS_MAX, Form, Row, csv_file, template, xml_file
from gateway.bulk.rows import ROWS_MAX, bounded
from gateway.routes.bulk import derived_key
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.errors import Invalid, Malformed, PortolanError, TooLarge

from tests.gateway.house import House

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "sure": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
        "total": {"type": "object", "properties": {"amount_minor": {"type": "integer"}}},
        "marks": {"type": "array", "items": {"type": "string"}},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "quantity": {"$ref": "#/$defs/quantity"},
                    "traits": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
    "oneOf": [{"properties": {"by_sea": {"type": "string"}}}],
    "$defs": {"quantity": {"type": "object", "properties": {"value": {"type": "string"}}}},
}
FORM = Form(SCHEMA)
PACKS = [
    packs.read(Path(folder))
    for folder in sorted(packs.default_pack_path().parent.glob("*"))
    if folder.is_dir() and (folder / "pack.yaml").exists()
]
TYPES = [(pack, kind) for pack in PACKS for kind in pack.document_types.values()]


def read(text: str | bytes) -> list[Row]:
    return list(csv_file.documents(text.encode() if isinstance(text, str) else text, FORM))


def bodies(text: str | bytes) -> list[dict[str, Any]]:
    return [row.body for row in read(text)]


def read_xml(text: str) -> list[Row]:
    return list(xml_file.documents(text.encode(), FORM))


def test_cells_are_what_the_schema_says() -> None:
    assert bodies("name,count,share,sure,total.amount_minor,note,by_sea\n007,7,0.25,TRUE,-5,,x\n") == [
        {"name": "007", "count": 7, "share": 0.25, "sure": True, "total": {"amount_minor": -5}, "by_sea": "x"}
    ]


def test_what_cannot_be_read_so_stays_as_it_is_for_the_schema_to_say() -> None:
    assert bodies("count,sure\n1 000,yes\n1.0,\n") == [{"count": "1 000", "sure": "yes"}, {"count": "1.0"}]


def test_lists_go_by_number_and_leave_no_hole() -> None:
    text = "marks.0,marks.2,lines.1.code,lines.1.quantity.value,lines.4.code\na,b,x,1.50,\n"
    assert bodies(text) == [{"marks": ["a", "b"], "lines": [{"code": "x", "quantity": {"value": "1.50"}}]}]


def test_rows_of_one_key_are_one_document() -> None:
    text = "row_key,name,lines.code,lines.traits\nA,x,1,t\nA,,2,\nA,x,3,u\nB,y,4,\n,z,5,\n,z,6,\n"
    assert [(row.number, row.body["name"], [line["code"] for line in row.body["lines"]]) for row in read(text)] == [
        (1, "x", ["1", "2", "3"]),
        (4, "y", ["4"]),
        (5, "z", ["5"]),
        (6, "z", ["6"]),
    ]


def test_rows_that_contradict_each_other_or_are_scattered_are_no_document() -> None:
    found = read("row_key,name,idempotency_key\nA,x,k\nA,y,k\nB,x,k\nB,x,l\nC,x,\nA,x,\n")
    codes = [row.wrong and [(one.pointer, one.code) for one in row.wrong.violations] for row in found]
    assert codes == [
        [("/rows/2/name", "CONTRADICTION")],
        [("/rows/4/idempotency_key", "CONTRADICTION")],
        None,
        [("/rows/6/row_key", "SCATTERED")],
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b'\xef\xbb\xbfname,count\r\n"a\r\nb",1\r\n',
        b'name;count\n"a\r\nb";1\n',
        b'name\tcount\r"a\r\nb"\t1\r',
        b'"name","count"\n\n"a\r\nb","1"\n\n',
    ],
)
def test_spreadsheets_write_the_same_file_in_many_ways(raw: bytes) -> None:
    assert bodies(raw) == [{"name": "a\r\nb", "count": 1}]


def test_the_header_names_all_that_it_cannot() -> None:
    with pytest.raises(Invalid) as refused:
        read("name,nobody,total,lines,lines.0,lines.1000.code,lines.x.code,name,total.amount_minor.x,\n,,,,,,,,,\n")
    wrong = {one.pointer.removeprefix("/columns/"): one.code for one in refused.value.violations}
    unknown = ("nobody", "total", "lines", "lines.0", "lines.1000.code", "lines.x.code", "total.amount_minor.x", "")
    assert wrong == {**dict.fromkeys(unknown, "UNKNOWN_COLUMN"), "name": "REPEATED_COLUMN"}


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", Malformed),
        (b"\n\n", Malformed),
        (b"name\n", Malformed),
        (b"name\n\xff\n", Malformed),
        ("name\nx\n".encode("utf-16"), Malformed),
        (b'name\n"cut sh', Malformed),
        (b'name\n"a"b\n', Malformed),
        (b"name\n" + b"x" * 200_000 + b"\n", Malformed),
        (b"name\n" + b"x\n" * (ROWS_MAX + 1), TooLarge),
        (b"name\n" + b"x\n" * (DOCUMENTS_MAX + 1), TooLarge),
        (",".join(f"lines.{number}.code" for number in range(501)).encode(), TooLarge),
    ],
)
def test_a_file_that_is_none_is_refused_whole(raw: bytes, error: type[PortolanError]) -> None:
    with pytest.raises(error):
        bounded(csv_file.documents(raw, FORM))


def test_a_row_of_another_length_is_refused_alone() -> None:
    assert [row.wrong is None for row in read("name,count\na,1\nb\nc,2,3\nd,4\n")] == [True, False, False, True]


def test_xml_says_the_same_by_the_same_names() -> None:
    text = """<?xml version="1.0"?><all xmlns="urn:x"><one idempotency_key="k"><name>A &amp; B</name><count>7</count>
        <lines><code>1</code><quantity><value>1.5</value></quantity></lines><lines><code>2</code></lines>
        <marks>a</marks><marks>b</marks><note/></one><other><idempotency_key>l</idempotency_key><sure>true</sure></other></all>"""
    body = {"name": "A & B", "count": 7, "marks": ["a", "b"]}
    lines = [{"code": "1", "quantity": {"value": "1.5"}}, {"code": "2"}]
    found = read_xml(text)
    assert [(row.number, row.idempotency_key) for row in found] == [(1, "k"), (2, "l")]
    assert [row.body for row in found] == [{**body, "lines": lines}, {"sure": True}]


@pytest.mark.parametrize(
    ("inner", "pointer"),
    [
        ("<nobody>1</nobody>", "/body/nobody"),
        ("<nobody>1</nobody><nobody><a>1</a></nobody>", "/body/nobody"),
        ("<name>a</name><name>b</name>", "/body/name"),
        ('<name lang="fr">a</name>', "/body/@lang"),
        ("<total>x<amount_minor>1</amount_minor></total>", "/body/total"),
        ("text", "/body/one"),
    ],
)
def test_what_xml_says_beside_the_form_is_refused_alone(inner: str, pointer: str) -> None:
    found = read_xml(f"<all><one>{inner}</one><one><name>a</name></one></all>")
    assert found[1].wrong is None
    assert isinstance(found[0].wrong, Invalid)
    assert found[0].wrong.violations[0].pointer == pointer


LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><all><one><name>&b;</name></one></all>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><all><one><name>&a;</name></one></all>'


@pytest.mark.parametrize(
    "text",
    [
        *(
            LAUGHS,
            OUTSIDE,
            '<!DOCTYPE a SYSTEM "http://a.example/a.dtd"><all/>',
            "<all><one><name>&b;</name></one></all>",
        ),
        *("", "no xml", "<all/>", "<all>text</all>", "<all><one></all>", "<all></all><all></all>"),
        "<a>" * 50 + "</a>" * 50,
        "<all><one><name>" + "x" * 70_000 + "</name></one></all>",
        '<?xml version="1.0" encoding="utf-16"?><all><one><name>\u0001</name></one></all>',
    ],
)
def test_xml_that_is_none_or_brings_entities_is_refused_whole(text: str) -> None:
    with pytest.raises(Malformed):
        read_xml(text)


@pytest.mark.parametrize(("pack", "kind"), TYPES, ids=[f"{pack.name}:{kind.key}" for pack, kind in TYPES])
def test_the_template_of_every_type_says_its_example(pack: packs.Pack, kind: Any) -> None:
    file = template(kind.schema)
    assert file.startswith(b"\xef\xbb\xbf")
    (row,) = csv_file.documents(file, Form(kind.schema))
    assert row.body == kind.schema["examples"][0]
    header = next(csv.reader(io.StringIO(file.decode("utf-8-sig"))))
    assert len(header) >= len(kind.schema["properties"])


def test_keys_follow_the_file_and_the_row() -> None:
    assert derived_key("k", 1) == derived_key("k", 1)
    assert len({derived_key(file, row) for file in ("k", "l") for row in (1, 2)}) == 4
    assert derived_key("", 1) == ""


ANY_FIELD = st.sampled_from(
    ["name", "count", "sure", "marks", "lines.code", "lines.0.code", "row_key", "idempotency_key"]
)
ANY_CELL = st.text(max_size=6) | st.sampled_from(['"', '""', "\r\n", ",", ";", "true", "12", "\x00", "A", "A"])


@settings(max_examples=400, deadline=None)
@given(st.lists(ANY_FIELD, max_size=5), st.lists(st.lists(ANY_CELL, max_size=6), max_size=5), st.sampled_from(",;\t"))
def test_any_table_is_read_or_refused(header: list[str], table: list[list[str]], delimiter: str) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows([header, *table])
    judge(written.getvalue().encode("utf-8", "surrogatepass"))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    judge(raw)
    judge(b"name,count\n" + raw)


def judge(raw: bytes) -> None:
    for file in (csv_file, xml_file):
        with contextlib.suppress(Malformed, Invalid, TooLarge):
            for row in file.documents(raw, FORM):
                json.dumps(row.body)


TAGS = st.sampled_from(["name", "lines", "code", "marks", "total", "nobody", "idempotency_key"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name, text = draw(TAGS), draw(st.sampled_from(["", " ", "x", "1", "&#0;", "&lt;"]))
    inner = draw(st.lists(elements(depth + 1), max_size=3)) if depth < 4 else []
    return f"<{name}>{text}{''.join(inner)}</{name}>"


@settings(max_examples=300, deadline=None)
@given(st.lists(elements(), max_size=4))
def test_any_elements_are_read_or_refused(found: list[str]) -> None:
    judge(f"<all>{''.join(found)}</all>".encode())


async def send(house: House, content: bytes, media_type: str = "text/csv", **headers: str) -> httpx.Response:
    given = {**house.bearer("declarant"), "content-type": media_type, **headers}
    params = {"type": "paper.a"}
    return await house.http.post("/v1/documents:bulk", params=params, content=content, headers=given)


async def test_each_row_has_its_own_answer(house: House) -> None:
    answer = await send(house, b"idempotency_key,lines.0.hs_code\na,640399\n,640399\nb b,640399\nc,1,2\nd,640399\n")
    assert answer.status_code == 207
    shown = answer.json()
    assert (shown["type"], shown["accepted"], shown["refused"]) == ("paper.a", 2, 3)
    assert [row["status"] for row in shown["rows"]] == [201, 400, 400, 400, 201]
    assert shown["rows"][1]["problem"]["code"] == "IDEMPOTENCY_KEY_MISSING"
    assert [row["document"]["id"] for row in shown["rows"] if "document" in row] == ["d-0", "d-1"]
    again = (await send(house, b"idempotency_key,lines.0.hs_code\na,640399\n")).json()["rows"][0]
    assert (again["document"], again["replayed"]) == (shown["rows"][0]["document"], True)


async def test_the_same_file_under_the_same_key_is_the_same_documents(house: House) -> None:
    raw = b"<all>" + b"<one><lines><hs_code>1</hs_code></lines></one>" * 3 + b"</all>"
    first = (await send(house, raw, "application/xml", **{"idempotency-key": "f"})).json()
    again = (await send(house, raw, "application/xml", **{"idempotency-key": "f"})).json()
    assert first["accepted"] == again["accepted"] == 3
    assert [row["document"] for row in first["rows"]] == [row["document"] for row in again["rows"]]
    assert len({row["document"]["id"] for row in first["rows"]}) == 3


async def test_the_order_of_columns_is_nobodys_business(house: House) -> None:
    for raw in (b"lines.0.hs_code,lines.1.hs_code\n1,2\n", b"lines.1.hs_code,lines.0.hs_code\n2,1\n"):
        row = (await send(house, raw, **{"idempotency-key": "o"})).json()["rows"][0]
        assert row["status"] == 201


async def test_nothing_of_a_broken_file_is_submitted(house: House) -> None:
    answer = await send(house, b'idempotency_key,lines.0.hs_code\na,1\nb,"2\n')
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")
    assert (await send(house, b"a,b\n1,2\n")).status_code == 422
    assert (await send(house, b"x", "text/plain")).status_code == 415
    assert (await send(house, b"x", "text/csv; charset=windows-1256")).status_code == 415
    assert (await send(house, b"x" * (8 * 1024 * 1024 + 1))).status_code == 413
    assert house.services.intake.stored == {}
