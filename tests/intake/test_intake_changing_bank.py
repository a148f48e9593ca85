"""A title leaves its bank for another: both agree, or nothing changes; turned away, it goes straight to the next."""

from __future__ import annotations

import json
from typing import Any

import pytest
from intake.actions.acts import Act
from intake.actions.amending import AmendmentDesk
from intake.actions.hearing import Happening
from intake.domain.documents import Item
from kit import clock
from kit.auth import Principal
from kit.errors import Forbidden, Invalid, Malformed, NotFound, PortolanError, PreconditionFailed, Refused, TooLarge
from portolan.intake.v1 import events_pb2

from tests.intake.builders import Window, a_body, a_stranger, customs, the_broker, the_importer
from tests.intake.settlements import give_back, pay, reader, settlement
from tests.intake.test_intake_amending import a_changed, amend

pytestmark = pytest.mark.service("intake")


async def change(
    window: Window,
    title: str,
    bank: str = "011",
    *,
    by: Principal | None = None,
    if_match: str = "*",
    key: str = "",
    **members: Any,
) -> dict[str, Any]:
    return await ask(window, title, json.dumps({"bank": bank, **members}).encode(), by, if_match, key)


async def ask(
    window: Window, title: str, raw: bytes, by: Principal | None = None, if_match: str = "*", key: str = ""
) -> dict[str, Any]:
    desk = AmendmentDesk(window.db, window.rulebooks, window.directory, window.register)
    acted = await desk.change_bank(Act("change_bank", by or the_broker(), title, if_match, key, raw))
    return {**json.loads(acted.document_json), "replayed": acted.replayed}


async def decided(window: Window, title: str, event: str) -> None:
    await window.hear(Happening(title, Item("task_decided", clock.now(), "officer", agency="BANK-011"), event))


async def message(window: Window, title: str, kind: Any) -> Any:
    async with window.db.connection() as connection:
        rows = await connection.execute(
            "select payload from outbox where key = %s and type like %s order by id desc limit 1",
            [title, f"%{kind.DESCRIPTOR.name}"],
        )
        row = await rows.fetchone()
    return kind.FromString(row[0]) if row else None


async def test_both_banks_are_asked_and_then_the_new_one_keeps_its_payments(window: Window) -> None:
    title = await window.title()
    await pay(window, title, 100, kind="ADVANCE")
    answer = await change(window, title, branch="Main branch")
    assert (answer["state"], answer["version"]) == ("BANK_TRANSFER_PENDING", 1)
    assert answer["amendment"]["steps"] == ["bank_change_release", "bank_change_takeover"]
    said = await message(window, title, events_pb2.AmendmentProposed)
    facts = json.loads(said.facts_json)
    assert (facts["before_agency_bank"], facts["agency_bank"]) == ("BANK-007", "BANK-011")
    await pay(window, title, 50, number="P-2", kind="ADVANCE")
    with pytest.raises(Refused):
        await window.impute(title)
    await decided(window, title, "change_bank_accept")
    shown = await window.document(title, the_broker())
    assert (shown["state"], shown["version"], shown["body"]["bank"]) == ("CUSTOMS_ACCEPTED", 2, "011")
    assert (shown["body"]["branch"], "rib" in shown["body"]) == ("Main branch", False)
    assert (await window.said(title))[-2:] == ["DocumentDecided", "DocumentAmended"]
    with pytest.raises(Forbidden):
        await pay(window, title, 1, number="P-3", kind="ADVANCE")
    await pay(window, title, 1, number="P-3", kind="ADVANCE", by=await reader(window, title, "BANK-011"))
    assert (await settlement(window, title))["paid"]["amount_minor"] == 151


async def test_a_bank_that_refuses_leaves_everything_as_it_was(window: Window) -> None:
    title = await window.title()
    await window.impute(title)
    await change(window, title)
    await decided(window, title, "change_bank_reject")
    shown = await window.document(title, the_broker())
    assert (shown["state"], shown["version"], shown["body"]["bank"]) == ("PARTIALLY_IMPUTED", 1, "007")


async def test_a_title_that_is_imputed_and_paid_past_its_amount_may_still_leave(window: Window) -> None:
    title = await window.title()
    await window.impute(title, quantity="12000", value={"amount_minor": 18_000_500, "currency": "USD"})
    await pay(window, title, 18_000_500)
    await change(window, title)
    await decided(window, title, "change_bank_accept")
    shown = await window.document(title, the_broker())
    assert (shown["state"], shown["version"]) == ("FULLY_IMPUTED", 2)


async def test_turned_away_it_goes_straight_to_another_bank_once(window: Window) -> None:
    title = await window.title("REGISTERED")
    with pytest.raises(Refused):
        await change(window, title)
    for event in ("send_to_bank", "bank_reject"):
        await decided(window, title, event)
    answer = await change(window, title)
    assert (answer["state"], answer["version"], answer["amendment"]["steps"]) == ("REGISTERED", 2, [])
    said = await message(window, title, events_pb2.DocumentAmended)
    assert (said.resumes_at, json.loads(said.facts_json)["agency_bank"]) == ("domiciliation", "BANK-011")
    with pytest.raises(Refused):
        await change(window, title, "230")
    await decided(window, title, "send_to_bank")
    assert (await window.document(title))["state"] == "DOMICILIATION_PENDING"


async def test_a_bank_that_is_committed_is_not_left(window: Window) -> None:
    body = a_body()
    body["payment"] = {"mode": "DOCUMENTARY_CREDIT"}
    answer = await window.submit(window.submission(body))
    for event in ("send_to_bank", "bank_accept", "customs_accept"):
        await decided(window, answer.document_id, event)
    with pytest.raises(Invalid) as refused:
        await change(window, answer.document_id)
    assert [(fault.pointer, fault.code) for fault in refused.value.violations] == [
        ("/body/payment/mode", "no_commitment")
    ]


async def test_one_version_waits_at_a_time(window: Window) -> None:
    title = await window.title()
    await change(window, title)
    for attempt in (change(window, title, "230"), amend(window, title, a_changed(cents=19_000_000))):
        with pytest.raises(Refused):
            await attempt


async def test_the_same_key_again_is_the_same_answer(window: Window) -> None:
    title = await window.title()
    first = await change(window, title, key="once")
    await decided(window, title, "change_bank_accept")
    again = await change(window, title, key="once")
    assert (first.pop("replayed"), again.pop("replayed")) == (False, True)
    assert first == again
    with pytest.raises(Invalid) as reused:
        await change(window, title, "230", key="once")
    assert reused.value.code == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize(
    ("raw", "refused", "pointer"),
    [
        (b"{", Malformed, None),
        (b"[]", Malformed, None),
        (b'{"bank": "' + b"0" * 5000 + b'"}', TooLarge, None),
        (b"{}", Invalid, "/bank"),
        (b'{"bank": 7}', Invalid, "/bank"),
        (b'{"bank": "999"}', Invalid, "/bank"),
        (b'{"bank": "007"}', Invalid, "/body"),
        (b'{"bank": "011", "account": "1"}', Invalid, "/account"),
        (b'{"bank": "011", "more": "1"}', Invalid, "/more"),
        (b'{"bank": "011", "remarks": "' + b"x" * 501 + b'"}', Invalid, "/remarks"),
    ],
)
async def test_what_is_wrong_is_said_where_it_stands(
    window: Window, raw: bytes, refused: type[PortolanError], pointer: str | None
) -> None:
    title = await window.title()
    with pytest.raises(refused) as raised:
        await ask(window, title, raw)
    assert pointer in {None, *(fault.pointer for fault in raised.value.violations)}


async def test_only_the_owner_or_its_agent_asks_on_what_they_have_seen(window: Window) -> None:
    title = await window.title()
    refusals: list[tuple[dict[str, Any], type[PortolanError]]] = [
        ({"by": a_stranger()}, NotFound),
        ({"by": customs()}, Forbidden),
        ({"if_match": '"1"'}, PreconditionFailed),
    ]
    for asked, refused in refusals:
        with pytest.raises(refused):
            await change(window, title, **asked)
    assert (await change(window, title, by=the_importer()))["state"] == "BANK_TRANSFER_PENDING"


async def test_a_document_without_a_bank_to_change_refuses(window: Window) -> None:
    answer = await window.submit(
        window.submission(a_body("export_title"), document_type="export_title", on_behalf_of="org-importer")
    )
    with pytest.raises(Refused):
        await change(window, answer.document_id)


async def test_what_a_bank_recorded_it_alone_takes_back(window: Window) -> None:
    """The new bank used to be able to take back the payments of the old one."""
    title = await window.title()
    paid = await pay(window, title, 100, kind="ADVANCE")
    await change(window, title)
    await decided(window, title, "change_bank_accept")
    new = await reader(window, title, "BANK-011")
    with pytest.raises(Forbidden):
        await give_back(window, title, paid["id"], by=new)
    own = await pay(window, title, 1, number="P-2", kind="ADVANCE", by=new)
    with pytest.raises(Forbidden):
        await give_back(window, title, own["id"])
    await give_back(window, title, paid["id"])
    assert (await settlement(window, title))["paid"]["amount_minor"] == 1
