"""SQL in, domain out: every statement routing ever runs."""

from . import standing
from . import tables as tables
from .cases import case_of_document, case_of_task, open_cases, save_case, seen_case
from .clocks import (
    TACIT_RUNG,
    Late,
    claim_rungs,
    late,
    park_information,
    park_silence,
    save_climbed,
    silent,
    unanswered,
)
from .history import Past, Question, history, note_non_conformities, pasts
from .judgements import Judgement, judgement, opened_between
from .packs import Rulebooks, load_pack, whole_pack
from .queue import Item, Wanted, item, page
from .visits import (
    Absence,
    absences,
    agenda_of_document,
    agenda_of_visit,
    concerning,
    parties_of,
    save_visits,
    visits_of,
)

__all__ = [
    "TACIT_RUNG",
    "Absence",
    "Item",
    "Judgement",
    "Late",
    "Past",
    "Question",
    "Rulebooks",
    "Wanted",
    "absences",
    "agenda_of_document",
    "agenda_of_visit",
    "case_of_document",
    "case_of_task",
    "claim_rungs",
    "concerning",
    "history",
    "item",
    "judgement",
    "late",
    "load_pack",
    "note_non_conformities",
    "open_cases",
    "opened_between",
    "page",
    "park_information",
    "park_silence",
    "parties_of",
    "pasts",
    "save_case",
    "save_climbed",
    "save_visits",
    "seen_case",
    "silent",
    "standing",
    "tables",
    "unanswered",
    "visits_of",
    "whole_pack",
]
