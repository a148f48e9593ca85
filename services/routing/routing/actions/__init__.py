"""Everything routing does, one sentence each."""

from . import absences
from . import visits_said as visits_said
from .asking import lapse, provide_information, request_information
from .deciding import assign, claim, decide, release, standing_in
from .hearing import Filed, amend, cancel, open_cases, resume, withdraw
from .mandates import IdentityMandates, Mandate, Mandates, mandate_needed
from .planning import Plan, plan, seed
from .publishing import propose as propose_rules
from .publishing import publish as publish_rules
from .publishing import replay as replay_rules
from .publishing import roll_back as roll_back_rules
from .publishing import withdraw as withdraw_rules
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
    "Filed",
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
    "open_cases",
    "plan",
    "propose_rules",
    "propose_visit",
    "provide_information",
    "publish_rules",
    "quantity",
    "record_visit",
    "release",
    "replay_rules",
    "report_no_show",
    "request_information",
    "resume",
    "roll_back_rules",
    "seed",
    "standing_in",
    "sweep",
    "watch",
    "withdraw",
    "withdraw_rules",
]
