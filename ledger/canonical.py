"""Canonical JSON (RFC 8785) over a restricted domain, and the strict parser that guards it.

The domain: objects with ASCII keys that occur once, arrays, valid Unicode strings, integers within ±(2^53−1),
booleans, null. No floats: what is not an integer travels as a decimal string. Over that domain an encoder that sorts
keys and adds no blanks *is* RFC 8785; a property test holds this module against the `rfc8785` package.

Not a general JSON library: `parse` exists because common parsers take the last of two equal keys and turn 2^64 into a
float.
"""

import json
from typing import Any, Final

import orjson

from ledger.errors import StatementError, StatementTooLargeError

MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 14
_MAX_INTEGER_DIGITS: Final = 16


class _Fault:
    """Stands in a parsed document where something is wrong, so that a later walk can say at which place."""

    def __init__(self, message: str, key: str | None = None) -> None:
        self.message = message
        self.key = key


class _Reader:
    """One pass of the C scanner, with hooks that see what it would otherwise hide."""

    def fault(self, message: str, key: str | None = None) -> _Fault:
        return _Fault(message, key)

    def on_object(self, pairs: list[tuple[str, Any]]) -> Any:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            return self.fault("the key occurs twice; expected every key once", twice)
        return result

    def on_float(self, text: str) -> _Fault:
        return self.fault(f"found the number {text[:40]}; write what is not an integer as a decimal string")

    def on_integer(self, text: str) -> Any:
        if len(text) > _MAX_INTEGER_DIGITS + 1 or abs(value := int(text)) > MAX_INTEGER:
            return self.fault(f"found the integer {text[:40]}; expected one within ±(2^53−1), or a decimal string")
        if text == "-0":
            return self.fault("found -0; write 0")
        return value

    def on_constant(self, text: str) -> _Fault:
        return self.fault(f"found {text}, which is not JSON")

    def decoder(self) -> json.JSONDecoder:
        return json.JSONDecoder(
            object_pairs_hook=self.on_object,
            parse_float=self.on_float,
            parse_int=self.on_integer,
            parse_constant=self.on_constant,
        )


class _FoundError(Exception):
    """There is a fault: the document is read again, for its place."""


class _Guard(_Reader):
    """Stops at the first fault. Nearly no document has one."""

    def fault(self, message: str, key: str | None = None) -> _Fault:
        raise _FoundError


# Made once: making one costs as much as reading a statement.
_guarded: Final = _Guard().decoder()
_marking: Final = _Reader().decoder()


def parse(data: bytes, *, max_size: int | None = None) -> Any:
    """Return the JSON value in `data`, or raise StatementError naming the place of the first fault.

    >>> parse(b'{"a": [1, {"b": 1.5}]}')
    Traceback (most recent call last):
    ledger.errors.StatementError: found the number 1.5; write what is not an integer as a decimal string (at /a/1/b)
    """
    if max_size is not None and len(data) > max_size:
        raise StatementTooLargeError(f"expected at most {max_size} bytes, found {len(data)}")
    is_faulty = False
    try:
        text = data.decode()
        if text.startswith("\ufeff"):
            raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
        try:
            value = _guarded.decode(text)
        except _FoundError:
            is_faulty, value = True, _marking.decode(text)
    except UnicodeDecodeError as error:
        raise StatementError(f"not UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from None
    except json.JSONDecodeError as error:
        raise StatementError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise StatementError(f"nested too deeply: expected at most {MAX_DEPTH} levels") from None
    # What the scanner does not see needs a walk, which most documents do not: they are shallow and ASCII.
    if is_faulty or not data.isascii() or b"\\u" in data or data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        refuse_faults(value)
    return value


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a parsed value. Raises StatementError naming the place when it is outside the domain."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # orjson does not say where: lone surrogates and too deep nesting end here.
        refuse_faults(value)
        raise


def refuse_faults(value: Any) -> None:
    """Raise StatementError for the first fault in document order, if there is one."""
    if (found := _fault(value, 1)) is not None:
        keys, message = found
        place = "".join(f"/{pointer(key)}" for key in reversed(keys))
        raise StatementError(f"{message} (at {place or '/'})", place)


# All that may hold a fault. Numbers are the most of what a wide array has: they are passed over where they stand.
_MAY_HOLD: Final = frozenset((_Fault, dict, list, str))


def _fault(value: Any, depth: int) -> tuple[list[str], str] | None:
    """Return the first fault: the keys that lead to it, the innermost first, and what is wrong."""
    if isinstance(value, _Fault):
        return [] if value.key is None else [value.key], value.message
    if isinstance(value, str):
        return None if _is_unicode(value) else ([], "the string has a lone surrogate; expected valid Unicode")
    if depth > MAX_DEPTH:
        return [], f"nested too deeply: expected at most {MAX_DEPTH} levels"
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str) and not key.isascii():
            return [key], "expected a key of ASCII characters"
        if item.__class__ in _MAY_HOLD and (found := _fault(item, depth + 1)) is not None:
            found[0].append(str(key))
            return found
    return None


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse_nul(value: Any, place: str = "") -> None:
    """Raise StatementError for the first string with U+0000: PostgreSQL holds none, and what one database holds the other must."""
    if isinstance(value, str):
        if "\x00" in value:
            raise StatementError(f"the string has the character U+0000; leave it out (at {place or '/'})", place)
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            refuse_nul(item, f"{place}/{pointer(str(key))}")


def pointer(key: str) -> str:
    """Return a key as a part of a JSON pointer."""
    # RFC 6901 §3; a lone surrogate in a key must not break the message that reports it.
    return key.replace("~", "~0").replace("/", "~1").encode("utf-8", "backslashreplace").decode()
