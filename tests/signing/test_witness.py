"""Witnesses: cosignatures as published, and the rules of tlog-witness with their statuses."""

from collections.abc import Sequence

import pytest
from textbook_tree import textbook_consistency, textbook_leaf, textbook_root

from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.errors import VerificationError
from signing.keys import SigningKey
from signing.merkle import EMPTY_ROOT
from signing.notes import (
    COSIGNATURE,
    Note,
    NoteKey,
    SignatureLine,
    check_note,
    parse_note,
    parse_verifier_key,
    sign_note,
)
from signing.witness import (
    Witness,
    WitnessRefusalError,
    check_cosigned,
    cosign,
    format_request,
    parse_request,
    remembered,
)

# From C2SP tlog-cosignature.
WITNESS_KEY = parse_verifier_key("witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN")
COSIGNED = """\
rome2026h1.example.org
300
lCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=

\u2014 witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==
""".encode()
ORIGIN, NOW = "log.test/one", 1_795_435_200
LOG, STRANGER = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"s" * 32)
LEAVES = [textbook_leaf(b"%d" % number) for number in range(300)]
OTHERS = [textbook_leaf(b"other %d" % number) for number in range(300)]


@pytest.fixture
def witness() -> Witness:
    return Witness("witness.test/w", SigningKey.from_seed(b"w" * 32), {ORIGIN: (NoteKey(ORIGIN, LOG.public_key),)})


def head(size: int, leaves: Sequence[bytes] = LEAVES, *, signer: SigningKey = LOG) -> Note:
    return sign_checkpoint(Checkpoint(ORIGIN, size, textbook_root(leaves[:size])), signer)


def known(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, textbook_root(LEAVES[:size]))


def proof(old: int, new: int, leaves: Sequence[bytes] = LEAVES) -> list[bytes]:
    return textbook_consistency(old, leaves[:new]) if 0 < old < new else []


def refusal(witness: Witness, body: bytes, last: Checkpoint | None) -> WitnessRefusalError:
    with pytest.raises(WitnessRefusalError) as caught:
        witness.cosign(body, last, NOW)
    return caught.value


# -- cosignatures ----------------------------------------------------------------------------------------------------


def test_the_published_cosignature_verifies() -> None:
    assert check_cosigned(parse_note(COSIGNED), [WITNESS_KEY], at_least=1) == {WITNESS_KEY: 1767139200}


def test_every_bit_of_a_cosigned_checkpoint_counts() -> None:
    for bit in range(len(COSIGNED) * 8):
        altered = bytearray(COSIGNED)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VerificationError):
            check_cosigned(parse_note(bytes(altered)), [WITNESS_KEY], at_least=1)


def test_k_of_n_counts_keys_and_not_names() -> None:
    keys = [SigningKey.from_seed(bytes([n]) * 32) for n in range(3)]
    text = head(7).text
    lines = [cosign(text, f"w{n}", key, NOW) for n, key in enumerate(keys)]
    known_keys = [NoteKey(f"w{n}", key.public_key, COSIGNATURE) for n, key in enumerate(keys)]
    assert len(check_cosigned(Note(text, tuple(lines)), known_keys, at_least=3)) == 3
    assert len(check_cosigned(Note(text, tuple(lines[:2])), known_keys, at_least=2)) == 2
    with pytest.raises(VerificationError, match="cosignatures of 3 witnesses, found 2 of 3"):
        check_cosigned(Note(text, tuple(lines[:2])), known_keys, at_least=3)
    again = NoteKey("another-name", keys[0].public_key, COSIGNATURE)
    twice = Note(text, (lines[0], cosign(text, "another-name", keys[0], NOW)))
    with pytest.raises(VerificationError, match="of 2 witnesses"):
        check_cosigned(twice, [known_keys[0], again], at_least=2)


def test_no_witnesses_are_never_enough() -> None:
    note = head(7)
    assert check_cosigned(note, [], at_least=0) == {}
    with pytest.raises(VerificationError):
        check_cosigned(note, [], at_least=1)
    with pytest.raises(VerificationError):
        check_cosigned(Note(note.text, ()), [WITNESS_KEY], at_least=1)


def test_a_line_moved_from_another_checkpoint_is_refused() -> None:
    key = SigningKey.from_seed(b"w" * 32)
    line = cosign(head(6).text, "w", key, NOW)
    with pytest.raises(VerificationError):
        check_cosigned(head(7).with_lines([line]), [NoteKey("w", key.public_key, COSIGNATURE)], at_least=1)


# -- the rules -------------------------------------------------------------------------------------------------------


def test_a_log_is_cosigned_from_its_beginning_and_as_it_grows(witness: Witness) -> None:
    last: Checkpoint | None = None
    for old, new in ((0, 1), (1, 5), (5, 5), (5, 256), (256, 300)):
        note, line = witness.cosign(format_request(old, proof(old, new), head(new)), last, NOW)
        assert check_note(note, [witness.key]) == {witness.key: NOW}
        assert line in note.lines
        last = remembered(str(note).encode(), ORIGIN)
        assert last == known(new)


def test_a_checkpoint_of_size_zero_with_another_root_is_422(witness: Witness) -> None:
    wrong = sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), LOG)
    assert refusal(witness, format_request(0, [], wrong), None).status == 422


def test_the_same_line_many_times_is_kept_once(witness: Witness) -> None:
    submitted = head(7)
    note, _ = witness.cosign(format_request(0, [], Note(submitted.text, submitted.lines * 100)), None, NOW)
    assert len(note.lines) == 2
    assert remembered(str(note).encode(), ORIGIN) == known(7)


def test_a_time_over_63_bits_is_refused() -> None:
    key = SigningKey.from_seed(b"w" * 32)
    for time, good in ((2**63 - 1, True), (2**63, False), (2**64 - 1, False)):
        note = Note(head(7).text, (cosign(head(7).text, "w", key, time),))
        if good:
            check_cosigned(note, [NoteKey("w", key.public_key, COSIGNATURE)], at_least=1)
        else:
            with pytest.raises(VerificationError, match="below 2\\^63"):
                check_cosigned(note, [NoteKey("w", key.public_key, COSIGNATURE)], at_least=1)


def test_a_checkpoint_of_the_empty_log_is_cosigned(witness: Witness) -> None:
    empty = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), LOG)
    note, _ = witness.cosign(format_request(0, [], empty), None, NOW)
    assert remembered(str(note).encode(), ORIGIN).size == 0


def test_an_old_size_that_is_not_the_last_is_409_with_the_size(witness: Witness) -> None:
    for old, last in ((0, known(5)), (4, known(5)), (6, known(5)), (3, None)):
        refused = refusal(witness, format_request(old, proof(old, 7), head(7)), last)
        assert (refused.status, refused.size) == (409, last.size if last else 0)


def test_an_unknown_log_is_404(witness: Witness) -> None:
    other = sign_checkpoint(Checkpoint("log.test/two", 7, textbook_root(LEAVES[:7])), LOG)
    assert refusal(witness, format_request(0, [], other), None).status == 404
    nobody = Witness("w", STRANGER, {ORIGIN: ()})
    assert refusal(nobody, format_request(0, [], head(7)), None).status == 404


def test_a_checkpoint_that_no_trusted_key_signed_is_403(witness: Witness) -> None:
    assert refusal(witness, format_request(0, [], head(7, signer=STRANGER)), None).status == 403
    good = head(7)
    forged = SignatureLine(good.lines[0].name, good.lines[0].key_id, bytes(64))
    assert refusal(witness, format_request(0, [], Note(good.text, (forged,))), None).status == 403
    assert refusal(witness, format_request(0, [], good.with_lines([forged])), None).status == 403


def test_signatures_of_unknown_keys_are_passed_over_and_not_kept(witness: Witness) -> None:
    submitted = head(7).with_lines([sign_note(head(7).text, "stranger.test", STRANGER)])
    note, line = witness.cosign(format_request(0, [], submitted), None, NOW)
    assert [kept.name for kept in note.lines] == [ORIGIN, witness.name]
    assert line.name == witness.name


def test_a_fork_is_422(witness: Witness) -> None:
    forked = [*LEAVES[:4], *OTHERS[4:]]
    for body in (
        format_request(5, proof(5, 7, forked), head(7, forked)),
        format_request(5, proof(5, 7), head(7, forked)),
        format_request(5, proof(5, 7)[:-1], head(7)),
        format_request(5, [], head(7)),
        format_request(5, [], head(5, forked)),
        format_request(5, proof(5, 7), head(5)),
    ):
        assert refusal(witness, body, known(5)).status == 422


def test_a_proof_from_nothing_is_422(witness: Witness) -> None:
    assert refusal(witness, format_request(0, [bytes(32)], head(7)), None).status == 422


def test_an_old_size_over_the_checkpoints_is_400(witness: Witness) -> None:
    assert refusal(witness, format_request(9, [], head(7)), known(9)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0",
        b"old 0\n",
        b"old 0\n\n",
        b"new 0\n\n" + str(head(7)).encode(),
        b"old 00\n\n" + str(head(7)).encode(),
        b"old -1\n\n" + str(head(7)).encode(),
        b"old  0\n\n" + str(head(7)).encode(),
        b"old 0\nnot base64\n\n" + str(head(7)).encode(),
        b"old 0\nAAAA\n\n" + str(head(7)).encode(),
        format_request(0, [bytes(32)] * 64, head(7)),
        b"old 0\n\n" + head(7).text.encode(),
        b"\xff\n\n" + str(head(7)).encode(),
    ],
)
def test_what_cannot_be_read_is_400(witness: Witness, body: bytes) -> None:
    assert refusal(witness, body, None).status == 400


def test_a_text_that_is_signed_and_no_checkpoint_is_400(witness: Witness) -> None:
    text = f"{ORIGIN}\n007\n{'A' * 43}=\n"
    body = format_request(0, [], Note(text, (sign_note(text, ORIGIN, LOG),)))
    assert refusal(witness, body, None).status == 400


def test_a_request_is_read_as_it_was_written() -> None:
    assert parse_request(format_request(5, proof(5, 7), head(7))) == (5, proof(5, 7), head(7))


def test_a_memory_of_another_log_is_refused() -> None:
    with pytest.raises(VerificationError, match="expected a checkpoint of"):
        remembered(str(head(7)).encode(), "log.test/two")
