"""What is given back: once, to the minor unit, never more than was charged, whatever comes first and whatever dies."""

from __future__ import annotations

import asyncio
import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from billing import actions
from billing.domain.charges import Charge
from billing.domain.credits import Ground, Returned, credit_for
from billing.domain.money import Money, half_up, zero
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from kit import wire
from kit.database import Database
from kit.errors import Unavailable
from kit.testing import a_principal
from msgspec.structs import replace
from packs.model import Pack, Refund
from portolan.billing.v1 import events_pb2
from portolan.intake.v1 import events_pb2 as intake

from tests.billing.builders import (
    AFTER,
    CURRENCY,
    OLD,
    TYPE,
    a_pack,
    a_version,
    an_event,
    an_item,
    count,
    decided,
    hear,
    rows,
    submitted,
)

pytestmark = pytest.mark.service("billing")

CREDITED = """
    select tariff, policy, credits.net_minor, credits.vat_minor
    from credits join charges on charges.id = charge_id
"""
CREDIT = """
    insert into credits (id, charge_id, document_id, policy, currency, net_minor, vat_minor, gross_minor, recorded_at)
    select 'x', id, document_id, 'R-X', currency, 1, 0, 1, now() from charges
"""
GROUND = "insert into refund_grounds values ('doc-1', 'R-X', '{}', '{}', 1, 'withdraw', now(), now())"
LATER = AFTER + timedelta(hours=1)
FINANCE = a_principal("finance_officer", organisation_id="org-f")


def a_refund(key: str, event: str, share: str, *from_states: str, tariffs: tuple[str, ...] = ()) -> Refund:
    labels = {"fr": f"Remboursement {key}", "ar": f"استرداد {key}", "en": f"Refund {key}"}
    return Refund(
        key=key,
        labels=labels,
        document_types=(TYPE,),
        event=event,
        from_states=from_states,
        tariffs=tariffs,
        share=Decimal(share),
    )


REFUNDS = (
    a_refund("R-W", "withdraw", "1", "REGISTERED"),
    a_refund("R-C", "cancel", "0.5"),
    a_refund("R-D", "refuse", "0.333", tariffs=("T-A",)),
)


def a_refunding_pack(*refunds: Refund, version: str = "1") -> Pack:
    return replace(a_pack(version=version), refunds=refunds or REFUNDS)


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_refunding_pack())
    return service_database


def about(document_id: str) -> dict[str, Any]:
    return {
        "document_id": document_id,
        "reference": f"A-{document_id}",
        "type": TYPE,
        "owner_organisation_id": "org-a",
        "submitter_organisation_id": "org-b",
        "pack_version": "1",
    }


def filed(document_id: str = "doc-1") -> intake.DocumentSubmitted:
    said = submitted(document_id)
    said.pack_version = "1"
    return said


def withdrawn(
    document_id: str = "doc-1", from_state: str = "REGISTERED", at: datetime = LATER, **changes: Any
) -> intake.DocumentWithdrawn:
    told = {**about(document_id), **changes}
    return intake.DocumentWithdrawn(
        **told, from_state=from_state, to_state="WITHDRAWN", withdrawn_at=wire.timestamp(at)
    )


def cancelled(document_id: str = "doc-1", from_state: str = "GRANTED") -> intake.DocumentCancelled:
    at = wire.timestamp(LATER)
    return intake.DocumentCancelled(**about(document_id), from_state=from_state, to_state="CANCELLED", cancelled_at=at)


def refused(document_id: str = "doc-1") -> intake.DocumentDecided:
    said = decided(document_id, "REFUSED", LATER)
    said.event, said.pack_version = "refuse", "1"
    return said


async def settled(db: Database, document_id: str = "doc-1") -> list[tuple[Any, ...]]:
    return sorted(await rows(db, f"{CREDITED} where credits.document_id = '{document_id}'"))


async def execute(db: Database, *statements: str) -> None:
    async with db.transaction() as tx:
        for statement in statements:
            await tx.execute(statement.encode())


async def is_balanced(db: Database) -> bool:
    check = await actions.check_ledger(db)
    return (check.sum_minor, check.unbalanced_journals, check.charges_without_journal) == (0, 0, 0)


async def balance(db: Database, organisation_id: str = "org-a") -> int:
    account = f"receivable:{organisation_id}:{CURRENCY}"
    found = await rows(db, f"select sum(amount_minor) from entries where account = '{account}'")  # noqa: S608
    return int(found[0][0] or 0)


async def test_what_is_withdrawn_in_time_is_given_back_whole(db: Database) -> None:
    await hear(db, filed())
    await hear(db, withdrawn())
    assert await settled(db) == [("T-A", "R-W", 3333, 667)]
    assert await balance(db) == 0
    assert await is_balanced(db)


async def test_what_no_policy_speaks_of_is_kept(db: Database) -> None:
    await hear(db, filed(), withdrawn(from_state="GRANTED"), filed("doc-2"), withdrawn("doc-2", type="permit.b"))
    assert await count(db, "credits") == await count(db, "refund_grounds") == 0
    assert await balance(db) == 2 * 4000


async def test_half_of_every_charge_so_far_and_of_the_tariffs_named(db: Database) -> None:
    await hear(db, filed(), decided(), cancelled())
    assert await settled(db) == [("T-A", "R-C", 1666, 334), ("T-G", "R-C", 2000, 400)]
    await hear(db, filed("doc-2"), decided("doc-2"), refused("doc-2"))
    assert await settled(db, "doc-2") == [("T-A", "R-D", 1110, 222)]
    assert await is_balanced(db)


async def test_twice_a_hundred_times_and_by_eight_at_once_is_once(db: Database) -> None:
    await hear(db, filed())
    await hear(db, *[an_event(withdrawn())] * 10)
    await asyncio.gather(*(hear(db, withdrawn()) for _ in range(8)))
    assert [await count(db, table) for table in ("credits", "refund_grounds", "journals", "outbox")] == [1, 1, 2, 2]


async def test_a_refund_that_overtakes_its_charge_ends_the_same(db: Database) -> None:
    await hear(db, withdrawn())
    assert (await count(db, "credits"), await count(db, "refund_grounds")) == (0, 1)
    await hear(db, filed())
    assert await settled(db) == [("T-A", "R-W", 3333, 667)]
    assert [row[0].rpartition(".")[2] for row in await rows(db, "select type from outbox order by id")] == [
        "ChargeRecorded",
        "CreditNoted",
    ]
    assert await balance(db) == 0


async def test_what_is_charged_for_what_came_after_is_owed(db: Database) -> None:
    await hear(db, cancelled(from_state="REGISTERED"), filed())
    late = decided(at=LATER + timedelta(hours=1))
    await hear(db, late)
    assert [row[:2] for row in await settled(db)] == [("T-A", "R-C")]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_order_and_the_crowd_the_end_is_the_same(db: Database, seed: int) -> None:
    said: list[Message] = [filed(), decided(), cancelled(), cancelled(), filed(), decided()]
    random.Random(seed).shuffle(said)
    await asyncio.gather(*(hear(db, one) for one in said))
    assert await settled(db) == [("T-A", "R-C", 1666, 334), ("T-G", "R-C", 2000, 400)]
    assert await balance(db) == 4400
    assert await is_balanced(db)


async def test_who_dies_between_two_lines_has_given_nothing_back(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await hear(db, filed())

    async def die(*_: Any) -> None:
        raise psycopg.OperationalError("the server closed the connection")

    with monkeypatch.context() as patched:
        patched.setattr("billing.actions.crediting.outbox.append_many", die)
        with pytest.raises(Unavailable):
            await hear(db, withdrawn())
    assert [await count(db, table) for table in ("credits", "credited", "refund_grounds", "journals")] == [0, 0, 0, 1]
    await hear(db, withdrawn())
    assert await settled(db) == [("T-A", "R-W", 3333, 667)]


async def test_two_policies_never_give_back_more_than_was_charged(service_database: Database) -> None:
    db = service_database
    shares = [a_refund(f"R-{number}", "withdraw", "0.4") for number in range(4)]
    await actions.load_pack(db, a_refunding_pack(*shares))
    await hear(db, filed(), withdrawn())
    assert await settled(db) == [("T-A", "R-0", 1333, 267), ("T-A", "R-1", 1333, 267), ("T-A", "R-2", 667, 133)]
    assert await rows(db, "select net_minor, vat_minor from credited") == [(3333, 667)]
    assert await balance(db) == 0


async def test_the_database_refuses_more_than_was_charged_and_any_change(db: Database) -> None:
    await hear(db, filed(), cancelled("doc-1", "REGISTERED"))
    more = "update credited set net_minor = net_charged + 1, net_charged = 100000"
    for statement in (
        more,
        "update credits set net_minor = 1, gross_minor = 1 + vat_minor",
        "delete from credits",
        "delete from credited",
        "delete from refund_grounds",
        CREDIT,
    ):
        with pytest.raises(psycopg.IntegrityError):
            await execute(db, statement)


async def test_a_credit_without_journal_or_count_is_no_credit(db: Database) -> None:
    await hear(db, filed(), withdrawn(from_state="GRANTED"))
    with pytest.raises(psycopg.IntegrityError, match="has no journal"):
        await execute(db, GROUND, CREDIT)


async def test_the_policies_of_the_pack_a_document_was_born_under(db: Database) -> None:
    await hear(db, filed())
    await actions.load_pack(db, a_refunding_pack(a_refund("R-N", "withdraw", "0.1"), version="2"))
    await hear(db, withdrawn(), filed("doc-2"), withdrawn("doc-2", pack_version="2"))
    assert [row[1] for row in await settled(db)] == ["R-W"]
    assert [row[1] for row in await settled(db, "doc-2")] == ["R-N"]
    await hear(db, filed("doc-3"), withdrawn("doc-3", pack_version=""))
    assert [row[1] for row in await settled(db, "doc-3")] == ["R-W"]


async def test_a_pack_nobody_loaded_yet_is_waited_for(db: Database) -> None:
    early = an_event(withdrawn(pack_version="2"))
    with pytest.raises(Unavailable):
        await hear(db, filed(), early)
    assert await count(db, "refund_grounds") == 0
    await actions.load_pack(db, a_refunding_pack(a_refund("R-N", "withdraw", "1"), version="2"))
    await hear(db, filed(), early)
    assert [row[1] for row in await settled(db)] == ["R-N"]


async def test_the_event_tells_all_and_numbers_go_on(db: Database) -> None:
    await hear(db, filed(), withdrawn())
    found = await rows(db, "select type, payload from outbox order by id")
    charge = events_pb2.ChargeRecorded.FromString(found[0][1])
    credit = events_pb2.CreditNoted.FromString(found[1][1])
    assert (charge.payer_sequence, credit.payer_sequence) == (1, 2)
    assert (credit.charge_id, credit.policy, credit.event) == (charge.charge_id, "R-W", "withdraw")
    assert (credit.amount, credit.net, credit.vat) == (charge.amount, charge.net, charge.vat)
    assert wire.moment(credit.occurred_at) == LATER


async def test_charges_show_their_credits_and_the_statement_ends_right(db: Database) -> None:
    await hear(db, filed(), withdrawn(), filed("doc-2"))
    charges, _ = await actions.list_charges(db, FINANCE, "", "", 10)
    credits = await actions.credits_of(db, charges)
    assert {charge.document_id: len(credits.get(charge.id, ())) for charge in charges} == {"doc-1": 1, "doc-2": 0}
    assert await actions.credits_of(db, []) == {}
    statement = await actions.current_statement(db, a_principal("declarant", organisation_id="org-a"), "")
    shown = [(line.posting.amount.amount_minor, line.posting.labels["en"]) for line in statement.lines]
    assert sorted(shown) == [(-4000, "Refund R-W"), (4000, "Permit"), (4000, "Permit")]
    assert statement.closing == Money(4000, CURRENCY)
    assert [bool(line.posting.credit_id) for line in statement.lines].count(True) == 1


async def test_whole_units_leave_no_rest(service_database: Database) -> None:
    """A currency without minor units, a third at a time."""
    db = service_database
    odd = a_version("odd", date(2026, 1, 1), None, an_item(12_001), vat_rate=Decimal("0.17"))
    thirds = [a_refund(f"R-{number}", "withdraw", "0.333333") for number in range(3)]
    await actions.load_pack(db, replace(a_pack(odd), refunds=(*thirds, a_refund("R-Z", "withdraw", "1"))))
    await hear(db, filed(), withdrawn())
    assert await rows(db, "select net_minor, vat_minor from credited") == [(12_001, 2_040)]
    assert await balance(db) == 0


def a_charge(net: int, vat: int) -> Charge:
    return Charge(
        id="c",
        tariff="T",
        labels={},
        document_id="d",
        reference="r",
        milestone="m",
        payer="p",
        submitter="s",
        price_version=OLD.version,
        segment="",
        multiplier=Decimal(1),
        vat_rate=Decimal("0.2"),
        net=Money(net, CURRENCY),
        vat=Money(vat, CURRENCY),
        occurred_at=AFTER,
        recorded_at=AFTER,
    )


SHARES = st.decimals("0.001", "1", places=3)


@given(st.integers(1, 10**9), st.decimals("0", "1", places=3), st.lists(SHARES, max_size=8))
def test_parts_of_a_charge_never_drift(net: int, rate: Decimal, shares: list[Decimal]) -> None:
    charge = a_charge(net, half_up(net, rate))
    returned = Returned(zero(CURRENCY), zero(CURRENCY))
    for number, share in enumerate([*shares, Decimal(1)]):
        ground = Ground("d", str(number), {}, (), share, "withdraw", LATER)
        credit = credit_for(charge, ground, returned, "x", LATER)
        if credit is None:
            continue
        assert credit.net.amount_minor >= 0
        assert credit.vat.amount_minor >= 0
        assert credit.gross.amount_minor > 0
        returned = Returned(returned.net + credit.net, returned.vat + credit.vat)
        exact = Decimal(charge.vat.amount_minor) * returned.gross.amount_minor / charge.gross.amount_minor
        assert abs(returned.vat.amount_minor - exact) <= Decimal("0.5")
    assert (returned.net, returned.vat) == (charge.net, charge.vat)
