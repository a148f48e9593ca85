"""What goods need: asked by anybody, answered by the rules that a submission of today meets."""

from __future__ import annotations

import asyncio

import msgspec
from portolan.intake.v1 import intake_pb2
from portolan.routing.v1 import routing_pb2
from starlette.responses import Response

from gateway import rates
from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.routes.document_types import price_of
from gateway.shapes.common import label
from gateway.shapes.procedures import Procedure, ProcedureDocument, ProcedureQuestion, document

# What planning and pricing one type costs, in cheap readings.
READS_A_DOCUMENT = 10


async def simulate_procedure(call: Call, body: ProcedureQuestion) -> Response:
    request = intake_pb2.AskProcedureRequest(question_json=msgspec.json.encode(body))
    asked = await call.ask_openly(call.up.intake.AskProcedure, request)
    # Each type that may carry these goods is planned and priced: that costs, whoever asks.
    await call.wiring.rates.take(rates.OPEN_READS, call.who, READS_A_DOCUMENT * len(asked.documents))
    documents = await asyncio.gather(*(_document(call, asked, one) for one in asked.documents))
    return answered(Procedure(documents, asked.pack_version, asked.rule_table or None))


async def _document(
    call: Call, asked: intake_pb2.AskProcedureResponse, one: intake_pb2.AskedDocument
) -> ProcedureDocument:
    request = routing_pb2.PlanRoutesRequest(
        document_type=one.type,
        facts_json=one.facts_json,
        pack_version=asked.pack_version,
        rule_table=asked.rule_table,
    )
    plan, price = await asyncio.gather(
        call.ask_openly(call.up.routing.PlanRoutes, request), price_of(call, one.type, "")
    )
    return document(one.type, label(one.labels, call.language), plan, price, call.language)


OPERATIONS = (
    Operation(
        *("POST", "/v1/procedures:simulate", simulate_procedure, "What goods of a code and country need"),
        answer=Procedure,
        tag="reference",
        rate_class=rates.OPEN_READS,
    ),
)
