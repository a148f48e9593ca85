"""Billing as the gateway sees it."""

from __future__ import annotations

from typing import Any

from kit import errors
from portolan.billing.v1 import billing_pb2, billing_pb2_grpc

from tests.gateway.builders import (
    a_charge,
)


class FakeBilling(billing_pb2_grpc.BillingServiceServicer):
    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.is_down = False

    async def QuoteCharges(self, request: Any, context: Any) -> Any:
        if self.is_down:
            raise errors.Unavailable("OVERLOADED")
        return billing_pb2.QuoteChargesResponse(charges=[a_charge()])

    async def ListCharges(self, request: Any, context: Any) -> Any:
        return billing_pb2.ListChargesResponse(charges=[a_charge()])

    async def GetStatement(self, request: Any, context: Any) -> Any:
        return billing_pb2.GetStatementResponse(organisation_id="org-a")

    async def CheckLedger(self, request: Any, context: Any) -> Any:
        return billing_pb2.CheckLedgerResponse(journals=1, entries=2)
