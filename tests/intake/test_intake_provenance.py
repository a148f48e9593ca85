"""A value given once is carried, shown with its origin, and not given otherwise where the pack says so."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from intake.actions.carrying import origins, prefill
from intake.domain.provenance import Source, prefilled, traced
from kit.errors import Invalid, NotFound
from packs.dictionary import CarriedField, Carry
from psycopg.rows import tuple_row

from tests.intake.builders import TITLE, Window, a_body, a_stranger, the_importer, the_pack

RULES = (
    Carry(
        into="control",
        link="/title_reference",
        from_=("title",),
        line_key="hs_code",
        fields=(
            CarriedField(path="/origin_country", enforced=True),
            CarriedField(path="/place", source="/port"),
            CarriedField(path="/lines/*/hs_code", enforced=True),
            CarriedField(path="/lines/*/quantity/unit", enforced=True),
            CarriedField(path="/lines/*/description", source="/lines/*/designation"),
        ),
    ),
)


def a_line(hs_code: str, unit: str = "KGM", designation: str = "Goods") -> dict[str, Any]:
    return {"hs_code": hs_code, "quantity": {"value": "1", "unit": unit}, "designation": designation}


def a_title(reference: str, *lines: dict[str, Any], **more: Any) -> Source:
    body = {"origin_country": "CN", "port": "XXABC", "lines": list(lines), **more}
    return Source(f"id-{reference}", reference, "title", 2, "title_reference", body)


THE_TITLE = a_title("EI-1", a_line("640399", designation="Shoes"), a_line("610910", "NAR", "Shirts"))


def test_what_the_title_says_is_filled_in_with_its_origin() -> None:
    body, known = prefilled(RULES, [THE_TITLE])
    assert body == {
        "title_reference": "EI-1",
        "origin_country": "CN",
        "place": "XXABC",
        "lines": [
            {"hs_code": "640399", "quantity": {"unit": "KGM"}, "description": "Shoes"},
            {"hs_code": "610910", "quantity": {"unit": "NAR"}, "description": "Shirts"},
        ],
    }
    shown = {origin.pointer: (origin.source.reference, origin.source_pointer) for origin in known}
    assert shown["/place"] == ("EI-1", "/port")
    assert shown["/lines/1/description"] == ("EI-1", "/lines/1/designation")
    assert len(shown) == 8


def test_lines_may_be_fewer_and_in_another_order() -> None:
    body = {"lines": [{"hs_code": "610910", "quantity": {"unit": "NAR"}, "description": "Shirts, cotton"}]}
    known, contradicted = traced(RULES, body, [THE_TITLE])
    assert contradicted == []
    assert {origin.pointer: origin.source_pointer for origin in known} == {
        "/lines/0/hs_code": "/lines/1/hs_code",
        "/lines/0/quantity/unit": "/lines/1/quantity/unit",
    }


def test_what_is_enforced_cannot_be_given_otherwise() -> None:
    body = {
        "origin_country": "VN",
        "place": "XXDEF",
        "lines": [
            {"hs_code": "640399", "quantity": {"unit": "NAR"}},
            {"hs_code": "950300", "quantity": {"unit": "KGM"}},
        ],
    }
    assert traced(RULES, body, [THE_TITLE]).contradicted == [
        "/origin_country",
        "/lines/1/hs_code",
        "/lines/0/quantity/unit",
    ]


def test_without_a_source_nothing_is_known_and_nothing_contradicts() -> None:
    body = {"origin_country": "VN", "lines": [{"hs_code": "950300"}]}
    assert traced(RULES, body, []) == ([], [])
    other = Source("x", "CE-1", "elsewhere", 1, "title_reference", THE_TITLE.body)
    assert traced(RULES, body, [other]) == ([], [])
    assert prefilled(RULES, [other]) == ({}, [])


def test_of_several_sources_the_first_that_knows_it_is_the_origin() -> None:
    second = a_title("EI-2", a_line("950300"), port="XXDEF")
    body, _ = prefilled(RULES, [THE_TITLE, second])
    assert body["place"] == "XXABC"
    assert [line["hs_code"] for line in body["lines"]] == ["640399", "610910", "950300"]
    assert traced(RULES, body, [THE_TITLE, second]).contradicted == []


CODES = st.sampled_from(["640399", "610910", "950300", "080510"])
LINES = st.lists(st.builds(a_line, CODES, st.sampled_from(["KGM", "NAR"]), st.text(max_size=3)), min_size=1, max_size=6)


@given(st.lists(LINES, min_size=1, max_size=3))
def test_what_was_filled_in_never_contradicts_and_every_value_has_an_origin(titles: list[list[dict[str, Any]]]) -> None:
    sources = [a_title(f"EI-{number}", *lines) for number, lines in enumerate(titles)]
    before = copy.deepcopy(sources)
    body, known = prefilled(RULES, sources)
    again = traced(RULES, body, sources)
    assert again.contradicted == []
    assert {origin.pointer for origin in again.origins} == {origin.pointer for origin in known}
    assert sources == before


@pytest.fixture
def carrying(window: Window) -> Window:
    """The pack, with an engagement that may follow another and then comes from the same country."""
    pack = the_pack()
    kind = pack.document_types[TITLE]
    schema = copy.deepcopy(kind.schema)
    schema["properties"]["follows"] = {"type": "string", "maxLength": 40, "x-reference": TITLE}
    carry = Carry(
        into=TITLE,
        link="/follows",
        from_=(TITLE,),
        line_key="hs_code",
        fields=(CarriedField(path="/origin_country", enforced=True), CarriedField(path="/lines/*/hs_code")),
    )
    changed = msgspec.structs.replace(
        pack,
        document_types={**pack.document_types, TITLE: msgspec.structs.replace(kind, schema=schema)},
        dictionary=msgspec.structs.replace(pack.dictionary, carried=(carry,)),
    )
    window.rulebooks.add([changed])
    return window


async def filed(window: Window, **more: Any) -> dict[str, Any]:
    answer = await window.submit(window.submission({**a_body(), **more}))
    return dict(json.loads(answer.document_json))


@pytest.mark.service("intake")
async def test_a_document_shows_what_it_has_from_which_version_of_which(carrying: Window) -> None:
    first = await filed(carrying)
    second = await filed(carrying, follows=first["reference"])
    shown = json.loads(await origins(carrying.db, the_importer(), second["id"]))
    assert (shown["document_id"], shown["version"]) == (second["id"], 1)
    assert [(one["pointer"], one["source_pointer"], one["reference"], one["version"]) for one in shown["origins"]] == [
        ("/lines/0/hs_code", "/lines/0/hs_code", first["reference"], 1),
        ("/origin_country", "/origin_country", first["reference"], 1),
    ]
    assert json.loads(await origins(carrying.db, the_importer(), first["id"]))["origins"] == []
    with pytest.raises(NotFound):
        await origins(carrying.db, a_stranger(), second["id"])


@pytest.mark.service("intake")
async def test_what_contradicts_its_origin_makes_no_document(carrying: Window) -> None:
    first = await filed(carrying)
    before = await count(carrying)
    with pytest.raises(Invalid) as refused:
        await filed(carrying, follows=first["id"], origin_country="VN")
    assert [(one.pointer, one.code) for one in refused.value.violations] == [
        ("/body/origin_country", "CONTRADICTS_ORIGIN")
    ]
    assert await count(carrying) == before


@pytest.mark.service("intake")
async def test_a_body_is_begun_with_what_is_known_and_submitted_it_contradicts_nothing(carrying: Window) -> None:
    first = await filed(carrying)
    asked = (carrying.db, carrying.rulebooks, the_importer(), TITLE)
    filled = json.loads(await prefill(*asked, [first["reference"]]))
    assert filled["body"]["follows"] == first["reference"]
    assert filled["body"]["origin_country"] == first["body"]["origin_country"]
    assert {one["reference"] for one in filled["origins"]} == {first["reference"]}
    assert json.loads(await prefill(*asked, [first["id"], first["reference"]])) == filled
    assert await filed(carrying, **{**a_body(), "follows": filled["body"]["follows"]})
    with pytest.raises(NotFound):
        await prefill(carrying.db, carrying.rulebooks, a_stranger(), TITLE, [first["reference"]])
    with pytest.raises(NotFound):
        await prefill(carrying.db, carrying.rulebooks, the_importer(), "no.such", [first["reference"]])


async def count(window: Window) -> int:
    async with window.db.connection() as connection:
        cursor = await connection.cursor(row_factory=tuple_row).execute("select count(*) from documents")
        row = await cursor.fetchone()
    return int(row[0]) if row else 0
