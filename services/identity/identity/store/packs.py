"""The part of each pack version that identity needs."""

from datetime import date
from typing import Any

import msgspec
from kit import pack_versions
from kit.database import Tx
from packs.model import CompanyNumber
from psycopg.rows import tuple_row

from identity.domain.organisations import CountryRules

LOCK_KEY = 0x7061636B


def _content_of(rules: CountryRules) -> dict[str, Any]:
    return {
        "number": msgspec.to_builtins(rules.number),
        "languages": sorted(rules.languages),
        "default_language": rules.default_language,
        "agency_kinds": dict(sorted(rules.agency_kinds.items())),
    }


async def lock(tx: Tx) -> None:
    await tx.execute("select pg_advisory_xact_lock(%s)", [LOCK_KEY])


async def keep(tx: Tx, name: str, version: str, effective_from: date, rules: CountryRules) -> None:
    await pack_versions.keep(tx, name, version, effective_from, msgspec.json.encode(_content_of(rules)).decode())


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
