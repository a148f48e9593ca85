"""The versions of the pack this service knows, and the rulebook each comes to."""

from __future__ import annotations

import msgspec
from kit import pack_versions
from kit.database import Database, Tx
from kit.errors import Invalid, Unavailable
from packs import serial
from packs.model import Pack

from routing.domain import Rulebook


async def load_pack(tx: Tx, pack: Pack) -> bool:
    """Keeps routing's part of a pack; False when it is there already, Conflict when it reads otherwise."""
    content = serial.dumps(_own_part(pack)).decode()
    return await pack_versions.keep(tx, pack.name, pack.version, pack.effective_from, content)


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

    async def _load(self, tx: Tx) -> None:
        for content in await pack_versions.contents_but(tx, self._by_version):
            rulebook = Rulebook.of(serial.loads(content))
            self._by_version[rulebook.pack.version] = rulebook


def _own_part(pack: Pack) -> Pack:
    """Tariff, templates, code lists and document bodies are other services' business."""
    types = {
        key: msgspec.structs.replace(type, schema={}, checks=(), facts={}) for key, type in pack.document_types.items()
    }
    return msgspec.structs.replace(
        pack, document_types=types, tariff=(), rates=(), notification_rules=(), templates={}, lists={}
    )
