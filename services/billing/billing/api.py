"""gRPC face of billing: message → action → message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit import auth, wire
from kit.database import Database
from kit.grpc import SIGNED_IN, Authority
from portolan.billing.v1 import billing_pb2, billing_pb2_grpc

from billing import actions
from billing.domain.charges import Charge
from billing.domain.credits import Credit
from billing.domain.ledger import StatementLine

AUTHORITY: Authority = {
    "QuoteCharges": SIGNED_IN,
    "ListCharges": SIGNED_IN,
    "GetStatement": SIGNED_IN,
    "CheckLedger": frozenset({"finance_officer", "operator_admin"}),
}


class BillingApi(billing_pb2_grpc.BillingServiceServicer):
    def __init__(self, db: Database, desk: actions.PriceDesk) -> None:
        self._db = db
        self._desk = desk

    async def QuoteCharges(
        self, request: billing_pb2.QuoteChargesRequest, context: Any
    ) -> billing_pb2.QuoteChargesResponse:
        charges = await actions.quote(
            *(self._db, self._desk, auth.caller()),
            *(request.document_type, request.owner_organisation_id, request.price_version),
        )
        return billing_pb2.QuoteChargesResponse(charges=map(_charge, charges))

    async def ListCharges(
        self, request: billing_pb2.ListChargesRequest, context: Any
    ) -> billing_pb2.ListChargesResponse:
        charges, next_cursor = await actions.list_charges(
            self._db, auth.caller(), request.document_id, request.cursor, request.limit
        )
        credits = await actions.credits_of(self._db, charges)
        shown = [_charge(one, credits.get(one.id, ())) for one in charges]
        return billing_pb2.ListChargesResponse(charges=shown, next_cursor=next_cursor)

    async def GetStatement(
        self, request: billing_pb2.GetStatementRequest, context: Any
    ) -> billing_pb2.GetStatementResponse:
        statement = await actions.current_statement(self._db, auth.caller(), request.organisation_id)
        return billing_pb2.GetStatementResponse(
            organisation_id=statement.organisation_id,
            period_start=wire.timestamp(statement.period_start),
            period_end=wire.timestamp(statement.period_end),
            opening_balance=actions.money(statement.opening),
            closing_balance=actions.money(statement.closing),
            lines=map(_line, statement.lines),
        )

    async def CheckLedger(
        self, request: billing_pb2.CheckLedgerRequest, context: Any
    ) -> billing_pb2.CheckLedgerResponse:
        check = await actions.check_ledger(self._db)
        return billing_pb2.CheckLedgerResponse(
            journals=check.journals,
            entries=check.entries,
            sum_minor=check.sum_minor,
            unbalanced_journals=check.unbalanced_journals,
            charges_without_journal=check.charges_without_journal,
        )


def _charge(charge: Charge, credits: Sequence[Credit] = ()) -> billing_pb2.Charge:
    return billing_pb2.Charge(
        id=charge.id,
        tariff=charge.tariff,
        labels=charge.labels,
        document_id=charge.document_id,
        reference=charge.reference,
        milestone=charge.milestone,
        payer_organisation_id=charge.payer,
        amount=actions.money(charge.gross),
        net=actions.money(charge.net),
        vat=actions.money(charge.vat),
        vat_rate=format(charge.vat_rate, "f"),
        price_version=charge.price_version,
        occurred_at=wire.timestamp(charge.occurred_at),
        recorded_at=wire.timestamp(charge.recorded_at),
        credits=map(_credit, credits),
    )


def _credit(credit: Credit) -> billing_pb2.Credit:
    return billing_pb2.Credit(
        id=credit.id,
        policy=credit.policy,
        labels=credit.labels,
        amount=actions.money(credit.gross),
        net=actions.money(credit.net),
        vat=actions.money(credit.vat),
        occurred_at=wire.timestamp(credit.occurred_at),
        recorded_at=wire.timestamp(credit.recorded_at),
    )


def _line(line: StatementLine) -> billing_pb2.StatementLine:
    return billing_pb2.StatementLine(
        booked_at=wire.timestamp(line.posting.booked_at),
        journal_id=line.posting.journal_id,
        charge_id=line.posting.charge_id,
        credit_id=line.posting.credit_id,
        reference=line.posting.reference,
        labels=line.posting.labels,
        amount=actions.money(line.posting.amount),
        balance=actions.money(line.balance),
    )
