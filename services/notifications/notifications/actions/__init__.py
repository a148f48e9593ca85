"""What notifications does: load words and rules, tell whoever must know, send mail and webhooks, show the feed."""

from notifications.actions.endpoints import Desk as WebhookDesk
from notifications.actions.feed import list_notifications, mark_read
from notifications.actions.gathering import Gatherer
from notifications.actions.packs import RuleDesk, load_pack
from notifications.actions.posting import Poster
from notifications.actions.preferences import PreferenceDesk
from notifications.actions.sending import Sender
from notifications.actions.telling import Teller

__all__ = [
    "Gatherer",
    "Poster",
    "PreferenceDesk",
    "RuleDesk",
    "Sender",
    "Teller",
    "WebhookDesk",
    "list_notifications",
    "load_pack",
    "mark_read",
]
