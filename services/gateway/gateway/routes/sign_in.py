"""Proof in, token out: machine clients by RFC 6749, people by e-mail and password."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from kit import trace
from kit.errors import Malformed, PortolanError, TooLarge, Unauthenticated
from portolan.identity.v1 import identity_pb2
from starlette.responses import Response

from gateway import bodies, problems, rates
from gateway.call import Call, answered
from gateway.operation import FORM, Operation
from gateway.shapes.access import Credentials, Token, TokenRefusal

FORM_BYTES_MAX = 8 * 1024
FORM_FIELDS_MAX = 20
SECRET_CHARS_MAX = 1000
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}

# RFC 6749 section 5.2 by our codes; the rest by status.
_REASONS = {"INVALID_SCOPE": "invalid_scope", "UNSUPPORTED_GRANT_TYPE": "unsupported_grant_type"}
_REASONS_BY_STATUS = {
    401: "invalid_client",
    403: "unauthorized_client",
    429: "slow_down",
    503: "temporarily_unavailable",
}


async def issue_token(call: Call) -> Response:
    try:
        return await _issue_token(call)
    except PortolanError as error:
        return _refusal(error, call)


async def _issue_token(call: Call) -> Response:
    bodies.require_media_type(call.request.scope, FORM)
    form = _form(await bodies.read(call.request.scope, call.request.receive, FORM_BYTES_MAX))
    if form.get("grant_type") != "client_credentials":
        code = "UNSUPPORTED_GRANT_TYPE" if form.get("grant_type") else "MALFORMED"
        raise Malformed(code, "grant_type must be client_credentials")
    client_id, secret = _client(call.header("authorization"), form)
    request = identity_pb2.IssueTokenRequest(client_id=client_id, client_secret=secret, scope=form.get("scope", ""))
    try:
        await call.wiring.rates.refuse_guessers(f"{client_id}|{call.address}")
        reply = await call.ask(call.up.identity.IssueToken, request)
    except Unauthenticated:
        await call.wiring.rates.sign_in_failed(f"{client_id}|{call.address}")
        raise
    return _token(reply.access_token, reply.expires_in_seconds, reply.scope)


async def sign_in(call: Call, body: Credentials) -> Response:
    who = f"{body.email.strip().lower()}|{call.address}"
    await call.wiring.rates.refuse_guessers(who)
    try:
        request = identity_pb2.SignInRequest(email=body.email, password=body.password)
        reply = await call.ask(call.up.identity.SignIn, request)
    except Unauthenticated:
        await call.wiring.rates.sign_in_failed(who)
        raise
    return _token(reply.access_token, reply.expires_in_seconds, reply.scope)


def _token(access_token: str, seconds: int, scope: str) -> Response:
    return answered(Token(access_token, "Bearer", seconds, scope), headers=NO_STORE)


def _form(raw: bytes) -> Mapping[str, str]:
    """Raises Malformed: RFC 6749 forbids a parameter given twice."""
    try:
        text = raw.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS_MAX)
    except ValueError as error:
        raise Malformed("MALFORMED", "the form is not well formed") from error
    form = dict(pairs)
    if len(form) != len(pairs) or any("\x00" in text for pair in pairs for text in pair):
        raise Malformed("MALFORMED", "the form is not well formed")
    return form


def _client(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    """By HTTP Basic or in the form, never both."""
    in_form = form.get("client_id", ""), form.get("client_secret", "")
    if not authorization.lower().startswith("basic "):
        client_id, secret = in_form
    elif in_form[1]:
        raise Malformed("MALFORMED", "the client proves itself twice")
    else:
        client_id, secret = _basic(authorization[6:])
    if not client_id or not secret or max(len(client_id), len(secret)) > SECRET_CHARS_MAX:
        raise Unauthenticated("UNAUTHENTICATED", "unknown client, or wrong secret")
    return client_id, secret


def _basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        found = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise Unauthenticated("UNAUTHENTICATED", "unknown client, or wrong secret") from error
    if any("\x00" in text for text in found):
        raise Unauthenticated("UNAUTHENTICATED", "unknown client, or wrong secret")
    return found


def _refusal(error: PortolanError, call: Call) -> Response:
    reason = _REASONS.get(error.code) or _REASONS_BY_STATUS.get(error.status)
    status = error.status if error.status in _REASONS_BY_STATUS or isinstance(error, TooLarge) else 400
    status = 500 if error.status == 500 else status
    detail = error.detail if status != 500 else ""
    if not reason:
        reason = "server_error" if status == 500 else "invalid_request"
    said = TokenRefusal(reason, detail or problems.title(error.code, status, "en"), error.code, trace.trace_id())
    headers = {**problems.headers(error), **NO_STORE}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="portolan"'
    kind = bodies.EarlyResponse if isinstance(error, TooLarge) else Response
    return kind(answered(said).body, status, headers, "application/json")


OPERATIONS = (
    Operation(
        *("POST", "/oauth/token", issue_token, "A token for a machine client (RFC 6749, client_credentials)"),
        answer=Token,
        tag="sign-in",
        raw_schema="TokenRequest",
        media_type=FORM,
        rate_class=rates.SIGN_INS,
    ),
    Operation(
        *("POST", "/v1/sessions", sign_in, "A token for a person"),
        answer=Token,
        tag="sign-in",
        rate_class=rates.SIGN_INS,
    ),
)
