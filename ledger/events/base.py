"""`Event`, the base of every event class, and `CATALOGUE`, the list of all of them.

An event class declares the *shape* of a fact: the fields of `data`, which of them are refs, and one sentence for
people. It holds no behaviour: what a fact means is for the folds and rules of `projections`.

A class that cannot be understood later is refused at import: no docstring, no sentence, a sentence or ref that names
no field, a string without a pattern, a float, or an array without a bound. Long, because of these checks and their messages.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from string import Formatter
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_origin
from urllib.parse import quote, unquote
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from ledger.canonical import pointer
from ledger.clock import from_text
from ledger.errors import DeclarationError, StatementError, UnknownTypeError, misfit, no_such
from ledger.events.identifiers import ERASABLE, TIME_PATTERN, ZONE, Identifier, Identity, Link, Text, many, name_of
from ledger.words import number_of

MAX_REF_BYTES: Final = 160
# What a ref may hold as it is; everything else is percent-encoded.
_REF_SAFE: Final = "!#$&'()*+,-./:;<=>?@[]^_`{|}~"
_in_brackets = re.compile(r"\[([^\[\]]*)\]")
_is_plain_ref = re.compile(r"[A-Za-z0-9!#$&'()*+,\-./:;<=>?@\[\]^_`{|}~]+").fullmatch


# How pairs of times are named, whatever stands before it.
_TWINS: Final = (
    ("start", "end"),
    ("started_at", "ended_at"),
    ("started_at", "finished_at"),
    ("started_at", "recovered_at"),
    ("begins_at", "ends_at"),
    ("valid_from", "valid_until"),
    ("effective_from", "effective_until"),
)


class Event(BaseModel):
    """Base of the catalogue: the fields that every `data` may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: ClassVar[str] = ""
    says: ClassVar[str] = ""
    # Made from it: the fields that it names, and how a text in each is shown.
    said_fields: ClassVar[tuple[tuple[str, Callable[[str], str]], ...]] = ()
    refs: ClassVar[tuple[str, ...]] = ()
    # (kind, field, is it an array) for every ref; names of the erasable fields: computed once, read on every append.
    ref_fields: ClassVar[tuple[tuple[str, str, bool], ...]] = ()
    erasable_fields: ClassVar[tuple[str, ...]] = ()
    # Fields of which a new statement names at least one: what means nothing says nothing.
    one_of: ClassVar[tuple[str, ...]] = ()
    # Pairs of times of which the second may not lie before the first, and fields that name a time zone: found by their names.
    intervals: ClassVar[tuple[tuple[str, str], ...]] = ()
    zone_fields: ClassVar[tuple[str, ...]] = ()
    # Names of the fields that hold identifiers.
    identifier_fields: ClassVar[tuple[str, ...]] = ()

    actor: Identity | None = None
    links: tuple[Link, ...] = many(at_most=16, default=())

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "type" in cls.__dict__:
            CATALOGUE.declare(cls)

    @classmethod
    def area(cls) -> str:
        return cls.type.partition(".")[0]


class Catalogue(Mapping[str, type[Event]]):
    """Every event class by its type, in the order of declaration."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Event]] = {}
        self._validators: dict[str, Callable[[Any], Any]] = {}
        # Kinds of refs whose values are identifiers: percent-encoded already where they had to be.
        self.identifier_kinds: set[str] = set()

    def __getitem__(self, event_type: str) -> type[Event]:
        try:
            return self._classes[event_type]
        except KeyError:
            raise UnknownTypeError(self.no_such(event_type), "/type") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def declare(self, cls: type[Event]) -> None:
        """Check a declaration and add it. Raises DeclarationError saying what is missing."""
        name = f"{cls.__module__}.{cls.__qualname__}"
        if not (cls.__doc__ or "").strip() or cls.__doc__ == Event.__doc__:
            raise DeclarationError(f"{name} has no docstring: expected one line saying what happened")
        if cls.type in self._classes:
            raise DeclarationError(f"{name} declares {cls.type}, which {self._classes[cls.type].__name__} has declared")
        named = _fields(cls.says)
        if not named:
            raise DeclarationError(f"{name}.says is {cls.says!r}: expected a sentence that names at least one field")
        for field in (*named, *cls.refs, *cls.one_of):
            if field not in cls.model_fields:
                raise DeclarationError(f"{name} names the field {field!r}, which it does not have")
        _refuse_loose_schema(cls.model_json_schema(), name)
        marks = {field: _find_mark(info, Text) for field, info in cls.model_fields.items()}
        cls.identifier_fields = tuple(field for field, mark in marks.items() if isinstance(mark, Identifier))
        cls.said_fields = tuple(
            (f, name_of if f in cls.identifier_fields else _in_words if _is_choice(cls.model_fields[f]) else str)
            for f in named
        )
        cls.ref_fields = tuple(_ref_field(cls, field) for field in cls.refs)
        self.identifier_kinds |= {marks[f].kind for f in cls.identifier_fields}
        cls.erasable_fields = tuple(f for f, info in cls.model_fields.items() if _find_mark(info, ERASABLE))
        cls.zone_fields = tuple(f for f, info in cls.model_fields.items() if _find_mark(info, ZONE))
        times = {f for f, mark in marks.items() if mark is not None and mark.pattern == TIME_PATTERN}
        cls.intervals = tuple(
            (f, twin)
            for f in cls.model_fields
            for begin, end in _TWINS
            if f in times and f.endswith(begin) and (twin := f.removesuffix(begin) + end) in times
        )
        self._classes[cls.type] = cls
        self._validators[cls.type] = cls.__pydantic_validator__.validate_python

    def no_such(self, event_type: str) -> str:
        """Say that there is no such event type, and which was meant."""
        return no_such("event type", event_type, self._classes, listed_by="GET /v1/catalogue lists all")

    def validate(self, event_type: str, data: Any) -> None:
        """Raise StatementError, naming the place, unless `data` (parsed JSON) has the shape of `event_type`."""
        if event_type not in self._validators:
            self[event_type]
        if not isinstance(data, dict):
            raise StatementError("expected data to be an object", "/data")
        try:
            self._validators[event_type](data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = "/data" + "".join(
                f"/{pointer(str(part))}" for part in first["loc"] if not str(part).startswith("constrained-")
            )
            tells_it = first["type"] in ("missing", "extra_forbidden")
            found = "" if tells_it else f"; found {first['input']!r}"[:88]
            words = misfit(first, sorted(self[event_type].model_fields))
            raise StatementError(f"{words}{found} (at {place})", place) from None


CATALOGUE: Final = Catalogue()


def refuse_impossible(cls: type[Event], data: Mapping[str, Any]) -> None:
    """Raise StatementError, naming the place, for what has its shape and could never hold.

    That is an interval that ends before it begins, a time zone that there is not, and what holds for nothing. Asked of new
    statements alone: entries of before stay what they are, and fold.
    """
    if cls.one_of and not any(data.get(field) for field in cls.one_of):
        raise StatementError(f"expected at least one of {', '.join(cls.one_of)}, found none (at /data)", "/data")
    for begin, end in cls.intervals:
        first, last = data.get(begin), data.get(end)
        if first is not None and last is not None and from_text(last) < from_text(first):
            raise StatementError(
                f"expected {end} not to lie before {begin}; found {last}, before {first} (at /data/{end})",
                f"/data/{end}",
            )
    for field in cls.zone_fields:
        zone = data.get(field)
        # A machine without a database of time zones knows none, and believes all.
        if zone is not None and _zones() and zone not in _zones():
            raise StatementError(
                f"expected a time zone of the IANA database, such as Europe/Berlin or UTC; found {zone} (at /data/{field})",
                f"/data/{field}",
            )


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def ref(kind: str, value: str) -> str:
    """Return the ref of a value of a kind, as entries carry it."""
    if _is_plain_ref(value):
        return f"{kind}:{value}"
    return f"{kind}:{quote(value, safe=_REF_SAFE + '%' if kind in CATALOGUE.identifier_kinds else _REF_SAFE)}"


def kind_and_value(ref: str) -> tuple[str, str]:
    """Return what a ref was made of."""
    kind, _, value = ref.partition(":")
    return kind, value if kind in CATALOGUE.identifier_kinds else unquote(value)


def refs_of(cls: type[Event], data: Mapping[str, Any]) -> list[str]:
    """Return the refs `kind:value` of parsed `data`, sorted, each once."""
    refs: set[str] = set()
    for kind, field, is_array in cls.ref_fields:
        value = data.get(field)
        if value is None:
            continue
        for item in value if is_array else (value,):
            refs.add(f"{kind}:{item}" if _is_plain_ref(item) else ref(kind, item))
    return sorted(refs)


def has_refs(cls: type[Event], data: Mapping[str, Any], refs: Mapping[str, Any]) -> bool:
    """Say whether `refs` are exactly those of `data`. The same as comparing with `refs_of`, and quicker where they are."""
    count = 0
    for kind, field, is_array in cls.ref_fields:
        value = data.get(field)
        if value is None:
            continue
        for item in value if is_array else (value,):
            if f"{kind}:{item}" not in refs:
                return refs_of(cls, data) == list(refs)
            count += 1
    return count == len(refs) or refs_of(cls, data) == list(refs)


def sentence(cls: type[Event], data: Mapping[str, Any]) -> str:
    """Say in words what an entry's `data` says. A part in brackets is left out where a field of it is not said, or empty."""
    says = _in_brackets.sub(lambda part: part[1] if all(data.get(f) for f in _fields(part[1])) else "", cls.says)
    return says.format_map({field: _Said(_readable(data.get(field), of_text)) for field, of_text in cls.said_fields})


def wording(cls: type[Event]) -> str:
    """Return the sentence of an event type with the names of its fields in braces, for whoever looks it up."""
    return cls.says.format_map({field: _Said(f"{{{field}}}") for field, _ in cls.said_fields})


def example(cls: type[Event]) -> dict[str, Any]:
    """Return valid `data` of an event class, made from the examples of its field types: every field but `links`."""
    schema = cls.model_json_schema()
    made = {field: _example_of(part, schema) for field, part in schema["properties"].items() if field != "links"}
    for field in cls.erasable_fields:
        made[field] = f"text of {field.replace('_', ' ')}"
    return {field: value for field, value in made.items() if value is not None}


class _Said(str):
    """What a field says. `{quorum:approval}` is how many approvals, in words, and `{equal:key is|keys are}` has its own plural."""

    __slots__ = ()

    def __format__(self, nouns: str) -> str:
        return number_of(self, *nouns.split("|")) if nouns else self


def _fields(says: str) -> list[str]:
    return [field for _, field, _, _ in Formatter().parse(says) if field is not None]


def _is_choice(info: FieldInfo) -> bool:
    """Say whether a field is one of several words of ours, such as `roll_back`."""
    return any(get_origin(part) is Literal for part in (info.annotation, *get_args(info.annotation)))


def _in_words(word: str) -> str:
    return word.replace("_", " ")


def _readable(value: Any, of_text: Callable[[str], str] = str) -> str:
    if isinstance(value, str):
        return of_text(value)
    if value is None:
        return "(not said)"
    if isinstance(value, list | tuple):
        return ", ".join(_readable(item, of_text) for item in value) or "nothing"
    if isinstance(value, dict):
        return "(text)" if set(value) == {"sha256"} else ", ".join(f"{k} {_readable(v)}" for k, v in value.items())
    return str(value)


def _example_of(part: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    if "const" in part:
        return part["const"]
    if part.get("enum"):
        return part["enum"][0]
    if "anyOf" in part:
        return _example_of(next(option for option in part["anyOf"] if option.get("type") != "null"), schema)
    if part.get("examples"):
        return part["examples"][0]
    if part["type"] == "array":
        return [_example_of(part["items"], schema)] * max(1, part.get("minItems", 0))
    return {field: _example_of(item, schema) for field, item in part["properties"].items()}


def _ref_field(cls: type[Event], field: str) -> tuple[str, str, bool]:
    info = cls.model_fields[field]
    mark = _find_mark(info, Text)
    if mark is None or mark.kind is None:
        raise DeclarationError(
            f"{cls.__name__}.{field} is no identifier: a ref needs a type with a kind, such as ChangeId"
        )
    is_array = any(get_origin(part) is tuple for part in _parts(info.annotation))
    return mark.kind, field, is_array


def _find_mark(info: FieldInfo, mark: Any) -> Any:
    found = [*info.metadata]
    for part in _parts(info.annotation):
        if get_origin(part) is Annotated:
            found += part.__metadata__
    return next((m for m in found if m is mark or (isinstance(mark, type) and isinstance(m, mark))), None)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _parts(argument)


def _refuse_loose_schema(node: Any, name: str) -> None:
    if isinstance(node, list):
        for item in node:
            _refuse_loose_schema(item, name)
    elif isinstance(node, dict):
        kind = node.get("type")
        if kind == "string" and "pattern" in node and "maxLength" not in node:
            raise DeclarationError(f"{name} has a string without a greatest length")
        if kind == "string" and not ({"pattern", "enum", "const"} & node.keys()):
            raise DeclarationError(f"{name} has an unconstrained string: expected a type of ledger.events.identifiers")
        if kind == "number":
            raise DeclarationError(f"{name} has a float: expected Decimal, which travels as a string")
        if kind == "array" and "maxItems" not in node:
            raise DeclarationError(f"{name} has an array without a bound: expected many(…)")
        if kind == "integer" and not ({"maximum", "const"} & node.keys()):
            raise DeclarationError(f"{name} has an integer without bounds: expected Count or Position")
        if kind == "object" and node.get("additionalProperties", True) is not False:
            raise DeclarationError(f"{name} has an open object: expected a Part, which refuses unknown fields")
        for field, part in node.get("properties", {}).items():
            if not {"type", "$ref", "anyOf", "enum", "const"} & part.keys():
                raise DeclarationError(f"{name}.{field} may be anything: expected a type of ledger.events.identifiers")
        if "items" in node and not {"type", "$ref", "anyOf", "enum", "const"} & node["items"].keys():
            raise DeclarationError(f"{name} has an array of anything")
        for item in node.values():
            _refuse_loose_schema(item, name)
