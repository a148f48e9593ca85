"""Numbered SQL files, once each, in order, under a lock, never changed after they ran."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import psycopg

LOCK_KEY = 0x706F7274
KIT_MIGRATIONS = Path(__file__).parent / "migrations"

BOOKKEEPING = """
create table if not exists migrations (
    owner text not null,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now(),
    primary key (owner, name)
)
"""


class ChangedMigration(Exception):
    """A file that already ran reads otherwise now: write a new one instead."""


async def migrate(url: str, owner: str, folder: Path) -> list[str]:
    """Applies the kit's files, then `owner`'s; answers the names applied now."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("select pg_advisory_lock(%s)", [LOCK_KEY])
        await connection.execute(BOOKKEEPING)
        return [
            name
            for of, path in [*_files("kit", KIT_MIGRATIONS), *_files(owner, folder)]
            for name in await _apply(connection, of, path)
        ]


def _files(owner: str, folder: Path) -> Iterator[tuple[str, Path]]:
    return ((owner, path) for path in sorted(folder.glob("[0-9]*.sql")))


async def _apply(connection: psycopg.AsyncConnection[tuple[str]], owner: str, path: Path) -> list[str]:
    text = await asyncio.to_thread(path.read_bytes)
    digest = hashlib.sha256(text).hexdigest()
    cursor = await connection.execute(
        "select sha256 from migrations where owner = %s and name = %s", [owner, path.name]
    )
    row = await cursor.fetchone()
    if row is not None and row[0] != digest:
        raise ChangedMigration(f"{owner}/{path.name}")
    if row is not None:
        return []
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute(
            "insert into migrations (owner, name, sha256) values (%s, %s, %s)", [owner, path.name, digest]
        )
    return [f"{owner}/{path.name}"]
