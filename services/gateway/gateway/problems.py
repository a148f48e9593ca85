"""What went wrong, as RFC 9457 says it: a code for machines, a title in the caller's language, never a stack trace."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml
from kit import errors, trace
from kit.errors import PortolanError
from starlette.responses import Response

from gateway.bodies import EarlyResponse

MEDIA_TYPE = "application/problem+json"
ACCEPT_LANGUAGE_CHARS_MAX = 200
RETRY_AFTER_S = 1
# Facts that are quantities when the refusal also names a `unit`.
QUANTITY_FACTS = frozenset({"remaining", "authorised", "asked", "requested", "consumed", "reserved"})
HEADERS_OF_FACTS: Mapping[str, str] = {
    "allow": "allow",
    "retry_after_seconds": "retry-after",
    "rate_limit": "ratelimit",
    "rate_limit_policy": "ratelimit-policy",
}
NOT_MEMBERS = frozenset({"type", "title", "status", "code", "detail", "trace_id", "errors", "unit", *HEADERS_OF_FACTS})
# Answers given before the whole request was read.
UNREAD_STATUSES = frozenset({408, 413})


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Code → title in each language."""
    text = files("gateway").joinpath("problems.yaml").read_text(encoding="utf-8")
    titles: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    return titles


# What callers may ask for: every language that the catalogue has a title in.
LANGUAGES = tuple(dict.fromkeys(spoken for titles in catalogue().values() for spoken in titles))


def title(code: str, status: int, language: str) -> str:
    titles = catalogue()
    chosen = titles.get(code) or titles.get(f"STATUS_{status}") or titles["INTERNAL"]
    return chosen.get(language) or chosen["en"]


def language(accept_language: str) -> str:
    """The best of ours among what the caller accepts; empty when none is."""
    return _best(accept_language[:ACCEPT_LANGUAGE_CHARS_MAX]) if accept_language else ""


@lru_cache(maxsize=1024)
def _best(accept_language: str) -> str:
    ranked = sorted(map(_weighed, accept_language.split(",")), key=lambda choice: -choice[0])
    return next((name for weight, name in ranked if weight > 0 and name in LANGUAGES), "")


def _weighed(choice: str) -> tuple[float, str]:
    name, _, parameter = choice.strip().partition(";")
    try:
        weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
    except ValueError:
        weight = 0.0
    return weight, name.partition("-")[0].lower()


def body(error: PortolanError, chosen_language: str, trace_id: str = "") -> dict[str, Any]:
    status = errors.http_status(error)
    code = "INTERNAL" if status == 500 else error.code
    problem: dict[str, Any] = {
        "type": f"/docs#{code}",
        "title": title(code, status, chosen_language or "en"),
        "status": status,
        "code": code,
        "trace_id": trace_id or trace.trace_id(),
    }
    detail = "" if status == 500 else error.detail
    if detail:
        problem["detail"] = detail
    if error.violations:
        problem["errors"] = [_violation(v) for v in error.violations]
    return problem if status == 500 else problem | _members(error.facts)


def _violation(violation: errors.Violation) -> dict[str, str]:
    return {"pointer": violation.pointer, "code": violation.code, "message": violation.message}


def _members(facts: Mapping[str, str]) -> dict[str, Any]:
    """Extension members: the facts of the refusal, quantities as quantities."""
    unit = facts.get("unit")
    members: dict[str, Any] = {}
    for name, value in facts.items():
        if unit and name in QUANTITY_FACTS:
            members[name] = {"value": value, "unit": unit}
        elif name not in NOT_MEMBERS:
            members[name] = value
    return members


def headers(error: PortolanError) -> dict[str, str]:
    found = {header: error.facts[fact] for fact, header in HEADERS_OF_FACTS.items() if fact in error.facts}
    if errors.http_status(error) == 503:
        found.setdefault("retry-after", str(RETRY_AFTER_S))
    if errors.http_status(error) == 401:
        found["www-authenticate"] = 'Bearer realm="portolan"'
    return found


def response(error: PortolanError, chosen_language: str) -> Response:
    content = msgspec.json.encode(body(error, chosen_language))
    status = errors.http_status(error)
    kind = EarlyResponse if status in UNREAD_STATUSES else Response
    return kind(content, status, headers(error), MEDIA_TYPE)
