"""What a document's approvals depend on, and the operator's file that meets it."""

from __future__ import annotations

from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, passed_on
from gateway.operation import Operation
from gateway.shapes.conditions import Condition, Conditions, Evidence


async def list_conditions(call: Call, document_id: str) -> Response:
    reply = await call.ask(call.up.intake.ListConditions, intake_pb2.ListConditionsRequest(id=document_id))
    return passed_on(b'{"items":[' + b",".join(reply.condition_jsons) + b"]}")


async def satisfy_condition(call: Call, document_id: str, condition_id: str, body: Evidence) -> Response:
    request = intake_pb2.SatisfyConditionRequest(
        id=document_id, condition_id=condition_id, attachment=body.attachment, remarks=body.remarks
    )
    reply = await call.ask(call.up.intake.SatisfyCondition, request)
    return passed_on(reply.condition_json)


_ALL = "/v1/documents/{document_id}/conditions"

OPERATIONS = (
    Operation(
        *("GET", _ALL, list_conditions, "What the approvals of a document depend on"),
        answer=Conditions,
        tag="documents",
    ),
    Operation(
        *("POST", f"{_ALL}/{{condition_id}}:satisfy", satisfy_condition),
        "Meet a condition with a file; the same file again is the same answer",
        answer=Condition,
        tag="documents",
    ),
)
