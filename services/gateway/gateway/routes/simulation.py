"""What would happen to a document: intake judges it, routing plans its way, billing names its price."""

from __future__ import annotations

import asyncio

from portolan.billing.v1 import billing_pb2
from portolan.intake.v1 import intake_pb2
from portolan.routing.v1 import routing_pb2
from starlette.responses import Response

from gateway import hot
from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.billing import quoted
from gateway.shapes.common import ProblemViolation, moment
from gateway.shapes.documents import Readiness, Requirement, Route, Simulation


async def simulate_document(call: Call, raw: bytes) -> Response:
    judged = await call.ask(call.up.intake.SimulateDocument, intake_pb2.SimulateDocumentRequest(request_json=raw))
    plan, charges = routing_pb2.PlanRoutesResponse(), billing_pb2.QuoteChargesResponse()
    if judged.facts_json:
        plan, charges = await asyncio.gather(_plan(call, judged), _quote(call, judged))
    return answered(_simulation(judged, plan, charges, call.language))


async def _plan(call: Call, judged: intake_pb2.SimulateDocumentResponse) -> routing_pb2.PlanRoutesResponse:
    request = routing_pb2.PlanRoutesRequest(
        document_type=judged.type,
        facts_json=judged.facts_json,
        pack_version=judged.pack_version,
        rule_table=judged.rule_table,
    )
    return await call.ask(call.up.routing.PlanRoutes, request)


async def _quote(call: Call, judged: intake_pb2.SimulateDocumentResponse) -> billing_pb2.QuoteChargesResponse:
    owner = judged.owner_organisation_id
    request = billing_pb2.QuoteChargesRequest(document_type=judged.type, owner_organisation_id=owner)
    return await call.ask(call.up.billing.QuoteCharges, request)


def _simulation(
    judged: intake_pb2.SimulateDocumentResponse,
    plan: routing_pb2.PlanRoutesResponse,
    quote: billing_pb2.QuoteChargesResponse,
    language: str,
) -> Simulation:
    return Simulation(
        valid=judged.valid,
        errors=[ProblemViolation(wrong.pointer, wrong.code, wrong.message) for wrong in judged.errors],
        routes=[Route(one.agency, one.document, one.mode, one.sla_seconds, one.rule) for one in plan.routes],
        charges=[quoted(charge, language) for charge in quote.charges],
        due_at=moment(plan.due_at),
        channel_hint=plan.channel_hint or None,
        pack_version=judged.pack_version or None,
        readiness=_readiness(judged) if judged.readiness else None,
    )


def _readiness(judged: intake_pb2.SimulateDocumentResponse) -> Readiness:
    whole = sum(one.weight for one in judged.readiness)
    met = sum(one.weight for one in judged.readiness if one.met)
    requirements = [
        Requirement(
            id=one.id,
            pointer=one.pointer,
            weight=one.weight,
            met=one.met,
            label=one.label,
            missing=one.missing or None,
        )
        for one in judged.readiness
    ]
    return Readiness(score=100 * met // whole, requirements=requirements)


OPERATIONS = (
    Operation(
        *(
            "POST",
            "/v1/documents:simulate",
            simulate_document,
            "Judge a document by the rules it would meet; store nothing",
        ),
        answer=Simulation,
        tag="documents",
        raw_schema="Submission",
        bytes_max=hot.DOCUMENT_BYTES_MAX,
    ),
)
