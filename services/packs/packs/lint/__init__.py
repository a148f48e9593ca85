"""Says everything that is wrong with a pack, before anybody depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import Finding, PackError
from . import (
    amendments,
    branching,
    calendar,
    casework,
    conditions,
    declarations,
    dictionary,
    expressions,
    filing,
    golden,
    information,
    labels,
    marks,
    questions,
    references,
    refunds,
    risk,
    routing,
    schemas,
    seed,
    settlement,
    states,
    steps,
    tariff,
    templates,
    visits,
)
from .subject import Subject, examine

Rule = Callable[[Subject], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    *labels.RULES,
    *calendar.RULES,
    *references.RULES,
    *routing.RULES,
    *risk.RULES,
    *questions.RULES,
    *tariff.RULES,
    *refunds.RULES,
    *templates.RULES,
    *states.RULES,
    *steps.RULES,
    *branching.RULES,
    *visits.RULES,
    *amendments.RULES,
    *information.RULES,
    *casework.RULES,
    *conditions.RULES,
    *filing.RULES,
    *settlement.RULES,
    *schemas.RULES,
    *declarations.RULES,
    *marks.RULES,
    *dictionary.RULES,
    *expressions.RULES,
    *golden.RULES,
    *seed.RULES,
)


def lint(path: Path | str) -> list[Finding]:
    """Every finding, in file order. What cannot be read at all is said first, and alone."""
    try:
        subject = examine(Path(path))
    except PackError as error:
        return sorted(set(error.findings))
    return sorted({finding for rule in RULES for finding in rule(subject)})


__all__ = ["Finding", "lint"]
