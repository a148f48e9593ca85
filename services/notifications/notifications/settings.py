"""Notifications' surroundings: without an SMTP host, mail goes to a maildir under the home folder."""

from typing import Literal

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    mail_from: str = "Portolan <no-reply@portolan.invalid>"
    smtp_host: str = ""
    smtp_port: int = 25
    smtp_username: str = ""
    smtp_password: str = ""
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
