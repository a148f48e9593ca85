"""What identity needs to know of its surroundings beyond what every service does."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """`issuer` is the `iss` of tokens and what OpenID metadata names; `operator_email` is the first account's."""

    issuer: str = "portolan"
    operator_email: str = "operator@portolan.example"
