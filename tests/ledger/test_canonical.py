"""Canonical JSON over the restricted domain, held against the rfc8785 package; and what the strict parser refuses."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.canonical import MAX_DEPTH, MAX_INTEGER, encode, parse
from ledger.errors import StatementError, StatementTooLargeError

strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | strings
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


def same(left: Any, right: Any) -> bool:
    """Equality that tells true from 1."""
    return left == right and json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def nested(levels: int, inner: Any = 0) -> Any:
    value = inner
    for _ in range(levels):
        value = [value]
    return value


def refusal(data: bytes) -> StatementError:
    """Return how parsing and then encoding refuses: what `parse` lets through, `encode` must not."""
    with pytest.raises(StatementError) as caught:
        encode(parse(data))
    return caught.value


@given(values)
@example({"\x00\x1f\x7f": "\x00\x08\x09\x0a\x0b\x0c\x0d\x1f\x7f\x80\u2028\u2029"})
@example({"b": 1, "a": 2, "A": 3, "": 4, "aa": 5, '"': 6, "\\": 7, "/": 8, "~": 9})
@example({"text": "\ufeff\ufffe\uffff\U0001f600\U0010ffff é é"})
def test_what_is_encoded_equals_rfc_8785(value: Any) -> None:
    assert encode(value) == rfc8785.dumps(value)


@given(values)
def test_what_is_encoded_is_parsed_as_it_was(value: Any) -> None:
    assert same(parse(encode(value)), value)


@given(values, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_blanks_escapes_and_the_order_of_keys_do_not_change_what_is_parsed(
    value: Any, ensure_ascii: bool, indent: int | str | None
) -> None:
    loose = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).encode()
    assert encode(parse(loose)) == encode(value)


@given(st.binary(max_size=60) | values.map(encode).flatmap(lambda b: st.permutations(list(b)).map(bytes)))
def test_any_bytes_are_parsed_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        value = parse(data)
    except StatementError as error:
        (error.place + str(error)).encode()
    else:
        assert same(json.loads(data), value)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'{"a":1,"a":2}', "/a"),
        (b'{"a":1,"a":1}', "/a"),
        (b'{"a":1,"\\u0061":2}', "/a"),
        (b'{"x":[0,{"b":{},"c":1,"b":2}]}', "/x/1/b"),
        (b'{"":1,"":2}', "/"),
        (b'{"a/b~c":1,"a/b~c":2}', "/a~1b~0c"),
        (b"1.5", ""),
        (b"[1.0]", "/0"),
        (b'{"a":{"b":[0,0,1e2]}}', "/a/b/2"),
        (b'{"a":-0.0}', "/a"),
        (b'{"a":1E400}', "/a"),
        (b'{"a":9007199254740992}', "/a"),
        (b'{"a":-9007199254740992}', "/a"),
        (b'{"a":18446744073709551616}', "/a"),
        (b'{"a":1' + b"0" * 5000 + b"}", "/a"),
        (b'{"a":-1' + b"0" * 5000 + b"}", "/a"),
        (b'{"a":-0}', "/a"),
        (b"[[-0]]", "/0/0"),
        (b'{"a":NaN}', "/a"),
        (b'{"a":[Infinity]}', "/a/0"),
        (b'{"a":[-Infinity]}', "/a/0"),
        (b'{"a":"\\ud800"}', "/a"),
        (b'{"a":["x","\\udc00\\ud800"]}', "/a/1"),
        (b'{"a/b":{"~":"\\udfff"}}', "/a~1b/~0"),
        (b'"\\ud800"', ""),
        (b'{"a":{"\\ud800":1}}', "/a/\\ud800"),
        (b'{"\\ud800":1,"\\ud800":2}', "/\\ud800"),
        ('{"a":{"é":1}}'.encode(), "/a/é"),
        (b'{"a":' + encode(nested(MAX_DEPTH)) + b"}", "/a" + "/0" * (MAX_DEPTH - 1)),
        (encode(nested(MAX_DEPTH + 1)), "/0" * MAX_DEPTH),
    ],
)
def test_a_refusal_names_the_place(data: bytes, place: str) -> None:
    error = refusal(data)
    assert error.place == place
    assert (place or "/") in str(error)
    str(error).encode()


def test_the_first_fault_in_the_order_of_the_document_is_the_one_named() -> None:
    assert refusal(b'{"z":[1,1.5],"a":-0}').place == "/z/1"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf{}",
        b"{",
        b'{"a":1,}',
        b"[1,]",
        b"{'a':1}",
        b"{}{}",
        b"{} x",
        b"01",
        b"+1",
        b"--1",
        b"0x10",
        b".5",
        b"tru",
        b"nan",
        b'"a\nb"',
        b'"\x00"',
        b'"\\x41"',
        b'"\\u12"',
        b'"open',
        b"/* c */ {}",
        b"\x00",
        "{}".encode("utf-16"),
        "{}".encode("utf-32"),
    ],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    assert "not" in str(refusal(data))


@pytest.mark.parametrize(
    "data", [b'{"a":"\xff"}', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b"\x80"]
)
def test_what_is_not_utf_8_is_refused_and_the_byte_named(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as strict:
        data.decode()
    assert f"byte {strict.value.start} is" in str(refusal(data))


@pytest.mark.parametrize("number", [MAX_INTEGER, -MAX_INTEGER, 0, 1, -1, 10**15])
def test_the_greatest_integers_are_kept_exactly(number: int) -> None:
    assert parse(b'{"a":%d}' % number) == {"a": number}
    assert encode({"a": number}) == b'{"a":%d}' % number


def test_the_deepest_nesting_that_is_allowed_is_allowed() -> None:
    assert parse(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100, 253, 254, 255, 256, 500, 900, *range(960, 1040), 5000, 200_000])
@pytest.mark.parametrize("brackets", [(b"[", b"0", b"]"), (b'{"a":', b"0", b"}")])
def test_deeper_nesting_is_refused_and_crashes_nothing(levels: int, brackets: tuple[bytes, bytes, bytes]) -> None:
    opening, inner, closing = brackets
    assert "nested too deeply" in str(refusal(opening * levels + inner + closing * levels))


@pytest.mark.parametrize("bracket", [b"[", b'{"a":', b'{"a":[', b"[" * 3 + b'{"":'])
def test_brackets_that_never_close_crash_nothing(bracket: bytes) -> None:
    refusal(bracket * 100_000)


def test_more_bytes_than_allowed_are_refused_before_they_are_read() -> None:
    assert parse(b'"123"', max_size=5) == "123"
    with pytest.raises(StatementTooLargeError, match="at most 5 bytes, found 6"):
        parse(b"\xff" * 6, max_size=5)
