"""Published rules: what is submitted from their moment on is admitted by them, what was before by its own."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import time_machine
from intake.actions import catalogue
from intake.actions.submitting import Outcome
from intake.domain.rulebook import Rulebooks
from intake.events import handlers
from kit.database import Database
from kit.errors import Invalid, Unavailable
from kit.events import Decoder
from kit.outbox import unpublished
from kit.wire import timestamp
from packs.model import Rule
from packs.tables import as_written
from portolan.intake.v1 import events_pb2 as intake
from portolan.routing.v1 import events_pb2 as routing

from tests.intake.builders import Window, a_body, the_broker, the_pack
from tests.intake.test_intake_amending import REMARK, amend

pytestmark = pytest.mark.service("intake")
AT = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
LICENCE = Rule(
    id="SHOES-LI",
    labels={"fr": "Chaussures : licence", "ar": "أحذية: رخصة", "en": "Shoes: licence"},
    direction="import",
    hs=("6403",),
    requires_type="import_title.li",
)


def published(table: str = "t-1", sequence: int = 1, at: datetime = AT, *added: Rule) -> routing.RulesPublished:
    rules = [*the_pack().rules, *added]
    return routing.RulesPublished(
        table_id=table,
        pack_version=the_pack().version,
        sequence=sequence,
        rules_json=msgspec.json.encode([as_written(rule) for rule in rules]),
        in_force_from=timestamp(at),
        published_at=timestamp(at - timedelta(days=1)),
    )


async def hear(database: Database, rulebooks: Rulebooks, *said: routing.RulesPublished) -> None:
    for message in said:
        async with database.transaction() as tx:
            await handlers(rulebooks)[routing.RulesPublished](tx, None, message)  # type: ignore[arg-type]
    await catalogue.refresh(database, rulebooks)


async def submitted(window: Window, at: datetime) -> Outcome:
    with time_machine.travel(at, tick=False):
        return (await window.submit_all(window.submission(by=the_broker())))[0]


async def named(database: Database) -> list[str]:
    async with database.transaction() as tx:
        events = [event for _, event in await unpublished(tx, 100)]
    decoder = Decoder([intake.DocumentSubmitted])
    return [decoder.decode(event).rule_table for event in events if decoder.hears(event)]  # type: ignore[attr-defined]


async def test_new_rules_admit_from_their_moment_on(window: Window) -> None:
    await hear(window.db, window.rulebooks, published("t-1", 1, AT, LICENCE))
    assert not isinstance(await submitted(window, AT - timedelta(seconds=1)), Exception)
    refusal = await submitted(window, AT)
    assert isinstance(refusal, Invalid)
    assert [(one.pointer, one.code) for one in refusal.violations] == [("/type", "SHOES-LI")]
    assert await named(window.db) == [""]


async def test_the_table_published_last_of_those_in_force_counts(window: Window) -> None:
    first, second = published("t-1", 1, AT + timedelta(days=9), LICENCE), published("t-2", 2, AT)
    await hear(window.db, window.rulebooks, second, first, second)
    for moment in (AT, AT + timedelta(days=10)):
        assert not isinstance(await submitted(window, moment), Exception)
    assert await named(window.db) == ["t-2", "t-2"]


async def test_a_document_stays_under_the_rules_it_was_born_under(window: Window) -> None:
    with time_machine.travel(AT - timedelta(days=3)):
        title = await window.title()
    await hear(window.db, window.rulebooks, published("t-1", 1, AT, LICENCE))
    with time_machine.travel(AT + timedelta(days=1)):
        shown = await amend(window, title, {**(await window.document(title))["body"], **REMARK})
        assert shown["version"] == 2
        assert shown["pack_version"] == the_pack().version


async def test_the_document_does_not_show_the_table_as_its_pack(window: Window) -> None:
    await hear(window.db, window.rulebooks, published())
    answer = await submitted(window, AT)
    assert not isinstance(answer, Exception)
    document = msgspec.json.decode(answer.document_json)
    assert document["pack_version"] == the_pack().version
    assert (await window.document(document["id"]))["pack_version"] == the_pack().version
    assert await named(window.db) == ["t-1"]


async def test_another_process_takes_the_tables_up(window: Window) -> None:
    await hear(window.db, window.rulebooks, published("t-1", 1, AT, LICENCE))
    other = await catalogue.loaded(window.db)
    assert (other.in_force(AT).table, other.in_force(AT - timedelta(days=1)).table) == ("t-1", "")
    later = Rulebooks([the_pack()])
    await catalogue.refresh(window.db, later)
    assert later.in_force(AT).born_under == window.rulebooks.in_force(AT).born_under


async def test_a_process_that_does_not_know_the_table_yet_waits(window: Window) -> None:
    await hear(window.db, window.rulebooks, published())
    answer = await submitted(window, AT)
    assert not isinstance(answer, Exception)
    window.rulebooks._tables.clear()
    window.rulebooks._books = {name: book for name, book in window.rulebooks._books.items() if not book.table}
    with pytest.raises(Unavailable, match="not loaded yet"):
        await window.document(answer.document_id)
    await catalogue.refresh(window.db, window.rulebooks)
    assert (await window.document(answer.document_id))["id"] == answer.document_id


async def test_a_table_of_a_pack_not_loaded_here_is_kept_for_when_it_is(window: Window) -> None:
    early = published()
    early.pack_version = "2099.1"
    await hear(window.db, window.rulebooks, early)
    assert window.rulebooks.in_force(AT).table == ""
    assert await window.count("select count(*) from rule_tables") == 1


async def test_a_simulation_says_by_which_table_it_judged(window: Window) -> None:
    await hear(window.db, window.rulebooks, published("t-1", 1, AT, LICENCE))
    request: dict[str, Any] = {"type": "import_title.ei", "on_behalf_of": "org-importer", "body": a_body()}
    tables = []
    for moment in (AT - timedelta(hours=1), AT):
        with time_machine.travel(moment, tick=False):
            simulated = await window.desk.simulate(the_broker(), msgspec.json.encode(request))
            tables.append((simulated.rule_table, [one.code for one in simulated.errors]))
    assert tables == [("", []), ("t-1", ["SHOES-LI"])]


async def test_a_table_whose_transaction_fails_is_judged_by_nobody(window: Window) -> None:
    """It stood in memory before it was committed, and documents were born under a table that is nowhere."""
    with contextlib.suppress(RuntimeError):
        async with window.db.transaction() as tx:
            await handlers(window.rulebooks)[routing.RulesPublished](tx, None, published())  # type: ignore[arg-type]
            raise RuntimeError("killed")
    assert window.rulebooks.in_force(AT).table == ""
    await hear(window.db, window.rulebooks, published())
    assert window.rulebooks.in_force(AT).table == "t-1"
