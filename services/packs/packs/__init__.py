"""Country packs: everything that is law, tariff, language or custom of one country, as data that programs read."""

from .errors import ExpressionError, Finding, PackError
from .model import Pack
from .reader import default_pack_path, read
from .serial import dumps, loads

__all__ = ["ExpressionError", "Finding", "Pack", "PackError", "default_pack_path", "dumps", "loads", "read"]
