"""What is remembered of owners and goods: one read when a document is judged, and what its case adds."""

from __future__ import annotations

import calendar
import hashlib
from datetime import date, datetime
from typing import Any

import msgspec
from kit.database import Tx
from packs.history import Facts, History, Median, supplier, unit_values
from packs.model import Risk
from psycopg.rows import tuple_row

from routing.domain import Case, Submission, Task

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
# Parts of the statement that opens a case. What is known already is not touched: nobody waits for a row of another's.
REMEMBER = """
met as (
    insert into acquaintances (owner_organisation_id, partner, document_id, met_at)
    select %s, partner, %s, %s from unnest(%s::text[]) as partner
    where exists (select from opened)
    on conflict do nothing
), sampled as (
    insert into unit_values (hs6, origin, slot, month, per_tonne, document_id)
    select hs6, %s, slot, taken.month, per_tonne, %s
    from unnest(%s::text[], %s::integer[], %s::date[], %s::bigint[]) as taken (hs6, slot, month, per_tonne)
    where exists (select from opened) and not exists (
        select from unit_values as kept
        where kept.hs6 = taken.hs6 and kept.origin = %s and kept.slot = taken.slot and kept.month >= taken.month
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
        "since": _months_before(now, risk.past_findings.months if risk.past_findings else 0),
        "counted_max": NON_CONFORMITIES_COUNTED_MAX,
        "codes": sorted(unit_values(facts))[:POSITIONS_MAX] if risk.unit_values else [],
        "origin": str(facts.get("origin") or ""),
        "month": _month(_months_before(now, risk.unit_values.months if risk.unit_values else 0)),
    }
    row = await (await tx.cursor(row_factory=tuple_row).execute(READ, asked)).fetchone()
    assert row is not None  # noqa: S101 - it has no condition
    medians = msgspec.json.decode(row[3], type=dict[str, Median]) if row[3] else {}
    return History(row[0], row[1], row[2], medians)


def remembered(case: Case) -> list[Any]:
    """The values of REMEMBER; of a document never heard of there is nothing to keep."""
    document, month = case.document, _month(case.opened_at)
    partners = sorted({"", supplier(document.facts)}) if document.pack_version else []
    origin, samples = str(document.facts.get("origin") or ""), _samples(document)
    slots = [_slot(month, document.document_id, code) for code in samples]
    met = [document.owner_organisation_id, document.document_id, case.opened_at, partners]
    taken = [list(samples), slots, [month] * len(samples), list(samples.values())]
    return [*met, origin, document.document_id, *taken, origin]


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
