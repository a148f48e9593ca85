"""For tests: databases that are thrown away, tokens that verify, an identity that answers what it is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg
from joserfc import jwt
from joserfc.jwk import ECKey
from psycopg.conninfo import make_conninfo

from kit import clock, ids
from kit.auth import ALGORITHM, AUDIENCE, Principal

TOKEN_SECONDS = 300


async def create_database(server_url: str) -> str:
    """A fresh, empty database on the server; answers its URL."""
    name = "t_" + ids.new_id().replace("-", "")
    async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as connection:
        await connection.execute(f'create database "{name}"')
    return make_conninfo(server_url, dbname=name)


class TokenMint:
    """Signs tokens as identity does, and is the key source that verifies them."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256", {"kid": "test"}, private=True)

    async def keys(self) -> Mapping[str, str]:
        return {"test": json.dumps(self._key.as_dict(private=False))}

    def token(self, principal: Principal) -> str:
        now = int(clock.epoch_s())
        claims: dict[str, Any] = {
            "iss": "test",
            "aud": AUDIENCE,
            "sub": principal.subject,
            "person": principal.person,
            "org": principal.organisation_id,
            "org_kind": principal.organisation_kind,
            "agency": principal.agency,
            "roles": sorted(principal.roles),
            "lang": principal.language,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": ids.new_id(),
        }
        return jwt.encode({"alg": ALGORITHM, "kid": "test"}, claims, self._key, algorithms=[ALGORITHM])


def a_principal(
    *roles: str,
    organisation_id: str = "org-a",
    kind: str = "importer",
    agency: str = "",
    person: str = "",
    language: str = "en",
) -> Principal:
    person = person or f"person-of-{organisation_id}"
    return Principal(
        subject=person,
        person=person,
        organisation_id=organisation_id,
        organisation_kind=kind,
        agency=agency,
        roles=frozenset(roles),
        language=language,
        token="",
    )
