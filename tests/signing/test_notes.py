"""Verifier keys of signed notes: published ones are read, and no altered one is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import KeyFormatError
from signing.notes import format_verifier_key, note_key_id, parse_verifier_key

# From C2SP signed-note and from Tessera's test data.
EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
# From C2SP tlog-cosignature: the type of this key is 0x04, a witness's.
WITNESS = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"


@pytest.mark.parametrize(("text", "name"), [(EXAMPLE, "example.com/foo"), (TESSERA, "example.com/log/testdata")])
def test_published_verifier_keys_are_read_and_written_as_they_are(text: str, name: str) -> None:
    found, public = parse_verifier_key(text)
    assert found == name
    assert len(public) == 32
    assert format_verifier_key(found, public) == text
    assert note_key_id(found, public).hex() == text.split("+")[1]


@given(
    st.from_regex(r"[!-*,-~]{1,60}", fullmatch=True),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_written_is_read_again(name: str, public: bytes) -> None:
    assert parse_verifier_key(format_verifier_key(name, public)) == (name, public)


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
    with pytest.raises(KeyFormatError, match="Ed25519"):
        parse_verifier_key(WITNESS)


def test_the_key_of_one_name_is_not_the_key_of_another() -> None:
    _, public = parse_verifier_key(EXAMPLE)
    assert note_key_id("example.com/foo", public) != note_key_id("example.com/bar", public)
    with pytest.raises(KeyFormatError, match="expected the key id"):
        parse_verifier_key(EXAMPLE.replace("foo", "bar"))


@pytest.mark.parametrize("name", ["", "a b", "a\tb", "a\nb", "a\u00a0b", "a\u2003b"])
def test_a_name_that_no_note_may_carry_is_refused_though_its_id_is_right(name: str) -> None:
    # C2SP signed-note: a key name is not empty and has neither Unicode spaces nor a plus.
    public = bytes(32)
    encoded = base64.b64encode(b"\x01" + public).decode()
    with pytest.raises(KeyFormatError):
        parse_verifier_key(f"{name}+{note_key_id(name, public).hex()}+{encoded}")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_a_name_that_no_note_may_carry_is_not_written(name: str) -> None:
    with pytest.raises(KeyFormatError):
        format_verifier_key(name, bytes(32))
