"""SQL in, domain out: every statement routing ever runs."""

from .cases import case_of_document, case_of_task, open_case, save_case
from .clocks import TACIT_RUNG, Late, claim_rungs, late, save_climbed, silent, unanswered
from .history import history, note_non_conformities
from .judgements import Judgement, judgement
from .packs import Rulebooks, load_pack
from .queue import Item, Wanted, item, page

__all__ = [
    "TACIT_RUNG",
    "Item",
    "Judgement",
    "Late",
    "Rulebooks",
    "Wanted",
    "case_of_document",
    "case_of_task",
    "claim_rungs",
    "history",
    "item",
    "judgement",
    "late",
    "load_pack",
    "note_non_conformities",
    "open_case",
    "page",
    "save_case",
    "save_climbed",
    "silent",
    "unanswered",
]
