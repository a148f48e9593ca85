"""Why a document came to its agencies, its documents and its channel."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from kit import strict_json
from portolan.routing.v1 import routing_pb2

from gateway.shapes.common import Moment, certain_moment, label

JsonObject = dict[str, Any]
Channel = Literal["green", "orange", "red"]


class MatchedRule(msgspec.Struct):
    """`agency` is null where the rule only weighs."""

    id: str
    label: str
    agency: str | None
    document: str | None
    stage: str | None
    mode: str
    sla_seconds: int | None


class RiskFactor(msgspec.Struct):
    code: str
    label: str
    points: int


class RiskDraw(msgspec.Struct):
    """A random selection: `value` is a hash of `seed`, selected where it is below `share`."""

    rule: str
    seed: str
    value: float
    share: str
    selected: bool


class RiskWeighed(msgspec.Struct):
    """`inputs`: the facts and the history it was judged by; `reproduced`: judged again, they come to the same."""

    score: int
    factors: list[RiskFactor]
    draws: list[RiskDraw]
    inputs: JsonObject
    reproduced: bool


class Routing(msgspec.Struct):
    """`weighed` is for officers; whose document it is sees the rules and the channel."""

    document_id: str
    pack_version: str
    table_version: str
    judged_at: Moment
    channel: Channel
    channel_rule: str | None
    rules: list[MatchedRule]
    weighed: RiskWeighed | None


def routing(given: routing_pb2.GetRoutingResponse, language: str) -> Routing:
    return Routing(
        document_id=given.document_id,
        pack_version=given.pack_version,
        table_version=given.table_version,
        judged_at=certain_moment(given.judged_at),
        channel=given.channel,  # type: ignore[arg-type]
        channel_rule=given.channel_rule or None,
        rules=[_rule(one, language) for one in given.rules],
        weighed=_weighed(given.weighed, language) if given.HasField("weighed") else None,
    )


def _rule(given: routing_pb2.MatchedRule, language: str) -> MatchedRule:
    return MatchedRule(
        id=given.id,
        label=label(given.labels, language),
        agency=given.agency or None,
        document=given.document or None,
        stage=given.stage or None,
        mode=given.mode,
        sla_seconds=given.sla_seconds or None,
    )


def _weighed(given: routing_pb2.RiskWeighed, language: str) -> RiskWeighed:
    inputs = {"facts": _object(given.facts_json), "history": _object(given.history_json)}
    return RiskWeighed(
        score=given.score,
        factors=[RiskFactor(one.code, label(one.labels, language), one.points) for one in given.factors],
        draws=[RiskDraw(one.rule, one.seed, one.value, one.share, one.selected) for one in given.draws],
        inputs=inputs,
        reproduced=given.reproduced,
    )


def _object(raw: bytes) -> JsonObject:
    found: JsonObject = strict_json.loads(raw, depth_max=128) if raw else {}
    return found
