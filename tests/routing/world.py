"""A window under time travel: every document type of every pack here, officers, operators, sweepers, crashes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import msgspec
import packs
import time_machine
from google.protobuf.message import Message
from kit import outbox
from kit.database import Database
from kit.errors import PortolanError
from kit.migrate import migrate
from kit.testing import create_database
from kit.wire import timestamp
from packs import expressions
from packs.model import DocumentType, Pack
from packs.reader import PACKS_FOLDER
from portolan.intake.v1 import events_pb2 as intake
from psycopg.rows import dict_row
from routing import actions, events
from routing.domain import Decision, Inquiry, Officer, Rulebook
from routing.store import Rulebooks

from tests.routing.builders import MONDAY, a_pack, an_event, hear, some_facts
from tests.routing.told import DECODER

MIGRATIONS = Path(actions.__file__).parent.parent / "migrations"
PACKS = (
    *(packs.read(file.parent) for file in sorted(PACKS_FOLDER.glob("*/pack.yaml"))),
    a_pack(version="utopia"),
)
TYPES: tuple[tuple[Pack, DocumentType], ...] = tuple(
    (pack, type) for pack in PACKS for type in pack.document_types.values()
)
BOOKS = {pack.version: Rulebook.of(pack) for pack in PACKS}
GOODS = ("401200", "080510", "100100", "930100", "852580", "030200", "970100")
TABLES = "cases, tasks, timers, escalations, signatures, information_requests, absences, outbox"
EVENTS_READ_MAX = 10_000
Row = dict[str, Any]
Answer = TypeVar("Answer")


class Killed(Exception):
    pass


def facts_of(type: DocumentType, goods: str, amount_minor: int) -> dict[str, Any]:
    """As intake derives them; an invented type says nothing of itself."""
    derived: dict[str, Any] = some_facts()
    if type.facts:
        seen = {"body": type.schema["examples"][0], "rates": {}, "lists": {}}
        derived |= {name: expressions.evaluate(expression, seen) for name, expression in type.facts.items()}
    return {
        **derived,
        "type": type.key,
        "direction": type.direction,
        "hs_codes": [goods],
        "owner_attributes": [],
        "amount_minor": amount_minor,
        "national_value_minor": amount_minor,
    }


class Loop:
    """An event loop beside the test's own: a state machine is not asynchronous, what it drives is."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


class World:
    """`moment` is the only clock; a refusal changes nothing, and so does a crash."""

    def __init__(self, server_url: str) -> None:
        self.loop, self.moment = Loop(), MONDAY
        self.db, self.books = self.loop.run(self._opened(server_url))

    async def _opened(self, server_url: str) -> tuple[Database, Rulebooks]:
        url = await create_database(server_url)
        await migrate(url, "routing", MIGRATIONS)
        database = await Database.open(url, size_max=4)
        for pack in PACKS:
            await actions.seed(database, pack)
        return database, Rulebooks(database)

    def close(self) -> None:
        self.loop.run(self.db.close())
        self.loop.close()

    def begin(self) -> None:
        self.moment = MONDAY
        self.loop.run(self._execute(f"truncate {TABLES} cascade"))

    def rows(self, query: str) -> list[Row]:
        return self.loop.run(self._rows(query))

    def said(self, document_id: str) -> list[Any]:
        """Everything the outbox holds of a document, in the order in which it was said."""
        return [message for key, message in self.loop.run(self._said()) if key == document_id]

    def do(self, work: Coroutine[Any, Any, Any], *, crash: bool = False) -> str:
        """The code of the refusal; `killed` where the process died before its commit."""
        with time_machine.travel(self.moment, tick=False), _dying(crash):
            try:
                self.loop.run(work)
            except PortolanError as refusal:
                return refusal.code
            except Killed:
                return "killed"
        return ""

    async def hear(self, message: Message, *, crash: bool = False) -> None:
        if not crash:
            await hear(self.db, self.books, message)
            return
        async with self.db.transaction() as tx:
            await actions_of(self.books, message, tx)
            raise Killed

    async def sweep(self, sweepers: int) -> None:
        await asyncio.gather(*(self._sweep() for _ in range(sweepers)))

    async def _sweep(self) -> None:
        for look in (actions.lapse, actions.sweep, actions.fall_silent):
            await look(self.db, self.books, self.moment)
        await actions.absences.release_forgotten(self.db, self.moment)

    async def _execute(self, query: str) -> None:
        async with self.db.connection() as connection:
            await connection.execute(query)

    async def _rows(self, query: str) -> list[Row]:
        async with self.db.connection() as connection:
            cursor = await connection.cursor(row_factory=dict_row).execute(query)
            found: list[Row] = await cursor.fetchall()
            return found

    async def _said(self) -> list[tuple[str, Any]]:
        async with self.db.transaction() as tx:
            waiting = await outbox.unpublished(tx, EVENTS_READ_MAX)
        return [(event.key, DECODER.decode(event)) for _, event in waiting]


async def actions_of(books: Rulebooks, message: Message, tx: Any) -> None:
    await events.handlers(books)[type(message)](tx, an_event(message), message)


@contextmanager
def _dying(crash: bool) -> Iterator[None]:
    """Between the statements that change the tables and those that say so."""
    if not crash:
        yield
        return

    async def die(*_: Any) -> None:
        raise Killed

    with mock.patch.object(outbox, "append_many", die):
        yield


def submitted(document_id: str, pack: Pack, type: DocumentType, goods: str, amount_minor: int) -> Message:
    return intake.DocumentSubmitted(
        document_id=document_id,
        reference=f"R-{document_id}",
        type=type.key,
        pack_version=pack.version,
        version=1,
        state=type.initial_state,
        owner_organisation_id="owner",
        submitter_organisation_id="submitter",
        submitted_at=timestamp(MONDAY),
        facts_json=msgspec.json.encode(facts_of(type, goods, amount_minor)),
    )


def ended(kind: Callable[..., Message], document_id: str, type: DocumentType) -> Message:
    return kind(
        document_id=document_id,
        reference=f"R-{document_id}",
        type=type.key,
        owner_organisation_id="owner",
        submitter_organisation_id="submitter",
    )


def amended(
    document_id: str, type: DocumentType, version: int, steps: Sequence[str], goods: str, amount_minor: int
) -> Message:
    return intake.AmendmentProposed(
        document_id=document_id,
        version=version,
        facts_json=msgspec.json.encode(facts_of(type, goods, amount_minor)),
        steps=steps,
    )


def officer(agency: str, role: str, number: int) -> Officer:
    return Officer(f"{agency}-{number}", agency, f"org-{agency}", frozenset({role}))


def decision(person: str, outcome: str, reason: str, request_id: str, absent: str) -> Decision:
    behalf = "" if absent == person else absent
    return Decision(person, outcome, reason_code=reason, request_id=request_id, on_behalf_of=behalf)


def inquiry(person: str) -> Inquiry:
    return Inquiry(person, ("Why?",), "to be sure")


WAITS = (timedelta(minutes=20), timedelta(hours=3), timedelta(days=1), timedelta(days=4), timedelta(days=40))
