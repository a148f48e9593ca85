"""What routing remembers of owners and goods: taken when a case opens, kept with it, judged again from there."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import time_machine
from kit.auth import Principal, set_caller
from kit.consumer import Together
from kit.database import Database
from kit.errors import NotFound
from kit.testing import a_principal
from packs.model import Pack
from portolan.intake.v1 import events_pb2 as intake
from portolan.routing.v1 import routing_pb2 as pb
from routing import actions, events
from routing.api import RoutingService
from routing.domain import Case, Decision, Officer
from routing.store import Rulebooks, case_of_document

from tests.routing.builders import (
    BANK,
    CONTROL,
    EVERYBODY,
    MONDAY,
    RULES,
    a_pack,
    a_rule,
    a_type,
    an_event,
    hear,
    seeded,
    some_facts,
    submitted,
    withdrawn,
)
from tests.routing.told import rows

pytestmark = pytest.mark.service("routing")
AT = MONDAY + timedelta(hours=1)


def a_weighing_pack(version: str = "1") -> Pack:
    """Everything the score can be made of, and a rule that asks for two persons at first."""
    control = {**CONTROL, "outcomes": {**CONTROL["outcomes"]}}
    control["outcomes"]["unfavourable"] = {**control["outcomes"]["unfavourable"], "non_conforming": True}
    rules = [*RULES, a_rule("FIRST", when="first_operation or new_supplier", four_eyes=True, risk=10)]
    rules.append(a_rule("WATCHED", when="len(alerts) > 0", risk=30, channel="red"))
    risk = {
        "thresholds": {"orange": 30, "red": 60},
        "past_findings": {"months": 24, "points_each": 10, "points_max": 25},
        "unit_values": {"months": 12, "samples_min": 3, "bands": [{"times": "2", "points": 15}]},
    }
    return a_pack(
        version,
        routing={"version": f"r{version}", "effective_from": "2026-01-01", "rules": rules},
        risk=risk,
        alerts=[{"id": "SPS", "labels": {}, "origins": ["ZZ"], "from": "2026-01-01"}],
        document_types={"permit.control": a_type("permit.control", control, BANK)},
    )


@pytest.fixture
async def books(service_database: Database) -> Rulebooks:
    return await seeded(service_database, a_weighing_pack())


def goods(amount: int = 5000, kilograms: str = "10") -> dict[str, Any]:
    lines = [{"hs_code": "100190", "amount_minor": amount, "net_weight_kg": kilograms}]
    return {"hs_codes": ["100190"], "goods": lines, "amount_minor": amount, "national_value_minor": amount}


async def opened(database: Database, books: Rulebooks, document_id: str, at: datetime = AT, **facts: Any) -> Case:
    with time_machine.travel(at, tick=False):
        await hear(database, books, submitted(document_id, "permit.control", **{**goods(), **facts}))
    return await case(database, document_id)


async def case(database: Database, document_id: str) -> Case:
    async with database.transaction() as tx:
        found = await case_of_document(tx, document_id)
    assert found is not None
    return found


def history(opened: Case) -> dict[str, Any]:
    known: dict[str, Any] = opened.explanation["history"]
    return known


async def refused(database: Database, books: Rulebooks, document_id: str, at: datetime) -> None:
    """The first agency finds that it does not conform; two persons where two are asked."""
    task = next(task for task in (await case(database, document_id)).tasks if task.is_live)
    for person in ("anna", "bilal")[: task.signatures_required]:
        officer = Officer(person, task.agency, "elsewhere", frozenset({"agency_officer"}))
        with time_machine.travel(at, tick=False):
            decision = Decision(person, "unfavourable", "QUALITY")
            await actions.decide(database, books, officer, task.id, decision)


async def test_only_the_first_is_the_first_and_only_new_suppliers_are_new(
    service_database: Database, books: Rulebooks
) -> None:
    first = await opened(service_database, books, "d-1", supplier="AA Mill")
    second = await opened(service_database, books, "d-2", supplier="aa  MILL")
    third = await opened(service_database, books, "d-3", supplier="AA Other mill")
    fourth = await opened(service_database, books, "d-4")
    known = [(history(one)["first_operation"], history(one)["new_supplier"]) for one in (first, second, third, fourth)]
    assert known == [(True, True), (False, False), (False, True), (False, False)]
    assert [one.tasks[0].signatures_required for one in (first, second, third, fourth)] == [2, 1, 2, 1]


async def test_heard_twice_a_document_stays_the_first(service_database: Database, books: Rulebooks) -> None:
    first = await opened(service_database, books, "d-1")
    again = await opened(service_database, books, "d-1")
    assert again == first
    assert await rows(service_database, "select count(*) from acquaintances") == [(1,)]


async def test_many_at_once_know_each_owner_once(service_database: Database, books: Rulebooks) -> None:
    await asyncio.gather(*(opened(service_database, books, f"d-{number}", supplier="AA x") for number in range(12)))
    assert await rows(service_database, "select count(*) from acquaintances") == [(2,)]
    assert await rows(service_database, "select count(*) from cases") == [(12,)]


async def test_a_withdrawal_that_overtakes_makes_nobody_known(service_database: Database, books: Rulebooks) -> None:
    await hear(service_database, books, withdrawn("d-1"))
    assert history(await opened(service_database, books, "d-2"))["first_operation"] is True


async def test_findings_count_for_two_years_and_against_their_owner(
    service_database: Database, books: Rulebooks
) -> None:
    await opened(service_database, books, "d-1")
    await refused(service_database, books, "d-1", AT)
    score = {}
    for number, later in enumerate((0, 700, 740)):
        score[later] = await opened(service_database, books, f"later-{number}", AT + timedelta(days=later, seconds=1))
    assert [history(one)["non_conformities"] for one in score.values()] == [1, 1, 0]
    assert [one.risk_score for one in score.values()] == [10, 10, 0]


async def test_a_decision_and_its_finding_are_one_commit(service_database: Database, books: Rulebooks) -> None:
    await opened(service_database, books, "d-1")
    await refused(service_database, books, "d-1", AT)
    found = await rows(service_database, "select owner_organisation_id, document_id, decided_at from non_conformities")
    assert found == [("owner", "d-1", AT)]
    decided = await rows(service_database, "select count(*) from tasks where outcome = 'unfavourable'")
    assert decided == [(1,)]


async def test_values_are_compared_with_those_of_the_last_year(service_database: Database, books: Rulebooks) -> None:
    for number in range(8):
        await opened(service_database, books, f"usual-{number}", **goods(5000 + number))
    odd = await opened(service_database, books, "odd", **goods(500))
    (median,) = history(odd)["medians"].values()
    assert median["per_tonne"] in range(500_000, 500_701)
    assert [factor["points"] for factor in odd.explanation["factors"] if factor["code"] == "value:100190"] == [15]
    elsewhere = await opened(service_database, books, "elsewhere", origin="BB", **goods(500))
    later = await opened(service_database, books, "later", AT + timedelta(days=400), **goods(500))
    assert (history(elsewhere)["medians"], history(later)["medians"]) == ({}, {})


async def test_what_is_kept_of_values_is_bounded(service_database: Database, books: Rulebooks) -> None:
    for month in range(0, 900, 60):
        for number in range(4):
            document_id = f"d-{month}-{number}"
            await opened(service_database, books, document_id, AT + timedelta(days=month), **goods(5000))
    ((kept, oldest),) = await rows(service_database, "select count(*), min(month) from unit_values")
    assert kept <= 25 * 16
    assert oldest >= AT.date().replace(day=1)


async def test_a_past_decision_replays_whatever_happened_since(service_database: Database, books: Rulebooks) -> None:
    cases = [await opened(service_database, books, f"d-{number}", **goods(5000 * 3**number)) for number in range(6)]
    await refused(service_database, books, "d-0", AT)
    cases.append(await opened(service_database, books, "watched", origin="ZZ", submitted_at="2026-03-02T09:00:00Z"))
    assert cases[-1].channel == "red"
    table = (await books.of("1")).table
    for one in cases:
        judged = (await case(service_database, one.document.document_id)).judged()
        assert judged.is_reproduced(table)
        forged = {**judged.explanation["history"], "first_operation": not judged.history.first_operation}
        for explanation in ({**judged.explanation, "history": forged}, {**judged.explanation, "score": 99}):
            assert not replace(judged, explanation=explanation).is_reproduced(table)


CASES_JUDGED_BEFORE = "update cases set explanation = explanation::jsonb - 'history' - 'score'"


async def test_what_was_judged_before_history_was_kept_replays_too(service_database: Database) -> None:
    books = await seeded(service_database)
    await hear(service_database, books, submitted())
    async with service_database.transaction() as tx:
        await tx.execute(CASES_JUDGED_BEFORE)
    assert (await case(service_database, "doc-1")).judged().is_reproduced((await books.of("1")).table)


async def asked(
    database: Database, books: Rulebooks, who: Principal, document_id: str = "d-1"
) -> pb.GetRoutingResponse:
    set_caller(who)
    return await RoutingService(database, books, EVERYBODY).GetRouting(
        pb.GetRoutingRequest(document_id=document_id), None
    )


@pytest.mark.parametrize(
    "who",
    [
        a_principal("agency_officer", organisation_id="o", agency="FOOD"),
        a_principal("customs_officer", organisation_id="o", agency="CUSTOMS"),
        a_principal("operator_admin", organisation_id="o"),
    ],
)
async def test_officers_see_what_was_weighed(service_database: Database, books: Rulebooks, who: Principal) -> None:
    await opened(service_database, books, "d-1", supplier="AA x")
    seen = await asked(service_database, books, who)
    assert [(rule.id, rule.agency, rule.stage) for rule in seen.rules] == [
        ("FOOD", "FOOD", "control"),
        ("PLANT", "PLANT", "control"),
        ("LATER", "LABORATORY", "clearance"),
        ("FIRST", "", ""),
    ]
    assert (seen.channel, seen.table_version, seen.weighed.score, seen.weighed.reproduced) == ("green", "r1", 10, True)
    assert [(factor.code, factor.points) for factor in seen.weighed.factors] == [("FIRST", 10)]
    assert [draw.rule for draw in seen.weighed.draws] == ["LOT"]
    assert msgspec.json.decode(seen.weighed.history_json)["new_supplier"] is True
    assert msgspec.json.decode(seen.weighed.facts_json)["supplier"] == "AA x"


@pytest.mark.parametrize("organisation", ["owner", "submitter"])
async def test_whose_document_it_is_sees_rules_and_channel(
    service_database: Database, books: Rulebooks, organisation: str
) -> None:
    await opened(service_database, books, "d-1")
    seen = await asked(service_database, books, a_principal("declarant", organisation_id=organisation))
    assert [rule.id for rule in seen.rules] == ["FOOD", "PLANT", "LATER", "FIRST"]
    assert (seen.channel, seen.HasField("weighed")) == ("green", False)


@pytest.mark.parametrize(
    "who",
    [
        a_principal("declarant", organisation_id="stranger"),
        a_principal("agency_officer", organisation_id="o", agency="MINISTRY"),
        a_principal("finance_officer", organisation_id="o"),
        a_principal("declarant", organisation_id="o", agency="FOOD"),
    ],
)
async def test_for_others_there_is_no_such_document(
    service_database: Database, books: Rulebooks, who: Principal
) -> None:
    await opened(service_database, books, "d-1")
    for document_id in ("d-1", "d-none"):
        with pytest.raises(NotFound):
            await asked(service_database, books, who, document_id)


async def test_a_simulation_knows_what_the_submission_would(service_database: Database, books: Rulebooks) -> None:
    facts = some_facts(**goods(), owner_organisation_id="owner")
    first = await actions.plan(service_database, books, "1", "permit.control", facts)
    await opened(service_database, books, "d-1")
    second = await actions.plan(service_database, books, "1", "permit.control", facts)
    assert [{route.mode for route in one.routes if route.rule == "FOOD"} for one in (first, second)] == [
        {"four_eyes"},
        {"documentary"},
    ]


async def test_what_is_opened_together_is_judged_as_one_after_the_other(
    service_database: Database, books: Rulebooks
) -> None:
    """Each by what those before it left behind, also within one batch."""
    suppliers = ["AA x", "AA x", "AA y", "", "AA y", "AA z", "AA x", ""]
    documents = [
        submitted(f"d-{number}", "permit.control", **{**goods(5000 + number), "origin": "AA", "supplier": supplier})
        for number, supplier in enumerate(suppliers)
    ]
    opening = events.handlers(books)[intake.DocumentSubmitted]
    assert isinstance(opening, Together)
    with time_machine.travel(AT, tick=False):
        async with service_database.transaction() as tx:
            await opening.handle(tx, [(an_event(one), one) for one in [*documents, documents[0]]])
        together = await remembered(service_database)
        async with service_database.connection() as connection:
            await connection.execute("truncate cases, acquaintances, unit_values, outbox cascade")
        for one in documents:
            await hear(service_database, books, one)
    assert together == await remembered(service_database)
    assert [row[1]["history"]["first_operation"] for row in together[0]] == [True] + [False] * 7
    assert [row[1]["history"]["new_supplier"] for row in together[0]][:4] == [True, False, True, False]
    assert together[0][-1][1]["history"]["medians"]["100190"]["samples"] > 3


REMEMBERED = (
    "select document_id, explanation, rules, risk_score from cases order by 1",
    "select owner_organisation_id, partner, document_id from acquaintances order by 1, 2",
    "select hs6, origin, slot, per_tonne, document_id from unit_values order by 1, 2, 3",
    "select document_id, step, agency, signatures_required from tasks order by 1, 2, 3",
    "select key, type from outbox order by key, id",
)


async def remembered(database: Database) -> list[list[tuple[Any, ...]]]:
    """Of cases first."""
    return [await rows(database, query) for query in REMEMBERED]
