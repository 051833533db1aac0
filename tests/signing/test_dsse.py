"""DSSE envelopes, held against the published encoding and against securesystemslib in both directions."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError as OtherVerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from signing.dsse import Envelope, Signature, envelopes_in, pae, sign, verify
from signing.errors import VerificationError
from signing.keys import SigningKey, VerifyingKey

TYPE = "application/vnd.change-ledger.entry.v1+json"
BODY = b'{"entry":1}'
SEED = b"s" * 32
KEY = SigningKey.from_seed(SEED)
PUBLIC = VerifyingKey(KEY.public_key)
STRANGER = SigningKey.from_seed(b"t" * 32)


def other_key() -> SSlibKey:
    # Key ids are for the key's owner to choose; left alone, that library hashes its own JSON of a key.
    return SSlibKey.from_crypto(Ed25519PrivateKey.from_private_bytes(SEED).public_key(), keyid=KEY.key_id)


def envelope(payload: bytes = BODY, payload_type: str = TYPE, signer: SigningKey = KEY) -> Envelope:
    return Envelope(payload_type, payload, (Signature(signer.key_id, sign(signer, payload_type, payload)),))


def flips(data: bytes) -> list[bytes]:
    """Every change of a single bit."""
    return [
        data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]
        for place in range(len(data))
        for bit in range(8)
    ]


def test_the_encoding_equals_the_published_vector() -> None:
    # The worked example of the DSSE protocol document.
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_counted_in_bytes_not_in_characters() -> None:
    assert pae("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"
    assert pae("", b"") == b"DSSEv1 0  0 "


@given(st.text(max_size=30), st.binary(max_size=30), st.text(max_size=30), st.binary(max_size=30))
def test_no_two_pairs_of_type_and_body_share_an_encoding(type_a: str, a: bytes, type_b: str, b: bytes) -> None:
    assert (pae(type_a, a) == pae(type_b, b)) == ((type_a, a) == (type_b, b))


@given(st.text(min_size=1, max_size=60), st.binary(max_size=200))
def test_the_other_library_encodes_alike_and_accepts_what_is_signed_here(payload_type: str, payload: bytes) -> None:
    theirs = OtherEnvelope.from_dict(envelope(payload, payload_type).to_json())
    assert theirs.pae() == pae(payload_type, payload)
    assert list(theirs.verify([other_key()], 1)) == [KEY.key_id]


@given(st.text(min_size=1, max_size=60), st.binary(max_size=200))
def test_what_the_other_library_signs_is_accepted_here(payload_type: str, payload: bytes) -> None:
    theirs = OtherEnvelope(payload, payload_type, {})
    theirs.sign(CryptoSigner(Ed25519PrivateKey.from_private_bytes(SEED), other_key()))
    ours = Envelope.from_json(theirs.to_dict())
    assert ours.payload == payload
    assert verify(ours, payload_type, [PUBLIC]) == [KEY.key_id]


def test_the_other_library_refuses_what_is_refused_here() -> None:
    forged = Envelope(TYPE, BODY + b" ", envelope().signatures)
    with pytest.raises(VerificationError):
        verify(forged, TYPE, [PUBLIC])
    with pytest.raises(OtherVerificationError):
        OtherEnvelope.from_dict(forged.to_json()).verify([other_key()], 1)


def test_an_envelope_survives_being_written_and_read() -> None:
    made = envelope()
    assert Envelope.from_json(made.to_json()) == made


def test_both_alphabets_of_base64_are_read() -> None:
    # Bytes that the two alphabets write differently.
    made = envelope(b"\xfb\xef\xbe\xff\xff\xff")
    plain = made.to_json()
    of_urls = plain | {
        "payload": base64.urlsafe_b64encode(made.payload).decode(),
        "signatures": [{"keyid": s.keyid, "sig": base64.urlsafe_b64encode(s.sig).decode()} for s in made.signatures],
    }
    assert of_urls["payload"] == "----____" != plain["payload"]
    assert verify(Envelope.from_json(of_urls), TYPE, [PUBLIC]) == [KEY.key_id]
    for fault in ("-_-", "a b=", "****"):
        with pytest.raises(VerificationError):
            Envelope.from_json(plain | {"payload": fault})


def test_every_flipped_bit_of_the_payload_is_refused() -> None:
    for payload in flips(BODY):
        with pytest.raises(VerificationError):
            verify(Envelope(TYPE, payload, envelope().signatures), TYPE, [PUBLIC])


def test_every_flipped_bit_of_the_signature_is_refused() -> None:
    good = envelope().signatures[0].sig
    assert len(flips(good)) == 512
    for sig in flips(good):
        with pytest.raises(VerificationError):
            verify(Envelope(TYPE, BODY, (Signature(KEY.key_id, sig),)), TYPE, [PUBLIC])


def test_every_flipped_bit_of_the_type_is_refused_even_by_whoever_expects_the_flipped_one() -> None:
    good = envelope()
    for flipped in flips(TYPE.encode()):
        other = flipped.decode("latin-1")
        forged = Envelope(other, BODY, good.signatures)
        for expected in (TYPE, other):
            with pytest.raises(VerificationError):
                verify(forged, expected, [PUBLIC])


def test_every_flipped_bit_of_the_key_id_is_refused() -> None:
    for flipped in flips(KEY.key_id.encode()):
        forged = Envelope(TYPE, BODY, (Signature(flipped.decode("latin-1"), envelope().signatures[0].sig),))
        with pytest.raises(VerificationError):
            verify(forged, TYPE, [PUBLIC])


def test_every_flipped_bit_of_the_public_key_is_refused() -> None:
    for public in flips(KEY.public_key):
        with pytest.raises(VerificationError):
            verify(envelope(), TYPE, [VerifyingKey(public)])


def test_an_envelope_without_signatures_is_refused() -> None:
    with pytest.raises(VerificationError, match="found none"):
        verify(Envelope(TYPE, BODY, ()), TYPE, [PUBLIC])


def test_verifying_with_no_keys_is_refused() -> None:
    with pytest.raises(VerificationError, match="no keys"):
        verify(envelope(), TYPE, [])


def test_a_signature_by_an_unknown_key_alone_is_refused() -> None:
    with pytest.raises(VerificationError, match="known"):
        verify(envelope(signer=STRANGER), TYPE, [PUBLIC])


def test_a_signature_by_an_unknown_key_beside_a_good_one_is_passed_over() -> None:
    both = Envelope(TYPE, BODY, (*envelope(signer=STRANGER).signatures, *envelope().signatures))
    assert verify(both, TYPE, [PUBLIC]) == [KEY.key_id]


@pytest.mark.parametrize("order", [1, -1])
def test_a_wrong_signature_by_a_known_key_refuses_the_envelope_whatever_stands_beside_it(order: int) -> None:
    wrong = Signature(STRANGER.key_id, sign(STRANGER, TYPE, b"something else"))
    both = Envelope(TYPE, BODY, (wrong, *envelope().signatures)[::order])
    with pytest.raises(VerificationError):
        verify(both, TYPE, [PUBLIC, VerifyingKey(STRANGER.public_key)])


def test_all_known_keys_that_signed_are_named() -> None:
    both = Envelope(TYPE, BODY, (*envelope().signatures, *envelope(signer=STRANGER).signatures))
    assert set(verify(both, TYPE, [PUBLIC, VerifyingKey(STRANGER.public_key)])) == {KEY.key_id, STRANGER.key_id}


def test_a_key_that_signs_twice_is_counted_once() -> None:
    # Whoever asks for two signatures must not be satisfied by one key that signed twice.
    twice = Envelope(TYPE, BODY, envelope().signatures * 2)
    assert verify(twice, TYPE, [PUBLIC]) == [KEY.key_id]


@pytest.mark.parametrize("size", [0, 1, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(VerificationError, match="64 bytes"):
        verify(Envelope(TYPE, BODY, (Signature(KEY.key_id, bytes(size)),)), TYPE, [PUBLIC])


def test_another_payload_type_than_expected_is_refused() -> None:
    with pytest.raises(VerificationError, match="expected the payload type"):
        verify(envelope(payload_type="text/plain"), TYPE, [PUBLIC])


GOOD: dict[str, Any] = envelope().to_json()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "envelope",
        {},
        {**GOOD, "payload": None},
        {**GOOD, "payload": "not base64!"},
        {**GOOD, "payload": "é"},
        {**GOOD, "payload": GOOD["payload"].rstrip("=") + "\n"},
        {**GOOD, "payloadType": 7},
        {**GOOD, "payloadType": None},
        {**GOOD, "payloadType": "application/\ud800"},
        {**GOOD, "signatures": None},
        {**GOOD, "signatures": 1},
        {**GOOD, "signatures": "abc"},
        {**GOOD, "signatures": [None]},
        {**GOOD, "signatures": [{"keyid": KEY.key_id}]},
        {**GOOD, "signatures": [{"keyid": KEY.key_id, "sig": "%"}]},
        {**GOOD, "signatures": [{"keyid": KEY.key_id, "sig": 5}]},
        {k: v for k, v in GOOD.items() if k != "payload"},
        {k: v for k, v in GOOD.items() if k != "payloadType"},
        {k: v for k, v in GOOD.items() if k != "signatures"},
    ],
)
def test_what_is_not_an_envelope_is_refused_with_the_errors_of_this_room(document: Any) -> None:
    with pytest.raises(VerificationError):
        Envelope.from_json(document)


def test_a_signature_without_a_key_id_is_read_and_then_refused() -> None:
    # DSSE makes keyid optional; without it nobody here says whose signature it is.
    read = Envelope.from_json({**GOOD, "signatures": [{"sig": base64.b64encode(bytes(64)).decode()}]})
    with pytest.raises(VerificationError):
        verify(read, TYPE, [PUBLIC])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b"\xff", b"[" * 200_000, b'{"a":' * 200_000, b"{}\n" + b"[" * 200_000]
)
def test_a_file_that_holds_anything_else_is_refused_with_the_errors_of_this_room(body: bytes) -> None:
    with pytest.raises(VerificationError):
        assert envelopes_in(body)
