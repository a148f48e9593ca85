"""The versions of the pack this service knows, and the rulebook each comes to."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from kit import pack_versions
from kit.database import Database, Tx
from kit.errors import Invalid, Unavailable
from packs import serial
from packs.model import CodeList, Pack
from packs.schemas import code_fields
from packs.tables import parts, under
from psycopg.rows import tuple_row

from routing.domain import Rulebook

from .tables import published_rules


async def load_pack(tx: Tx, pack: Pack) -> bool:
    """Keeps a pack, whole and as judging needs it; False when it is there already, Conflict when it reads otherwise."""
    await tx.execute(
        """
        insert into pack_sources (name, version, effective_from, content) values (%s, %s, %s, %s)
        on conflict do nothing
        """,
        [pack.name, pack.version, pack.effective_from, serial.dumps(pack).decode()],
    )
    content = serial.dumps(_own_part(pack)).decode()
    return await pack_versions.keep(tx, pack.name, pack.version, pack.effective_from, content)


async def whole_pack(tx: Tx, version: str) -> Pack:
    """With its lists, schemas and examples."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select content from pack_sources where version = %s", [version]
    )
    row = await cursor.fetchone()
    if row is None:
        raise Unavailable("OVERLOADED", f"version {version} of the pack is not here whole yet")
    return serial.loads(row[0])


class Rulebooks:
    """In memory, by pack version and published table; what was not met yet is looked up once more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Rulebook] = {}

    async def load(self) -> None:
        async with self._database.connection() as connection:
            await self._load(connection)

    async def of(self, born_under: str, tx: Tx | None = None) -> Rulebook:
        """Give the transaction you are in: waiting for a second connection there could wait for ever."""
        if not born_under:
            raise Invalid("INVALID_DOCUMENT", "the document names no version of the pack")
        if born_under not in self._known:
            await self._look_up(born_under, tx)
        if born_under not in self._known:
            raise Unavailable("OVERLOADED", f"version {born_under} of the pack is not loaded here yet")
        return self._known[born_under]

    async def in_force(self, tx: Tx, moment: datetime) -> Rulebook:
        """Of the packs alone; a published table is in force beside one of them."""
        await self._load(tx)
        own = (book for name, book in self._known.items() if name == book.pack.version)
        zoned = ((book, moment.astimezone(ZoneInfo(book.pack.timezone)).date()) for book in own)
        begun = [book for book, day in zoned if book.pack.effective_from <= day]
        if not begun:
            raise Unavailable("PACK_NOT_LOADED", "no country pack is in force here yet")
        return max(begun, key=lambda book: (book.pack.effective_from, book.pack.version))

    async def _look_up(self, born_under: str, tx: Tx | None) -> None:
        if tx is None:
            async with self._database.connection() as connection:
                await self._look_up(born_under, connection)
            return
        await self._load(tx)
        version, table = parts(born_under)
        if table and version in self._known:
            rules = await published_rules(tx, version, table)
            if rules is not None:
                self._known[born_under] = Rulebook.of(under(self._known[version].pack, table, rules))

    async def _load(self, tx: Tx) -> None:
        for content in await pack_versions.contents_but(tx, self._known):
            rulebook = Rulebook.of(serial.loads(content))
            self._known[rulebook.pack.version] = rulebook


def _own_part(pack: Pack) -> Pack:
    """Tariff, templates, document bodies and most code lists are other services' business."""
    types = {
        key: msgspec.structs.replace(type, schema={}, checks=(), facts={}) for key, type in pack.document_types.items()
    }
    return msgspec.structs.replace(
        pack,
        document_types=types,
        tariff=(),
        rates=(),
        notification_rules=(),
        templates={},
        lists=_asked_of_officers(pack),
    )


def _asked_of_officers(pack: Pack) -> dict[str, CodeList]:
    """The lists whose codes a condition is set with."""
    kinds = (condition for type in pack.document_types.values() for condition in type.conditions or ())
    named = {field.list for condition in kinds for field in code_fields(condition.schema)}
    return {key: codes for key, codes in pack.lists.items() if key in named}
