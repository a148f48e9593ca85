"""What intake needs to know of its surroundings: nothing beyond what every service does."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """`service_secret` also seals the keys that sign receipts."""
