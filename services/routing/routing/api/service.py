"""The RPCs, each with who may call it."""

from __future__ import annotations

from typing import Any

from kit import pages
from kit.auth import caller
from kit.database import Database
from kit.grpc import SIGNED_IN
from portolan.routing.v1 import routing_pb2 as pb
from portolan.routing.v1 import routing_pb2_grpc

from routing import actions, store
from routing.domain import OFFICERS, Case, Officer

from . import explaining, messages

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["RoutingService"]
AUTHORITY = {
    "PlanRoutes": SIGNED_IN,
    "GetRouting": SIGNED_IN,
    "ListTasks": OFFICERS | {messages.OVERSEER},
    "GetTask": OFFICERS | {messages.OVERSEER},
    "ClaimTask": OFFICERS,
    "ReleaseTask": OFFICERS,
    "DecideTask": OFFICERS,
    "RequestInformation": OFFICERS,
}


class RoutingService(routing_pb2_grpc.RoutingServiceServicer):
    def __init__(self, database: Database, rulebooks: store.Rulebooks) -> None:
        self._database = database
        self._rulebooks = rulebooks

    async def PlanRoutes(self, request: pb.PlanRoutesRequest, context: Any) -> pb.PlanRoutesResponse:
        document_type, facts = messages.key(request.document_type), messages.facts(request.facts_json)
        planned = await actions.plan(self._database, self._rulebooks, request.pack_version, document_type, facts)
        return messages.plan(planned)

    async def GetRouting(self, request: pb.GetRoutingRequest, context: Any) -> pb.GetRoutingResponse:
        officer, document_id = messages.officer(caller()), messages.key(request.document_id)
        async with self._database.connection() as connection:
            found = await store.judgement(connection, document_id)
        is_whole = officer.sees_why(found.case, found.agencies)
        rulebook = await self._rulebooks.of(found.case.document.pack_version)
        return explaining.explanation(found.case, rulebook, is_whole=is_whole)

    async def ListTasks(self, request: pb.ListTasksRequest, context: Any) -> pb.ListTasksResponse:
        officer, limit = messages.officer(caller()), pages.limit(request.limit)
        wanted, after = messages.wanted(request, officer), messages.after(request)
        async with self._database.connection() as connection:
            items = await store.page(connection, wanted, after, limit + 1)
        tasks = [await self._task(officer, case, task.id) for case, task in items[:limit]]
        is_last = len(items) <= limit
        return pb.ListTasksResponse(
            tasks=tasks, next_cursor="" if is_last else messages.cursor(request, items[limit - 1][1])
        )

    async def GetTask(self, request: pb.GetTaskRequest, context: Any) -> pb.GetTaskResponse:
        officer = messages.officer(caller())
        async with self._database.connection() as connection:
            case, task = await store.item(connection, messages.key(request.id))
        officer.must_see(task)
        return pb.GetTaskResponse(task=await self._task(officer, case, task.id))

    async def ClaimTask(self, request: pb.ClaimTaskRequest, context: Any) -> pb.ClaimTaskResponse:
        officer, task_id = messages.officer(caller()), messages.key(request.id)
        case = await actions.claim(self._database, officer, task_id)
        return pb.ClaimTaskResponse(task=await self._task(officer, case, task_id))

    async def ReleaseTask(self, request: pb.ReleaseTaskRequest, context: Any) -> pb.ReleaseTaskResponse:
        officer, task_id = messages.officer(caller()), messages.key(request.id)
        case = await actions.release(self._database, officer, task_id)
        return pb.ReleaseTaskResponse(task=await self._task(officer, case, task_id))

    async def DecideTask(self, request: pb.DecideTaskRequest, context: Any) -> pb.DecideTaskResponse:
        officer, task_id = messages.officer(caller()), messages.key(request.id)
        decision = messages.decision(request, officer)
        case = await actions.decide(self._database, self._rulebooks, officer, task_id, decision)
        return pb.DecideTaskResponse(task=await self._task(officer, case, task_id))

    async def RequestInformation(
        self, request: pb.RequestInformationRequest, context: Any
    ) -> pb.RequestInformationResponse:
        officer, task_id = messages.officer(caller()), messages.key(request.id)
        inquiry = messages.inquiry(request, officer)
        case = await actions.request_information(self._database, self._rulebooks, officer, task_id, inquiry)
        return pb.RequestInformationResponse(task=await self._task(officer, case, task_id))

    async def _task(self, officer: Officer, case: Case, task_id: str) -> pb.Task:
        rulebook = await self._rulebooks.of(case.document.pack_version)
        return messages.task(case, case.task(task_id), case.procedure(rulebook), officer)
