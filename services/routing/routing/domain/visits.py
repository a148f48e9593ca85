"""An appointment to look at goods together: its slot, who must be there, who confirmed, what each agency found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from kit.errors import NotFound

# The owner, or who filed for it; agencies go by their codes.
OPERATOR = "operator"
PLACE_CHARACTERS_MAX = 200
REASON_CHARACTERS_MAX = 1_000
FINDINGS_CHARACTERS_MAX = 4_000


class VisitState(StrEnum):
    PROPOSED = "PROPOSED"
    CONFIRMED = "CONFIRMED"
    DECLINED = "DECLINED"
    MISSED = "MISSED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


LIVE_VISITS = frozenset({VisitState.PROPOSED, VisitState.CONFIRMED})


@dataclass(frozen=True)
class Slot:
    starts_at: datetime
    ends_at: datetime
    place: str


@dataclass(frozen=True)
class Attendant:
    """Who speaks, and for which party."""

    person: str
    party: str
    # The absent colleagues whose delegate the person is, now.
    stands_for: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True)
class Party:
    name: str
    confirmed_by: str = ""
    confirmed_at: datetime | None = None
    findings: str = ""
    recorded_by: str = ""
    recorded_at: datetime | None = None

    @property
    def is_agency(self) -> bool:
        return self.name != OPERATOR


@dataclass(frozen=True)
class NoShow:
    """Who did not come, and who says so; never taken back."""

    id: str
    visit_id: str
    party: str
    told_by: Attendant
    told_at: datetime


@dataclass(frozen=True)
class Visit:
    id: str
    number: int
    step: str
    slot: Slot
    proposed_by: Attendant
    proposed_at: datetime
    parties: tuple[Party, ...]
    request_id: str = ""
    state: VisitState = VisitState.PROPOSED
    ended_by: str = ""
    reason: str = ""
    closed_at: datetime | None = None
    no_shows: tuple[NoShow, ...] = ()
    # By an agency, for all: nobody could be brought to agree.
    is_fixed: bool = False

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_VISITS

    @property
    def is_agreed(self) -> bool:
        return all(party.confirmed_at is not None for party in self.parties)

    @property
    def is_recorded(self) -> bool:
        return all(party.recorded_at is not None for party in self.parties if party.is_agency)

    @property
    def agencies(self) -> tuple[str, ...]:
        return tuple(party.name for party in self.parties if party.is_agency)

    def party(self, name: str) -> Party:
        found = next((party for party in self.parties if party.name == name), None)
        if found is None:
            raise NotFound("NOT_FOUND")
        return found

    def has_begun(self, now: datetime) -> bool:
        return self.slot.starts_at <= now

    def missed_by(self, name: str) -> bool:
        return any(no_show.party == name for no_show in self.no_shows)

    def confirmed(self, who: Attendant, now: datetime) -> Visit:
        visit = self._with(replace(self.party(who.party), confirmed_by=who.person, confirmed_at=now))
        return replace(visit, state=VisitState.CONFIRMED) if visit.is_agreed else visit

    def fixed(self, who: Attendant, now: datetime) -> Visit:
        """All parties are held to it."""
        parties = tuple(replace(party, confirmed_by=who.person, confirmed_at=now) for party in self.parties)
        return replace(self, parties=parties, state=VisitState.CONFIRMED, is_fixed=True)

    def declined(self, who: Attendant, reason: str, now: datetime) -> Visit:
        return replace(self, state=VisitState.DECLINED, ended_by=who.party, reason=reason, closed_at=now)

    def missed(self, no_show: NoShow) -> Visit:
        closed_at = self.closed_at or no_show.told_at
        told = (*self.no_shows, no_show)
        return replace(
            self, state=VisitState.MISSED, ended_by=no_show.told_by.party, closed_at=closed_at, no_shows=told
        )

    def recorded(self, who: Attendant, findings: str, now: datetime) -> Visit:
        party = replace(self.party(who.party), findings=findings, recorded_by=who.person, recorded_at=now)
        visit = self._with(party)
        return replace(visit, state=VisitState.DONE, closed_at=now) if visit.is_recorded else visit

    def cancelled(self, now: datetime) -> Visit:
        return replace(self, state=VisitState.CANCELLED, closed_at=now) if self.is_live else self

    def _with(self, party: Party) -> Visit:
        return replace(self, parties=tuple(party if old.name == party.name else old for old in self.parties))
