"""The gRPC face of identity: message → action → message, and who may call what."""

from identity.api.service import AUTHORITY, IdentityApi

__all__ = ["AUTHORITY", "IdentityApi"]
