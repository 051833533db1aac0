"""Signed notes and the keys that check them: published ones are read, and no altered one is."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import KeyFormatError, VerificationError
from signing.keys import SigningKey
from signing.notes import (
    COSIGNATURE,
    MAX_NOTE_BYTES,
    Note,
    NoteKey,
    check_note,
    format_verifier_key,
    parse_note,
    parse_signature_line,
    parse_verifier_key,
    sign_note,
)
from signing.witness import cosign

# From C2SP signed-note and from Tessera's test data.
EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
# From C2SP tlog-cosignature: the type of this key is 0x04, a witness's.
WITNESS = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"


@pytest.mark.parametrize(
    ("text", "name"),
    [(EXAMPLE, "example.com/foo"), (TESSERA, "example.com/log/testdata"), (WITNESS, "witness.example.org")],
)
def test_published_verifier_keys_are_read_and_written_as_they_are(text: str, name: str) -> None:
    key = parse_verifier_key(text)
    assert key.name == name
    assert len(key.public_key) == 32
    assert format_verifier_key(key) == text
    assert key.id.hex() == text.split("+")[1]


@given(
    st.from_regex(r"[!-*,-~]{1,60}", fullmatch=True),
    st.binary(min_size=32, max_size=32),
    st.sampled_from([1, COSIGNATURE]),
)
def test_what_is_written_is_read_again(name: str, public: bytes, of_type: int) -> None:
    key = NoteKey(name, public, of_type)
    assert parse_verifier_key(format_verifier_key(key)) == key


@pytest.mark.parametrize("by", ["0", "A", "z", "+", "/", "=", " ", "\n", "é", "\ud800", ""])
def test_a_verifier_key_altered_in_any_one_place_is_refused(by: str) -> None:
    for place in range(len(EXAMPLE)):
        altered = EXAMPLE[:place] + by + EXAMPLE[place + 1 :]
        if altered != EXAMPLE:
            with pytest.raises(KeyFormatError):
                parse_verifier_key(altered)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "++",
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903a+",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo++AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        EXAMPLE + "=",
        EXAMPLE + "\n",
        " " + EXAMPLE,
        EXAMPLE[:-4],
        EXAMPLE + "AAAA",
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(KeyFormatError):
        parse_verifier_key(text)


def test_a_key_of_another_type_is_refused_though_its_id_is_right() -> None:
    name, public = "example.com/foo", bytes(32)
    identifier = hashlib.sha256(name.encode() + b"\n\x06" + public).hexdigest()[:8]
    with pytest.raises(KeyFormatError, match="Ed25519"):
        parse_verifier_key(f"{name}+{identifier}+" + base64.b64encode(b"\x06" + public).decode())


def test_the_same_key_for_notes_and_for_cosignatures_has_two_ids() -> None:
    assert parse_verifier_key(WITNESS).type == COSIGNATURE
    assert NoteKey("a", bytes(32)).id != NoteKey("a", bytes(32), COSIGNATURE).id


def test_the_key_of_one_name_is_not_the_key_of_another() -> None:
    key = parse_verifier_key(EXAMPLE)
    assert key.id != NoteKey("example.com/bar", key.public_key).id
    with pytest.raises(KeyFormatError, match="expected the key id"):
        parse_verifier_key(EXAMPLE.replace("foo", "bar"))


@pytest.mark.parametrize("name", ["", "a b", "a\tb", "a\nb", "a\u00a0b", "a\u2003b"])
def test_a_name_that_no_note_may_carry_is_refused_though_its_id_is_right(name: str) -> None:
    # C2SP signed-note: a key name is not empty and has neither Unicode spaces nor a plus.
    public = bytes(32)
    encoded = base64.b64encode(b"\x01" + public).decode()
    identifier = hashlib.sha256(name.encode() + b"\n\x01" + public).hexdigest()[:8]
    with pytest.raises(KeyFormatError):
        parse_verifier_key(f"{name}+{identifier}+{encoded}")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_a_name_that_no_note_may_carry_is_not_written(name: str) -> None:
    with pytest.raises(KeyFormatError):
        NoteKey(name, bytes(32))


# -- notes -----------------------------------------------------------------------------------------------------------

# From C2SP signed-note.
SIGNED_TEXT = "This is an example message.\n"
SIGNED = (
    SIGNED_TEXT + "\n\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
ONE, TWO = SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"2" * 32)


def test_the_published_note_verifies() -> None:
    key = parse_verifier_key(EXAMPLE)
    note = parse_note(SIGNED)
    assert note.text == SIGNED_TEXT
    assert check_note(note, [key]) == {key: None}
    assert str(note).encode() == SIGNED


def test_every_bit_of_a_note_counts() -> None:
    key = parse_verifier_key(EXAMPLE)
    for place in range(len(SIGNED) * 8):
        altered = bytearray(SIGNED)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(VerificationError):
            check_note(parse_note(bytes(altered)), [key])


def test_every_byte_left_out_or_put_in_counts() -> None:
    key = parse_verifier_key(EXAMPLE)
    for place in range(len(SIGNED) + 1):
        for altered in (SIGNED[:place] + SIGNED[place + 1 :], SIGNED[:place] + b"A" + SIGNED[place:], SIGNED[:place]):
            if altered != SIGNED:
                with pytest.raises(VerificationError):
                    check_note(parse_note(altered), [key])


@given(st.binary(max_size=300))
def test_garbage_is_no_note_and_no_other_error(data: bytes) -> None:
    with pytest.raises(VerificationError):
        check_note(parse_note(data), [parse_verifier_key(EXAMPLE)])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100))
def test_a_note_of_any_text_is_written_and_read_again(text: str) -> None:
    text = f"{text}\n\nand a blank line before\n"
    note = Note(text, (sign_note(text, "one", ONE), sign_note(text, "two", TWO)))
    again = parse_note(str(note).encode())
    assert again == note
    assert set(check_note(again, [NoteKey("one", ONE.public_key)])) == {NoteKey("one", ONE.public_key)}


def test_a_line_of_an_unknown_key_is_passed_over_and_one_of_a_known_key_that_fails_refuses_the_note() -> None:
    text = "text\n"
    good, other = sign_note(text, "one", ONE), sign_note("else\n", "two", TWO)
    one, two = NoteKey("one", ONE.public_key), NoteKey("two", TWO.public_key)
    assert check_note(Note(text, (good, other)), [one]) == {one: None}
    with pytest.raises(VerificationError, match="not by key"):
        check_note(Note(text, (good, other)), [one, two])


def test_a_known_name_with_another_keys_id_is_an_unknown_key() -> None:
    with pytest.raises(VerificationError, match="no signature by a known key"):
        check_note(Note("text\n", (sign_note("text\n", "one", TWO),)), [NoteKey("one", ONE.public_key)])


def test_no_keys_and_no_lines_are_never_a_pass() -> None:
    with pytest.raises(VerificationError, match="no keys to verify"):
        check_note(parse_note(SIGNED), [])
    with pytest.raises(VerificationError, match="no signature by a known key"):
        check_note(Note(SIGNED_TEXT, ()), [parse_verifier_key(EXAMPLE)])


def test_a_signature_of_one_type_is_not_one_of_the_other() -> None:
    line = cosign("text\n", "w", ONE, 7)
    as_note = Note("text\n", (type(line)("w", NoteKey("w", ONE.public_key).id, line.signature),))
    with pytest.raises(VerificationError, match="expected a signature of 64 bytes, found 72"):
        check_note(as_note, [NoteKey("w", ONE.public_key)])


def test_a_hundred_lines_are_read_and_no_more() -> None:
    line = str(sign_note("text\n", "one", ONE))
    assert len(parse_note(f"text\n\n{line * 100}".encode()).lines) == 100
    with pytest.raises(VerificationError, match="at most 100"):
        parse_note(f"text\n\n{line * 101}".encode())


def test_a_note_over_its_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(VerificationError, match="at most 1000000 bytes"):
        parse_note(b"\xff" * (MAX_NOTE_BYTES + 1))


@pytest.mark.parametrize(
    "line",
    ["", "\u2014", "\u2014 a", "\u2014 a ", "\u2014 a AAAA", "\u2014  AAAAAAAA", "- a AAAAAAAA", "\u2014 a+b AAAAAAAA"],
)
def test_what_is_no_signature_line_is_refused(line: str) -> None:
    with pytest.raises(VerificationError):
        parse_signature_line(line)
