"""What routing and billing say becomes timeline, readers and moves; never an error, never twice."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message
from intake.actions import reading, withdrawing
from intake.domain.relations import Link
from intake.events import GROUP, HEARD, handlers
from intake.store import relations
from intake.store.relations import Related
from kit import clock, ids, wire
from kit.consumer import Consumer
from kit.errors import Forbidden, NotFound, PreconditionFailed, PreconditionRequired, Refused
from kit.events import Event
from portolan.billing.v1 import events_pb2 as billing
from portolan.routing.v1 import events_pb2 as routing
from portolan.type.v1 import type_pb2

from tests.intake.builders import Window, an_officer, the_broker, the_importer
from tests.intake.test_intake_titles import assert_unbroken

pytestmark = pytest.mark.service("intake")

NOW = wire.timestamp(clock.now())
DUE = wire.timestamp(datetime(2030, 1, 1, tzinfo=UTC))


class Played:
    """A subscription that plays the same events again and again."""

    def __init__(self, messages: list[tuple[str, Message]]) -> None:
        self.events = [
            Event(ids.new_id(), "t", key, m.DESCRIPTOR.full_name, clock.now(), m.SerializeToString(), "")
            for key, m in messages
        ]

    async def poll(self, events_max: int, wait_s: float) -> list[Event]:
        return self.events

    async def commit(self, events: Any) -> None: ...

    async def close(self) -> None: ...


async def tell(window: Window, *messages: Any, times: int = 1) -> None:
    played = Played([(message.document_id, message) for message in messages])
    consumer = Consumer(window.db, played, GROUP, handlers(window.rulebooks))
    for _ in range(times):
        await consumer.step(0)
    assert await window.count("select count(*) from dead_letters") == 0


def opened(document_id: str, task_id: str = "t1", event: str = "send_to_bank", agency: str = "BANK-1") -> Message:
    return routing.TaskOpened(
        task_id=task_id,
        document_id=document_id,
        step="domiciliation",
        agency=agency,
        opened_at=NOW,
        due_at=DUE,
        document_event=event,
    )


def decided(document_id: str, task_id: str = "t1", event: str = "bank_accept", **more: Any) -> Message:
    return routing.TaskDecided(
        task_id=task_id,
        document_id=document_id,
        step="domiciliation",
        agency="BANK-1",
        outcome="accept",
        decided_by="officer-1",
        decided_at=NOW,
        document_event=event,
        **more,
    )


async def test_a_decision_moves_the_document_and_is_said_once(window: Window) -> None:
    title = await window.title("REGISTERED")
    await tell(window, opened(title), decided(title), times=3)
    document = await window.document(title)
    assert document["state"] == "DOMICILED"
    assert document["valid_until"] is not None
    assert await window.said(title) == ["DocumentSubmitted", "DocumentDecided", "DocumentDecided"]
    timeline = await window.timeline(title)
    assert_unbroken(timeline)
    assert [item["kind"] for item in timeline["items"]] == ["state", "task_opened", "state", "task_decided", "state"]
    assert timeline["items"][-1]["actor"] == "officer-1"


async def test_what_silence_decides_is_announced_and_told_with_its_law(window: Window) -> None:
    title, law = await window.title("REGISTERED"), {"fr": "la loi", "ar": "القانون", "en": "the law"}
    opening = opened(title)
    opening.MergeFrom(routing.TaskOpened(tacit_at=DUE, tacit_outcome="accept"))
    silent = decided(title, reason_code="silence", tacit_at=DUE, basis=law)
    silent.MergeFrom(routing.TaskDecided(decided_by="system"))
    await tell(window, opening, silent, times=2)
    items = [item for item in (await window.timeline(title))["items"] if item["kind"].startswith("task_")]
    assert items[0]["detail"] == {"tacit": {"outcome": "accept", "at": "2030-01-01T00:00:00.000000Z"}}
    assert items[1]["detail"] == {"outcome": "accept", "basis": law}
    assert (items[1]["actor"], items[1]["reason_code"], items[1]["due_at"]) == (
        "system",
        "silence",
        "2030-01-01T00:00:00.000000Z",
    )
    assert (await window.document(title))["state"] == "DOMICILED"


async def test_the_whole_documents_due_moment_is_shown_until_the_operator_is_waited_for(window: Window) -> None:
    title = await window.title("REGISTERED")
    assert (await window.timeline(title))["due_at"] is None
    opening = opened(title)
    opening.MergeFrom(routing.TaskOpened(document_due_at=DUE))
    await tell(window, opening)
    assert (await window.timeline(title))["due_at"] == "2030-01-01T00:00:00.000000Z"
    await tell(window, routing.CaseClosed(document_id=title, outcome="completed", closed_at=NOW))
    assert (await window.timeline(title))["due_at"] is None


async def test_the_holder_is_who_must_answer_now(window: Window) -> None:
    title = await window.title("REGISTERED")
    assert (await window.timeline(title))["holder"] is None
    await tell(window, opened(title))
    holder = (await window.timeline(title))["holder"]
    assert (holder["agency"], holder["step"]) == ("BANK-1", "domiciliation")
    await tell(window, decided(title))
    assert (await window.timeline(title))["holder"] is None


async def test_an_agency_sees_what_it_had_a_task_on_and_nothing_else(window: Window) -> None:
    seen, hidden = await window.title("REGISTERED"), await window.title("REGISTERED")
    officer = an_officer("BANK-1")
    with pytest.raises(NotFound):
        await window.document(seen, officer)
    await tell(window, opened(seen), decided(seen))
    assert (await window.document(seen, officer))["id"] == seen
    with pytest.raises(NotFound):
        await window.document(hidden, officer)
    with pytest.raises(NotFound):
        await window.document(seen, an_officer("BANK-2"))


async def test_a_decision_that_comes_after_the_withdrawal_is_only_noted(window: Window) -> None:
    title = await window.title("REGISTERED")
    await tell(window, opened(title))
    await withdraw(window, title)
    await tell(window, decided(title))
    timeline = await window.timeline(title)
    assert timeline["state"] == "WITHDRAWN"
    assert timeline["items"][-1]["kind"] == "note"
    assert timeline["holder"] is None
    assert_unbroken(timeline)


async def test_a_decision_can_reduce_what_is_authorised(window: Window) -> None:
    title = await window.title("REGISTERED", quantity="1000")
    reduced = type_pb2.Quantity(value="600", unit="PR")
    await tell(window, opened(title), decided(title, authorised_quantity=reduced))
    assert (await window.figures(title))["authorised"] == "600"
    kinds = [entry["kind"] for entry in (await window.ledger(title))["entries"]]
    assert kinds == ["AUTHORISED", "REDUCED"]


@pytest.mark.parametrize(("value", "unit"), [("1001", "PR"), ("600", "KGM"), ("nonsense", "PR"), ("0", "PR")])
async def test_a_reduction_that_cannot_be_is_noted(window: Window, value: str, unit: str) -> None:
    title = await window.title("REGISTERED", quantity="1000")
    await tell(window, opened(title), decided(title, authorised_quantity=type_pb2.Quantity(value=value, unit=unit)))
    assert (await window.figures(title))["authorised"] == "1000"
    assert (await window.timeline(title))["items"][-1]["kind"] == "note"


async def test_everything_else_is_told_on_the_timeline(window: Window) -> None:
    title = await window.title("REGISTERED")
    await tell(
        window,
        routing.CaseOpened(document_id=title, opened_at=NOW),
        routing.TaskSigned(document_id=title, signed_by="o", outcome="grant", signed_at=NOW),
        routing.DeadlineNear(document_id=title, agency="A", rung="0", due_at=DUE, noticed_at=NOW, notify=["agency"]),
        routing.DeadlineMissed(document_id=title, agency="A", rung="1", due_at=DUE, missed_at=NOW),
        billing.ChargeRecorded(document_id=title, tariff="T", occurred_at=NOW),
        billing.CreditNoted(document_id=title, tariff="T", policy="R", occurred_at=NOW),
        routing.CaseClosed(document_id=title, outcome="completed", closed_at=NOW),
        times=2,
    )
    timeline = await window.timeline(title)
    told = ["case_opened", "task_signed", "deadline_near", "deadline_missed", "charge_recorded", "credit_noted"]
    assert [item["kind"] for item in timeline["items"]] == ["state", *told, "case_closed"]
    assert_unbroken(timeline)
    assert (await window.document(title))["updated_at"] == (await window.document(title))["submitted_at"]


@pytest.mark.parametrize("document_id", ["", "something else", "00000000-0000-0000-0000-000000000000"])
async def test_what_concerns_no_document_of_ours_is_passed_over(window: Window, document_id: str) -> None:
    charge = billing.ChargeRecorded(document_id=document_id, occurred_at=NOW)
    await tell(window, charge, opened(document_id), opened(document_id, event=""))
    assert await window.count("select count(*) from timeline_items") == 0


def test_every_heard_message_names_its_document() -> None:
    assert all("document_id" in kind.DESCRIPTOR.fields_by_name for kind in HEARD)


async def withdraw(window: Window, title: str, if_match: str = "*", by: Any = None) -> dict[str, Any]:
    shown = await withdrawing.withdraw(
        window.db, window.rulebooks, window.directory, by or the_broker(), title, if_match, "no longer needed"
    )
    return {**json.loads(shown.document_json), "etag": shown.etag}


async def test_a_declarant_withdraws_what_it_has_seen(window: Window) -> None:
    title = await window.title("REGISTERED")
    with pytest.raises(PreconditionRequired):
        await withdraw(window, title, "")
    with pytest.raises(PreconditionFailed):
        await withdraw(window, title, '"7"')
    document = await withdraw(window, title, '"1"')
    assert (document["state"], document["etag"]) == ("WITHDRAWN", '"2"')
    assert await window.said(title) == ["DocumentSubmitted", "DocumentWithdrawn"]
    with pytest.raises(Refused) as raised:
        await withdraw(window, title)
    assert raised.value.code == "INVALID_TRANSITION"


async def test_only_the_owner_or_its_agent_with_a_mandate_withdraws(window: Window) -> None:
    title = await window.title("REGISTERED")
    await tell(window, opened(title))
    with pytest.raises(Forbidden):
        await withdraw(window, title, by=an_officer("BANK-1"))
    window.identity.mandates.clear()
    with pytest.raises(Forbidden) as raised:
        await withdraw(window, title)
    assert raised.value.code == "MANDATE_REQUIRED"
    await withdraw(window, title, by=the_importer())


async def test_a_title_of_which_customs_holds_a_part_is_not_withdrawn(window: Window) -> None:
    title = await window.title()
    await window.impute(title, quantity="1", reserve=True)
    with pytest.raises(Refused):
        await withdraw(window, title)


async def test_a_receipt_can_be_read_by_who_sees_the_document(window: Window) -> None:
    title = await window.title("REGISTERED")
    with pytest.raises(NotFound):
        await reading.receipt(window.db, an_officer("BANK-9"), title)
    assert json.loads(await reading.receipt(window.db, the_importer(), title))["receipt"]["document_id"] == title


def found(document_id: str, result: str = "conform") -> Message:
    return routing.ControlResult(
        document_id=document_id, step="document_review", agency="AG", result=result, found_at=NOW
    )


def proposed(document_id: str, event: str) -> Message:
    slot: dict[str, Any] = {"place": "Quay 3", "starts_at": DUE, "ends_at": DUE}
    return routing.VisitProposed(
        document_id=document_id,
        visit_id="v1",
        party="operator",
        proposed_by="p",
        proposed_at=NOW,
        document_event=event,
        **slot,
    )


async def test_a_visit_and_its_end_are_on_the_timeline_once(window: Window) -> None:
    title = await window.title("REGISTERED")
    confirmed = routing.VisitConfirmed(
        document_id=title, visit_id="v1", party="AG", confirmed_by="o", confirmed_at=NOW, is_agreed=True
    )
    declined = routing.VisitDeclined(
        document_id=title, visit_id="v1", party="AG", declined_by="o", reason="rain", declined_at=NOW
    )
    missed = routing.VisitMissed(document_id=title, visit_id="v1", party="operator", told_by="AG", told_at=NOW)
    await tell(window, proposed(title, "send_to_bank"), confirmed, declined, missed, times=2)
    items = (await window.timeline(title))["items"]
    told = [(item["kind"], item["detail"].get("party")) for item in items if item["kind"].startswith("visit_")]
    assert told == [
        ("visit_proposed", "operator"),
        ("visit_confirmed", "AG"),
        ("visit_declined", "AG"),
        ("visit_missed", "operator"),
    ]
    assert [item["event"] for item in items if item["kind"] == "state"][-1] == "send_to_bank"


async def test_a_result_is_told_to_the_documents_it_refers_to(window: Window) -> None:
    """What the goods were found to be stands on their title's timeline too, with the control it comes from."""
    title, control = await window.title("REGISTERED"), await window.title("REGISTERED")
    async with window.db.transaction() as tx:
        link = Related(control, 1, [Link("title_reference", title)], [])
        await relations.add(tx, [link])
    await tell(window, found(control), times=2)
    for document_id, source in ((control, None), (title, control)):
        items = (await window.timeline(document_id))["items"]
        results = [item["detail"] for item in items if item["kind"] == "control_result"]
        assert [one["result"] for one in results] == ["conform"]
        assert [one.get("document_id") for one in results] == [source]


async def test_a_result_about_nothing_of_ours_is_passed_over(window: Window) -> None:
    await tell(window, found("not-an-id"), found(ids.new_id()))
