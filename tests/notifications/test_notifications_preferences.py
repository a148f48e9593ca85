"""A person mutes what they need not hear and sleeps in quiet; what is mandatory is heard, what waits is not lost."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kit import clock
from kit.auth import Principal, set_caller
from kit.database import Database
from kit.errors import Invalid
from kit.testing import a_principal
from notifications import actions, api
from notifications.domain.preferences import QuietHours
from notifications.domain.signing import Vault
from notifications.store import deliveries as store
from notifications.store.mail import MaildirMailer
from packs import reader
from portolan.billing.v1 import events_pb2 as billing
from portolan.intake.v1 import events_pb2 as intake
from portolan.notifications.v1 import notifications_pb2 as pb

from tests.notifications.builders import a_pack, a_rule, charged, hear, rows, submitted

pytestmark = pytest.mark.service("notifications")

LAGOS = ZoneInfo("Africa/Lagos")  # UTC+1, the pack's
RULES = (
    a_rule("R1", intake.DocumentSubmitted, "received", "owner"),
    a_rule("R2", billing.ChargeRecorded, "charged", "owner", mandatory=True),
)
TOLD = "select rule, recipient_id, channel from deliveries order by 1, 2, 3"
DUE = "select recipient_id, due_at from deliveries where channel = 'email' and rule = 'R1'"


def person(name: str) -> Principal:
    return a_principal("declarant", organisation_id="importer", person=name)


AR, EN = person("importer-ar"), person("importer-en")


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack(*RULES))
    return service_database


@pytest.fixture
def desk(db: Database) -> actions.PreferenceDesk:
    return actions.PreferenceDesk(db, actions.RuleDesk())


async def test_who_muted_a_rule_gets_no_letter_and_others_do(db: Database, desk: actions.PreferenceDesk) -> None:
    await desk.write(AR, [("R1", "email")], "", "")
    await hear(db, submitted(), charged())
    assert await rows(db, TOLD) == [
        *(("R1", "importer", "in_app"), ("R1", "importer-en", "email")),
        *(("R2", "importer", "in_app"), ("R2", "importer-ar", "email"), ("R2", "importer-en", "email")),
    ]


async def test_who_muted_a_rule_in_the_feed_does_not_see_it_and_others_do(
    db: Database, desk: actions.PreferenceDesk
) -> None:
    await desk.write(AR, [("R1", "in_app")], "", "")
    await hear(db, submitted(), charged())
    assert [one.rule for one in await feed(db, desk, AR)] == ["R2"]
    assert [one.rule for one in await feed(db, desk, EN)] == ["R2", "R1"]


async def feed(db: Database, desk: actions.PreferenceDesk, caller: Principal) -> list[pb.Notification]:
    set_caller(caller)
    face = api.NotificationsApi(db, actions.WebhookDesk(db, Vault("s"), is_demo=False), desk)
    return list((await face.ListNotifications(pb.ListNotificationsRequest(), None)).notifications)


async def test_what_is_mandatory_cannot_be_muted(desk: actions.PreferenceDesk) -> None:
    with pytest.raises(Invalid) as refused:
        await desk.write(AR, [("R1", "email"), ("R2", "email"), ("R9", "email"), ("R1", "pigeon")], "", "")
    assert [(one.pointer, one.code) for one in refused.value.violations] == [
        *(("/muted/1", "MANDATORY_RULE"), ("/muted/2", "UNKNOWN_RULE"), ("/muted/3", "UNKNOWN_RULE")),
    ]
    assert (await desk.read(AR)).preferences.muted == frozenset()


async def test_what_became_mandatory_is_heard_though_it_was_muted(db: Database, desk: actions.PreferenceDesk) -> None:
    await desk.write(AR, [("R1", "email"), ("R1", "in_app")], "", "")
    stricter = a_rule("R1", intake.DocumentSubmitted, "received", "owner", mandatory=True)
    await actions.load_pack(db, a_pack(stricter, version="2"))
    await hear(db, submitted(pack_version="2"))
    assert ("R1", "importer-ar", "email") in await rows(db, TOLD)
    assert [rule.id for rule in (await desk.read(AR)).pack.notification_rules]


@pytest.mark.parametrize(
    ("begins", "ends", "now", "due"),
    [
        *(
            ("22:00", "07:00", "20:59", "20:59"),
            ("22:00", "07:00", "21:00", "06:00+1"),
            ("22:00", "07:00", "23:30", "06:00+1"),
        ),
        *(
            ("22:00", "07:00", "03:00", "06:00"),
            ("22:00", "07:00", "06:00", "06:00"),
            ("22:00", "07:00", "05:59", "06:00"),
        ),
        *(
            ("12:00", "13:00", "11:30", "12:00"),
            ("12:00", "13:00", "12:00", "12:00"),
            ("12:00", "13:00", "10:59", "10:59"),
        ),
        ("00:00", "08:00", "23:30", "07:00+1"),
    ],
)
def test_quiet_hours_are_local_and_go_over_midnight(begins: str, ends: str, now: str, due: str) -> None:
    """`now` and `due` in UTC; it is an hour later where the person is."""
    quiet = QuietHours(time.fromisoformat(begins), time.fromisoformat(ends))
    day = datetime(2026, 9, 1, tzinfo=UTC)
    clock_time, _, days = due.partition("+")
    expected = datetime.combine(day, time.fromisoformat(clock_time), UTC) + timedelta(days=int(days or 0))
    assert quiet.earliest(datetime.combine(day, time.fromisoformat(now), UTC), LAGOS) == expected


def test_quiet_hours_end_by_the_clock_on_the_wall_when_the_clock_is_changed() -> None:
    quiet, paris = QuietHours(time(22), time(7)), ZoneInfo("Europe/Paris")
    assert quiet.earliest(datetime(2026, 3, 28, 22, tzinfo=UTC), paris) == datetime(2026, 3, 29, 5, tzinfo=UTC)
    assert quiet.earliest(datetime(2026, 10, 24, 22, tzinfo=UTC), paris) == datetime(2026, 10, 25, 6, tzinfo=UTC)


async def test_a_letter_in_quiet_hours_waits_and_is_neither_tried_nor_late_nor_failed(
    db: Database, desk: actions.PreferenceDesk, tmp_path: Path
) -> None:
    now = clock.now().astimezone(LAGOS)
    around = [(now + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 2)]
    await desk.write(AR, [], *around)
    await hear(db, submitted())
    due = dict(await rows(db, DUE))
    assert due["importer-en"] <= clock.now()
    assert timedelta(minutes=118) < due["importer-ar"] - clock.now() <= timedelta(hours=2)
    sender = actions.Sender(db, MaildirMailer(tmp_path, "Portolan <no-reply@portolan.example>"))
    assert (await sender.send_due(), await sender.send_due()) == (1, 0)
    async with db.connection() as connection:
        assert await store.oldest_pending_s(connection, clock.now()) == 0.0
    [waiting] = await rows(db, "select recipient_id, state, attempts from deliveries where state = 'PENDING'")
    assert waiting == ("importer-ar", "PENDING", 0)
    async with db.connection() as connection:
        await connection.execute("update deliveries set due_at = now() where state = 'PENDING'")
    assert await sender.send_due() == 1


async def test_what_is_put_replaces_what_was_there_and_is_read_back(desk: actions.PreferenceDesk) -> None:
    assert (await desk.read(AR)).preferences.muted == frozenset()
    await desk.write(AR, [("R1", "email")], "22:00", "07:30")
    read = (await desk.read(AR)).preferences
    assert (read.muted, read.quiet) == (frozenset({("R1", "email")}), QuietHours(time(22), time(7, 30)))
    await desk.write(AR, [], "", "")
    assert (await desk.read(AR)).preferences == (await desk.read(EN)).preferences


async def test_hours_that_are_none_are_refused(desk: actions.PreferenceDesk) -> None:
    with pytest.raises(Invalid):
        await desk.write(AR, [], "22:00", "22:00")


async def test_the_face_shows_every_rule_with_what_is_muted(db: Database, desk: actions.PreferenceDesk) -> None:
    set_caller(AR)
    face = api.NotificationsApi(db, actions.WebhookDesk(db, Vault("s"), is_demo=False), desk)
    request = pb.PutNotificationPreferencesRequest(
        muted=[pb.MutedRule(rule="R1", channel="email")], quiet_begins="22:00", quiet_ends="07:00"
    )
    put = (await face.PutNotificationPreferences(request, None)).preferences
    got = (await face.GetNotificationPreferences(pb.GetNotificationPreferencesRequest(), None)).preferences
    assert put == got
    assert (got.quiet_begins, got.quiet_ends, got.timezone) == ("22:00", "07:00", "Africa/Lagos")
    assert [(one.rule, one.mandatory, [(c.channel, c.muted) for c in one.channels]) for one in got.rules] == [
        ("R1", False, [("in_app", False), ("email", True)]),
        ("R2", True, [("in_app", False), ("email", False)]),
    ]


def test_the_countrys_decisions_and_charges_are_mandatory() -> None:
    pack = reader.read(reader.default_pack_path())
    mandatory = {rule.event.rpartition(".")[2] for rule in pack.notification_rules if rule.mandatory}
    assert {"TaskDecided", "ChargeRecorded"} <= mandatory
