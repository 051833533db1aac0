"""Sealed bytes, held against the vector of RFC 8439 and against changes of any byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import VerificationError
from signing.sealing import seal, unseal

KEY, NONCE = b"k" * 32, b"n" * 12


def test_a_message_comes_back_and_cannot_be_read_before() -> None:
    sealed = seal(KEY, NONCE, b"a token")
    assert unseal(KEY, sealed) == b"a token"
    assert b"a token" not in sealed


def test_the_nonce_stands_in_front_and_the_rest_is_as_rfc_8439_has_it() -> None:
    # RFC 8439 appendix A.5 has additional data, which is not used here: the keystream of its key and nonce is.
    key = bytes.fromhex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")
    nonce = bytes.fromhex("000000000102030405060708")
    sealed = seal(key, nonce, b"Internet-Drafts are draft documents")
    assert sealed[:12] == nonce
    assert sealed[12:28].hex() == "64a0861575861af460f062c79be643bd"


@given(st.binary(max_size=60), st.data())
def test_what_was_changed_anywhere_is_refused(message: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, NONCE, message))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VerificationError):
        unseal(KEY, bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"x" * 27, seal(b"o" * 32, NONCE, b"of another key")])
def test_what_is_not_sealed_with_the_key_is_refused(sealed: bytes) -> None:
    with pytest.raises(VerificationError):
        unseal(KEY, sealed)
