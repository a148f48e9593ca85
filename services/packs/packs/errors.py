"""What can be wrong with a pack, always said with the file and the line."""

from collections.abc import Sequence
from typing import NamedTuple


class Finding(NamedTuple):
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class PackError(Exception):
    """The pack cannot be read; `findings` has every fault met, in file order."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


class ExpressionError(Exception):
    """An expression of the pack cannot be compiled, or cannot be evaluated on these facts."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{reason} in expression: {text}")
        self.text = text
        self.reason = reason
