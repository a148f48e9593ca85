"""Who visits goods and how often; and what the linter says of steps that lead elsewhere than to the next."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from packs.decisions import DecisionTable
from packs.lint import lint
from packs.model import ShareWhen

from tests.packs.builders import PackFolder, move, state, words
from tests.packs.test_pack_decisions import a_rule, some_facts

TYPE = "document_types/permit/type.yaml"
Change = Callable[[PackFolder], Any]
PLANTS = a_rule(
    "PLANTS",
    agency="PLANT",
    visit_share=Decimal("0.30"),
    visit_share_when=(ShareWhen(when="'EPHYTO' in certificate_kinds", share=Decimal("0.10")),),
    visit_when="'FRESH' in characteristics",
)
TRUSTED = a_rule("TRUSTED", when="'AEO' in owner_attributes", risk=-25, visit_divisor=Decimal(3))
DOCUMENTS = 4_000


def due(*rules: Any, **facts: Any) -> list[tuple[str, bool, str]]:
    table = DecisionTable(rules, version="1")
    known = some_facts(**{"certificate_kinds": [], "characteristics": [], "owner_attributes": [], **facts})
    return [(visit.rule, visit.due, visit.ground) for visit in table.visits(table.plan(known), known)]


def share_of(**facts: Any) -> float:
    table = DecisionTable([PLANTS, TRUSTED], version="1")
    known = some_facts(**{"certificate_kinds": [], "characteristics": [], "owner_attributes": [], **facts})
    plan = table.plan(known)
    drawn = (table.visits(plan, {**known, "document_id": f"d-{number}"})[0] for number in range(DOCUMENTS))
    return sum(visit.due for visit in drawn) / DOCUMENTS


def test_a_share_of_the_documents_is_visited_and_a_third_of_it_where_trust_divides() -> None:
    assert share_of() == pytest.approx(0.30, abs=0.03)
    assert share_of(certificate_kinds=["EPHYTO"]) == pytest.approx(0.10, abs=0.02)
    assert share_of(owner_attributes=["AEO"]) == pytest.approx(0.10, abs=0.02)


def test_a_condition_or_the_red_channel_leaves_nothing_to_the_lot() -> None:
    assert due(PLANTS, characteristics=["FRESH"], document_id="") == [("PLANTS", True, "condition")]
    assert due(PLANTS, a_rule("RED", channel="red"), document_id="") == [("PLANTS", True, "channel")]


def test_a_simulation_draws_no_lot() -> None:
    assert due(PLANTS, document_id="") == [("PLANTS", False, "spared")]


def test_the_same_document_is_drawn_alike_every_time() -> None:
    assert due(PLANTS) == due(PLANTS)


def put(*place: Any, value: Any, file: str = TYPE) -> Change:
    def change(folder: PackFolder) -> None:
        inner = folder[file]
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value

    return change


REVIEW = {
    "key": "review",
    "enters": "send_to_bank",
    "agency": {"rules": "control"},
    "role": "agency_officer",
    "sla_seconds": 3600,
    "asked": words("Look?"),
    "outcomes": {
        "clear": {"event": "bank_accept", "then": "finish"},
        "visit": {"event": "look", "then": "step:visit", "weight": 10},
    },
}
VISIT = {
    **REVIEW,
    "key": "visit",
    "enters": "",
    "agency": {"decided": [{"step": "review", "outcomes": ["visit"]}]},
    "visit": {
        "proposed": "propose",
        "confirmed": "confirm",
        "declined": "decline",
        "missed_by_operator": "no_show",
        "missed_by_agency": "absent",
        "abandoned": "abandon",
        "recorded": "recorded",
    },
    "outcomes": {"recorded": {"event": "done", "then": "next", "by": "system"}},
}
FINDINGS = {
    **VISIT,
    "key": "findings",
    "visit": None,
    "agency": {"decided": [{"step": "visit", "outcomes": ["recorded"]}], "laboratory": True},
    "outcomes": {
        "conform": {"event": "conform", "then": "finish"},
        "conditions": {"event": "conform", "then": "finish", "weight": 0},
        "again": {"event": "look_again", "then": "step:visit", "weight": 5},
    },
}


def controlled(folder: PackFolder) -> None:
    """The permit of these tests, controlled instead of sent to a bank."""
    kind = folder[TYPE]
    kind["states"] += [state(key) for key in ("LOOK", "PROPOSED", "CONFIRMED", "DONE", "MISSED")]
    kind["transitions"] = [
        move("FILED", "send_to_bank", "WITH_BANK"),
        move("FILED", "nobody", "REFUSED"),
        move("WITH_BANK", "bank_accept", "GRANTED"),
        move("WITH_BANK", "look", "LOOK"),
        move("LOOK", "propose", "PROPOSED"),
        move("MISSED", "propose", "PROPOSED"),
        move("PROPOSED", "confirm", "CONFIRMED"),
        move("PROPOSED", "decline", "LOOK"),
        move("CONFIRMED", "decline", "LOOK"),
        move("CONFIRMED", "no_show", "MISSED"),
        move("CONFIRMED", "absent", "LOOK"),
        move("CONFIRMED", "abandon", "REFUSED"),
        move("CONFIRMED", "done", "DONE"),
        move("DONE", "conform", "GRANTED"),
        move("DONE", "look_again", "LOOK"),
    ]
    kind["steps"] = copy.deepcopy([REVIEW, VISIT, FINDINGS])
    kind["unconcerned"] = "nobody"
    folder["agencies.yaml"][1]["laboratory"] = "BANK-1"
    folder["reasons.yaml"].clear()
    folder["golden/permit.yaml"]["steps"] = folder["golden/permit.yaml"]["steps"][:1]
    folder["notifications.yaml"]["rules"] = folder["notifications.yaml"]["rules"][:1]
    folder["golden/permit.yaml"]["finally"] = []


def test_a_procedure_that_branches_is_without_faults(pack_folder: PackFolder) -> None:
    controlled(pack_folder)
    assert [str(finding) for finding in lint(pack_folder.write())] == []


FAULTS: list[tuple[Change, str]] = [
    (put("steps", 0, "outcomes", "visit", "then", value="step:nowhere"), "no step nowhere"),
    (put("steps", 0, "outcomes", "visit", "then", value="elsewhere"), "Expected"),
    (put("steps", 0, "outcomes", "visit", "then", value="finish"), "no way leads to step visit"),
    (put("steps", 2, "entries_max", value=0), "entered from once to 20 times"),
    (put("steps", 2, "outcomes", "again", "by", value="system"), "could go round for ever"),
    (put("transitions", 13, "to", value="LOOK"), "LOOK is not final"),
    (put("steps", 2, "outcomes", "again", "weight", value=0), "weighs the same as another"),
    (put("steps", 1, "agency", "decided", value=[{"step": "reviews", "outcomes": ["visit"]}]), "no step reviews"),
    (put("steps", 1, "agency", "decided", value=[{"step": "review", "outcomes": ["v"]}]), "has no outcome v"),
    (put("steps", 0, "agency", "laboratory", value=True), "works for agencies that decided"),
    (put(1, "laboratory", value="NOBODY", file="agencies.yaml"), "unknown agency NOBODY"),
    (put("unconcerned", value=""), "say by `unconcerned`"),
    (put("unconcerned", value="vanish"), "no transition vanish from FILED"),
    (put("transitions", 7, "event", value="x"), "no transition decline from PROPOSED"),
    (put("transitions", 9, "event", value="x"), "no transition no_show from CONFIRMED"),
    (put("transitions", 5, "event", value="x"), "no transition propose from MISSED"),
    (put("steps", 1, "visit", "slot_minutes_max", value=0), "slot_minutes_max lies between 1 and"),
    (put("steps", 1, "outcomes", "recorded", "by", value="officer"), "officers record the visit itself"),
    (put("rules", 0, "visit_share", value="1.2", file="routing.yaml"), "share of visits lies between"),
    (put("rules", 0, "visit_divisor", value="0", file="routing.yaml"), "divides by one or more"),
    (put("rules", 0, "visit_when", value="colour == 1", file="routing.yaml"), "the fact colour"),
    (put("rules", 0, "visit_share_when", value=[{"when": "x ==", "share": "0"}], file="routing.yaml"), "expression"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_each_fault_is_found(pack_folder: PackFolder, change: Change, message: str) -> None:
    controlled(pack_folder)
    change(pack_folder)
    findings = [str(finding) for finding in lint(pack_folder.write())]
    assert any(message in finding for finding in findings), findings


def test_a_graver_word_of_an_earlier_step_needs_its_move_later(pack_folder: PackFolder) -> None:
    controlled(pack_folder)
    kind = pack_folder[TYPE]
    kind["steps"][0]["outcomes"]["clear"]["weight"] = 3
    kind["steps"][2]["outcomes"]["again"]["weight"] = 5
    findings = [str(finding) for finding in lint(pack_folder.write())]
    assert any("clear of review may end the case here: no transition bank_accept" in found for found in findings)
