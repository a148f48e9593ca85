"""All that identity hears is the clock: keys grow old, revocations cease to matter. It speaks in actions.facts."""

import asyncio
import contextlib

import psycopg
from kit import telemetry
from kit.database import Database
from kit.errors import PortolanError

from identity.actions import keyring, revocations
from identity.actions.vault import Vault

TICK_SECONDS = 60.0


async def hear_the_clock(db: Database, vault: Vault, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await tick(db, vault)
        except (PortolanError, psycopg.Error) as error:
            telemetry.log().warning("upkeep_waits", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK_SECONDS)


async def tick(db: Database, vault: Vault) -> None:
    await keyring.keep(db, vault)
    await revocations.forget_old(db)
