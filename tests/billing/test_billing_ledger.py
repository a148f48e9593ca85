"""The database itself keeps the books: balanced, whole, append-only, whatever SQL is thrown at it."""

import psycopg
import pytest
from billing import actions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit import ids
from kit.database import Database

from tests.billing.builders import a_pack, count, decided, hear, rows, submitted

pytestmark = pytest.mark.service("billing")


@pytest.fixture
async def db(service_database: Database) -> Database:
    await actions.load_pack(service_database, a_pack())
    await hear(service_database, submitted())
    return service_database


async def together(db: Database, *statements: str) -> None:
    async with db.transaction() as tx:
        for statement in statements:
            await tx.execute(statement)


UNBALANCING = [
    "insert into entries select id, 9, 'revenue:XTS', 'XTS', 1, now() from journals",
    "insert into entries select id, 8 + n, 'vat:XTS', 'XTS', 1 - 2 * n, now() from journals, generate_series(0, 1) n",
    "insert into entries values ('no such journal', 1, 'revenue:XTS', 'XTS', 1, now())",
    "insert into entries select id, 9, 'no such account', 'XTS', 1, now() from journals",
    "insert into entries select id, 9, 'revenue:XTS', 'XXX', 1, now() from journals",
    "update entries set amount_minor = amount_minor + 1",
    "update entries set amount_minor = -amount_minor",
    "update entries set account = 'vat:XTS'",
    "delete from entries",
    "delete from entries where line = 1",
    "truncate entries",
    "update journals set booked_at = now()",
    "delete from journals",
    "truncate journals cascade",
    "update charges set net_minor = 0, vat_minor = 1, gross_minor = 1",
    "delete from charges",
    "truncate charges cascade",
]


@pytest.mark.parametrize("statement", UNBALANCING)
async def test_raw_sql_cannot_unbalance_or_change_the_ledger(db: Database, statement: str) -> None:
    before = await rows(db, "select * from entries order by 1, 2")
    with pytest.raises(psycopg.Error):
        await together(db, statement)
    if "no such" not in statement and "XXX" not in statement:  # foreign keys sleep in a replica, our triggers do not
        with pytest.raises(psycopg.Error):
            await together(db, "set local session_replication_role = replica", statement)
    assert await rows(db, "select * from entries order by 1, 2") == before


CHARGE = """
insert into charges
select 'second', tariff, 'doc-9', reference, milestone, payer_organisation_id, submitter_organisation_id,
price_version,
segment, multiplier, vat_rate, currency, net_minor, vat_minor, gross_minor, occurred_at, recorded_at
from charges limit 1
"""
JOURNAL = "insert into journals values ('second', 'second', 'org-a', 2, 2, now())"


async def test_a_charge_without_a_journal_is_refused(db: Database) -> None:
    async with db.connection() as connection:
        with pytest.raises(psycopg.errors.CheckViolation, match="has no journal"):
            await connection.execute(CHARGE)


@pytest.mark.parametrize("amounts", [[], [5, -4], [5], [5, -5, 1, -1]])
async def test_a_journal_that_is_not_balanced_and_whole_is_refused(db: Database, amounts: list[int]) -> None:
    posted = [
        f"insert into entries values ('second', {line}, 'revenue:XTS', 'XTS', {amount}, now())"  # noqa: S608
        for line, amount in enumerate(amounts)
    ]
    with pytest.raises(psycopg.errors.CheckViolation):
        await together(db, CHARGE, JOURNAL, *posted)
    assert await count(db, "journals") == 1


async def test_zero_in_sum_but_not_in_each_currency_is_refused(db: Database) -> None:
    posted = [
        f"insert into entries values ('second', {line}, 'revenue:{currency}', '{currency}', {amount}, now())"  # noqa: S608
        for line, (currency, amount) in enumerate([("XTS", 5), ("XXX", -5)])
    ]
    await together(db, "insert into accounts values ('revenue:XXX', 'revenue', '', 'XXX')")
    with pytest.raises(psycopg.errors.CheckViolation):
        await together(db, CHARGE, JOURNAL, *posted)


async def test_a_free_form_charge_may_not_disagree_with_itself(db: Database) -> None:
    async with db.connection() as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            await connection.execute(CHARGE.replace("vat_minor, gross", "vat_minor + 1, gross"))


async def test_the_check_finds_a_sound_ledger_sound(db: Database) -> None:
    check = await actions.check_ledger(db)
    assert (check.journals, check.entries, check.sum_minor) == (1, 3, 0)
    assert (check.unbalanced_journals, check.charges_without_journal) == (0, 0)


async def test_the_check_finds_what_somebody_did_with_all_guards_down(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute("alter table entries disable trigger all")
        await connection.execute("update entries set amount_minor = amount_minor + 7 where account like 'receivable%'")
        await connection.execute("alter table entries enable trigger all")
    check = await actions.check_ledger(db)
    assert (check.sum_minor, check.unbalanced_journals) == (7, 1)


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "register", "grant", "other"]),
        st.integers(1, 6),
        st.sampled_from(["subscriber", "occasional"]),
    ),
    max_size=25,
)

BOOKS = {
    "every journal is balanced": """
        select count(*) from (select 1 from entries group by journal_id having sum(amount_minor) <> 0) x
    """,
    "the trial balance is zero": "select coalesce(sum(amount_minor), 0) from entries",
    "charges are what payers owe": """
        select coalesce(sum(gross_minor), 0)
            - (select coalesce(sum(amount_minor), 0) from entries where account like 'receivable%') from charges
    """,
    "VAT is what the tax office is owed": """
        select coalesce(sum(vat_minor), 0)
            + (select coalesce(sum(amount_minor), 0) from entries where account like 'vat%') from charges
    """,
    "every charge was said once": "select (select count(*) from charges) - (select count(*) from outbox)",
    "sequences have no gap": """
        select count(*) from (
            select payer_organisation_id from journals group by 1 having max(payer_sequence) <> count(*)
        ) x
    """,
}


@given(HAPPENINGS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_happens_the_books_hold(db: Database, happenings: list[tuple[str, int, str]]) -> None:
    example = ids.new_id()
    for what, number, mode in happenings:
        document, owner = f"{example}-{number}", f"org-{number % 2}"
        if what == "submit":
            await hear(db, submitted(document, mode=mode, owner=owner))
        else:
            states = {"register": "REGISTERED", "grant": "GRANTED", "other": "ELSEWHERE"}
            await hear(db, submitted(document, mode=mode, owner=owner, state="DRAFT"))
            await hear(db, decided(document, to_state=states[what], owner=owner))
        for belief, query in BOOKS.items():
            assert await rows(db, query) == [(0,)], belief
