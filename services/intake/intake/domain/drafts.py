"""A draft: a document that is being written. It binds nobody, and becomes a document once, or never."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kit import strict_json
from kit.errors import Invalid, Malformed, PreconditionFailed, Refused, TooLarge, Violation

from intake.domain.documents import require_match
from intake.domain.envelope import ORGANISATION_ID_CHARS_MAX, TYPE_CHARS_MAX, unknown_members
from intake.domain.wording import violation

BODY_BYTES_MAX = 240 * 1024
LABEL_CHARS_MAX = 200

_KINDS: Mapping[str, type] = {"type": str, "on_behalf_of": str, "label": str, "template": bool, "body": dict}
_TYPES = {str: "string", bool: "boolean", dict: "object"}
_CHARS_MAX = {"type": TYPE_CHARS_MAX, "on_behalf_of": ORGANISATION_ID_CHARS_MAX, "label": LABEL_CHARS_MAX}


@dataclass(frozen=True, slots=True)
class Content:
    """What a writer says of a draft. `on_behalf_of` is empty for their own organisation."""

    type: str
    on_behalf_of: str
    label: str
    is_template: bool
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What a draft was copied from: a document, with its reference, or another draft."""

    id: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class PriceLock:
    """The prices in force when a draft was begun hold until then, whatever comes into force meanwhile."""

    version: str
    until: datetime

    def version_at(self, moment: datetime) -> str:
        return self.version if moment < self.until else ""


@dataclass(frozen=True, slots=True)
class Origin:
    """The draft a submission comes from, as it was read, and the prices it still holds (empty: those of the day)."""

    draft_id: str
    revision: int
    price_version: str = ""

    @property
    def request(self) -> bytes:
        """What the submission is known by: content may not matter, a submitted draft never changes."""
        return f"draft {self.draft_id}".encode()


@dataclass(frozen=True, slots=True)
class Draft:
    id: str
    type: str
    owner_organisation_id: str
    writer_organisation_id: str
    written_by: str
    label: str
    is_template: bool
    body: dict[str, Any]
    copied_from: Source | None
    created_at: datetime
    updated_at: datetime
    revision: int = 1
    document_id: str = ""
    document_reference: str = ""
    price_lock: PriceLock | None = None

    @property
    def etag(self) -> str:
        return f'"{self.revision}"'

    def origin(self, at: datetime) -> Origin:
        return Origin(self.id, self.revision, self.price_lock.version_at(at) if self.price_lock else "")

    def content(self, organisation_id: str) -> dict[str, Any]:
        """As this organisation would write it."""
        owner = self.owner_organisation_id
        return {
            "type": self.type,
            "on_behalf_of": None if owner == organisation_id else owner,
            "label": self.label,
            "template": self.is_template,
            "body": self.body,
        }

    def require_match(self, if_match: str) -> None:
        """Raises PreconditionRequired, PreconditionFailed."""
        require_match(self.etag, if_match)

    def require_open(self) -> None:
        """Raises Refused once it is a document."""
        if self.document_id:
            told = {"document_id": self.document_id, "reference": self.document_reference}
            raise Refused("DRAFT_SUBMITTED", "this draft is a document already", facts=told)

    def rewritten(self, content: Content, owner: str, language: str, at: datetime) -> Draft:
        """Raises Invalid for another type: that is another draft."""
        if content.type != self.type:
            raise Invalid("INVALID_DOCUMENT", violations=[violation("/type", "CONST", language, options=self.type)])
        return replace(
            self,
            owner_organisation_id=owner,
            label=content.label,
            is_template=content.is_template,
            body=content.body,
            revision=self.revision + 1,
            updated_at=at,
        )

    def submission(self, organisation_id: str) -> bytes:
        """What this organisation submits. Raises Refused for a template."""
        if self.is_template:
            raise Refused("DRAFT_IS_TEMPLATE", "a template is copied, and the copy submitted")
        content = self.content(organisation_id)
        return encoded({name: content[name] for name in ("type", "on_behalf_of", "body")})


def changed_meanwhile() -> PreconditionFailed:
    return PreconditionFailed("PRECONDITION_FAILED", "the draft has changed meanwhile")


def encoded(value: Any) -> bytes:
    """Numbers as they came, however large: a draft may hold what no document will."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def read(request: bytes, language: str) -> Content:
    """Raises Malformed, TooLarge, Invalid."""
    return content(_object(request), language)


def patched(draft: Draft, organisation_id: str, patch: bytes, language: str) -> Content:
    """RFC 7396. Raises as `read`."""
    return content(merged(draft.content(organisation_id), _object(patch)), language)


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), item)
    return result


def content(value: dict[str, Any], language: str) -> Content:
    """Raises TooLarge, Invalid."""
    faults = [*unknown_members(value, frozenset(_KINDS), language), *_faults(value, language)]
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)
    body = value.get("body") or {}
    if len(encoded(body)) > BODY_BYTES_MAX:
        raise TooLarge("TOO_LARGE", f"a draft's body is at most {BODY_BYTES_MAX} bytes")
    return Content(
        value["type"],
        value.get("on_behalf_of") or "",
        value.get("label") or "",
        bool(value.get("template")),
        body,
    )


def _object(raw: bytes) -> dict[str, Any]:
    value = strict_json.loads(raw)
    if not isinstance(value, dict):
        raise Malformed("MALFORMED", "a draft is a JSON object")
    return value


def _faults(value: Mapping[str, Any], language: str) -> list[Violation]:
    missing = [] if value.get("type") else [violation("/type", "REQUIRED", language)]
    given = ((name, value[name]) for name in _KINDS if value.get(name) is not None)
    return missing + [fault for name, item in given for fault in _member(name, item, language)]


def _member(name: str, item: Any, language: str) -> list[Violation]:
    kind = _KINDS[name]
    if not isinstance(item, kind):
        return [violation(f"/{name}", "TYPE", language, types=_TYPES[kind])]
    if isinstance(item, str) and len(item) > _CHARS_MAX[name]:
        return [violation(f"/{name}", "MAX_LENGTH", language, limit=_CHARS_MAX[name])]
    return []
