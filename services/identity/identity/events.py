"""Identity hears the clock, and of whom a document admits. It speaks in actions.facts."""

import asyncio
import contextlib
from collections.abc import Mapping

import psycopg
from google.protobuf.message import Message
from kit import telemetry
from kit.consumer import Handler
from kit.database import Database, Tx
from kit.errors import PortolanError
from kit.events import Event
from portolan.intake.v1 import events_pb2 as intake

from identity.actions import applying, keyring, revocations
from identity.actions.vault import Vault
from identity.domain.applications import Admission

GROUP = "identity"
TOPICS = ("portolan.intake.document.v1",)
TICK_SECONDS = 60.0


def handlers() -> Mapping[type[Message], Handler]:
    return {intake.OrganisationAdmitted: admitted}


async def admitted(tx: Tx, _: Event, said: intake.OrganisationAdmitted) -> None:
    admission = Admission(said.owner_organisation_id, said.name, said.kind, said.company_number, said.billing_mode)
    await applying.admit(tx, admission)


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
    await applying.forget_unconfirmed(db)
