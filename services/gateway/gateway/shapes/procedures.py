"""What goods need, for anybody who asks."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from portolan.routing.v1 import routing_pb2

from gateway.shapes.common import Code, Moment, Money, label, moment
from gateway.shapes.documents import Price

CHARACTERISTICS_MAX = 20
HsCode = Annotated[str, msgspec.Meta(pattern="^[0-9]{4,10}$")]
Country = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]
Characteristic = Annotated[str, msgspec.Meta(max_length=40, pattern="^[A-Z][A-Z0-9_]*$")]


class ProcedureQuestion(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`country`: of origin for an import, of destination for an export. What is left out is as in the example."""

    hs_code: HsCode
    country: Country
    direction: Literal["import", "export"]
    regime: Code | None = None
    value: Money | None = None
    characteristics: Annotated[list[Characteristic], msgspec.Meta(max_length=CHARACTERISTICS_MAX)] | None = None


class RefusingRule(msgspec.Struct):
    rule: str
    label: str


class ProcedureRoute(msgspec.Struct):
    """`rule` is a rule's id, or the type's own step."""

    agency: str
    agency_label: str
    document: str | None
    mode: str
    sla_seconds: int
    rule: str
    rule_label: str


class ProcedureDocument(msgspec.Struct):
    """`needed`: admitted, and a rule asks for this type; `refused_by`: why it is not admitted for these goods."""

    type: str
    label: str
    needed: bool
    admitted: bool
    refused_by: list[RefusingRule]
    routes: list[ProcedureRoute]
    price: Price | None
    due_at: Moment | None
    channel_hint: str


class Procedure(msgspec.Struct):
    """By the very rules a submission of today meets, for a company the window knows and holds nothing against."""

    documents: list[ProcedureDocument]
    pack_version: str
    rule_table: str | None


def route(given: routing_pb2.Route, language: str) -> ProcedureRoute:
    return ProcedureRoute(
        agency=given.agency,
        agency_label=label(given.agency_labels, language),
        document=given.document or None,
        mode=given.mode,
        sla_seconds=given.sla_seconds,
        rule=given.rule,
        rule_label=label(given.rule_labels, language),
    )


def document(
    type_key: str, name: str, plan: routing_pb2.PlanRoutesResponse, price: Price | None, language: str
) -> ProcedureDocument:
    refused_by = [RefusingRule(rule.id, label(rule.labels, language)) for rule in plan.refusing]
    return ProcedureDocument(
        type=type_key,
        label=name,
        needed=plan.is_asked_for and not refused_by,
        admitted=not refused_by,
        refused_by=refused_by,
        routes=[route(one, language) for one in plan.routes],
        price=price,
        due_at=moment(plan.due_at),
        channel_hint=plan.channel_hint,
    )
