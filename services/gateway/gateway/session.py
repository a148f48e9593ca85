"""From the Authorization header to the principal."""

from __future__ import annotations

from kit import auth
from kit.auth import Principal, TokenVerifier
from kit.errors import Forbidden, Unauthenticated
from starlette.types import Scope

from gateway.authority import Authority
from gateway.bodies import header

TOKEN_CHARS_MAX = 8192


async def principal(verifier: TokenVerifier, scope: Scope) -> Principal:
    """Raises Unauthenticated."""
    return await verifier.verify(bearer(scope))


def bearer(scope: Scope) -> str:
    scheme, _, token = header(scope, b"authorization").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_CHARS_MAX or not token.isascii():
        raise Unauthenticated("UNAUTHENTICATED", "a bearer token is needed")
    if token.startswith(auth.SERVICE_PREFIX):
        raise Unauthenticated("UNAUTHENTICATED", "the token is not valid")
    return token


def admit(authority: Authority, caller: Principal) -> None:
    """Raises Forbidden."""
    if not authority.admits(caller.roles):
        raise Forbidden("FORBIDDEN", "this needs the role " + " or ".join(sorted(authority.roles)))
