"""Where the databases are, and what history is to be lived."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kit.settings import ServiceSettings

SERVICES = ("identity", "intake", "routing", "billing", "notifications")


class Settings(ServiceSettings):
    """The names of the demonstration's databases come one by one: a history is lived by all services at once."""

    identity_database_url: str = ""
    intake_database_url: str = ""
    routing_database_url: str = ""
    billing_database_url: str = ""
    notifications_database_url: str = ""

    history_seed: int = 7
    history_documents: int = 1_000
    history_companies: int = 220
    history_days: int = 14
    # Its last moment; now where none is given.
    history_until: datetime | None = None

    def of(self, service: str) -> dict[str, Any]:
        """The settings of one service: its own database, everything else as it is."""
        return {"database_url": getattr(self, f"{service}_database_url")}
