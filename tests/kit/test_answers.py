"""What processes tell each other through Redis: sealed, bounded in time, and never needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from google.protobuf.empty_pb2 import Empty
from kit import auth, clock, outbox, service
from kit.auth import RevocationSource, Revoked, TokenVerifier
from kit.database import Database
from kit.errors import Unauthenticated, Unavailable
from kit.relay import Relay
from kit.service import REVOCATION_HINTS
from kit.settings import ServiceSettings
from kit.shared import redis
from kit.shared.answers import Answers
from kit.shared.inprocess import InProcess
from kit.shared.redis import RedisShared
from kit.shared.sturdy import Sturdy
from kit.testing import TokenMint, a_principal

from tests.kit.redis_server import RedisServer
from tests.kit.test_shared import until
from tests.kit.test_standing import Bus


class Keys:
    """Identity's keys, asked and counted; away when a test says so."""

    def __init__(self, mint: TokenMint) -> None:
        self._mint = mint
        self.asked = 0
        self.is_away = False

    async def keys(self) -> Mapping[str, str]:
        self.asked += 1
        if self.is_away:
            raise Unavailable("OVERLOADED", "identity is away")
        return await self._mint.keys()


async def nobody(after: int) -> Sequence[Revoked]:
    return []


async def knowing(verifier: TokenVerifier, source: RevocationSource = nobody) -> TokenVerifier:
    """It has asked for revocations once."""
    stop, is_asked = asyncio.Event(), asyncio.Event()

    async def asked(after: int) -> Sequence[Revoked]:
        is_asked.set()
        return await source(after)

    watching = asyncio.create_task(verifier.watch_revocations(asked, stop))
    await is_asked.wait()
    stop.set()
    await watching
    return verifier


async def test_an_answer_is_told_to_who_has_the_secret_and_to_nobody_else(
    shared: Sturdy, redis_server: RedisServer
) -> None:
    await Answers(shared, "secret", "kind", 60).put("person@example.org", "what is known")
    assert await Answers(shared, "secret", "kind", 60).get("person@example.org") == "what is known"
    assert await Answers(shared, "another", "kind", 60).get("person@example.org") is None
    assert await Answers(shared, "secret", "other kind", 60).get("person@example.org") is None
    keys = redis_server.ask("EVAL \"return table.concat(redis.call('KEYS', '*'), ' ')\" 0")
    assert b"example" not in keys
    value = redis_server.ask(f'GET "{keys.decode().split()[-1]}"')
    assert b"known" not in value


async def test_a_value_moved_under_another_key_or_made_up_is_no_answer(shared: Sturdy) -> None:
    answers = Answers(shared, "secret", "kind", 60)
    await answers.put("a", "of a")
    sealed = await shared.get(answers._key("a"))
    assert sealed is not None
    await shared.put(answers._key("b"), sealed, 60)
    assert await answers.get("b") is None
    for made_up in (b"", b"\xff\x00", b"AAAA", sealed[:-4]):
        await shared.put(answers._key("a"), made_up, 60)
        assert await answers.get("a") is None


async def test_its_time_may_be_shorter_and_never_longer(shared: Sturdy, redis_server: RedisServer) -> None:
    answers = Answers(shared, "secret", "kind", 60)
    for ttl_s, most_ms in ((5.0, 5_000), (9_999.0, 60_000)):
        await answers.put("a", "x", ttl_s)
        left = int(redis_server.ask(f'PTTL "{redis.PREFIX}{answers._key("a")}"')[1:])
        assert most_ms - 4_000 < left <= most_ms
    await answers.put("b", "x", 0.0)
    assert await answers.get("b") is None


async def test_without_a_secret_nothing_is_told() -> None:
    shared = InProcess()
    answers = Answers(shared, "", "kind", 60)
    await answers.put("a", "x")
    assert await answers.get("a") is None
    assert not shared._values


async def test_a_token_that_one_process_verified_is_known_to_the_others(shared: Sturdy, mint: TokenMint) -> None:
    told = Answers(shared, "secret", "token", 900)
    keys = Keys(mint)
    token = mint.token(a_principal("declarant", person="p1", language="fr"))
    first = await (await knowing(TokenVerifier(mint, told=told))).verify(token)
    second = await (await knowing(TokenVerifier(keys, told=told))).verify(token)
    assert second == first
    assert second.token == token
    assert keys.asked == 0


async def test_a_token_told_is_not_believed_before_revocations_are_known(shared: Sturdy, mint: TokenMint) -> None:
    told = Answers(shared, "secret", "token", 900)
    keys = Keys(mint)
    keys.is_away = True
    token = mint.token(a_principal("declarant", person="p1"))
    await (await knowing(TokenVerifier(mint, told=told))).verify(token)
    with pytest.raises(Unavailable):
        await TokenVerifier(keys, told=told).verify(token)
    knows = await knowing(TokenVerifier(keys, told=told))
    knows.revoke([Revoked(1, "p1", 9e9)])
    with pytest.raises(Unauthenticated):
        await knows.verify(token)


async def test_a_process_that_starts_while_identity_is_away_knows_tokens_and_revocations_from_others(
    shared: Sturdy, mint: TokenMint
) -> None:
    told = Answers(shared, "secret", "token", 900)
    good, void = (mint.token(a_principal("declarant", person=person)) for person in ("good", "void"))

    async def heard(after: int) -> Sequence[Revoked]:
        return [Revoked(1, "void", 9e9)] if after == 0 else []

    async def unknown(after: int) -> Sequence[Revoked]:
        raise Unavailable("OVERLOADED", "identity is away")

    keys = Keys(mint)
    keys.is_away = True
    first = await knowing(TokenVerifier(mint, told=told))
    for token in (good, void):
        await first.verify(token)
    alone = await knowing(TokenVerifier(keys, told=Answers(shared, "another", "token", 900)), unknown)
    with pytest.raises(Unavailable):
        await alone.verify(good)
    await knowing(first, heard)
    started = await knowing(TokenVerifier(keys, told=told), unknown)
    assert (await started.verify(good)).subject == "good"
    with pytest.raises(Unauthenticated):
        await started.verify(void)


async def test_an_expired_token_told_is_refused(shared: Sturdy, mint: TokenMint) -> None:
    told = Answers(shared, "secret", "token", 900)
    token = mint.token(a_principal("declarant", person="p1"))
    await (await knowing(TokenVerifier(mint, told=told))).verify(token)
    later = clock.now() + timedelta(hours=1)
    with clock.told_by(lambda: later), pytest.raises(Unauthenticated):
        await (await knowing(TokenVerifier(mint, told=told))).verify(token)


async def test_what_another_release_told_in_other_words_is_asked_anew(shared: Sturdy, mint: TokenMint) -> None:
    told = Answers(shared, "secret", "token", 900)
    token = mint.token(a_principal("declarant", person="p1"))
    for words in ("{}", "no JSON", '{"subject": 7}'):
        await told.put(token, words)
        keys = Keys(mint)
        assert (await (await knowing(TokenVerifier(keys, told=told))).verify(token)).subject == "p1"
        assert keys.asked == 1


async def test_tokens_are_verified_while_redis_is_killed_and_frozen(redis_server: RedisServer, mint: TokenMint) -> None:
    shared = Sturdy(RedisShared(redis_server.url), 1)
    verifier = await knowing(TokenVerifier(mint, told=Answers(shared, "secret", "token", 900)))
    for happens in ("nothing", "pause", "kill9"):
        if happens != "nothing":
            getattr(redis_server, happens)()
        for number in range(5):
            person = f"{happens}-{number}"
            assert (await verifier.verify(mint.token(a_principal("declarant", person=person)))).subject == person
    await shared.close()


async def test_a_fact_of_identitys_makes_revocations_known_at_once(
    shared: Sturdy, redis_server: RedisServer, mint: TokenMint, kit_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay of the service that says the fact gives the hint; without it the poll goes on."""
    monkeypatch.setattr(auth, "REVOCATIONS_POLL_S", 60.0)
    asked_at: list[float] = []

    class Source:
        async def revocations(self, after: int) -> Sequence[Revoked]:
            asked_at.append(time.monotonic())
            return []

    stop = asyncio.Event()
    verifier = TokenVerifier(mint)
    watching = asyncio.create_task(service.watch_revocations(verifier, Source(), shared, stop))  # type: ignore[arg-type]
    running = asyncio.create_task(Relay("tests", kit_database, Bus(), shared).run(stop))
    await until(lambda: redis_server.ask(f"PUBSUB CHANNELS {redis.PREFIX}{REVOCATION_HINTS}") == b"*1")
    await asyncio.sleep(2 * auth.REVOCATIONS_HINTED_S)
    assert len(asked_at) == 1
    async with kit_database.transaction() as tx:
        await outbox.append(tx, topic=REVOCATION_HINTS, key="o", message=Empty())
    await until(lambda: len(asked_at) == 2)
    stop.set()
    await asyncio.gather(watching, running)


def test_each_process_alone_has_nothing_to_tell() -> None:
    settings = ServiceSettings(service_secret="s")
    assert service.tokens_told(settings, InProcess()) is None
