"""The feed is the organisation's own, newest first, and what is read stays read."""

import pytest
from kit.auth import set_caller
from kit.database import Database
from kit.errors import Malformed, NotFound
from kit.testing import a_principal
from notifications import actions, api
from notifications.domain.facts import Target
from notifications.domain.signing import Vault
from notifications.store.directory import Directory
from portolan.notifications.v1 import notifications_pb2 as pb

from tests.notifications.builders import CountedQuestions, a_pack, an_organisation, charged, hear, submitted

pytestmark = pytest.mark.service("notifications")

IMPORTER = a_principal("declarant", organisation_id="importer")
BROKER = a_principal("declarant", organisation_id="broker", kind="broker")
STRANGER = a_principal("operator_admin", organisation_id="stranger")


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack())
    await hear(service_database, *[submitted(f"doc-{number}") for number in range(5)], charged("doc-3"))
    return service_database


async def test_an_organisation_reads_its_own_feed_newest_first(db: Database) -> None:
    mine, _ = await actions.list_notifications(db, IMPORTER, "", "", 0)
    assert [(one.rule, one.document_id) for one in mine] == [
        ("R2", "doc-3"),
        *[("R1", f"doc-{number}") for number in reversed(range(5))],
    ]
    assert {(one.channel, one.language, one.organisation_id) for one in mine} == {("in_app", "ar", "importer")}
    assert await actions.list_notifications(db, STRANGER, "", "", 0) == ([], "")


async def test_the_feed_is_paged_and_filtered_by_document(db: Database) -> None:
    pages, cursor = [], ""
    while True:
        page, cursor = await actions.list_notifications(db, BROKER, "", cursor, 2)
        pages.append([one.document_id for one in page])
        if not cursor:
            break
    assert pages == [["doc-4", "doc-3"], ["doc-2", "doc-1"], ["doc-0"]]
    of_one, _ = await actions.list_notifications(db, IMPORTER, "doc-3", "", 0)
    assert [one.rule for one in of_one] == ["R2", "R1"]


async def test_a_cursor_is_good_for_its_own_feed_only(db: Database) -> None:
    _, cursor = await actions.list_notifications(db, IMPORTER, "", "", 1)
    with pytest.raises(Malformed):
        await actions.list_notifications(db, BROKER, "", cursor, 1)


@pytest.mark.parametrize("document_id", ["\x00", "\ud800", "' or ''='", "x" * 10_000])
async def test_a_nonsensical_document_has_no_notifications(db: Database, document_id: str) -> None:
    assert await actions.list_notifications(db, IMPORTER, document_id, "", 0) == ([], "")


async def test_the_first_reading_counts(db: Database) -> None:
    newest = (await actions.list_notifications(db, IMPORTER, "", "", 1))[0][0]
    assert newest.read_at is None
    first = await actions.mark_read(db, IMPORTER, newest.id)
    again = await actions.mark_read(db, IMPORTER, newest.id)
    assert first.read_at is not None
    assert again.read_at == first.read_at


@pytest.mark.parametrize("caller", [BROKER, STRANGER])
async def test_another_feed_is_not_the_callers_to_know(db: Database, caller: object) -> None:
    newest = (await actions.list_notifications(db, IMPORTER, "", "", 1))[0][0]
    with pytest.raises(NotFound):
        await actions.mark_read(db, caller, newest.id)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "\x00", "no-such-id", "x" * 10_000])
async def test_what_is_not_there_cannot_be_read(db: Database, name: str) -> None:
    with pytest.raises(NotFound):
        await actions.mark_read(db, IMPORTER, name)


async def test_the_face_says_what_the_actions_found(db: Database) -> None:
    face = api.NotificationsApi(
        db, actions.WebhookDesk(db, Vault("s"), is_demo=False), actions.PreferenceDesk(db, actions.RuleDesk())
    )
    set_caller(IMPORTER)
    listed = await face.ListNotifications(pb.ListNotificationsRequest(limit=1), None)
    read = await face.MarkNotificationRead(pb.MarkNotificationReadRequest(id=listed.notifications[0].id), None)
    assert listed.next_cursor
    assert not listed.notifications[0].HasField("read_at")
    assert read.notification.HasField("read_at")
    assert (read.notification.state, read.notification.title[:8]) == ("SENT", "A-doc-3:")


async def test_the_directory_forgets_after_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(organisation_id="importer")
    questions = CountedQuestions({target: an_organisation("importer", "fr")})
    directory = Directory(questions.ask)
    now = 1000.0
    monkeypatch.setattr("notifications.store.directory.time.monotonic", lambda: now)
    await directory.learn([target, target])
    now += 29
    await directory.learn([target])
    assert len(questions.asked) == 1
    now += 2
    await directory.learn([target])
    assert len(questions.asked) == 2
    assert [one.language for one in directory.of(target)] == ["fr"]
