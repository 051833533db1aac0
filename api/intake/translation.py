"""What a translator answers: facts in our words, or that it does not understand. And how it looks into foreign JSON.

A fact needs what makes it that fact; the rest is optional, and nothing optional loses it. So translators give what
they find to `fact`, which makes identifiers of names, cuts long texts, and leaves out the optional fields whose
values our words cannot hold; the names of those stand in the statement, in the extension `leftout`.

Longer than other files because every format reads by these few words, and writes by them.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final
from urllib.parse import quote

import orjson

from ledger.clock import from_text
from ledger.errors import StatementError
from ledger.events import CATALOGUE
from ledger.events.identifiers import MAX_TEXT_BYTES, identifier_of, valid_unicode
from ledger.words import number_of

# Stands for what no field of ours holds. Not the value itself, which may be nested deeper than Python can print.
_UNFIT: Final = object()
_COMMITTED: Final = {"sha256": "0" * 64}
# Of CloudEvents' attributes, as statements admit them.
_MAX_SUBJECT: Final = 256
_MAX_SOURCE: Final = 256
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


class ContradictionError(StatementError):
    """Headers and body say different things: a forgery or a fault of the sender. The bytes are kept, and state nothing."""


class ForgedError(ContradictionError):
    """An envelope names a key that is enrolled, and is not signed by it."""


class UnreadableError(StatementError):
    """A file that is not of its format, or that nobody can read: its digest is kept and none of its bytes, and it states nothing."""


@dataclass(frozen=True)
class Fact:
    """One statement to be: the door adds the id (digest of the body, number of the fact), evidence and envelope.

    `time` is empty where nobody said when. `subject` is what the sender called the thing, where no field has it. `left_out` names the
    fields of `data` whose values could not be taken.
    """

    source: str
    type: str
    time: str
    data: dict[str, Any]
    subject: str = ""
    left_out: tuple[str, ...] = ()

    def without(self, more: Sequence[str]) -> "Fact":
        """Return the fact with what else of the body stands in the evidence alone."""
        return replace(self, left_out=(*self.left_out, *more)) if more else self


@dataclass(frozen=True)
class Mapped:
    """The facts that a body stands for."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Unmapped:
    """An authentic body that says nothing we know: what it calls itself, and why it was not mapped."""

    kind: str
    reason: str
    source: str = ""


@dataclass(frozen=True)
class Nothing:
    """A body that is no fact at all, such as a ping."""

    answer: dict[str, Any]


Translation = Mapped | Unmapped | Nothing
Headers = Mapping[str, str]


class ForeignError(ValueError):
    """Bytes that are not of a format, or that a second reader may read otherwise. The message is a reason for `Unmapped`."""


class ForeignJsonError(ForeignError):
    """The same of JSON."""


# Bytes that a value, and an object, have at least, over the whole of a long document. Samples of measured values
# have 9 and more without any blanks, and reports of tools 50 for an object.
_OF_A_VALUE: Final = 6
_OF_AN_OBJECT: Final = 20
_LONG: Final = 65_536


# An object of less bytes takes several times as much when it is read.
_SMALL: Final = 50


def read_json(body: bytes | str, but: frozenset[str] = frozenset()) -> Any:
    """Return foreign JSON, integers of any size exactly, mostly without what has some names, wherever that stands. Raises ForeignJsonError;
    a key that occurs twice says two things.

    A long document of next to nothing, millions of `{}`, is no report: what is made of each takes a hundred times as long as it is.
    """
    comma, brace = (",", "{") if isinstance(body, str) else (b",", b"{")
    if len(body) > _LONG and (
        body.count(comma) * _OF_A_VALUE > len(body) or body.count(brace) * _OF_AN_OBJECT > len(body)  # type: ignore[arg-type]
    ):
        raise ForeignJsonError("too-many-values")

    def some(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ForeignJsonError("key-twice")
        return found if but.isdisjoint(found) else {name: value for name, value in pairs if name not in but}

    # What is left out is let go while the rest is read, so that a file of very many small things is never held whole. Of others that would
    # take longer than it is worth.
    braces = body.count(b"{") if isinstance(body, bytes) else body.count("{")
    hook = some if but and braces * _SMALL > len(body) else _once_each
    try:
        return json.loads(body, object_pairs_hook=hook, parse_constant=_refuse_constant)
    except ForeignJsonError:
        raise
    except (ValueError, RecursionError):
        pass
    try:
        # Python reads at most 4300 digits, unless it is told how: that takes longer, and few files need it.
        return json.loads(body, object_pairs_hook=_once_each, parse_int=_integer, parse_constant=_refuse_constant)
    except ForeignJsonError:
        raise
    except (ValueError, RecursionError):
        raise ForeignJsonError("not-json") from None


def dump_json(document: Any) -> bytes:
    """Return what a redactor kept of a document as JSON that every reader takes: U+FFFD for lone surrogates, which have no UTF-8."""
    try:
        return orjson.dumps(document)
    except TypeError:
        # It has a surrogate, or an integer of more than 64 bits.
        pass
    return valid_unicode(json.dumps(document, ensure_ascii=False, separators=(",", ":"))).encode()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ForeignJsonError("key-twice")
    return found


def _integer(text: str) -> int | float:
    # No field of ours holds as many.
    return int(text) if len(text) < 400 else math.inf


def _refuse_constant(text: str) -> None:
    raise ForeignJsonError("not-json")


# How much of a statement the things in it may take, and how many statements of them a file may become.
MAX_PART_BYTES: Final = 40_000
MAX_PARTS: Final = 200
# Things that are measured together, where they fit.
_AT_ONCE: Final = 50


def in_parts(things: Sequence[Any], most: int) -> list[list[Any]] | None:
    """Return things in as many parts as they need so that each fits a statement, at most `most` to a part; None for too many parts."""
    parts: list[list[Any]] = []
    left = 0
    for start in range(0, len(things), _AT_ONCE):
        some = things[start : start + _AT_ONCE]
        # A comma with each, as a list has them.
        size = len(orjson.dumps(some)) - 1
        if parts and size <= left and len(parts[-1]) + len(some) <= most:
            parts[-1] += some
            left -= size
            continue
        for thing in some:
            size = len(orjson.dumps(thing)) + 1
            if not parts or size > left or len(parts[-1]) >= most:
                parts.append([])
                left = MAX_PART_BYTES
            parts[-1].append(thing)
            left -= size
    return parts if len(parts) <= MAX_PARTS else None


def pick(document: Any, path: str) -> Any:
    """Return what stands at a dotted path, or None where any part is missing."""
    # Most paths are one name, and of a scan there are hundred thousands.
    for name in path.split(".") if "." in path else (path,):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def pick_text(document: Any, *paths: str) -> str | None:
    """Return the first text that is not empty at one of some dotted paths, or None."""
    found = (pick(document, path) for path in paths)
    return next((value for value in found if isinstance(value, str) and value), None)


def pick_time(document: Any, *paths: str) -> str | None:
    """Return the first text at one of some dotted paths that is a time, or None."""
    for path in paths:
        if (text := pick_text(document, path)) is not None:
            try:
                from_text(text)
            except ValueError:
                continue
            return text
    return None


def need(document: Any, path: str, kind: type | tuple[type, ...] = str) -> Any:
    """Return what stands at a dotted path. Raises StatementError when it is missing, empty or of another kind."""
    value = pick(document, path)
    if not isinstance(value, kind) or isinstance(value, bool) or value == "":
        expected = getattr(kind, "__name__", "value")
        raise StatementError(f"expected {path} to be a {expected}, found {shown(value)}", "/" + path.replace(".", "/"))
    return value


# More digits after the point than anybody measures; a decimal of ours has at most eighteen.
_FRACTION: Final = Decimal("1e-12")


def decimal_of(value: Any, *, scale: int = 0) -> str | None:
    """Return a number, times ten to the power of a scale, as our decimals are written; None for what is not a number, or too large for one.

    >>> decimal_of("99.95", scale=-2), decimal_of("1e-05"), decimal_of("NaN")
    ('0.9995', '0.00001', None)
    """
    try:
        # What is longer says no more, and an exponent of a thousand digits takes for ever.
        number = Decimal(value) if isinstance(value, Decimal) or (isinstance(value, str) and len(value) <= 64) else None
        if number is None or not number.is_finite() or number.adjusted() + scale >= 18:
            return None
        with localcontext(prec=80):
            number = number.scaleb(scale)
            number = number.quantize(_FRACTION) if number.adjusted() >= -12 else Decimal()
    except InvalidOperation:
        return None
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def shown(value: Any) -> str:
    """Return a foreign value for a message: short, and nothing nested, which may be deeper than Python can print."""
    return repr(value)[:120] if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def fact(source: str, event_type: str, time: str, data: Mapping[str, Any], *, subject: Any = None) -> Fact:
    """Return a fact of what a sender said, as far as our words hold it. None and "" stand for what was not said.

    A tuple stands for an array of ours. Raises StatementError naming the place when the fact cannot be without what is
    missing, or cannot be held.
    """
    event_class = CATALOGUE[event_type]
    taken = {
        field: held
        for field, value in data.items()
        if value is not None and (held := _held(event_type, field, value)) != ""
    }
    left_out: list[str] = []
    while True:
        try:
            # The door salts a text when it is admitted.
            salted = {f: _COMMITTED for f in event_class.erasable_fields if isinstance(taken.get(f), str)}
            CATALOGUE.validate(event_type, taken | salted)
        except StatementError as error:
            field = error.place.split("/")[2] if error.place.count("/") > 1 else ""
            if field not in taken or event_class.model_fields[field].is_required():
                raise
            del taken[field]
            left_out.append(field)
        else:
            break
    named = text_of(subject)[:_MAX_SUBJECT] if isinstance(subject, str) else ""
    return Fact(_source_of(source), event_type, time, taken, named, tuple(sorted(left_out)))


def _source_of(source: str) -> str:
    """Return a URI reference as statements write it: other characters percent-encoded, and cut as identifiers are where it is too long."""
    encoded = quote(valid_unicode(source), safe=_PRINTABLE)
    if len(encoded) <= _MAX_SOURCE:
        return encoded
    return f"{encoded[: _MAX_SOURCE - 9]}~{hashlib.sha256(encoded.encode()).hexdigest()[:8]}"


def _held(event_type: str, field: str, value: Any) -> Any:
    """Return a value as a field can hold it, if it can."""
    event_class = CATALOGUE[event_type]
    if isinstance(value, dict | list):
        return _UNFIT
    if isinstance(value, tuple):
        return list(value)
    if field in event_class.identifier_fields:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return identifier_of(str(value)) if is_number or isinstance(value, str) else value
    return text_of(value) if field in event_class.erasable_fields and isinstance(value, str) else value


def text_of(text: str) -> str:
    """Return a text as the ledger can hold it: U+FFFD for what it cannot, and cut, with a mark, where it is too long."""
    raw = valid_unicode(text).replace("\x00", "\ufffd").encode()
    if len(raw) <= MAX_TEXT_BYTES:
        return raw.decode()
    mark = f" … (cut: {number_of(len(raw), 'byte')} came in)"
    return raw[: MAX_TEXT_BYTES - len(mark.encode())].decode(errors="ignore") + mark
