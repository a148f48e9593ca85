"""What a person does not want to hear, and when not: mandatory rules are heard all the same, quiet hours only defer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kit.errors import Invalid, Violation
from packs.model import NotificationRule, Pack

Muted = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class QuietHours:
    """From `begins` until `ends`, over midnight when it ends earlier than it begins."""

    begins: time
    ends: time

    def covers(self, local: time) -> bool:
        if self.begins < self.ends:
            return self.begins <= local < self.ends
        return local >= self.begins or local < self.ends

    def earliest(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Now, or the moment the quiet ends."""
        local = now.astimezone(zone)
        if not self.covers(local.time()):
            return now
        day = local.date() if local.time() < self.ends else local.date() + timedelta(days=1)
        return datetime.combine(day, self.ends, zone).astimezone(UTC)


@dataclass(frozen=True)
class Preferences:
    muted: Muted = frozenset()
    quiet: QuietHours | None = None

    def mutes(self, rule: NotificationRule, channel: str) -> bool:
        return not rule.mandatory and (rule.id, channel) in self.muted

    def earliest(self, now: datetime, zone: ZoneInfo) -> datetime:
        return self.quiet.earliest(now, zone) if self.quiet else now


INDIFFERENT = Preferences()


def chosen(pack: Pack, muted: Sequence[tuple[str, str]], begins: str, ends: str) -> Preferences:
    """Raises Invalid for a rule the pack has not, or one that must be heard."""
    rules = {rule.id: rule for rule in pack.notification_rules}
    wrong = [
        Violation(f"/muted/{number}", code, f"{name} by {channel}")
        for number, (name, channel) in enumerate(muted)
        if (code := _fault(rules.get(name), channel))
    ]
    quiet = QuietHours(time.fromisoformat(begins), time.fromisoformat(ends)) if begins or ends else None
    if quiet and quiet.begins == quiet.ends:
        wrong.append(Violation("/quiet_hours", "NO_HOURS", "they end as they begin"))
    if wrong:
        raise Invalid("INVALID_REQUEST", violations=wrong)
    return Preferences(frozenset(muted), quiet)


def _fault(rule: NotificationRule | None, channel: str) -> str:
    if rule is None or channel not in rule.channels:
        return "UNKNOWN_RULE"
    return "MANDATORY_RULE" if rule.mandatory else ""
