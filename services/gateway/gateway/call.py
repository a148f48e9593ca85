"""One request being answered: who asks, in what language, and the services it may ask in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

import grpc.aio
import msgspec
from kit import ids
from kit.auth import Principal
from kit.errors import Unauthenticated
from starlette.requests import Request
from starlette.responses import Response

from gateway import hot, upstreams
from gateway.upstreams import Upstreams
from gateway.wiring import Wiring

LANGUAGE_DEFAULT = "en"

Q = TypeVar("Q")
R = TypeVar("R")


@dataclass(slots=True)
class Call:
    request: Request
    wiring: Wiring
    operation_id: str
    # What the caller asked for with Accept-Language; empty when it did not.
    asked_language: str
    principal_or_none: Principal | None = None

    @property
    def up(self) -> Upstreams:
        return self.wiring.upstreams

    @property
    def principal(self) -> Principal:
        if self.principal_or_none is None:
            raise Unauthenticated("UNAUTHENTICATED")
        return self.principal_or_none

    @property
    def language(self) -> str:
        own = self.principal_or_none.language if self.principal_or_none else ""
        return self.asked_language or own or LANGUAGE_DEFAULT

    @property
    def address(self) -> str:
        return self.request.client.host if self.request.client else ""

    def header(self, name: str) -> str:
        return self.request.headers.get(name, "")

    async def ask(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], message: Q) -> R:
        """Asks a service on the caller's behalf. Raises what the service raised."""
        token = self.principal_or_none.token if self.principal_or_none else ""
        return await upstreams.ask(method, message, token=token, language=self.asked_language)

    async def ask_openly(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], message: Q) -> R:
        """As the caller when it is known, else in the gateway's own name: for what anybody may know."""
        token = self.principal_or_none.token if self.principal_or_none else self.up.own_token()
        return await upstreams.ask(method, message, token=token, language=self.asked_language)

    @property
    def who(self) -> str:
        """By whom what is asked is counted."""
        return self.principal_or_none.subject if self.principal_or_none else self.address

    def request_id(self) -> str:
        """The same for a repetition with the same Idempotency-Key by the same caller; new without one."""
        key = self.idempotency_key_or_none()
        if key is None:
            return ids.new_id()
        return str(uuid5(NAMESPACE_URL, f"{self.principal.subject}|{self.operation_id}|{key}"))

    def idempotency_key_or_none(self) -> str | None:
        """Where the key may be left out. Raises Malformed for one that is there and cannot be used."""
        given = self.request.headers.get("idempotency-key")
        return None if given is None else hot.idempotency_key(given)


def answered(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def passed_on(raw: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A service's own public JSON, byte for byte."""
    return Response(raw, status, headers, "application/json")
