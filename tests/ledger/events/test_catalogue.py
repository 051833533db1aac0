"""The catalogue: every declared event type is one that people and programs can read for ever, and no other can be declared."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal as AnyDecimal
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote

import jsonschema_rs
import pytest
from golden import PATH, catalogue_document
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ORIGIN, cloud_event
from pydantic import BaseModel, Field

from ledger.authority import AUTHORITY_TYPES
from ledger.canonical import encode
from ledger.clock import from_text
from ledger.errors import DeclarationError, StatementError, UnknownTypeError
from ledger.events import CATALOGUE, OPERATOR_AREAS, RESERVED_AREAS, Event, example, refs_of, sentence
from ledger.events.identifiers import ChangeId, Identifier, Label, Part, Text, Time, many
from ledger.statement import MAX_REFS, Admission

ADMISSION = Admission(
    origin=ORIGIN, now_us=lambda: from_text("2026-11-23T12:00:00Z"), random=lambda size: b"s" * size, pepper=b"p" * 32
)
every_type = pytest.mark.parametrize("event_type", CATALOGUE)


@pytest.fixture
def open_catalogue() -> Iterator[None]:
    """Let a test declare event types, and forget them afterwards."""
    before = {name: type(value)(value) for name, value in vars(CATALOGUE).items() if isinstance(value, dict | set)}
    yield
    for name, value in before.items():
        vars(CATALOGUE)[name].clear()
        vars(CATALOGUE)[name].update(value)


def salted(cls: type[Event], data: dict[str, Any]) -> dict[str, Any]:
    """Return data as it stands in the log."""
    return data | {name: {"sha256": "0" * 64} for name in cls.erasable_fields if isinstance(data.get(name), str)}


# -- every class -----------------------------------------------------------------------------------------------------


@every_type
def test_every_class_says_in_a_line_what_happened(event_type: str) -> None:
    doc = (CATALOGUE[event_type].__doc__ or "").strip()
    assert doc
    assert "\n" not in doc
    assert doc[0].isupper()
    assert doc.endswith(".")


@every_type
def test_every_class_makes_a_sentence_for_people(event_type: str) -> None:
    cls = CATALOGUE[event_type]
    said = sentence(cls, salted(cls, example(cls)))
    assert said.strip()
    assert "{" not in said
    assert "(not said)" not in said
    # What is optional may be missing, and the sentence must still be one.
    required = {name: value for name, value in example(cls).items() if cls.model_fields[name].is_required()}
    assert sentence(cls, salted(cls, required)).strip()


@every_type
def test_the_example_of_every_class_is_admissible(event_type: str) -> None:
    cls = CATALOGUE[event_type]
    statement = ADMISSION.admit(cloud_event(event_type) | {"data": example(cls)})
    assert [text.field for text in statement.texts] == list(cls.erasable_fields)
    assert {ref.partition(":")[0] for ref in statement.refs} == {kind for kind, _, _ in cls.ref_fields}


@every_type
def test_a_type_is_named_after_its_area_and_stands_in_the_module_of_that_name(event_type: str) -> None:
    cls = CATALOGUE[event_type]
    assert cls.type == event_type
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+(\.v[0-9]+)?", event_type)
    assert cls.__module__ == f"ledger.events.{cls.area()}"


def schema_nodes(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every part of a JSON schema that describes a value."""
    if isinstance(node, dict):
        yield place, node
        for key in ("properties", "$defs"):
            for name, part in node.get(key, {}).items():
                yield from schema_nodes(part, f"{place}/{name}")
        for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for number, part in enumerate(node.get(key, [])):
                yield from schema_nodes(part, f"{place}/{number}")
        if "items" in node:
            yield from schema_nodes(node["items"], f"{place}/*")


@every_type
def test_no_field_of_the_catalogue_takes_whatever_it_is_given(event_type: str) -> None:
    for place, node in schema_nodes(CATALOGUE[event_type].model_json_schema()):
        if {"enum", "const", "$ref"} & node.keys():
            continue
        match node.get("type"):
            case "string":
                assert node["pattern"].startswith("^"), place
                assert node["pattern"].endswith("$"), place
                # The longest is a public key of RSA.
                assert 0 < node["maxLength"] <= 740, place
            case "integer":
                assert {"minimum", "maximum"} <= node.keys(), place
            case "array":
                assert 0 < node["maxItems"] <= 512, place
            case "object":
                assert node["additionalProperties"] is False, place
            case "boolean" | "null":
                pass
            case _:
                assert "anyOf" in node, f"{place} may be anything: {node}"


LEAVES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**53,
    "",
    "1",
    "true",
    "x",
    "a b",
    "\n",
    "a\n",
    "é",
    [],
    ["x"],
    {},
    {"x": 1},
]


def replaced(value: Any) -> Iterator[Any]:
    """Yield copies of a JSON value with one part replaced, taken away or added."""
    yield from LEAVES
    if isinstance(value, str):
        yield from (value + "\n", value + " ", value * 600, value.upper(), [value])
    if isinstance(value, dict):
        yield value | {"surprise": 1}
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            for part in replaced(value[key]):
                yield value | {key: part}
    if isinstance(value, list):
        yield value * 300
        for number, item in enumerate(value):
            for part in replaced(item):
                yield [*value[:number], part, *value[number + 1 :]]


@every_type
def test_what_is_admitted_is_exactly_what_the_published_schema_allows(event_type: str) -> None:
    cls = CATALOGUE[event_type]
    validator = jsonschema_rs.validator_for(cls.model_json_schema())
    for data in replaced(salted(cls, example(cls))):
        try:
            CATALOGUE.validate(event_type, copy.deepcopy(data))
            admitted = True
        except StatementError:
            admitted = False
        assert admitted == validator.is_valid(data), f"{data} is {'admitted' if admitted else 'refused'}"


@every_type
def test_no_statement_of_a_type_can_have_more_refs_than_an_entry_holds(event_type: str) -> None:
    cls = CATALOGUE[event_type]
    properties = cls.model_json_schema()["properties"]
    assert sum(properties[field]["maxItems"] if is_array else 1 for _, field, is_array in cls.ref_fields) <= MAX_REFS


def test_the_catalogue_is_pinned() -> None:
    pinned, found = json.loads(PATH.read_text()), json.loads(json.dumps(catalogue_document()))
    assert sorted(pinned) == sorted(found)
    for event_type in pinned:
        assert found[event_type] == pinned[event_type], f"{event_type} was edited: a released type is never edited"


def test_the_helper_that_writes_the_golden_file_runs_by_itself() -> None:
    helper = Path(__file__).parents[2] / "tools" / "golden.py"
    done = subprocess.run([sys.executable, helper], capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# -- looking up ------------------------------------------------------------------------------------------------------


def test_a_type_that_was_never_declared_is_unknown() -> None:
    with pytest.raises(UnknownTypeError, match=r"no\.such") as caught:
        CATALOGUE["no.such"]
    assert caught.value.place == "/type"
    with pytest.raises(UnknownTypeError):
        CATALOGUE.validate("no.such", {})


def test_the_catalogue_is_a_mapping_like_any_other() -> None:
    assert CATALOGUE.get("no.such") is None
    assert "no.such" not in CATALOGUE
    assert "change.opened" in CATALOGUE
    assert len(CATALOGUE) == len(list(CATALOGUE)) == len(dict(CATALOGUE))


def test_the_areas_that_only_the_ledger_appends_are_these() -> None:
    assert {"ledger", "gate", "intake"} == RESERVED_AREAS
    assert {"identity", "policy"} == OPERATOR_AREAS
    areas = {cls.area() for cls in CATALOGUE.values()}
    assert areas >= RESERVED_AREAS | OPERATOR_AREAS
    assert all(CATALOGUE[event_type].area() == "ledger" for event_type in AUTHORITY_TYPES)


def test_the_areas_are_those_of_the_one_vocabulary() -> None:
    areas = {cls.area() for cls in CATALOGUE.values()}
    assert {"approval", "code_review", "pir", "access_review", "gate", "statement", "change", "deployment"} <= areas
    assert not {"review", "exception"} & areas
    # That a rule is broken is a reading; what becomes of it is said.
    assert [event_type for event_type in CATALOGUE if event_type.startswith("finding.")] == ["finding.disposed"]


# -- what could never hold ------------------------------------------------------------------------------------------

BEFORE, AFTER = "2026-11-23T11:59:59.999999Z", "2026-11-23T12:00:00Z"


def with_intervals() -> list[Any]:
    return [(event_type, *pair) for event_type, cls in CATALOGUE.items() for pair in cls.intervals]


def test_these_types_have_intervals() -> None:
    assert {
        ("freeze.declared", "start", "end"),
        ("change.scheduled", "planned_start", "planned_end"),
        ("rollback.rehearsed", "started_at", "recovered_at"),
    } <= set(with_intervals())


@pytest.mark.parametrize(("event_type", "begin", "end"), with_intervals())
def test_an_interval_that_ends_before_it_begins_is_refused_at_its_end(event_type: str, begin: str, end: str) -> None:
    data = example(CATALOGUE[event_type])
    with pytest.raises(StatementError, match=f"expected {end} not to lie before {begin}") as caught:
        ADMISSION.admit(cloud_event(event_type) | {"data": data | {begin: AFTER, end: BEFORE}})
    assert caught.value.place == f"/data/{end}"
    ADMISSION.admit(cloud_event(event_type) | {"data": data | {begin: BEFORE, end: AFTER}})
    ADMISSION.admit(cloud_event(event_type) | {"data": data | {begin: AFTER, end: AFTER}})
    # Entries of before have their shape, and fold.
    CATALOGUE.validate(event_type, salted(CATALOGUE[event_type], data | {begin: AFTER, end: BEFORE}))


@pytest.mark.parametrize("zone", ["Mars/Phobos", "europe/berlin", "CET+1", "posix"])
def test_a_time_zone_that_there_is_not_is_refused_and_none_is_needed(zone: str) -> None:
    data = example(CATALOGUE["freeze.declared"])
    with pytest.raises(StatementError, match=f"IANA.*{re.escape(zone)}") as caught:
        ADMISSION.admit(cloud_event("freeze.declared") | {"data": data | {"time_zone": zone}})
    assert caught.value.place == "/data/time_zone"
    CATALOGUE.validate("freeze.declared", salted(CATALOGUE["freeze.declared"], data | {"time_zone": zone}))
    del data["time_zone"]
    ADMISSION.admit(cloud_event("freeze.declared") | {"data": data})


@pytest.mark.usefixtures("open_catalogue")
def test_whoever_declares_a_beginning_and_an_end_has_an_interval() -> None:
    assert declare({"word": Label, "outage_start": Time, "outage_end": (Time | None, None)}).intervals == (
        ("outage_start", "outage_end"),
    )
    assert not declare({"word": Label, "start": Label, "end": Time}, type="test.other").intervals


# -- declarations ----------------------------------------------------------------------------------------------------

WORD = {"type": "test.word", "says": "{word}", "__doc__": "Something was said."}


def declare(fields: dict[str, Any], **more: Any) -> type[Event]:
    """Declare an event class of these fields, {name: annotation or (annotation, default)}, admissible but for what is given."""
    parts: dict[str, Any] = {"__module__": __name__, "__qualname__": "Declared", **WORD, **more}
    annotations = {}
    for name, of in fields.items():
        annotations[name] = of[0] if isinstance(of, tuple) else of
        if isinstance(of, tuple):
            parts[name] = of[1]
    return type(Event)("Declared", (Event,), {**parts, "__annotations__": annotations})


class Open(BaseModel):
    word: Label


class Loose(Part):
    word: str


@pytest.mark.usefixtures("open_catalogue")
def test_a_class_that_says_all_it_must_is_declared() -> None:
    cls = declare({"word": Label, "change_id": ChangeId}, refs=("change_id",))
    assert CATALOGUE["test.word"] is cls
    assert cls.ref_fields == (("change", "change_id", False),)
    assert ADMISSION.admit(cloud_event("test.word") | {"data": {"word": "x", "change_id": "7"}}).refs == ("change:7",)


def bad(message: str, fields: dict[str, Any] | None = None, **more: Any) -> Any:
    return pytest.param(fields or {"word": Label}, more, message)


@pytest.mark.usefixtures("open_catalogue")
@pytest.mark.parametrize(
    ("fields", "more", "message"),
    [
        bad("no docstring", __doc__=None),
        bad("no docstring", __doc__="  \n"),
        bad("no docstring", __doc__=Event.__doc__),
        bad("expected a sentence", says=""),
        bad("expected a sentence", says="something happened"),
        bad("expected a sentence", says="{{word}}"),
        bad("names the field 'other'", says="{word} and {other}"),
        bad("names the field ''", says="{word} and {}"),
        bad("names the field 'word.upper'", says="{word.upper}"),
        bad("names the field 'change_id'", refs=("change_id",)),
        bad("names the field 'change_id'", one_of=("change_id",)),
        bad("names the field 'other'", says="{word}[ and {other}]"),
        bad("is no identifier", refs=("word",)),
        bad("has declared", type="change.opened"),
        bad("unconstrained string", {"word": str}),
        bad("unconstrained string", {"word": (str | None, None)}),
        bad("unconstrained string", {"word": Annotated[str, Field(max_length=10)]}),
        bad("unconstrained string", {"word": (tuple[str, ...], many())}),
        bad("unconstrained string", {"word": Loose}),
        bad("unconstrained string", {"word": (tuple[Loose, ...], many())}),
        bad("unconstrained string", {"word": Label | str}),
        bad("unconstrained string", {"word": datetime}),
        bad("unconstrained string", {"word": bytes}),
        bad("has a float", {"word": float}),
        bad("has a float", {"word": (float | None, None)}),
        bad("has a float", {"word": Annotated[float, Field(ge=0, le=1)]}),
        bad("has a float", {"word": AnyDecimal}),
        bad("array without a bound", {"word": tuple[Label, ...]}),
        bad("array without a bound", {"word": list[Label]}),
        bad("array without a bound", {"word": (tuple[Label, ...], ())}),
        bad("array without a bound", {"word": (tuple[tuple[Label, ...], ...], many())}),
        bad("integer without bounds", {"word": int}),
        bad("integer without bounds", {"word": Annotated[int, Field(ge=0)]}),
        bad("open object", {"word": dict[str, Label]}),
        bad("open object", {"word": Open}),
        bad("Declared", {"word": Any}),
        bad("Declared", {"word": object}),
        bad("Declared", {"word": (Any, None)}),
        bad("Declared", {"word": (tuple[Any, ...], many())}),
        bad("string", {"word": Annotated[str, Field(pattern="^.*$")]}),
    ],
)
def test_a_class_that_could_not_be_understood_later_is_refused_at_import(
    fields: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    before = dict(CATALOGUE)
    with pytest.raises(DeclarationError, match=re.escape(message)):
        declare(fields, **more)
    assert dict(CATALOGUE) == before


@pytest.mark.usefixtures("open_catalogue")
def test_a_part_of_a_sentence_in_brackets_is_said_where_its_fields_are() -> None:
    cls = declare({"word": Label, "end": (Time | None, None)}, says="{word}[ until {end}]")
    assert sentence(cls, {"word": "x"}) == "x"
    assert sentence(cls, {"word": "x", "end": "2026-11-23T12:00:00Z"}) == "x until 2026-11-23T12:00:00Z"
    # What a text has in brackets is not a part.
    assert sentence(cls, {"word": "x[ until ]"}) == "x[ until ]"


@pytest.mark.usefixtures("open_catalogue")
def test_a_declaration_error_names_the_class() -> None:
    with pytest.raises(DeclarationError, match=r"test_catalogue\.Declared"):
        declare({"word": str})


@pytest.mark.usefixtures("open_catalogue")
def test_a_base_without_a_type_is_no_event_type() -> None:
    before = list(CATALOGUE)

    class Base(Event):
        refs: ClassVar[tuple[str, ...]] = ("change_id",)
        change_id: ChangeId

    assert list(CATALOGUE) == before


# -- refs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strange() -> type[Event]:
    """A class that is not in the catalogue, with a ref of any text."""

    class Strange(Event):
        """Something had a strange name."""

        ref_fields: ClassVar[tuple[tuple[str, str, bool], ...]] = (("thing", "name", False), ("thing", "names", True))
        name: Annotated[str, Text(r"[\s\S]*", 500, "x", "thing")]
        names: tuple[Annotated[str, Identifier("thing", "x")], ...] = many(default=())

    return Strange


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_ref_is_printable_ascii_and_stands_for_one_value_only(strange: type[Event], value: str) -> None:
    [ref] = refs_of(strange, {"name": value})
    assert ref.startswith("thing:")
    assert unquote(ref.removeprefix("thing:"), errors="strict") == value
    assert re.fullmatch(r"[!-~]+", ref)
    # A ref is a key of the entry, which is put together by hand.
    assert encode({ref: 0}) == b'{"%b":0}' % ref.encode()


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("CHG-7", "CHG-7"),
        ("acme/payments-api", "acme/payments-api"),
        ("a:b@c+d", "a:b@c+d"),
        ("a b", "a%20b"),
        ('a"b', "a%22b"),
        ("a\\b", "a%5Cb"),
        ("100%", "100%25"),
        ("%20", "%2520"),
        ("é", "%C3%A9"),
        ("\n", "%0A"),
        ("\x7f", "%7F"),
    ],
)
def test_what_a_ref_cannot_hold_is_percent_encoded(strange: type[Event], value: str, encoded: str) -> None:
    assert refs_of(strange, {"name": value}) == [f"thing:{encoded}"]


def test_refs_are_sorted_and_each_stands_once(strange: type[Event]) -> None:
    assert refs_of(strange, {"name": "b", "names": ["c", "a", "b", "c", "B"]}) == [
        "thing:B",
        "thing:a",
        "thing:b",
        "thing:c",
    ]


def test_what_was_not_said_makes_no_ref(strange: type[Event]) -> None:
    assert refs_of(strange, {}) == refs_of(strange, {"name": None, "names": []}) == []


def test_the_order_of_refs_is_that_of_their_bytes() -> None:
    data = {"change_id": "CHG-7", "services": ["z", "Z", "a", "_"], "environment": "prod"}
    refs = refs_of(CATALOGUE["change.opened"], data)
    assert refs == sorted(refs, key=str.encode)


def test_the_sentence_shows_lists_texts_and_what_was_not_said(strange: type[Event]) -> None:
    make: Callable[..., str] = lambda **data: sentence(CATALOGUE["change.opened"], data)  # noqa: E731
    said = make(actor="person:alice", change_type="normal", change_id="CHG-7", services=["a", "b"])
    assert said == "person:alice opened normal change CHG-7 for a, b"
    assert make(services=[]) == "(not said) opened (not said) change (not said) for nothing"
    decided = {
        "actor": "person:ann",
        "decision": "roll_back",
        "service": "pay_api",
        "environment": "prod",
        "rollback_id": "R",
    }
    assert sentence(CATALOGUE["rollback.decided"], decided) == "person:ann decided to roll back pay_api in prod (R)"
