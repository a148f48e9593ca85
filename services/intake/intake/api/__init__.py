"""The gRPC face of intake."""

from intake.api.service import AUTHORITY, IntakeApi

__all__ = ["AUTHORITY", "IntakeApi"]
