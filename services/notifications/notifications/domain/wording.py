"""An event in a recipient's words: what a template may say, and how numbers, money and times are written there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime
from babel.numbers import format_currency, format_decimal, get_currency_precision
from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment
from packs.model import Labels, Pack

from notifications.domain import secrets
from notifications.domain.facts import Document, Said

TITLE_CHARACTERS_MAX = 200
BODY_CHARACTERS_MAX = 4_000
DIGEST_CHARACTERS_MAX = 30_000
TEMPLATES_KEPT_MAX = 1_000

# Plain text for a feed and for text/plain mail: nothing to escape, and escaping would spoil it.
_SANDBOX = SandboxedEnvironment(autoescape=False, undefined=StrictUndefined)


def language_for(pack: Pack, wanted: str) -> str:
    return wanted if wanted in pack.languages else pack.default_language


def write(pack: Pack, template: str, language: str, said: Said, document: Document | None) -> tuple[str, str]:
    """Title and body. Raises jinja2.TemplateError when the template asks for what this event does not tell."""
    words = variables(pack, language, said, document)
    texts = pack.templates[template]
    title = _compiled(pack.label(texts.subject, language)).render(words)
    body = _compiled(pack.label(texts.body, language)).render(words)
    return " ".join(title.split())[:TITLE_CHARACTERS_MAX], body.strip()[:BODY_CHARACTERS_MAX]


def digest(pack: Pack, language: str, titles: Sequence[str]) -> tuple[str, str]:
    """Title and body of the letter that gathers these. Raises jinja2.TemplateError, KeyError when the pack has none."""
    texts = pack.templates[pack.digest or ""]
    words = {"count": str(len(titles)), "items": "\n".join(f"- {title}" for title in titles)}
    title = _compiled(pack.label(texts.subject, language)).render(words)
    body = _compiled(pack.label(texts.body, language)).render(words)
    return " ".join(title.split())[:TITLE_CHARACTERS_MAX], body.strip()[:DIGEST_CHARACTERS_MAX]


@lru_cache(maxsize=TEMPLATES_KEPT_MAX)
def _compiled(text: str) -> Template:
    return _SANDBOX.from_string(text)


def variables(pack: Pack, language: str, said: Said, document: Document | None) -> dict[str, str]:
    """Only what this event can tell: a template that asks for more is a fault of the pack, found when it is loaded."""
    writer = _Writer(pack, language)
    kind = str(said.fields.get("document_type") or said.fields.get("type") or (document.type if document else ""))
    words = {
        "reference": str(said.fields.get("reference") or (document.reference if document else "")),
        "document_type_label": writer.document_type(kind),
    }
    for name, value in said.fields.items():
        if name in _WAYS:
            variable, way = _WAYS[name]
            words[variable] = way(writer, kind, value)
    if "declaration_number" in said.fields:
        words["declaration"] = "/".join(
            part for part in (said.fields["declaration_number"], said.fields["declaration_line"]) if part
        )
    return words


class _Writer:
    def __init__(self, pack: Pack, language: str) -> None:
        self._pack = pack
        self._language = language
        self._locale = _locale(language, pack.country)
        self._zone = ZoneInfo(pack.timezone)

    def document_type(self, key: str) -> str:
        kind = self._pack.document_types.get(key)
        return self._label(kind.labels if kind else None, key)

    def state(self, kind: str, key: str) -> str:
        of = self._pack.document_types.get(kind)
        state = of.state(key) if of else None
        return self._label(state.labels if state else None, key)

    def agency(self, kind: str, code: str) -> str:
        agency = self._pack.agencies.get(code)
        return self._label(agency.labels if agency else None, code)

    def reason(self, kind: str, code: str) -> str:
        reason = self._pack.reasons.get(code)
        return self._label(reason.labels if reason else None, code)

    def sealed(self, kind: str, text: str) -> str:
        return secrets.mark(text)

    def as_it_is(self, kind: str, text: str) -> str:
        return text

    def own_words(self, kind: str, labels: Labels) -> str:
        """What the event itself says in each language."""
        return self._label(labels, "")

    def money(self, kind: str, money: Mapping[str, Any] | None) -> str:
        if not money or not money["currency"]:
            return ""
        exponent = get_currency_precision(money["currency"])
        amount = Decimal(money["amount_minor"]).scaleb(-exponent)
        return format_currency(amount, money["currency"], locale=self._locale)

    def quantity(self, kind: str, quantity: Mapping[str, Any] | None) -> str:
        if not quantity or not quantity["value"]:
            return ""
        units = self._pack.lists.get("units")
        unit = units.by_code.get(quantity["unit"]) if units else None
        return f"{self._number(quantity['value'])} {self._label(unit.labels if unit else None, quantity['unit'])}"

    def moment(self, kind: str, text: str | None) -> str:
        if not text:
            return ""
        local = datetime.fromisoformat(text).astimezone(self._zone)
        return format_datetime(local, "medium", locale=self._locale)

    def _number(self, text: str) -> str:
        try:
            return format_decimal(Decimal(text), locale=self._locale, decimal_quantization=False)
        except InvalidOperation:
            return text

    def _label(self, labels: Labels | None, code: str) -> str:
        return self._pack.label(labels or {}, self._language) or code


# Event field → the template's variable, and how its value is written.
_WAYS: Mapping[str, tuple[str, Any]] = {
    "state": ("state_label", _Writer.state),
    "to_state": ("state_label", _Writer.state),
    "agency": ("agency_label", _Writer.agency),
    "reason_code": ("reason_label", _Writer.reason),
    "amount": ("amount", _Writer.money),
    "quantity": ("quantity", _Writer.quantity),
    "authorised_quantity": ("quantity", _Writer.quantity),
    "remaining": ("remaining", _Writer.quantity),
    "still_payable": ("still_payable", _Writer.money),
    "payment_number": ("payment", _Writer.as_it_is),
    "due_at": ("due_at", _Writer.moment),
    "expires_at": ("due_at", _Writer.moment),
    "sealed_token": ("token", _Writer.sealed),
    "person_name": ("person", _Writer.as_it_is),
    "organisation_name": ("organisation", _Writer.as_it_is),
    "client_id": ("client", _Writer.as_it_is),
    "labels": ("rung_label", _Writer.own_words),
    "basis": ("basis", _Writer.own_words),
    "url": ("url", _Writer.as_it_is),
    "starts_at": ("starts_at", _Writer.moment),
    "ends_at": ("ends_at", _Writer.moment),
    "place": ("place", _Writer.as_it_is),
    "reason": ("reason", _Writer.as_it_is),
}


@lru_cache(maxsize=TEMPLATES_KEPT_MAX)
def _locale(language: str, country: str) -> Locale:
    """The country's way of writing the language where it has one: digits and months differ."""
    try:
        return Locale.parse(f"{language}_{country}")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language)
