"""The quantity ledger: never a unit over what is authorised, once per declaration line, given back on cancelling."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from intake.actions import imputing
from intake.domain.titles import TitleLine
from kit import outbox
from kit.errors import Invalid, Malformed, NotFound, PortolanError, Refused
from kit.testing import a_principal

from tests.intake.builders import Window, an_imputation, customs

pytestmark = pytest.mark.service("intake")


async def refusal(window: Window, document_id: str, **changes: Any) -> PortolanError:
    with pytest.raises(PortolanError) as raised:
        await window.impute(document_id, **changes)
    return raised.value


async def test_two_imputations_use_up_a_title(window: Window) -> None:
    title = await window.title()
    first = await window.impute(title, quantity="5000", number="D-1")
    assert (first["state"], first["remaining"]) == ("CONSUMED", {"value": "7000", "unit": "PR"})
    assert (await window.document(title))["state"] == "PARTIALLY_IMPUTED"
    await window.impute(title, quantity="7000", number="D-2")
    assert (await window.document(title))["state"] == "FULLY_IMPUTED"
    assert await window.figures(title) == {
        "authorised": "12000",
        "reserved": "0",
        "consumed": "12000",
        "released": "0",
        "remaining": "0",
    }
    assert (await window.said(title))[-4:] == ["TitleImputed", "DocumentDecided", "TitleImputed", "DocumentDecided"]


async def test_a_hundred_at_once_consume_what_is_authorised_and_not_a_unit_more(window: Window) -> None:
    title = await window.title(quantity="1000")
    outcomes = await asyncio.gather(
        *(window.impute(title, quantity="30", number=f"D-{n}") for n in range(100)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(outcomes) - len(refused) == 33
    assert {error.code for error in refused} == {"QUANTITY_EXCEEDED"}
    await window.impute(title, quantity="10", number="the rest")
    assert (await window.figures(title))["consumed"] == "1000"
    assert await window.count("select count(*) from outbox where type like '%TitleImputed'") == 34


async def test_the_database_itself_refuses_a_unit_more(window: Window) -> None:
    title = await window.title(quantity="1000")
    await window.impute(title, quantity="1000")
    with pytest.raises(psycopg.errors.CheckViolation):
        async with window.db.transaction() as tx:
            await tx.execute("update title_lines set consumed = consumed + 0.000001 where document_id = %s", [title])


@pytest.mark.parametrize(
    "statement", ["update title_entries set quantity = 1", "delete from title_entries", "truncate title_entries"]
)
async def test_entries_are_append_only(window: Window, statement: str) -> None:
    await window.title()
    with pytest.raises(psycopg.errors.IntegrityError):
        async with window.db.transaction() as tx:
            await tx.execute(statement.encode())


async def test_more_than_what_remains_is_refused_with_what_remains(window: Window) -> None:
    title = await window.title(quantity="1000")
    await window.impute(title, quantity="400.5")
    error = await refusal(window, title, quantity="599.500001", number="D-2")
    assert (error.code, error.status) == ("QUANTITY_EXCEEDED", 409)
    assert (error.facts["remaining"], error.facts["unit"]) == ("599.5", "PR")


async def test_the_same_declaration_line_again_is_the_same_answer(window: Window) -> None:
    title = await window.title()
    first = await window.impute(title, quantity="100.0")
    again = await window.impute(title, quantity="100")
    assert not first.pop("replayed")
    assert again.pop("replayed")
    assert again == first
    assert (await window.figures(title))["consumed"] == "100"


async def test_twenty_times_at_once_is_once(window: Window) -> None:
    title = await window.title()
    answers = await asyncio.gather(*(window.impute(title, quantity="100") for _ in range(20)))
    assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 19
    assert len({answer["id"] for answer in answers}) == 1
    assert (await window.figures(title))["consumed"] == "100"


async def test_the_same_line_with_other_content_is_refused(window: Window) -> None:
    title = await window.title()
    await window.impute(title, quantity="100")
    error = await refusal(window, title, quantity="101")
    assert (error.code, error.status) == ("IDEMPOTENCY_KEY_REUSED", 422)


async def test_a_repetition_is_answered_even_when_the_title_is_used_up(window: Window) -> None:
    title = await window.title(quantity="100")
    await window.impute(title, quantity="100")
    assert (await window.impute(title, quantity="100"))["replayed"]
    over = await refusal(window, title, quantity="1", number="D-2")
    assert (over.code, over.facts["remaining"]) == ("QUANTITY_EXCEEDED", "0")


async def test_cancelling_gives_back_once(window: Window) -> None:
    title = await window.title(quantity="1000")
    one = await window.impute(title, quantity="400", number="D-1")
    two = await window.impute(title, quantity="600", number="D-2")
    cancelled = await window.cancel(title, two["id"])
    assert (cancelled["state"], cancelled["remaining"]["value"]) == ("CANCELLED", "600")
    assert (await window.document(title))["state"] == "PARTIALLY_IMPUTED"
    assert await window.cancel(title, two["id"]) == cancelled
    assert (await window.impute(title, quantity="600", number="D-2"))["state"] == "CANCELLED"
    await window.cancel(title, one["id"])
    assert (await window.document(title))["state"] == "CUSTOMS_ACCEPTED"
    assert await window.figures(title) == {
        "authorised": "1000",
        "reserved": "0",
        "consumed": "0",
        "released": "1000",
        "remaining": "1000",
    }
    assert (await window.said(title)).count("TitleReleased") == 2


async def test_what_is_given_back_may_add_up_to_more_than_any_title_authorises(window: Window) -> None:
    """At 10^14 the column was full: the next cancellation failed, and the quantity stayed consumed for ever."""
    title = await window.title(quantity="1000")
    async with window.db.transaction() as tx:
        await tx.execute("update title_lines set released = 99999999999999")
    await window.cancel(title, (await window.impute(title, quantity="1000"))["id"])
    figures = await window.figures(title)
    assert (figures["released"], figures["remaining"]) == ("100000000000999", "1000")


async def test_cancelling_the_only_imputation_of_a_full_title_takes_it_back_to_where_it_was(window: Window) -> None:
    title = await window.title(quantity="100")
    imputation = await window.impute(title, quantity="100")
    await window.cancel(title, imputation["id"])
    assert (await window.document(title))["state"] == "CUSTOMS_ACCEPTED"
    assert_unbroken(await window.timeline(title))


async def test_a_reservation_holds_its_quantity_until_it_is_used(window: Window) -> None:
    title = await window.title(quantity="1000")
    reserved = await window.impute(title, quantity="700", reserve=True)
    assert (reserved["state"], reserved["remaining"]["value"]) == ("RESERVED", "300")
    assert (await window.document(title))["state"] == "CUSTOMS_ACCEPTED"
    assert (await refusal(window, title, quantity="301", number="D-2")).code == "QUANTITY_EXCEEDED"
    used = await window.impute(title, quantity="650")
    assert (used["id"], used["state"], used["remaining"]["value"]) == (reserved["id"], "CONSUMED", "350")
    assert (await window.figures(title))["reserved"] == "0"
    assert (await window.impute(title, quantity="700", reserve=True))["state"] == "RESERVED"
    assert (await window.figures(title))["consumed"] == "650"


async def test_a_cancelled_reservation_is_given_back(window: Window) -> None:
    title = await window.title(quantity="1000")
    reserved = await window.impute(title, quantity="700", reserve=True)
    await window.cancel(title, reserved["id"])
    figures = await window.figures(title)
    assert (figures["reserved"], figures["released"], figures["remaining"]) == ("0", "700", "1000")
    # Nobody was told of the reservation; its owner was told that an imputation was cancelled.
    assert "TitleReleased" not in await window.said(title)


async def test_a_title_of_several_lines_says_which(window: Window) -> None:
    title = await window.title(quantity="100", lines=2)
    error = await refusal(window, title, quantity="100")
    assert [violation.pointer for violation in error.violations] == ["/title_line"]
    await window.impute(title, quantity="100", title_line=2)
    assert (await window.document(title))["state"] == "PARTIALLY_IMPUTED"
    ledger = await window.ledger(title)
    assert [line["remaining"]["value"] for line in ledger["lines"]] == ["100", "0"]
    assert [entry["kind"] for entry in ledger["entries"]] == ["AUTHORISED", "AUTHORISED", "CONSUMED"]
    assert isinstance(await refusal(window, title, quantity="1", number="D-9", title_line=3), Invalid)


async def test_the_unit_must_be_the_titles(window: Window) -> None:
    title = await window.title()
    error = await refusal(window, title, unit="KGM")
    assert (error.status, [violation.pointer for violation in error.violations]) == (422, ["/quantity/unit"])


@pytest.mark.parametrize("state", ["REGISTERED", "DOMICILED"])
async def test_only_what_customs_accepted_can_be_imputed(window: Window, state: str) -> None:
    title = await window.title(state)
    error = await refusal(window, title)
    assert (error.code, error.facts) == ("INVALID_TRANSITION", {"state": state})


async def test_a_declaration_after_the_titles_validity_is_refused(window: Window) -> None:
    title = await window.title()
    async with window.db.transaction() as tx:
        await tx.execute("update documents set valid_until = now() - interval '2 days'")
    assert (await refusal(window, title)).code == "INVALID_TRANSITION"
    await window.impute(title, registered_on="2020-01-01")


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "1.0000001"},
        {"quantity": "1" * 15},
        {"quantity": "1e2"},
        {"registered_on": "0001-01-01"},
        {"registered_on": "2999-01-01"},
        {"registered_on": "2026-02-30"},
        {"office": "no such office"},
        {"value": {"amount_minor": -1, "currency": "USD"}},
        {"value": {"amount_minor": 10**16, "currency": "USD"}},
        {"value": {"amount_minor": 1, "currency": "XYZ"}},
        {"line": "0"},
        {"number": ""},
        {"number": "D" * 36},
        {"extra": 1},
        {"reserve": "yes"},
    ],
)
async def test_absurd_imputations_are_refused(window: Window, changes: dict[str, Any]) -> None:
    title = await window.title()
    error = await refusal(window, title, **changes)
    assert (error.code, error.status) == ("INVALID_DOCUMENT", 422)
    assert await window.count("select count(*) from imputations") == 0


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"quantity": NaN}', b'{"office": "1", "office": "2"}'])
async def test_imputations_that_are_not_one_json_object_are_malformed(window: Window, raw: bytes) -> None:
    title = await window.title()
    with pytest.raises(Malformed):
        await imputing.impute(window.db, window.rulebooks, customs(), title, raw)


async def test_a_crash_between_the_lines_leaves_the_title_as_it_was(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = await window.title(quantity="1000")

    async def die(*_: Any) -> None:
        raise RuntimeError("killed before the commit")

    monkeypatch.setattr(outbox, "append_many", die)
    with pytest.raises(RuntimeError):
        await window.impute(title)
    monkeypatch.undo()
    assert (await window.figures(title))["consumed"] == "0"
    assert await window.count("select count(*) from imputations") == 0
    assert not (await window.impute(title))["replayed"]


async def test_strangers_do_not_learn_of_the_title(window: Window) -> None:
    title = await window.title()
    stranger = a_principal("declarant", organisation_id="org-stranger")
    with pytest.raises(NotFound):
        await imputing.impute(window.db, window.rulebooks, stranger, title, json.dumps(an_imputation()).encode())
    with pytest.raises(NotFound):
        await window.cancel(title, "not-an-id")


def test_the_tolerance_of_a_line_is_room_beyond_what_is_authorised() -> None:
    line = TitleLine(1, "100119", "KGM", Decimal(1000), Decimal("0.01"))
    line, _ = line.consume(Decimal(1010))
    assert (line.remaining, line.is_full) == (Decimal(0), True)
    with pytest.raises(Refused) as raised:
        line.consume(Decimal("0.000001"))
    assert raised.value.facts["remaining"] == "0"


def test_an_authorised_quantity_is_reduced_but_never_raised() -> None:
    line, entries = TitleLine(1, "630900", "KGM", Decimal(1000)).reduce(Decimal(600))
    assert (line.authorised, [entry.quantity for entry in entries]) == (Decimal(600), [Decimal(400)])
    for impossible in (Decimal(0), Decimal(601)):
        with pytest.raises(Refused):
            line.reduce(impossible)


def assert_unbroken(timeline: dict[str, Any]) -> None:
    assert [item["seq"] for item in timeline["items"]] == list(range(1, len(timeline["items"]) + 1))
    states = [item for item in timeline["items"] if item["kind"] == "state"]
    assert [item["from"] for item in states] == [None, *(item["to"] for item in states[:-1])]
    assert states[-1]["to"] == timeline["state"]


async def test_what_is_reserved_within_the_tolerance_is_used_up_when_others_have_filled_the_title(
    window: Window,
) -> None:
    """It was held, and could never be imputed: a full title takes nothing more."""
    title = await window.title(quantity="100")
    async with window.db.transaction() as tx:
        await tx.execute(b"update title_lines set tolerance = 0.1 where document_id = %s", [title])
    await window.impute(title, number="R", quantity="5", reserve=True)
    await window.impute(title, number="D", quantity="100")
    assert (await window.document(title))["state"] == "FULLY_IMPUTED"
    with pytest.raises(Refused, match="QUANTITY_EXCEEDED"):
        await window.impute(title, number="E", quantity="1")
    await window.impute(title, number="R", quantity="5")
    figures = await window.figures(title)
    assert (figures["reserved"], figures["consumed"]) == ("0", "105")
    assert (await window.document(title))["state"] == "FULLY_IMPUTED"
