"""Profiles that intake's processes tell each other of: fewer questions, and answers while identity is away."""

from __future__ import annotations

import pytest
from intake.actions import directory
from intake.actions.directory import Directory, ProfilesTold
from kit.errors import Unavailable
from kit.shared.sturdy import Sturdy
from portolan.identity.v1 import identity_pb2

from tests.intake.builders import FakeIdentity
from tests.kit.redis_server import RedisServer


def a_process(identity: FakeIdentity, shared: Sturdy) -> Directory:
    return Directory(identity, lambda: "", ProfilesTold(shared, "secret"))


async def test_what_one_process_asked_lately_no_other_asks(shared: Sturdy) -> None:
    identity = FakeIdentity()
    first = await a_process(identity, shared).profile("org-a")
    assert await a_process(identity, shared).profile("org-a") == first
    assert identity.calls == ["GetOrganisation"]


async def test_a_process_that_starts_while_identity_is_away_knows_what_was_known_last(
    shared: Sturdy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "PROFILE_TOLD_SECONDS", 0.001)
    identity = FakeIdentity()
    known = await a_process(identity, shared).profile("org-a")
    identity.is_down = True
    assert await a_process(identity, shared).profile("org-a") == known
    with pytest.raises(Unavailable):
        await a_process(identity, shared).profile("org-b")


async def test_an_applicant_is_asked_for_each_time(shared: Sturdy, monkeypatch: pytest.MonkeyPatch) -> None:
    applicant = identity_pb2.Organisation(id="org-a", state="APPLYING")
    monkeypatch.setattr("tests.intake.builders._organisation", lambda _: applicant)
    identity = FakeIdentity()
    for _ in range(2):
        assert not (await a_process(identity, shared).profile("org-a")).is_settled
    assert len(identity.calls) == 2


async def test_without_redis_each_process_asks_for_itself(shared: Sturdy, redis_server: RedisServer) -> None:
    redis_server.kill9()
    identity = FakeIdentity()
    for _ in range(2):
        assert (await a_process(identity, shared).profile("org-a")).billing_mode == "subscriber"
    assert len(identity.calls) == 2
