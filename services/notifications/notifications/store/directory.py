"""Who is to be told: asked of identity, remembered for half a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import grpc.aio
from kit import grpc as rpc
from kit.errors import NotFound, Unavailable
from portolan.identity.v1 import identity_pb2, identity_pb2_grpc

from notifications.domain.deliveries import Recipient
from notifications.domain.facts import Target

REMEMBERED_S = 30.0
TARGETS_KEPT_MAX = 20_000
QUESTIONS_AT_ONCE_MAX = 8

Ask = Callable[[Target], Awaitable[Sequence[Recipient]]]


class Directory:
    """`learn` asks, before a transaction; `of` answers from memory, inside it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: dict[Target, tuple[float, Sequence[Recipient]]] = {}
        self._asking = asyncio.Semaphore(QUESTIONS_AT_ONCE_MAX)

    async def learn(self, targets: Iterable[Target]) -> None:
        if len(self._known) > TARGETS_KEPT_MAX:
            self._known.clear()
        since = time.monotonic() - REMEMBERED_S
        stale = {target for target in targets if self._known.get(target, (since, ()))[0] <= since}
        await asyncio.gather(*(self._learn(target) for target in stale))

    async def _learn(self, target: Target) -> None:
        async with self._asking:
            self._known[target] = (time.monotonic(), await self._ask(target))

    def of(self, target: Target) -> Sequence[Recipient]:
        """Raises Unavailable for a target nobody asked about: the batch is prepared again."""
        if target not in self._known:
            raise Unavailable("RECIPIENTS_UNKNOWN", f"{target} was not asked for")
        return self._known[target][1]


class IdentityDirectory:
    """Asks identity as a service, on no caller's behalf."""

    def __init__(self, channel: grpc.aio.Channel, token: Callable[[], str]) -> None:
        self._stub = identity_pb2_grpc.IdentityServiceStub(channel)
        self._token = token

    async def ask(self, target: Target) -> Sequence[Recipient]:
        """An organisation or agency that identity does not know has nobody to be told."""
        request = identity_pb2.ListRecipientsRequest(
            organisation_id=target.organisation_id, agency_code=target.agency, role=target.role
        )
        try:
            answer = await rpc.call(self._stub.ListRecipients, request, token=self._token())
        except NotFound:
            return []
        is_alone = bool(target.role)
        return [Recipient(one.id, one.organisation_id, one.email, one.language, is_alone) for one in answer.recipients]
