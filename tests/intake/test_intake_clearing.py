"""Clearing: the title's bank ends it when payments and imputations agree; after that nothing changes, whoever asks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from intake.actions import clearing, expiring
from intake.actions.acts import Act
from kit.auth import Principal
from kit.errors import Forbidden, NotFound, PortolanError, PreconditionFailed, PreconditionRequired, Refused
from kit.testing import a_principal

from tests.intake.builders import Window, the_broker
from tests.intake.settlements import give_back, pay, reader
from tests.intake.test_intake_amending import a_changed, amend
from tests.intake.test_intake_cancelling import cancel

pytestmark = pytest.mark.service("intake")


async def clear(
    window: Window, title: str, *, by: Principal | None = None, if_match: str = "*", key: str = ""
) -> dict[str, Any]:
    who = by or await reader(window, title)
    act = Act("clear", who, title, if_match, key, b"remarks")
    acted = await clearing.clear(window.db, window.rulebooks, act, "all agrees")
    return {**json.loads(acted.document_json), "replayed": acted.replayed}


async def an_imputed(window: Window, value: int = 18_000_000) -> tuple[str, str]:
    title = await window.title()
    imputed = await window.impute(title, quantity="12000", value={"amount_minor": value, "currency": "USD"})
    return title, str(imputed["id"])


async def test_a_title_is_cleared_when_what_is_paid_is_covered(window: Window) -> None:
    title, _ = await an_imputed(window)
    await pay(window, title, 18_000_000)
    assert (await clear(window, title))["state"] == "CLEARED"
    last = (await window.timeline(title))["items"][-1]
    assert (last["event"], last["agency"], last["to"]) == ("clear", "BANK-007", "CLEARED")
    assert (await window.said(title))[-1] == "DocumentDecided"


async def test_an_advance_that_no_goods_followed_is_not_cleared(window: Window) -> None:
    title, _ = await an_imputed(window, 1_000)
    paid = await pay(window, title, 1_001, kind="ADVANCE")
    with pytest.raises(Refused) as refused:
        await clear(window, title)
    assert (refused.value.code, refused.value.facts["imputed_minor"]) == ("UNRECONCILED", "1000")
    await give_back(window, title, paid["id"])
    assert (await clear(window, title))["state"] == "CLEARED"


async def test_an_expired_title_of_which_nothing_was_used_is_cleared_too(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = await window.title()
    async with window.db.transaction() as tx:
        await tx.execute(b"update documents set valid_until = now() - interval '3 days', expiry_due = now()")
    await expiring.sweep(window.db, window.rulebooks)
    assert (await clear(window, title))["state"] == "CLEARED"


async def test_a_title_that_customs_may_still_impute_is_not_cleared(window: Window) -> None:
    title = await window.title()
    with pytest.raises(Refused) as refused:
        await clear(window, title)
    assert refused.value.code == "INVALID_TRANSITION"


async def test_the_same_key_again_is_the_same_answer(window: Window) -> None:
    title, _ = await an_imputed(window)
    first = await clear(window, title, key="once")
    again = await clear(window, title, key="once")
    assert (first.pop("replayed"), again.pop("replayed")) == (False, True)
    assert first == again
    with pytest.raises(Refused):
        await clear(window, title)


async def test_only_its_own_bank_clears_it_on_what_it_has_seen(window: Window) -> None:
    title, _ = await an_imputed(window)
    stranger = a_principal("bank_officer", organisation_id="org-other", kind="bank", agency="BANK-011")
    refusals: list[tuple[dict[str, Any], type[PortolanError]]] = [
        ({"by": stranger}, NotFound),
        ({"by": the_broker()}, Forbidden),
        ({"if_match": ""}, PreconditionRequired),
        ({"if_match": '"1"'}, PreconditionFailed),
    ]
    for asked, refused in refusals:
        with pytest.raises(refused):
            await clear(window, title, **asked)


async def test_nothing_changes_after_it(window: Window) -> None:
    title, imputed = await an_imputed(window)
    paid = await pay(window, title, 500)
    await clear(window, title)
    attempts: tuple[Callable[[], Awaitable[Any]], ...] = (
        lambda: pay(window, title, 1, number="P-2"),
        lambda: give_back(window, title, paid["id"]),
        lambda: window.cancel(title, imputed),
        lambda: window.impute(title, number="D-2", quantity="1"),
        lambda: amend(window, title, a_changed(cents=19_000_000)),
        lambda: cancel(window, title),
    )
    before = await window.timeline(title)
    for attempt in attempts:
        with pytest.raises(Refused) as refused:
            await attempt()
        assert refused.value.code in ("INVALID_TRANSITION", "QUANTITY_EXCEEDED")
    assert await window.timeline(title) == before
    assert (await pay(window, title, 500))["replayed"] is True


@pytest.mark.parametrize(
    "statement",
    [
        "update title_lines set released = released + 1",
        "update title_settlements set paid_minor = 0",
        "update imputations set state = 'CANCELLED'",
        "update payments set state = 'CANCELLED'",
        "update documents set state = 'FULLY_IMPUTED'",
        "insert into title_entries (document_id, line, kind, quantity, actor, at)"
        " select document_id, 1, 'RELEASED', 1, 'x', now() from documents",
        "insert into settlement_entries (document_id, kind, amount_minor, payment_id, actor, at)"
        " select document_id, 'CANCELLED', 1, payment_id, 'x', now() from payments",
        "delete from cleared_titles",
    ],
)
async def test_nor_does_the_database_allow_it(window: Window, statement: str) -> None:
    title, _ = await an_imputed(window)
    await pay(window, title, 500)
    await clear(window, title)
    with pytest.raises(psycopg.errors.IntegrityError):
        async with window.db.transaction() as tx:
            await tx.execute(statement.encode())
