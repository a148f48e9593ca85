"""Small words for notifications' tests: a pack in three languages, a directory, events, a bus that says these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from google.protobuf.message import Message
from kit import ids, wire
from kit.consumer import Consumer
from kit.database import Database
from kit.events import Event
from notifications import actions, events
from notifications.domain.deliveries import Recipient
from notifications.domain.facts import Target
from notifications.store.directory import Directory
from packs.model import (
    Agency,
    Calendar,
    Code,
    CodeList,
    CompanyNumber,
    DocumentType,
    Identity,
    NotificationRule,
    Pack,
    Reason,
    Routing,
    State,
    Template,
)
from portolan.billing.v1 import events_pb2 as billing
from portolan.intake.v1 import events_pb2 as intake
from portolan.routing.v1 import events_pb2 as routing
from portolan.type.v1 import type_pb2
from psycopg.rows import tuple_row

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
TYPE = "permit.a"


def said_in_three(fr: str, ar: str, en: str) -> dict[str, str]:
    return {"fr": fr, "ar": ar, "en": en}


def a_rule(
    name: str,
    event: type[Message],
    template: str,
    *recipients: str,
    channels: Sequence[str] = ("in_app", "email"),
    **more: Any,
) -> NotificationRule:
    return NotificationRule(
        id=name,
        event=event.DESCRIPTOR.full_name,
        recipients=recipients,  # type: ignore[arg-type]
        channels=tuple(channels),
        template=template,
        **more,
    )


RULES = (
    a_rule("R1", intake.DocumentSubmitted, "received", "owner", "submitter"),
    a_rule("R2", billing.ChargeRecorded, "charged", "owner"),
    a_rule("R3", routing.TaskOpened, "asked", "agency"),
    a_rule("R4", routing.TaskDecided, "refused", "owner", channels=["in_app"], when="outcome == 'refuse'"),
    a_rule("R5", intake.TitleImputed, "imputed", "owner", channels=["in_app"]),
)

TEMPLATES = {
    "received": ("{{ reference }}: {{ document_type_label }}", "{{ state_label }}"),
    "charged": ("{{ reference }}: {{ amount }}", "{{ amount }} / {{ document_type_label }}"),
    "asked": ("{{ agency_label }}", "{{ reference }} {{ due_at }}"),
    "refused": ("{{ reference }}", "{{ agency_label }}: {{ reason_label }}"),
    "imputed": ("{{ quantity }}", "{{ declaration }} {{ remaining }}"),
    "stopped": ("{{ url }}", "{{ url }}"),
    "digest": ("{{ count }} notices", "{{ items }}"),
}


def a_pack(*rules: NotificationRule, version: str = "1", templates: Mapping[str, tuple[str, str]] = TEMPLATES) -> Pack:
    return Pack(
        identity=Identity(
            name="nowhere",
            version=version,
            effective_from=date(2026, 1, 1),
            languages=("fr", "ar", "en"),
            default_language="fr",
            currency="XTS",
            country="TN",
            timezone="Africa/Lagos",
            company_number=CompanyNumber(scheme="", pattern="", label=""),
        ),
        calendar=Calendar(timezone="Africa/Lagos", working_week={}),
        routing=Routing(version="1", effective_from=date(2026, 1, 1), rules=()),
        agencies={"AG": Agency(code="AG", kind="agency", labels=said_in_three("Agence", "وكالة", "Agency"))},
        reasons={"R": Reason(code="R", labels=said_in_three("Motif", "سبب", "Reason"), outcomes=("refuse",))},
        lists={"units": CodeList(list="units", codes=(Code(code="KGM", labels=said_in_three("kg", "كغ", "kg")),))},
        document_types={
            TYPE: DocumentType(
                key=TYPE,
                prefix="A",
                direction="any",
                labels=said_in_three("Permis", "رخصة", "Permit"),
                initial_state="REGISTERED",
                states=(State(key="REGISTERED", labels=said_in_three("Enregistré", "مسجل", "Registered")),),
            )
        },
        notification_rules=rules or RULES,
        digest="digest" if "digest" in templates else None,
        templates={
            name: Template(
                subject=dict.fromkeys(("fr", "ar", "en"), subject), body=dict.fromkeys(("fr", "ar", "en"), body)
            )
            for name, (subject, body) in templates.items()
        },
    )


def an_organisation(name: str, language: str, *users: str) -> list[Recipient]:
    """`users` are languages: one person each."""
    people = [Recipient(f"{name}-{user}", name, f"{user}@{name}.example", user) for user in users]
    return [Recipient(name, name, "", language), *people]


PEOPLE: Mapping[Target, Sequence[Recipient]] = {
    Target(organisation_id="importer"): an_organisation("importer", "ar", "ar", "en"),
    Target(organisation_id="broker"): an_organisation("broker", "fr", "fr"),
    Target(agency="AG", role="org_admin"): [Recipient("agency-head", "agency-org", "h@agency.example", "fr", True)],
    Target(role="operator_admin"): [Recipient("window-head", "window", "h@window.example", "en", True)],
    Target(agency="AG"): an_organisation("agency-org", "en", "en"),
}


class CountedQuestions:
    def __init__(self, people: Mapping[Target, Sequence[Recipient]] = PEOPLE) -> None:
        self.asked: list[Target] = []
        self._people = people

    async def ask(self, target: Target) -> Sequence[Recipient]:
        self.asked.append(target)
        return self._people.get(target, [])


def submitted(document_id: str = "doc-1", owner: str = "importer", pack_version: str = "1") -> intake.DocumentSubmitted:
    return intake.DocumentSubmitted(
        document_id=document_id,
        reference=f"A-{document_id}",
        type=TYPE,
        pack_version=pack_version,
        state="REGISTERED",
        owner_organisation_id=owner,
        submitter_organisation_id="broker",
        submitted_at=wire.timestamp(NOW),
        facts_json=b'{"amount_minor": 1}',
    )


def credited(document_id: str = "doc-1") -> billing.CreditNoted:
    return billing.CreditNoted(
        credit_id="credit-1",
        charge_id="charge-1",
        policy="RB",
        event="withdraw",
        document_id=document_id,
        reference=f"A-{document_id}",
        payer_organisation_id="importer",
        amount=type_pb2.Money(amount_minor=1500, currency="XTS"),
        recorded_at=wire.timestamp(NOW),
        occurred_at=wire.timestamp(NOW),
        payer_sequence=2,
    )


def charged(document_id: str = "doc-1") -> billing.ChargeRecorded:
    return billing.ChargeRecorded(
        charge_id="charge",
        document_id=document_id,
        reference=f"A-{document_id}",
        payer_organisation_id="importer",
        amount=type_pb2.Money(amount_minor=123456, currency="EUR"),
    )


def task_opened(document_id: str = "doc-1") -> routing.TaskOpened:
    return routing.TaskOpened(
        document_id=document_id,
        reference=f"A-{document_id}",
        document_type=TYPE,
        agency="AG",
        due_at=wire.timestamp(NOW),
    )


def deadline_missed(*notify: str) -> routing.DeadlineMissed:
    return routing.DeadlineMissed(
        document_id="doc-1",
        reference="A-doc-1",
        agency="AG",
        rung="late",
        notify=notify,
        labels=said_in_three("En retard", "متأخر", "Late"),
        due_at=wire.timestamp(NOW),
    )


def refused(outcome: str = "refuse") -> routing.TaskDecided:
    return routing.TaskDecided(
        document_id="doc-1", reference="A-doc-1", document_type=TYPE, agency="AG", outcome=outcome, reason_code="R"
    )


def imputed() -> intake.TitleImputed:
    return intake.TitleImputed(
        document_id="doc-1",
        reference="A-doc-1",
        type=TYPE,
        owner_organisation_id="importer",
        declaration_number="309",
        declaration_line="2",
        quantity=type_pb2.Quantity(value="1250.500", unit="KGM"),
        remaining=type_pb2.Quantity(value="0", unit="XXX"),
    )


def an_event(message: Message, event_id: str = "") -> Event:
    kind = message.DESCRIPTOR.full_name
    return Event(event_id or ids.new_id(), "topic", "key", kind, NOW, message.SerializeToString(), "")


class SaysOnce:
    """A subscription that gives these events, then nothing."""

    def __init__(self, given: Sequence[Event]) -> None:
        self._given = list(given)

    async def poll(self, events_max: int, wait_s: float) -> Sequence[Event]:
        return self._given

    async def commit(self, events: Sequence[Event]) -> None:
        self._given = []

    async def close(self) -> None: ...


async def hear(db: Database, *said: Message | Event, directory: Directory | None = None) -> None:
    """What the consumer of notifications does with one batch, in a process just started."""
    batch = [one if isinstance(one, Event) else an_event(one) for one in said]
    teller = actions.Teller(db, actions.RuleDesk(), directory or Directory(CountedQuestions().ask))
    await Consumer(db, SaysOnce(batch), "notifications", events.handlers(teller), events.prepare(teller)).step(0)


async def rows(db: Database, query: str) -> list[tuple[Any, ...]]:
    async with db.connection() as connection:
        return await (await connection.cursor(row_factory=tuple_row).execute(query)).fetchall()
