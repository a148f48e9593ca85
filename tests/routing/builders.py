"""An invented country with two procedures, and what a test needs to walk a case through them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from google.protobuf.message import Message
from kit import clock, ids
from kit.database import Database
from kit.errors import Forbidden
from kit.events import Event
from kit.wire import timestamp
from packs.model import Pack
from portolan.intake.v1 import events_pb2 as intake
from routing import actions, events
from routing.domain import (
    Case,
    Decision,
    Fact,
    Inquiry,
    Procedure,
    Quantity,
    Rulebook,
    Submission,
    Task,
    decide,
    lapse,
    open_case,
    provide_information,
    request_information,
)
from routing.store import Rulebooks

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FRIDAY = datetime(2026, 3, 6, 14, 0, tzinfo=UTC)
HOUR = 3600
FORM = {"type": "object", "properties": {"comment": {"type": "string", "maxLength": 2000}}}


def words(text: str) -> dict[str, str]:
    return {"fr": f"{text} (fr)", "ar": f"{text} (ar)", "en": text}


def a_step(key: str, agency: Mapping[str, str], outcomes: Mapping[str, Any], **other: Any) -> dict[str, Any]:
    role = {"role": "agency_officer", "sla_seconds": 4 * HOUR, "asked": words(key), "form": FORM}
    return {"key": key, "agency": dict(agency), "outcomes": dict(outcomes), **role, **other}


INFORMATION = {"asks": "ask", "answered": "answered", "lapses": "unanswered", "answer_seconds": 16 * HOUR}
OPINION = a_step(
    "opinion",
    {"code": "EXPERTS"},
    {
        "favourable": {"event": "opinion_given", "then": "next"},
        "unfavourable": {"event": "opinion_given", "then": "next"},
    },
    sla_seconds=8 * HOUR,
    information=INFORMATION,
)
DECISION = a_step(
    "decision",
    {"code": "MINISTRY"},
    {
        "grant": {"event": "granted", "then": "next", "may_reduce": True},
        "refuse": {"event": "refused", "then": "close", "needs_reason": True},
    },
    mode="four_eyes",
    information={**INFORMATION, "answer_seconds": None},
)
BANK = a_step(
    "bank",
    {"fact": "agency_bank"},
    {
        "accept": {"event": "bank_accept", "then": "next"},
        "reject": {"event": "bank_reject", "then": "close", "needs_reason": True},
    },
    role="bank_officer",
    enters="send_to_bank",
)
CONTROL = a_step(
    "control",
    {"rules": "control"},
    {
        "favourable": {"event": "controlled", "then": "next"},
        "unfavourable": {"event": "stopped", "then": "close", "needs_reason": True},
    },
    enters="start_control",
    four_eyes_by_rule=True,
    information=INFORMATION,
)


def a_type(key: str, *steps: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": key,
        "prefix": "PX",
        "direction": "import",
        "labels": words(key),
        "initial_state": "REGISTERED",
        "states": [{"key": "REGISTERED", "labels": words("registered")}],
        "steps": list(steps),
    }


def a_rule(id: str, **other: Any) -> dict[str, Any]:
    return {"id": id, "labels": words(id), **other}


RULES = [
    a_rule("LICENCE", hs=["40"], agency="MINISTRY", document="licence", stage="registration", types=["permit.licence"]),
    a_rule("FOOD", hs=["10-12"], agency="FOOD", document="health", stage="control", sla_seconds=2 * HOUR),
    a_rule("PLANT", hs=["10"], agency="PLANT", document="phyto", stage="control"),
    a_rule(
        "RADIO", hs=["12", "85"], agency="RADIO", document="approval", stage="control", automatic="amount_minor <= 100"
    ),
    a_rule("LATER", hs=["10"], agency="LABORATORY", document="analysis", stage="clearance", sla_seconds=HOUR),
    a_rule("LARGE", when="amount_minor > 1000000", four_eyes=True, risk=10),
    a_rule("TRUSTED", when="'TRUSTED' in owner_attributes", risk=-25),
    a_rule("LOT", share="0.03", channel="red"),
]


def a_pack(version: str = "1", **changes: Any) -> Pack:
    raw: dict[str, Any] = {
        "identity": {
            "name": "utopia",
            "version": version,
            "effective_from": "2026-01-01",
            "languages": ["fr", "ar", "en"],
            "default_language": "en",
            "currency": "XTS",
            "country": "XX",
            "timezone": "UTC",
            "company_number": {"scheme": "", "pattern": ".*", "label": words("number")},
        },
        "calendar": {
            "timezone": "UTC",
            "working_week": {day: ["08:00-16:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
            "holidays": {"overrides": [{"date": "2026-03-09", "labels": words("day of rest"), "holiday": True}]},
        },
        "routing": {"version": f"r{version}", "effective_from": "2026-01-01", "rules": RULES},
        "risk": {
            "thresholds": {"orange": 30, "red": 60},
            "chapter_weights": {"10": 20, "93": 25},
            "origin_weights": {"AA": 15, "BB": 40},
        },
        "reasons": {
            "QUALITY": {"code": "QUALITY", "labels": words("quality"), "outcomes": ["refuse", "unfavourable"]},
            "PAYMENT": {"code": "PAYMENT", "labels": words("payment"), "outcomes": ["reject"]},
        },
        "document_types": {
            "permit.licence": a_type("permit.licence", OPINION, DECISION, BANK),
            "permit.control": a_type("permit.control", CONTROL, BANK),
        },
    }
    return msgspec.convert({**raw, **changes}, Pack)


BOOK = Rulebook.of(a_pack())


def some_facts(**changes: Any) -> dict[str, Any]:
    return {
        "direction": "import",
        "regime": "010",
        "hs_codes": ["401200"],
        "origin": "AA",
        "agency_bank": "BANK-1",
        "amount_minor": 5000,
        "quantities": [{"value": "1000.0", "unit": "KGM"}],
        "owner_attributes": [],
        **changes,
    }


def a_submission(document_id: str = "doc-1", type: str = "permit.licence", **facts: Any) -> Submission:
    return Submission(
        document_id=document_id,
        reference=f"PX-{document_id}",
        document_type=type,
        pack_version="1",
        owner_organisation_id="owner",
        submitter_organisation_id="submitter",
        facts={**some_facts(**facts), "type": type, "document_id": document_id},
    )


def new_ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"id-{next(numbers):03}"


class Walk:
    """A case being walked through the pure engine, with everything it said on the way."""

    def __init__(self, submission: Submission, book: Rulebook = BOOK, now: datetime = MONDAY) -> None:
        self.new_id, self.book, self.now = new_ids(), book, now
        self.case: Case
        self.said: list[Fact]
        self.case, self.said = open_case(submission, book, now, self.new_id)

    @property
    def procedure(self) -> Procedure:
        return self.case.procedure(self.book)

    def task_id(self, agency: str) -> str:
        return next(task.id for task in self.case.tasks if task.agency == agency)

    def decide(self, agency: str, outcome: str, person: str = "anna", **other: Any) -> list[Fact]:
        decision = Decision(person, outcome, **other)
        self.case, facts = decide(self.case, self.task_id(agency), decision, self.procedure, self.now, self.new_id)
        self.said += facts
        return facts

    def task(self, agency: str) -> Task:
        return self.case.task(self.task_id(agency))

    def ask(self, agency: str, person: str = "anna", question: str = "Why?") -> list[Fact]:
        inquiry = Inquiry(person, (question,), "to be sure")
        self.case, facts = request_information(
            self.case, self.task_id(agency), inquiry, self.procedure, self.now, self.new_id
        )
        self.said += facts
        return facts

    def answer(self, agency: str, *answers: str) -> list[Fact]:
        information = self.task(agency).information
        assert information is not None
        self.case, facts = provide_information(
            self.case, information.id, answers or ("Because.",), self.procedure, self.now
        )
        self.said += facts
        return facts

    def lapse(self) -> list[Fact]:
        self.case, facts = lapse(self.case, self.procedure, self.now)
        self.said += facts
        return facts


def kg(value: str) -> Quantity:
    return Quantity(Decimal(value), "KGM")


def submitted(document_id: str = "doc-1", type: str = "permit.licence", **facts: Any) -> intake.DocumentSubmitted:
    known = a_submission(document_id, type, **facts)
    return intake.DocumentSubmitted(
        document_id=document_id,
        reference=known.reference,
        type=type,
        pack_version=known.pack_version,
        version=1,
        state="REGISTERED",
        owner_organisation_id=known.owner_organisation_id,
        submitter_organisation_id=known.submitter_organisation_id,
        submitted_at=timestamp(MONDAY),
        facts_json=msgspec.json.encode(known.facts),
    )


def withdrawn(document_id: str = "doc-1") -> intake.DocumentWithdrawn:
    return intake.DocumentWithdrawn(
        document_id=document_id,
        reference=f"PX-{document_id}",
        type="permit.licence",
        owner_organisation_id="owner",
        submitter_organisation_id="submitter",
        withdrawn_at=timestamp(MONDAY),
    )


def provided(document_id: str, information_id: str, *answers: str) -> intake.InformationProvided:
    return intake.InformationProvided(
        document_id=document_id,
        information_request_id=information_id,
        answers=answers or ("Because.",),
        provided_at=timestamp(MONDAY),
    )


class Everybody:
    """Agents hold every mandate, until they are told otherwise."""

    def __init__(self) -> None:
        self.asked: list[actions.Mandate] = []
        self.revoked = False

    async def must_hold(self, mandate: actions.Mandate) -> None:
        self.asked.append(mandate)
        if self.revoked:
            raise Forbidden("MANDATE_REQUIRED")


EVERYBODY = Everybody()


async def seeded(database: Database, pack: Pack | None = None) -> Rulebooks:
    await actions.seed(database, pack or a_pack())
    return Rulebooks(database)


def an_event(message: Message) -> Event:
    key = str(getattr(message, "document_id", ""))
    return Event(ids.new_id(), "", key, message.DESCRIPTOR.full_name, clock.now(), message.SerializeToString(), "")


async def hear(database: Database, rulebooks: Rulebooks, *messages: Any) -> None:
    """As the consumer does, each in a transaction of its own."""
    handlers = events.handlers(rulebooks)
    for message in messages:
        async with database.transaction() as tx:
            await handlers[type(message)](tx, an_event(message), message)
