"""Who may see which charge, and the account of the month."""

from datetime import UTC, datetime

import pytest
import time_machine
from billing import actions, api
from billing.actions import asking
from billing.domain import ledger
from kit.auth import Principal, set_caller
from kit.database import Database
from kit.errors import Malformed, NotFound, Unavailable
from kit.testing import a_principal
from portolan.billing.v1 import billing_pb2

from tests.billing.builders import a_pack, activated, hear, submitted

pytestmark = pytest.mark.service("billing")


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack())
    return service_database


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        (a_principal("declarant", organisation_id="org-a"), 2),
        (a_principal("declarant", organisation_id="org-b", kind="broker"), 2),
        (a_principal("declarant", organisation_id="org-c"), 1),
        (a_principal("customs_officer", organisation_id="customs"), 0),
        (a_principal("finance_officer", organisation_id="treasury"), 3),
        (a_principal("operator_admin", organisation_id="operator"), 3),
    ],
)
async def test_payer_submitter_finance_and_operator_see_charges(db: Database, caller: Principal, seen: int) -> None:
    await hear(db, submitted("doc-1"), submitted("doc-2"), submitted("doc-3", owner="org-c", submitter="org-c"))
    charges, _ = await actions.list_charges(db, caller, "", "", 0)
    assert len(charges) == seen


async def test_charges_are_paged_newest_first_and_filtered_by_document(db: Database) -> None:
    await hear(db, *[submitted(f"doc-{number}") for number in range(5)])
    caller = a_principal("declarant", organisation_id="org-a")
    pages, cursor = [], ""
    while True:
        charges, cursor = await actions.list_charges(db, caller, "", cursor, 2)
        pages.append([charge.document_id for charge in charges])
        if not cursor:
            break
    assert pages == [["doc-4", "doc-3"], ["doc-2", "doc-1"], ["doc-0"]]
    only, _ = await actions.list_charges(db, caller, "doc-3", "", 0)
    assert [(charge.document_id, charge.labels["en"]) for charge in only] == [("doc-3", "Permit")]


async def test_a_cursor_is_good_for_its_own_list_only(db: Database) -> None:
    await hear(db, *[submitted(f"doc-{number}") for number in range(3)])
    _, cursor = await actions.list_charges(db, a_principal(organisation_id="org-a"), "", "", 1)
    with pytest.raises(Malformed):
        await actions.list_charges(db, a_principal(organisation_id="org-b"), "", cursor, 1)


@pytest.mark.parametrize("document_id", ["\x00", "doc\x00", "' or 1=1 --", "\ud800", "x" * 10_000])
async def test_a_nonsensical_document_has_no_charges(db: Database, document_id: str) -> None:
    assert await actions.list_charges(db, a_principal(), document_id, "", 0) == ([], "")


async def test_the_statement_is_the_calendar_month_where_the_country_is(db: Database) -> None:
    with time_machine.travel(datetime(2026, 10, 31, 22, 30, tzinfo=UTC), tick=False):
        await hear(db, submitted("doc-1"))
    with time_machine.travel(datetime(2026, 10, 31, 23, 30, tzinfo=UTC), tick=False):
        await hear(db, submitted("doc-2", mode="occasional"))
        made = await actions.current_statement(db, a_principal(organisation_id="org-a"), "")
    assert (made.period_start, made.period_end) == (
        datetime(2026, 10, 31, 23, tzinfo=UTC),
        datetime(2026, 11, 30, 23, tzinfo=UTC),
    )
    assert (made.opening.amount_minor, made.closing.amount_minor) == (4000, 14000)
    assert [(line.posting.amount.amount_minor, line.balance.amount_minor) for line in made.lines] == [(10000, 14000)]
    assert made.lines[0].posting.reference == "A-doc-2"


async def test_a_long_statement_brings_its_beginning_forward(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "STATEMENT_LINES_MAX", 2)
    await hear(db, *[submitted(f"doc-{number}") for number in range(5)])
    made = await actions.current_statement(db, a_principal(organisation_id="org-a"), "")
    assert [line.balance.amount_minor for line in made.lines] == [12000, 16000, 20000]
    assert made.lines[0].posting.labels is ledger.BROUGHT_FORWARD


async def test_an_account_without_charges_is_zero(db: Database) -> None:
    made = await actions.current_statement(db, a_principal(organisation_id="org-new"), "")
    assert (made.opening.amount_minor, made.closing.amount_minor, list(made.lines)) == (0, 0, [])


async def test_an_account_is_its_owners_and_finances(db: Database) -> None:
    await hear(db, submitted())
    with pytest.raises(NotFound):
        await actions.current_statement(db, a_principal("declarant", organisation_id="org-b"), "org-a")
    made = await actions.current_statement(db, a_principal("finance_officer", organisation_id="treasury"), "org-a")
    assert made.closing.amount_minor == 4000


async def test_no_statement_before_a_pack_was_loaded(service_database: Database) -> None:
    with pytest.raises(Unavailable):
        await actions.current_statement(service_database, a_principal(), "")


async def test_the_face_says_what_the_actions_found(db: Database) -> None:
    face = api.BillingApi(db, actions.PriceDesk())
    await hear(db, activated("org-a", "occasional"), submitted(mode="occasional"))
    set_caller(a_principal("declarant", organisation_id="org-a"))
    charges = await face.ListCharges(billing_pb2.ListChargesRequest(), None)
    quote = await face.QuoteCharges(billing_pb2.QuoteChargesRequest(document_type="permit.a"), None)
    statement = await face.GetStatement(billing_pb2.GetStatementRequest(), None)
    check = await face.CheckLedger(billing_pb2.CheckLedgerRequest(), None)
    assert charges.charges[0].vat_rate == "0.20"
    assert charges.charges[0].amount == quote.charges[0].amount == statement.closing_balance
    assert not quote.charges[0].id
    assert not quote.charges[0].HasField("recorded_at")
    assert (check.journals, check.sum_minor) == (1, 0)
