"""What billing does: publish prices, enrol payers, charge milestones, give back, quote, state accounts."""

from billing.actions.asking import check_ledger, credits_of, current_statement, list_charges, quote
from billing.actions.charging import Submission, charge_amendment, charge_decision, charge_submissions, enrol_payer
from billing.actions.crediting import RefundBook, gives_back, refund
from billing.actions.pricing import PriceDesk, load_pack
from billing.actions.saying import money

__all__ = [
    "PriceDesk",
    "RefundBook",
    "Submission",
    "charge_amendment",
    "charge_decision",
    "charge_submissions",
    "check_ledger",
    "credits_of",
    "current_statement",
    "enrol_payer",
    "gives_back",
    "list_charges",
    "load_pack",
    "money",
    "quote",
    "refund",
]
