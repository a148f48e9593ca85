"""A person says what not to be told, and when not; the teller remembers it for a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kit import clock
from kit.auth import Principal
from kit.database import Database, Tx
from kit.errors import Unavailable
from packs.model import Pack

from notifications.actions.packs import RuleDesk
from notifications.domain.deliveries import IN_APP
from notifications.domain.preferences import INDIFFERENT, Preferences, chosen
from notifications.store import preferences as store


@dataclass(frozen=True)
class Choice:
    """A person's preferences beside the rules they choose among."""

    pack: Pack
    preferences: Preferences


class PreferenceDesk:
    """For a client, the person is who answers for it."""

    def __init__(self, db: Database, rules: RuleDesk) -> None:
        self._db = db
        self._rules = rules

    async def read(self, caller: Principal) -> Choice:
        pack = await self._pack()
        async with self._db.connection() as connection:
            found = await store.of(connection, [caller.person])
        return Choice(pack, found.get(caller.person, INDIFFERENT))

    async def write(
        self,
        caller: Principal,
        muted: Sequence[tuple[str, str]],
        begins: str,
        ends: str,
        digest_at: Sequence[str] = (),
    ) -> Choice:
        """All of them at once. Raises Invalid."""
        pack = await self._pack()
        preferences = chosen(pack, muted, begins, ends, digest_at)
        async with self._db.transaction() as tx:
            await store.save(tx, caller.person, caller.organisation_id, preferences, clock.now())
        return Choice(pack, preferences)

    async def hidden_rules(self, caller: Principal) -> Sequence[str]:
        """What the caller's view of the feed leaves out: the feed itself is the whole organisation's."""
        async with self._db.connection() as connection:
            found = await store.of(connection, [caller.person])
        muted = {rule for rule, channel in found.get(caller.person, INDIFFERENT).muted if channel == IN_APP}
        if not muted:
            return ()
        mandatory = {rule.id for rule in (await self._pack()).notification_rules if rule.mandatory}
        return sorted(muted - mandatory)

    async def _pack(self) -> Pack:
        return (await self._rules.refresh(self._db)).pack(None, clock.now().date())


class Wishes:
    """`learn` asks, before a transaction; `of` answers from memory, inside it."""

    def __init__(self) -> None:
        self._asked: frozenset[str] = frozenset()
        self._known: Mapping[str, Preferences] = {}

    async def learn(self, tx: Tx, person_ids: Collection[str]) -> None:
        self._asked = frozenset(person_ids)
        self._known = await store.of(tx, person_ids) if person_ids else {}

    def of(self, person_id: str) -> Preferences:
        """Raises Unavailable for a person nobody asked about: the batch is prepared again."""
        if person_id not in self._asked:
            raise Unavailable("RECIPIENTS_UNKNOWN", f"{person_id} was not asked for")
        return self._known.get(person_id, INDIFFERENT)
