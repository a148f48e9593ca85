"""SQL in, domain out: every statement routing ever runs."""

from .cases import case_of_document, case_of_task, open_case, save_case
from .clocks import TACIT_RUNG, Late, claim_rungs, late, save_climbed, silent, unanswered
from .packs import Rulebooks, load_pack
from .queue import Item, Wanted, item, page

__all__ = [
    "TACIT_RUNG",
    "Item",
    "Late",
    "Rulebooks",
    "Wanted",
    "case_of_document",
    "case_of_task",
    "claim_rungs",
    "item",
    "late",
    "load_pack",
    "open_case",
    "page",
    "save_case",
    "save_climbed",
    "silent",
    "unanswered",
]
