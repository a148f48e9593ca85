"""Everything routing does, one sentence each."""

from .asking import lapse, provide_information, request_information
from .deciding import claim, decide, release
from .hearing import amend, cancel, open_case, withdraw
from .planning import Plan, plan, seed
from .said import TOPIC, quantity
from .silence import fall_silent
from .watching import sweep, watch

__all__ = [
    "TOPIC",
    "Plan",
    "amend",
    "cancel",
    "claim",
    "decide",
    "fall_silent",
    "lapse",
    "open_case",
    "plan",
    "provide_information",
    "quantity",
    "release",
    "request_information",
    "seed",
    "sweep",
    "watch",
    "withdraw",
]
