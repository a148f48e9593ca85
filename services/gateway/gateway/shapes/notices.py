"""The in-app feed, and what a person prefers not to be told."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from portolan.notifications.v1 import notifications_pb2

from gateway.shapes.common import Code, Key, Moment, Paged, certain_moment, moment

ClockTime = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)]


class Notification(msgspec.Struct, kw_only=True):
    id: str
    rule: str
    channel: str
    language: str
    title: str
    body: str
    document_id: str | None
    reference: str | None
    created_at: Moment
    read_at: Moment | None
    state: Literal["PENDING", "SENT", "FAILED"]


class NotificationFilter(Paged, kw_only=True):
    document_id: Code = ""


def notification(given: notifications_pb2.Notification) -> Notification:
    return Notification(
        id=given.id,
        rule=given.rule,
        channel=given.channel,
        language=given.language,
        title=given.title,
        body=given.body,
        document_id=given.document_id or None,
        reference=given.reference or None,
        created_at=certain_moment(given.created_at),
        read_at=moment(given.read_at),
        state=given.state,  # type: ignore[arg-type]
    )


class QuietHours(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Local time in `timezone`; over midnight when they end earlier than they begin. Mail waits until they end."""

    begins: ClockTime
    ends: ClockTime


class RuleChannel(msgspec.Struct, kw_only=True):
    channel: str
    muted: bool


class PreferenceRule(msgspec.Struct, kw_only=True):
    """What is `mandatory` cannot be muted: it has legal effect, or costs money."""

    rule: str
    event: str
    template: str
    mandatory: bool
    channels: list[RuleChannel]


class Preferences(msgspec.Struct, kw_only=True):
    rules: list[PreferenceRule]
    quiet_hours: QuietHours | None
    digest_at: list[ClockTime]
    timezone: str


class MutedRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    rule: Key
    channel: Literal["email", "in_app"]


class NewPreferences(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All of them at once: what is not here is heard."""

    muted: Annotated[list[MutedRule], msgspec.Meta(max_length=200)]
    quiet_hours: QuietHours | None = None
    # Letters of rules that are not mandatory come together at these times; none: each at once.
    digest_at: Annotated[list[ClockTime], msgspec.Meta(max_length=6)] = []


def preferences(given: notifications_pb2.NotificationPreferences) -> Preferences:
    quiet = QuietHours(begins=given.quiet_begins, ends=given.quiet_ends) if given.quiet_begins else None
    return Preferences(
        rules=[_rule(one) for one in given.rules],
        quiet_hours=quiet,
        digest_at=list(given.digest_at),
        timezone=given.timezone,
    )


def _rule(given: notifications_pb2.PreferenceRule) -> PreferenceRule:
    return PreferenceRule(
        rule=given.rule,
        event=given.event,
        template=given.template,
        mandatory=given.mandatory,
        channels=[RuleChannel(channel=one.channel, muted=one.muted) for one in given.channels],
    )
