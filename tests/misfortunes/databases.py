"""The world read in the databases of the five services, in a few statements each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from portolan_cli.reconcile.run import examine
from portolan_cli.reference.weights import Known

from tests.misfortunes.history import digest_of_json
from tests.misfortunes.world import Seen, World

ROWS_AT_ONCE = 500
SERVICES = ("identity", "intake", "routing", "billing", "notifications")

DOCUMENTS = """
select document_id::text, state, documents.version, body::text
from documents join document_versions using (document_id, version)
where owner_organisation_id = any(%(owners)s)
    and not exists (select from declarations where declarations.document_id = documents.document_id)
"""
DECLARED = "select number from declarations where document_id is not null"
SETTLED = "select document_id::text, imputed_minor::bigint, paid_minor::bigint from title_settlements"
KEYS = """
select organisation_id, idempotency_key, document_id::text
from submissions where organisation_id = any(%(owners)s)
"""
TIMELINES = """
select document_id::text, seq, kind, from_state, event, to_state, agency, step
from timeline_items join documents using (document_id)
where owner_organisation_id = any(%(owners)s)
order by document_id, seq
"""
TITLE_LINES = """
select document_id::text, line, authorised, consumed, released
from title_lines join documents using (document_id) where owner_organisation_id = any(%(owners)s)
"""
CASES = "select document_id, explanation -> 'history' from cases where owner_organisation_id = any(%(owners)s)"
TASKS = """
select tasks.document_id, tasks.agency, tasks.step
from tasks join cases on cases.id = tasks.case_id where owner_organisation_id = any(%(owners)s)
"""
CHARGES = "select document_id, tariff, gross_minor from charges where payer_organisation_id = any(%(owners)s)"
CREDITS = """
select charges.document_id, tariff, policy, credits.gross_minor
from credits join charges on charges.id = charge_id where payer_organisation_id = any(%(owners)s)
"""
NOTICES = """
select document_id, organisation_id, rule, count(*) from deliveries
where channel = 'in_app' and document_id = any(%(documents)s) group by 1, 2, 3
"""
UNBALANCED = "select currency, sum(amount_minor)::bigint from entries group by 1 having sum(amount_minor) <> 0"
BURIED = "select consumer, type, key, reason from dead_letters where event_id::text <> all(%(expected)s)"
SENT_LETTERS = "select id from deliveries where channel = 'email' and state = 'SENT' and digest_id is null"

Urls = Mapping[str, str]
Rows = Sequence[tuple[Any, ...]]


def read(urls: Urls, owners: Sequence[str], mail: Path | None, poison: Sequence[str] = ()) -> World:
    """`owners`: the organisations of the run; what is theirs is in the history. `poison`: events meant to be buried."""
    world = World()
    given = {"owners": list(owners)}
    with psycopg.connect(urls["intake"]) as intake:
        _intake(world, intake, given)
    with psycopg.connect(urls["routing"]) as routing:
        _routing(world, routing, given)
    with psycopg.connect(urls["billing"]) as billing:
        _billing(world, billing, given)
    with psycopg.connect(urls["notifications"]) as notifications:
        _notices(world, notifications)
        if mail is not None:
            _letters(world, notifications, mail)
    world.orphans += orphans(urls, poison)
    for name in SERVICES:
        with psycopg.connect(urls[name]) as connection:
            rows = connection.execute(BURIED, {"expected": list(poison)}).fetchall()
            world.buried += [f"{name}: {' '.join(map(str, row))}" for row in rows]
    return world


def known(urls: Urls, owners: Sequence[str]) -> dict[str, Known]:
    """By document, what the window knew beside it when it judged."""
    with psycopg.connect(urls["routing"]) as routing:
        rows = routing.execute(CASES, {"owners": list(owners)}).fetchall()
    return {document_id: Known(**history) for document_id, history in rows if history}


def _intake(world: World, intake: psycopg.Connection[Any], given: Mapping[str, Any]) -> None:
    with intake.cursor("documents") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(DOCUMENTS, given)
        for document_id, state, version, body in cursor:
            world.documents[document_id] = Seen(state=state, version=version, body=digest_of_json(body))
    for organisation, key, document_id in intake.execute(KEYS, given):
        world.by_key[organisation, key] = document_id
    _timelines(world, intake.execute(TIMELINES, given).fetchall())
    lines: dict[str, dict[int, tuple[Decimal, Decimal, Decimal]]] = defaultdict(dict)
    for document_id, line, *figures in intake.execute(TITLE_LINES, given):
        lines[document_id][line] = (figures[0], figures[1], figures[2])
    for document_id, seen in world.documents.items():
        seen.ledger = lines.get(document_id, {})
    world.declared = {row[0] for row in intake.execute(DECLARED)}
    for document_id, imputed, paid in intake.execute(SETTLED):
        if document_id in world.documents:
            world.documents[document_id].settled = (imputed, paid)


def _timelines(world: World, rows: Rows) -> None:
    items: dict[str, list[int]] = defaultdict(list)
    moves: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for document_id, number, kind, from_state, event, to_state, _, _ in rows:
        items[document_id].append(number)
        if kind == "state" and from_state:
            moves[document_id].append((from_state, event, to_state))
    for document_id, seen in world.documents.items():
        seen.items, seen.moves = tuple(items[document_id]), tuple(moves[document_id])
    opened = ((row[0], (row[6], row[7])) for row in rows if row[2] == "task_opened")
    _count(world, opened, lambda seen, counter: setattr(seen, "tasks", counter))


def _routing(world: World, routing: psycopg.Connection[Any], given: Mapping[str, Any]) -> None:
    cases = Counter(row[0] for row in routing.execute(CASES, given))
    for document_id, seen in world.documents.items():
        seen.cases = cases[document_id]
    held: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for document_id, agency, step in routing.execute(TASKS, given):
        held[document_id][agency, step] += 1
    for document_id, seen in world.documents.items():
        if held[document_id] != seen.tasks:
            world.orphans.append(f"{document_id}: routing has tasks {held[document_id]}, its timeline {seen.tasks}")


def _billing(world: World, billing: psycopg.Connection[Any], given: Mapping[str, Any]) -> None:
    charged = ((row[0], (row[1], row[2])) for row in billing.execute(CHARGES, given).fetchall())
    _count(world, charged, lambda seen, counter: setattr(seen, "charged", counter))
    credited = ((row[0], (row[1], row[2], row[3])) for row in billing.execute(CREDITS, given).fetchall())
    _count(world, credited, lambda seen, counter: setattr(seen, "credited", counter))
    world.unbalanced = dict(billing.execute(UNBALANCED).fetchall())


def _notices(world: World, notifications: psycopg.Connection[Any]) -> None:
    told: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for document_id, organisation, rule, count in notifications.execute(NOTICES, {"documents": list(world.documents)}):
        told[document_id][organisation, rule] = count
    for document_id, seen in world.documents.items():
        seen.told = told[document_id]


def _letters(world: World, notifications: psycopg.Connection[Any], mail: Path) -> None:
    """A letter is a file named by its delivery."""
    sent = {row[0] for row in notifications.execute(SENT_LETTERS)}
    there = Counter(
        file.name.partition(":")[0].partition(".")[0] for part in ("new", "cur") for file in _files(mail / part)
    )
    world.letters_missing = [f"letter {one} was sent and is not there" for one in sorted(sent - there.keys())]
    world.letters_doubled = [f"letter {one} is there {count} times" for one, count in there.items() if count > 1]


def _files(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())


def _count(world: World, rows: Iterator[tuple[str, Any]], put: Callable[[Seen, Counter[Any]], None]) -> None:
    counted: dict[str, Counter[Any]] = defaultdict(Counter)
    for document_id, key in rows:
        counted[document_id][key] += 1
    for document_id, seen in world.documents.items():
        put(seen, counted[document_id])


def orphans(urls: Urls, poison: Sequence[str]) -> list[str]:
    """What `portolan reconcile` names: rows of one service that another should know and does not, and the like."""
    return [f"{one.check}: {one.subject} {one.what}" for one in examine(urls).named if one.subject not in poison]
