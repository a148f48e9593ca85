"""An agency asks, the operator answers; meanwhile the agency's clock stands still."""

from __future__ import annotations

from portolan.intake.v1 import intake_pb2
from portolan.routing.v1 import routing_pb2
from starlette.responses import Response

from gateway import hot
from gateway.call import Call, answered, passed_on
from gateway.operation import Operation
from gateway.routes.documents import if_match_or_none
from gateway.shapes.documents import Document
from gateway.shapes.information import Inquiry, Reply
from gateway.shapes.tasks import Task, task

# Every question answered at full length, in any script.
REPLY_BYTES_MAX = 256 * 1024


async def request_information(call: Call, task_id: str, body: Inquiry) -> Response:
    request = routing_pb2.RequestInformationRequest(id=task_id, questions=body.questions, reason=body.reason)
    reply = await call.ask(call.up.routing.RequestInformation, request)
    return answered(task(reply.task, call.language))


async def provide_information(call: Call, document_id: str, body: Reply) -> Response:
    request = intake_pb2.ProvideInformationRequest(
        id=document_id,
        if_match=if_match_or_none(call),
        information_request_id=body.request_id,
        answers=[intake_pb2.InformationAnswer(question=one.question, answer=one.answer) for one in body.answers],
    )
    reply = await call.ask(call.up.intake.ProvideInformation, request)
    return passed_on(reply.document_json, headers={"etag": hot.entity_tag(reply.etag)})


OPERATIONS = (
    Operation(
        *("POST", "/v1/tasks/{task_id}:request-information", request_information, "Ask the operator, once"),
        answer=Task,
        tag="tasks",
    ),
    Operation(
        *("POST", "/v1/documents/{document_id}:provide-information", provide_information, "Answer an agency"),
        answer=Document,
        tag="documents",
        bytes_max=REPLY_BYTES_MAX,
        request_headers=("If-Match?",),
        answer_headers=("ETag",),
    ),
)
