"""Code lists: what packaged sources fill, how they are searched, which codes of a body nobody knows."""

import pytest
from packs.codelists import page
from packs.company_numbers import fault
from packs.model import Code, CodeList, Pack
from packs.reader import read
from packs.schemas import CodeField, UnknownCode, code_fields, unknown_codes
from packs.serial import dumps, loads

from tests.packs.builders import PackFolder


@pytest.fixture
def pack(pack_folder: PackFolder) -> Pack:
    pack_folder["lists/currencies.yaml"] = {"list": "currencies", "generate": "iso4217"}
    return read(pack_folder.write())


def test_goods_are_those_of_the_packaged_nomenclature(pack: Pack) -> None:
    goods = pack.lists["hs"]
    assert len(goods.members) > 5000
    assert all(len(code) == 6 and code.isdigit() for code in goods.members)
    shoes = goods.by_code["640399"]
    assert shoes.untranslated
    assert shoes.labels["fr"] == shoes.labels["ar"] == shoes.labels["en"]


def test_countries_and_currencies_are_named_in_every_language(pack: Pack) -> None:
    assert pack.lists["countries"].by_code["NO"].labels == {"fr": "Norvège", "ar": "النرويج", "en": "Norway"}
    assert pack.lists["currencies"].by_code["EUR"].labels["fr"] == "euro"
    assert all(set(code.labels) == {"fr", "ar", "en"} for code in pack.lists["currencies"].codes)


def test_a_pack_may_add_to_a_generated_list_and_correct_it(pack_folder: PackFolder) -> None:
    own = {"fr": "Chez nous", "ar": "Chez nous", "en": "Home"}
    pack_folder["lists/countries.yaml"]["codes"] = [{"code": "FR", "labels": own}, {"code": "X1", "labels": own}]
    pack = read(pack_folder.write())
    countries = pack.lists["countries"]
    assert countries.by_code["FR"].labels == countries.by_code["X1"].labels == own
    assert loads(dumps(pack)) == pack


@pytest.mark.parametrize(("query", "found"), [("cote", "CI"), ("CÔTE D", "CI"), ("NO", "NO"), ("النرويج", "NO")])
def test_a_search_minds_neither_case_nor_accents(pack: Pack, query: str, found: str) -> None:
    assert found in [code.code for code in page(pack.lists["countries"], query).codes]


def test_pages_join_without_gap_or_repeat(pack: Pack) -> None:
    countries = pack.lists["countries"]
    codes: list[Code] = []
    start: int | None = 0
    while start is not None:
        part = page(countries, start=start, limit=100)
        codes += part.codes
        start = part.following
    assert tuple(codes) == countries.codes


def test_a_search_has_pages_too(pack: Pack) -> None:
    first = page(pack.lists["hs"], "6403", limit=2)
    assert first.following is not None
    second = page(pack.lists["hs"], "6403", first.following, limit=200)
    assert second.following is None
    assert all(code.code.startswith("6403") or "6403" in code.labels["en"] for code in (*first.codes, *second.codes))


def test_a_page_is_never_larger_than_allowed(pack: Pack) -> None:
    assert len(page(pack.lists["hs"], limit=10_000).codes) == 200


SCHEMA = {
    "$defs": {"country": {"type": "string", "x-list": "countries"}},
    "properties": {
        "origin": {"$ref": "#/$defs/country"},
        "lines": {"items": {"properties": {"hs/code": {"x-list": "hs"}, "name": {}}}},
        "tags": {"items": {"x-list": "tags"}},
    },
}


def test_code_fields_are_found_wherever_they_stand() -> None:
    assert code_fields(SCHEMA) == (
        CodeField(("origin",), "countries"),
        CodeField(("lines", "*", "hs/code"), "hs"),
        CodeField(("tags", "*"), "tags"),
    )


def test_unknown_codes_are_pointed_at() -> None:
    lists = {
        name: CodeList(list=name, codes=(Code(code=code, labels={}),))
        for name, code in (("countries", "FR"), ("hs", "640399"), ("tags", "new"))
    }
    body = {"origin": "XX", "lines": [{"hs/code": "640399"}, {"hs/code": "1"}, {}], "tags": ["new", "old"]}
    assert list(unknown_codes(code_fields(SCHEMA), body, lists)) == [
        UnknownCode("/origin", "countries", "XX"),
        UnknownCode("/lines/1/hs~1code", "hs", "1"),
        UnknownCode("/tags/1", "tags", "old"),
    ]


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        ("552008443", None),
        ("552008444", "has wrong check digits"),
        ("55200844", "does not have the right shape"),
        ("000000000", "is not a real number"),
    ],
)
def test_company_numbers_are_checked(pack: Pack, number: str, wrong: str | None) -> None:
    assert fault(pack.company_number, number) == wrong
