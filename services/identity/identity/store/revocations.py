"""Subjects whose tokens are void before they expire."""
# ruff: noqa: S608 (only constants of this module are interpolated)

from dataclasses import dataclass
from datetime import datetime

from kit.database import Tx

from identity.store import rows

BATCH_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Revocation:
    sequence: int
    subject: str
    revoked_at: datetime


async def add(tx: Tx, subject: str, revoked_at: datetime) -> None:
    await tx.execute(
        """
        with next as (
            update revocation_counter set last_sequence = last_sequence + 1 returning last_sequence
        )
        insert into revocations (sequence, subject, revoked_at)
        select last_sequence, %s, %s from next
        """,
        [subject, revoked_at],
    )


async def after(tx: Tx, sequence: int, since: datetime) -> list[Revocation]:
    return await rows.many(
        tx,
        Revocation,
        f"""
        select sequence, subject, revoked_at
        from revocations
        where sequence > %s and revoked_at > %s
        order by sequence
        limit {BATCH_MAX}
        """,
        [sequence, since],
    )


async def forget(tx: Tx, before: datetime) -> None:
    await tx.execute("delete from revocations where revoked_at < %s", [before])
