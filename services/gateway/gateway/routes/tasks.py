"""The officer's queue."""

from __future__ import annotations

from typing import Any

from portolan.routing.v1 import routing_pb2
from portolan.type.v1 import type_pb2
from starlette.responses import Response

from gateway import readings
from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page
from gateway.shapes.conditions import imposed_request
from gateway.shapes.tasks import Assignment, Decision, Task, TaskFilter, task


async def list_tasks(call: Call, query: TaskFilter) -> Response:
    request = routing_pb2.ListTasksRequest(
        state=query.state, agency=query.agency, document_id=query.document_id, cursor=query.cursor, limit=query.size
    )
    reply = await call.ask(call.up.routing.ListTasks, request)
    readings.told(call, [one.document_id for one in reply.tasks])
    return answered(Page([task(one, call.language) for one in reply.tasks], reply.next_cursor or None))


async def get_task(call: Call, task_id: str) -> Response:
    reply = await call.ask(call.up.routing.GetTask, routing_pb2.GetTaskRequest(id=task_id))
    readings.told(call, [reply.task.document_id])
    return answered(task(reply.task, call.language))


async def claim_task(call: Call, task_id: str) -> Response:
    reply = await call.ask(call.up.routing.ClaimTask, routing_pb2.ClaimTaskRequest(id=task_id))
    return answered(task(reply.task, call.language))


async def release_task(call: Call, task_id: str) -> Response:
    reply = await call.ask(call.up.routing.ReleaseTask, routing_pb2.ReleaseTaskRequest(id=task_id))
    return answered(task(reply.task, call.language))


async def decide_task(call: Call, task_id: str, body: Decision) -> Response:
    reply = await call.ask(call.up.routing.DecideTask, _decision(call, task_id, body))
    return answered(task(reply.task, call.language))


async def assign_task(call: Call, task_id: str, body: Assignment) -> Response:
    request = routing_pb2.AssignTaskRequest(id=task_id, person=body.person)
    reply = await call.ask(call.up.routing.AssignTask, request)
    return answered(task(reply.task, call.language))


def _decision(call: Call, task_id: str, body: Decision) -> routing_pb2.DecideTaskRequest:
    request = routing_pb2.DecideTaskRequest(
        id=task_id,
        outcome=body.outcome,
        reason_code=body.reason_code,
        comment=body.comment,
        conditions=body.conditions,
        on_behalf_of=body.on_behalf_of,
        request_id=call.idempotency_key_or_none() or "",
        imposes=imposed_request(body.imposes),
        satisfies=body.satisfies,
    )
    if body.authorised_quantity is not None:
        asked = body.authorised_quantity
        request.authorised_quantity.CopyFrom(type_pb2.Quantity(value=asked.value, unit=asked.unit))
    return request


_TASK: dict[str, Any] = {"answer": Task, "tag": "tasks"}
_ONE = "/v1/tasks/{task_id}"

OPERATIONS = (
    Operation(
        *("GET", "/v1/tasks", list_tasks, "The queue, due first"),
        answer=Page[Task],
        tag="tasks",
    ),
    Operation("GET", _ONE, get_task, "A task, with everything a screen needs", **_TASK),
    Operation("POST", f"{_ONE}:claim", claim_task, "Take a task", **_TASK),
    Operation("POST", f"{_ONE}:release", release_task, "Put a task back", **_TASK),
    Operation("POST", f"{_ONE}:assign", assign_task, "Give a task to a person of the agency", **_TASK),
    Operation(
        *("POST", f"{_ONE}:decide", decide_task, "Decide, or sign as one of two"),
        **_TASK,
        request_headers=("Idempotency-Key?",),
    ),
)
