"""A control of goods in the invented country: reviewed side by side, visited together, analysed, disposed of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from packs.model import Pack
from routing.domain import Decision, Fact, Rulebook, Task, decide

from tests.routing.builders import HOUR, MONDAY, RULES, Walk, a_pack, a_rule, a_step, a_submission, a_type, words

REVIEW = a_step(
    "review",
    {"rules": "clearance"},
    {
        "clear": {"event": "cleared", "then": "finish", "waives_visit": True, "result": "conform"},
        "visit": {"event": "visit", "then": "step:visit", "weight": 10},
        "refuse": {"event": "refused", "then": "step:disposal", "weight": 20, "result": "non_conform"},
    },
    enters="review",
)
TERMS = {
    "proposed": "propose",
    "confirmed": "confirm",
    "declined": "decline",
    "missed_by_operator": "no_show",
    "missed_by_agency": "absent",
    "abandoned": "abandon",
    "recorded": "recorded",
    "proposals_max": 6,
    "no_shows_max": 2,
    "slot_minutes_max": 120,
    "days_ahead_max": 30,
}
VISIT = a_step(
    "visit",
    {},
    {"recorded": {"event": "done", "then": "next", "by": "system"}},
    visit=TERMS,
    entries_max=2,
) | {"agency": {"decided": [{"step": "review", "outcomes": ["visit"]}]}}
FINDINGS = a_step(
    "findings",
    {},
    {
        "conform": {"event": "conform", "then": "finish", "result": "conform"},
        "conform_with_conditions": {
            "event": "conform_if",
            "then": "finish",
            "weight": 5,
            "result": "conform_with_conditions",
        },
        "sample": {"event": "sample", "then": "step:laboratory", "weight": 10},
        "revisit": {"event": "again", "then": "step:visit", "weight": 15},
        "non_conform": {"event": "bad", "then": "step:disposal", "weight": 20, "result": "non_conform"},
    },
) | {"agency": {"decided": [{"step": "visit", "outcomes": ["recorded"]}]}}
LABORATORY = a_step(
    "laboratory",
    {},
    {
        "conform": {"event": "conform", "then": "finish", "result": "conform"},
        "non_conform": {"event": "bad", "then": "step:disposal", "weight": 20, "result": "non_conform"},
    },
) | {"agency": {"decided": [{"step": "findings", "outcomes": ["sample"]}], "laboratory": True}}
DISPOSAL = a_step(
    "disposal",
    {},
    {
        "retreat": {"event": "retreat", "then": "finish", "weight": 30},
        "destroy": {"event": "destroy", "then": "finish", "weight": 40},
    },
) | {
    "agency": {
        "decided": [
            {"step": "findings", "outcomes": ["non_conform"]},
            {"step": "review", "outcomes": ["refuse"]},
            {"step": "findings", "outcomes": ["sample"]},
        ]
    }
}
CHECK = a_type("check", REVIEW, VISIT, FINDINGS, LABORATORY, DISPOSAL) | {"unconcerned": "nobody"}
CLEARANCE = [
    a_rule("PLANTS", hs=["10"], agency="PLANT", document="phyto", visit_share="0.3"),
    a_rule("HEALTH", hs=["10"], agency="FOOD", document="health", visit_when="'FRESH' in characteristics"),
    a_rule("CUSTOMARY", hs=["12"], agency="FOOD", document="health", automatic="amount_minor <= 100"),
]


def a_control_pack(**changes: Any) -> Pack:
    agencies = [
        {"code": "PLANT", "kind": "agency", "labels": words("plant"), "laboratory": "PLANT-LAB"},
        {"code": "FOOD", "kind": "agency", "labels": words("food")},
        {"code": "PLANT-LAB", "kind": "laboratory", "labels": words("plant laboratory")},
    ]
    rules = [rule for rule in RULES if rule["id"] in {"TRUSTED", "LOT"}]
    return a_pack(
        **{
            "agencies": {agency["code"]: agency for agency in agencies},
            "routing": {"version": "r1", "effective_from": "2026-01-01", "rules": [*CLEARANCE, *rules]},
            "document_types": {"check": CHECK},
            "reasons": {"WAIVED": {"code": "WAIVED", "labels": words("waived"), "outcomes": ["clear"]}},
            **changes,
        }
    )


CHECKS = Rulebook.of(a_control_pack())
# By the lot of this pack neither red nor to be visited; and one whose plants are to be visited.
SPARED, CHOSEN = "doc-3", "doc-1"


class Control(Walk):
    """A control being walked through; time passes between two decisions."""

    def __init__(self, document_id: str = SPARED, book: Rulebook = CHECKS, **facts: Any) -> None:
        known = {"hs_codes": ["100100"], "characteristics": [], **facts}
        super().__init__(a_submission(document_id, "check", **known), book, MONDAY)

    def at(self, step: str, agency: str) -> Task:
        """As it was last asked."""
        return [task for task in self.case.tasks if (task.step, task.agency) == (step, agency)][-1]

    def say(self, step: str, agency: str, outcome: str, person: str = "anna", **other: Any) -> list[Fact]:
        self.now += timedelta(seconds=HOUR)
        said = Decision(person, outcome, **other)
        task_id = self.at(step, agency).id
        self.case, facts = decide(self.case, task_id, said, self.procedure, self.now, self.new_id)
        self.said += facts
        return facts
