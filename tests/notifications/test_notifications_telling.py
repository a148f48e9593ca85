"""From events to deliveries: each once, to whom the rule says, in the recipient's language, whatever the order."""

import itertools

import pytest
from kit.database import Database
from kit.errors import Conflict, Invalid, Unavailable
from notifications import actions
from notifications.store.directory import Directory
from packs import reader
from portolan.identity.v1 import events_pb2 as identity
from portolan.intake.v1 import events_pb2 as intake
from portolan.routing.v1 import events_pb2 as routing

from tests.notifications.builders import (
    TEMPLATES,
    CountedQuestions,
    a_pack,
    a_rule,
    an_event,
    charged,
    deadline_missed,
    hear,
    imputed,
    refused,
    rows,
    submitted,
    task_opened,
)

pytestmark = pytest.mark.service("notifications")

TOLD = "select rule, recipient_id, channel from deliveries order by 1, 2, 3"
WORDS = "select recipient_id, channel, language, title, body from deliveries where rule = '{}' order by 1, 2"


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack())
    return service_database


async def test_the_same_event_a_hundred_times_is_told_once(db: Database) -> None:
    event = an_event(submitted())
    for _ in range(10):
        await hear(db, *[event] * 10)
    assert await rows(db, TOLD) == [
        ("R1", "broker", "in_app"),
        ("R1", "broker-fr", "email"),
        ("R1", "importer", "in_app"),
        ("R1", "importer-ar", "email"),
        ("R1", "importer-en", "email"),
    ]


async def test_a_lost_inbox_still_doubles_nothing(db: Database) -> None:
    event = an_event(submitted())
    await hear(db, event)
    async with db.connection() as connection:
        await connection.execute("delete from inbox")
    await hear(db, event)
    assert len(await rows(db, TOLD)) == 5
    assert await rows(db, "select * from dead_letters") == []


async def test_each_is_told_in_their_language(db: Database) -> None:
    await hear(db, submitted())
    assert await rows(db, WORDS.format("R1")) == [
        ("broker", "in_app", "fr", "A-doc-1: Permis", "Enregistré"),
        ("broker-fr", "email", "fr", "A-doc-1: Permis", "Enregistré"),
        ("importer", "in_app", "ar", "A-doc-1: رخصة", "مسجل"),
        ("importer-ar", "email", "ar", "A-doc-1: رخصة", "مسجل"),
        ("importer-en", "email", "en", "A-doc-1: Permit", "Registered"),
    ]


async def test_in_app_is_sent_at_once_and_email_waits_for_the_sender(db: Database) -> None:
    await hear(db, submitted())
    states = await rows(db, "select distinct channel, state, sent_at is null from deliveries order by 1")
    assert states == [("email", "PENDING", True), ("in_app", "SENT", False)]


async def test_who_files_for_itself_is_told_once(db: Database) -> None:
    await hear(db, submitted(owner="broker"))
    assert await rows(db, TOLD) == [("R1", "broker", "in_app"), ("R1", "broker-fr", "email")]


async def test_money_and_times_are_written_as_the_reader_writes_them(db: Database) -> None:
    await hear(db, submitted(), charged(), task_opened(), imputed())
    money = {row[2]: row[3] for row in await rows(db, WORDS.format("R2"))}
    assert money["en"] == "A-doc-1: €1,234.56"
    assert "1.234,56" in money["ar"]
    due = {row[2]: row[4] for row in await rows(db, WORDS.format("R3"))}
    assert "1:00:00" in due["en"]
    assert (await rows(db, WORDS.format("R5")))[0][3:] == ("1.250,5 كغ", "309/2 0 XXX")


async def test_the_agency_is_told_by_its_code_and_the_reason_by_its_label(db: Database) -> None:
    await hear(db, submitted(), task_opened(), refused())
    assert [row[0] for row in await rows(db, WORDS.format("R3"))] == ["agency-org", "agency-org-en"]
    assert (await rows(db, WORDS.format("R4")))[0][4] == "وكالة: سبب"


async def test_who_answers_for_the_agency_and_for_the_window_hear_what_a_rung_says(service_database: Database) -> None:
    rules = [
        a_rule(role, routing.DeadlineMissed, "escalated", role, when=f"'{role}' in notify")
        for role in ("supervisor", "operator")
    ]
    templates = {**TEMPLATES, "escalated": ("{{ rung_label }}", "{{ agency_label }} {{ due_at }}")}
    await actions.load_pack(service_database, a_pack(*rules, templates=templates))
    await hear(service_database, submitted(), deadline_missed("agency"), deadline_missed("supervisor", "operator"))
    assert await rows(service_database, TOLD) == [
        ("operator", "window-head", "email"),
        ("operator", "window-head", "in_app"),
        ("supervisor", "agency-head", "email"),
        ("supervisor", "agency-head", "in_app"),
    ]
    assert (await rows(service_database, WORDS.format("supervisor")))[0][3] == "En retard"


async def test_a_rule_applies_only_when_it_says(db: Database) -> None:
    await hear(db, submitted(), refused("grant"))
    assert await rows(db, WORDS.format("R4")) == []


async def test_events_that_come_before_their_document_are_told_when_it_comes(db: Database) -> None:
    for order in itertools.permutations([submitted(), charged(), task_opened(), refused()]):
        async with db.connection() as connection:
            await connection.execute("truncate documents, waiting_events, deliveries")
        for one in order:
            await hear(db, one)
        assert sorted({row[0] for row in await rows(db, TOLD)}) == ["R1", "R2", "R3", "R4"]
        assert await rows(db, "select * from waiting_events") == []
        assert len(await rows(db, TOLD)) == 11


async def test_a_waiting_event_repeated_is_told_once(db: Database) -> None:
    early = an_event(charged())
    await hear(db, early, early)
    await hear(db, early)
    await hear(db, submitted())
    await hear(db, early)
    assert len([row for row in await rows(db, TOLD) if row[0] == "R2"]) == 3


async def test_an_unknown_agency_or_organisation_is_nobody(db: Database) -> None:
    await hear(db, submitted(owner="ghost"))
    assert {row[1] for row in await rows(db, TOLD)} == {"broker", "broker-fr"}


async def test_identity_is_asked_once_for_many_events(db: Database) -> None:
    questions = CountedQuestions()
    directory = Directory(questions.ask)
    for number in range(20):
        await hear(db, submitted(f"doc-{number}"), charged(f"doc-{number}"), directory=directory)
    assert len(questions.asked) == 2


async def test_a_silent_identity_makes_the_batch_wait(db: Database) -> None:
    async def silent(_: object) -> list[object]:
        raise Unavailable("OVERLOADED")

    event = an_event(submitted())
    with pytest.raises(Unavailable):
        await hear(db, event, directory=Directory(silent))  # type: ignore[arg-type]
    assert await rows(db, "select * from inbox") == []
    await hear(db, event)
    assert len(await rows(db, TOLD)) == 5


async def test_an_error_while_writing_leaves_nothing_and_the_retry_tells_all(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute(
            """
            create function fail() returns trigger language plpgsql as
            $$ begin raise exception 'the disk is full' using errcode = 'disk_full'; end $$;
            create trigger fails after insert on deliveries for each row when (new.recipient_id = 'importer-en')
            execute function fail()
            """
        )
    event = an_event(submitted())
    with pytest.raises(Unavailable):
        await hear(db, event)
    assert (
        await rows(db, "select 1 from inbox union all select 1 from documents union all select 1 from deliveries") == []
    )
    async with db.connection() as connection:
        await connection.execute("drop trigger fails on deliveries")
    await hear(db, event)
    assert len(await rows(db, TOLD)) == 5


# --- packs


async def test_a_document_is_told_of_by_the_pack_it_was_born_under(db: Database) -> None:
    changed = a_pack(
        version="2",
        templates={**dict.fromkeys(["charged", "asked", "refused", "imputed"], ("x", "x")), "received": ("new", "new")},
    )
    await actions.load_pack(db, changed)
    await hear(db, submitted("old"), submitted("young", pack_version="2"), charged("old"), charged("young"))
    titles = {
        row[0]: row[1]
        for row in await rows(db, "select document_id || rule, title from deliveries where recipient_id = 'importer'")
    }
    assert (titles["youngR1"], titles["youngR2"]) == ("new", "x")
    assert titles["oldR1"].startswith("A-old")


async def test_an_event_under_a_pack_not_yet_loaded_waits(db: Database) -> None:
    event = an_event(submitted(pack_version="2"))
    with pytest.raises(Unavailable):
        await hear(db, event)
    await actions.load_pack(db, a_pack(version="2"))
    await hear(db, event)
    assert len(await rows(db, TOLD)) == 5


async def test_an_event_of_no_document_is_told_too(service_database: Database) -> None:
    rule = a_rule("M1", identity.MandateGranted, "plain", "owner", "submitter", channels=["in_app"])
    await actions.load_pack(service_database, a_pack(rule, templates={"plain": ("mandate", "granted")}))
    await hear(
        service_database, identity.MandateGranted(principal_organisation_id="importer", agent_organisation_id="broker")
    )
    assert await rows(service_database, TOLD) == [("M1", "broker", "in_app"), ("M1", "importer", "in_app")]


async def test_loading_again_is_nothing_and_changed_content_is_refused(db: Database) -> None:
    await actions.load_pack(db, a_pack())
    with pytest.raises(Conflict):
        await actions.load_pack(
            db, a_pack(templates={**dict.fromkeys(["received", "charged", "asked", "refused", "imputed"], ("x", "x"))})
        )


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (a_rule("W", intake.DocumentSubmitted, "missing", "owner"), "x"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner", channels=["pigeon"]), "x"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner", when="state == ("), "x"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner", when="state"), "x"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner"), "{{ amount }}"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner"), "{{ nothing_of_the_kind }}"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner"), "{{ reference"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner"), "{{ reference.__class__.__mro__ }}"),
        (a_rule("W", intake.DocumentSubmitted, "t", "owner"), "{{ ''.__class__.__base__.__subclasses__() }}"),
    ],
)
async def test_what_could_not_be_told_later_is_refused_now(service_database: Database, rule: object, text: str) -> None:
    with pytest.raises(Invalid):
        await actions.load_pack(service_database, a_pack(rule, templates={"t": (text, text)}))  # type: ignore[arg-type]
    assert await rows(service_database, "select * from pack_versions") == []


async def test_the_shipped_pack_can_be_told_in_all_its_languages(service_database: Database) -> None:
    pack = reader.read(reader.default_pack_path())
    await actions.load_pack(service_database, pack)
    await actions.load_pack(service_database, pack)
    assert await rows(service_database, "select count(*) from pack_versions") == [(1,)]
