"""Amending: a new version that waits, takes effect or is let go; the title's ledger goes with it, once."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from intake.actions import reading
from intake.actions.acts import Act
from intake.actions.amending import AmendmentDesk
from intake.actions.hearing import Happening
from intake.domain.amendments import CHANGES_MAX, Change, changes, shown
from intake.domain.documents import Item
from kit import clock
from kit.errors import (
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Refused,
)
from portolan.intake.v1 import events_pb2

from tests.intake.builders import Window, a_body_of, a_stranger, customs, the_broker, the_importer
from tests.intake.test_intake_cancelling import cancel

pytestmark = pytest.mark.service("intake")

REMARK: dict[str, Any] = {"remarks": "another remark"}


def a_changed(quantity: str = "12000", cents: int = 18_000_000, **members: Any) -> dict[str, Any]:
    """The body of `Window.title`, for another quantity and value."""
    body = a_body_of(quantity) | members
    body["lines"][0]["value"]["amount_minor"] = cents
    body["total"]["amount_minor"] = cents
    return body


async def amend(
    window: Window,
    title: str,
    body: Mapping[str, Any],
    *,
    if_match: str = "*",
    key: str = "",
    by: Any = None,
    remarks: str = "",
) -> dict[str, Any]:
    request = json.dumps({"body": body, "remarks": remarks}).encode()
    act = Act("amend", by or the_broker(), title, if_match, key, request)
    desk = AmendmentDesk(window.db, window.rulebooks, window.directory, window.register)
    acted = await desk.amend(act)
    return {**json.loads(acted.document_json), "replayed": acted.replayed, "etag": acted.etag}


async def decided(window: Window, title: str, event: str) -> None:
    await window.hear(Happening(title, Item("task_decided", clock.now(), "officer", agency="BANK-007"), event))


async def receipt(window: Window, title: str, version: int = 0) -> dict[str, Any]:
    return dict(json.loads(await reading.receipt(window.db, the_broker(), title, version=version)))


async def test_a_proposal_waits_and_the_version_in_force_stands(window: Window) -> None:
    title = await window.title()
    answer = await amend(window, title, a_changed("15000", 22_500_000), remarks="more shoes")
    assert (answer["state"], answer["version"]) == ("AMENDMENT_PENDING", 1)
    assert answer["amendment"] == {"version": 2, "state": "PROPOSED", "steps": ["amendment_bank"]}
    assert {"pointer": "/lines/0/quantity/value", "before": "12000", "after": "15000"} in answer["diff"]
    assert (len(answer["diff"]), answer["diff_left_off"]) == (3, 0)
    assert answer["body"]["lines"][0]["quantity"]["value"] == "12000"
    assert (await window.figures(title))["authorised"] == "12000"
    assert (await window.said(title))[-2:] == ["DocumentDecided", "AmendmentProposed"]
    with pytest.raises(Refused):
        await window.impute(title)
    with pytest.raises(Refused):
        await amend(window, title, a_changed(**REMARK))


async def test_accepted_it_is_the_version_in_force(window: Window) -> None:
    title = await window.title()
    await window.impute(title, quantity="100")
    await amend(window, title, a_changed("15000", 22_500_000))
    await decided(window, title, "amend_accept")
    shown_now = await window.document(title, the_broker())
    assert (shown_now["state"], shown_now["version"]) == ("PARTIALLY_IMPUTED", 2)
    assert shown_now["body"]["lines"][0]["quantity"]["value"] == "15000"
    assert (await window.figures(title))["remaining"] == "14900"
    assert [entry["kind"] for entry in (await window.ledger(title))["entries"]][-1] == "INCREASED"
    assert (await window.said(title))[-2:] == ["DocumentDecided", "DocumentAmended"]
    assert (await receipt(window, title))["receipt"]["version"] == 2
    assert (await receipt(window, title, 1))["receipt"]["version"] == 1
    with pytest.raises(NotFound):
        await receipt(window, title, 3)


async def test_rejected_it_leaves_everything_as_it_was(window: Window) -> None:
    title = await window.title()
    before = await window.document(title)
    await amend(window, title, a_changed("15000", 22_500_000))
    await decided(window, title, "amend_reject")
    after = await window.document(title)
    assert (after["state"], after["version"], after["body"]) == ("CUSTOMS_ACCEPTED", 1, before["body"])
    assert (await window.figures(title))["authorised"] == "12000"
    assert "DocumentAmended" not in await window.said(title)
    again = await amend(window, title, a_changed("16000", 24_000_000))
    assert again["amendment"]["version"] == 3


async def test_a_verdict_heard_twice_or_too_late_is_only_noted(window: Window) -> None:
    title = await window.title()
    await amend(window, title, a_changed("15000", 22_500_000))
    await decided(window, title, "amend_accept")
    await decided(window, title, "amend_accept")
    await decided(window, title, "amend_reject")
    assert (await window.document(title))["version"] == 2
    items = (await window.timeline(title))["items"]
    assert [item["kind"] for item in items[-4:]] == ["task_decided", "note", "task_decided", "note"]
    states = [item for item in items if item["kind"] == "state"]
    assert all(one["to"] == other["from"] for one, other in pairwise(states))
    assert [item["seq"] for item in items] == list(range(1, len(items) + 1))


async def test_what_convinces_nobody_anew_is_in_effect_at_once(window: Window) -> None:
    title = await window.title()
    answer = await amend(window, title, a_changed(**REMARK))
    assert (answer["state"], answer["version"]) == ("CUSTOMS_ACCEPTED", 2)
    assert answer["amendment"] == {"version": 2, "state": "ACCEPTED", "steps": []}
    assert answer["body"]["remarks"] == "another remark"
    assert (await window.said(title))[-1] == "DocumentAmended"
    assert answer["etag"] == '"5"'


async def test_the_same_key_is_the_same_answer_and_one_version(window: Window) -> None:
    title = await window.title()
    body = a_changed("15000", 22_500_000)
    answers = await asyncio.gather(*(amend(window, title, body, if_match='"4"', key="k") for _ in range(8)))
    assert sum(not answer.pop("replayed") for answer in answers) == 1
    assert all(answer == answers[0] for answer in answers)
    assert (await window.said(title)).count("AmendmentProposed") == 1
    await decided(window, title, "amend_accept")
    later = await amend(window, title, body, if_match='"4"', key="k")
    assert (later.pop("replayed"), later) == (True, answers[0])
    with pytest.raises(Invalid, match="IDEMPOTENCY_KEY_REUSED"):
        await amend(window, title, a_changed(**REMARK), key="k")


async def test_nothing_falls_below_what_customs_holds(window: Window) -> None:
    title = await window.title()
    await window.impute(title, quantity="5000", value={"amount_minor": 7_500_000, "currency": "USD"})
    await window.impute(title, quantity="1000", number="D-2", reserve=True)
    with pytest.raises(Refused, match="BELOW_IMPUTED"):
        await amend(window, title, a_changed("5999", 9_000_000))
    with pytest.raises(Refused, match="BELOW_IMPUTED"):
        await amend(window, title, a_changed("12000", 7_500_000))
    await amend(window, title, a_changed("6000", 9_000_000))
    await decided(window, title, "amend_accept")
    assert (await window.figures(title))["remaining"] == "0"


async def test_a_title_amended_to_what_is_imputed_is_full(window: Window) -> None:
    title = await window.title()
    await window.impute(title, quantity="5000", value={"amount_minor": 7_500_000, "currency": "USD"})
    await amend(window, title, a_changed("5000", 7_500_000))
    await decided(window, title, "amend_accept")
    assert (await window.document(title))["state"] == "FULLY_IMPUTED"
    with pytest.raises(Refused):
        await amend(window, title, a_changed(**REMARK))


async def test_what_is_given_back_meanwhile_is_seen_when_the_title_comes_back(window: Window) -> None:
    title = await window.title()
    held = await window.impute(title, quantity="5000")
    await amend(window, title, a_changed("15000", 22_500_000))
    await window.cancel(title, held["id"])
    await decided(window, title, "amend_reject")
    assert (await window.document(title))["state"] == "CUSTOMS_ACCEPTED"
    states = [item["to"] for item in (await window.timeline(title))["items"] if item["kind"] == "state"]
    assert states[-3:] == ["AMENDMENT_PENDING", "PARTIALLY_IMPUTED", "CUSTOMS_ACCEPTED"]


async def test_a_quantity_that_a_decision_reduced_stays_reduced(window: Window) -> None:
    title = await window.title()
    async with window.db.transaction() as tx:
        await tx.execute("update title_lines set authorised = 8000 where document_id = %s", [title])
    await amend(window, title, a_changed("12000", 19_000_000))
    await decided(window, title, "amend_accept")
    assert (await window.figures(title))["authorised"] == "8000"


async def test_only_what_the_type_names_may_change(window: Window) -> None:
    title = await window.title()
    other_goods = a_changed(supplier={"name": "Somebody else", "country": "CN", "address": "elsewhere"})
    two_lines = a_changed()
    two_lines["lines"].append(copy.deepcopy(two_lines["lines"][0]))
    two_lines["total"]["amount_minor"] *= 2
    for body, code in ((other_goods, "NOT_AMENDABLE"), (a_changed(), "NOTHING_CHANGED"), (two_lines, "NOT_AMENDABLE")):
        with pytest.raises(Invalid) as refused:
            await amend(window, title, body)
        assert {violation.code for violation in refused.value.violations} == {code}
        assert all(violation.pointer.startswith("/body") for violation in refused.value.violations)
    with pytest.raises(Invalid) as refused:
        await amend(window, title, a_changed() | {"total": {"amount_minor": 1, "currency": "USD"}})
    assert "lines_total" in {violation.code for violation in refused.value.violations}


async def test_only_in_the_states_the_type_names(window: Window) -> None:
    for state in ("REGISTERED", "DOMICILED"):
        with pytest.raises(Refused):
            await amend(window, await window.title(state), a_changed(**REMARK))


async def test_who_may_amend_and_on_what_they_have_seen(window: Window) -> None:
    title, body = await window.title(), a_changed(**REMARK)
    with pytest.raises(NotFound):
        await amend(window, title, body, by=a_stranger())
    with pytest.raises(Forbidden):
        await amend(window, title, body, by=customs())
    with pytest.raises(PreconditionRequired):
        await amend(window, title, body, if_match="")
    with pytest.raises(PreconditionFailed):
        await amend(window, title, body, if_match='"1"')
    assert (await amend(window, title, body, by=the_importer()))["version"] == 2


async def test_an_agent_whose_mandate_ended_cannot_amend(window: Window) -> None:
    title = await window.title()
    window.identity.mandates.clear()
    with pytest.raises(Forbidden, match="MANDATE_REQUIRED"):
        await amend(window, title, a_changed(**REMARK))


async def test_a_cancelled_title_forgets_what_waited(window: Window) -> None:
    title = await window.title()
    await amend(window, title, a_changed("15000", 22_500_000))
    assert (await cancel(window, title))["state"] == "CANCELLED"
    await decided(window, title, "amend_accept")
    assert (await window.document(title))["version"] == 1
    assert await window.count("select count(*) from amendments where state = 'DROPPED'") == 1


async def test_the_agencies_are_told_what_changes(window: Window) -> None:
    title = await window.title()
    await amend(window, title, a_changed("15000", 22_500_000), remarks="more shoes")
    async with window.db.connection() as connection:
        row = await (
            await connection.execute("select payload from outbox where type like '%%AmendmentProposed'")
        ).fetchone()
    assert row is not None
    said = events_pb2.AmendmentProposed.FromString(row[0])
    assert (said.document_id, said.version, list(said.steps)) == (title, 2, ["amendment_bank"])
    assert ("/lines/0/quantity/value", '"12000"', '"15000"') in [
        (change.pointer, change.before_json, change.after_json) for change in said.changes
    ]
    assert json.loads(said.facts_json)["amount_minor"] == 22_500_000
    assert said.remarks == "more shoes"


@pytest.mark.parametrize(
    "raw", [b"[]", b'{"body": 1}', b'{"body": {}, "type": "x"}', b'{"body": {}, "remarks": 5}', b"{}"]
)
async def test_an_amendment_is_a_body_and_maybe_remarks(window: Window, raw: bytes) -> None:
    title = await window.title()
    desk = AmendmentDesk(window.db, window.rulebooks, window.directory, window.register)
    with pytest.raises((Invalid, Malformed)):
        await desk.amend(Act("amend", the_broker(), title, "*", "", raw))


def test_changes_are_told_leaf_by_leaf() -> None:
    before = {"a": [1, {"b": 2}], "gone": "x", "same": {}, "~/": 1}
    after = {"a": [1, {"b": 3}, 4], "came": {"c": True}, "same": {}, "~/": 2}
    assert changes(before, after) == [
        Change("/a/1/b", 2, 3),
        Change("/a/2", None, 4),
        Change("/came/c", None, True),
        Change("/gone", "x", None),
        Change("/~0~1", 1, 2),
    ]


def test_what_is_shown_of_changes_is_bounded() -> None:
    many = [Change(f"/{number}", 1, 2) for number in range(CHANGES_MAX + 5)]
    assert len(shown(many)) == CHANGES_MAX
    assert len(shown([Change("/a", "x" * 40_000, ""), Change("/b", "x" * 40_000, "")])) == 1
