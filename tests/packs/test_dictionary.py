"""The data dictionary: each field is a known element, the closest entry speaks, and what is missing blocks the pack."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import packs
import pytest
from packs.dictionary import Dictionary, Entry, described, identified, international
from packs.lint import lint
from packs.reader import PACKS_FOLDER
from packs.schemas import fields

from tests.packs.builders import PackFolder, words

FILE = "dictionary.yaml"
SCHEMA = "document_types/permit/schema.json"
Change = Callable[[PackFolder], Any]

FAULTS: dict[str, tuple[Change, str, str]] = {
    "a field without an entry": (
        lambda pack: pack[FILE]["fields"].pop(0),
        SCHEMA,
        "/origin has no entry in dictionary.yaml",
    ),
    "an element nobody knows": (
        lambda pack: pack[FILE]["fields"][0].update(element="9999"),
        FILE,
        "9999 is neither a UN/CEFACT element nor one of this pack's",
    ),
    "a qualifier nobody knows": (
        lambda pack: pack[FILE]["fields"][0].update(qualifier="3035 XX"),
        FILE,
        "unknown qualifier 3035 XX",
    ),
    "an entry for no field": (
        lambda pack: pack[FILE]["fields"].append({"path": "/nowhere", "element": "4440"}),
        FILE,
        "no field is described by /nowhere",
    ),
    "an entry for no type": (
        lambda pack: pack[FILE]["fields"][0].update(types=["permit", "licence"]),
        FILE,
        "unknown document type licence",
    ),
    "an element of another pack": (
        lambda pack: pack[FILE]["elements"][0].update(id="elsewhere:WORTH"),
        FILE,
        "the pack's own elements begin with arcadia:",
    ),
    "a definition in one language only": (
        lambda pack: pack[FILE]["elements"][0].update(definition={"en": "Worth"}),
        FILE,
        "no label in fr",
    ),
    "a code without its standard's": (
        lambda pack: _with_modes(pack, {"SEA": "1"}),
        FILE,
        "permit/mode: ROAD has no code of Rec 19, nor `none`",
    ),
    "codes of no standard": (
        lambda pack: _with_modes(pack, {"SEA": "1", "ROAD": "3"}, standard=""),
        FILE,
        "codes of which standard?",
    ),
    "a list code that is not mapped": (
        lambda pack: _with_offices(pack, {}),
        "lists/offices.yaml",
        "O1 is not mapped into the list ports",
    ),
    "a list code mapped to nothing known": (
        lambda pack: _with_offices(pack, {"mapped": "P9"}),
        "lists/offices.yaml",
        "O1 is mapped to P9, which ports lacks",
    ),
    "a list mapped into no list": (
        lambda pack: _with_offices(pack, {"mapped": "P1"}, maps_to="harbours"),
        "lists/offices.yaml",
        "unknown list harbours",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_missing_blocks_the_pack_with_its_place(pack_folder: PackFolder, fault: str) -> None:
    change, file, message = FAULTS[fault]
    change(pack_folder)
    found = [(finding.file, finding.message) for finding in lint(pack_folder.write())]
    assert any(where == file and message in what for where, what in found), found


def test_mapped_codes_are_without_faults(pack_folder: PackFolder) -> None:
    _with_modes(pack_folder, {"SEA": "1", "ROAD": "none"})
    _with_offices(pack_folder, {"mapped": "P1"})
    assert lint(pack_folder.write()) == []


def test_the_closest_entry_speaks() -> None:
    general = Entry(path="**/amount", element="5004")
    exact = Entry(path="/price/amount", element="5118")
    of_one_type = Entry(path="/price/amount", element="6060", types=("permit",))
    dictionary = Dictionary(fields=(general, exact, of_one_type))
    assert dictionary.position("permit", "/price/amount") == 2
    assert dictionary.position("licence", "/price/amount") == 1
    assert dictionary.position("licence", "/lines/*/amount") == 0
    assert dictionary.position("licence", "/lines/*/discount") is None


def test_fields_are_leaves_through_arrays_and_alternatives() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a/b": {"type": "string"},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "marks": {"type": "array", "items": {"type": "string"}},
        },
        "allOf": [{"properties": {"late": {"type": "boolean"}}}],
    }
    assert [field.pointer for field in fields(schema)] == ["/a~1b", "/lines/*/n", "/marks/*", "/late"]


@pytest.mark.parametrize("pack", sorted(file.parent for file in PACKS_FOLDER.glob("*/pack.yaml")), ids=lambda p: p.name)
def test_every_field_of_the_packs_here_has_one_element(pack: Path) -> None:
    national = packs.read(pack)
    schemas = {key: kind.schema for key, kind in national.document_types.items()}
    found = list(described(schemas, national.dictionary))
    assert len(found) > 10
    named = {identified(one.entry.element) for one in found if one.entry}
    assert len([one for one in found if one.entry]) == len(found)
    assert "UN/CEFACT 7357" in named
    assert international()["7357"] == "Commodity identification code"


def _with_modes(pack: PackFolder, codes: dict[str, str], standard: str = "Rec 19") -> None:
    pack.schema["properties"]["mode"] = {"enum": ["SEA", "ROAD"], "type": "string", "x-labels": words("Mode")}
    pack[FILE]["fields"].append({"path": "/mode", "element": "8067", "standard": standard, "codes": codes})


def _with_offices(pack: PackFolder, attributes: dict[str, str], maps_to: str = "ports") -> None:
    code = {"code": "O1", "labels": words("Office"), **attributes}
    pack["lists/offices.yaml"] = {"list": "offices", "maps_to": maps_to, "codes": [code]}


CARRIED = {
    "into": "permit",
    "link": "/origin",
    "from": ["permit"],
    "line_key": "",
    "fields": [{"path": "/amount", "enforced": True}],
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, ""),
        ({"into": "licence"}, "unknown document type licence"),
        ({"link": "/nowhere"}, "permit has no field /nowhere"),
        ({"fields": [{"path": "/nowhere"}]}, "permit has no field /nowhere"),
        ({"fields": [{"path": "/amount", "source": "/nowhere"}]}, "permit has no field /nowhere"),
        ({"fields": [{"path": "/amount", "source": "/origin"}]}, "not the same element"),
        ({"fields": [{"path": "/goods/*"}]}, "say by which line_key"),
    ],
)
def test_what_is_carried_is_the_same_element_on_both_sides(
    pack_folder: PackFolder, changed: dict[str, Any], message: str
) -> None:
    pack_folder[FILE]["carried"] = [{**CARRIED, **changed}]
    found = [finding.message for finding in lint(pack_folder.write())]
    assert found == [] if not message else any(message in one for one in found), found
