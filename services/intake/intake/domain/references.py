"""References that people read out on the telephone: EI-2026-0000042-7, with a Damm check digit at the end."""

import re

DIGITS_LEAST = 7

_FORM = re.compile(r"[A-Z0-9]{1,10}-[0-9]{4}-[0-9]{7,15}-[0-9]")

# Damm's quasigroup of order 10: finds every single wrong digit and every swap of neighbours.
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def reference(prefix: str, year: int, number: int, digits: int = DIGITS_LEAST) -> str:
    """The number widens by itself once it has outgrown `digits`."""
    counted = f"{year:04d}{number:0{digits}d}"
    return f"{prefix}-{counted[:4]}-{counted[4:]}-{check_digit(counted)}"


def check_digit(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][ord(digit) - 48]
    return interim


def is_reference(text: str) -> bool:
    """Whether it has the form of a reference and its check digit is right."""
    if not _FORM.fullmatch(text):
        return False
    _, year, number, check = text.split("-")
    return check_digit(year + number) == int(check)
