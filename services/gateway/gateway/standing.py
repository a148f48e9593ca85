"""What stands and what does not: asked of every service at once, kept for a moment, waited for by nobody for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import grpc
import grpc.aio
from kit import clock, wire
from kit import grpc as kit_grpc
from kit.shared import Shared
from portolan.standing.v1 import standing_pb2, standing_pb2_grpc

from gateway.upstreams import HEALTH_DEADLINE_S, Upstreams

# How old an answer of /status may be.
KEPT_S = 1.0
READY = grpc.ChannelConnectivity.READY
OK, DEGRADED, DOWN = "ok", "degraded", "down"
_STATES = {standing_pb2.STATE_OK: OK, standing_pb2.STATE_DEGRADED: DEGRADED, standing_pb2.STATE_DOWN: DOWN}


@dataclass(frozen=True, slots=True)
class Dependency:
    """`service` is empty for what the gateway itself needs; `component` is empty for a service as such."""

    service: str
    component: str
    since: datetime
    state: str = OK
    code: str = "OK"
    age_s: float | None = None

    @property
    def name(self) -> str:
        return ".".join(part for part in (self.service, self.component) if part)


class Board:
    """`has_redis`: whether Redis is one of the things that are needed."""

    def __init__(self, upstreams: Upstreams, shared: Shared, *, has_redis: bool) -> None:
        self._upstreams = upstreams
        self._shared = shared
        self._has_redis = has_redis
        self._began = self._seen_at = clock.now()
        # When the connection to a service was last lost or found.
        self._changed: dict[str, datetime] = {}
        self._before: dict[str, Dependency] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._known: Sequence[Dependency] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Notes when each service was lost or found, which costs nothing while nothing happens."""
        watches = [asyncio.create_task(self._watch(*one)) for one in self._upstreams.channels.items()]
        await stop.wait()
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(self, name: str, channel: grpc.aio.Channel) -> None:
        state = channel.get_state()
        while True:
            await channel.wait_for_state_change(state)
            before, state = state, channel.get_state()
            if (before is READY) is not (state is READY):
                self._changed[name] = clock.now()

    async def look(self) -> Sequence[Dependency]:
        """At most KEPT_S old, after at most HEALTH_DEADLINE_S."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= KEPT_S:
                found = await asyncio.gather(*(self._ask(*one) for one in self._upstreams.channels.items()))
                self._known = [*(one for some in found for one in some), *self._redis()]
                self._before = {one.name: one for one in self._known}
                self._looked_at, self._seen_at = time.monotonic(), clock.now()
            return self._known

    async def _ask(self, name: str, channel: grpc.aio.Channel) -> Sequence[Dependency]:
        token = self._upstreams.own_token()
        try:
            reply = await standing_pb2_grpc.StandingServiceStub(channel).GetStanding(
                standing_pb2.GetStandingRequest(),
                timeout=HEALTH_DEADLINE_S,
                metadata=[("authorization", f"Bearer {token}")] if token else None,
            )
        except grpc.aio.AioRpcError as error:
            return [await self._without_answer(name, channel, error.code())]
        return [self._dated(name), *(_component(name, one) for one in reply.components)]

    async def _without_answer(self, name: str, channel: grpc.aio.Channel, code: grpc.StatusCode) -> Dependency:
        """A service of yesterday answers that it knows no such question, and is there all the same."""
        if code is grpc.StatusCode.UNIMPLEMENTED and await kit_grpc.is_serving(channel, HEALTH_DEADLINE_S):
            return self._dated(name)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._dated(name, state=DEGRADED, code="SERVICE_SLOW")
        return self._dated(name, state=DOWN, code="SERVICE_DOWN")

    def _redis(self) -> Sequence[Dependency]:
        if not self._has_redis:
            return []
        if self._shared.is_away:
            return [self._dated("", "redis", DEGRADED, "REDIS_AWAY")]
        return [self._dated("", "redis")]

    def _dated(self, service: str, component: str = "", state: str = OK, code: str = "OK") -> Dependency:
        """What stands as it stood keeps its time; what does not has it from the connection, if that knows."""
        now_so = Dependency(service, component, clock.now(), state, code)
        before, changed = self._before.get(now_so.name), self._changed.get(service)
        if before is None:
            return replace(now_so, since=changed or self._began)
        if (before.state, before.code) == (state, code):
            return before
        return replace(now_so, since=changed) if changed is not None and changed > self._seen_at else now_so


def _component(service: str, component: standing_pb2.Component) -> Dependency:
    return Dependency(
        service,
        component.name,
        wire.moment(component.since),
        _STATES.get(component.state, DEGRADED),
        component.code,
        round(component.age_seconds, 1) if component.HasField("age_seconds") else None,
    )


@dataclass(frozen=True, slots=True)
class Whole:
    """Down means that no submission is accepted; whatever else is away only degrades."""

    state: str
    code: str
    since: datetime

    @property
    def accepts_submissions(self) -> bool:
        return self.state != DOWN


def whole(dependencies: Sequence[Dependency], *, is_serving: bool) -> Whole:
    by_name: Mapping[str, Dependency] = {one.name: one for one in dependencies}
    needed = [by_name[name] for name in ("intake", "intake.database") if name in by_name]
    wrong = [one for one in dependencies if one.state != OK]
    since = min((one.since for one in wrong), default=max(one.since for one in dependencies))
    if not is_serving or any(one.state == DOWN for one in needed):
        return Whole(DOWN, "NOT_ACCEPTING", since)
    return Whole(DEGRADED, "ACCEPTING_DEGRADED", since) if wrong else Whole(OK, "ACCEPTING", since)
