"""Small words for billing's tests: a pack with two price versions, documents, events, a bus that says these."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing import actions, events
from google.protobuf.message import Message
from kit import ids, wire
from kit.consumer import Consumer
from kit.database import Database
from kit.events import Event
from packs.model import Calendar, CompanyNumber, Identity, Pack, Routing, TariffItem, TariffVersion
from portolan.identity.v1 import events_pb2 as identity
from portolan.intake.v1 import events_pb2 as intake
from psycopg.rows import tuple_row

CURRENCY = "XTS"
TYPE = "permit.a"
NEW_PRICES = date(2026, 7, 1)
BEFORE = datetime(2026, 3, 1, 12, tzinfo=UTC)
AFTER = datetime(2026, 9, 1, 12, tzinfo=UTC)


def an_item(net: int, code: str = "T-A", document_type: str = TYPE, billed_at: str = "REGISTERED") -> TariffItem:
    return TariffItem(
        code=code,
        labels={"fr": "Titre", "ar": "سند", "en": "Permit"},
        net_minor=net,
        document_type=document_type,
        billed_at=billed_at,
        segments={"occasional": Decimal("2.5")},
    )


def a_version(
    name: str, start: date, end: date | None, *items: TariffItem, vat_rate: Decimal = Decimal("0.20")
) -> TariffVersion:
    return TariffVersion(
        version=name, effective_from=start, effective_to=end, currency=CURRENCY, vat_rate=vat_rate, items=items
    )


OLD = a_version("old", date(2026, 1, 1), NEW_PRICES, an_item(2500), an_item(4000, "T-G", billed_at="GRANTED"))
NEW = a_version("new", NEW_PRICES, None, an_item(3333), an_item(4000, "T-G", billed_at="GRANTED"))


def a_pack(*tariff: TariffVersion, version: str = "1", timezone: str = "Africa/Lagos") -> Pack:
    return Pack(
        identity=Identity(
            name="nowhere",
            version=version,
            effective_from=date(2026, 1, 1),
            languages=("fr", "ar", "en"),
            default_language="fr",
            currency=CURRENCY,
            country="ZZ",
            timezone=timezone,
            company_number=CompanyNumber(scheme="", pattern="", label=""),
        ),
        calendar=Calendar(timezone=timezone, working_week={}),
        routing=Routing(version="1", effective_from=date(2026, 1, 1), rules=()),
        tariff=tariff or (OLD, NEW),
    )


def submitted(
    document_id: str = "doc-1",
    *,
    at: datetime = AFTER,
    mode: str | None = "subscriber",
    owner: str = "org-a",
    submitter: str = "org-b",
    state: str = "REGISTERED",
    document_type: str = TYPE,
) -> intake.DocumentSubmitted:
    facts = {} if mode is None else {"owner_billing_mode": mode}
    return intake.DocumentSubmitted(
        document_id=document_id,
        reference=f"A-{document_id}",
        type=document_type,
        state=state,
        owner_organisation_id=owner,
        submitter_organisation_id=submitter,
        submitted_at=wire.timestamp(at),
        facts_json=json.dumps(facts).encode(),
    )


def decided(
    document_id: str = "doc-1", to_state: str = "GRANTED", at: datetime = AFTER, owner: str = "org-a"
) -> intake.DocumentDecided:
    return intake.DocumentDecided(
        document_id=document_id,
        reference=f"A-{document_id}",
        type=TYPE,
        owner_organisation_id=owner,
        submitter_organisation_id="org-b",
        to_state=to_state,
        decided_at=wire.timestamp(at),
    )


def activated(organisation_id: str, mode: str, at: datetime = BEFORE) -> identity.OrganisationActivated:
    return identity.OrganisationActivated(
        organisation_id=organisation_id, billing_mode=mode, activated_at=wire.timestamp(at)
    )


def an_event(message: Message, event_id: str = "") -> Event:
    kind = message.DESCRIPTOR.full_name
    return Event(event_id or ids.new_id(), "topic", "key", kind, AFTER, message.SerializeToString(), "")


class SaysOnce:
    """A subscription that gives these events, then nothing."""

    def __init__(self, given: Sequence[Event]) -> None:
        self._given = list(given)

    async def poll(self, events_max: int, wait_s: float) -> Sequence[Event]:
        return self._given

    async def commit(self, events: Sequence[Event]) -> None:
        self._given = []

    async def close(self) -> None: ...


async def hear(db: Database, *said: Message | Event) -> None:
    """What billing's consumer does with one batch."""
    batch = [one if isinstance(one, Event) else an_event(one) for one in said]
    desk = actions.PriceDesk()
    await Consumer(db, SaysOnce(batch), "billing", events.handlers(desk), events.prepare(db, desk)).step(0)


async def rows(db: Database, query: str) -> list[tuple[Any, ...]]:
    async with db.connection() as connection:
        return await (await connection.cursor(row_factory=tuple_row).execute(query)).fetchall()


async def count(db: Database, table: str) -> int:
    return int((await rows(db, f"select count(*) from {table}"))[0][0])  # noqa: S608
