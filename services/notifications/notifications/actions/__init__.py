"""What notifications does: load words and rules, tell whoever must know, send mail, show the feed."""

from notifications.actions.feed import list_notifications, mark_read
from notifications.actions.packs import RuleDesk, load_pack
from notifications.actions.sending import Sender
from notifications.actions.telling import Teller

__all__ = ["RuleDesk", "Sender", "Teller", "list_notifications", "load_pack", "mark_read"]
