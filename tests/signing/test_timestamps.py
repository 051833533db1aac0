"""Timestamps: the tokens are made by `openssl`, and everything that is wrong with one is a VerificationError."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from authority import Authority, granted, openssl

from signing.errors import VerificationError
from signing.timestamps import MAX_RESPONSE_BYTES, Certificates, check_response, make_request, read_certificates

MESSAGE = b"ledger.test/one\n1\nroot\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def roots(authority: Authority) -> Certificates:
    return read_certificates(authority.root)


@pytest.fixture(scope="module")
def request_(authority: Authority) -> bytes:
    return make_request(MESSAGE)


@pytest.fixture(scope="module")
def response(authority: Authority, request_: bytes) -> bytes:
    return authority.answer(request_)


def asked_by_openssl(authority: Authority, *options: str) -> bytes:
    """Return a request that `make_request` would not make."""
    authority.path("message").write_bytes(MESSAGE)
    return openssl("ts", "-query", "-data", authority.path("message"), *options)


def check_refused(words: str, response: bytes, roots: Certificates, message: bytes = MESSAGE, **more: Any) -> None:
    with pytest.raises(VerificationError, match=words or None):
        check_response(response, message, roots, **more)


# -- what is accepted ------------------------------------------------------------------------------------------------


def test_a_token_by_openssl_gives_its_time_in_utc(authority, roots, request_, response):
    found = check_response(response, MESSAGE, roots, request=request_)
    assert found.tzinfo == UTC
    assert abs(datetime.now(UTC) - found) < timedelta(minutes=10)
    assert authority.accepts(response, MESSAGE)


def test_a_token_verifies_without_its_request_as_an_audit_years_later_has_none(roots, request_, response):
    assert check_response(response, MESSAGE, roots) == check_response(response, MESSAGE, roots, request=request_)


def test_a_request_asks_for_a_sha256_with_a_nonce_and_the_certificate(authority, request_):
    authority.path("asked.tsq").write_bytes(request_)
    said = openssl("ts", "-query", "-in", authority.path("asked.tsq"), "-text").decode()
    assert "Hash Algorithm: sha256" in said
    assert "Nonce: 0x" in said
    assert "Certificate required: yes" in said
    assert make_request(MESSAGE) != request_


@pytest.mark.parametrize("ess", ["sha1", "sha256", "sha384", "sha512"])
def test_the_certificate_may_be_hashed_in_any_of_the_ways_of_rfc_5816(authority, roots, request_, ess):
    assert check_response(authority.answer(request_, ess=ess), MESSAGE, roots, request=request_)


def test_a_chain_over_an_intermediate_in_the_token_is_followed(authority, roots, request_):
    authority.issue("between", authority=True, purpose=None)
    authority.issue("below", issuer="between")
    assert check_response(authority.answer(request_, signer="below", chain="between"), MESSAGE, roots)
    alone = authority.answer(request_, signer="below")
    check_refused("unable to get local issuer certificate", alone, roots)
    # The one in between may be given with the roots, but is none.
    between = read_certificates(authority.path("between.pem").read_bytes())
    assert check_response(alone, MESSAGE, roots + between)
    check_refused("unable to get issuer certificate", alone, between)


def test_the_order_of_the_certificates_does_not_matter(authority, roots, request_):
    authority.issue("longer-name-so-that-it-is-the-larger-one" + "x" * 20)
    for signer in ("tsa", authority.issued[-1]):
        assert check_response(authority.answer(request_, signer=signer), MESSAGE, roots)


def test_a_certificate_that_has_expired_since_still_vouches_for_its_own_time(authority, roots, response):
    # The time of verification is the token's: `openssl ts` signs with a certificate whatever the time.
    authority.issue("short", end=f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d%H%M%SZ}")
    assert check_response(authority.sign(response, "short", "-cades"), MESSAGE, roots)


# -- what is refused -------------------------------------------------------------------------------------------------


def test_a_token_over_other_bytes_is_refused(roots, response):
    check_refused("over other bytes", response, roots, MESSAGE + b".")


def test_a_token_under_another_root_is_refused(tmp_path, response):
    check_refused("self-signed certificate in certificate chain", response, read_certificates(Authority(tmp_path).root))


def test_a_certificate_that_signed_itself_is_not_trusted_for_being_in_the_token(authority, roots, request_):
    config = authority.path("self.cnf")
    config.write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=tsa\n[dn]\n[tsa]\n"
        "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
    )
    authority.path("self.key").write_bytes(authority.path("tsa.key").read_bytes())
    made = ("-key", authority.path("self.key"), "-subj", "/CN=self", "-config", config, "-days", 9)
    openssl("req", "-x509", "-new", *made, "-out", authority.path("self.pem"))
    own = read_certificates(authority.path("self.pem").read_bytes())
    # The certificate begins now: the token is to be younger.
    answer = authority.answer(request_, signer="self")
    for forged in (answer, authority.sign(answer, "self", "-cades")):
        assert check_response(forged, MESSAGE, own), "it is right in everything else"
        check_refused("self-signed certificate", forged, roots)


def test_the_authoritys_own_certificate_is_not_a_root(authority, response):
    own = read_certificates(authority.path("tsa.pem").read_bytes())
    check_refused("self-signed certificate in certificate chain", response, own)


def test_no_roots_at_all_are_an_error(response):
    check_refused("expected at least one", response, ())


def test_an_answer_to_another_request_is_refused(authority, roots, response):
    check_refused("expected the nonce of the request", response, roots, request=make_request(MESSAGE))
    other = make_request(b"other")
    check_refused("the request is over other bytes", response, roots, request=other)
    check_refused("does not verify", response, roots, request=b"no request")


def test_an_answer_without_a_nonce_is_not_to_a_request_with_one(authority, roots, request_):
    asked = asked_by_openssl(authority, "-sha256", "-cert", "-no_nonce")
    without = authority.answer(asked)
    assert check_response(without, MESSAGE, roots)
    check_refused("expected the nonce of the request", without, roots, request=request_)
    check_refused("expected the nonce of the request, None", without, roots, request=asked)


def test_a_token_without_the_signers_certificate_is_refused(authority, roots, request_, response):
    asked = asked_by_openssl(authority, "-sha256")
    check_refused("signer's certificate in the token", authority.answer(asked), roots)
    check_refused("signer's certificate in the token", authority.sign(response, "tsa", "-cades", "-nocerts"), roots)


def test_a_token_over_another_hash_than_sha256_is_refused(authority, roots):
    asked = asked_by_openssl(authority, "-sha512", "-cert")
    check_refused("to be over a SHA-256", authority.answer(asked, digests="sha512"), roots)


def test_a_rejection_is_refused_with_what_the_authority_said(authority, roots, request_):
    rejected = authority.answer(request_, digests="sha512")
    check_refused("found REJECTION.*digest algorithm is not supported", rejected, roots)


@pytest.mark.parametrize("status", [1, 2, 3, 4, 5, 6, 127])
def test_no_status_but_granted_is_accepted_though_a_good_token_follows(roots, response, status):
    assert response[4:9] == bytes.fromhex("3003020100")
    check_refused("expected the status GRANTED|PKIStatus", response[:8] + bytes([status]) + response[9:], roots)


def test_granted_without_a_token_is_refused(roots):
    check_refused("SignedData", granted(b""), roots)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [("20200101000000Z", "20210101000000Z", "expired"), ("20400101000000Z", "20410101000000Z", "not yet valid")],
)
def test_a_certificate_that_was_not_valid_at_the_time_of_the_token_is_refused(
    authority, roots, request_, start, end, words
):
    authority.issue(words.replace(" ", "-"), start=start, end=end)
    check_refused(words, authority.answer(request_, signer=authority.issued[-1]), roots)


PURPOSES = {
    "no purpose": None,
    "another purpose": "critical,codeSigning",
    "a purpose that is not critical": "timeStamping",
    "a second purpose": "critical,timeStamping,codeSigning",
    "any purpose": "critical,anyExtendedKeyUsage",
}


@pytest.mark.parametrize("which", PURPOSES)
def test_a_certificate_with_another_purpose_than_timestamping_alone_is_refused(authority, roots, response, which):
    name = which.replace(" ", "-")
    authority.issue(name, purpose=PURPOSES[which])
    check_refused("unsuitable certificate purpose", authority.sign(response, name, "-cades"), roots)


def test_content_of_another_type_is_refused(authority, roots, response):
    check_refused("Malformed TimestampToken", authority.sign(response, "tsa", "-cades", content_type="1.2.3.4"), roots)


def test_a_signature_that_names_no_certificate_is_refused(authority, roots, response):
    # RFC 3161 §2.4.2: the attribute is not optional.
    check_refused("covers the hash of the signer's certificate", authority.sign(response, "tsa"), roots)
    check_refused("over another type of content", authority.sign(response, "tsa", "-noattr"), roots)


def test_a_second_signature_is_refused(authority, roots, response):
    authority.issue("second")
    more = ("-signer", str(authority.path("second.pem")), "-inkey", str(authority.path("second.key")))
    check_refused("one signature, found 2", authority.sign(response, "tsa", "-cades", *more), roots)


def test_another_certificate_for_the_same_key_cannot_take_the_place_of_the_signers(authority, roots, response):
    authority.issue("one", serial="7001")
    signed = authority.sign(response, "one", "-cades")
    # Of the same name and number, as an authority that was deceived might issue it: with another validity.
    authority.path("root.index").write_text("")
    key = authority.path("one.key").read_bytes()
    first = authority.certificate("one")
    authority.path("copy.key").write_bytes(key)
    authority.issue("one", key="copy", serial="7001", end="20490101000000Z")
    second = authority.certificate("one")
    assert len(first) == len(second)
    assert first != second
    assert check_response(signed, MESSAGE, roots)
    check_refused("under another certificate", signed.replace(first, second), roots)
    # Both of them together, so that each check may find the one that suits it.
    both = authority.path("both.pem")
    both.write_bytes(openssl("x509", "-inform", "DER", stdin=first))
    ambiguous = authority.sign(response, "one", "-cades", "-certfile", str(both))
    assert first in ambiguous
    assert second in ambiguous
    check_refused("found 2 of its name", ambiguous, roots)


def test_a_response_that_is_too_long_is_not_even_parsed(roots, response):
    check_refused("at most 65536 bytes", response + bytes(MAX_RESPONSE_BYTES), roots)


def test_bytes_after_the_response_are_refused(roots, response):
    check_refused("does not verify", response + b"\x00", roots)


# -- certificates ----------------------------------------------------------------------------------------------------


def test_certificates_are_read_from_pem_each_once(authority):
    pem = b"a heading\n" + authority.root + authority.root + authority.path("tsa.pem").read_bytes()
    assert len(read_certificates(pem)) == 2


@pytest.mark.parametrize(
    "pem", [b"", b"none\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff\x00"]
)
def test_a_file_without_certificates_is_an_error(pem):
    with pytest.raises(VerificationError, match="expected certificates in PEM"):
        read_certificates(pem)
