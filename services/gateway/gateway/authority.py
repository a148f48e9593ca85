"""Who may call what: one table, read by the early check, by the OpenAPI and by the tests that call as everybody else.

The services judge again, and finer: what a caller may not know exists is NOT_FOUND to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ANYONE = frozenset({"anyone"})
SIGNED_IN = frozenset({"signed_in"})

OFFICERS = frozenset({"agency_officer", "bank_officer", "customs_officer"})
BANKS = frozenset({"bank_officer"})
FILERS = frozenset({"declarant"})
# Who signed up files what its admission is asked with, and nothing else; intake knows which types those are.
APPLYING = FILERS | {"applicant"}
ADMINISTRATORS = frozenset({"org_admin", "operator_admin"})
MANDATORS = ADMINISTRATORS | FILERS
MINDERS = FILERS | {"org_admin"}


@dataclass(frozen=True, slots=True)
class Authority:
    """`roles`: any of them, or ANYONE, or SIGNED_IN. `visibility`: what a permitted caller then sees."""

    roles: frozenset[str]
    visibility: str

    @property
    def is_open(self) -> bool:
        return self.roles is ANYONE

    def admits(self, roles: frozenset[str]) -> bool:
        return self.roles in (ANYONE, SIGNED_IN) or not self.roles.isdisjoint(roles)


PUBLIC = "the same for everybody"
DOCUMENT = (
    "the owner, the submitter under mandate, an organisation that has or had a task on the document, customs, the "
    "operator; NOT_FOUND for others"
)
DRAFT = "drafts that the caller's organisation owns or has written; NOT_FOUND for others"
RULES = "the rules are the operator's to change"
TASK = "tasks of the caller's own agency; NOT_FOUND for others"
VISIT = "the owner, the submitter under mandate, agencies with a part in the case; NOT_FOUND for others"
PREFERENCES = "the caller's own; a client's are those of who answers for it"
WEBHOOKS = "endpoints of the caller's own organisation; NOT_FOUND for others"
OWN_ORGANISATION = "the caller's own organisation, any for operator_admin; refused for others"

AUTHORITY: Mapping[str, Authority] = {
    "issue_token": Authority(ANYONE, "a token of the client that proves itself"),
    "sign_in": Authority(ANYONE, "a token of the person who proves themselves"),
    "list_token_keys": Authority(ANYONE, PUBLIC),
    "get_openid_configuration": Authority(ANYONE, PUBLIC),
    "list_receipt_keys": Authority(ANYONE, PUBLIC),
    "rotate_signing_key": Authority(frozenset({"operator_admin"}), "the operator's alone"),
    "list_document_types": Authority(ANYONE, PUBLIC),
    "get_document_type": Authority(ANYONE, "the same for everybody; the price is the caller's own when signed in"),
    "get_data_dictionary": Authority(ANYONE, PUBLIC),
    "list_reference_codes": Authority(ANYONE, PUBLIC),
    "simulate_procedure": Authority(ANYONE, PUBLIC),
    "submit_document": Authority(APPLYING, "for the caller's organisation, or for one that gave it a mandate"),
    "simulate_document": Authority(APPLYING, "for the caller's organisation, or for one that gave it a mandate"),
    "submit_documents": Authority(FILERS, "for the caller's organisation, or for one that gave it a mandate"),
    "submit_file": Authority(FILERS, "for the caller's organisation, or for one that gave it a mandate"),
    "get_bulk_template": Authority(ANYONE, PUBLIC),
    "list_documents": Authority(SIGNED_IN, DOCUMENT),
    "get_document": Authority(SIGNED_IN, DOCUMENT),
    "get_timeline": Authority(SIGNED_IN, DOCUMENT),
    "follow_timeline": Authority(SIGNED_IN, DOCUMENT + "; judged again while the stream lasts"),
    "get_receipt": Authority(SIGNED_IN, DOCUMENT),
    "get_ledger": Authority(SIGNED_IN, DOCUMENT),
    "get_provenance": Authority(SIGNED_IN, DOCUMENT),
    "prefill_document": Authority(FILERS, "from documents that the caller may see; NOT_FOUND for others"),
    "get_graph": Authority(SIGNED_IN, DOCUMENT + "; of the documents around it, those alone that the caller may see"),
    "search_documents": Authority(SIGNED_IN, "documents that the caller may see"),
    "complete_document": Authority(APPLYING, "the owner, or the submitter under mandate; NOT_FOUND for others"),
    "withdraw_document": Authority(APPLYING, "the owner, or the submitter under mandate; NOT_FOUND for others"),
    "amend_document": Authority(FILERS, "the owner, or the submitter under mandate; NOT_FOUND for others"),
    "change_bank": Authority(FILERS, "the owner, or the submitter under mandate; NOT_FOUND for others"),
    "cancel_document": Authority(FILERS, "the owner, or the submitter under mandate; NOT_FOUND for others"),
    "create_draft": Authority(FILERS, "for the caller's organisation, or for one that gave it a mandate"),
    **{
        name: Authority(FILERS, DRAFT)
        for name in ("list_drafts", "get_draft", "replace_draft", "change_draft", "delete_draft", "copy_draft")
    },
    "submit_draft": Authority(FILERS, DRAFT + "; under a mandate as any submission"),
    "copy_document": Authority(FILERS, "the owner, or the submitter; NOT_FOUND for others"),
    "list_accesses": Authority(
        SIGNED_IN, "the organisation that owns the document, the operator; NOT_FOUND for others"
    ),
    "get_routing": Authority(SIGNED_IN, DOCUMENT + "; the score and what made it are the officers' alone"),
    **dict.fromkeys(
        ("propose_rules", "replay_rules", "withdraw_rules", "roll_back_rules"),
        Authority(frozenset({"rules_officer"}), RULES),
    ),
    "publish_rules": Authority(frozenset({"rules_officer"}), RULES + "; another person than the proposer"),
    **dict.fromkeys(
        ("get_rule_table", "list_rule_tables", "list_replayed_documents"),
        Authority(frozenset({"rules_officer", "operator_admin"}), RULES),
    ),
    "store_attachment": Authority(APPLYING | OFFICERS, "a file of the caller's organisation"),
    "get_attachment": Authority(
        SIGNED_IN, "who sent it, and whoever may read a document that refers to it; NOT_FOUND for others"
    ),
    "list_conditions": Authority(SIGNED_IN, DOCUMENT),
    "satisfy_condition": Authority(FILERS, "the owner, or the submitter under mandate; NOT_FOUND for others"),
    "provide_information": Authority(APPLYING, "the owner, or the submitter under mandate; NOT_FOUND for others"),
    "impute_title": Authority(frozenset({"customs_officer"}), DOCUMENT),
    "cancel_imputation": Authority(frozenset({"customs_officer"}), DOCUMENT),
    "list_durations": Authority(ANYONE, PUBLIC),
    "tell_declaration": Authority(frozenset({"customs_officer"}), "customs alone"),
    "get_declaration": Authority(SIGNED_IN, DOCUMENT),
    "get_settlement": Authority(SIGNED_IN, DOCUMENT),
    "record_payment": Authority(BANKS, DOCUMENT + "; refused to banks other than the title's own"),
    "cancel_payment": Authority(BANKS, DOCUMENT + "; refused to banks other than the title's own"),
    "clear_title": Authority(BANKS, DOCUMENT + "; refused to banks other than the title's own"),
    "list_tasks": Authority(OFFICERS | ADMINISTRATORS, TASK),
    "get_task": Authority(OFFICERS | ADMINISTRATORS, TASK),
    "claim_task": Authority(OFFICERS, TASK),
    "release_task": Authority(OFFICERS, TASK),
    "decide_task": Authority(OFFICERS, TASK),
    "assign_task": Authority(frozenset({"org_admin"}), TASK),
    "create_absence": Authority(OFFICERS | {"org_admin"}, "at the caller's own agency; another's by its org_admin"),
    "list_absences": Authority(OFFICERS | {"org_admin"}, "those of the caller's own agency"),
    "end_absence": Authority(OFFICERS | {"org_admin"}, "those of the caller's own agency; NOT_FOUND for others"),
    "request_information": Authority(OFFICERS, TASK),
    "propose_visit": Authority(FILERS | OFFICERS, VISIT),
    "list_visits": Authority(SIGNED_IN, VISIT + "; the operator of the window looks"),
    "confirm_visit": Authority(FILERS | OFFICERS, VISIT),
    "decline_visit": Authority(FILERS | OFFICERS, VISIT),
    "report_no_show": Authority(FILERS | OFFICERS, VISIT),
    "record_visit": Authority(OFFICERS, VISIT),
    "list_no_shows": Authority(
        SIGNED_IN, "an agency's own absences and those it told of; an operator's, those of its documents"
    ),
    "list_charges": Authority(SIGNED_IN, "charges the caller's organisation pays; all of them for finance"),
    "get_current_statement": Authority(SIGNED_IN, "the account of the caller's organisation"),
    "check_ledger": Authority(frozenset({"finance_officer", "operator_admin"}), "totals of the whole ledger"),
    "list_notifications": Authority(SIGNED_IN, "the caller's own feed and its organisation's"),
    "mark_notification_read": Authority(SIGNED_IN, "the caller's own feed; NOT_FOUND for others"),
    "get_notification_preferences": Authority(
        SIGNED_IN, "the caller's own; a client's are those of who answers for it"
    ),
    "put_notification_preferences": Authority(
        SIGNED_IN, "the caller's own; a client's are those of who answers for it"
    ),
    "create_webhook_endpoint": Authority(
        MINDERS, "for the caller's own organisation, which is told of documents it owns or submitted"
    ),
    "list_webhook_endpoints": Authority(MINDERS, "endpoints of the caller's own organisation"),
    "get_webhook_endpoint": Authority(MINDERS, WEBHOOKS),
    "disable_webhook_endpoint": Authority(MINDERS, WEBHOOKS),
    "enable_webhook_endpoint": Authority(MINDERS, WEBHOOKS),
    "rotate_webhook_secret": Authority(MINDERS, WEBHOOKS),
    "replay_webhooks": Authority(MINDERS, WEBHOOKS),
    "send_test_webhook": Authority(MINDERS, WEBHOOKS),
    "list_webhook_deliveries": Authority(MINDERS, WEBHOOKS),
    "sign_up": Authority(ANYONE, "the same answer for everybody, whatever is known of the company or the address"),
    "check_company_number": Authority(ANYONE, PUBLIC),
    "register_organisation": Authority(frozenset({"operator_admin"}), "the operator's alone"),
    "list_organisations": Authority(
        SIGNED_IN,
        "every organisation for the operator, customs and finance; for others their own, those tied to "
        "them by a mandate, and the public directory of brokers, banks and agencies",
    ),
    "get_organisation": Authority(SIGNED_IN, "as in the list; NOT_FOUND for others"),
    "list_users": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "register_user": Authority(
        frozenset({"operator_admin"}), "the operator's alone, in a demonstration; elsewhere people are invited"
    ),
    "dismiss_user": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "change_user_roles": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "invite_user": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "list_invitations": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "revoke_invitation": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "accept_invitation": Authority(ANYONE, "whoever holds the one-time token; INVITATION_INVALID for others"),
    "list_clients": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "register_client": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "revoke_client": Authority(ADMINISTRATORS, OWN_ORGANISATION),
    "confirm_client": Authority(
        SIGNED_IN, "the person who answers for the machine, signed in as themselves; NOT_FOUND for others"
    ),
    "list_mandates": Authority(MANDATORS, OWN_ORGANISATION),
    "grant_mandate": Authority(MANDATORS, OWN_ORGANISATION),
    "revoke_mandate": Authority(MANDATORS, OWN_ORGANISATION),
    "get_status": Authority(ANYONE, PUBLIC),
    "get_health": Authority(ANYONE, PUBLIC),
    "get_readiness": Authority(ANYONE, PUBLIC),
    "get_openapi": Authority(ANYONE, PUBLIC),
    "get_docs": Authority(ANYONE, PUBLIC),
    "get_front_page": Authority(ANYONE, PUBLIC),
    "get_docs_script": Authority(ANYONE, PUBLIC),
    "get_docs_style": Authority(ANYONE, PUBLIC),
}
