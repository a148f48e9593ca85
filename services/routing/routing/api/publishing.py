"""Rule tables over the wire: what is asked, read strictly; what is answered, as JSON."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from kit import pages, strict_json
from kit.auth import Principal
from kit.errors import Invalid, Malformed, Violation
from kit.wire import moment, rfc3339, rfc3339_or_none
from packs.tables import Patch, as_written
from portolan.routing.v1 import routing_pb2 as pb

from routing.actions.publishing import REPLAY_CASES_MAX, Proposal, Span
from routing.domain import RuleTable

RULE_DEPTH_MAX = 16
LAST_ID = "~"


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    based_on: str | None = None
    rules: tuple[dict[str, Any], ...] | None = None
    patch: Patch | None = None
    effective_from: datetime | None = None
    note: str = ""


def proposal(request: pb.ProposeRulesRequest, who: Principal) -> Proposal:
    value = strict_json.loads(request.proposal_json, depth_max=RULE_DEPTH_MAX)
    try:
        asked = msgspec.convert(value, _Asked)
    except msgspec.ValidationError as error:
        raise Malformed("MALFORMED", str(error)) from error
    if (asked.rules is None) == (asked.patch is None):
        wrong = Violation("/rules", "REQUIRED", "either the whole table, or a patch of it")
        raise Invalid("INVALID_DOCUMENT", violations=[wrong])
    return Proposal(
        person=who.person,
        request_id=request.request_id,
        fingerprint=hashlib.sha256(request.proposal_json).hexdigest(),
        based_on=asked.based_on,
        rules=asked.rules,
        patch=asked.patch or Patch(),
        effective_from=asked.effective_from,
        note=asked.note,
    )


def roll_back(request: pb.RollBackRulesRequest, who: Principal) -> Proposal:
    fingerprint = hashlib.sha256(f"{request.id}/{request.note}".encode()).hexdigest()
    return Proposal(who.person, request.request_id, fingerprint, None, None, Patch(), None, request.note)


def span(request: pb.ReplayRulesRequest) -> Span:
    since, until = moment(request.since), moment(request.until)
    if since >= until:
        raise Invalid("INVALID_DOCUMENT", violations=[Violation("/to", "OUT_OF_RANGE", "later than from")])
    return Span(since, until, min(request.limit, REPLAY_CASES_MAX) or REPLAY_CASES_MAX)


def table(given: RuleTable, *, with_rules: bool = True) -> bytes:
    told = {
        "id": given.id,
        "pack_version": given.pack_version,
        "based_on": given.based_on or None,
        "state": given.state,
        "effective_from": rfc3339_or_none(given.effective_from),
        "in_force_from": rfc3339_or_none(given.in_force_from),
        "note": given.note,
        "proposed_by": given.proposed_by,
        "proposed_at": rfc3339(given.proposed_at),
        "published_by": given.published_by or None,
        "published_at": rfc3339_or_none(given.published_at),
        "withdrawn_by": given.withdrawn_by or None,
        "changes": given.changes,
        "warnings": list(given.warnings),
        "replay": given.replay,
        "rules": [as_written(rule) for rule in given.rules] if with_rules else None,
    }
    return msgspec.json.encode(told)


def after_position(request: pb.ListReplayedDocumentsRequest) -> int:
    place = pages.decode(request.cursor, {"table": request.id}, list[int])
    return place[0] if place else -1


def position_cursor(request: pb.ListReplayedDocumentsRequest, position: int) -> str:
    return pages.encode({"table": request.id}, [position])


def before_id(request: pb.ListRuleTablesRequest) -> str:
    place = pages.decode(request.cursor, {"list": "rule_tables"}, list[str])
    return place[0] if place else LAST_ID


def id_cursor(last: RuleTable) -> str:
    return pages.encode({"list": "rule_tables"}, [last.id])
