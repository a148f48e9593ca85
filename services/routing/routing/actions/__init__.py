"""Everything routing does, one sentence each."""

from .deciding import claim, decide, release
from .hearing import amend, cancel, open_case, withdraw
from .planning import Plan, plan, seed
from .said import TOPIC, quantity
from .watching import sweep, watch

__all__ = [
    "TOPIC",
    "Plan",
    "amend",
    "cancel",
    "claim",
    "decide",
    "open_case",
    "plan",
    "quantity",
    "release",
    "seed",
    "sweep",
    "watch",
    "withdraw",
]
