"""Who asked for digests gets one letter for many, once, at their times; what is mandatory still comes at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from kit.auth import Principal
from kit.database import Database
from kit.errors import Invalid
from kit.testing import a_principal
from notifications import actions
from notifications.domain.deliveries import DIGEST_LETTERS_MAX
from notifications.domain.preferences import Preferences, QuietHours
from notifications.store.mail import MaildirMailer
from packs.model import Pack
from portolan.billing.v1 import events_pb2 as billing
from portolan.intake.v1 import events_pb2 as intake

from tests.notifications.builders import TEMPLATES, a_pack, a_rule, charged, hear, rows, submitted

pytestmark = pytest.mark.service("notifications")

LAGOS = ZoneInfo("Africa/Lagos")  # UTC+1, the pack's
RULES = (
    a_rule("R1", intake.DocumentSubmitted, "received", "owner"),
    a_rule("R2", billing.ChargeRecorded, "charged", "owner", mandatory=True),
)
LETTERS = """
    select rule, recipient_id, state, gathered from deliveries where channel = 'email' order by recipient_id, rule, id
"""
AR: Principal = a_principal("declarant", organisation_id="importer", person="importer-ar")


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack(*RULES))
    desk = actions.PreferenceDesk(service_database, actions.RuleDesk())
    await desk.write(AR, [], "", "", ["09:00", "16:00"])
    return service_database


def later_without_digests() -> Pack:
    pack = a_pack(*RULES, version="2", templates={key: texts for key, texts in TEMPLATES.items() if key != "digest"})
    later = msgspec.structs.replace(pack.identity, effective_from=date(2026, 2, 1))
    return msgspec.structs.replace(pack, identity=later)


def gatherer(db: Database) -> actions.Gatherer:
    return actions.Gatherer(db, actions.RuleDesk())


async def the_hour_comes(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute("update deliveries set due_at = now() where gathered and state = 'PENDING'")


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-09-01T07:59", "2026-09-01T08:00"),
        ("2026-09-01T08:00", "2026-09-01T15:00"),
        ("2026-09-01T15:00", "2026-09-02T08:00"),
        ("2026-09-01T23:30", "2026-09-02T08:00"),
    ],
)
def test_a_letter_waits_for_the_next_digest(now: str, due: str) -> None:
    """In UTC; it is an hour later where the person is."""
    wish = Preferences(digest_at=(time(9), time(16)))
    rule = RULES[0]
    assert wish.due(rule, datetime.fromisoformat(f"{now}+00:00"), LAGOS) == datetime.fromisoformat(f"{due}+00:00")


def test_quiet_hours_hold_a_digest_back_and_mandatory_rules_wait_for_none() -> None:
    wish = Preferences(digest_at=(time(9),), quiet=QuietHours(time(8), time(10)))
    now = datetime(2026, 9, 1, 3, tzinfo=UTC)
    assert wish.due(RULES[0], now, LAGOS) == datetime(2026, 9, 1, 9, tzinfo=UTC)
    assert wish.due(RULES[1], now, LAGOS) == now


async def test_many_letters_are_one_digest_in_the_persons_language(db: Database, tmp_path: Path) -> None:
    await hear(db, submitted("doc-1"), submitted("doc-2"), charged())
    sender = actions.Sender(db, MaildirMailer(tmp_path, "Portolan <no-reply@portolan.example>"))
    await sender.send_due()
    held = [row for row in await rows(db, LETTERS) if row[1] == "importer-ar"]
    assert held == [
        *(("R1", "importer-ar", "PENDING", True), ("R1", "importer-ar", "PENDING", True)),
        ("R2", "importer-ar", "SENT", False),
    ]
    assert not await gatherer(db).gather_due()
    await the_hour_comes(db)
    assert await gatherer(db).gather_due()
    assert not await gatherer(db).gather_due()
    [digest] = await rows(db, "select id, language, title, body from deliveries where rule = 'DIGEST'")
    assert digest[1:3] == ("ar", "2 notices")
    assert digest[3].count("- ") == 2
    gathered = await rows(db, "select digest_id, state from deliveries where gathered")
    assert gathered == [(digest[0], "GATHERED")] * 2
    assert (await sender.send_due(), await sender.send_due()) == (1, 0)
    assert await rows(db, "select count(*) from deliveries where state = 'PENDING'") == [(0,)]


async def test_gatherers_side_by_side_put_each_letter_into_one_digest(db: Database) -> None:
    many = DIGEST_LETTERS_MAX + 20
    await hear(db, *[submitted(f"doc-{number}") for number in range(many)])
    await the_hour_comes(db)

    async def until_none() -> None:
        while await gatherer(db).gather_due():
            pass

    await asyncio.gather(*[until_none() for _ in range(4)])
    told = await rows(db, "select title from deliveries where rule = 'DIGEST'")
    assert sum(int(title.split()[0]) for (title,) in told) == many
    assert max(int(title.split()[0]) for (title,) in told) <= DIGEST_LETTERS_MAX
    [(loose,)] = await rows(db, "select count(*) from deliveries where gathered and state <> 'GATHERED'")
    assert loose == 0


async def test_a_gatherer_killed_before_its_commit_gathers_again(db: Database, monkeypatch: Any) -> None:
    await hear(db, submitted("doc-1"))
    await the_hour_comes(db)

    async def killed(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr("notifications.store.deliveries.put_into", killed)
        with pytest.raises(SystemExit):
            await gatherer(db).gather_due()
    assert await rows(db, "select count(*) from deliveries where rule = 'DIGEST'") == [(0,)]
    assert await gatherer(db).gather_due()
    assert await rows(db, "select count(*) from deliveries where rule = 'DIGEST'") == [(1,)]


async def test_a_pack_that_has_no_digests_any_more_sends_each_letter(db: Database) -> None:
    await hear(db, submitted("doc-1"), submitted("doc-2"))
    await actions.load_pack(db, later_without_digests())
    await the_hour_comes(db)
    assert await gatherer(db).gather_due()
    assert await rows(db, "select count(*) from deliveries where gathered") == [(0,)]
    assert await rows(db, "select count(*) from deliveries where rule = 'DIGEST'") == [(0,)]


async def test_digests_are_few_a_day_and_only_where_the_pack_has_them(service_database: Database) -> None:
    desk = actions.PreferenceDesk(service_database, actions.RuleDesk())
    await actions.load_pack(service_database, a_pack(*RULES))
    read = await desk.write(AR, [], "", "", ["16:00", "09:00", "09:00"])
    assert read.preferences.digest_at == (time(9), time(16))
    assert (await desk.read(AR)).preferences == read.preferences
    with pytest.raises(Invalid, match="INVALID_REQUEST"):
        await desk.write(AR, [], "", "", [f"{hour:02}:00" for hour in range(7)])
    await actions.load_pack(service_database, later_without_digests())
    with pytest.raises(Invalid, match="INVALID_REQUEST") as refused:
        await actions.PreferenceDesk(service_database, actions.RuleDesk()).write(AR, [], "", "", ["09:00"])
    assert [one.code for one in refused.value.violations] == ["NO_DIGESTS"]
