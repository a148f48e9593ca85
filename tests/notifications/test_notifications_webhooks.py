"""Webhooks: a client's program is told of its documents, in numbered order, signed, until it says yes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kit import clock
from kit.database import Database
from notifications import actions
from notifications.actions import posting
from notifications.actions.packs import HEARD
from notifications.domain.posts import ATTEMPTS_MAX, RETRY_AFTER_S, next_try
from notifications.domain.publishing import PUBLISHED
from notifications.domain.signing import Vault
from packs import reader
from portolan.intake.v1 import events_pb2 as intake
from portolan.notifications.v1 import events_pb2

from tests.notifications.builders import (
    NOW,
    a_pack,
    a_rule,
    an_event,
    charged,
    credited,
    hear,
    imputed,
    refused,
    rows,
    submitted,
    task_opened,
)
from tests.notifications.receiver import OK, Receiver, answer
from tests.notifications.webhooks import (
    BROKER,
    IMPORTER,
    LOG,
    STRANGER,
    VAULT,
    a_poster,
    an_endpoint,
    make_due,
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


# --- what is told, and to whom


async def test_an_event_arrives_signed_over_the_very_bytes(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    made = await an_endpoint(desk, receiver.url)
    await hear(db, submitted())
    assert await a_poster(db).post_due() == 1
    [one] = receiver.received
    assert one.is_signed_by(public_key(made))
    assert not one.is_signed_by("whpk_" + "A" * 43 + "=")
    assert abs(int(one.headers["webhook-timestamp"]) - clock.now().timestamp()) < 10
    assert one.content == {
        **{"type": "document.submitted", "timestamp": "2026-09-01T12:00:00.000000Z", "sequence": 1},
        "data": {
            **{"document_id": "doc-1", "reference": "A-doc-1", "document_type": "permit.a"},
            **{"version": 0, "state": "REGISTERED"},
        },
    }
    [kept] = await rows(db, "select id, body, state, response_status from webhook_deliveries")
    assert kept == (one.id, one.body.decode(), "DELIVERED", 204)


async def test_owner_and_submitter_hear_of_their_document_and_nobody_else_does(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    mine = {
        caller.organisation_id: (await an_endpoint(desk, receiver.url, caller=caller)).endpoint.id
        for caller in (IMPORTER, BROKER, STRANGER)
    }
    await hear(db, submitted(), task_opened(), imputed(), charged(), credited())
    told = await rows(db, "select endpoint_id, type from webhook_deliveries order by type")
    assert {kind for name, kind in told if name == mine["importer"]} == {
        *("document.submitted", "task.opened", "title.imputed", "charge.recorded", "credit.noted")
    }
    # What it costs is between the authority and who pays.
    assert {kind for name, kind in told if name == mine["broker"]} == {
        *("document.submitted", "task.opened", "title.imputed")
    }
    assert mine["stranger"] not in {name for name, _ in told}


async def test_an_endpoint_hears_what_it_asked_for_and_its_sequence_has_no_gap(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    await an_endpoint(desk, receiver.url, "document.submitted", "title.imputed")
    await hear(db, submitted(), task_opened(), imputed())
    await hear(db, charged(), refused(), submitted("doc-2"))
    assert [row[:2] for row in await rows(db, LOG)] == [
        (1, "document.submitted"),
        (2, "title.imputed"),
        (3, "document.submitted"),
    ]


async def test_an_event_said_a_hundred_times_is_one_delivery(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    made = await an_endpoint(desk, receiver.url)
    event = an_event(submitted())
    for _ in range(100):
        await hear(db, event)
    assert await rows(db, LOG) == [(1, "document.submitted", "PENDING", 0)]
    assert (await desk.get(IMPORTER, made.endpoint.id)).endpoint.last_sequence == 1


async def test_an_event_that_no_rule_of_the_pack_names_is_told_all_the_same_and_may_come_first(
    service_database: Database, receiver: Receiver
) -> None:
    rule = a_rule("R1", intake.DocumentSubmitted, "received", "owner")
    await actions.load_pack(service_database, a_pack(rule))
    await an_endpoint(actions.WebhookDesk(service_database, VAULT, is_demo=True), receiver.url)
    await hear(service_database, imputed())
    assert await rows(service_database, LOG) == []
    await hear(service_database, submitted())
    assert sorted(row[1] for row in await rows(service_database, LOG)) == ["document.submitted", "title.imputed"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_said_by_somebody_with_these_very_fields(name: str) -> None:
    known = HEARD[name].DESCRIPTOR.fields_by_name
    assert {PUBLISHED[name].at, *PUBLISHED[name].members} <= set(known)
    guide = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    assert f"| `{PUBLISHED[name].name}` |" in guide
    assert all(f"`{member}`" in guide for member in PUBLISHED[name].members)


# --- keys


async def test_hmac_is_signed_with_a_secret_shown_once(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    made = await an_endpoint(desk, receiver.url, signature="hmac")
    assert made.secret.startswith("whsec_")
    assert made.public_keys == []
    assert (await desk.get(IMPORTER, made.endpoint.id)).secret == ""
    await hear(db, submitted())
    await a_poster(db).post_due()
    assert receiver.received[0].is_signed_by(made.secret)


@pytest.mark.parametrize("signature", ["ed25519", "hmac"])
async def test_during_a_rotation_both_keys_sign_and_then_the_new_one_alone(
    signature: str, db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    made = await an_endpoint(desk, receiver.url, signature=signature)
    old = made.secret or public_key(made)
    rotated = await desk.rotate(IMPORTER, made.endpoint.id, "again")
    assert await desk.rotate(IMPORTER, made.endpoint.id, "again") == rotated
    new = rotated.secret or public_key(rotated)
    assert len(rotated.keys) == 2
    await hear(db, submitted())
    await a_poster(db).post_due()
    await rows_changed(db, "update webhook_keys set expires_at = now() where expires_at is not null")
    await hear(db, submitted("doc-2"))
    await a_poster(db).post_due()
    during, after = receiver.received
    assert during.is_signed_by(old)
    assert during.is_signed_by(new)
    assert after.is_signed_by(new)
    assert not after.is_signed_by(old)


async def test_a_second_rotation_ends_the_oldest_key(desk: actions.WebhookDesk, receiver: Receiver) -> None:
    made = await an_endpoint(desk, receiver.url)
    for number in range(3):
        shown = await desk.rotate(IMPORTER, made.endpoint.id, f"r{number}")
        assert len(shown.keys) == 2
    assert made.keys[0].id not in {key.id for key in shown.keys}


async def test_keys_rest_sealed_and_another_service_secret_opens_none(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    await an_endpoint(desk, receiver.url)
    await hear(db, submitted())
    await a_poster(db, Vault("another")).post_due()
    assert receiver.received == []
    [(state, failure)] = await rows(db, "select state, failure from webhook_deliveries")
    assert (state, failure) == ("PENDING", "its keys cannot be opened: rotate them")


# --- retries


def test_the_schedule_is_five_seconds_to_ten_hours_with_jitter_and_never_early() -> None:
    assert RETRY_AFTER_S == (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
    for attempt, wait_s in enumerate(RETRY_AFTER_S, 1):
        waits = {(next_try(attempt, "", NOW) - NOW).total_seconds() for _ in range(50)}
        assert wait_s <= min(waits) < max(waits) <= wait_s * 1.2


@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [
        *(("60", 60.0), ("1", 5.0), ("", 5.0), ("soon", 5.0), ("-5", 5.0), ("999999999999", 86_400.0)),
        *(("Tue, 01 Sep 2026 12:10:00 GMT", 600.0), ("Mon, 31 Aug 2026 12:00:00 GMT", 5.0), ("1e9", 5.0)),
    ],
)
def test_a_receiver_may_ask_for_more_time_but_not_for_ever(asked: str, wait_s: float) -> None:
    assert wait_s <= (next_try(1, asked, NOW) - NOW).total_seconds() <= max(wait_s, 6.0)


async def test_a_no_is_tried_again_until_it_is_a_yes(db: Database, desk: actions.WebhookDesk) -> None:
    async with Receiver(answer(500, b"\x00broken"), answer(429, b"", "retry-after: 900"), OK) as receiver:
        made = await an_endpoint(desk, receiver.url)
        await hear(db, submitted())
        await a_poster(db).post_due()
        [(state, body, failure)] = await rows(db, "select state, response_body, failure from webhook_deliveries")
        assert (state, body, failure) == ("PENDING", "broken", "answered 500")
        assert (await desk.get(IMPORTER, made.endpoint.id)).endpoint.failing_since is not None
        assert await a_poster(db).post_due() == 0
        await make_due(db)
        await a_poster(db).post_due()
        [(wait_s,)] = await rows(db, "select extract(epoch from due_at - now())::float from webhook_deliveries")
        assert wait_s > 890
        await make_due(db)
        await a_poster(db).post_due()
    assert len({one.id for one in receiver.received}) == 1
    assert len({one.body for one in receiver.received}) == 1
    assert await rows(db, LOG) == [(1, "document.submitted", "DELIVERED", 3)]
    assert (await desk.get(IMPORTER, made.endpoint.id)).endpoint.failing_since is None


async def test_after_the_last_retry_it_is_failed_and_the_endpoint_goes_on(
    db: Database, desk: actions.WebhookDesk
) -> None:
    async with Receiver(answer(503)) as receiver:
        made = await an_endpoint(desk, receiver.url)
        await hear(db, submitted())
        for _ in range(ATTEMPTS_MAX + 2):
            await a_poster(db).post_due()
            await make_due(db)
    assert len(receiver.received) == ATTEMPTS_MAX == 8
    assert await rows(db, LOG) == [(1, "document.submitted", "FAILED", 8)]
    assert (await desk.get(IMPORTER, made.endpoint.id)).endpoint.is_enabled


async def test_gone_disables_and_holds_the_rest(db: Database, desk: actions.WebhookDesk) -> None:
    async with Receiver(answer(410)) as receiver:
        made = await an_endpoint(desk, receiver.url)
        await hear(db, submitted())
        await a_poster(db).post_due()
        await hear(db, submitted("doc-2"))
        assert await a_poster(db).post_due() == 0
    shown = (await desk.get(IMPORTER, made.endpoint.id)).endpoint
    assert (shown.state, shown.disabled_reason) == ("DISABLED", "GONE")
    assert [row[2] for row in await rows(db, LOG)] == ["FAILED", "HELD"]
    assert await said(db) == [events_pb2.WebhookEndpointDisabled.DESCRIPTOR.full_name]


async def test_five_days_of_failure_disable_and_it_is_said(db: Database, desk: actions.WebhookDesk) -> None:
    async with Receiver(answer(500)) as receiver:
        made = await an_endpoint(desk, receiver.url)
        await hear(db, submitted())
        await a_poster(db).post_due()
        await rows_changed(db, "update webhook_endpoints set failing_since = now() - interval '4 days 23 hours'")
        await make_due(db)
        await a_poster(db).post_due()
        assert (await desk.get(IMPORTER, made.endpoint.id)).endpoint.is_enabled
        await rows_changed(db, "update webhook_endpoints set failing_since = now() - interval '5 days'")
        await make_due(db)
        await a_poster(db).post_due()
    shown = (await desk.get(IMPORTER, made.endpoint.id)).endpoint
    assert (shown.state, shown.disabled_reason) == ("DISABLED", "FAILING")
    assert await rows(db, LOG) == [(1, "document.submitted", "HELD", 3)]
    assert await said(db) == [events_pb2.WebhookEndpointDisabled.DESCRIPTOR.full_name]


async def test_whose_receiver_was_given_up_is_told(service_database: Database, receiver: Receiver) -> None:
    rule = a_rule("R9", events_pb2.WebhookEndpointDisabled, "stopped", "owner")
    await actions.load_pack(service_database, a_pack(rule))
    gone = events_pb2.WebhookEndpointDisabled(
        endpoint_id="e", organisation_id="importer", url=receiver.url, reason="GONE"
    )
    await hear(service_database, gone)
    told = await rows(service_database, "select recipient_id, channel, title from deliveries order by 1, 2")
    assert told == [
        ("importer", "in_app", receiver.url),
        ("importer-ar", "email", receiver.url),
        ("importer-en", "email", receiver.url),
    ]


def test_every_country_tells_whose_receiver_was_given_up() -> None:
    for pack in (reader.read(path.parent) for path in reader.default_pack_path().parent.glob("*/pack.yaml")):
        assert events_pb2.WebhookEndpointDisabled.DESCRIPTOR.full_name in {r.event for r in pack.notification_rules}


async def said(db: Database) -> list[str]:
    return [row[0] for row in await rows(db, "select type from outbox order by id")]


# --- crashes and company


async def test_killed_between_the_receivers_yes_and_our_commit_it_is_sent_once_more_under_the_same_id(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_endpoint(desk, receiver.url)
    await hear(db, submitted())
    with monkeypatch.context() as patch:
        patch.setattr(posting, "_settle", killed)
        with pytest.raises(KilledHere):
            await a_poster(db).post_due()
    assert await a_poster(db).post_due() == 0  # the lease still holds
    await make_due(db)
    assert await a_poster(db).post_due() == 1
    await make_due(db)
    assert await a_poster(db).post_due() == 0
    assert len(receiver.received) == 2
    assert len({(one.id, one.body) for one in receiver.received}) == 1
    assert await rows(db, LOG) == [(1, "document.submitted", "DELIVERED", 2)]


class KilledHere(BaseException):
    pass


async def killed(*_: Any) -> None:
    raise KilledHere


async def test_two_posters_send_each_once(db: Database, desk: actions.WebhookDesk, receiver: Receiver) -> None:
    for _ in range(3):
        await an_endpoint(desk, receiver.url)
    await hear(db, *[submitted(f"doc-{number}") for number in range(20)])
    posters = [a_poster(db) for _ in range(3)]
    while sum(await asyncio.gather(*(poster.post_due() for poster in posters))):
        pass
    assert len(receiver.received) == len({one.id for one in receiver.received}) == 60


async def test_a_receiver_that_hangs_does_not_keep_the_others_waiting(
    db: Database, desk: actions.WebhookDesk, receiver: Receiver
) -> None:
    async with Receiver(pause_s=3.0) as slow:
        await an_endpoint(desk, slow.url)
        await an_endpoint(desk, receiver.url)
        await hear(db, *[submitted(f"doc-{number}") for number in range(10)])
        stop, began = asyncio.Event(), clock.now()
        running = asyncio.create_task(a_poster(db).run(stop))
        while len(receiver.received) < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert clock.now() - began < timedelta(seconds=2.9)
        assert len(slow.received) <= posting.OF_EACH_MAX
        stop.set()
        await running
