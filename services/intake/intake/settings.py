"""What intake needs to know of its surroundings beyond what every service does."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """`service_secret` also seals the keys that sign receipts. `home` holds the attachments."""

    attachment_bytes_max: int = 20 * 1024 * 1024
    # `host:port` of a ClamAV daemon; files are not searched when empty.
    clamd_address: str = ""
