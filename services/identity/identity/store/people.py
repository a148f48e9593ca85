"""Users and machine clients, and what proves them."""
# ruff: noqa: S608 (only constants of this module are interpolated)

from datetime import datetime

import psycopg
from kit.database import Tx
from kit.errors import Conflict, Refused

from identity.domain.people import SIGNING_ROLES, Client, User
from identity.domain.tokens import Bearer
from identity.store import rows

USER = "id, organisation_id, email, name, language, roles, dismissed_at"
CLIENT = "id, organisation_id, name, roles, responsible_user_id, revoked_at, confirmed_at"
LAST_ADMINISTRATOR = "administrator_remains"
RECIPIENTS_MAX = 500


async def add_user(tx: Tx, user: User, password_hash: str, created_at: datetime) -> None:
    """Raises Conflict when the address is taken."""
    try:
        await tx.execute(
            """
            insert into users (id, organisation_id, email, name, language, roles, password_hash, created_at)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                *(user.id, user.organisation_id, user.email, user.name, user.language),
                *(list(user.roles), password_hash, created_at),
            ],
        )
    except psycopg.errors.UniqueViolation as error:
        raise Conflict("USER_EXISTS", "this e-mail address is registered already") from error


async def user_by_id(tx: Tx, user_id: str) -> User | None:
    return await rows.one(tx, User, f"select {USER} from users where id = %s", [user_id])


async def users_page(tx: Tx, organisation_id: str, *, after: str, limit: int) -> list[User]:
    query = f"select {USER} from users where organisation_id = %s and id > %s order by id limit %s"
    return await rows.many(tx, User, query, [organisation_id, after, limit])


async def user_with_role(tx: Tx, organisation_id: str, role: str) -> User | None:
    query = f"""
        select {USER} from users
        where organisation_id = %s and %s = any(roles) and dismissed_at is null
        order by id
        limit 1
        """
    return await rows.one(tx, User, query, [organisation_id, role])


async def users_with_role(tx: Tx, organisation_id: str, role: str) -> list[User]:
    query = f"select {USER} from users where organisation_id = %s and %s = any(roles) order by id"
    return await rows.many(tx, User, query, [organisation_id, role])


async def user_by_email(tx: Tx, email: str) -> User | None:
    return await rows.one(tx, User, f"select {USER} from users where email = %s", [email])


async def password_hash(tx: Tx, user_id: str) -> str | None:
    cursor = await tx.execute("select password_hash from users where id = %s", [user_id])
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def set_standing(tx: Tx, user: User) -> None:
    """Roles, and whether they are still with us. Raises Refused when nobody would administer any more."""
    try:
        await tx.execute(
            "update users set roles = %s, dismissed_at = %s where id = %s",
            [list(user.roles), user.dismissed_at, user.id],
        )
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name != LAST_ADMINISTRATOR:
            raise
        raise Refused("LAST_ADMINISTRATOR", "an organisation keeps one administrator") from error


async def set_password(tx: Tx, user_id: str, password_hash: str) -> None:
    await tx.execute("update users set password_hash = %s where id = %s", [password_hash, user_id])


async def add_client(tx: Tx, client: Client, secret_sha256: bytes, created_at: datetime) -> None:
    await tx.execute(
        """
        insert into clients
            (id, organisation_id, name, roles, responsible_user_id, secret_sha256, created_at, confirmed_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            *(client.id, client.organisation_id, client.name, list(client.roles)),
            *(client.responsible_user_id, secret_sha256, created_at, client.confirmed_at),
        ],
    )


async def client_by_id(tx: Tx, client_id: str) -> Client | None:
    return await rows.one(tx, Client, f"select {CLIENT} from clients where id = %s", [client_id])


async def clients_page(tx: Tx, organisation_id: str, *, after: str, limit: int) -> list[Client]:
    query = f"select {CLIENT} from clients where organisation_id = %s and id > %s order by id limit %s"
    return await rows.many(tx, Client, query, [organisation_id, after, limit])


async def live_clients_named(tx: Tx, organisation_id: str, name: str) -> list[Client]:
    query = f"select {CLIENT} from clients where organisation_id = %s and name = %s and revoked_at is null"
    return await rows.many(tx, Client, query, [organisation_id, name])


async def live_clients_of(tx: Tx, user_id: str) -> list[Client]:
    query = f"select {CLIENT} from clients where responsible_user_id = %s and revoked_at is null order by id"
    return await rows.many(tx, Client, query, [user_id])


async def mark_client_confirmed(tx: Tx, client_id: str, at: datetime) -> None:
    """The first confirmation stands."""
    await tx.execute("update clients set confirmed_at = %s where id = %s and confirmed_at is null", [at, client_id])


async def mark_client_revoked(tx: Tx, client_id: str, at: datetime) -> None:
    await tx.execute("update clients set revoked_at = %s where id = %s and revoked_at is null", [at, client_id])


async def client_bearer(tx: Tx, client_id: str) -> Bearer | None:
    """Speaks the language of the organisation."""
    return await rows.one(
        tx,
        Bearer,
        """
        select
            c.id as subject, c.responsible_user_id as person, o.id as organisation_id, o.kind as organisation_kind,
            o.agency_code as agency, c.roles, o.language, c.revoked_at is not null as is_revoked,
            c.confirmed_at is null and c.roles && %s::text[] as awaits_confirmation, c.secret_sha256 as proof
        from clients c
        join organisations o on o.id = c.organisation_id
        where c.id = %s
        """,
        [sorted(SIGNING_ROLES), client_id],
    )


async def user_bearer(tx: Tx, email: str) -> Bearer | None:
    return await rows.one(
        tx,
        Bearer,
        """
        select
            u.id as subject, u.id as person, o.id as organisation_id, o.kind as organisation_kind,
            o.agency_code as agency, u.roles, u.language, false as is_revoked,
            false as awaits_confirmation, convert_to(u.password_hash, 'UTF8') as proof
        from users u
        join organisations o on o.id = u.organisation_id
        where u.email = %s and u.dismissed_at is null
        """,
        [email],
    )


async def recipients(tx: Tx, organisation_id: str, role: str = "") -> list[User]:
    """All of them without a role."""
    query = f"""
        select {USER} from users
        where organisation_id = %s and dismissed_at is null and (%s = '' or %s = any(roles))
        order by id limit {RECIPIENTS_MAX}
    """
    return await rows.many(tx, User, query, [organisation_id, role, role])
