"""PostgreSQL: a pool, and transactions that commit on the way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from kit.errors import Unavailable

Tx = psycopg.AsyncConnection[Any]

OPEN_TIMEOUT_S = 30.0
BORROW_TIMEOUT_S = 5.0
POLL_S = 0.05
STATEMENT_TIMEOUT_MS = 20_000
LOCK_TIMEOUT_MS = 10_000


class Database:
    """One pool per process. A lost server shows as Unavailable, never as a stack trace at the caller's."""

    def __init__(self, url: str, pool: AsyncConnectionPool[Tx]) -> None:
        self.url = url
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, size_max: int = 8, checks: bool = True, options: str = "") -> Database:
        """`checks`: a connection is asked before it is lent whether it still lives; `options`: of its sessions."""
        limits = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
        pool: AsyncConnectionPool[Tx] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=size_max,
            open=False,
            timeout=BORROW_TIMEOUT_S,
            kwargs={"options": f"{limits} {options}"},
            configure=_configure,
            check=AsyncConnectionPool.check_connection if checks else None,
        )
        await pool.open(wait=True, timeout=OPEN_TIMEOUT_S)
        return cls(url, pool)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """Commits when the block ends, rolls back when it raises."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Tx]:
        """Autocommit: each statement for itself."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise Unavailable("OVERLOADED", "the database does not answer") from error

    async def close(self) -> None:
        await self._pool.close()


async def _configure(connection: Tx) -> None:
    await connection.set_autocommit(True)


async def wait_for(url: str, timeout_s: float = OPEN_TIMEOUT_S) -> None:
    """Returns when the server accepts a connection; raises Unavailable when it has not within `timeout_s`."""
    for _ in range(int(timeout_s / POLL_S)):
        if await _answers(url):
            return
        await asyncio.sleep(POLL_S)
    raise Unavailable("OVERLOADED", "the database did not come up")


async def _answers(url: str) -> bool:
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
