"""The RPCs, each with who may call it."""

from __future__ import annotations

from typing import Any

import msgspec
from kit import pages
from kit.auth import caller
from kit.database import Database
from kit.grpc import SIGNED_IN
from packs.tables import born_under
from portolan.routing.v1 import routing_pb2 as pb
from portolan.routing.v1 import routing_pb2_grpc

from routing import actions, store
from routing.domain import OFFICERS, SUPERVISOR, Case, Officer
from routing.domain.officers import FILER

from . import absences, explaining, messages, publishing, visits

RULES = frozenset({"rules_officer"})
DESCRIPTOR = pb.DESCRIPTOR.services_by_name["RoutingService"]
AUTHORITY = {
    "PlanRoutes": SIGNED_IN,
    "GetRouting": SIGNED_IN,
    **dict.fromkeys(("ProposeRules", "RollBackRules", "ReplayRules", "PublishRules", "WithdrawRules"), RULES),
    **dict.fromkeys(("GetRuleTable", "ListRuleTables", "ListReplayedDocuments"), RULES | {messages.OVERSEER}),
    "ListTasks": OFFICERS | {messages.OVERSEER, SUPERVISOR},
    "GetTask": OFFICERS | {messages.OVERSEER, SUPERVISOR},
    "ClaimTask": OFFICERS,
    "ReleaseTask": OFFICERS,
    "DecideTask": OFFICERS,
    "RequestInformation": OFFICERS,
    "ProposeVisit": OFFICERS | {FILER},
    "ListVisits": SIGNED_IN,
    "ConfirmVisit": OFFICERS | {FILER},
    "DeclineVisit": OFFICERS | {FILER},
    "ReportNoShow": OFFICERS | {FILER},
    "RecordVisit": OFFICERS,
    "ListNoShows": SIGNED_IN,
    "AssignTask": frozenset({SUPERVISOR}),
    "CreateAbsence": OFFICERS | {SUPERVISOR},
    "ListAbsences": OFFICERS | {SUPERVISOR},
    "EndAbsence": OFFICERS | {SUPERVISOR},
}


class RoutingService(routing_pb2_grpc.RoutingServiceServicer):
    def __init__(self, database: Database, rulebooks: store.Rulebooks, mandates: actions.Mandates) -> None:
        self._database = database
        self._rulebooks = rulebooks
        self._mandates = mandates

    async def PlanRoutes(self, request: pb.PlanRoutesRequest, context: Any) -> pb.PlanRoutesResponse:
        document_type, facts = messages.key(request.document_type), messages.facts(request.facts_json)
        born = born_under(request.pack_version, request.rule_table)
        planned = await actions.plan(self._database, self._rulebooks, born, document_type, facts)
        return messages.plan(planned)

    async def GetRouting(self, request: pb.GetRoutingRequest, context: Any) -> pb.GetRoutingResponse:
        officer, document_id = messages.officer(caller()), messages.key(request.document_id)
        async with self._database.connection() as connection:
            found = await store.judgement(connection, document_id)
        is_whole = officer.sees_why(found.case, found.agencies)
        rulebook = await self._rulebooks.of(found.case.document.pack_version)
        return explaining.explanation(found.case, rulebook, is_whole=is_whole)

    async def ProposeRules(self, request: pb.ProposeRulesRequest, context: Any) -> pb.ProposeRulesResponse:
        asked = publishing.proposal(request, caller())
        proposed = await actions.propose_rules(self._database, self._rulebooks, asked)
        return pb.ProposeRulesResponse(table_json=publishing.table(proposed))

    async def RollBackRules(self, request: pb.RollBackRulesRequest, context: Any) -> pb.RollBackRulesResponse:
        asked, table_id = publishing.roll_back(request, caller()), messages.key(request.id)
        proposed = await actions.roll_back_rules(self._database, self._rulebooks, asked, table_id)
        return pb.RollBackRulesResponse(table_json=publishing.table(proposed))

    async def ReplayRules(self, request: pb.ReplayRulesRequest, context: Any) -> pb.ReplayRulesResponse:
        table_id, span = messages.key(request.id), publishing.span(request)
        replayed = await actions.replay_rules(self._database, self._rulebooks, table_id, span)
        return pb.ReplayRulesResponse(table_json=publishing.table(replayed))

    async def PublishRules(self, request: pb.PublishRulesRequest, context: Any) -> pb.PublishRulesResponse:
        table_id, person = messages.key(request.id), caller().person
        published = await actions.publish_rules(self._database, self._rulebooks, table_id, person)
        return pb.PublishRulesResponse(table_json=publishing.table(published))

    async def WithdrawRules(self, request: pb.WithdrawRulesRequest, context: Any) -> pb.WithdrawRulesResponse:
        withdrawn = await actions.withdraw_rules(self._database, messages.key(request.id), caller().person)
        return pb.WithdrawRulesResponse(table_json=publishing.table(withdrawn))

    async def GetRuleTable(self, request: pb.GetRuleTableRequest, context: Any) -> pb.GetRuleTableResponse:
        async with self._database.connection() as connection:
            found = await store.tables.table(connection, messages.key(request.id))
        return pb.GetRuleTableResponse(table_json=publishing.table(found))

    async def ListRuleTables(self, request: pb.ListRuleTablesRequest, context: Any) -> pb.ListRuleTablesResponse:
        limit, before = pages.limit(request.limit), publishing.before_id(request)
        async with self._database.connection() as connection:
            found = await store.tables.page(connection, before, limit + 1)
        shown = [publishing.table(table, with_rules=False) for table in found[:limit]]
        following = publishing.id_cursor(found[limit - 1]) if len(found) > limit else ""
        return pb.ListRuleTablesResponse(table_jsons=shown, next_cursor=following)

    async def ListReplayedDocuments(
        self, request: pb.ListReplayedDocumentsRequest, context: Any
    ) -> pb.ListReplayedDocumentsResponse:
        table_id, limit = messages.key(request.id), pages.limit(request.limit)
        async with self._database.connection() as connection:
            await store.tables.table(connection, table_id)
            found = await store.tables.replayed(connection, table_id, publishing.after_position(request), limit + 1)
        positions = [one.pop("position") for one in found]
        following = publishing.position_cursor(request, positions[limit - 1]) if len(found) > limit else ""
        shown = [msgspec.json.encode(one) for one in found[:limit]]
        return pb.ListReplayedDocumentsResponse(document_jsons=shown, next_cursor=following)

    async def ListTasks(self, request: pb.ListTasksRequest, context: Any) -> pb.ListTasksResponse:
        officer, limit = messages.officer(caller()), pages.limit(request.limit)
        wanted, after = messages.wanted(request, officer), messages.after(request)
        async with self._database.connection() as connection:
            items = await store.page(connection, wanted, after, limit + 1)
            officer = await actions.standing_in(connection, officer)
        tasks = [await self._task(officer, case, task.id) for case, task in items[:limit]]
        is_last = len(items) <= limit
        return pb.ListTasksResponse(
            tasks=tasks, next_cursor="" if is_last else messages.cursor(request, items[limit - 1][1])
        )

    async def GetTask(self, request: pb.GetTaskRequest, context: Any) -> pb.GetTaskResponse:
        officer = messages.officer(caller())
        async with self._database.connection() as connection:
            case, task = await store.item(connection, messages.key(request.id))
            officer = await actions.standing_in(connection, officer)
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

    async def ProposeVisit(self, request: pb.ProposeVisitRequest, context: Any) -> pb.ProposeVisitResponse:
        officer, document_id = messages.officer(caller()), messages.key(request.document_id)
        slot, request_id = visits.slot(request), visits.request_id(request)
        await self._may_speak(officer, document_id=document_id)
        said = await actions.propose_visit(self._database, self._rulebooks, officer, document_id, slot, request_id)
        return pb.ProposeVisitResponse(visit=visits.visit(said.case, said.visit))

    async def ListVisits(self, request: pb.ListVisitsRequest, context: Any) -> pb.ListVisitsResponse:
        officer, document_id = messages.officer(caller()), messages.key(request.document_id)
        case, found = await actions.list_visits(self._database, officer, document_id)
        return pb.ListVisitsResponse(visits=[visits.visit(case, one) for one in found])

    async def ConfirmVisit(self, request: pb.ConfirmVisitRequest, context: Any) -> pb.ConfirmVisitResponse:
        officer, visit_id = messages.officer(caller()), messages.key(request.id)
        await self._may_speak(officer, visit_id=visit_id)
        said = await actions.confirm_visit(self._database, self._rulebooks, officer, visit_id)
        return pb.ConfirmVisitResponse(visit=visits.visit(said.case, said.visit))

    async def DeclineVisit(self, request: pb.DeclineVisitRequest, context: Any) -> pb.DeclineVisitResponse:
        officer, visit_id = messages.officer(caller()), messages.key(request.id)
        reason = visits.reason(request)
        await self._may_speak(officer, visit_id=visit_id)
        said = await actions.decline_visit(self._database, self._rulebooks, officer, visit_id, reason)
        return pb.DeclineVisitResponse(visit=visits.visit(said.case, said.visit))

    async def ReportNoShow(self, request: pb.ReportNoShowRequest, context: Any) -> pb.ReportNoShowResponse:
        officer, visit_id = messages.officer(caller()), messages.key(request.id)
        party = visits.party(request)
        await self._may_speak(officer, visit_id=visit_id)
        said = await actions.report_no_show(self._database, self._rulebooks, officer, visit_id, party)
        return pb.ReportNoShowResponse(visit=visits.visit(said.case, said.visit))

    async def RecordVisit(self, request: pb.RecordVisitRequest, context: Any) -> pb.RecordVisitResponse:
        officer, visit_id = messages.officer(caller()), messages.key(request.id)
        findings = visits.findings(request)
        said = await actions.record_visit(self._database, self._rulebooks, officer, visit_id, findings)
        return pb.RecordVisitResponse(visit=visits.visit(said.case, said.visit))

    async def ListNoShows(self, request: pb.ListNoShowsRequest, context: Any) -> pb.ListNoShowsResponse:
        officer, limit, after = messages.officer(caller()), pages.limit(request.limit), visits.after(request)
        found = await actions.list_no_shows(self._database, officer, after, limit + 1)
        is_last = len(found) <= limit
        return pb.ListNoShowsResponse(
            no_shows=[visits.no_show(one) for one in found[:limit]],
            next_cursor="" if is_last else visits.cursor(found[limit - 1]),
        )

    async def _may_speak(self, officer: Officer, document_id: str = "", visit_id: str = "") -> None:
        """An agent speaks under a mandate in force: identity is asked, before anything is locked."""
        asked = await actions.mandate_needed(self._database, officer, document_id, visit_id)
        if asked is not None:
            await self._mandates.must_hold(asked)

    async def AssignTask(self, request: pb.AssignTaskRequest, context: Any) -> pb.AssignTaskResponse:
        supervisor, task_id = messages.officer(caller()), messages.key(request.id)
        person = messages.person("/person", request.person)
        case = await actions.assign(self._database, supervisor, task_id, person)
        return pb.AssignTaskResponse(task=await self._task(supervisor, case, task_id))

    async def CreateAbsence(self, request: pb.CreateAbsenceRequest, context: Any) -> pb.CreateAbsenceResponse:
        officer = messages.officer(caller())
        created = await actions.absences.create(self._database, officer, absences.away(request))
        return pb.CreateAbsenceResponse(absence=absences.absence(created))

    async def ListAbsences(self, request: pb.ListAbsencesRequest, context: Any) -> pb.ListAbsencesResponse:
        """Those of the caller's own agency; nobody's where there is no agency."""
        agency, limit = caller().agency, pages.limit(request.limit)
        async with self._database.connection() as connection:
            found = await store.standing.page(connection, agency, absences.after(request), limit + 1)
        next_cursor = absences.cursor(found[limit - 1]) if len(found) > limit else ""
        return pb.ListAbsencesResponse(absences=map(absences.absence, found[:limit]), next_cursor=next_cursor)

    async def EndAbsence(self, request: pb.EndAbsenceRequest, context: Any) -> pb.EndAbsenceResponse:
        ended = await actions.absences.end(self._database, messages.officer(caller()), messages.key(request.id))
        return pb.EndAbsenceResponse(absence=absences.absence(ended))

    async def _task(self, officer: Officer, case: Case, task_id: str) -> pb.Task:
        rulebook = await self._rulebooks.of(case.document.pack_version)
        return messages.task(case, case.task(task_id), case.procedure(rulebook), officer)
