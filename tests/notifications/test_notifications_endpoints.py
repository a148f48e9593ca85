"""A client minds its webhook endpoints, sees what was sent to them, and asks for it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from kit import clock, ids
from kit.database import Database
from kit.errors import Invalid, NotFound, Refused
from notifications import actions
from notifications.actions import posting
from notifications.domain import endpoints, posts
from notifications.domain.endpoints import ENDPOINTS_MAX
from notifications.store.egress import TIMEOUT_S

from tests.notifications.builders import (
    a_pack,
    hear,
    rows,
    submitted,
)
from tests.notifications.receiver import Receiver
from tests.notifications.webhooks import (
    BROKER,
    IMPORTER,
    STRANGER,
    VAULT,
    a_poster,
    an_endpoint,
    public_key,
    rows_changed,
)

pytestmark = pytest.mark.service("notifications")


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack())
    return service_database


@pytest.fixture
def desk(db: Database) -> actions.WebhookDesk:
    return actions.WebhookDesk(db, VAULT, is_demo=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


async def test_the_same_request_makes_one_endpoint(desk: actions.WebhookDesk, receiver: Receiver) -> None:
    first = await an_endpoint(desk, receiver.url, request_id="r", signature="hmac")
    assert await an_endpoint(desk, receiver.url, request_id="r", signature="hmac") == first
    with pytest.raises(Invalid) as reused:
        await an_endpoint(desk, receiver.url + "2", request_id="r", signature="hmac")
    assert reused.value.code == "IDEMPOTENCY_KEY_REUSED"
    assert len((await desk.all(IMPORTER, "", 0))[0]) == 1


async def test_an_unknown_event_type_is_refused_by_name(desk: actions.WebhookDesk) -> None:
    with pytest.raises(Invalid) as wrong:
        await an_endpoint(desk, "http://127.0.0.1:9/", "document.submitted", "no.such")
    assert [(one.pointer, one.message) for one in wrong.value.violations] == [("/event_types", "no.such")]


async def test_endpoints_are_counted(desk: actions.WebhookDesk) -> None:
    made = [await an_endpoint(desk, "http://127.0.0.1:9/") for _ in range(ENDPOINTS_MAX)]
    with pytest.raises(Refused, match="TOO_MANY_ENDPOINTS"):
        await an_endpoint(desk, "http://127.0.0.1:9/")
    await an_endpoint(desk, "http://127.0.0.1:9/", caller=BROKER)
    await desk.disable(IMPORTER, made[0].endpoint.id)
    await an_endpoint(desk, "http://127.0.0.1:9/")
    with pytest.raises(Refused, match="TOO_MANY_ENDPOINTS"):
        await desk.enable(IMPORTER, made[0].endpoint.id)


async def test_endpoints_are_listed_newest_first_in_pages(desk: actions.WebhookDesk) -> None:
    made = [(await an_endpoint(desk, "http://127.0.0.1:9/")).endpoint.id for _ in range(3)]
    page, cursor = await desk.all(IMPORTER, "", 2)
    rest, end = await desk.all(IMPORTER, cursor, 2)
    assert [one.endpoint.id for one in (*page, *rest)] == made[::-1]
    assert end == ""
    assert await desk.all(STRANGER, "", 0) == ([], "")


async def test_anothers_endpoint_is_not_the_callers_to_know(desk: actions.WebhookDesk, receiver: Receiver) -> None:
    name = (await an_endpoint(desk, receiver.url)).endpoint.id
    for attempt in (
        *(lambda: desk.get(STRANGER, name), lambda: desk.disable(STRANGER, name), lambda: desk.enable(STRANGER, name)),
        *(lambda: desk.rotate(STRANGER, name, "r"), lambda: desk.replay(STRANGER, name, 0, None)),
        *(lambda: desk.send_test(STRANGER, name, ids.new_id()), lambda: desk.log(STRANGER, name, "", "", 0)),
        *(lambda: desk.get(IMPORTER, "no-such"), lambda: desk.get(IMPORTER, "\x00")),
    ):
        with pytest.raises(NotFound):
            await attempt()


async def test_what_happens_while_disabled_is_held_numbered_and_replayed_from_a_sequence(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    name = (await an_endpoint(desk, receiver.url)).endpoint.id
    await hear(db, submitted())
    await a_poster(db).post_due()
    await hear(db, submitted("doc-2"))
    disabled = await desk.disable(IMPORTER, name)
    assert disabled.endpoint.disabled_reason == "BY_OWNER"
    assert await desk.disable(IMPORTER, name) == disabled
    await hear(db, submitted("doc-3"))
    with pytest.raises(Refused, match="ENDPOINT_DISABLED"):
        await desk.replay(IMPORTER, name, 1, None)
    assert (await desk.enable(IMPORTER, name)).endpoint.is_enabled
    assert await a_poster(db).post_due() == 0
    assert await desk.replay(IMPORTER, name, 1, None) == ([2, 3], 3)
    await a_poster(db).post_due()
    assert [one.content["sequence"] for one in receiver.received[:1]] == [1]
    assert sorted(one.content["sequence"] for one in receiver.received) == [1, 2, 3]


async def test_a_replay_sends_the_same_bytes_under_the_same_id(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    name = (await an_endpoint(desk, receiver.url)).endpoint.id
    await hear(db, submitted())
    await a_poster(db).post_due()
    before: datetime = clock.now()
    assert await desk.replay(IMPORTER, name, 0, before) == ([], 1)
    assert await desk.replay(IMPORTER, name, 0, before - timedelta(hours=1)) == ([1], 1)
    assert await desk.replay(IMPORTER, name, 0, None) == ([], 1)  # it is on its way
    await a_poster(db).post_due()
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)


async def test_a_test_event_reaches_an_endpoint_whatever_it_listens_to(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    made = await an_endpoint(desk, receiver.url, "charge.recorded")
    request = ids.new_id()
    first = await desk.send_test(IMPORTER, made.endpoint.id, request)
    again = await desk.send_test(IMPORTER, made.endpoint.id, request)
    assert first.id == again.id
    await a_poster(db).post_due()
    [one] = receiver.received
    assert (one.id, one.content["type"], one.content["sequence"]) == (first.id, "webhook.test", 1)
    assert one.is_signed_by(public_key(made))


async def test_the_log_is_paged_newest_first_and_filtered(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    name = (await an_endpoint(desk, receiver.url)).endpoint.id
    await hear(db, *[submitted(f"doc-{number}") for number in range(3)])
    await a_poster(db).post_due()
    await hear(db, submitted("doc-3"))
    page, cursor = await desk.log(IMPORTER, name, "", "", 3)
    rest, end = await desk.log(IMPORTER, name, "", cursor, 3)
    assert [post.sequence for post in (*page, *rest)] == [4, 3, 2, 1]
    assert end == ""
    assert [post.sequence for post in (await desk.log(IMPORTER, name, "PENDING", "", 0))[0]] == [4]
    assert page[1].response_status == 204


async def test_what_is_old_is_forgotten_and_an_abandoned_endpoint_with_it(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    kept, left = [(await an_endpoint(desk, receiver.url)).endpoint.id for _ in range(2)]
    await hear(db, submitted())
    await a_poster(db).post_due()
    await desk.disable(IMPORTER, left)
    assert endpoints.KEPT_DAYS == 90
    await rows_changed(
        db,
        "update webhook_endpoints set disabled_at = now() - interval '91 days' where state = 'DISABLED'",
        "update webhook_deliveries set created_at = now() - interval '91 days'",
    )
    stop = asyncio.Event()
    running = asyncio.create_task(a_poster(db).run(stop))
    while await rows(db, "select 1 from webhook_deliveries"):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    stop.set()
    await running
    assert [one.endpoint.id for one in (await desk.all(IMPORTER, "", 0))[0]] == [kept]
    assert (await desk.get(IMPORTER, kept)).endpoint.last_sequence == 1


def test_a_lease_outlives_the_longest_send() -> None:
    assert posting.LEASE_S > TIMEOUT_S
    assert posts.RESPONSE_BYTES_KEPT == 2_048
