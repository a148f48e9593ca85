"""What one database can prove alone: ledgers that add up, nothing doubled, nothing waiting."""

from __future__ import annotations

from dataclasses import dataclass

from portolan_cli.reconcile.databases import SERVICES, Books
from portolan_cli.reconcile.findings import NAMED_MAX, Report


@dataclass(frozen=True, slots=True)
class Sum:
    """`wrong` answers the id and what is wrong with it; `all` counts what is looked at."""

    check: str
    service: str
    all: str
    wrong: str


SUMS = (
    Sum(
        "ledger",
        "billing",
        "select count(*) from journals",
        """
        select journal_id, format('journal is off by %s %s', sum(amount_minor), currency)
        from entries group by journal_id, currency having sum(amount_minor) <> 0
        union all
        select 'all', format('the ledger is off by %s %s', sum(amount_minor), currency)
        from entries group by currency having sum(amount_minor) <> 0
        union all
        select charges.id, 'charge is in no journal'
        from charges left join journals on charge_id = charges.id and credit_id is null
        where journals.id is null
        union all
        select charge_id, format('charge is in %s journals', count(*))
        from journals where credit_id is null group by charge_id having count(*) > 1
        union all
        select journals.id, 'journal is of no charge'
        from journals left join charges on charges.id = charge_id where charges.id is null
        union all
        select charge_id, format('gave back %s of %s', sum(credits.gross_minor), charges.gross_minor)
        from credits join charges on charges.id = charge_id
        group by charge_id, charges.gross_minor having sum(credits.gross_minor) > charges.gross_minor
        """,
    ),
    Sum(
        "titles",
        "intake",
        "select count(*) from title_lines",
        """
        with booked as (
            select document_id, line,
                sum(quantity * case kind when 'AUTHORISED' then 1 when 'INCREASED' then 1 when 'REDUCED' then -1
                    else 0 end) as authorised,
                sum(quantity * case kind when 'RESERVED' then 1 when 'RESERVATION_USED' then -1
                    when 'RESERVATION_RELEASED' then -1 else 0 end) as reserved,
                sum(quantity * case kind when 'CONSUMED' then 1 when 'RELEASED' then -1 else 0 end) as consumed
            from title_entries group by document_id, line
        ), held as (
            select document_id, line,
                coalesce(sum(quantity) filter (where state = 'RESERVED'), 0) as reserved,
                coalesce(sum(quantity) filter (where state = 'CONSUMED'), 0) as consumed
            from imputations group by document_id, line
        )
        select document_id::text, format('line %s: %s taken of %s', line, consumed + reserved, authorised)
        from title_lines where consumed + reserved > authorised * (1 + tolerance)
        union all
        select document_id::text, format('line %s differs from its entries', line)
        from title_lines as shown left join booked using (document_id, line)
        where (shown.authorised, shown.reserved, shown.consumed)
            is distinct from (booked.authorised, booked.reserved, booked.consumed)
        union all
        select document_id::text, format('line %s differs from its imputations', line)
        from title_lines as shown left join held using (document_id, line)
        where (shown.reserved, shown.consumed) is distinct from
            (coalesce(held.reserved, 0), coalesce(held.consumed, 0))
        union all
        select document_id::text, format('%s paid, %s recorded', paid_minor, recorded)
        from title_settlements left join (
            select document_id, sum(amount_minor) filter (where state = 'RECORDED') as recorded
            from payments group by document_id
        ) as paid using (document_id)
        where paid_minor <> coalesce(recorded, 0)
        """,
    ),
    Sum(
        "told once",
        "notifications",
        "select count(*) from deliveries",
        """
        select min(id), format('%s deliveries of event %s by %s to %s by %s',
            count(*), event_id, rule, recipient_id, channel)
        from deliveries group by event_id, rule, recipient_id, channel having count(*) > 1
        union all
        select min(id), format('%s webhooks of event %s to endpoint %s', count(*), event_id, endpoint_id)
        from webhook_deliveries group by event_id, endpoint_id having count(*) > 1
        """,
    ),
    Sum(
        "nothing waits",
        "notifications",
        "select count(*) from waiting_events",
        """
        select event_id::text, format('%s waits for the submission of %s', type, document_id) from waiting_events
        union all
        select id, format('letter is due since %s', due_at)
        from deliveries where state = 'PENDING' and not gathered and due_at < now()
        """,
    ),
    *(
        Sum(
            "all published",
            service,
            "select count(*) from outbox",
            f"""
            select event_id::text, format('{service}: %s of %s is not published', type, key)
            from outbox where published_at is null
            union all
            select id::text, format('{service}: %s is not finished', lower(kind)) from replays where finished_at is null
            """,  # noqa: S608
        )
        for service in SERVICES
    ),
    *(
        Sum(
            "no dead letters",
            service,
            "select count(*) from dead_letters",
            f"""
            select event_id::text, format('{service}: %s: %s', type, reason) from dead_letters where redriven_at is null
            union all
            select consumer, format('stands still: %s', reason) from consumer_stops where lifted_at is null
            """,  # noqa: S608
        )
        for service in SERVICES
    ),
)


def examine(books: Books, report: Report) -> None:
    for one in SUMS:
        report.look(one.check, books.number(one.service, one.all))
        wrong = f"select * from ({one.wrong}) as wrong"  # noqa: S608
        number = books.number(one.service, f"select count(*) from ({wrong}) as counted")  # noqa: S608
        for subject, what in books.rows(one.service, f"{wrong} limit {NAMED_MAX}") if number else ():
            report.find(one.check, str(subject), str(what))
        report.begin(one.check).wrong += max(number - NAMED_MAX, 0)
