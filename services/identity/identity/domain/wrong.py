"""Everything wrong with a request, said at once."""

from kit.errors import Invalid, Violation

NAME_CHARS_MAX = 200


class Wrong:
    """Collects violations; `refuse_if_any` raises them together."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def unless(self, holds: bool, pointer: str, code: str, message: str) -> None:
        if not holds:
            self._violations.append(Violation(pointer, code, message))

    def refuse_if_any(self) -> None:
        if self._violations:
            raise Invalid("INVALID_REQUEST", self._violations[0].message, violations=self._violations)


def is_name(text: str) -> bool:
    return len(text.strip()) > 0 and len(text) <= NAME_CHARS_MAX and text.isprintable()
