"""JSON that means one thing only: duplicate names, NaN, NUL, lone surrogates and deep nesting are refused."""

import json
from typing import Any, NoReturn

from kit.errors import Malformed, TooLarge

DEPTH_MAX = 32
NUMBER_CHARS_MAX = 40


def loads(raw: bytes, *, depth_max: int = DEPTH_MAX) -> Any:
    """Numbers with a fraction come back as float; money and quantities must not use them (schemas see to that).

    Raises Malformed.
    """
    try:
        text = raw.decode("utf-8", "strict")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise Malformed("MALFORMED", f"not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise Malformed("MALFORMED", f"nested deeper than {depth_max}") from error
    except ValueError as error:
        raise Malformed("MALFORMED", str(error)[:200]) from error
    if "\\u" in text or "\x00" in text:
        _refuse_bad_text(value)
    _refuse_depth(value, depth_max)
    return value


def bounded_object(raw: bytes, bytes_max: int, what: str) -> dict[str, Any]:
    """`what` begins the sentence of a refusal: "a payment". Raises TooLarge, Malformed."""
    if len(raw) > bytes_max:
        raise TooLarge("TOO_LARGE", f"{what} is at most {bytes_max} bytes")
    value = loads(raw)
    if not isinstance(value, dict):
        raise Malformed("MALFORMED", f"{what} is a JSON object")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("the same name appears twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> int:
    if len(text) > NUMBER_CHARS_MAX:
        raise ValueError("a number is too long")
    return int(text)


def _fraction(text: str) -> float:
    if len(text) > NUMBER_CHARS_MAX:
        raise ValueError("a number is too long")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is out of range")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_refuse_constant, parse_int=_number, parse_float=_fraction
)


def _refuse_bad_text(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise Malformed("MALFORMED", "a string holds NUL")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise Malformed("MALFORMED", "a string holds a lone surrogate")
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_bad_text(name)
            _refuse_bad_text(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_bad_text(item)


def _refuse_depth(value: Any, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if left == 0:
        raise Malformed("MALFORMED", f"nested deeper than {DEPTH_MAX}")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _refuse_depth(item, left - 1)
