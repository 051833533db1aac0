"""Checkpoints and proof files: the published ones, the round trip, and every altered one refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook_tree import textbook_inclusion, textbook_leaf, textbook_root

from signing.checkpoint import MAX_SIZE, Checkpoint, check_checkpoint, parse_checkpoint, sign_checkpoint
from signing.errors import VerificationError
from signing.keys import SigningKey
from signing.merkle import EMPTY_ROOT, leaf_hash
from signing.notes import Note, NoteKey, parse_note, parse_verifier_key, sign_note
from signing.proof import Proof, check_proof, parse_proof

VECTORS = Path(__file__).parents[1] / "vectors" / "checkpoints"
INDEX = json.loads((VECTORS / "index.json").read_text())

# A whole small log: the test data of Tessera (github.com/transparency-dev/tessera), with its key and its proof of `three`.
LOG_KEY = parse_verifier_key("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
LOG = b"one two three four five six seven eit nain ten ileven twelf threeten fourten fivten".split()
PROOF = """\
c2sp.org/tlog-proof@v1
index 2
9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=
T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=
g0ZoeYWtIV8Q8i+4CmgqPnBvH2il107lyCgTQsyB7H4=
5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=

example.com/log/testdata
15
rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=

\u2014 example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=
""".encode()
KEY = SigningKey.from_seed(b"k" * 32)


def test_somebody_elses_log_has_the_root_that_its_checkpoint_states() -> None:
    checkpoint = check_checkpoint(parse_proof(PROOF).checkpoint, [LOG_KEY])
    assert (checkpoint.origin, checkpoint.size) == ("example.com/log/testdata", len(LOG))
    assert checkpoint.root == textbook_root([textbook_leaf(data) for data in LOG])


def test_somebody_elses_proof_is_checked_made_and_written_as_it_is() -> None:
    proof = parse_proof(PROOF)
    assert check_proof(proof, leaf_hash(b"three"), [LOG_KEY]).size == 15
    leaves = [leaf_hash(data) for data in LOG]
    assert list(proof.hashes) == textbook_inclusion(2, leaves)
    assert str(proof).encode() == PROOF
    for number, leaf in enumerate(leaves):
        mine = Proof(number, tuple(textbook_inclusion(number, leaves)), proof.checkpoint)
        check_proof(parse_proof(str(mine).encode()), leaf, [LOG_KEY])
        with pytest.raises(VerificationError):
            check_proof(mine, leaf_hash(b"none"), [LOG_KEY])


def test_every_bit_and_every_byte_of_a_proof_file_counts() -> None:
    leaf = leaf_hash(b"three")
    altered = [_flip(PROOF, place) for place in range(len(PROOF) * 8)]
    altered += [PROOF[:place] + PROOF[place + 1 :] for place in range(len(PROOF))]
    altered += [PROOF[:place] for place in range(len(PROOF))]
    for data in altered:
        if data != PROOF:
            with pytest.raises(VerificationError):
                check_proof(parse_proof(data), leaf, [LOG_KEY])


def _flip(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ (1 << bit % 8)]) + data[bit // 8 + 1 :]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("index 2\n", ""),
        ("index 2", "index 02"),
        ("index 2", "index -2"),
        ("index 2", "Index 2"),
        ("index 2\n", "index 2\nindex 2\n"),
        ("index 2\n", "extra \nextra \nindex 2\n"),
        ("index 2\n", "extra !\nindex 2\n"),
        ("index 2\n", "index 2\nextra AAAA\n"),
        ("index 2\n", "index 2\n" + "9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=\n" * 64),
        ("\n\nexample", "\nexample"),
        ("9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=", "9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2p="),
    ],
)
def test_a_proof_file_of_another_shape_is_refused(old: str, new: str) -> None:
    data = PROOF.decode().replace(old, new, 1).encode()
    assert data != PROOF
    with pytest.raises(VerificationError):
        check_proof(parse_proof(data), leaf_hash(b"three"), [LOG_KEY])


def test_extra_data_is_carried_and_vouched_for_by_nobody() -> None:
    proof = parse_proof(PROOF)
    with_extra = Proof(proof.index, proof.hashes, proof.checkpoint, b"said by nobody")
    again = parse_proof(str(with_extra).encode())
    assert again.extra == b"said by nobody"
    check_proof(again, leaf_hash(b"three"), [LOG_KEY])


def test_no_keys_are_never_a_pass() -> None:
    for keys in ([], [NoteKey("another.test", LOG_KEY.public_key)], [NoteKey(LOG_KEY.name, bytes(32))]):
        with pytest.raises(VerificationError):
            check_proof(parse_proof(PROOF), leaf_hash(b"three"), keys)


@pytest.mark.parametrize("name", INDEX["want_error"])
def test_a_checkpoint_is_judged_as_its_file_is_named(name: str) -> None:
    data = (VECTORS / f"{name}.note").read_bytes()
    key = parse_verifier_key(INDEX["key"])
    if INDEX["want_error"][name]:
        with pytest.raises(VerificationError):
            check_checkpoint(data, [key])
    else:
        assert check_checkpoint(data, [key]).origin == key.name


@given(
    st.from_regex(r"[!-*,-~]{1,60}", fullmatch=True),
    st.integers(1, MAX_SIZE),
    st.binary(min_size=32, max_size=32),
    st.lists(st.from_regex(r"[ -~]{1,20}", fullmatch=True), max_size=3),
)
def test_a_checkpoint_is_written_signed_read_and_checked(
    origin: str, size: int, root: bytes, extensions: list[str]
) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    note = sign_checkpoint(checkpoint, KEY)
    assert parse_checkpoint(note.text) == checkpoint
    assert check_checkpoint(str(note).encode(), [NoteKey(origin, KEY.public_key)]) == checkpoint


def test_a_key_of_another_name_does_not_sign_for_a_log() -> None:
    checkpoint = Checkpoint("log.test/one", 3, b"r" * 32)
    note = Note(checkpoint.text, (sign_note(checkpoint.text, "log.test/two", KEY),))
    with pytest.raises(VerificationError, match="no key of the log"):
        check_checkpoint(note, [NoteKey("log.test/two", KEY.public_key)])


def test_the_empty_tree_has_one_root() -> None:
    assert parse_checkpoint(Checkpoint("log.test/one", 0, EMPTY_ROOT).text).size == 0
    with pytest.raises(VerificationError, match="empty tree"):
        parse_checkpoint(Checkpoint("log.test/one", 0, bytes(32)).text)


@given(st.binary(max_size=200))
def test_garbage_is_refused_in_one_way(data: bytes) -> None:
    for read in (parse_proof, parse_note):
        with pytest.raises(VerificationError):
            read(data)
