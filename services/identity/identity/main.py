"""Builds identity, by hand, in one place."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.auth import TokenVerifier
from kit.consumer import Consumer
from kit.database import Database
from kit.grpc import Server
from kit.process import Job, Loop, Parts
from kit.sealing import Sealer
from kit.service import commands, migrate_job, relay_loop, subscription
from kit.standing import Standing
from packs import company_numbers
from packs.model import Pack
from packs.reader import default_pack_path, read
from portolan.identity.v1 import identity_pb2, identity_pb2_grpc

from identity.actions import keyring
from identity.actions.bootstrap import FirstOperator, bootstrap, renew
from identity.actions.keyring import Keyring
from identity.actions.packs import load
from identity.actions.passwords import Passwords
from identity.actions.revocations import OwnRevocations
from identity.actions.tokens import TokenDesk
from identity.actions.vault import Vault
from identity.api import AUTHORITY, IdentityApi
from identity.domain.organisations import CountryRules, kind_of_body
from identity.events import GROUP, TOPICS, handlers, hear_the_clock
from identity.settings import Settings

SERVICE = "identity"
MIGRATIONS = Path(__file__).parent / "migrations"
DESCRIPTOR = identity_pb2.DESCRIPTOR.services_by_name["IdentityService"]


async def build(settings: Settings) -> Parts:
    vault = Vault(settings.service_secret)
    db = await Database.open(settings.database_url, size_max=settings.database_connections_max)
    passwords = Passwords()
    return Parts(
        jobs={
            "migrate": migrate_job(settings, SERVICE, MIGRATIONS),
            "seed": _seed_job(settings, db, passwords),
            "bootstrap": _bootstrap_job(settings, db, passwords),
        },
        loops={
            "api": _api_loop(settings, db, vault, passwords),
            "consumer": _consumer_loop(settings, db, vault),
            "relay": relay_loop(settings, SERVICE),
        },
        commands=commands(settings, SERVICE),
        close=db.close,
    )


def _api_loop(settings: Settings, db: Database, vault: Vault, passwords: Passwords) -> Loop:
    async def loop(stop: asyncio.Event) -> None:
        await keyring.keep(db, vault)
        keys = Keyring(db, vault)
        verifier = TokenVerifier(keys, settings.service_secret)
        server = api_server(settings, db, vault, passwords, keys, verifier)
        server.stands(Standing(db, ("relay", "consumer")))
        await asyncio.gather(server.run(stop), verifier.watch_revocations(OwnRevocations(db), stop))

    return loop


def _consumer_loop(settings: Settings, db: Database, vault: Vault) -> Loop:
    async def loop(stop: asyncio.Event) -> None:
        heard = subscription(settings, GROUP, TOPICS)
        consumer = Consumer(db, heard, GROUP, handlers())
        await asyncio.gather(consumer.run(stop), hear_the_clock(db, vault, stop))

    return loop


def api_server(
    settings: Settings, db: Database, vault: Vault, passwords: Passwords, keys: Keyring, verifier: TokenVerifier
) -> Server:
    server = Server(SERVICE, verifier, settings.grpc_host, settings.grpc_port)
    desk = TokenDesk(db, keys, passwords, settings.issuer)
    sealer = Sealer(settings.service_secret)
    api = IdentityApi(db, vault, sealer, passwords, keys, desk, settings.issuer, is_demo=settings.demo_mode)
    server.add(DESCRIPTOR, AUTHORITY, lambda grpc: identity_pb2_grpc.add_IdentityServiceServicer_to_server(api, grpc))
    return server


def _seed_job(settings: Settings, db: Database, passwords: Passwords) -> Job:
    """Loads the pack; in demo mode also makes the first operator, whose secrets go to a file in the home folder."""

    async def job() -> None:
        pack = read(settings.pack_path or default_pack_path())
        await load(db, pack.name, pack.version, pack.effective_from, country_rules(pack))
        if settings.demo_mode:
            await _bootstrap_demo(settings, db, passwords)

    return job


async def _bootstrap_demo(settings: Settings, db: Database, passwords: Passwords) -> None:
    if settings.home is None:
        sys.exit("PORTOLAN_HOME must name the folder that bootstrap.json is written to")
    path = settings.home / "bootstrap.json"

    def keep(operator: FirstOperator) -> None:
        write_private(path, account(operator))

    is_new = await bootstrap(db, passwords, settings.operator_email, keep)
    if not is_new and not path.exists():
        await renew(db, passwords, keep)


def _bootstrap_job(settings: Settings, db: Database, passwords: Passwords) -> Job:
    """For a real deployment: prints the first operator's secrets, once."""

    async def job() -> None:
        if not await bootstrap(db, passwords, settings.operator_email, _print):
            sys.exit("there is an operator already")

    return job


def _print(operator: FirstOperator) -> None:
    sys.stdout.write(json.dumps(account(operator), indent=2) + "\n")


def account(operator: FirstOperator) -> dict[str, Any]:
    return {
        "organisation_id": operator.organisation.id,
        "organisation_name": operator.organisation.name,
        "kind": operator.organisation.kind,
        "client_id": operator.client.id,
        "client_secret": operator.secret,
        "roles": list(operator.client.roles),
        "user": {
            "id": operator.user.id,
            "email": operator.user.email,
            "password": operator.password,
            "roles": list(operator.user.roles),
        },
    }


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all, and never readable by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def country_rules(pack: Pack) -> CountryRules:
    """Raises ValueError when the pack names a number scheme that python-stdnum does not know."""
    company_numbers.checker(pack.company_number.scheme)
    return CountryRules(
        number=pack.company_number,
        languages=frozenset(pack.languages),
        default_language=pack.default_language,
        agency_kinds={agency.code: kind_of_body(agency.kind) for agency in pack.agencies.values()},
    )
