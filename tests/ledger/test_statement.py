"""Admission: the only door from parsed JSON to a statement."""

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ORIGIN, cloud_event

from ledger.canonical import MAX_INTEGER, encode, parse
from ledger.clock import from_text
from ledger.entry import MAX_ENTRY_BYTES, make_entry, recorded_by_json, statement_bytes
from ledger.errors import LedgerError, StatementError, StatementTooLargeError, UnknownTypeError
from ledger.events import CATALOGUE, Event, example
from ledger.events.base import MAX_REF_BYTES
from ledger.events.identifiers import MAX_TEXT_BYTES, Identifier, Text, many
from ledger.statement import (
    MAX_EVIDENCE,
    MAX_REFS,
    MAX_SIGNATURES,
    MAX_STATEMENT_BYTES,
    Admission,
    Evidence,
    Statement,
)
from ledger.trust_rules import MAX_CLAIM_BYTES, MAX_CLAIMS, MAX_OIDC_STATEMENT_BYTES
from signing.dsse import Signature

NOW = from_text("2026-11-23T12:00:00Z")
PEPPER = b"p" * 32
WITHOUT_NUL = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


def admission(**more: Any) -> Admission:
    """An admission that knows the time and draws a new salt every time, from a list."""
    numbers = itertools.count(1)
    made: dict[str, Any] = {"origin": ORIGIN, "now_us": lambda: NOW, "pepper": PEPPER}
    return Admission(**{**made, "random": lambda size: bytes([next(numbers)]) * size, **more})


ADMISSION = admission(random=lambda size: b"s" * size)


def refused(event: Any, place: str, admit: Callable[..., Statement] = ADMISSION.admit) -> StatementError:
    with pytest.raises(StatementError) as caught:
        admit(event)
    assert caught.value.place == place
    assert place == "" or place.startswith("/")
    # What is said about it goes into a JSON answer.
    (str(caught.value) + caught.value.place).encode()
    return caught.value


def of_type(event_type: str, **data: Any) -> dict[str, Any]:
    return {**cloud_event(event_type), "data": example(CATALOGUE[event_type]) | data}


@pytest.fixture
def open_catalogue() -> Iterator[None]:
    """Let a test declare event types, and forget them afterwards."""
    before = {name: type(value)(value) for name, value in vars(CATALOGUE).items() if isinstance(value, dict | set)}
    yield
    for name, value in before.items():
        vars(CATALOGUE)[name].clear()
        vars(CATALOGUE)[name].update(value)


# -- the envelope ----------------------------------------------------------------------------------------------------


def test_an_admitted_statement_is_the_canonical_form_of_what_was_sent() -> None:
    event = cloud_event(id="one")
    statement = ADMISSION.admit(event)
    assert statement.body == rfc8785.dumps(event)
    assert (statement.source, statement.id, statement.type) == (event["source"], "one", event["type"])
    assert (statement.data, statement.area) == (event["data"], "deployment")
    assert statement.digest == hashlib.sha256(statement.body).digest()
    assert (statement.texts, statement.evidence) == ((), ())


@pytest.mark.parametrize("event_type", CATALOGUE)
def test_an_example_of_every_type_is_admitted(event_type: str) -> None:
    event = of_type(event_type)
    statement = ADMISSION.admit(event)
    assert parse(statement.body)["type"] == event_type
    assert list(statement.refs) == sorted(set(statement.refs))


@pytest.mark.parametrize("event", [None, [], "event", 1, True, [{}]])
def test_what_is_no_object_is_refused(event: Any) -> None:
    refused(event, "")


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time", "data"])
def test_a_missing_attribute_is_named(name: str) -> None:
    event = cloud_event()
    del event[name]
    assert name in str(refused(event, f"/{name}"))


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time", "data"])
@pytest.mark.parametrize("value", [None, 1, True, [], "", "\ud800", ["x"]])
def test_an_attribute_of_another_shape_is_refused_at_its_place(name: str, value: Any) -> None:
    refused(cloud_event() | {name: value}, f"/{name}")


@pytest.mark.parametrize("version", ["0.3", "1", "1.0.1", "1.0 ", 1.0, 1])
def test_another_version_of_the_envelope_is_refused(version: Any) -> None:
    assert '"1.0"' in str(refused(cloud_event() | {"specversion": version}, "/specversion"))


@pytest.mark.parametrize("name", ["id", "source"])
@pytest.mark.parametrize("value", ["a b", "a\n", "\tx", "é", "x" * 257, "\x7f", "\x00"])
def test_identifiers_are_printable_ascii_without_blanks(name: str, value: str) -> None:
    refused(cloud_event() | {name: value}, f"/{name}")


@pytest.mark.parametrize("name", ["id", "source"])
@pytest.mark.parametrize("value", ["x", "x" * 256, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"])
def test_any_printable_identifier_up_to_its_greatest_length_is_admitted(name: str, value: str) -> None:
    statement = ADMISSION.admit(cloud_event() | {name: value})
    assert parse(statement.body)[name] == getattr(statement, name) == value


@pytest.mark.parametrize(
    "source",
    [
        "https://ci.example.com/pay/../bill/x", "https://ci.example.com/pay/%2e%2e/bill", "https://ci.example.com/pay/.%2E/bill",
        "https://ci.example.com/pay/%252e%252e%252fbill", "https://ci.example.com/pay/..%2fbill", "https://ci.example.com/pay/..",
        "https://ci.example.com/pay/./x", "https://ci.example.com/pay\\..\\bill", "https://ci.example.com/pay/..?x", "../pay", ".",
        "https://ci.example.com/pay/..;/bill", "https://ci.example.com/pay/%2e#x",
    ],
)  # fmt: skip
def test_a_source_that_leads_back_up_is_refused(source: str) -> None:
    refused(cloud_event() | {"source": source}, "/source")


@pytest.mark.parametrize(
    "source", ["https://ci.example.com/a..b/.c/...", "/pipelines/%41%20", "urn:x:y", "a%", "1.0.."]
)
def test_dots_within_a_segment_are_none_of_it(source: str) -> None:
    assert ADMISSION.admit(cloud_event() | {"source": source}).source == source


def test_an_unknown_type_is_refused_as_such() -> None:
    with pytest.raises(UnknownTypeError, match="there is no event type '"):
        ADMISSION.admit(cloud_event() | {"type": "deployment.dreamt"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", ""),
        ("subject", "x" * 257),
        ("subject", 7),
        ("datacontenttype", "text/plain"),
        ("datacontenttype", "application/json; charset=utf-16"),
        ("datacontenttype", "application/json; charset=utf-8; version=1"),
        ("dataschema", "x" * 513),
        ("dataschema", ""),
        ("data_base64", "AAAA"),
        ("dssematerial", "AAAA"),
    ],
)
def test_optional_attributes_have_their_own_rules(name: str, value: Any) -> None:
    refused(cloud_event() | {name: value}, f"/{name}")


@pytest.mark.parametrize("name", ["subject", "datacontenttype", "dataschema", "traceparent"])
def test_an_attribute_that_is_null_is_one_that_is_not_there(name: str) -> None:
    said = cloud_event()
    assert ADMISSION.admit(said | {name: None}).digest == ADMISSION.admit(said).digest


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time", "data"])
def test_a_required_attribute_that_is_null_is_missing(name: str) -> None:
    refused(cloud_event() | {name: None}, f"/{name}")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
def test_data_in_json_may_say_that_it_is_utf_8(kind: str) -> None:
    assert parse(ADMISSION.admit(cloud_event() | {"datacontenttype": kind}).body)["datacontenttype"] == kind


def test_optional_attributes_are_admitted_at_their_greatest_length() -> None:
    more = {"subject": "s" * 256, "datacontenttype": "application/json", "dataschema": "d" * 512}
    assert parse(ADMISSION.admit(cloud_event() | more).body).items() >= more.items()


@pytest.mark.parametrize("value", ["", "x", "x" * 1024, 0, -1, MAX_INTEGER, -MAX_INTEGER, True, False])
@pytest.mark.parametrize("name", ["sequence", "a", "0", "a1" * 10, "correlationid"])
def test_extensions_are_strings_integers_and_booleans(name: str, value: Any) -> None:
    body = ADMISSION.admit(cloud_event() | {name: value}).body
    assert parse(body)[name] == value
    assert encode({name: value})[1:-1] in body


@pytest.mark.parametrize("value", [1.5, float("nan"), [], {}, ["x"], "x" * 1025, MAX_INTEGER + 1, 2**70, "\ud800"])
def test_an_extension_of_another_shape_is_refused(value: Any) -> None:
    refused(cloud_event() | {"extra": value}, "/extra")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("", "/"),
        ("Upper", "/Upper"),
        ("under_score", "/under_score"),
        ("x" * 21, "/" + "x" * 21),
        ("é", "/é"),
        ("a b", "/a b"),
        ("a\n", "/a\n"),
        ("a/b", "/a~1b"),
        ("~", "/~0"),
        ("\ud800", "/\\ud800"),
        ("١", "/١"),
    ],
)
def test_an_attribute_that_cannot_be_called_so_is_refused_and_pointed_to(name: str, place: str) -> None:
    refused(cloud_event() | {name: "x"}, place)


def test_a_statement_for_another_ledger_is_refused() -> None:
    assert ADMISSION.admit(cloud_event() | {"ledger": ORIGIN})
    for other in ("ledger.test/two", "", ORIGIN + "/", 1, True):
        refused(cloud_event() | {"ledger": other}, "/ledger")


# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23t12:00:00z",
        "2026-11-23T12:00:00+00:00",
        "2026-11-23T12:00:00-00:00",
        "2026-11-23T23:59:59.1+05:30",
        "2026-11-23T12:00:00.123456789Z",
        "2024-02-29T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "0001-01-02T00:00:00Z",
        "2026-11-24T12:00:00Z",
        "2026-11-24T14:00:00+02:00",
    ],
)
def test_a_time_with_an_offset_is_admitted_up_to_a_day_ahead_and_kept_as_it_was_written(time: str) -> None:
    assert parse(ADMISSION.admit(cloud_event() | {"time": time}).body)["time"] == time


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-24T12:00:01Z",
        "2026-11-24T12:00:00.000001Z",
        "2026-11-24T12:00:00-00:01",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2026-11-23T12:00:00",
        "2026-11-23 12:00:00Z",
        "2026-11-23",
        "2026-11-23T12:00Z",
        "2026-11-23T12:00:00.Z",
        "2026-11-23T12:00:00.1234567890Z",
        "2026-11-23T12:00:00,5Z",
        "2026-11-23T12:00:00+0200",
        "2026-11-23T12:00:00+02",
        "2026-11-23T12:00:00+24:00",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T12:60:00Z",
        "2026-11-23T12:00:60Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-11-23T12:00:00Z",
        "2026-11-23T12:00:00Z\n",
        " 2026-11-23T12:00:00Z",
        "20261123T120000Z",
        "2026-W48-1T12:00:00Z",
        "now",
        1795435200,
    ],
)
def test_a_time_that_is_not_such_or_too_far_ahead_is_refused(time: Any) -> None:
    refused(cloud_event() | {"time": time}, "/time")


# -- data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"surprise": 1}, "/data/surprise"),
        ({"a/b~c": 1}, "/data/a~1b~0c"),
        ({"\ud800": 1}, "/data/\\ud800"),
        ({"outcome": "triumph"}, "/data/outcome"),
        ({"outcome": None}, "/data/outcome"),
        ({"deployment_id": 7}, "/data/deployment_id"),
        ({"deployment_id": ""}, "/data/deployment_id"),
        ({"deployment_id": "x" * 101}, "/data/deployment_id"),
        ({"deployment_id": "a b"}, "/data/deployment_id"),
        ({"deployment_id": "a\n"}, "/data/deployment_id"),
        ({"service": "\ud800"}, "/data/service"),
        ({"service": ["a"]}, "/data/service"),
        ({"links": [0]}, "/data/links/0"),
        ({"links": [1, "x"]}, "/data/links/1"),
        ({"links": [True]}, "/data/links/0"),
        ({"links": [1] * 17}, "/data/links"),
        ({"links": {"0": 1}}, "/data/links"),
        ({"actor": "alice"}, "/data/actor"),
    ],
)
def test_data_that_is_not_as_the_class_says_is_refused_at_its_place(data: dict[str, Any], place: str) -> None:
    found = refused(cloud_event(**data), place)
    assert place in str(found)


def test_a_place_inside_a_part_is_named() -> None:
    check = {"name": "smoke", "passed": True, "observations": 3}
    refused(of_type("deployment.verified", checks=[check, check | {"observations": -1}]), "/data/checks/1/observations")
    refused(of_type("deployment.verified", checks=[check | {"more": 1}]), "/data/checks/0/more")


@pytest.mark.parametrize("levels", [13, 20, 100, 253, 254, 400, *range(900, 1000, 7)])
def test_data_nested_too_deeply_is_refused_and_crashes_nothing(levels: int) -> None:
    deep = b'{"surprise":' + b"[" * levels + b"]" * levels + b"}"
    event = encode(cloud_event() | {"data": 0}).replace(b'"data":0', b'"data":' + deep)
    with pytest.raises(StatementError, match="nested too deeply"):
        ADMISSION.admit(parse(event))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_whatever_is_sent_is_admitted_or_refused_with_a_place_and_nothing_else(data: st.DataObject) -> None:
    event: dict[str, Any] = of_type(data.draw(st.sampled_from(list(CATALOGUE))))
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.sampled_from([event, event["data"]])) if isinstance(event.get("data"), dict) else event
        key = data.draw(st.sampled_from([*part, "x"]) | st.text(max_size=5))
        part[key] = data.draw(json_values)
    try:
        statement = ADMISSION.admit(event)
    except StatementError as error:
        refused(event, error.place)
    else:
        assert statement.body == rfc8785.dumps(parse(statement.body))


# -- texts -----------------------------------------------------------------------------------------------------------


@given(st.text(WITHOUT_NUL, max_size=200))
def test_a_text_leaves_the_statement_and_a_salted_digest_takes_its_place(text: str) -> None:
    salt = hashlib.sha256(text.encode()).digest()
    statement = admission(random=lambda size: salt[:size]).admit(cloud_event("change.opened", title=text))
    data = parse(statement.body)["data"]
    assert data["title"] == {"sha256": hashlib.sha256(salt + text.encode()).hexdigest()}
    assert statement.data == data
    [kept] = statement.texts
    assert (kept.field, kept.salt, kept.text) == ("title", salt, text)


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (cloud_event("change.opened", title="a\x00b"), "/data/title"),
        (cloud_event() | {"subject": "\x00"}, "/subject"),
        (cloud_event() | {"note": "\\u0000 and \x00"}, "/note"),
    ],
)
def test_no_string_holds_the_character_that_postgresql_cannot_hold(event: dict[str, Any], place: str) -> None:
    refused(event, place)


def test_a_text_may_speak_of_that_character() -> None:
    assert ADMISSION.admit(cloud_event() | {"note": "\\u0000"}).body


def test_every_text_has_a_salt_of_its_own_of_32_bytes() -> None:
    event = cloud_event("change.opened", title="same", description="same")
    statement = admission().admit(event)
    assert {text.field for text in statement.texts} == {"title", "description"}
    assert len({text.salt for text in statement.texts}) == 2
    assert {len(text.salt) for text in statement.texts} == {32}
    data = parse(statement.body)["data"]
    assert data["title"] != data["description"]


def test_what_the_caller_sent_is_not_altered_by_salting() -> None:
    event = cloud_event("change.opened", title="text")
    before = json.dumps(event)
    ADMISSION.admit(event)
    assert json.dumps(event) == before


def test_a_commitment_is_refused_from_a_producer_that_does_not_sign() -> None:
    for commitment in ({"sha256": "0" * 64}, {}, {"text": "x"}):
        assert "sign" in str(refused(cloud_event("change.opened", title=commitment), "/data/title"))


@pytest.mark.parametrize("title", [None, 1, True, ["text"]])
def test_a_text_that_is_no_string_is_refused(title: Any) -> None:
    refused(cloud_event("change.opened", title=title), "/data/title")


def test_a_text_with_a_lone_surrogate_is_refused() -> None:
    refused(cloud_event("change.opened", title="a\ud800"), "/data/title")
    refused(cloud_event("change.opened", title="fine", services=["\ud800"]), "/data/services/0")


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_a_text_has_at_most_so_many_bytes_however_many_characters(character: str) -> None:
    most = MAX_TEXT_BYTES // len(character.encode())
    assert ADMISSION.admit(cloud_event("change.opened", title=character * most)).texts
    with pytest.raises(StatementTooLargeError) as caught:
        ADMISSION.admit(cloud_event("change.opened", title=character * (most + 1)))
    assert caught.value.place == "/data/title"


def test_the_digest_of_a_submission_with_texts_is_keyed() -> None:
    event = cloud_event("change.opened", title="guessable")
    statement = ADMISSION.admit(event)
    assert statement.digest == hmac.digest(PEPPER, rfc8785.dumps(event), "sha256")
    assert statement.digest != admission(pepper=b"q" * 32).admit(event).digest
    plain = hashlib.sha256(rfc8785.dumps(event)).digest()
    assert statement.digest not in (plain, hashlib.sha256(statement.body).digest())


def test_the_same_submission_has_the_same_digest_though_its_salts_differ() -> None:
    admit, event = admission().admit, cloud_event("change.opened", title="same")
    first, again, other = admit(event), admit(event), admit(event | {"data": event["data"] | {"title": "other"}})
    assert first.body != again.body
    assert first.digest == again.digest != other.digest


def test_the_pepper_does_not_show_when_the_admission_is_printed() -> None:
    assert "pepper" not in repr(ADMISSION)


def test_the_words_of_a_text_are_nowhere_in_the_statement() -> None:
    text = "Jane Doe, 1 High Street"
    statement = ADMISSION.admit(cloud_event("change.opened", title=text, description=text))
    assert b"Jane" not in statement.body
    assert "Jane" not in repr((statement.data, statement.refs))


# -- limits ----------------------------------------------------------------------------------------------------------


def padded(size: int, event: dict[str, Any]) -> dict[str, Any]:
    """Fill an event up with extensions until its canonical form has `size` bytes."""
    event = dict(event)
    numbers = itertools.count()
    while (missing := size - len(rfc8785.dumps(event))) > 0:
        name = f"pad{next(numbers)}"
        room = missing - len(f',"{name}":""')
        # The last two share what is left, so that none of them would have to be shorter than nothing.
        event[name] = "x" * (min(room, 1024) if room <= 1024 or room > 1064 else 900)
    return event


def test_a_statement_of_the_greatest_size_is_admitted_and_one_byte_more_is_not() -> None:
    event = padded(MAX_STATEMENT_BYTES, cloud_event())
    assert len(ADMISSION.admit(event).body) == MAX_STATEMENT_BYTES
    with pytest.raises(StatementTooLargeError, match=f"{MAX_STATEMENT_BYTES} bytes, found {MAX_STATEMENT_BYTES + 1}"):
        ADMISSION.admit(event | {"id": event["id"] + "x"})


@pytest.mark.usefixtures("open_catalogue")
def test_a_statement_has_at_most_64_distinct_refs() -> None:
    class Crowded(Event):
        """Something touched many things."""

        type = "test.crowded"
        says = "{things}"
        refs = ("things", "more")
        things: tuple[Annotated[str, Identifier("thing", "a")], ...] = many(at_most=100)
        more: tuple[Annotated[str, Identifier("thing", "a")], ...] = many(at_most=100)

    names = [f"t{number}" for number in range(MAX_REFS)]
    assert len(ADMISSION.admit(of_type("test.crowded", things=names, more=names)).refs) == MAX_REFS == 64
    refused(of_type("test.crowded", things=names, more=["one-more"]), "/data")


@pytest.mark.usefixtures("open_catalogue")
def test_a_ref_has_at_most_160_bytes_once_it_is_encoded() -> None:
    class Strange(Event):
        """Something had a name that a ref cannot hold as it is."""

        type = "test.strange"
        says = "{name}"
        refs = ("name",)
        name: Annotated[str, Text(r".*", 200, "x", "strange")]

    room = MAX_REF_BYTES - len("strange:")
    assert ADMISSION.admit(of_type("test.strange", name="x" * room)).refs == ("strange:" + "x" * room,)
    refused(of_type("test.strange", name="x" * (room + 1)), "/data")
    assert ADMISSION.admit(of_type("test.strange", name="é" * (room // 6))).refs == (
        "strange:" + "%C3%A9" * (room // 6),
    )
    refused(of_type("test.strange", name="é" * (room // 6 + 1)), "/data")


def greatest_entry(statement: Statement, *, by_claims: bool = False) -> bytes:
    """Put a statement into an entry in which everything else is as long as it can be.

    Whoever comes by claims has not signed: its trust would be `signed`, and its claims not there.
    """
    refs = [(f"r{number:02}:".ljust(MAX_REF_BYTES, "x"), MAX_INTEGER, MAX_INTEGER - 1) for number in range(MAX_REFS)]
    signature = Signature("f" * 64, bytes(64))
    credential, principal = "t:".ljust(80, "x"), "p:".ljust(120, "x")
    claims = {f"c{number:02}".ljust(64, "x"): "x" * MAX_CLAIM_BYTES for number in range(MAX_CLAIMS)}
    evidence = tuple(Evidence("m/".ljust(100, "x"), bytes(32), b"x" * 1000) for _ in range(MAX_EVIDENCE))
    entry = make_entry(
        ledger="o" * 160,
        evidence=evidence,
        position=MAX_INTEGER,
        prev=b"\xff" * 32,
        recorded_at="9999-12-31T23:59:59.999999Z",
        recorded_by=recorded_by_json(
            credential=credential,
            principal=principal,
            trust="oidc" if by_claims else "asserted",
            claims=claims if by_claims else None,
        ),
        refs=refs,
        statement=statement.body,
        signatures=() if by_claims else [signature] * MAX_SIGNATURES,
    )
    # The size of a body has up to 16 digits.
    return entry.replace(b'"size":1000}', b'"size":9007199254740991}')


@given(st.sampled_from(list(CATALOGUE)), st.integers(40_000, MAX_STATEMENT_BYTES) | st.just(MAX_STATEMENT_BYTES))
def test_every_admitted_statement_fits_an_entry_at_the_last_position_with_64_refs_and_4_signatures(
    event_type: str, size: int
) -> None:
    small = parse(ADMISSION.admit(of_type(event_type)).body)
    grown = padded(size - len(rfc8785.dumps(small)) + len(rfc8785.dumps(of_type(event_type))), of_type(event_type))
    try:
        statement = ADMISSION.admit(grown)
    except StatementTooLargeError:
        return
    entry = greatest_entry(statement)
    assert len(entry) <= MAX_ENTRY_BYTES == 65_535
    assert statement_bytes(entry) == statement.body


def test_the_greatest_statement_of_all_fits_the_greatest_entry() -> None:
    statement = ADMISSION.admit(padded(MAX_STATEMENT_BYTES, cloud_event()))
    assert len(statement.body) == MAX_STATEMENT_BYTES
    assert len(greatest_entry(statement)) <= MAX_ENTRY_BYTES


@given(st.sampled_from(list(CATALOGUE)), st.integers(MAX_OIDC_STATEMENT_BYTES - 100, MAX_OIDC_STATEMENT_BYTES))
def test_every_statement_by_claims_fits_an_entry_beside_sixteen_of_the_longest(event_type: str, size: int) -> None:
    small = parse(ADMISSION.admit(of_type(event_type)).body)
    grown = padded(size - len(rfc8785.dumps(small)) + len(rfc8785.dumps(of_type(event_type))), of_type(event_type))
    statement = ADMISSION.admit(grown)
    assert len(greatest_entry(statement, by_claims=True)) <= MAX_ENTRY_BYTES


def test_the_greatest_statement_by_claims_fits_the_greatest_entry() -> None:
    statement = ADMISSION.admit(padded(MAX_OIDC_STATEMENT_BYTES, cloud_event()))
    assert len(statement.body) == MAX_OIDC_STATEMENT_BYTES
    assert len(greatest_entry(statement, by_claims=True)) <= MAX_ENTRY_BYTES


def test_evidence_that_would_burst_the_entry_is_refused_at_admission() -> None:
    # Every piece of evidence is witnessed in the entry, whose size is bounded.
    evidence = tuple(Evidence.of(b"%d" % number, "application/json") for number in range(1000))
    with pytest.raises(LedgerError):
        ADMISSION.admit(cloud_event(), evidence=evidence)


@given(
    st.text(WITHOUT_NUL, max_size=40),
    st.sampled_from(["subject", "note", "statement", "prev"]),
)
def test_the_statement_comes_out_of_its_entry_as_it_went_in_whatever_its_strings_hold(text: str, name: str) -> None:
    hostile = f'{text},"statement":{{"id":"x"}}\\","statement":'
    statement = ADMISSION.admit(cloud_event() | {name: hostile})
    assert statement_bytes(greatest_entry(statement)) == statement.body
