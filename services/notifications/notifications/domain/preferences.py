"""What a person does not want to hear, and when not: mandatory rules are heard all the same, quiet hours only defer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kit.errors import Invalid, Violation
from packs.model import NotificationRule, Pack

DIGESTS_A_DAY_MAX = 6
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
    # When letters that need not come at once come together, local to the pack's timezone, in order.
    digest_at: tuple[time, ...] = ()

    def mutes(self, rule: NotificationRule, channel: str) -> bool:
        return not rule.mandatory and (rule.id, channel) in self.muted

    def gathers(self, rule: NotificationRule) -> bool:
        return bool(self.digest_at) and not rule.mandatory

    def due(self, rule: NotificationRule, now: datetime, zone: ZoneInfo) -> datetime:
        """When the rule's letter goes, or the digest it goes in."""
        return self.earliest(self._next_digest(now, zone) if self.gathers(rule) else now, zone)

    def _next_digest(self, now: datetime, zone: ZoneInfo) -> datetime:
        today = now.astimezone(zone).date()
        days = (today, today + timedelta(days=1))
        moments = (datetime.combine(day, at, zone).astimezone(UTC) for day in days for at in self.digest_at)
        return min(moment for moment in moments if moment > now)

    def earliest(self, now: datetime, zone: ZoneInfo) -> datetime:
        return self.quiet.earliest(now, zone) if self.quiet else now


INDIFFERENT = Preferences()


def chosen(
    pack: Pack, muted: Sequence[tuple[str, str]], begins: str, ends: str, digest_at: Sequence[str] = ()
) -> Preferences:
    """Raises Invalid for a rule the pack has not, one that must be heard, digests the pack has no words for."""
    rules = {rule.id: rule for rule in pack.notification_rules}
    wrong = [
        Violation(f"/muted/{number}", code, f"{name} by {channel}")
        for number, (name, channel) in enumerate(muted)
        if (code := _fault(rules.get(name), channel))
    ]
    quiet = QuietHours(time.fromisoformat(begins), time.fromisoformat(ends)) if begins or ends else None
    if quiet and quiet.begins == quiet.ends:
        wrong.append(Violation("/quiet_hours", "NO_HOURS", "they end as they begin"))
    if digest_at and pack.digest is None:
        wrong.append(Violation("/digest_at", "NO_DIGESTS", "the pack has no digests"))
    if len(set(digest_at)) > DIGESTS_A_DAY_MAX:
        wrong.append(Violation("/digest_at", "MAX_ITEMS", f"at most {DIGESTS_A_DAY_MAX} digests a day"))
    if wrong:
        raise Invalid("INVALID_REQUEST", violations=wrong)
    return Preferences(frozenset(muted), quiet, tuple(sorted(time.fromisoformat(at) for at in set(digest_at))))


def _fault(rule: NotificationRule | None, channel: str) -> str:
    if rule is None or channel not in rule.channels:
        return "UNKNOWN_RULE"
    return "MANDATORY_RULE" if rule.mandatory else ""
