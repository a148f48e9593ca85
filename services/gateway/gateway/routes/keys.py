"""Public keys, and where to find them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import msgspec
from kit.auth import ALGORITHM
from portolan.identity.v1 import identity_pb2
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.access import KeySet, OpenidConfiguration, RotatedKey
from gateway.shapes.people import Role

# Short, so that a rotated key is known well before the first token it signs is met.
CACHED = {"cache-control": "public, max-age=30"}


async def list_token_keys(call: Call) -> Response:
    reply = await call.ask(call.up.identity.ListSigningKeys, identity_pb2.ListSigningKeysRequest())
    return answered(_key_set(key.jwk_json for key in reply.keys), headers=CACHED)


async def list_receipt_keys(call: Call) -> Response:
    reply = await call.ask_openly(call.up.intake.ListReceiptKeys, intake_pb2.ListReceiptKeysRequest())
    return answered(_key_set(reply.jwk_jsons), headers=CACHED)


async def get_openid_configuration(call: Call) -> Response:
    reply = await call.ask(call.up.identity.ListSigningKeys, identity_pb2.ListSigningKeysRequest())
    here = call.wiring.settings.public_url.rstrip("/") or str(call.request.base_url).rstrip("/")
    configuration = OpenidConfiguration(
        issuer=reply.issuer or here,
        token_endpoint=f"{here}/oauth/token",
        jwks_uri=f"{here}/.well-known/jwks.json",
        grant_types_supported=["client_credentials"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        response_types_supported=[],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=[ALGORITHM],
        scopes_supported=list(get_args(Role)),
        service_documentation=f"{here}/docs",
    )
    return answered(configuration, headers=CACHED)


async def rotate_signing_key(call: Call) -> Response:
    reply = await call.ask(call.up.identity.RotateSigningKey, identity_pb2.RotateSigningKeyRequest())
    return answered(RotatedKey(reply.key_id), status=201)


def _key_set(keys: Iterable[str]) -> KeySet:
    return KeySet([msgspec.json.decode(key) for key in keys])


_WELL_KNOWN = "/.well-known"

OPERATIONS = (
    Operation(
        *("GET", f"{_WELL_KNOWN}/jwks.json", list_token_keys, "Public keys that verify access tokens"),
        answer=KeySet,
        tag="keys",
    ),
    Operation(
        *("GET", f"{_WELL_KNOWN}/openid-configuration", get_openid_configuration, "Where tokens and keys are"),
        answer=OpenidConfiguration,
        tag="keys",
    ),
    Operation(
        *("GET", f"{_WELL_KNOWN}/receipt-keys.json", list_receipt_keys, "Public keys that verify receipts"),
        answer=KeySet,
        tag="keys",
    ),
    Operation(
        *("POST", "/v1/signing-keys:rotate", rotate_signing_key, "Sign tokens with a new key from now on"),
        answer=RotatedKey,
        status=201,
        tag="keys",
    ),
)
