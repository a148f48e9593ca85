"""gRPC in front of routing: message, action, message."""

from .service import AUTHORITY, DESCRIPTOR, RoutingService

__all__ = ["AUTHORITY", "DESCRIPTOR", "RoutingService"]
