"""What people prefer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from kit.database import Tx
from psycopg.rows import tuple_row

from notifications.domain.preferences import Preferences, QuietHours


async def of(tx: Tx, person_ids: Collection[str]) -> dict[str, Preferences]:
    """Of those who said what they prefer."""
    cursor = await tx.cursor(row_factory=tuple_row).execute(
        """
        select person_id, muted, quiet_begins, quiet_ends, digest_at
        from notification_preferences
        where person_id = any(%s)
        """,
        [list(person_ids)],
    )
    return {
        person_id: Preferences(
            frozenset((rule, channel) for rule, channel in muted),
            QuietHours(begins, ends) if begins is not None else None,
            tuple(digest_at),
        )
        for person_id, muted, begins, ends, digest_at in await cursor.fetchall()
    }


async def save(tx: Tx, person_id: str, organisation_id: str, preferences: Preferences, now: datetime) -> None:
    quiet = preferences.quiet
    await tx.execute(
        """
        insert into notification_preferences (
            person_id, organisation_id, muted, quiet_begins, quiet_ends, updated_at, digest_at
        )
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (person_id) do update
        set organisation_id = excluded.organisation_id,
            muted = excluded.muted,
            quiet_begins = excluded.quiet_begins,
            quiet_ends = excluded.quiet_ends,
            updated_at = excluded.updated_at,
            digest_at = excluded.digest_at
        """,
        [
            *(person_id, organisation_id, msgspec.json.encode(sorted(preferences.muted)).decode()),
            *(quiet.begins if quiet else None, quiet.ends if quiet else None, now),
            list(preferences.digest_at),
        ],
    )
