"""Timestamps that are damaged: at every byte, at random, and bytes that never were one. Nothing but VerificationError leaves."""

import contextlib
import random

import pytest
from authority import Authority, der, granted
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import VerificationError
from signing.timestamps import Certificates, check_response, make_request, read_certificates

MESSAGE = b"ledger.test/one\n1\nroot\n"
ECDSA_WITH_SHA256 = bytes.fromhex("2a8648ce3d040302")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def roots(authority: Authority) -> Certificates:
    return read_certificates(authority.root)


@pytest.fixture(scope="module")
def response(authority: Authority) -> bytes:
    return authority.answer(make_request(MESSAGE))


def check_refused(response: bytes, roots: Certificates, message: bytes = MESSAGE) -> None:
    with pytest.raises(VerificationError):
        check_response(response, message, roots)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_flipped_bit_at_any_byte_is_refused_or_changes_nothing_that_was_signed(authority, roots, response, mask):
    time = check_response(response, MESSAGE, roots)
    accepted = []
    for at in range(len(response)):
        flipped = bytearray(response)
        flipped[at] ^= mask
        try:
            assert check_response(bytes(flipped), MESSAGE, roots) == time, f"byte {at}"
        except VerificationError:
            continue
        accepted.append(at)
        check_refused(bytes(flipped), roots, MESSAGE + b".")
    # Nobody trusts the copy of the root for being in the token, and the key decides how a signature is checked, whatever
    # the token says; besides these there are two version numbers.
    for ignored in (authority.certificate("root"), ECDSA_WITH_SHA256):
        start = response.rindex(ignored)
        accepted = [at for at in accepted if not start <= at < start + len(ignored)]
    assert len(accepted) <= 2


def test_a_response_cut_off_anywhere_is_refused(roots, response):
    for size in range(len(response)):
        check_refused(response[:size], roots)


def test_a_mutilated_response_is_refused_or_changes_nothing_that_was_signed(roots, response):
    time = check_response(response, MESSAGE, roots)
    draw = random.Random(3161)
    for _ in range(2000):
        mutant = bytearray(response)
        for _ in range(draw.randint(1, 5)):
            at, other, size = draw.randrange(len(mutant)), draw.randrange(len(mutant)), draw.randint(1, 20)
            if (way := draw.randrange(4)) == 0:
                mutant[at] = draw.randrange(256)
            elif way == 1:
                del mutant[at : at + size]
            elif way == 2:
                mutant[at:at] = draw.randbytes(size)
            else:
                mutant[at : at + size] = mutant[other : other + size]
        with contextlib.suppress(VerificationError):
            assert check_response(bytes(mutant), MESSAGE, roots) == time


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(roots, garbage):
    check_refused(garbage, roots)
    check_refused(granted(garbage), roots)
    check_refused(granted(der(0x30, bytes.fromhex("06092a864886f70d010702"), der(0xA0, garbage))), roots)
