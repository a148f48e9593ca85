"""What it cost."""

from __future__ import annotations

from portolan.billing.v1 import billing_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.billing import Charge, ChargeFilter, LedgerCheck, Statement, StatementFilter, charge, statement
from gateway.shapes.common import Page


async def list_charges(call: Call, query: ChargeFilter) -> Response:
    request = billing_pb2.ListChargesRequest(document_id=query.document_id, cursor=query.cursor, limit=query.size)
    reply = await call.ask(call.up.billing.ListCharges, request)
    return answered(Page([charge(one, call.language) for one in reply.charges], reply.next_cursor or None))


async def get_current_statement(call: Call, query: StatementFilter) -> Response:
    request = billing_pb2.GetStatementRequest(organisation_id=query.organisation_id)
    reply = await call.ask(call.up.billing.GetStatement, request)
    return answered(statement(reply, call.language))


async def check_ledger(call: Call) -> Response:
    reply = await call.ask(call.up.billing.CheckLedger, billing_pb2.CheckLedgerRequest())
    return answered(
        LedgerCheck(
            journals=reply.journals,
            entries=reply.entries,
            sum_minor=reply.sum_minor,
            unbalanced_journals=reply.unbalanced_journals,
            charges_without_journal=reply.charges_without_journal,
        )
    )


OPERATIONS = (
    Operation("GET", "/v1/charges", list_charges, "Charges, newest first", answer=Page[Charge], tag="billing"),
    Operation(
        *("GET", "/v1/statements/current", get_current_statement, "The organisation's account, this month"),
        answer=Statement,
        tag="billing",
    ),
    Operation(
        *("GET", "/v1/ledger/check", check_ledger, "Does the ledger sum to zero"),
        answer=LedgerCheck,
        tag="billing",
    ),
)
