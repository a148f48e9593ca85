"""What the sources promise about themselves: sizes, and that a country's facts live in its pack alone."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import packs
import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = [path for path in sorted((ROOT / "services").rglob("*.py")) if ".venv" not in path.parts]
FILE_LINES_MAX = 400


def functions() -> Iterator[int]:
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                yield node.end_lineno - node.lineno + 1


def test_functions_fit_in_the_eye() -> None:
    lengths = sorted(functions())
    assert statistics.median(lengths) <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 30


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short(path: Path) -> None:
    assert path.read_text().count("\n") <= FILE_LINES_MAX


def national_words() -> set[str]:
    """Words of every pack that would betray a country in a program: agencies, currency, place, company number."""
    words: set[str] = set()
    for folder in sorted((ROOT / "services" / "packs").glob("*/pack.yaml")):
        pack = packs.read(folder.parent)
        words |= {pack.currency, pack.timezone.split("/")[-1], folder.parent.name}
        words |= {code.split("-")[0] for code in pack.agencies if len(code.split("-")[0]) > 2}
        words |= set(re.findall(r"\b[A-Z]{3,}\b", " ".join(str(pack.company_number.label))))
    return words - {"BANK", "TERM", "INSP", "Number", "number"}


def test_no_program_knows_a_country() -> None:
    words = national_words()
    assert len(words) > 10
    pattern = re.compile(r"(?<![A-Za-z0-9])(" + "|".join(map(re.escape, sorted(words))) + r")(?![A-Za-z0-9])")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in PYTHON
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
