"""Whether an agent may still speak for the owner: identity knows, and is asked each time before anything is locked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kit.database import Database
from kit.errors import Forbidden, NotFound
from kit.grpc import call
from portolan.identity.v1 import identity_pb2

from routing import store
from routing.domain import Officer

POWER = "file"


@dataclass(frozen=True)
class Mandate:
    principal: str
    agent: str
    document_type: str


class Mandates(Protocol):
    async def must_hold(self, mandate: Mandate) -> None: ...


class IdentityMandates:
    """`stub` is identity's; `own_token` proves that it is routing that asks."""

    def __init__(self, stub: Any, own_token: Callable[[], str]) -> None:
        self._stub = stub
        self._own_token = own_token

    async def must_hold(self, mandate: Mandate) -> None:
        request = identity_pb2.CheckMandateRequest(
            principal_organisation_id=mandate.principal,
            agent_organisation_id=mandate.agent,
            power=POWER,
            document_type=mandate.document_type,
        )
        try:
            answer = await call(self._stub.CheckMandate, request, token=self._own_token())
        except NotFound:
            answer = identity_pb2.CheckMandateResponse(allowed=False)
        if not answer.allowed:
            raise Forbidden("MANDATE_REQUIRED", "no mandate in force allows this for that organisation")


async def mandate_needed(database: Database, officer: Officer, document_id: str, visit_id: str) -> Mandate | None:
    """None for the owner itself, and for agencies; raises NotFound where there is nothing to speak of."""
    async with database.connection() as connection:
        parties = await store.parties_of(connection, document_id, visit_id)
    if parties is None:
        raise NotFound("NOT_FOUND")
    owner, submitter, document_type = parties
    if officer.organisation_id != submitter or submitter == owner:
        return None
    return Mandate(owner, submitter, document_type)
