"""What an access token says about its bearer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.auth import AUDIENCE
from kit.errors import Invalid

from identity.domain.keys import TOKEN_SECONDS


@dataclass(frozen=True, slots=True)
class Bearer:
    """A client or a user as it stands in the database now, with what proves it."""

    subject: str
    person: str
    organisation_id: str
    organisation_kind: str
    agency: str
    roles: tuple[str, ...]
    language: str
    is_revoked: bool
    awaits_confirmation: bool
    proof: bytes


@dataclass(frozen=True, slots=True)
class AccessToken:
    text: str
    scope: str
    expires_in_seconds: int = TOKEN_SECONDS


def roles_granted(held: tuple[str, ...], scope: str) -> list[str]:
    """All roles, or the ones asked for. Raises Invalid when one of those is not held."""
    asked = set(scope.split()) or set(held)
    if not asked <= set(held):
        raise Invalid("INVALID_SCOPE", "the scope names a role this account does not hold")
    return sorted(asked)


def claims(bearer: Bearer, roles: list[str], *, issuer: str, at: datetime, token_id: str) -> dict[str, Any]:
    issued_at = int(at.timestamp())
    return {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": bearer.subject,
        "person": bearer.person,
        "org": bearer.organisation_id,
        "org_kind": bearer.organisation_kind,
        "agency": bearer.agency,
        "roles": roles,
        "lang": bearer.language,
        "iat": issued_at,
        "exp": issued_at + TOKEN_SECONDS,
        "jti": token_id,
    }
