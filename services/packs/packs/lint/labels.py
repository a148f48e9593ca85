"""Everything people read is there in every language of the pack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import Finding
from ..source import Place, Source
from .subject import Subject

LABEL_KEYS = {"labels", "x-labels", "asked", "messages", "missing"}


def every_language(subject: Subject) -> Iterator[Finding]:
    languages = subject.pack.languages
    for source in subject.sources.values():
        for place, labels in _labels(source.value, languages, ()):
            yield from _missing(source, place, labels, languages)


def default_language_is_spoken(subject: Subject) -> Iterator[Finding]:
    pack = subject.pack
    if pack.default_language not in pack.languages:
        yield subject.at("pack.yaml", ("default_language",), f"{pack.default_language} is not among the languages")


def _labels(value: Any, languages: tuple[str, ...], place: Place) -> Iterator[tuple[Place, Any]]:
    """Mappings that stand where labels stand, or that look like labels wherever they stand."""
    if isinstance(value, dict):
        named = bool(place) and place[-1] in LABEL_KEYS
        if (named and not _is_group(value)) or _speaks(value, languages):
            yield place, value
            return
        for key, inner in value.items():
            yield from _labels(inner, languages, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _labels(inner, languages, (*place, index))
    elif place and place[-1] in LABEL_KEYS:
        yield place, value


def _is_group(value: dict[str, Any]) -> bool:
    """Labels of several things, by name."""
    return bool(value) and all(isinstance(inner, dict) for inner in value.values())


def _speaks(value: dict[str, Any], languages: tuple[str, ...]) -> bool:
    return any(language in value for language in languages) and all(len(key) <= 3 for key in value)


def _missing(source: Source, place: Place, labels: Any, languages: tuple[str, ...]) -> Iterator[Finding]:
    if not isinstance(labels, dict):
        yield source.finding(place, "labels in every language are expected here")
        return
    for language in languages:
        if not str(labels.get(language) or "").strip():
            yield source.finding((*place, language), f"no label in {language}")
    for language in labels:
        if language not in languages:
            yield source.finding((*place, language), f"{language} is not a language of this pack")


RULES = (every_language, default_language_is_spoken)
