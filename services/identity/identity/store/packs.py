"""The part of each pack version that identity needs."""

from datetime import date, datetime
from typing import Any

import msgspec
from kit.database import Tx
from packs.model import CompanyNumber
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from identity.domain.organisations import CountryRules

LOCK_KEY = 0x7061636B


def content_of(rules: CountryRules) -> dict[str, Any]:
    return {
        "number": msgspec.to_builtins(rules.number),
        "languages": sorted(rules.languages),
        "default_language": rules.default_language,
        "agency_kinds": dict(sorted(rules.agency_kinds.items())),
    }


async def lock(tx: Tx) -> None:
    await tx.execute("select pg_advisory_xact_lock(%s)", [LOCK_KEY])


async def add(tx: Tx, name: str, version: str, effective_from: date, rules: CountryRules, at: datetime) -> None:
    await tx.execute(
        """
        insert into pack_versions (name, version, effective_from, content, loaded_at)
        values (%s, %s, %s, %s, %s)
        on conflict do nothing
        """,
        [name, version, effective_from, Jsonb(content_of(rules)), at],
    )


async def is_loaded_as(tx: Tx, name: str, version: str, rules: CountryRules) -> bool:
    cursor = await tx.execute(
        "select 1 from pack_versions where name = %s and version = %s and content = %s",
        [name, version, Jsonb(content_of(rules))],
    )
    return await cursor.fetchone() is not None


async def in_force(tx: Tx, on: date) -> CountryRules | None:
    """The version that took effect last."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select content
        from pack_versions
        where effective_from <= %s
        order by effective_from desc, loaded_at desc
        limit 1
        """,
        [on],
    )
    row = await cursor.fetchone()
    return _rules(row[0]) if row else None


def _rules(content: dict[str, Any]) -> CountryRules:
    return CountryRules(
        number=msgspec.convert(content["number"], CompanyNumber),
        languages=frozenset(content["languages"]),
        default_language=content["default_language"],
        agency_kinds=content["agency_kinds"],
    )
