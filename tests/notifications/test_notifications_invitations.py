"""A letter to one person whom no directory knows yet, with a word in it that only they may read."""

from pathlib import Path

import pytest
from kit.database import Database
from kit.errors import Invalid
from kit.sealing import Sealer
from notifications import actions
from notifications.actions.packs import refuse_unusable
from notifications.store.directory import Directory
from notifications.store.mail import MaildirMailer, OpeningMailer
from portolan.identity.v1 import events_pb2 as identity
from portolan.intake.v1 import events_pb2 as intake

from tests.notifications.builders import CountedQuestions, a_pack, a_rule, an_event, hear, rows

pytestmark = pytest.mark.service("notifications")

SENDER = "Portolan <no-reply@portolan.example>"
SECRET = "a service secret for tests"
TOKEN = "inv-1.the-secret-half"
WORDS = {"invited": ("{{ organisation }}", "{{ person }}, {{ due_at }}:\n\n{{ token }}")}
PACK = a_pack(a_rule("P1", identity.PersonInvited, "invited", "person", mandatory=True), templates=WORDS)


def invited(recipient_id: str = "inv-1", sealed_for: str = "inv-1") -> identity.PersonInvited:
    said = identity.PersonInvited(
        organisation_id="importer",
        organisation_name="Importer",
        recipient_id=recipient_id,
        email="new@importer.example",
        person_name="New",
        language="ar",
        sealed_token=Sealer(SECRET).seal(TOKEN, sealed_for),
    )
    said.expires_at.FromJsonString("2026-03-02T12:00:00Z")
    return said


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, PACK)
    return service_database


async def send(db: Database, folder: Path, secret: str = SECRET) -> list[str]:
    await actions.Sender(db, OpeningMailer(MaildirMailer(folder, SENDER), Sealer(secret))).send_due()
    return [file.read_text() for file in (folder / "new").iterdir()]


async def test_one_letter_to_the_address_and_nobody_is_asked(db: Database, tmp_path: Path) -> None:
    questions = CountedQuestions()
    event = an_event(invited())
    await hear(db, event, event, directory=Directory(questions.ask))
    assert await rows(db, "select recipient_id, channel, language, address, title from deliveries") == [
        ("inv-1", "email", "ar", "new@importer.example", "Importer")
    ]
    assert TOKEN not in str(await rows(db, "select body from deliveries"))
    (letter,) = await send(db, tmp_path)
    assert TOKEN in letter
    assert TOKEN not in str(await rows(db, "select body, failure from deliveries"))


async def test_what_was_sealed_for_another_or_elsewhere_is_not_opened(db: Database, tmp_path: Path) -> None:
    await hear(db, invited("inv-2", sealed_for="inv-1"))
    assert await send(db, tmp_path) == []
    await hear(db, invited())
    assert await send(db, tmp_path, "another secret") == []
    assert await rows(db, "select distinct state from deliveries") == [("FAILED",)]


def test_a_rule_may_mean_a_person_only_where_the_event_names_one() -> None:
    with pytest.raises(Invalid, match="names no person"):
        refuse_unusable(a_pack(a_rule("P1", intake.DocumentSubmitted, "received", "person")))
