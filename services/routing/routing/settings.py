"""What routing needs to know of its surroundings: what every service does."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    pass
