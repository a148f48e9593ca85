"""A milestone is charged once, at the price of its day, with its journal and its event, or not at all."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest
import time_machine
from billing import actions
from kit import wire
from kit.database import Database
from kit.errors import Conflict, Invalid, Unavailable
from kit.testing import a_principal
from packs.amendments import AMENDED
from portolan.billing.v1 import events_pb2
from portolan.intake.v1 import events_pb2 as intake

from tests.billing.builders import (
    AFTER,
    BEFORE,
    NEW,
    OLD,
    TYPE,
    a_pack,
    a_version,
    activated,
    an_event,
    an_item,
    count,
    decided,
    hear,
    rows,
    submitted,
)

pytestmark = pytest.mark.service("billing")

CHARGED = "select tariff, net_minor, vat_minor, gross_minor, price_version from charges order by id"


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack())
    return service_database


async def test_the_same_event_a_hundred_times_is_one_charge(db: Database) -> None:
    event = an_event(submitted())
    for _ in range(10):
        await hear(db, *[event] * 10)
    assert [await count(db, table) for table in ("charges", "journals", "outbox")] == [1, 1, 1]


async def test_two_events_for_one_milestone_are_one_charge(db: Database) -> None:
    await hear(db, submitted(), submitted())
    await hear(db, decided(to_state="REGISTERED"))
    assert [await count(db, table) for table in ("charges", "journals", "entries", "outbox")] == [1, 1, 3, 1]


async def test_one_milestone_heard_by_four_consumers_at_once_is_one_charge(db: Database) -> None:
    await asyncio.gather(*[hear(db, submitted()) for _ in range(4)])
    assert [await count(db, table) for table in ("charges", "journals", "entries", "outbox")] == [1, 1, 3, 1]


async def test_each_document_and_each_milestone_is_charged(db: Database) -> None:
    await hear(db, submitted("doc-1"), submitted("doc-2"), decided("doc-1"))
    assert [row[0] for row in await rows(db, CHARGED)] == ["T-A", "T-A", "T-G"]


@pytest.mark.parametrize("at", [BEFORE, AFTER])
async def test_the_price_is_that_of_the_day_it_happened(db: Database, at: datetime) -> None:
    await hear(db, submitted(at=at))
    expected = ("T-A", 2500, 500, 3000, "old") if at is BEFORE else ("T-A", 3333, 667, 4000, "new")
    assert await rows(db, CHARGED) == [expected]


async def test_versions_change_at_midnight_where_the_country_is(db: Database) -> None:
    last, first = datetime(2026, 6, 30, 22, 59, tzinfo=UTC), datetime(2026, 6, 30, 23, 0, tzinfo=UTC)
    await hear(db, submitted("doc-1", at=last), submitted("doc-2", at=first))
    assert [row[4] for row in await rows(db, CHARGED)] == ["old", "new"]


async def test_an_occasional_payer_pays_the_multiple_then_and_later(db: Database) -> None:
    await hear(db, submitted(at=BEFORE, mode="occasional"))
    await hear(db, activated("org-a", "subscriber"), decided(at=BEFORE))
    assert [row[1:4] for row in await rows(db, CHARGED)] == [(6250, 1250, 7500), (10000, 2000, 12000)]


async def test_without_a_stated_mode_the_payer_is_billed_as_enrolled(db: Database) -> None:
    await hear(db, activated("org-a", "occasional"), submitted(at=BEFORE, mode=None))
    assert (await rows(db, CHARGED))[0][1] == 6250


async def test_what_was_said_of_a_payer_later_holds_in_whatever_order_it_comes(db: Database) -> None:
    await hear(db, activated("org-a", "occasional", AFTER), activated("org-a", "subscriber", BEFORE))
    await hear(db, submitted(at=BEFORE, mode=None))
    assert (await rows(db, CHARGED))[0][1] == 6250


async def test_a_payer_nobody_knows_is_not_charged_at_a_guess(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.consumer.RETRY_FIRST_S", 0)
    await hear(db, submitted(mode=None))
    assert await count(db, "charges") == 0
    assert "PAYER_UNKNOWN" in (await rows(db, "select reason from dead_letters"))[0][0]


async def test_what_no_tariff_names_is_free(db: Database) -> None:
    await hear(db, submitted("doc-1", state="DRAFT"), submitted("doc-2", document_type="other"), decided(to_state="X"))
    assert await count(db, "charges") == 0


async def test_a_charge_says_so_with_its_place_in_the_payers_sequence(db: Database) -> None:
    await hear(db, submitted("doc-1"), submitted("doc-2"), submitted("doc-3", owner="org-z"), submitted("doc-2"))
    said = [
        events_pb2.ChargeRecorded.FromString(row[0]) for row in await rows(db, "select payload from outbox order by id")
    ]
    assert [(one.payer_organisation_id, one.payer_sequence) for one in said] == [
        ("org-a", 1),
        ("org-a", 2),
        ("org-z", 1),
    ]
    assert said[0].amount.amount_minor == said[0].net.amount_minor + said[0].vat.amount_minor == 4000
    assert said[0].document_id == (await rows(db, "select key from outbox order by id"))[0][0]


STATEMENTS = ["outbox", "charges", "journals", "entries", "payer_sequences", "accounts", "documents"]


@pytest.mark.parametrize("table", STATEMENTS)
async def test_an_error_after_the_claim_charges_on_retry(db: Database, table: str) -> None:
    async with db.connection() as connection:
        await connection.execute(
            """
            create function fail() returns trigger language plpgsql as
            $$ begin raise exception 'the disk is full' using errcode = 'disk_full'; end $$
            """
        )
        await connection.execute(f"create trigger fails before insert on {table} for each row execute function fail()")
    event = an_event(submitted())
    with pytest.raises((Unavailable, psycopg.OperationalError)):
        await hear(db, event)
    assert [await count(db, of) for of in ("inbox", "charges", "payer_sequences")] == [0, 0, 0]
    async with db.connection() as connection:
        await connection.execute(f"drop trigger fails on {table}")
    await hear(db, event)
    assert [row[3] for row in await rows(db, CHARGED)] == [4000]
    assert await rows(db, "select payer_sequence from journals") == [(1,)]


async def test_nothing_is_free_before_prices_are_loaded(service_database: Database) -> None:
    with pytest.raises(Unavailable):
        await hear(service_database, submitted())
    await actions.load_pack(service_database, a_pack())
    await hear(service_database, submitted())
    assert await count(service_database, "charges") == 1


# --- the price book


async def test_loading_a_pack_again_changes_nothing(db: Database) -> None:
    await actions.load_pack(db, a_pack())
    assert [await count(db, table) for table in ("pack_versions", "price_versions")] == [1, 2]


async def test_a_pack_version_cannot_change_its_content(db: Database) -> None:
    with pytest.raises(Conflict):
        await actions.load_pack(db, a_pack(OLD))


async def test_a_later_pack_closes_the_open_version_and_adds_the_next(db: Database) -> None:
    closed = a_version("new", NEW.effective_from, date(2027, 1, 1), *NEW.items)
    dearer = a_version("dear", date(2027, 1, 1), None, an_item(9900))
    await hear(db, submitted("doc-1"))
    await actions.load_pack(db, a_pack(OLD, closed, dearer, version="2"))
    await hear(db, submitted("doc-2", at=datetime(2027, 3, 1, tzinfo=UTC)))
    assert [row[4] for row in await rows(db, CHARGED)] == ["new", "dear"]


async def test_a_published_price_never_changes(db: Database) -> None:
    cheaper = a_version("new", NEW.effective_from, None, an_item(1))
    with pytest.raises(Conflict):
        await actions.load_pack(db, a_pack(OLD, cheaper, version="2"))
    async with db.connection() as connection:
        for change in ("vat_rate = 0", "effective = tstzrange(lower(effective), null)", "version = 'x'"):
            with pytest.raises(psycopg.IntegrityError):
                await connection.execute(f"update price_versions set {change} where version = 'old'")  # noqa: S608
        with pytest.raises(psycopg.IntegrityError):
            await connection.execute("update tariff_items set net_minor = 0")


async def test_a_version_cannot_end_before_what_it_already_priced(db: Database) -> None:
    await hear(db, submitted())
    end = date(2026, 8, 1)
    changed = [a_version("new", NEW.effective_from, end, *NEW.items), a_version("dear", end, None, an_item(9900))]
    with pytest.raises(Conflict):
        await actions.load_pack(db, a_pack(OLD, *changed, version="2"))


async def test_versions_that_overlap_are_refused_by_the_database_too(db: Database) -> None:
    with pytest.raises(Invalid):
        await actions.load_pack(db, a_pack(OLD, a_version("more", date(2026, 6, 1), None), version="2"))
    async with db.connection() as connection:
        with pytest.raises(psycopg.errors.ExclusionViolation):
            await connection.execute("insert into price_versions values ('x', '[2026-06-01,2026-06-02)', 'XTS', 0.2)")


@pytest.mark.parametrize("rate", ["-0.1", "20"])
async def test_an_absurd_vat_rate_is_refused(service_database: Database, rate: str) -> None:
    version = a_version("v", date(2026, 1, 1), None, an_item(1), vat_rate=Decimal(rate))
    with pytest.raises(Invalid):
        await actions.load_pack(service_database, a_pack(version))


async def test_somebody_nobody_knows_is_told_the_price_without_a_segment(db: Database) -> None:
    """The gateway asks in its own name for whoever is not signed in, and was told that nothing was found."""
    gateway = a_principal("service", organisation_id="", kind="service", person="service:gateway")
    known = await actions.quote(db, actions.PriceDesk(), gateway, TYPE, "org-unknown")
    quoted = await actions.quote(db, actions.PriceDesk(), gateway, TYPE, "")
    assert [charge.gross for charge in quoted] == [charge.gross for charge in known]
    assert quoted


async def test_the_quote_is_what_the_charge_will_be(db: Database) -> None:
    await hear(db, activated("org-a", "occasional"))
    quoted = await actions.quote(db, actions.PriceDesk(), a_principal("declarant"), TYPE, "")
    assert [(charge.tariff, charge.milestone) for charge in quoted] == [("T-A", "REGISTERED"), ("T-G", "GRANTED")]
    await hear(db, submitted(mode="occasional"), decided())
    assert [row[3] for row in await rows(db, CHARGED)] == [charge.gross.amount_minor for charge in quoted]


def amended(version: int, document_id: str = "doc-1") -> intake.DocumentAmended:
    return intake.DocumentAmended(
        document_id=document_id,
        version=version,
        reference=f"A-{document_id}",
        type=TYPE,
        owner_organisation_id="org-a",
        submitter_organisation_id="org-b",
        amended_at=wire.timestamp(AFTER),
    )


async def test_every_version_in_effect_is_charged_once_however_often_it_is_heard(service_database: Database) -> None:
    family = TYPE.partition(".")[0] + ".*"
    items = (an_item(1_000), an_item(500, "T-AMD", family, AMENDED))
    await actions.load_pack(service_database, a_pack(a_version("v", date(2026, 1, 1), None, *items)))
    await hear(service_database, submitted(), amended(2), amended(2), amended(4))
    charged = await rows(service_database, "select tariff, milestone, gross_minor from charges order by id")
    assert [row[:2] for row in charged] == [("T-A", "REGISTERED"), ("T-AMD", "amended/2"), ("T-AMD", "amended/4")]
    desk = actions.PriceDesk()
    quoted = await actions.quote(service_database, desk, a_principal("declarant"), TYPE, "org-a")
    assert [charge.tariff for charge in quoted] == ["T-A"]


def promised(document_id: str, version: str) -> intake.DocumentSubmitted:
    said = submitted(document_id)
    said.price_version = version
    return said


async def test_a_promised_price_holds_on_the_documents_whole_way_but_not_for_its_amendments(db: Database) -> None:
    await hear(db, promised("doc-1", "old"), decided(), submitted("doc-2"), decided("doc-2"))
    charged = "select document_id, tariff, net_minor, price_version from charges order by document_id, tariff"
    assert await rows(db, charged) == [
        ("doc-1", "T-A", 2500, "old"),
        ("doc-1", "T-G", 4000, "old"),
        ("doc-2", "T-A", 3333, "new"),
        ("doc-2", "T-G", 4000, "new"),
    ]


async def test_a_promise_that_no_pack_has_brought_yet_is_waited_for(db: Database) -> None:
    with pytest.raises(Unavailable):
        await hear(db, promised("doc-1", "newest"))
    assert await count(db, "charges") == 0


async def test_a_promised_price_is_quoted_so(db: Database) -> None:
    caller, desk = a_principal("declarant", organisation_id="org-a"), actions.PriceDesk()
    with time_machine.travel(AFTER, tick=False):
        assert [one.net.amount_minor for one in await actions.quote(db, desk, caller, TYPE, "")] == [3333, 4000]
        held = await actions.quote(db, desk, caller, TYPE, "", "old")
    assert [one.net.amount_minor for one in held] == [2500, 4000]


async def test_a_batch_numbers_each_payers_charges_in_the_order_they_were_said(db: Database) -> None:
    await hear(db, submitted("doc-0"))
    owners = ["org-a", "org-z", "org-a", "org-z", "org-y", "org-a"]
    await hear(db, *[submitted(f"doc-{number}", owner=owner) for number, owner in enumerate(owners)])
    numbered = await rows(
        db,
        """
        select document_id, journals.payer_organisation_id, payer_sequence
        from charges join journals on charge_id = charges.id
        """,
    )
    assert sorted(numbered) == [
        ("doc-0", "org-a", 1),
        ("doc-1", "org-z", 1),
        ("doc-2", "org-a", 2),
        ("doc-3", "org-z", 2),
        ("doc-4", "org-y", 1),
        ("doc-5", "org-a", 3),
    ]
    assert await rows(db, "select organisation_id, last from payer_sequences order by 1") == [
        ("org-a", 3),
        ("org-y", 1),
        ("org-z", 2),
    ]
