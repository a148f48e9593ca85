"""What the players have to do, one after another, and what the system must have come to by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Act:
    """`state` is where the document stands before it; `refused` is the problem that must be the answer."""

    kind: str
    state: str
    agency: str = ""
    step: str = ""
    rule: str = ""
    person: int = 1
    request: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


DECIDE, ASK, PROVIDE = "decide", "request-information", "provide-information"
LAPSE, EXPIRE = "lapse", "expire"
OF_THE_CLOCK = (LAPSE, EXPIRE)
"""Nobody's: they happen once the clock has been moved on."""
PROPOSE_VISIT, CONFIRM_VISIT, DECLINE_VISIT, RECORD_VISIT = "propose", "confirm", "decline", "record"
IMPUTE, GIVE_BACK = "impute", "cancel-imputation"
PAY, CLEAR = "pay", "clear"
DECLARE = "declare"
AMEND, WITHDRAW, CANCEL = "amend", "withdraw", "cancel"
