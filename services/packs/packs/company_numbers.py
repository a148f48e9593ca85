"""Whether a company number can exist: shape, refused values and check digits, as the pack's country has them."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from .model import CompanyNumber


def fault(rules: CompanyNumber, number: str) -> str | None:
    """What is wrong with the number, or None."""
    if not re.fullmatch(rules.pattern, number):
        return "does not have the right shape"
    if number in rules.refuse:
        return "is not a real number"
    if not checker(rules.scheme).is_valid(number):
        return "has wrong check digits"
    return None


def checker(scheme: str) -> Any:
    """The stdnum module of a scheme; ValueError when there is none."""
    if not re.fullmatch(r"[a-z_]+\.[a-z_0-9]+", scheme):
        raise ValueError(f"{scheme!r} is not a scheme such as <country>.<number>")
    try:
        return import_module(f"stdnum.{scheme}")
    except ImportError as error:
        raise ValueError(f"no scheme {scheme!r} is known") from error
