"""Expressions of the pack, in the ZEN language: compiled once, given only the facts they name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import zen

from .errors import ExpressionError

COMPILED_MAX = 4096
TEXT_CHARACTERS_MAX = 4000

_WORD = re.compile(r"[A-Za-z_]\w*")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_ROOT = re.compile(r"(?<![\w.#$])[A-Za-z_]\w*(?!\w|\s*\(|\s*:)")
_RESERVED = {"true", "false", "null", "and", "or", "not", "in"}


class Expression:
    """A compiled expression. Crossing into the engine copies the facts, so only those named are given."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names = frozenset(_WORD.findall(text))
        self.path = tuple(text.strip().split(".")) if _is_path(text) else ()
        self._sees_all = "$" in text
        self._compiled = _compiled(text)

    def evaluate(self, facts: Mapping[str, Any]) -> Any:
        """The value; whole numbers come back as int. ExpressionError when it has none on these facts."""
        if self.path:
            return _walk(facts, self.path)
        return plain_numbers(self._result(facts))

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether it is true; anything but a truth value or null is an error in the pack."""
        result = _walk(facts, self.path) if self.path else self._result(facts)
        if result is None or isinstance(result, bool):
            return result is True
        raise ExpressionError(self.text, f"{type(result).__name__} instead of true or false")

    def _result(self, facts: Mapping[str, Any]) -> Any:
        named = dict(facts) if self._sees_all else {name: facts[name] for name in self.names if name in facts}
        try:
            return self._compiled.evaluate(named)
        except Exception as error:  # the engine has no error class of its own
            raise ExpressionError(self.text, _reason(error)) from error


@lru_cache(maxsize=COMPILED_MAX)
def compile(text: str) -> Expression:
    return Expression(text)


def evaluate(text: str, facts: Mapping[str, Any]) -> Any:
    return compile(text).evaluate(facts)


def validate(text: str) -> str | None:
    """What keeps the text from being an expression, or None."""
    try:
        compile(text)
    except ExpressionError as error:
        return error.reason
    return None


def names_used(text: str) -> frozenset[str]:
    """The facts an expression asks for; names after a dot or `#`, of functions and of literal keys are not facts."""
    bare = _QUOTED.sub("''", text)
    return frozenset(_ROOT.findall(bare)) - _RESERVED


def plain_numbers(value: Any) -> Any:
    """The engine answers every number as a float; 2500.0 was an integer amount when it went in."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: plain_numbers(item) for key, item in value.items()}
    return value


def _compiled(text: str) -> zen.Expression:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ExpressionError(text[:80], f"longer than {TEXT_CHARACTERS_MAX} characters")
    fault = zen.validate_expression(text)
    if fault:
        raise ExpressionError(text, str(fault["source"]))
    return zen.compile_expression(text)


def _is_path(text: str) -> bool:
    return bool(_PATH.fullmatch(text.strip())) and text.strip() not in _RESERVED


def _walk(facts: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """A bare path needs no engine, and big integers stay exact."""
    value: Any = facts
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _reason(error: Exception) -> str:
    """The engine's first line is JSON; what follows is a backtrace of its own insides."""
    first = str(error).partition("\n")[0]
    try:
        return str(json.loads(first)["source"])
    except (ValueError, KeyError, TypeError):
        return first
