"""How rules change: proposed, replayed over the past, published by another person, rolled back."""

from __future__ import annotations

from typing import Any

import msgspec
from portolan.routing.v1 import routing_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.common import Page, Paged, timestamp
from gateway.shapes.rules import ReplayedDocument, RollBack, RuleProposal, RuleReplay, RuleTable

PROPOSAL_BYTES_MAX = 512 * 1024


async def propose_rules(call: Call, body: RuleProposal) -> Response:
    timestamp(body.effective_from, "/effective_from")
    request = routing_pb2.ProposeRulesRequest(proposal_json=msgspec.json.encode(body), request_id=call.request_id())
    reply = await call.ask(call.up.routing.ProposeRules, request)
    return answered(msgspec.Raw(reply.table_json), 201)


async def roll_back_rules(call: Call, table_id: str, body: RollBack) -> Response:
    request = routing_pb2.RollBackRulesRequest(id=table_id, request_id=call.request_id(), note=body.note)
    reply = await call.ask(call.up.routing.RollBackRules, request)
    return answered(msgspec.Raw(reply.table_json), 201)


async def replay_rules(call: Call, table_id: str, body: RuleReplay) -> Response:
    since, until = timestamp(body.from_, "/from"), timestamp(body.to, "/to")
    request = routing_pb2.ReplayRulesRequest(id=table_id, since=since, until=until, limit=body.limit)
    reply = await call.ask(call.up.routing.ReplayRules, request)
    return answered(msgspec.Raw(reply.table_json))


async def publish_rules(call: Call, table_id: str) -> Response:
    reply = await call.ask(call.up.routing.PublishRules, routing_pb2.PublishRulesRequest(id=table_id))
    return answered(msgspec.Raw(reply.table_json))


async def withdraw_rules(call: Call, table_id: str) -> Response:
    reply = await call.ask(call.up.routing.WithdrawRules, routing_pb2.WithdrawRulesRequest(id=table_id))
    return answered(msgspec.Raw(reply.table_json))


async def get_rule_table(call: Call, table_id: str) -> Response:
    reply = await call.ask(call.up.routing.GetRuleTable, routing_pb2.GetRuleTableRequest(id=table_id))
    return answered(msgspec.Raw(reply.table_json))


async def list_rule_tables(call: Call, query: Paged) -> Response:
    request = routing_pb2.ListRuleTablesRequest(cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.routing.ListRuleTables, request)
    return answered(Page([msgspec.Raw(raw) for raw in reply.table_jsons], reply.next_cursor or None))


async def list_replayed_documents(call: Call, table_id: str, query: Paged) -> Response:
    request = routing_pb2.ListReplayedDocumentsRequest(id=table_id, cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.routing.ListReplayedDocuments, request)
    return answered(Page([msgspec.Raw(raw) for raw in reply.document_jsons], reply.next_cursor or None))


_ALL = "/v1/rule-tables"
_ONE = f"{_ALL}/{{table_id}}"
_TABLE: dict[str, Any] = {"answer": RuleTable, "tag": "rules"}

OPERATIONS = (
    Operation(
        *("POST", _ALL, propose_rules, "Propose another rule table"),
        **_TABLE,
        status=201,
        bytes_max=PROPOSAL_BYTES_MAX,
        request_headers=("Idempotency-Key?",),
    ),
    Operation("GET", _ALL, list_rule_tables, "Rule tables, newest first", answer=Page[RuleTable], tag="rules"),
    Operation("GET", _ONE, get_rule_table, "A rule table with its rules", **_TABLE),
    Operation("POST", f"{_ONE}:replay", replay_rules, "What the table would have changed", **_TABLE),
    Operation(
        *("GET", f"{_ONE}/replay", list_replayed_documents, "The documents that the last replay found changed"),
        answer=Page[ReplayedDocument],
        tag="rules",
    ),
    Operation("POST", f"{_ONE}:publish", publish_rules, "Publish a table somebody else proposed", **_TABLE),
    Operation("POST", f"{_ONE}:withdraw", withdraw_rules, "Let a proposal go", **_TABLE),
    Operation(
        *("POST", f"{_ONE}:rollback", roll_back_rules, "Propose an earlier table, or `pack`, over again"),
        **_TABLE,
        status=201,
        request_headers=("Idempotency-Key?",),
    ),
)
