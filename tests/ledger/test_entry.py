"""Entries: canonical bytes put together by hand, and what is cut out of them again."""

import base64
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import encode
from ledger.entry import NO_PREVIOUS, make_entry, prev_of, recorded_by_json, statement_bytes
from ledger.statement import Evidence
from ledger.trust_rules import PART_OF_AN_ENTRY
from signing.dsse import Signature

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
signatures = st.lists(st.builds(Signature, hashes.map(bytes.hex), st.binary(max_size=64)), max_size=4)
# An extension of a statement may be called like a part of an entry.
names = st.sampled_from(["statement", "prev", "id", "source"]) | st.from_regex(r"[a-z]{1,9}", fullmatch=True)
statements = st.dictionaries(names, texts | st.integers(0, 99) | st.dictionaries(names, texts, max_size=2), max_size=5)
# No trust rule takes a claim of that name: `ledger.trust_rules`.
claims = names.filter(lambda name: name != PART_OF_AN_ENTRY)


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """The parts of an entry as values, with texts that try to look like structure."""
    return {
        "evidence": draw(st.lists(st.builds(Evidence, texts, hashes, st.binary(max_size=12)), max_size=2)),
        "ledger": draw(texts),
        "position": draw(st.integers(1, 2**53 - 1)),
        "prev": draw(hashes),
        "recorded_at": "2026-11-23T12:00:00.123456Z",
        "recorded_by": {"credential": draw(texts), "principal": draw(texts), "trust": "token"}
        | draw(st.just({}) | st.fixed_dictionaries({"claims": st.dictionaries(claims, texts, max_size=3)})),
        "refs": dict(sorted(draw(refs).items())),
        "signatures": draw(signatures),
        "statement": draw(statements),
    }


def entry_of(made: dict[str, Any]) -> bytes:
    refs = [(name, *counted) for name, counted in made["refs"].items()]
    more = {"recorded_by": recorded_by_json(**made["recorded_by"]), "statement": encode(made["statement"])}
    return make_entry(**{**made, **more, "refs": refs})


def expected_of(made: dict[str, Any]) -> dict[str, Any]:
    """The entry as a document, its parts written out."""
    signed = [{"keyid": s.keyid, "sig": base64.b64encode(s.sig).decode()} for s in made["signatures"]]
    kept = [{"media_type": e.media_type, "sha256": e.sha256.hex(), "size": len(e.body)} for e in made["evidence"]]
    document = {**made, "entry": 1, "prev": made["prev"].hex(), "evidence": kept, "signatures": signed}
    return document if signed else {name: value for name, value in document.items() if name != "signatures"}


@given(parts())
def test_entries_are_canonical_json_of_their_parts(made: dict[str, Any]) -> None:
    entry = entry_of(made)
    assert json.loads(entry) == expected_of(made)
    assert entry == rfc8785.dumps(expected_of(made))


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
    signed = entry_of({**PLAIN, "signatures": [Signature("k", b"s")]})
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
    assert json.loads(entry_of({**PLAIN, "evidence": [kept]}))["evidence"] == [
        {"media_type": "text/plain", "sha256": digest, "size": 3}
    ]
