"""The way out: only public addresses, judged once and connected to as judged; nothing of the other side is trusted."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kit.errors import Invalid
from notifications.domain.addresses import is_allowed
from notifications.domain.endpoints import refuse_unusable
from notifications.domain.posts import RESPONSE_BYTES_KEPT
from notifications.domain.signing import HMAC, Key, headers
from notifications.store import egress
from notifications.store.egress import LOOKUPS_MAX, Egress, Resolver

from tests.notifications.receiver import OK, Receiver, answer, certificate

SIGNED = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"}


class FakeResolver:
    """A name server in a stranger's hands: another answer at each question, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[tuple[str, int]] = []
        self._answers = answers

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),  # noqa: S104
        *("169.254.169.254", "168.63.129.16", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.0.2.1", "203.0.113.1"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "::127.0.0.1"),
        *("fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
        *("2001::1", "2001:db8::1", "2002:7f00:1::", "fec0::1", "100::1", "3fff::1", "nonsense", "", "1.2.3"),
    ],
)
def test_no_other_address_is(address: str) -> None:
    assert not is_allowed(address)


def test_loopback_is_for_demonstrations_and_nothing_else_comes_with_it() -> None:
    assert is_allowed("127.0.0.1", loopback_allowed=True)
    assert is_allowed("::1", loopback_allowed=True)
    assert not is_allowed("10.0.0.1", loopback_allowed=True)
    assert not is_allowed("::ffff:127.0.0.1", loopback_allowed=True)


@pytest.mark.parametrize(
    "url",
    [
        *("http://a.example/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/x"),
        *("https://169.254.169.254/latest", "https://[::ffff:8.8.8.8]/", "ftp://a.example/", "https://", "https:///x"),
        *("https://u:p@a.example/", "https://u@a.example/", "https://a.example/#f", "https://a.example:0/"),
        *("https://a.example:99999/", "https://[::1/", "https://a.example/ x", "https://é.example/", "x" * 3000),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_when_it_is_given(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_unusable(url, ["document.submitted"], is_demo=False)
    assert [(one.pointer, one.code) for one in refused.value.violations] == [("/url", "WEBHOOK_URL_REFUSED")]


def test_a_demonstration_may_use_http_on_this_machine() -> None:
    refuse_unusable("http://127.0.0.1:9000/hook", [], is_demo=True)
    refuse_unusable("https://a.example/hook?x=1", [], is_demo=False)
    with pytest.raises(Invalid):
        refuse_unusable("http://192.168.0.1/", [], is_demo=True)


@pytest.mark.parametrize("found", [["10.0.0.7"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], []])
async def test_a_name_that_leads_inside_is_not_connected_to(found: list[str]) -> None:
    async with Receiver() as receiver:
        way = Egress(resolve=FakeResolver(found))
        outcome = await way.post(f"http://inside.example:{receiver.port}/", SIGNED, b"{}")
    assert outcome.status is None
    assert "inside.example" in outcome.failure
    assert receiver.received == []


async def test_a_name_that_changes_its_mind_is_asked_once_and_the_judged_address_is_used() -> None:
    """DNS rebinding: a public answer for the judge, an inner one for the connection. There is no second question."""
    resolver = FakeResolver(["127.0.0.1"], ["10.0.0.1"])
    async with Receiver() as receiver:
        way = Egress(resolve=resolver, loopback_allowed=True)
        url = f"http://rebinding.example:{receiver.port}/hook"
        first = await way.post(url, SIGNED, b"{}")
        assert resolver.asked == [("rebinding.example", receiver.port)]
        retry = await way.post(url, SIGNED, b"{}")
    assert (first.status, retry.status) == (204, None)
    assert "10.0.0.1" in retry.failure
    assert len(resolver.asked) == 2
    assert [one.headers["host"] for one in receiver.received] == [f"rebinding.example:{receiver.port}"]


async def test_tls_speaks_of_the_name_though_the_address_was_chosen(tmp_path: Path) -> None:
    server, client = certificate("hooks.example", tmp_path)
    async with Receiver(tls=server) as receiver:
        way = Egress(resolve=FakeResolver(["127.0.0.1"]), loopback_allowed=True, tls=client)
        good = await way.post(f"https://hooks.example:{receiver.port}/", SIGNED, b"{}")
        other = await way.post(f"https://other.example:{receiver.port}/", SIGNED, b"{}")
    assert good.is_success
    assert receiver.server_names == ["hooks.example", "other.example"]
    assert other.status is None
    assert "certificate" in other.failure.lower()
    assert len(receiver.received) == 1


async def test_a_redirect_is_an_answer_and_not_an_instruction() -> None:
    async with Receiver() as inner, Receiver(answer(302, b"", f"location: http://127.0.0.1:{inner.port}/")) as outer:
        outcome = await Egress(loopback_allowed=True).post(outer.url, SIGNED, b"{}")
    assert (outcome.status, outcome.is_success) == (302, False)
    assert inner.received == []


async def test_two_kilobytes_of_an_answer_are_kept_and_no_nul() -> None:
    endless = b"HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n" + b"1000\r\n" + b"\x00\xffA" * 4096
    async with Receiver(answer(200, b"\x00ok\x00"), endless) as receiver:
        way = Egress(loopback_allowed=True)
        short = await way.post(receiver.url, SIGNED, b"{}")
        long = await way.post(receiver.url, SIGNED, b"{}")
    assert (short.status, short.body) == (200, "ok")
    assert long.status == 500
    assert "\x00" not in long.body
    assert len(long.body) <= RESPONSE_BYTES_KEPT


async def test_who_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "TIMEOUT_S", 0.2)
    async with Receiver(pause_s=5.0) as receiver:
        outcome = await Egress(loopback_allowed=True).post(receiver.url, SIGNED, b"{}")
    assert outcome.status is None
    assert outcome.failure.startswith("no answer within")


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"])
async def test_who_breaks_off_has_not_received(raw: bytes) -> None:
    async with Receiver(raw) as receiver:
        outcome = await Egress(loopback_allowed=True).post(receiver.url, SIGNED, b"{}")
    assert not outcome.is_success
    assert outcome.failure


@pytest.mark.parametrize("host", ["x" * 70 + ".example", "no-such-host.invalid", "[fe80::1]"])
async def test_a_name_nobody_has_is_a_failure_like_any_other(host: str) -> None:
    async with asyncio.timeout(10):
        assert (await Egress().post(f"http://{host}/", SIGNED, b"{}")).failure


async def test_the_path_the_query_and_the_bytes_arrive_as_they_are() -> None:
    async with Receiver(OK) as receiver:
        await Egress(loopback_allowed=True).post(receiver.url, SIGNED, '{"a": "é"}'.encode())
    [one] = receiver.received
    assert (one.path, one.body) == ("/hook?a=1", '{"a": "é"}'.encode())
    assert one.headers["content-type"] == "application/json"


def test_the_published_vector_of_standard_webhooks_is_ours_too() -> None:
    """From the reference libraries' own tests."""
    key = Key(HMAC, base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    at = datetime.fromtimestamp(1614265330, UTC)
    made = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', [key])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert made["webhook-timestamp"] == "1614265330"


async def test_names_that_hang_never_hold_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hanging look-up held one of the loop's four threads; letters and healthy receivers waited behind them."""
    answered, asked = asyncio.Event(), []

    async def hangs(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        await answered.wait()
        return [(0, 0, 0, "", ("192.0.2.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hangs)
    resolver = Resolver()
    waiting = [asyncio.create_task(resolver(f"hangs-{number}.example", 443)) for number in range(6)]
    await asyncio.sleep(0.05)
    assert len(asked) == LOOKUPS_MAX
    assert await resolver("192.0.2.7", 443) == ["192.0.2.7"]
    for one in waiting[:LOOKUPS_MAX]:
        one.cancel()
    await asyncio.sleep(0.05)
    assert len(asked) == LOOKUPS_MAX, "a thread is free when its look-up ends, not when the asker has gone"
    answered.set()
    assert await asyncio.gather(*waiting[LOOKUPS_MAX:]) == [["192.0.2.1"]] * 4
