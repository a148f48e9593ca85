"""The packs' rules by event: which apply to what was said, and the deliveries that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from zoneinfo import ZoneInfo

from kit import ids
from kit.errors import Unavailable
from packs import expressions
from packs.model import NotificationRule, Pack

from notifications.domain import wording
from notifications.domain.deliveries import EMAIL, PENDING, SENT, Delivery, Recipient
from notifications.domain.facts import PERSON, Document, Said, Target, targets
from notifications.domain.preferences import INDIFFERENT, Preferences

Directory = Callable[[Target], Sequence[Recipient]]
Wishes = Callable[[str], Preferences]
# Title and body of a template in a language.
Words = Callable[[str, str], tuple[str, str]]


@dataclass(frozen=True)
class Rulebook:
    """Packs by version. A document's events are told by the pack it was born under."""

    packs: Mapping[str, Pack]

    @cached_property
    def types(self) -> frozenset[str]:
        return frozenset(rule.event for pack in self.packs.values() for rule in pack.notification_rules)

    def concerns(self, event_type: str) -> bool:
        """Raises Unavailable before any pack was loaded: no rules is not the same as no interest."""
        if not self.packs:
            raise Unavailable("PACK_NOT_LOADED", "no pack was loaded yet")
        return event_type in self.types

    def pack(self, document: Document | None, today: date) -> Pack:
        if document is not None:
            if document.pack_version not in self.packs:
                raise Unavailable("PACK_NOT_LOADED", f"pack version {document.pack_version} was not loaded yet")
            return self.packs[document.pack_version]
        return max(self.packs.values(), key=lambda pack: (pack.effective_from <= today, pack.effective_from))

    def matching(self, said: Said, document: Document | None, today: date) -> list[NotificationRule]:
        if not self.concerns(said.type):
            return []
        rules = [rule for rule in self.pack(document, today).notification_rules if rule.event == said.type]
        return [rule for rule in rules if not rule.when or expressions.compile(rule.when).holds(said.fields)]

    def targets(self, said: Said, document: Document | None, today: date) -> set[Target]:
        rules = self.matching(said, document, today)
        roles = {role for rule in rules for role in rule.recipients if role != PERSON}
        return {one for role in roles for one in targets(role, said, document)}

    def deliveries(
        self, said: Said, document: Document | None, directory: Directory, wishes: Wishes, now: datetime
    ) -> list[Delivery]:
        """None by a channel that the recipient muted for the rule; mail only when their quiet hours are over."""
        pack = self.pack(document, now.date())
        made = []

        @cache
        def words(template: str, language: str) -> tuple[str, str]:
            return wording.write(pack, template, language, said, document)

        for rule in self.matching(said, document, now.date()):
            for recipient in _recipients(rule, said, document, directory):
                is_known = bool(recipient.address) and PERSON not in rule.recipients
                wish = wishes(recipient.id) if is_known else INDIFFERENT
                made += [
                    _delivery(pack, rule, recipient, channel, said, document, now, wish, words)
                    for channel in rule.channels
                    if recipient.hears_by(channel) and not wish.mutes(rule, channel)
                ]
        return made


def _recipients(
    rule: NotificationRule, said: Said, document: Document | None, directory: Directory
) -> Sequence[Recipient]:
    """Everybody once, though owner and submitter may be the same."""
    meant = [one for role in rule.recipients if role != PERSON for one in targets(role, said, document)]
    found = {recipient.id: recipient for one in meant for recipient in directory(one)}
    named = [_person(said)] if PERSON in rule.recipients else []
    return [*found.values(), *named]


def _person(said: Said) -> Recipient:
    """Named by the event itself, with the address: somebody who may not be in any directory yet."""
    id, organisation_id, address, language = (
        str(said.fields[name]) for name in ("recipient_id", "organisation_id", "email", "language")
    )
    return Recipient(id, organisation_id, address, language)


def _delivery(
    pack: Pack,
    rule: NotificationRule,
    recipient: Recipient,
    channel: str,
    said: Said,
    document: Document | None,
    now: datetime,
    wish: Preferences,
    words: Words,
) -> Delivery:
    language = wording.language_for(pack, recipient.language)
    title, body = words(rule.template, language)
    return Delivery(
        id=ids.new_id(),
        event_id=said.event_id,
        rule=rule.id,
        recipient_id=recipient.id,
        organisation_id=recipient.organisation_id,
        channel=channel,
        language=language,
        address=recipient.address if channel == EMAIL else "",
        title=title,
        body=body,
        document_id=said.document_id,
        reference=document.reference if document else "",
        state=PENDING if channel == EMAIL else SENT,
        attempts=0,
        created_at=now,
        due_at=wish.due(rule, now, ZoneInfo(pack.timezone)),
        gathered=channel == EMAIL and wish.gathers(rule),
        traceparent=said.traceparent,
    )
