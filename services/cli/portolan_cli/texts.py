"""The system's own texts: titles of problems, violations, lines of a statement, in each language that a pack speaks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from packs.errors import Finding

# Code → text in each language. JSON is YAML, and has one line for each code here.
CATALOGUES = (
    "services/gateway/gateway/problems.yaml",
    "services/intake/intake/domain/wording.json",
    "services/billing/billing/domain/wording.json",
)


def missing(workspace: Path, languages: Sequence[str]) -> Iterator[Finding]:
    """Nothing where there is no checkout: what is installed was linted before."""
    for file in (workspace / name for name in CATALOGUES):
        if file.is_file():
            yield from _missing(str(file), file.read_text("utf-8"), languages)


def _missing(name: str, text: str, languages: Sequence[str]) -> Iterator[Finding]:
    for code, texts in yaml.safe_load(text).items():
        for language in languages:
            if not str(texts.get(language) or "").strip():
                yield Finding(name, _line(text, code), f"{code} says nothing in {language}")


def _line(text: str, code: str) -> int:
    found = re.search(rf'^\s*"?{re.escape(code)}"?:', text, re.MULTILINE)
    return text.count("\n", 0, found.start() if found else 0) + 1
