"""What billing does: publish prices, enrol payers, charge milestones, give back, quote, state accounts."""

from billing.actions.asking import check_ledger, credits_of, current_statement, list_charges, quote
from billing.actions.charging import charge_amendment, charge_decision, charge_submission, enrol_payer
from billing.actions.crediting import RefundBook, refund
from billing.actions.pricing import PriceDesk, load_pack
from billing.actions.saying import money

__all__ = [
    "PriceDesk",
    "RefundBook",
    "charge_amendment",
    "charge_decision",
    "charge_submission",
    "check_ledger",
    "credits_of",
    "current_statement",
    "enrol_payer",
    "list_charges",
    "load_pack",
    "money",
    "quote",
    "refund",
]
