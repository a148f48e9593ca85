"""Rules and words come with the pack; what could not be written later is refused now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import jinja2
import msgspec
from google.protobuf.message import Message
from kit import pack_versions
from kit.database import Database
from kit.errors import Invalid, Violation
from packs import expressions, serial
from packs.errors import ExpressionError
from packs.model import NotificationRule, Pack, Risk, Routing
from portolan.billing.v1 import events_pb2 as billing
from portolan.identity.v1 import events_pb2 as identity
from portolan.intake.v1 import events_pb2 as intake
from portolan.notifications.v1 import events_pb2 as own
from portolan.routing.v1 import events_pb2 as routing

from notifications.actions.fields import fields
from notifications.domain import wording
from notifications.domain.facts import PERSON, Document, Said
from notifications.domain.rulebook import Rulebook
from notifications.store import packs as store

HEARD: Mapping[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        *(identity.OrganisationActivated, identity.MandateGranted, identity.MandateRevoked, identity.ClientRevoked),
        *(intake.DocumentSubmitted, intake.DocumentAmended, intake.DocumentWithdrawn, intake.DocumentDecided),
        *(intake.AmendmentProposed, intake.DocumentCancelled, intake.TitleImputed, intake.TitleReleased),
        *(routing.CaseOpened, routing.TaskOpened, routing.TaskSigned, routing.TaskDecided, routing.CaseClosed),
        *(routing.DeadlineNear, routing.DeadlineMissed, routing.InformationRequested, routing.InformationLapsed),
        *(intake.InformationProvided, intake.TitlePaid, intake.TitlePaymentCancelled),
        *(routing.VisitProposed, routing.VisitConfirmed, routing.VisitDeclined, routing.VisitMissed),
        routing.ControlResult,
        *(billing.ChargeRecorded, billing.CreditNoted, own.WebhookEndpointDisabled),
        *(identity.PersonInvited, identity.ClientAwaitsConfirmation),
    )
}
CHANNELS = frozenset({"in_app", "email"})


async def load_pack(db: Database, pack: Pack) -> None:
    """Again is nothing; the same pack version with other content is refused, as are rules nobody could follow."""
    refuse_unusable(pack)
    text = serial.dumps(_our_part(pack)).decode()
    async with db.transaction() as tx:
        await pack_versions.keep(tx, pack.name, pack.version, pack.effective_from, text)


def _our_part(pack: Pack) -> Pack:
    kinds = {
        key: msgspec.structs.replace(kind, transitions=(), facts={}, checks=(), steps=(), schema={})
        for key, kind in pack.document_types.items()
    }
    return msgspec.structs.replace(
        pack,
        document_types=kinds,
        lists={key: codes for key, codes in pack.lists.items() if key == "units"},
        routing=Routing(version=pack.routing.version, effective_from=pack.routing.effective_from, rules=()),
        risk=Risk(),
        tariff=(),
        refunds=(),
        rates=(),
    )


def refuse_unusable(pack: Pack) -> None:
    """Raises Invalid, naming each rule that no event could follow or no language could say."""
    wrong = [violation for rule in pack.notification_rules for violation in _faults(pack, rule)]
    wrong += _digest_faults(pack)
    if wrong:
        raise Invalid("PACK_UNUSABLE", "; ".join(violation.message for violation in wrong), violations=wrong)


def _faults(pack: Pack, rule: NotificationRule) -> Iterable[Violation]:
    kind = HEARD.get(rule.event)
    if kind is None:
        return [_fault(rule, f"nobody says {rule.event}")]
    if rule.template not in pack.templates:
        return [_fault(rule, f"there is no template {rule.template}")]
    if not CHANNELS.issuperset(rule.channels):
        return [_fault(rule, f"no such channel among {list(rule.channels)}")]
    if PERSON in rule.recipients and "recipient_id" not in kind.DESCRIPTOR.fields_by_name:
        return [_fault(rule, f"{rule.event} names no person")]
    return _unwritable(pack, rule, Said("", rule.event, fields(kind())))


def _digest_faults(pack: Pack) -> list[Violation]:
    if pack.digest is None:
        return []
    try:
        for language in pack.languages:
            wording.digest(pack, language, [""])
    except (KeyError, jinja2.TemplateError) as error:
        return [Violation("/notifications/digest", "PACK_UNUSABLE", f"digest: {error}")]
    return []


def _unwritable(pack: Pack, rule: NotificationRule, said: Said) -> Iterable[Violation]:
    try:
        if rule.when:
            expressions.compile(rule.when).holds(said.fields)
        for language in pack.languages:
            wording.write(pack, rule.template, language, said, Document("", "", "", "", "", ""))
    except (ExpressionError, jinja2.TemplateError) as error:
        yield _fault(rule, str(error))


def _fault(rule: NotificationRule, message: str) -> Violation:
    return Violation(f"/notifications/rules/{rule.id}", "PACK_UNUSABLE", f"{rule.id}: {message}")


@dataclass
class RuleDesk:
    """The rules in force, read again whenever a pack was loaded since."""

    book: Rulebook = field(default_factory=lambda: Rulebook({}))
    packs_seen: int = 0

    async def refresh(self, db: Database) -> Rulebook:
        async with db.connection() as connection:
            packs = await pack_versions.number_kept(connection)
            if packs != self.packs_seen:
                self.book, self.packs_seen = Rulebook(await store.load(connection)), packs
        return self.book
