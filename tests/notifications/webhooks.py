"""Small words for the tests of webhooks: who minds endpoints, a poster that may post to this machine."""

from __future__ import annotations

from typing import LiteralString

from kit import ids
from kit.auth import Principal
from kit.database import Database
from kit.testing import a_principal
from notifications import actions
from notifications.domain.endpoints import Shown
from notifications.domain.signing import Vault
from notifications.store.egress import Egress

IMPORTER = a_principal("org_admin", organisation_id="importer")
BROKER = a_principal("declarant", organisation_id="broker", kind="broker")
STRANGER = a_principal("org_admin", organisation_id="stranger")
VAULT = Vault("a secret of services")
LOG = "select sequence, type, state, attempts from webhook_deliveries order by endpoint_id, sequence"


def a_poster(db: Database, vault: Vault = VAULT) -> actions.Poster:
    return actions.Poster(db, vault, Egress(loopback_allowed=True))


async def an_endpoint(
    desk: actions.WebhookDesk,
    url: str,
    *event_types: str,
    caller: Principal = IMPORTER,
    signature: str = "ed25519",
    request_id: str = "",
) -> Shown:
    return await desk.create(caller, request_id or ids.new_id(), url, "", list(event_types), signature)


async def make_due(db: Database) -> None:
    await rows_changed(db, "update webhook_deliveries set due_at = now() where state = 'PENDING'")


async def rows_changed(db: Database, *statements: LiteralString) -> None:
    async with db.connection() as connection:
        for statement in statements:
            await connection.execute(statement)


def public_key(shown: Shown) -> str:
    return shown.public_keys[0]
