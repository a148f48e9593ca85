"""Absence and delegation: who stands in for whom, for how long, and that no two eyes become four through another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from kit import ids
from kit.database import Database
from kit.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from portolan.routing.v1.events_pb2 import TaskDecided, TaskSigned
from psycopg.errors import UniqueViolation
from routing import actions
from routing.actions import absences
from routing.actions.absences import CLAIM_SECONDS_MAX, Away
from routing.domain import Decision, Officer, TaskState
from routing.store import Rulebooks

from tests.routing.builders import (
    BANK,
    DECISION,
    MONDAY,
    OPINION,
    Walk,
    a_pack,
    a_submission,
    a_type,
    hear,
    seeded,
    submitted,
)
from tests.routing.told import rows, told

TUESDAY = MONDAY + timedelta(days=1)
NAMES = ["anna", "bilal", "chadia"]
# One body gives the opinion and takes the decision: then it must be different people.
EXCLUSIVE = {
    "permit.licence": {
        **a_type("permit.licence", {**OPINION, "agency": {"code": "MINISTRY"}}, DECISION, BANK),
        "incompatible": [["opinion", "decision"]],
    }
}


def at_the_ministry() -> Walk:
    walk = Walk(a_submission())
    walk.decide("EXPERTS", "favourable")
    return walk


def test_of_two_signatures_no_name_stands_in_both_in_either_direction() -> None:
    for first, second in [
        ({"person": "anna"}, {"person": "bilal", "on_behalf_of": "anna"}),
        ({"person": "bilal", "on_behalf_of": "anna"}, {"person": "anna"}),
        ({"person": "bilal", "on_behalf_of": "anna"}, {"person": "bilal"}),
        ({"person": "bilal", "on_behalf_of": "anna"}, {"person": "chadia", "on_behalf_of": "anna"}),
    ]:
        walk = at_the_ministry()
        walk.decide("MINISTRY", "grant", **first)
        with pytest.raises(Refused, match="FOUR_EYES"):
            walk.decide("MINISTRY", "grant", **second)
    walk.decide("MINISTRY", "grant", "dounia")
    assert walk.task("MINISTRY").state is TaskState.DECIDED


speakers = st.tuples(st.sampled_from(NAMES), st.sampled_from(["", *NAMES])).filter(lambda pair: pair[0] != pair[1])


@given(st.lists(st.tuples(speakers, st.sampled_from(["grant", "refuse"])), max_size=12))
def test_whoever_stands_in_for_whom_four_eyes_are_two_disjoint_pairs(
    attempts: Sequence[tuple[tuple[str, str], str]],
) -> None:
    walk = at_the_ministry()
    for (person, absent), outcome in attempts:
        try:
            walk.decide("MINISTRY", outcome, person, on_behalf_of=absent, reason_code="QUALITY" * (outcome == "refuse"))
        except (Refused, Invalid):
            continue
    live = walk.task("MINISTRY").live_signatures
    for one, other in itertools.combinations(live, 2):
        assert one.decision.signers.isdisjoint(other.decision.signers)
    assert (walk.task("MINISTRY").state is TaskState.DECIDED) == (len(live) == 2)


# On the real database.

pytestmark = pytest.mark.service("routing")


def an_officer(person: str, *roles: str, agency: str = "MINISTRY") -> Officer:
    return Officer(person, agency, f"org-{agency}", frozenset(roles or ("agency_officer",)))


ANNA, BILAL, CHADIA = (an_officer(name) for name in NAMES)
HEAD = an_officer("head", "org_admin")


class Office:
    def __init__(self, database: Database, books: Rulebooks) -> None:
        self.database, self.books = database, books

    async def away(self, by: Officer, person: str, delegate: str, days: int = 7, key: str = "") -> Any:
        asked = Away(person, delegate, MONDAY, MONDAY + timedelta(days=days), key or ids.new_id())
        return await absences.create(self.database, by, asked)

    async def decide(self, by: Officer, task_id: str, outcome: str = "grant", **other: Any) -> Any:
        decision = Decision(by.person, outcome, **other)
        return await actions.decide(self.database, self.books, by, task_id, decision)

    async def task(self, step: str = "decision") -> str:
        found = await rows(self.database, f"select id from tasks where step = '{step}'")  # noqa: S608
        return str(found[0][0])


@pytest.fixture
async def office(service_database: Database) -> Any:
    books = await seeded(service_database, a_pack(document_types=EXCLUSIVE))
    office = Office(service_database, books)
    with time_machine.travel(MONDAY, tick=False):
        await hear(service_database, books, submitted())
        await office.decide(an_officer("expert"), await office.task("opinion"), "favourable")
        yield office


async def test_the_delegate_takes_over_what_the_absent_one_had_taken_and_the_signature_says_so(office: Office) -> None:
    task_id = await office.task()
    await actions.claim(office.database, ANNA, task_id)
    with pytest.raises(Conflict, match="TASK_CLAIMED"):
        await office.decide(BILAL, task_id)
    await office.away(ANNA, "", "bilal")
    await office.decide(BILAL, task_id)
    (signed,) = [message for message in await told(office.database) if isinstance(message, TaskSigned)]
    assert (signed.signed_by, signed.on_behalf_of) == ("bilal", "anna")
    for seen in (ANNA, BILAL):
        with pytest.raises(Refused, match="FOUR_EYES"):
            await office.decide(seen, task_id)
    await office.decide(CHADIA, task_id)
    (*_, decided) = [message for message in await told(office.database) if isinstance(message, TaskDecided)]
    assert (decided.decided_by, decided.on_behalf_of) == ("chadia", "")


async def test_said_again_it_is_the_same_decision(office: Office) -> None:
    task_id = await office.task()
    await actions.claim(office.database, ANNA, task_id)
    await office.away(ANNA, "", "bilal")
    for _ in range(2):
        await office.decide(BILAL, task_id, request_id="once")
    assert await rows(office.database, "select person, on_behalf_of from signatures where outcome = 'grant'") == [
        ("bilal", "anna")
    ]


async def test_nobody_speaks_for_another_without_an_absence_in_force(office: Office) -> None:
    task_id = await office.task()
    with pytest.raises(Forbidden):
        await office.decide(BILAL, task_id, on_behalf_of="anna")
    absence = await office.away(ANNA, "", "bilal")
    await absences.end(office.database, ANNA, absence.id)
    with pytest.raises(Forbidden):
        await office.decide(BILAL, task_id, on_behalf_of="anna")
    await office.away(ANNA, "", "bilal")
    with time_machine.travel(MONDAY + timedelta(days=7), tick=False), pytest.raises(Forbidden):
        await office.decide(BILAL, task_id, on_behalf_of="anna")


async def test_a_delegate_at_another_agency_or_without_the_role_gains_nothing(office: Office) -> None:
    task_id = await office.task()
    await actions.claim(office.database, ANNA, task_id)
    await office.away(ANNA, "", "bilal")
    with pytest.raises(NotFound):
        await office.decide(an_officer("bilal", agency="ELSEWHERE"), task_id)
    with pytest.raises(Forbidden):
        await office.decide(an_officer("bilal", "bank_officer"), task_id)


async def test_ones_own_absence_is_ones_own_and_anybodys_the_supervisors(office: Office) -> None:
    with pytest.raises(Forbidden):
        await office.away(BILAL, "anna", "bilal")
    absence = await office.away(HEAD, "anna", "bilal")
    with pytest.raises(Forbidden):
        await absences.end(office.database, BILAL, absence.id)
    with pytest.raises(NotFound):
        await absences.end(office.database, an_officer("x", "org_admin", agency="ELSEWHERE"), absence.id)
    ended = [await absences.end(office.database, HEAD, absence.id) for _ in range(2)]
    assert ended[0] == ended[1]
    assert ended[0].ended_at == MONDAY
    with pytest.raises(Forbidden):
        await office.away(Officer("broker", "", "org", frozenset({"org_admin"})), "", "x")


@pytest.mark.parametrize(
    ("delegate", "days", "place"), [("anna", 7, "/delegate"), ("bilal", 0, "/to"), ("bilal", 401, "/to")]
)
async def test_an_absence_must_make_sense(office: Office, delegate: str, days: int, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        await office.away(ANNA, "", delegate, days)
    assert refused.value.violations[0].pointer == place


async def test_the_same_request_is_one_absence_and_there_are_only_so_many(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await office.away(ANNA, "", "bilal", key="k") == await office.away(ANNA, "", "bilal", key="k")
    monkeypatch.setattr(absences, "ABSENCES_OPEN_MAX", 1)
    with pytest.raises(Refused, match="TOO_MANY_ABSENCES"):
        await office.away(ANNA, "", "bilal")


async def test_who_signed_one_of_two_incompatible_steps_signs_none_of_the_other(office: Office) -> None:
    task_id = await office.task()
    expert = an_officer("expert")
    for act in (office.decide(expert, task_id), actions.claim(office.database, expert, task_id)):
        with pytest.raises(Refused, match="INCOMPATIBLE_ROLES"):
            await act
    await office.away(expert, "", "bilal")
    with pytest.raises(Refused, match="INCOMPATIBLE_ROLES"):
        await office.decide(BILAL, task_id, on_behalf_of="expert")
    with pytest.raises(Refused, match="INCOMPATIBLE_ROLES"):
        await actions.assign(office.database, HEAD, task_id, "expert")
    await office.decide(BILAL, task_id)


INSERT = """
    insert into signatures (
        id, task_id, person, outcome, reason_code, comment, conditions, request_id, signed_at, on_behalf_of
    )
    select %s, id, %s, 'grant', '', '', '', '', now(), %s from tasks where step = 'decision'
"""


@pytest.mark.parametrize(
    ("person", "absent", "constraint"),
    [
        ("chadia", "anna", "signatures_four_eyes"),
        ("anna", "", "signatures_four_eyes"),
        ("bilal", "", "signatures_four_eyes"),
        ("expert", "", "signatures_incompatible"),
        ("chadia", "expert", "signatures_incompatible"),
    ],
)
async def test_the_database_refuses_it_too(office: Office, person: str, absent: str, constraint: str) -> None:
    async with office.database.connection() as connection:
        await connection.execute(INSERT, ["one", "bilal", "anna"])
    with pytest.raises(UniqueViolation) as refused:
        async with office.database.connection() as connection:
            await connection.execute(INSERT, ["two", person, absent])
    assert refused.value.diag.constraint_name == constraint


async def test_who_answers_for_the_agency_gives_tasks_to_whom_they_choose(office: Office) -> None:
    task_id = await office.task()
    await actions.claim(office.database, ANNA, task_id)
    for _ in range(2):
        await actions.assign(office.database, HEAD, task_id, "bilal")
    assert await rows(office.database, "select claimed_by from tasks where state = 'CLAIMED'") == [("bilal",)]
    with pytest.raises(Conflict, match="TASK_CLAIMED"):
        await office.decide(ANNA, task_id)
    with pytest.raises(Forbidden):
        await actions.assign(office.database, ANNA, task_id, "anna")
    with pytest.raises(NotFound):
        await actions.assign(office.database, an_officer("x", "org_admin", agency="ELSEWHERE"), task_id, "anna")
    await office.decide(BILAL, task_id)
    with pytest.raises(Refused, match="FOUR_EYES"):
        await actions.assign(office.database, HEAD, task_id, "bilal")


async def test_a_forgotten_claim_returns_to_the_queue(office: Office) -> None:
    await actions.claim(office.database, ANNA, await office.task())
    limit = MONDAY + timedelta(seconds=CLAIM_SECONDS_MAX)
    assert await absences.release_forgotten(office.database, limit - timedelta(seconds=1)) == 0
    assert await absences.release_forgotten(office.database, limit) == 1
    assert await rows(office.database, "select state, claimed_by, claimed_at from tasks where state <> 'DECIDED'") == [
        ("OPEN", "", None)
    ]
