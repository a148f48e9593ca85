"""Billing's surroundings."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    pass
