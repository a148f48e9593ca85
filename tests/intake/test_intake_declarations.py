"""The link with customs: events move the mirrored declaration and its titles together, in any order, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake.actions import declaring
from intake.domain.declarations import EventState
from intake.store import documents
from kit.errors import Invalid, Malformed, NotFound, PortolanError, Refused, Unavailable

from tests.intake.builders import (
    BROKER,
    IMPORTER,
    Window,
    a_stranger,
    an_officer,
    customs,
    the_broker,
    the_importer,
)
from tests.intake.declarations import COMPANY, MIRROR, Customs, a_declaration, a_line, an_event

pytestmark = pytest.mark.service("intake")

NUMBER = "309-010-2026-1"


@pytest.fixture
def system(window: Window) -> Customs:
    return Customs.of(window)


async def refused(doing: Awaitable[Any]) -> PortolanError:
    with pytest.raises(PortolanError) as caught:
        await doing
    return caught.value


async def faults(doing: Awaitable[Any]) -> list[tuple[str, str]]:
    return [(one.pointer, one.code) for one in (await refused(doing)).violations]


async def test_a_declaration_goes_its_way_and_takes_its_titles_along(window: Window, system: Customs) -> None:
    title = await window.title()
    reference = (await window.document(title))["reference"]
    told = await system.register(NUMBER, a_line(reference.lower(), "7000"))
    assert (told["state"], told["document_state"], told["replayed"]) == ("APPLIED", "REGISTERED", False)
    assert told["expected"] == ["COUPLED", "CANCELLED"]
    mirrored = told["document_id"]
    document = await window.document(mirrored, the_importer())
    assert (document["owner_organisation_id"], document["submitter_organisation_id"]) == (IMPORTER, "org-customs")
    assert await window.said(mirrored) == ["DocumentSubmitted"]
    await system.tell(NUMBER, "COUPLED")
    assert (await window.figures(title))["reserved"] == "7000"
    await system.tell(NUMBER, "IMPUTED", occurred_at="2026-06-16T08:00:00+01:00", remarks="on arrival")
    figures = await window.figures(title)
    assert (figures["reserved"], figures["consumed"], figures["remaining"]) == ("0", "7000", "5000")
    assert (await window.document(title))["state"] == "PARTIALLY_IMPUTED"
    for event, state in (("CONTROLLED", "CONTROLLED"), ("PAID", "PAID"), ("RELEASED", "RELEASED")):
        assert (await system.tell(NUMBER, event))["document_state"] == state
    timeline = await window.timeline(mirrored)
    assert [item["seq"] for item in timeline["items"]] == list(range(1, len(timeline["items"]) + 1))
    moves = [(item["from"], item["to"]) for item in timeline["items"] if item["kind"] == "state"]
    assert moves == [
        *((None, "REGISTERED"), ("REGISTERED", "COUPLED"), ("COUPLED", "IMPUTED")),
        *(("IMPUTED", "CONTROLLED"), ("CONTROLLED", "PAID"), ("PAID", "RELEASED")),
    ]
    assert [item["detail"].get("remarks") for item in timeline["items"] if item["detail"]][1] == "on arrival"
    assert await window.said(mirrored) == ["DocumentSubmitted", *["DocumentDecided"] * 5]
    assert (await window.said(title))[-2:] == ["TitleImputed", "DocumentDecided"]


async def test_the_same_event_again_changes_nothing_and_answers_how_it_stands(window: Window, system: Customs) -> None:
    title = await window.title()
    registered = an_event("REGISTERED", declaration=a_declaration(NUMBER, a_line(title, "100")))
    await system.send(NUMBER, registered)
    coupled = an_event("COUPLED")
    first = await system.send(NUMBER, coupled)
    window.identity.is_down = True
    assert (await system.send(NUMBER, registered))["replayed"]
    for again in (coupled, {**coupled, "event_id": "another-telling"}):
        answer = await system.send(NUMBER, again)
        assert answer == {**first, "replayed": True}
    other = {**coupled, "remarks": "other"}
    for changed in (other, {**other, "event_id": "e-3"}, {**registered, "declaration": a_declaration(NUMBER)}):
        assert (await refused(system.send(NUMBER, changed))).code == "IDEMPOTENCY_KEY_REUSED"
    taken = {**an_event("COUPLED"), "event_id": coupled["event_id"]}
    assert (await refused(system.send("309-010-2026-2", taken))).code == "IDEMPOTENCY_KEY_REUSED"
    assert (await window.figures(title))["reserved"] == "100"


async def test_events_wait_for_what_comes_before_them(window: Window, system: Customs) -> None:
    title = await window.title()
    for event in ("RELEASED", "IMPUTED", "PAID"):
        told = await system.tell(NUMBER, event)
        assert (told["state"], told["document_id"], told["expected"]) == ("HELD", None, ["REGISTERED"])
    assert (await system.tell(NUMBER, "PAID", event_id="x", occurred_at="2026-06-15T09:00:00Z"))["replayed"]
    told = await system.register(NUMBER, a_line(title, "12000"))
    assert (told["state"], told["document_state"]) == ("APPLIED", "REGISTERED")
    assert (await window.figures(title))["remaining"] == "12000"
    assert (await system.tell(NUMBER, "COUPLED"))["document_state"] == "RELEASED"
    assert (await window.figures(title))["consumed"] == "12000"
    assert set((await system.events(NUMBER)).values()) == {"APPLIED"}
    late = await refused(system.tell(NUMBER, "CONTROLLED"))
    assert isinstance(late, Refused)
    assert (late.code, late.facts["state"], late.facts["expected"]) == ("INVALID_TRANSITION", "RELEASED", "")


async def test_a_held_event_that_cannot_follow_is_refused_by_itself(window: Window, system: Customs) -> None:
    title = await window.title(quantity="100")
    await system.tell(NUMBER, "COUPLED", occurred_at="2026-06-15T10:00:00Z")
    told = await system.register(NUMBER, a_line(title, "101"))
    assert told["document_state"] == "REGISTERED"
    [event] = [one for one in (await system.shown(NUMBER))["events"] if one["event"] == "COUPLED"]
    assert (event["state"], event["refusal"]["code"]) == ("REFUSED", "QUANTITY_EXCEEDED")
    assert event["refusal"]["facts"]["declaration_line"] == "1"
    assert (await window.figures(title))["reserved"] == "0"
    assert (await refused(system.tell(NUMBER, "COUPLED"))).code == "QUANTITY_EXCEEDED"
    assert await system.events(NUMBER) == {"COUPLED": "REFUSED", "REGISTERED": "APPLIED"}
    await system.tell(NUMBER, "CONTROLLED")
    await system.tell(NUMBER, "CANCELLED")
    states = {"COUPLED": "REFUSED", "REGISTERED": "APPLIED", "CONTROLLED": "REFUSED", "CANCELLED": "APPLIED"}
    assert await system.events(NUMBER) == states


async def test_a_refused_event_told_again_is_tried_again(window: Window, system: Customs) -> None:
    title = await window.title(quantity="100")
    other = (await system.declare("OTHER-1", title, "50", ["COUPLED"]))["document_id"]
    await system.tell(NUMBER, "COUPLED")
    await system.register(NUMBER, a_line(title, "80"))
    await system.tell("OTHER-1", "CANCELLED")
    assert (await window.document(other))["state"] == "CANCELLED"
    told = await system.tell(NUMBER, "COUPLED", remarks="once more")
    assert (told["state"], told["document_state"], told["refusal"]) == ("APPLIED", "COUPLED", None)
    assert (await window.figures(title))["reserved"] == "80"


async def test_too_many_events_do_not_wait(system: Customs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaring, "HELD_MAX", 2)
    await system.tell(NUMBER, "COUPLED")
    await system.tell(NUMBER, "IMPUTED")
    with pytest.raises(Unavailable):
        await system.tell("309-010-2026-2", "PAID")
    await system.register("309-010-2026-3")


async def test_all_its_titles_or_none(window: Window, system: Customs) -> None:
    rich, poor = await window.title(), await window.title(quantity="10")
    await system.register(NUMBER, a_line(rich, "100"), a_line(poor, "11", line=2), a_line(rich, "50", line=3))
    refusal = await refused(system.tell(NUMBER, "COUPLED"))
    assert (refusal.code, refusal.facts["declaration_line"], refusal.facts["remaining"]) == (
        *("QUANTITY_EXCEEDED", "2", "10"),
    )
    assert refusal.facts["title"] == (await window.document(poor))["reference"]
    assert [one.pointer for one in refusal.violations] == ["/declaration/lines/1/quantity"]
    assert (await window.figures(rich))["reserved"] == "0"
    assert (await system.shown(NUMBER))["document_state"] == "REGISTERED"
    assert await window.count("select count(*) from imputations") == 0
    await system.register("309-010-2026-2", a_line(rich, "100"), a_line(poor, "10", line=2), a_line(rich, "50", line=3))
    await system.tell("309-010-2026-2", "COUPLED")
    assert [(await window.figures(one))["reserved"] for one in (rich, poor)] == ["150", "10"]


async def test_cancelling_gives_back_what_is_reserved_and_what_is_imputed(window: Window, system: Customs) -> None:
    title = await window.title()
    await system.declare("DEC-1", title, "5000", ["COUPLED"])
    await system.declare("DEC-2", title, "7000")
    await system.tell("DEC-1", "CANCELLED")
    await system.tell("DEC-2", "CANCELLED", remarks="wrong goods")
    figures = await window.figures(title)
    assert figures == {
        **{"authorised": "12000", "reserved": "0", "consumed": "0", "released": "12000", "remaining": "12000"},
    }
    assert (await window.document(title))["state"] == "CUSTOMS_ACCEPTED"
    assert [one["state"] for one in (await system.shown("DEC-2"))["imputations"]] == ["CANCELLED"]


async def test_imputations_by_hand_and_by_event_are_the_same_ones(window: Window, system: Customs) -> None:
    title = await window.title()
    terms = {"office": "309", "registered_on": "2026-06-15", "value": {"amount_minor": 10_500_000, "currency": "USD"}}
    await system.register(NUMBER, a_line(title, "100"), a_line(title, "200", line=2), a_line(title, "300", line=3))
    by_hand = await window.impute(title, quantity="100", number=NUMBER, **terms)
    gone = await window.impute(title, quantity="300", number=NUMBER, line="3", **terms)
    await window.cancel(title, gone["id"])
    await system.tell(NUMBER, "COUPLED")
    assert (await window.figures(title))["reserved"] == "200"
    used = await window.impute(title, quantity="200", number=NUMBER, line="2", **terms)
    assert not used["replayed"]
    await system.tell(NUMBER, "IMPUTED")
    figures = await window.figures(title)
    assert (figures["reserved"], figures["consumed"]) == ("0", "300")
    assert [one["id"] for one in (await system.shown(NUMBER))["imputations"]][:2] == [by_hand["id"], used["id"]]
    again = await window.impute(title, quantity="100", number=NUMBER, **terms)
    assert again["replayed"]
    await system.register("DEC-2", a_line(title, "70"))
    await system.tell("DEC-2", "COUPLED")
    await window.impute(title, quantity="60", number="DEC-2", **terms)
    assert (await refused(system.tell("DEC-2", "IMPUTED"))).code == "IDEMPOTENCY_KEY_REUSED"


async def test_whose_declaration_it_is_and_what_it_names(window: Window, system: Customs) -> None:
    theirs = (await window.submit(window.submission(by=the_broker(), on_behalf_of=BROKER))).document_id
    for declaration, found in (
        (a_declaration(NUMBER, company_number="000000000000001"), [("/declaration/company_number", "UNKNOWN_COMPANY")]),
        (a_declaration(NUMBER, a_line(theirs)), [("/declaration/lines/0/title", "UNKNOWN_REFERENCE")]),
        (a_declaration("another"), [("/declaration/number", "NOT_THIS_DECLARATION")]),
        (a_declaration(NUMBER, office="000"), [("/declaration/office", "UNKNOWN_CODE")]),
        (a_declaration(NUMBER, a_line(), a_line()), [("/declaration/lines/1/line", "UNIQUE_ITEMS")]),
        (a_declaration(NUMBER, a_line(quantity="0")), [("/declaration/lines/0/quantity/value", "NOT_POSITIVE")]),
    ):
        assert await faults(system.tell(NUMBER, "REGISTERED", declaration=declaration)) == found
    assert await faults(system.tell(NUMBER, "REGISTERED")) == [("/declaration", "REQUIRED")]
    assert await faults(system.tell(NUMBER, "COUPLED", declaration={"number": NUMBER})) == [
        ("/declaration", "ADDITIONAL_PROPERTIES")
    ]
    assert await faults(system.tell(NUMBER, "LOST")) == [("/event", "ENUM")]
    assert await faults(system.tell(NUMBER, "PAID", occurred_at="2999-01-01T00:00:00Z")) == [
        ("/occurred_at", "DATE_OUT_OF_RANGE")
    ]
    with pytest.raises(Malformed):
        await system.desk.tell(customs(), NUMBER, b"[]")
    assert await window.count("select count(*) from declarations") == 0
    system.window.identity.traders = {COMPANY: [IMPORTER, BROKER]}
    told = await system.register(NUMBER, a_line(theirs))
    assert (await window.document(told["document_id"]))["owner_organisation_id"] == BROKER


async def test_who_may_look(window: Window, system: Customs) -> None:
    title = await window.title()
    await system.declare(NUMBER, title, "100")
    for reader in (customs(), the_importer()):
        shown = await system.shown(NUMBER, reader)
        assert (shown["document_state"], shown["state_label"]) != (None, None)
        assert [one["document_id"] for one in shown["imputations"]] == [title]
    await system.tell("D-9", "COUPLED")
    for number, reader in (
        *((NUMBER, a_stranger()), (NUMBER, an_officer("BANK-007"))),
        *(("D-9", the_importer()), ("D-0", customs())),
    ):
        with pytest.raises(NotFound):
            await system.shown(number, reader)
    waiting = await system.shown("D-9")
    assert (waiting["document_id"], waiting["expected"]) == (None, ["REGISTERED"])


async def test_nobody_else_files_or_moves_a_declaration(window: Window, system: Customs) -> None:
    body = a_declaration(NUMBER)
    with pytest.raises(Invalid) as refusal:
        await window.submit(window.submission(body, document_type=MIRROR.key))
    assert [(one.pointer, one.code) for one in refusal.value.violations] == [("/type", "FILED_BY_CUSTOMS")]


async def test_many_declarations_race_for_one_title(window: Window, system: Customs) -> None:
    """Each wants 1,000 of 12,000: twelve get it, whoever they are, and nothing more is taken."""
    title = await window.title()
    numbers = [f"RACE-{number}" for number in range(20)]

    async def race(number: str) -> str:
        try:
            return str((await system.declare(number, title, "1000"))["document_state"])
        except Refused as refusal:
            return refusal.code

    ended = await asyncio.gather(*map(race, numbers))
    assert sorted(ended) == ["IMPUTED"] * 12 + ["QUANTITY_EXCEEDED"] * 8
    figures = await window.figures(title)
    assert (figures["consumed"], figures["reserved"], figures["remaining"]) == ("12000", "0", "0")
    assert (await window.document(title))["state"] == "FULLY_IMPUTED"


async def test_declarations_over_the_same_titles_never_wait_for_each_other(window: Window, system: Customs) -> None:
    one, other = await window.title(), await window.title()
    for number in range(8):
        pair = (one, other) if number % 2 else (other, one)
        await system.register(f"PAIR-{number}", a_line(pair[0], "10"), a_line(pair[1], "10", line=2))
    await asyncio.gather(*(system.tell(f"PAIR-{number}", "COUPLED") for number in range(8)))
    assert [(await window.figures(title))["reserved"] for title in (one, other)] == ["80", "80"]


async def test_the_same_event_at_once_is_one(window: Window, system: Customs) -> None:
    title = await window.title()
    await system.register(NUMBER, a_line(title, "100"))
    coupled = an_event("COUPLED")
    told = await asyncio.gather(*(system.send(NUMBER, coupled) for _ in range(10)))
    assert [one["replayed"] for one in told].count(False) == 1
    assert (await window.figures(title))["reserved"] == "100"


async def told_or_late(system: Customs, number: str, event: dict[str, Any]) -> bool:
    try:
        await system.send(number, event)
    except Refused as refusal:
        return refusal.code != "INVALID_TRANSITION"
    return True


CHAIN = ("REGISTERED", "COUPLED", "IMPUTED", "PAID", "RELEASED")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(CHAIN),
    repeated=st.lists(st.sampled_from(CHAIN), max_size=4),
    side=st.sampled_from([None, "CONTROLLED", "CANCELLED"]),
    place=st.integers(0, 5),
)
async def test_any_order_and_any_repetition_end_in_the_same_place(
    window: Window, order: list[str], repeated: list[str], side: str | None, place: int
) -> None:
    """Without a side event always RELEASED; a cancellation gives everything back, or comes too late."""
    system = Customs.of(window)
    title = await window.title()
    number = f"P-{title}"[:35]
    lines = (a_line(title, "400"), a_line(title, "50", line=2), a_line(line=3))
    hours = {event: f"2026-06-15T{9 + CHAIN.index(event):02}:00:00Z" for event in CHAIN}
    hours |= {"CONTROLLED": "2026-06-15T11:30:00Z", "CANCELLED": "2026-06-15T12:30:00Z"}
    told = [*order, *repeated]
    if side is not None:
        told.insert(place, side)
    events = {event: an_event(event, event_id=f"{number}-{event}", occurred_at=hours[event]) for event in hours}
    events["REGISTERED"]["declaration"] = a_declaration(number, *lines)
    for event in told:
        assert await told_or_late(system, number, events[event]) or side is not None
        figures = await window.figures(title)
        assert int(figures["reserved"]) + int(figures["consumed"]) in (0, 450)
    shown = await system.shown(number)
    figures = await window.figures(title)
    assert all(one["state"] != EventState.HELD for one in shown["events"])
    if shown["document_state"] == "CANCELLED":
        assert side == "CANCELLED"
        assert (figures["reserved"], figures["consumed"], figures["remaining"]) == ("0", "0", "12000")
    else:
        assert shown["document_state"] == "RELEASED"
        assert (figures["reserved"], figures["consumed"]) == ("0", "450")
    timeline = await window.timeline(shown["document_id"])
    assert [item["seq"] for item in timeline["items"]] == list(range(1, len(timeline["items"]) + 1))


async def test_a_declaration_holds_nothing_while_it_waits_for_its_titles(window: Window, system: Customs) -> None:
    """Who locks documents by id, as a batch of events does, never meets it in a ring: it used to answer 503."""
    title = await window.title()
    told = await system.register(NUMBER, a_line(title, "100"))
    mirrored = told["document_id"]
    async with window.db.transaction() as tx:
        await documents.lock(tx, min(title, mirrored))
        telling = asyncio.create_task(system.tell(NUMBER, "COUPLED"))
        await asyncio.sleep(0.3)
        assert not telling.done()
        await documents.lock(tx, max(title, mirrored))
    assert (await telling)["document_state"] == "COUPLED"
