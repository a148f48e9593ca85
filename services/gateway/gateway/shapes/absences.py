"""Who is away from an agency, and who acts there meanwhile."""

from __future__ import annotations

import msgspec
from portolan.routing.v1 import routing_pb2

from gateway.shapes.common import Key, Moment, MomentIn, Word, certain_moment, moment


class StandIn(msgspec.Struct, rename={"from_": "from"}, kw_only=True):
    """While it lasts `delegate` acts in the place of `person`, with the own roles; `ended_at` where it ended early."""

    id: str
    agency: str
    person: str
    delegate: str
    from_: Moment
    to: Moment
    created_by: str
    created_at: Moment
    ended_at: Moment | None


class NewStandIn(msgspec.Struct, rename={"from_": "from"}, forbid_unknown_fields=True, kw_only=True):
    """`person`: the caller when it is left out; another's takes the agency's administrator."""

    person: Word = ""
    delegate: Key
    from_: MomentIn
    to: MomentIn


def absence(given: routing_pb2.Absence) -> StandIn:
    return StandIn(
        id=given.id,
        agency=given.agency,
        person=given.person,
        delegate=given.delegate,
        from_=certain_moment(given.starts_at),
        to=certain_moment(given.ends_at),
        created_by=given.created_by,
        created_at=certain_moment(given.created_at),
        ended_at=moment(given.ended_at),
    )
