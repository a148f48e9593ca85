"""Visits: each word about an appointment waits for the case's lock, and is kept with what it moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from kit import clock, ids
from kit.database import Database, Tx
from kit.errors import NotFound
from prometheus_client import Counter

from routing import store
from routing.domain import (
    OPERATOR,
    Agenda,
    Attendant,
    Case,
    Fact,
    Officer,
    Procedure,
    Slot,
    Visit,
    VisitMissed,
    VisitProposal,
)
from routing.domain import appointments as rules

from .deciding import standing_in
from .said import say

NO_SHOWS_TOTAL = Counter(
    "portolan_no_shows_total",
    "Parties that did not come to a visit. A jump for agencies means that their officers do not see the appointments.",
    ["party"],
)
Word = Callable[[Agenda, Attendant, Procedure, datetime], tuple[Agenda, Visit, list[Fact]]]
Seek = Callable[[Tx], Awaitable[Agenda]]


@dataclass(frozen=True)
class Spoken:
    case: Case
    visit: Visit


async def propose_visit(
    database: Database, rulebooks: store.Rulebooks, officer: Officer, document_id: str, slot: Slot, request_id: str
) -> Spoken:
    def word(agenda: Agenda, who: Attendant, procedure: Procedure, now: datetime) -> tuple[Agenda, Visit, list[Fact]]:
        return rules.propose(agenda, VisitProposal(who, slot, request_id), procedure, now, ids.new_id)

    return await _speak(database, rulebooks, officer, lambda tx: store.agenda_of_document(tx, document_id), word)


async def confirm_visit(database: Database, rulebooks: store.Rulebooks, officer: Officer, visit_id: str) -> Spoken:
    def word(agenda: Agenda, who: Attendant, procedure: Procedure, now: datetime) -> tuple[Agenda, Visit, list[Fact]]:
        return rules.confirm(agenda, visit_id, who, procedure, now)

    return await _speak(database, rulebooks, officer, lambda tx: store.agenda_of_visit(tx, visit_id), word)


async def decline_visit(
    database: Database, rulebooks: store.Rulebooks, officer: Officer, visit_id: str, reason: str
) -> Spoken:
    def word(agenda: Agenda, who: Attendant, procedure: Procedure, now: datetime) -> tuple[Agenda, Visit, list[Fact]]:
        return rules.decline(agenda, visit_id, who, reason, procedure, now)

    return await _speak(database, rulebooks, officer, lambda tx: store.agenda_of_visit(tx, visit_id), word)


async def report_no_show(
    database: Database, rulebooks: store.Rulebooks, officer: Officer, visit_id: str, party: str
) -> Spoken:
    def word(agenda: Agenda, who: Attendant, procedure: Procedure, now: datetime) -> tuple[Agenda, Visit, list[Fact]]:
        return rules.miss(agenda, visit_id, who, party, procedure, now, ids.new_id)

    return await _speak(database, rulebooks, officer, lambda tx: store.agenda_of_visit(tx, visit_id), word)


async def record_visit(
    database: Database, rulebooks: store.Rulebooks, officer: Officer, visit_id: str, findings: str
) -> Spoken:
    def word(agenda: Agenda, who: Attendant, procedure: Procedure, now: datetime) -> tuple[Agenda, Visit, list[Fact]]:
        return rules.record(agenda, visit_id, who, findings, procedure, now, ids.new_id)

    return await _speak(database, rulebooks, officer, lambda tx: store.agenda_of_visit(tx, visit_id), word)


async def list_visits(database: Database, officer: Officer, document_id: str) -> tuple[Case, tuple[Visit, ...]]:
    async with database.transaction() as tx:
        case = await store.seen_case(tx, document_id)
        if case is None or not case.document.pack_version:
            raise NotFound("NOT_FOUND")
        officer.must_see_visits(case)
        return case, await store.visits_of(tx, document_id)


async def list_no_shows(
    database: Database, officer: Officer, after: tuple[str, str] | None, limit: int
) -> list[store.Absence]:
    condition, values = store.concerning(officer.organisation_id, officer.agency, everybody=officer.sees_all)
    async with database.connection() as connection:
        return await store.absences(connection, condition, values, after, limit)


async def _speak(database: Database, rulebooks: store.Rulebooks, officer: Officer, seek: Seek, word: Word) -> Spoken:
    async with database.transaction() as tx:
        before = await seek(tx)
        who = (await standing_in(tx, officer)).attends(before.case)
        procedure = before.case.procedure(await rulebooks.of(before.case.document.pack_version, tx))
        after, visit, facts = word(before, who, procedure, clock.now())
        await store.save_visits(tx, before, after)
        await store.save_case(tx, before.case, after.case)
        await say(tx, after.case, facts)
    _measure(facts)
    return Spoken(after.case, visit)


def _measure(facts: list[Fact]) -> None:
    for fact in facts:
        if isinstance(fact, VisitMissed):
            NO_SHOWS_TOTAL.labels(OPERATOR if fact.no_show.party == OPERATOR else "agency").inc()
