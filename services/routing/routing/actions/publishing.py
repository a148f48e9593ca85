"""How rules change: proposed by one person, replayed over the past, published by another, said to whoever judges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from kit import clock, ids, outbox
from kit.database import Database, Tx
from kit.errors import Busy, Invalid, Violation
from kit.wire import timestamp
from packs.lint.table import examine_table
from packs.model import Rule
from packs.tables import Patch, as_written
from portolan.routing.v1 import events_pb2

from routing import store
from routing.domain import Case, Changed, Latest, Replayer, Report, RuleTable, differences
from routing.store import Rulebooks, tables

# The name by which the pack's own table goes.
PACK = "pack"
RULES_TOPIC = "portolan.routing.rules.v1"
REPLAY_CASES_MAX = 5_000
CHANGED_KEPT_MAX = 1_000
CASES_AT_ONCE = 200
REPLAY_AGAIN_S = 10
REPLAY_AGAIN = {"retry_after_seconds": str(REPLAY_AGAIN_S)}


@dataclass(frozen=True)
class Proposal:
    """The whole table, or (as a patch) what differs from the one last published. `fingerprint` is of the request."""

    person: str
    request_id: str
    fingerprint: str
    based_on: str | None
    rules: tuple[dict[str, Any], ...] | None
    patch: Patch
    effective_from: datetime | None
    note: str


@dataclass(frozen=True)
class Span:
    since: datetime
    until: datetime
    limit: int


async def propose(database: Database, rulebooks: Rulebooks, asked: Proposal) -> RuleTable:
    """Examined by the lint of the pack in force, against the table last published for it."""
    async with database.transaction() as tx:
        latest, rules = await _latest(tx, rulebooks)
        if asked.based_on is not None and asked.based_on != latest.table:
            _refuse("/based_on", "RULES_MOVED_ON", f"the table last published is {latest.table or 'the pack itself'}")
        if asked.rules is not None:
            return await _propose(tx, asked, latest, rules, list(asked.rules))
        return await _propose(tx, _after_its_base(asked, latest), latest, rules, _patched(asked.patch, rules))


async def roll_back(database: Database, rulebooks: Rulebooks, asked: Proposal, table_id: str) -> RuleTable:
    """Proposes the rules of a table published before, or (`pack`) the pack's own, to be published as any."""
    async with database.transaction() as tx:
        latest, rules = await _latest(tx, rulebooks)
        wanted = await _rules_of(tx, rulebooks, latest.pack_version, table_id)
        return await _propose(tx, asked, latest, rules, [as_written(rule) for rule in wanted])


async def replay(database: Database, rulebooks: Rulebooks, table_id: str, span: Span) -> RuleTable:
    """Past cases, judged again by what is stored of them. The same span gives the same report.

    One at a time, whoever asks; and where there is a past, of some of it.
    """
    async with database.transaction() as tx:
        table = await tables.table(tx, table_id)
        table.must_be_open()
        if not await tables.begin_replaying(tx):
            raise Busy("RATE_LIMITED", "another replay is at work: one at a time", facts=REPLAY_AGAIN)
        report, changed, replayer = Report(), list[Changed](), Replayer(table.rules)
        async for case in _opened(tx, span):
            before, after, refused = replayer.outlooks(case, await rulebooks.of(case.document.pack_version, tx))
            if report.count(before, after, refused) and len(changed) < CHANGED_KEPT_MAX:
                document = case.document
                told = (document.document_id, document.reference, document.document_type)
                changed.append(Changed(*told, before, after))
        if not report.cases and await tables.has_past(tx):
            _refuse("/from", "EMPTY_SPAN", "no case was opened in this time: nothing is seen of what would change")
        (await tables.table(tx, table_id, locked=True)).must_be_open()
        await tables.save_replay(tx, table_id, _replayed(span, report, changed), changed)
        return await tables.table(tx, table_id)


async def publish(database: Database, rulebooks: Rulebooks, table_id: str, person: str) -> RuleTable:
    """One publisher at a time; the fact that intake judges by it is said in the same transaction."""
    async with database.transaction() as tx:
        await tables.begin_publishing(tx)
        before = await tables.table(tx, table_id, locked=True)
        latest, _ = await _latest(tx, rulebooks)
        after = before.publish(person, latest, clock.now())
        if after != before:
            await tables.save(tx, after)
            await outbox.append(tx, topic=RULES_TOPIC, key=after.pack_version, message=_published(after))
    return after


async def withdraw(database: Database, table_id: str, person: str) -> RuleTable:
    async with database.transaction() as tx:
        before = await tables.table(tx, table_id, locked=True)
        after = before.withdraw(person)
        if after != before:
            await tables.save(tx, after)
    return after


async def _propose(
    tx: Tx, asked: Proposal, latest: Latest, rules: tuple[Rule, ...], written: list[dict[str, Any]]
) -> RuleTable:
    table_id = ids.new_id()
    examined = examine_table(await store.whole_pack(tx, latest.pack_version), table_id, written)
    if examined.faults:
        wrong = [Violation(fault.pointer, "INVALID_RULE", fault.message) for fault in examined.faults]
        raise Invalid("INVALID_DOCUMENT", "the table has faults", violations=wrong)
    table = RuleTable(
        id=table_id,
        pack_version=latest.pack_version,
        based_on=latest.table,
        rules=examined.rules,
        effective_from=asked.effective_from,
        note=asked.note,
        proposed_by=asked.person,
        proposed_at=clock.now(),
        changes=differences(rules, examined.rules),
        warnings=tuple({"pointer": one.pointer, "message": one.message} for one in examined.warnings),
    )
    return await tables.propose(tx, table, asked.request_id, asked.fingerprint)


def _after_its_base(asked: Proposal, latest: Latest) -> Proposal:
    """A patch holds all of the table it changes: it may not bring that into force before its day."""
    base = latest.in_force_from
    if base is None or base <= clock.now():
        return asked
    if asked.effective_from is not None and asked.effective_from < base:
        _refuse("/effective_from", "BEFORE_ITS_BASE", f"the table it changes is in force from {base.isoformat()} on")
    return replace(asked, effective_from=asked.effective_from or base)


async def _rules_of(tx: Tx, rulebooks: Rulebooks, pack_version: str, table_id: str) -> tuple[Rule, ...]:
    if table_id == PACK:
        return (await rulebooks.of(pack_version, tx)).table.rules
    found = await tables.published_rules(tx, pack_version, table_id)
    if found is None:
        _refuse("/table", "NOT_PUBLISHED", "no such table was published for the pack in force")
    return found


async def _latest(tx: Tx, rulebooks: Rulebooks) -> tuple[Latest, tuple[Rule, ...]]:
    rulebook = await rulebooks.in_force(tx, clock.now())
    latest = await tables.latest(tx, rulebook.pack.version)
    return latest, await _rules_of(tx, rulebooks, latest.pack_version, latest.table or PACK)


def _patched(patch: Patch, rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    try:
        return patch.applied(rules)
    except KeyError as error:
        _refuse("/patch", "UNKNOWN_RULE", f"there is no rule {error.args[0]}")


async def _opened(tx: Tx, span: Span) -> AsyncIterator[Case]:
    after, left = (datetime.min.replace(tzinfo=UTC), ""), min(span.limit, REPLAY_CASES_MAX)
    while left > 0:
        cases = await store.opened_between(tx, span.since, span.until, after, min(left, CASES_AT_ONCE))
        for case in cases:
            yield case
        if len(cases) < CASES_AT_ONCE:
            return
        left, after = left - len(cases), (cases[-1].opened_at, cases[-1].id)
        await asyncio.sleep(0)


def _replayed(span: Span, report: Report, changed: list[Changed]) -> dict[str, Any]:
    told = {"from": span.since.isoformat(), "to": span.until.isoformat(), "limit": span.limit}
    return {**told, **report.plain, "changed_kept": len(changed)}


def _published(table: RuleTable) -> events_pb2.RulesPublished:
    return events_pb2.RulesPublished(
        table_id=table.id,
        pack_version=table.pack_version,
        sequence=table.sequence,
        rules_json=tables.rules_json(table.rules).encode(),
        in_force_from=timestamp(table.in_force_from),
        published_at=timestamp(table.published_at),
        proposed_by=table.proposed_by,
        published_by=table.published_by,
    )


def _refuse(pointer: str, code: str, message: str) -> NoReturn:
    raise Invalid("INVALID_DOCUMENT", message, violations=[Violation(pointer, code, message)])
