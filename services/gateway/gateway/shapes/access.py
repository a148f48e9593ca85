"""Tokens, keys and the state of the system."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from gateway.shapes.common import Moment


class Token(msgspec.Struct):
    """RFC 6749, section 5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenRefusal(msgspec.Struct):
    """RFC 6749, section 5.2, with our code and trace id besides."""

    error: str
    error_description: str
    code: str
    trace_id: str


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    email: Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class KeySet(msgspec.Struct):
    """RFC 7517: public keys."""

    keys: list[dict[str, Any]]


class OpenidConfiguration(msgspec.Struct):
    issuer: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    response_types_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    scopes_supported: list[str]
    service_documentation: str


class RotatedKey(msgspec.Struct):
    key_id: str


class Health(msgspec.Struct):
    status: str


State = Literal["ok", "degraded", "down"]


class Dependency(msgspec.Struct):
    """`name` is the service and what it needs, as `intake.database`; `age_seconds` how old is what waits there.

    `code` stays, `label` and `message` are in the caller's language. `since` is when it came to stand as it does.
    """

    name: str
    label: str
    state: State
    code: str
    message: str
    since: Moment
    age_seconds: float | None


class Status(msgspec.Struct):
    """`degraded`: something behind does not answer; what was accepted is kept and will be worked on.

    `down`: submissions are not accepted. Everything is at most a few seconds old.
    """

    status: State
    code: str
    message: str
    since: Moment
    accepts_submissions: bool
    at: Moment
    version: str
    pack_version: str | None
    upstreams: dict[str, Literal["up", "down"]]
    dependencies: list[Dependency]
