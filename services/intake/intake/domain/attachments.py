"""A file by the hash of its bytes: what it is, decided by its content, and whether it may be handed out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kit.errors import NotFound, Refused

HEAD_BYTES = 64 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")

_OFFICE = "application/vnd.openxmlformats-officedocument."
# The folder in which each kind of office file keeps its content: one of its first names.
_OFFICE_KINDS = {
    b"word/": _OFFICE + "wordprocessingml.document",
    b"xl/": _OFFICE + "spreadsheetml.sheet",
    b"ppt/": _OFFICE + "presentationml.presentation",
}
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
_ZIP = b"PK\x03\x04"
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OPEN_DOCUMENT = re.compile(
    rb"mimetype(application/vnd\.oasis\.opendocument\.(?:text|spreadsheet|presentation))(?![-.a-z])"
)


class Standing(StrEnum):
    PENDING = "PENDING"
    CLEAN = "CLEAN"
    INFECTED = "INFECTED"


@dataclass(frozen=True, slots=True)
class Attachment:
    sha256: str
    media_type: str
    size_bytes: int
    state: Standing
    stored_at: datetime

    def require_clean(self) -> None:
        """Raises Refused: what was not found clean is handed to nobody."""
        if self.state is Standing.PENDING:
            raise Refused("ATTACHMENT_PENDING", "the file waits to be searched for viruses")
        if self.state is Standing.INFECTED:
            raise Refused("ATTACHMENT_INFECTED", "a virus was found in the file")


def require_sha256(text: str) -> str:
    """Raises NotFound: nothing else is the name of a file."""
    if not SHA256.fullmatch(text):
        raise NotFound("NOT_FOUND")
    return text


def media_type(head: bytes) -> str | None:
    """By the first HEAD_BYTES; None for what is not taken here. What a sender or a name claims is not asked."""
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    return _packed(head) if head.startswith(_ZIP) else _written(head)


def _packed(head: bytes) -> str | None:
    """Office files are ZIP files; other ZIP files are not taken."""
    open_document = _OPEN_DOCUMENT.search(head[:200])
    if open_document:
        return open_document.group(1).decode()
    if b"[Content_Types].xml" not in head:
        return None
    return next((found for folder, found in _OFFICE_KINDS.items() if folder in head), None)


def _written(head: bytes) -> str | None:
    """XML with its declaration, or JSON: text without control characters that begins as an object or a list."""
    text = head.removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")
    if _CONTROL.search(head) or not _is_utf8(head):
        return None
    if text.startswith(b"<?xml"):
        return "application/xml"
    return "application/json" if text[:1] in (b"{", b"[") else None


def _is_utf8(head: bytes) -> bool:
    """The last character may be cut."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == HEAD_BYTES and error.start > HEAD_BYTES - 4
    return True
