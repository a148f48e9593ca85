"""The versions of the pack this service knows, and the rulebook each comes to."""

from __future__ import annotations

from datetime import date

import msgspec
from kit.database import Database, Tx
from kit.errors import Invalid, Refused, Unavailable
from packs import serial
from packs.model import Pack
from psycopg.rows import tuple_row

from routing.domain import Rulebook


async def load_pack(tx: Tx, pack: Pack) -> bool:
    """Keeps routing's part of a pack; False when it is there already, Refused when it reads otherwise."""
    content = serial.dumps(_own_part(pack)).decode()
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        insert into pack_versions (name, version, effective_from, content)
        values (%s, %s, %s, %s)
        on conflict (name, version) do nothing
        """,
        [pack.name, pack.version, pack.effective_from, content],
    )
    if cursor.rowcount:
        return True
    if await _content(tx, pack.name, pack.version) != content:
        raise Refused("PACK_CHANGED", f"version {pack.version} is loaded with another content: give it a new number")
    return False


class Rulebooks:
    """In memory, by version; a version not met yet is looked up once more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_version: dict[str, Rulebook] = {}

    async def load(self) -> None:
        async with self._database.connection() as connection:
            await self._load(connection)

    async def of(self, version: str, tx: Tx | None = None) -> Rulebook:
        """Give the transaction you are in: waiting for a second connection there could wait for ever."""
        if not version:
            raise Invalid("INVALID_DOCUMENT", "the document names no version of the pack")
        if version not in self._by_version:
            await (self.load() if tx is None else self._load(tx))
        if version not in self._by_version:
            raise Unavailable("OVERLOADED", f"version {version} of the pack is not loaded here yet")
        return self._by_version[version]

    async def current(self, day: date) -> Rulebook:
        """The version in force that day, the one a document submitted then is born under."""
        if not self._by_version:
            await self.load()
        in_force = [book for book in self._by_version.values() if book.pack.effective_from <= day]
        if not in_force:
            raise Unavailable("OVERLOADED", "no version of the pack is in force here yet")
        return max(in_force, key=lambda book: (book.pack.effective_from, book.pack.version))

    async def _load(self, tx: Tx) -> None:
        cursor = await tx.cursor(row_factory=tuple_row).execute(
            "select content::text from pack_versions where version <> all(%s)", [list(self._by_version)]
        )
        for (content,) in await cursor.fetchall():
            rulebook = Rulebook.of(serial.loads(content))
            self._by_version[rulebook.pack.version] = rulebook


async def _content(tx: Tx, name: str, version: str) -> str:
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        "select content::text from pack_versions where name = %s and version = %s", [name, version]
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else ""


def _own_part(pack: Pack) -> Pack:
    """Tariff, templates, code lists and document bodies are other services' business."""
    types = {
        key: msgspec.structs.replace(type, schema={}, checks=(), facts={}) for key, type in pack.document_types.items()
    }
    return msgspec.structs.replace(
        pack, document_types=types, tariff=(), rates=(), notification_rules=(), templates={}, lists={}
    )
