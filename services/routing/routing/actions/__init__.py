"""Everything routing does, one sentence each."""

from . import absences
from . import visits_said as visits_said
from .asking import lapse, provide_information, request_information
from .deciding import assign, claim, decide, release, standing_in
from .hearing import amend, cancel, open_case, open_completed, resume, withdraw
from .mandates import IdentityMandates, Mandate, Mandates, mandate_needed
from .planning import Plan, plan, seed
from .said import TOPIC, quantity
from .silence import fall_silent
from .visiting import (
    Spoken,
    confirm_visit,
    decline_visit,
    list_no_shows,
    list_visits,
    propose_visit,
    record_visit,
    report_no_show,
)
from .watching import sweep, watch

__all__ = [
    "TOPIC",
    "IdentityMandates",
    "Mandate",
    "Mandates",
    "Plan",
    "Spoken",
    "absences",
    "amend",
    "assign",
    "cancel",
    "claim",
    "confirm_visit",
    "decide",
    "decline_visit",
    "fall_silent",
    "lapse",
    "list_no_shows",
    "list_visits",
    "mandate_needed",
    "open_case",
    "open_completed",
    "plan",
    "propose_visit",
    "provide_information",
    "quantity",
    "record_visit",
    "release",
    "report_no_show",
    "request_information",
    "resume",
    "seed",
    "standing_in",
    "sweep",
    "watch",
    "withdraw",
]
