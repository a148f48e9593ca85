"""Appointments to look at goods together, and who did not come."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from portolan.routing.v1 import routing_pb2

from gateway.shapes.common import Moment, MomentIn, Paged, certain_moment, moment

# As routing judges them; here they only say so in the contract.
PLACE_CHARACTERS_MAX = 200
REASON_CHARACTERS_MAX = 1_000
FINDINGS_CHARACTERS_MAX = 4_000

PartyName = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern="^[A-Za-z0-9_.:-]*$")]


class VisitParty(msgspec.Struct):
    """`party` is an agency's code, or `operator`: the owner, or who filed for it."""

    party: str
    confirmed_at: Moment | None
    recorded_at: Moment | None
    findings: str | None
    missed: bool


class Visit(msgspec.Struct, kw_only=True, rename={"starts_at": "from", "ends_at": "to"}):
    id: str
    document_id: str
    reference: str
    number: int
    state: Literal["PROPOSED", "CONFIRMED", "DECLINED", "MISSED", "DONE", "CANCELLED"]
    place: str
    starts_at: Moment
    ends_at: Moment
    proposed_by: str
    proposed_at: Moment
    parties: list[VisitParty]
    ended_by: str | None
    reason: str | None
    closed_at: Moment | None
    # By an agency, for all: no other could be agreed on.
    fixed: bool


class Visits(msgspec.Struct):
    """All that were ever proposed for a document, by number; there are only so many."""

    items: list[Visit]


class VisitProposal(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename={"starts_at": "from", "ends_at": "to"}
):
    """Still to come, in working hours, no longer than the pack allows."""

    starts_at: MomentIn
    ends_at: MomentIn
    place: Annotated[str, msgspec.Meta(min_length=1, max_length=PLACE_CHARACTERS_MAX)]


class Declining(msgspec.Struct, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARACTERS_MAX)]


class Absence(msgspec.Struct, forbid_unknown_fields=True):
    """Another party than the caller's own."""

    party: PartyName


class Findings(msgspec.Struct, forbid_unknown_fields=True):
    findings: Annotated[str, msgspec.Meta(min_length=1, max_length=FINDINGS_CHARACTERS_MAX)]


class NoShow(msgspec.Struct, kw_only=True, rename={"starts_at": "from", "ends_at": "to"}):
    id: str
    visit_id: str
    document_id: str
    reference: str
    party: str
    told_by: str
    told_at: Moment
    place: str
    starts_at: Moment
    ends_at: Moment


class NoShowFilter(Paged, kw_only=True):
    pass


def visit(given: routing_pb2.Visit) -> Visit:
    return Visit(
        id=given.id,
        document_id=given.document_id,
        reference=given.reference,
        number=given.number,
        state=given.state,  # type: ignore[arg-type]
        place=given.place,
        starts_at=certain_moment(given.starts_at),
        ends_at=certain_moment(given.ends_at),
        proposed_by=given.proposed_by,
        proposed_at=certain_moment(given.proposed_at),
        parties=[_party(one) for one in given.parties],
        ended_by=given.ended_by or None,
        reason=given.reason or None,
        closed_at=moment(given.closed_at),
        fixed=given.is_fixed,
    )


def no_show(given: routing_pb2.NoShow) -> NoShow:
    return NoShow(
        id=given.id,
        visit_id=given.visit_id,
        document_id=given.document_id,
        reference=given.reference,
        party=given.party,
        told_by=given.told_by,
        told_at=certain_moment(given.told_at),
        place=given.place,
        starts_at=certain_moment(given.starts_at),
        ends_at=certain_moment(given.ends_at),
    )


def _party(given: routing_pb2.VisitParty) -> VisitParty:
    return VisitParty(
        party=given.party,
        confirmed_at=moment(given.confirmed_at),
        recorded_at=moment(given.recorded_at),
        findings=given.findings or None,
        missed=given.missed,
    )
