"""The pack's facts and checks of one document type, evaluated together: one crossing into the engine for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packs import ExpressionError, expressions
from packs.model import DocumentType, Pack

FACT = "fact_"
CHECK = "check_"

Named = Mapping[str, expressions.Expression]


class Formulas:
    def __init__(self, pack: Pack, kind: DocumentType) -> None:
        named = {FACT + name: expressions.compile(text) for name, text in kind.facts.items()}
        named |= {CHECK + check.id: expressions.compile(check.expression) for check in kind.checks}
        self._paths = {name: one for name, one in named.items() if one.path}
        self._computed = {name: one for name, one in named.items() if not one.path}
        self._together = [_Group(group) for group in _groups(self._computed)]
        self._lists = _lists(pack, named.values())

    def evaluate(self, body: Mapping[str, Any], rates: Mapping[str, float]) -> tuple[dict[str, Any], frozenset[str]]:
        """The facts, and the ids of the checks that hold."""
        given = {"body": body, "rates": rates, "lists": self._lists}
        values = {name: one.evaluate(given) for name, one in self._paths.items()} | self._compute(given)
        facts = {name.removeprefix(FACT): value for name, value in values.items() if name.startswith(FACT)}
        held = (name.removeprefix(CHECK) for name, value in values.items() if name.startswith(CHECK) and value is True)
        return facts, frozenset(held)

    def _compute(self, given: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for group in self._together:
            values |= group.evaluate(given)
        return values


class _Group:
    """Written as one object, so that the body crosses into the engine once."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._together = _compiled("{" + ", ".join(map(_member, named.items())) + "}")

    def evaluate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if self._together is not None:
            try:
                return dict(self._together.evaluate(given))
            except ExpressionError:
                pass  # one of them has no value on this body; the others still do
        return {name: _value(one, given) for name, one in self._named.items()}


def _member(named: tuple[str, expressions.Expression]) -> str:
    return f"{named[0]}: ({named[1].text})"


def _groups(computed: Named) -> Iterator[Named]:
    """As few as the length of one expression allows."""
    group: dict[str, expressions.Expression] = {}
    length = 2
    for named in computed.items():
        added = len(_member(named)) + 2
        if group and length + added > expressions.TEXT_CHARACTERS_MAX:
            yield group
            group, length = {}, 2
        group[named[0]] = named[1]
        length += added
    if group:
        yield group


def _compiled(text: str) -> expressions.Expression | None:
    try:
        return expressions.compile(text)
    except ExpressionError:
        return None


def _value(expression: expressions.Expression, given: Mapping[str, Any]) -> Any:
    try:
        return expression.evaluate(given)
    except ExpressionError:
        return None


def _lists(pack: Pack, formulas: Iterable[expressions.Expression]) -> dict[str, dict[str, Any]]:
    """Only the lists some formula names: crossing into the engine copies them."""
    words = frozenset(word for one in formulas if "lists" in one.names for word in one.names)
    return {
        key: {code.code: code.attributes for code in codes.codes} for key, codes in pack.lists.items() if key in words
    }
