"""What is remembered of owners and goods: one read when a document is judged, and what its case adds."""

from __future__ import annotations

import calendar
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from kit.database import Tx
from packs.history import Facts, History, Median, supplier, unit_values
from packs.model import Risk
from psycopg.rows import tuple_row

from routing.domain import Case, Submission, Task

from .rows import columns

NON_CONFORMITIES_COUNTED_MAX = 100
POSITIONS_MAX = 100
SAMPLES_A_MONTH = 16
MONTHS_KEPT = 25
PER_TONNE_MAX = 2**63 - 1

READ = """
select
    not exists (select from acquaintances where owner_organisation_id = %(owner)s and partner = ''),
    %(supplier)s <> '' and not exists (
        select from acquaintances where owner_organisation_id = %(owner)s and partner = %(supplier)s
    ),
    (
        select count(*) from (
            select from non_conformities
            where owner_organisation_id = %(owner)s and decided_at > %(since)s
            limit %(counted_max)s
        ) as found
    ),
    (
        select json_object_agg(hs6, json_build_object('per_tonne', per_tonne, 'samples', samples) order by hs6)
        from (
            select hs6, percentile_disc(0.5) within group (order by per_tonne) as per_tonne, count(*) as samples
            from unit_values
            where hs6 = any(%(codes)s) and origin = %(origin)s and month >= %(month)s
            group by hs6
        ) as medians
    )::text
"""
# The same for many documents, and of which goods each would keep a sample.
READ_ALL = """
with asked as materialized (
    select *
    from unnest(
        %s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::date[]
    ) as asked (place, owner, supplier, since, origin, month)
), code as materialized (
    select * from unnest(%s::int[], %s::text[]) as code (place, hs6)
), sample as materialized (
    select *
    from unnest(%s::int[], %s::text[], %s::text[], %s::int[], %s::date[])
        as sample (place, hs6, origin, slot, month)
)
select
    not exists (select from acquaintances where owner_organisation_id = owner and partner = ''),
    supplier <> '' and not exists (
        select from acquaintances where owner_organisation_id = owner and partner = supplier
    ),
    (
        select count(*) from (
            select from non_conformities
            where owner_organisation_id = owner and decided_at > since
            limit %s
        ) as found
    ),
    (
        select json_object_agg(hs6, json_build_object('per_tonne', per_tonne, 'samples', samples) order by hs6)
        from (
            select hs6, percentile_disc(0.5) within group (order by per_tonne) as per_tonne, count(*) as samples
            from unit_values join code using (hs6)
            where code.place = asked.place and unit_values.origin = asked.origin and unit_values.month >= asked.month
            group by hs6
        ) as medians
    )::text,
    array(
        select hs6 from sample
        where sample.place = asked.place and not exists (
            select from unit_values as kept
            where kept.hs6 = sample.hs6 and kept.origin = sample.origin and kept.slot = sample.slot
                and kept.month >= sample.month
        )
    )
from asked
order by place
"""
# Parts of the statement that opens cases. What is known already is not touched: nobody waits for a row of another's.
REMEMBER = """
met as (
    insert into acquaintances (owner_organisation_id, partner, document_id, met_at)
    select owner, partner, document_id, met_at
    from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
        as met (case_id, owner, partner, document_id, met_at)
    where case_id in (select id from opened)
    on conflict do nothing
), sampled as (
    insert into unit_values (hs6, origin, slot, month, per_tonne, document_id)
    select hs6, origin, slot, taken.month, per_tonne, document_id
    from unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::date[], %s::bigint[], %s::text[])
        as taken (case_id, hs6, origin, slot, month, per_tonne, document_id)
    where case_id in (select id from opened) and not exists (
        select from unit_values as kept
        where kept.hs6 = taken.hs6 and kept.origin = taken.origin and kept.slot = taken.slot
            and kept.month >= taken.month
    )
    on conflict (hs6, origin, slot) do update set
        month = excluded.month, per_tonne = excluded.per_tonne, document_id = excluded.document_id
        where unit_values.month < excluded.month
)
"""


async def history(tx: Tx, owner_organisation_id: str, facts: Facts, risk: Risk, now: datetime) -> History:
    """As it is now; whoever judges by it keeps it."""
    asked = {
        "owner": owner_organisation_id,
        "supplier": supplier(facts),
        "since": _since(risk, now),
        "counted_max": NON_CONFORMITIES_COUNTED_MAX,
        "codes": _codes(facts, risk),
        "origin": _origin(facts),
        "month": _first_month(risk, now),
    }
    row = await (await tx.cursor(row_factory=tuple_row).execute(READ, asked)).fetchone()
    assert row is not None  # noqa: S101 - it has no condition
    return _history(row)


@dataclass(frozen=True)
class Question:
    document: Submission
    risk: Risk
    now: datetime


@dataclass(frozen=True)
class Past:
    """What is known of a document's owner and goods; `news` are the codes of whose values it will keep a sample."""

    history: History
    news: frozenset[str]

    def is_changed_by(self, document: Submission, earlier: Submission, past: Past) -> bool:
        """Whether the document must be judged after what the earlier one leaves behind was written."""
        is_same_owner = document.owner_organisation_id == earlier.owner_organisation_id
        if is_same_owner and (past.history.first_operation or past.history.new_supplier):
            return True
        is_same_origin = _origin(document.facts) == _origin(earlier.facts)
        return is_same_origin and not past.news.isdisjoint(unit_values(document.facts))


async def pasts(tx: Tx, questions: Sequence[Question]) -> list[Past]:
    """Of each, as it is now."""
    numbered = list(enumerate(questions))
    codes = [(place, code) for place, one in numbered for code in _codes(one.document.facts, one.risk)]
    samples = [
        (
            place,
            code,
            _origin(one.document.facts),
            _slot(_month(one.now), one.document.document_id, code),
            _month(one.now),
        )
        for place, one in numbered
        for code in _samples(one.document)
    ]
    values = [
        [place for place, _ in numbered],
        [one.document.owner_organisation_id for one in questions],
        [supplier(one.document.facts) for one in questions],
        [_since(one.risk, one.now) for one in questions],
        [_origin(one.document.facts) for one in questions],
        [_first_month(one.risk, one.now) for one in questions],
        *columns(codes, 2),
        *columns(samples, 5),
        NON_CONFORMITIES_COUNTED_MAX,
    ]
    cursor = await tx.cursor(row_factory=tuple_row).execute(READ_ALL, values)
    return [Past(_history(row), frozenset(row[4])) for row in await cursor.fetchall()]


def _history(row: Sequence[Any]) -> History:
    medians = msgspec.json.decode(row[3], type=dict[str, Median]) if row[3] else {}
    return History(row[0], row[1], row[2], medians)


def _since(risk: Risk, now: datetime) -> datetime:
    return _months_before(now, risk.past_findings.months if risk.past_findings else 0)


def _first_month(risk: Risk, now: datetime) -> date:
    return _month(_months_before(now, risk.unit_values.months if risk.unit_values else 0))


def _codes(facts: Facts, risk: Risk) -> list[str]:
    return sorted(unit_values(facts))[:POSITIONS_MAX] if risk.unit_values else []


def _origin(facts: Facts) -> str:
    return str(facts.get("origin") or "")


def remembered(cases: Sequence[Case]) -> list[list[Any]]:
    """The values of REMEMBER; of a document never heard of there is nothing to keep."""
    met = [
        (case.id, case.document.owner_organisation_id, partner, case.document.document_id, case.opened_at)
        for case in cases
        for partner in _partners(case.document)
    ]
    taken = [line for case in cases for line in _taken(case)]
    return [*columns(met, 5), *columns(taken, 7)]


def _partners(document: Submission) -> list[str]:
    return sorted({"", supplier(document.facts)}) if document.pack_version else []


def _taken(case: Case) -> Iterator[tuple[Any, ...]]:
    document, month = case.document, _month(case.opened_at)
    for code, per_tonne in _samples(document).items():
        slot = _slot(month, document.document_id, code)
        yield case.id, code, _origin(document.facts), slot, month, per_tonne, document.document_id


async def note_non_conformities(tx: Tx, case: Case, tasks: list[Task]) -> None:
    for task in tasks:
        await tx.execute(
            """
            insert into non_conformities (task_id, owner_organisation_id, document_id, decided_at)
            values (%s, %s, %s, %s)
            on conflict do nothing
            """,
            [task.id, case.document.owner_organisation_id, case.document.document_id, task.decided_at],
        )


def _samples(document: Submission) -> dict[str, int]:
    if not document.facts.get("origin"):
        return {}
    values = sorted(unit_values(document.facts).items())[:POSITIONS_MAX]
    return {code: per_tonne for code, per_tonne in values if 0 <= per_tonne <= PER_TONNE_MAX}


def _months_before(moment: datetime, months: int) -> datetime:
    """The same day of the month, or its last day when the month is shorter."""
    year, month0 = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, calendar.monthrange(year, month0 + 1)[1])
    return moment.replace(year=year, month=month0 + 1, day=day)


def _month(moment: datetime) -> date:
    return moment.date().replace(day=1)


def _slot(month: date, document_id: str, code: str) -> int:
    """One of the month's places, by lot; its first taker keeps it."""
    ticket = hashlib.blake2b(f"{document_id}/{code}".encode(), digest_size=4).digest()
    ring = (month.year * 12 + month.month) % MONTHS_KEPT
    return ring * SAMPLES_A_MONTH + int.from_bytes(ticket) % SAMPLES_A_MONTH
