"""What identity knows and intake must ask: profiles and mandates, remembered no longer than is safe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

import msgspec
from kit.errors import Forbidden, NotFound, Unavailable
from kit.grpc import call
from kit.shared import Shared
from kit.shared.answers import Answers
from portolan.identity.v1 import identity_pb2

from intake.domain.parties import Filing, Profile

MANDATE_SECONDS = 2.0
PROFILE_SECONDS = 30.0
PROFILE_WITHOUT_IDENTITY_SECONDS = 3600.0
# What another process asked so lately is as good as asked here.
PROFILE_TOLD_SECONDS = 10.0
ENTRIES_MAX = 20_000
FILE, AMEND, WITHDRAW = "file", "amend", "withdraw"

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Directory:
    """`stub` is identity's; `own_token` proves that it is intake that asks; `told` is what its processes share."""

    def __init__(self, stub: Any, own_token: Callable[[], str], told: ProfilesTold | None = None) -> None:
        self._told = told
        self._stub = stub
        self._own_token = own_token
        self._profiles: Memory[str, Profile] = Memory()
        self._mandates: Memory[tuple[str, str, str, str], tuple[str, Profile]] = Memory()

    async def filing(self, owner: str, submitter: str, submitted_by: str, document_type: str) -> Filing:
        """Raises Forbidden MANDATE_REQUIRED when the submitter may not file this type for the owner."""
        if owner in ("", submitter):
            return Filing(await self.profile(submitter), submitter, submitted_by)
        mandate_id, profile = await self.mandate(owner, submitter, FILE, document_type)
        return Filing(profile, submitter, submitted_by, mandate_id)

    async def profile(self, organisation_id: str) -> Profile:
        """Without identity the profile last known serves: it steers rules and prices, it authorises nothing."""
        known = self._profiles.known(organisation_id, PROFILE_SECONDS)
        seconds = PROFILE_SECONDS if known is None or known.is_settled else 0.0
        try:
            return await self._profiles.get(organisation_id, seconds, self._ask_profile)
        except Unavailable:
            known = self._profiles.known(organisation_id, PROFILE_WITHOUT_IDENTITY_SECONDS)
            if known is None:
                raise
            return known

    async def mandate(self, principal: str, agent: str, power: str, document_type: str) -> tuple[str, Profile]:
        """The mandate's id and the principal's profile; a refusal is never remembered."""
        return await self._mandates.get((principal, agent, power, document_type), MANDATE_SECONDS, self._ask_mandate)

    async def traders(self, company_number: str) -> list[Profile]:
        """Those that bear the number; nothing is remembered: one may have been registered just now."""
        request = identity_pb2.FindTradersRequest(company_number=company_number)
        answer = await call(self._stub.FindTraders, request, token=self._own_token())
        return [_profile(one) for one in answer.organisations]

    async def _ask_profile(self, organisation_id: str) -> Profile:
        """Of another process's memory first; without identity also of its oldest."""
        if self._told is None:
            return await self._ask_identity(organisation_id)
        told = await self._told.lately(organisation_id)
        if told is not None and told.is_settled:
            return told
        try:
            profile = await self._ask_identity(organisation_id)
        except Unavailable:
            last = await self._told.last(organisation_id)
            if last is None:
                raise
            return last
        await self._told.tell(profile)
        return profile

    async def _ask_identity(self, organisation_id: str) -> Profile:
        request = identity_pb2.GetOrganisationRequest(id=organisation_id)
        answer = await call(self._stub.GetOrganisation, request, token=self._own_token())
        return _profile(answer.organisation)

    async def _ask_mandate(self, key: tuple[str, str, str, str]) -> tuple[str, Profile]:
        principal, agent, power, document_type = key
        request = identity_pb2.CheckMandateRequest(
            principal_organisation_id=principal,
            agent_organisation_id=agent,
            power=power,
            document_type=document_type,
        )
        try:
            answer = await call(self._stub.CheckMandate, request, token=self._own_token())
        except NotFound as error:
            raise _no_mandate() from error
        if not answer.allowed:
            raise _no_mandate()
        return answer.mandate_id, _profile(answer.principal)


def _no_mandate() -> Forbidden:
    return Forbidden("MANDATE_REQUIRED", "no mandate in force allows this for that organisation")


def _profile(organisation: identity_pb2.Organisation) -> Profile:
    is_settled = organisation.state in ("", "ACTIVE")
    return Profile(organisation.id, tuple(organisation.attributes), organisation.billing_mode, is_settled)


class ProfilesTold:
    """Profiles that intake's processes tell each other of: what is lately known, and what was last known."""

    def __init__(self, shared: Shared, secret: str) -> None:
        self._lately = Answers(shared, secret, "profile", PROFILE_TOLD_SECONDS)
        self._last = Answers(shared, secret, "profile-last", PROFILE_WITHOUT_IDENTITY_SECONDS)

    async def lately(self, organisation_id: str) -> Profile | None:
        return _as_told(await self._lately.get(organisation_id))

    async def last(self, organisation_id: str) -> Profile | None:
        return _as_told(await self._last.get(organisation_id))

    async def tell(self, profile: Profile) -> None:
        told = msgspec.json.encode(profile).decode()
        await self._lately.put(profile.organisation_id, told)
        await self._last.put(profile.organisation_id, told)


def _as_told(told: str | None) -> Profile | None:
    """Nothing when another release told it in other words."""
    try:
        return None if told is None else msgspec.json.decode(told, type=Profile)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


class Memory(Generic[K, V]):
    """Answers remembered for a while. Those who ask the same at the same time share one question, not its refusal."""

    def __init__(self) -> None:
        self._known: dict[K, tuple[float, V]] = {}
        self._asking: dict[K, asyncio.Task[V]] = {}

    def known(self, key: K, seconds: float) -> V | None:
        found = self._known.get(key)
        return found[1] if found is not None and time.monotonic() - found[0] < seconds else None

    async def get(self, key: K, seconds: float, ask: Callable[[K], Awaitable[V]]) -> V:
        found = self.known(key, seconds)
        if found is not None:
            return found
        asking = self._asking.get(key)
        if asking is not None:
            try:
                return await asyncio.shield(asking)
            except Forbidden:
                return await self._ask(key, ask)
        return await asyncio.shield(self._begin(key, ask))

    def _begin(self, key: K, ask: Callable[[K], Awaitable[V]]) -> asyncio.Task[V]:
        asking = asyncio.create_task(self._ask(key, ask))
        self._asking[key] = asking
        asking.add_done_callback(lambda done: self._forget_question(key, done))
        return asking

    def _forget_question(self, key: K, done: asyncio.Task[V]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # those who wait raise it; nobody else needs to hear

    async def _ask(self, key: K, ask: Callable[[K], Awaitable[V]]) -> V:
        asked_at = time.monotonic()
        answer = await ask(key)
        if len(self._known) >= ENTRIES_MAX:
            self._known.clear()
        self._known[key] = (asked_at, answer)
        return answer
