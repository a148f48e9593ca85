"""The country's rules for organisations: loaded once per pack version, read where they are needed."""

from datetime import date

from kit import clock
from kit.database import Database, Tx
from kit.errors import Unavailable

from identity.domain.organisations import CountryRules
from identity.store import packs


async def load(db: Database, name: str, version: str, effective_from: date, rules: CountryRules) -> None:
    """Loading a version again changes nothing. Raises Conflict when it was loaded with another content."""
    async with db.transaction() as tx:
        await packs.keep(tx, name, version, effective_from, rules)


async def rules_in_force(tx: Tx) -> CountryRules:
    rules = await packs.in_force(tx, clock.now().date())
    if rules is None:
        raise Unavailable("PACK_NOT_LOADED", "no country pack is in force; run `python -m identity seed`")
    return rules
