"""Violations in the caller's language."""

from importlib import resources
from typing import Any

import msgspec
from kit.errors import Violation

FALLBACK_LANGUAGE = "en"

CATALOGUE: dict[str, dict[str, str]] = msgspec.json.decode(
    resources.files("intake.domain").joinpath("wording.json").read_bytes()
)


def wording(code: str, language: str, **values: Any) -> str:
    texts = CATALOGUE.get(code) or CATALOGUE["OTHER"]
    text = texts.get(language) or texts[FALLBACK_LANGUAGE]
    return text.format_map(values) if values else text


def violation(pointer: str, code: str, language: str, **values: Any) -> Violation:
    return Violation(pointer, code, wording(code, language, **values))
