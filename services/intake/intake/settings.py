"""What intake needs to know of its surroundings beyond what every service does."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """`service_secret` also seals the keys that sign receipts. `home` holds the attachments."""

    attachment_bytes_max: int = 20 * 1024 * 1024
    # `host:port` of a ClamAV daemon; files are not searched when empty.
    clamd_address: str = ""
    # An object store that speaks S3, as https://storage.example:9000; the folder under `home` when empty.
    attachments_endpoint: str = ""
    attachments_bucket: str = "portolan-attachments"
    attachments_region: str = "us-east-1"
    attachments_access_key: str = ""
    attachments_secret_key: str = ""
    # Of each organisation, what it has written and not submitted; a draft nobody touches is forgotten after this time.
    drafts_max: int = 1_000
    draft_retention_days: int = 90
