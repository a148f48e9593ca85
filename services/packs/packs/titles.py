"""What a title's two ledgers allow: how long it may be imputed, how far over, and who may record what was paid."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from .value import Value

# The move that the passing of a title's validity makes.
EXPIRE = "expire"
# The move by which the recorder ends a title: every payment is reconciled with what customs imputed.
CLEAR = "clear"


class Validity(Value, frozen=True, kw_only=True):
    starts_at: str
    months: int


class Tolerance(Value, frozen=True, kw_only=True):
    hs: tuple[str, ...]
    share: Decimal


class AdvanceLimit(Value, frozen=True, kw_only=True):
    """For titles whose goods are all of these positions."""

    hs: tuple[str, ...]
    max_minor: int


class Advance(Value, frozen=True, kw_only=True):
    """What may be paid before customs imputes: a share of the title, and no more than that in the pack's currency."""

    share: Decimal = Decimal(1)
    max_minor: int | None = None
    higher: tuple[AdvanceLimit, ...] = ()


class Settlement(Value, frozen=True, kw_only=True):
    """`recorder` is the fact that names the agency which records payments; `exempt` says that there are none.

    `tolerance`: how far over the title's amount may be paid what customs imputed; without it, all that customs imputed.
    `shortfall`: the share of what was imputed that receipts from abroad may lack when the title is cleared.
    """

    recorder: str
    role: str
    direction: Literal["out", "in"] = "out"
    pay_in: tuple[str, ...]
    exempt: str | None = None
    advance: Advance | None = None
    tolerance: tuple[Tolerance, ...] = ()
    shortfall: Decimal = Decimal(0)


def share_for(tolerances: tuple[Tolerance, ...], hs_code: str) -> Decimal | None:
    """The widest that names these goods, if any does."""
    shares = [one.share for one in tolerances if hs_code.startswith(one.hs)]
    return max(shares, default=None)
