"""Routing as the gateway sees it."""

from __future__ import annotations

from typing import Any

from portolan.routing.v1 import routing_pb2, routing_pb2_grpc

from tests.gateway.builders import (
    STAMP,
    a_rule_table,
    a_task,
    a_visit,
    encoded,
)


def an_absence(absence_id: str) -> routing_pb2.Absence:
    return routing_pb2.Absence(id=absence_id, starts_at=STAMP, ends_at=STAMP, created_at=STAMP)


class FakeRouting(routing_pb2_grpc.RoutingServiceServicer):
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.decisions: list[routing_pb2.DecideTaskRequest] = []
        self.inquiries: list[routing_pb2.RequestInformationRequest] = []
        self.proposals: list[routing_pb2.ProposeVisitRequest] = []

    async def ProposeVisit(self, request: Any, context: Any) -> Any:
        self.proposals.append(request)
        return routing_pb2.ProposeVisitResponse(visit=a_visit("v-1"))

    async def ListVisits(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListVisitsResponse(visits=[a_visit("v-1")])

    async def ConfirmVisit(self, request: Any, context: Any) -> Any:
        return routing_pb2.ConfirmVisitResponse(visit=a_visit(request.id))

    async def DeclineVisit(self, request: Any, context: Any) -> Any:
        return routing_pb2.DeclineVisitResponse(visit=a_visit(request.id))

    async def ReportNoShow(self, request: Any, context: Any) -> Any:
        return routing_pb2.ReportNoShowResponse(visit=a_visit(request.id))

    async def RecordVisit(self, request: Any, context: Any) -> Any:
        return routing_pb2.RecordVisitResponse(visit=a_visit(request.id))

    async def ListNoShows(self, request: Any, context: Any) -> Any:
        absence = routing_pb2.NoShow(id="n-1", party="operator", told_at=STAMP, starts_at=STAMP, ends_at=STAMP)
        return routing_pb2.ListNoShowsResponse(no_shows=[absence])

    async def PlanRoutes(self, request: Any, context: Any) -> Any:
        route = routing_pb2.Route(agency="X", document="paper", mode="documentary", sla_seconds=60, rule="R1")
        return routing_pb2.PlanRoutesResponse(routes=[route], due_at=STAMP, channel_hint="green")

    async def GetRouting(self, request: Any, context: Any) -> Any:
        rule = routing_pb2.MatchedRule(id="R1", labels={"en": "Rule"}, agency="X", document="paper", mode="documentary")
        weighed = routing_pb2.RiskWeighed(
            score=12,
            factors=[routing_pb2.RiskFactor(code="chapter:64", points=12, labels={"en": "Chapter"})],
            draws=[routing_pb2.RiskDraw(rule="R2", seed="1/R2/d", value=0.5, share="0.03")],
            facts_json=b'{"origin":"FR"}',
            history_json=b"{}",
            reproduced=True,
        )
        return routing_pb2.GetRoutingResponse(
            document_id=request.document_id, channel="green", rules=[rule], judged_at=STAMP, weighed=weighed
        )

    async def ProposeRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.ProposeRulesResponse(table_json=encoded(a_rule_table("rt-1")))

    async def RollBackRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.RollBackRulesResponse(table_json=encoded(a_rule_table("rt-2")))

    async def ReplayRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.ReplayRulesResponse(table_json=encoded(a_rule_table(request.id)))

    async def PublishRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.PublishRulesResponse(table_json=encoded(a_rule_table(request.id)))

    async def WithdrawRules(self, request: Any, context: Any) -> Any:
        return routing_pb2.WithdrawRulesResponse(table_json=encoded(a_rule_table(request.id)))

    async def GetRuleTable(self, request: Any, context: Any) -> Any:
        return routing_pb2.GetRuleTableResponse(table_json=encoded(a_rule_table(request.id)))

    async def ListRuleTables(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListRuleTablesResponse(table_jsons=[encoded(a_rule_table("rt-1"))])

    async def ListReplayedDocuments(self, request: Any, context: Any) -> Any:
        outlook = {"rules": ["R1"], "channel": "green", "tasks": ["X"]}
        told = {"document_id": "d", "reference": "PX-1", "document_type": "paper.a"}
        return routing_pb2.ListReplayedDocumentsResponse(
            document_jsons=[encoded({**told, "before": outlook, "after": outlook})]
        )

    async def ListTasks(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListTasksResponse(tasks=[a_task("t-1")])

    async def GetTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.GetTaskResponse(task=a_task(request.id))

    async def ClaimTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.ClaimTaskResponse(task=a_task(request.id))

    async def ReleaseTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.ReleaseTaskResponse(task=a_task(request.id))

    async def DecideTask(self, request: Any, context: Any) -> Any:
        self.decisions.append(request)
        return routing_pb2.DecideTaskResponse(task=a_task(request.id))

    async def AssignTask(self, request: Any, context: Any) -> Any:
        return routing_pb2.AssignTaskResponse(task=a_task(request.id))

    async def CreateAbsence(self, request: Any, context: Any) -> Any:
        return routing_pb2.CreateAbsenceResponse(absence=an_absence("a-1"))

    async def ListAbsences(self, request: Any, context: Any) -> Any:
        return routing_pb2.ListAbsencesResponse(absences=[an_absence("a-1")])

    async def EndAbsence(self, request: Any, context: Any) -> Any:
        return routing_pb2.EndAbsenceResponse(absence=an_absence(request.id))

    async def RequestInformation(self, request: Any, context: Any) -> Any:
        self.inquiries.append(request)
        task = a_task(request.id)
        task.state = "WAITING"
        task.information.CopyFrom(
            routing_pb2.Information(id="i-1", state="OPEN", questions=request.questions, requested_at=STAMP)
        )
        return routing_pb2.RequestInformationResponse(task=task)
