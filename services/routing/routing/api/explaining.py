"""A judgement as those may see it whom it concerns."""

from __future__ import annotations

import msgspec
from kit.wire import timestamp
from packs.tables import parts
from portolan.routing.v1 import routing_pb2 as pb

from routing.domain import Case, Judged, Rulebook


def explanation(case: Case, rulebook: Rulebook, *, is_whole: bool) -> pb.GetRoutingResponse:
    judged = case.judged()
    return pb.GetRoutingResponse(
        document_id=case.document.document_id,
        pack_version=parts(case.document.pack_version)[0],
        table_version=judged.table_version,
        rules=[_rule(rulebook, rule_id) for rule_id in judged.rules],
        channel=judged.channel,
        channel_rule=judged.channel_rule if is_whole else "",
        judged_at=timestamp(judged.at),
        weighed=_weighed(case, judged, rulebook) if is_whole else None,
    )


def _rule(rulebook: Rulebook, rule_id: str) -> pb.MatchedRule:
    (rule,) = rulebook.rules((rule_id,))
    return pb.MatchedRule(
        id=rule.id,
        labels=rule.labels,
        agency=rule.agency or "",
        document=rule.document or "",
        stage=rule.stage if rule.agency else "",
        mode=rule.mode,
        sla_seconds=rule.sla_seconds or 0,
    )


def _weighed(case: Case, judged: Judged, rulebook: Rulebook) -> pb.RiskWeighed:
    return pb.RiskWeighed(
        score=judged.explanation.get("score", case.risk_score),
        factors=[pb.RiskFactor(code=one.code, points=one.points, labels=one.explanation) for one in judged.factors],
        draws=[
            pb.RiskDraw(rule=one.rule, seed=one.seed, value=one.value, share=one.share, selected=one.selected)
            for one in judged.draws
        ],
        facts_json=msgspec.json.encode(judged.facts),
        history_json=msgspec.json.encode(judged.history),
        reproduced=judged.is_reproduced(rulebook.table),
    )
