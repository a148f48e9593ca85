"""The settlement ledger: only the title's bank writes it, once for each number, never past what customs imputed or an
advance admits, and it holds whatever customs, amendments and cancellations do meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from intake.actions import settling
from kit import ids
from kit.auth import Principal
from kit.errors import Forbidden, Invalid, Malformed, NotFound, PortolanError, Refused
from kit.testing import a_principal

from tests.intake.builders import Window, a_stranger, customs, the_broker
from tests.intake.settlements import BANK, give_back, pay, reader, settlement
from tests.intake.test_intake_amending import a_changed, amend, decided
from tests.intake.test_intake_cancelling import cancel

pytestmark = pytest.mark.service("intake")

# 200,000 dirhams in dollars at the pack's rate of 9.95.
ADVANCE = 2_010_050


async def refusal(window: Window, title: str, **changes: Any) -> PortolanError:
    with pytest.raises(PortolanError) as raised:
        await pay(window, title, **changes)
    return raised.value


async def test_an_advance_goes_as_far_as_the_pack_admits_one(window: Window) -> None:
    title = await window.title()
    paid = await pay(window, title, ADVANCE - 50, kind="ADVANCE")
    assert (paid["state"], paid["agency"], paid["remaining"]["amount_minor"]) == ("RECORDED", BANK, 50)
    error = await refusal(window, title, amount=51, number="P-2", kind="ADVANCE")
    assert (error.code, error.status) == ("PAYMENT_EXCEEDED", 409)
    assert error.facts == {"remaining_minor": "50", "currency": "USD"}
    await pay(window, title, 50, number="P-3", kind="ADVANCE")
    shown = await settlement(window, title)
    assert (shown["paid"]["amount_minor"], shown["remaining"]["amount_minor"]) == (ADVANCE, 0)
    assert [entry["kind"] for entry in shown["entries"]] == ["ADVANCE", "ADVANCE"]
    assert (await window.said(title))[-1] == "TitlePaid"


async def test_a_settlement_goes_as_far_as_customs_imputed(window: Window) -> None:
    title = await window.title()
    assert (await refusal(window, title, amount=1)).facts["remaining_minor"] == "0"
    await window.impute(title, value={"amount_minor": 9_000_000, "currency": "USD"})
    assert (await settlement(window, title))["imputed"] == {"amount_minor": 9_000_000, "currency": "USD"}
    await pay(window, title, 9_000_000)
    assert (await refusal(window, title, amount=1, number="P-2")).code == "PAYMENT_EXCEEDED"
    await window.impute(title, number="D-2", value={"amount_minor": 1, "currency": "USD"})
    await pay(window, title, 1, number="P-2")


async def test_past_its_amount_a_title_is_paid_only_as_far_as_customs_imputed(window: Window) -> None:
    title = await window.title()
    await window.impute(title, value={"amount_minor": 18_000_500, "currency": "USD"})
    await pay(window, title, 18_000_500)
    assert (await refusal(window, title, amount=1, number="P-2")).code == "PAYMENT_EXCEEDED"


async def test_what_is_reserved_or_in_other_money_is_not_yet_owed(window: Window) -> None:
    title = await window.title()
    await window.impute(title, reserve=True, value={"amount_minor": 9_000_000, "currency": "USD"})
    await window.impute(title, number="D-2", value={"amount_minor": 9_000_000, "currency": "EUR"})
    assert (await settlement(window, title))["imputed"]["amount_minor"] == 0
    await window.impute(title, value={"amount_minor": 7, "currency": "USD"})
    assert (await settlement(window, title))["imputed"]["amount_minor"] == 7


async def test_the_same_number_again_is_the_same_answer(window: Window) -> None:
    title = await window.title()
    first = await pay(window, title, 100, kind="ADVANCE")
    again = await pay(window, title, 100, kind="ADVANCE")
    assert (first.pop("replayed"), again.pop("replayed")) == (False, True)
    assert first == again
    error = await refusal(window, title, amount=101, kind="ADVANCE")
    assert (error.code, error.status) == ("IDEMPOTENCY_KEY_REUSED", 422)
    await give_back(window, title, first["id"])
    assert (await pay(window, title, 100, kind="ADVANCE"))["state"] == "CANCELLED"
    assert (await settlement(window, title))["paid"]["amount_minor"] == 0


async def test_a_payment_is_taken_back_once(window: Window) -> None:
    title = await window.title()
    paid = await pay(window, title, 100, kind="ADVANCE")
    cancelled = await give_back(window, title, paid["id"])
    assert (cancelled["state"], cancelled["remaining"]["amount_minor"]) == ("CANCELLED", ADVANCE)
    assert await give_back(window, title, paid["id"]) == cancelled
    shown = await settlement(window, title)
    assert [entry["kind"] for entry in shown["entries"]] == ["ADVANCE", "CANCELLED"]
    assert (await window.said(title))[-2:] == ["TitlePaid", "TitlePaymentCancelled"]
    with pytest.raises(NotFound):
        await give_back(window, title, ids.new_id())
    with pytest.raises(Malformed):
        await give_back(window, title, paid["id"], reason="\x00")


async def test_fifty_at_once_pay_what_is_admitted_and_not_a_cent_more(window: Window) -> None:
    title = await window.title()
    await window.impute(title, value={"amount_minor": 3_000_000, "currency": "USD"})
    outcomes = await asyncio.gather(
        *(pay(window, title, 90_000, number=f"P-{n}") for n in range(50)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(outcomes) - len(refused) == 33
    assert (await settlement(window, title))["paid"]["amount_minor"] == 33 * 90_000
    assert await window.count("select sum(amount_minor) from settlement_entries") == 33 * 90_000


async def test_the_database_itself_refuses_a_cent_more(window: Window) -> None:
    title = await window.title()
    await pay(window, title, ADVANCE, kind="ADVANCE")
    for statement in (
        "update title_settlements set paid_minor = paid_minor + 1",
        "update title_settlements set advance_minor = advance_minor - 1",
        "update settlement_entries set amount_minor = 1",
        "truncate settlement_entries",
    ):
        with pytest.raises(psycopg.errors.IntegrityError):
            async with window.db.transaction() as tx:
                await tx.execute(statement.encode())


async def test_an_imputation_whose_value_is_paid_stays(window: Window) -> None:
    title = await window.title()
    imputed = await window.impute(title, value={"amount_minor": 9_000_000, "currency": "USD"})
    paid = await pay(window, title, 9_000_000)
    with pytest.raises(Refused) as refused:
        await window.cancel(title, imputed["id"])
    assert refused.value.code == "IMPUTATION_PAID"
    assert (await window.figures(title))["consumed"] == "100"
    await give_back(window, title, paid["id"])
    await pay(window, title, ADVANCE, number="P-2", kind="ADVANCE")
    assert (await window.cancel(title, imputed["id"]))["state"] == "CANCELLED"


async def test_only_the_titles_own_bank_pays(window: Window) -> None:
    title = await window.title()
    other = a_principal("bank_officer", organisation_id="org-other", kind="bank", agency="BANK-011")
    strangers: list[tuple[Principal, type[PortolanError]]] = [
        *((a_stranger(), NotFound), (other, NotFound), (the_broker(), Forbidden), (customs(), Forbidden)),
    ]
    for caller, refused in strangers:
        with pytest.raises(refused):
            await pay(window, title, 1, by=caller, kind="ADVANCE")
    paid = await pay(window, title, 1, kind="ADVANCE")
    with pytest.raises(Forbidden):
        await give_back(window, title, paid["id"], by=the_broker())
    with pytest.raises(NotFound):
        await settling.show(window.db, window.rulebooks, a_stranger(), title)


async def test_nothing_is_paid_before_the_bank_has_the_title(window: Window) -> None:
    title = await window.title("REGISTERED")
    assert (await refusal(window, title, amount=1, kind="ADVANCE")).code == "INVALID_TRANSITION"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"paid_on": "2031-01-01"}, "/paid_on"),
        ({"paid_on": "1999-01-01"}, "/paid_on"),
        ({"paid_on": "yesterday"}, "/paid_on"),
        ({"kind": "GIFT"}, "/kind"),
        ({"amount": {"amount_minor": 0, "currency": "USD"}}, "/amount/amount_minor"),
        ({"amount": {"amount_minor": 1, "currency": "EUR"}}, "/amount/currency"),
        ({"amount": {"amount_minor": 1, "currency": "XQQ"}}, "/amount/currency"),
        ({"payment_number": "-1"}, "/payment_number"),
        ({"more": 1}, "/more"),
    ],
)
async def test_what_is_wrong_is_said_where_it_stands(window: Window, changes: dict[str, Any], pointer: str) -> None:
    title = await window.title()
    bank = await reader(window, title)
    asked = {
        "payment_number": "P-1",
        "paid_on": "2026-06-01",
        "kind": "ADVANCE",
        "amount": {"amount_minor": 1, "currency": "USD"},
    }
    with pytest.raises(Invalid) as raised:
        await settling.pay(window.db, window.rulebooks, bank, title, json.dumps(asked | changes).encode())
    assert [fault.pointer for fault in raised.value.violations] == [pointer]


async def test_an_amended_total_never_falls_below_what_is_paid(window: Window) -> None:
    title = await window.title()
    await pay(window, title, 1_000_000, kind="ADVANCE")
    with pytest.raises(Refused) as refused:
        await amend(window, title, a_changed(cents=999_999))
    assert (refused.value.code, refused.value.facts["paid_minor"]) == ("BELOW_PAID", "1000000")
    await amend(window, title, a_changed(cents=1_000_000))
    await decided(window, title, "amend_accept")
    shown = await settlement(window, title)
    assert (shown["amount"]["amount_minor"], shown["advance_admitted"]["amount_minor"]) == (1_000_000, 1_000_000)


async def test_an_amendment_that_no_longer_fits_is_let_go(window: Window) -> None:
    """The bank recorded a payment between its proposal and its acceptance: nothing waits for ever."""
    title = await window.title()
    await amend(window, title, a_changed(cents=1_000_000))
    async with window.db.transaction() as tx:
        await tx.execute(
            b"insert into title_settlements values (%s, 'USD', 18000000, 2010050, null, 0, 1000001)", [title]
        )
    await decided(window, title, "amend_accept")
    shown = await window.document(title)
    assert (shown["state"], shown["version"]) == ("CUSTOMS_ACCEPTED", 1)
    kinds = [item["kind"] for item in (await window.timeline(title))["items"]]
    assert kinds[-3:] == ["task_decided", "note", "state"]


async def test_a_title_of_which_something_is_paid_is_not_cancelled(window: Window) -> None:
    title = await window.title()
    paid = await pay(window, title, 1, kind="ADVANCE")
    with pytest.raises(Refused) as refused:
        await cancel(window, title)
    assert refused.value.code == "INVALID_TRANSITION"
    await give_back(window, title, paid["id"])
    assert (await cancel(window, title))["state"] == "CANCELLED"
    with pytest.raises(Refused):
        await pay(window, title, 1, number="P-2", kind="ADVANCE")
