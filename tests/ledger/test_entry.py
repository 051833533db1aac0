"""Entries: canonical bytes put together by hand, and what is cut out of them again."""

import base64
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import encode
from ledger.entry import NO_PREVIOUS, evidence_json, make_entry, prev_of, recorded_by_json, statement_bytes
from ledger.statement import Evidence

# What a text might hold to fool whoever looks for parts of an entry in its bytes.
tricky = st.sampled_from(
    [
        ',"statement":',
        '","statement":{"id":"x"}}',
        ',"prev":"' + "0" * 64,
        '\\","statement":',
        '"',
        "\\",
        '\\"',
        ',\\"statement\\":',
        "\u2028é\x00\U0001f600",
        "statement",
        ",",
    ]
)
texts = st.one_of(tricky, st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.lists(tricky).map("".join))
hashes = st.binary(min_size=32, max_size=32)
refs = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}:[!#-\[\]-~]{1,20}", fullmatch=True),
    st.tuples(st.integers(1, 2**53 - 1), st.integers(0, 2**53 - 1)).map(list),
    max_size=5,
)
signatures = st.lists(
    st.fixed_dictionaries({"keyid": hashes.map(bytes.hex), "sig": st.binary(max_size=64).map(base64.b64encode)}).map(
        lambda s: {"keyid": s["keyid"], "sig": s["sig"].decode()}
    ),
    max_size=4,
)
# An extension of a statement may be called like a part of an entry.
names = st.sampled_from(["statement", "prev", "id", "source"]) | st.from_regex(r"[a-z]{1,9}", fullmatch=True)
statements = st.dictionaries(names, texts | st.integers(0, 99) | st.dictionaries(names, texts, max_size=2), max_size=5)


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """The parts of an entry as values, with texts that try to look like structure."""
    return {
        "evidence": [
            {"media_type": draw(texts), "sha256": draw(hashes).hex(), "size": draw(st.integers(0, 2**40))}
            for _ in range(draw(st.integers(0, 2)))
        ],
        "ledger": draw(texts),
        "position": draw(st.integers(1, 2**53 - 1)),
        "prev": draw(hashes),
        "recorded_at": "2026-11-23T12:00:00.123456Z",
        "recorded_by": {"credential": draw(texts), "principal": draw(texts), "trust": "token"}
        | draw(st.just({}) | st.fixed_dictionaries({"claims": st.dictionaries(names, texts, max_size=3)})),
        "refs": dict(sorted(draw(refs).items())),
        "signatures": draw(signatures),
        "statement": draw(statements),
    }


def entry_of(made: dict[str, Any]) -> bytes:
    return make_entry(
        ledger=encode(made["ledger"]),
        evidence=encode(made["evidence"]),
        position=made["position"],
        prev=made["prev"],
        recorded_at=encode(made["recorded_at"]),
        recorded_by=recorded_by_json(**made["recorded_by"]),
        refs=encode(made["refs"]),
        statement=encode(made["statement"]),
        signatures=encode(made["signatures"]) if made["signatures"] else b"",
    )


@given(parts())
def test_entries_are_canonical_json_of_their_parts(made: dict[str, Any]) -> None:
    expected = {**made, "entry": 1, "prev": made["prev"].hex()}
    if not made["signatures"]:
        del expected["signatures"]
    entry = entry_of(made)
    assert json.loads(entry) == expected
    assert entry == rfc8785.dumps(expected)


@given(parts())
def test_the_statement_is_cut_out_exactly_whatever_its_neighbours_say(made: dict[str, Any]) -> None:
    assert statement_bytes(entry_of(made)) == encode(made["statement"])


@given(parts())
def test_the_hash_of_the_entry_before_is_found_whatever_stands_before_it(made: dict[str, Any]) -> None:
    assert prev_of(entry_of(made)) == made["prev"]


PLAIN: dict[str, Any] = {
    "evidence": [],
    "ledger": "ledger.test/one",
    "position": 1,
    "prev": NO_PREVIOUS,
    "recorded_at": "2026-11-23T12:00:00.000000Z",
    "recorded_by": {"credential": "key:0", "principal": "service:ledger", "trust": "asserted"},
    "refs": {},
    "signatures": [],
    "statement": {"id": "1"},
}


def test_the_keys_of_an_entry_stand_in_order_and_the_statement_last() -> None:
    keys = ["entry", "evidence", "ledger", "position", "prev", "recorded_at", "recorded_by", "refs", "statement"]
    assert list(json.loads(entry_of(PLAIN))) == keys
    signed = entry_of({**PLAIN, "signatures": [{"keyid": "k", "sig": "s"}]})
    assert list(json.loads(signed)) == [*keys[:-1], "signatures", "statement"]


def test_an_entry_nobody_signed_says_nothing_of_signatures() -> None:
    assert b"signatures" not in entry_of(PLAIN)


def test_the_first_entry_points_to_sixty_four_zeros() -> None:
    assert json.loads(entry_of(PLAIN))["prev"] == "0" * 64
    assert prev_of(entry_of(PLAIN)) == NO_PREVIOUS


@pytest.mark.parametrize(
    "entry", [b"", b"{}", b'{"entry":1}', b',"prev":"zz', b'{"a":1,"prev":"' + b"g" * 64, b'{"a":1,"prev":"\xff']
)
def test_bytes_without_a_hash_of_the_entry_before_have_none(entry: bytes) -> None:
    assert prev_of(entry) is None


def test_evidence_is_witnessed_by_type_digest_and_size() -> None:
    kept = Evidence.of(b"abc", "text/plain")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert kept.sha256.hex() == digest
    assert evidence_json((kept,)) == b'[{"media_type":"text/plain","sha256":"%b","size":3}]' % digest.encode()
    assert evidence_json(()) == b"[]"
    assert evidence_json((kept, kept)) == rfc8785.dumps(json.loads(evidence_json((kept, kept))))
