"""Timestamps (RFC 3161): somebody else's word that some bytes existed at a time.

Not a client: who is asked, and over what, is the caller's. Not a clock either: the time is the authority's. Whoever holds
its key can put in any time within the certificate's validity; revocation is not looked up.

`rfc3161_client` parses, and has OpenSSL verify the signature and the chain to a root as of the token's own time, for the
purpose of timestamping. What it leaves to its callers is checked here: that the imprint is SHA-256, that the nonce is
the request's, that one certificate alone can be the signer's, and that the signature covers the type of what it signs
and the hash of that certificate (ESSCertID: RFC 2634 §5.4, RFC 5816).
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import rfc3161_client as rfc3161
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from rfc3161_client import _rust

from signing.errors import VerificationError

REQUEST_MEDIA_TYPE: Final = "application/timestamp-query"
RESPONSE_MEDIA_TYPE: Final = "application/timestamp-reply"
MAX_RESPONSE_BYTES: Final = 65_536
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
# What rfc3161_client and cryptography raise on bytes that somebody else made.
_UNREADABLE: Final = (
    rfc3161.VerificationError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    # Where warnings are errors: a certificate's serial number that is not positive.
    CryptographyDeprecationWarning,
)
# Contents of object identifiers in DER.
_TST_INFO: Final = bytes.fromhex("2a864886f70d0109100104")
_CONTENT_TYPE: Final = bytes.fromhex("2a864886f70d010903")
_SIGNING_CERTIFICATE: Final = bytes.fromhex("2a864886f70d010910020c")
_SIGNING_CERTIFICATE_V2: Final = bytes.fromhex("2a864886f70d010910022f")
_HASHES: Final = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_SEQUENCE: Final = 0x30
_CONTEXT_0: Final = 0xA0

Certificates = tuple[x509.Certificate, ...]


def make_request(message: bytes) -> bytes:
    """Return a request in DER: the SHA-256 of `message`, a random nonce of 64 bits, and the wish for the certificate."""
    builder = rfc3161.TimestampRequestBuilder().hash_algorithm(rfc3161.HashAlgorithm.SHA256)
    return builder.data(message).build().as_bytes()


def read_certificates(pem: bytes) -> Certificates:
    """Return the certificates of a PEM file, each once. Raises VerificationError when there are none, or one cannot be read."""
    try:
        return tuple(dict.fromkeys(x509.load_pem_x509_certificates(pem)))
    except (ValueError, x509.InvalidVersion) as error:
        raise VerificationError(f"expected certificates in PEM: {error}") from error


def check_response(response: bytes, message: bytes, roots: Certificates, *, request: bytes | None = None) -> datetime:
    """Return the time in UTC, to the second, at which an authority timestamped `message`. Raises VerificationError.

    `response` is a TimeStampResp in DER. `roots` are the self-signed certificates that are trusted; others among them only
    help to find the way there. With `request`, the answer must be to that one, and not an older one played again.
    """
    if not roots:
        raise VerificationError("no root certificates to verify a timestamp with: expected at least one")
    if len(response) > MAX_RESPONSE_BYTES:
        raise VerificationError(f"expected a timestamp of at most {MAX_RESPONSE_BYTES} bytes, found {len(response)}")
    try:
        response = _with_sorted_certificates(response)
        decoded = rfc3161.decode_timestamp_response(response)
        _check_status(decoded)
        info = decoded.tst_info
        _check_imprint(info.message_imprint, message, "the timestamp")
        if info.version != 1:
            raise VerificationError(f"expected a TSTInfo of version 1, found {info.version}")
        if request is not None:
            _check_answers(info, message, _rust.parse_timestamp_request(request))
        certificate = _signer_certificate(decoded, roots)
        # Not with `tsa_certificate`: what is given so is trusted as if it were a root, and this one came with the token.
        rfc3161.VerifierBuilder(roots=list(roots)).build().verify(decoded, hashlib.sha256(message).digest())
        _check_attributes(_signed_attributes(response), certificate)
        return info.gen_time
    except _UNREADABLE as error:
        raise VerificationError(f"the timestamp does not verify: {_in_words(error)}"[:300]) from error


def _in_words(error: Exception) -> str:
    # Of OpenSSL's stack of errors, the one phrase that says why.
    found = re.search(r'data: "(Verify error: [^"]+)"', str(error)) or re.search(r'reason: "([^"]+)"', str(error))
    return found[1] if found else str(error)


def _check_status(response: rfc3161.TimeStampResponse) -> None:
    # With grantedWithMods something else than what was asked for was signed (RFC 3161 §2.4.2).
    status = rfc3161.PKIStatus(response.status)
    if status != rfc3161.PKIStatus.GRANTED:
        said = ascii(" ".join(response.status_string))[:200]
        raise VerificationError(f"expected the status GRANTED, found {status.name}: the authority says {said}")


def _check_imprint(imprint: rfc3161.MessageImprint, message: bytes, whose: str) -> None:
    if imprint.hash_algorithm != _SHA256:
        raise VerificationError(f"expected {whose} to be over a SHA-256, found {imprint.hash_algorithm.dotted_string}")
    if imprint.message != (expected := hashlib.sha256(message).digest()):
        raise VerificationError(
            f"{whose} is over other bytes: expected {expected.hex()}, found {imprint.message.hex()}"
        )


def _check_answers(info: rfc3161.TimeStampTokenInfo, message: bytes, asked: rfc3161.TimeStampRequest) -> None:
    _check_imprint(asked.message_imprint, message, "the request")
    if asked.nonce is None or info.nonce != asked.nonce:
        raise VerificationError(f"expected the nonce of the request, {asked.nonce}, found {info.nonce}")


def _signer_certificate(response: rfc3161.TimeStampResponse, roots: Certificates) -> x509.Certificate:
    """Return the certificate that the token's one signature names by issuer and serial number.

    OpenSSL and rfc3161_client look for it independently of each other: were there two of that name, one could be checked
    for its chain and the other for its purpose.
    """
    signed = response.signed_data
    if len(signers := signed.signer_infos) != 1:
        raise VerificationError(f"expected a token with one signature, found {len(signers)}")
    signer = signers.pop()
    embedded = [x509.load_der_x509_certificate(der) for der in signed.certificates]
    named = {
        certificate
        for certificate in (*embedded, *roots)
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number)
    }
    if len(named) != 1 or not named <= set(embedded):
        raise VerificationError(f"expected the signer's certificate in the token, found {len(named)} of its name")
    return named.pop()


# -- what is signed --------------------------------------------------------------------------------------------------


class _Element(NamedTuple):
    tag: int
    content: bytes
    encoded: bytes


def _parts(der: bytes) -> list[_Element]:
    """Return the elements of DER that follow one another. Whatever is not DER is an IndexError or a ValueError."""
    found, at = [], 0
    while at < len(der):
        start, length, at = at, der[at + 1], at + 2
        if length >= 0x80:
            size = length - 0x80
            length, at = int.from_bytes(der[at : at + size]), at + size
        if at + length > len(der):
            raise ValueError("an element is cut off")
        found.append(_Element(der[start], der[at : at + length], der[start : at + length]))
        at += length
    return found


def _signed_data(response: bytes) -> list[_Element]:
    """Return the parts of the SignedData in a response (RFC 5652 §5.1)."""
    token = _parts(_parts(response)[0].content)[1]
    return _parts(_parts(_parts(token.content)[1].content)[0].content)


def _with_sorted_certificates(response: bytes) -> bytes:
    """Return a response with its certificates in the order of a SET OF in DER; no signature covers them.

    CMS does not ask for that order and OpenSSL does not keep it, but rfc3161_client reads no other.
    """
    try:
        found = [part.content for part in _signed_data(response) if part.tag == _CONTEXT_0]
        for certificates in found:
            ordered = b"".join(sorted(part.encoded for part in _parts(certificates)))
            response = response.replace(certificates, ordered, 1)
    except (IndexError, ValueError):
        pass  # No token, or none that can be read: who decodes it says so.
    return response


def _signed_attributes(response: bytes) -> dict[bytes, bytes]:
    """Return the one value of each attribute that a token's first signature covers, by the attribute's type (RFC 5652 §5.3)."""
    signer_info = _parts(_signed_data(response)[-1].content)[0]
    attributes: dict[bytes, bytes] = {}
    for part in _parts(signer_info.content):
        for attribute in _parts(part.content) if part.tag == _CONTEXT_0 else ():
            name, values = _parts(attribute.content)
            [value] = _parts(values.content)
            if name.content in attributes:
                raise VerificationError(f"the signed attribute {name.content.hex()} is there twice")
            attributes[name.content] = value.content
    return attributes


def _check_attributes(attributes: Mapping[bytes, bytes], certificate: x509.Certificate) -> None:
    """Check that a signature covers the content's type and the hash of the signer's certificate, as RFC 3161 §2.4.2 demands."""
    if attributes.get(_CONTENT_TYPE) != _TST_INFO:
        raise VerificationError("expected a signature over a TSTInfo, found one over another type of content")
    hashes = [
        _certificate_hash(name, value)
        for name, value in attributes.items()
        if name in (_SIGNING_CERTIFICATE, _SIGNING_CERTIFICATE_V2)
    ]
    if not hashes:
        raise VerificationError("expected a signature that covers the hash of the signer's certificate, found none")
    der = certificate.public_bytes(Encoding.DER)
    for algorithm, found in hashes:
        if (expected := hashlib.new(algorithm, der).digest()) != found:
            raise VerificationError(
                f"the signature was made under another certificate: expected {expected.hex()}, found {found.hex()}"
            )


def _certificate_hash(name: bytes, value: bytes) -> tuple[str, bytes]:
    """Return algorithm and hash of the first certificate, which is the signer's, of a SigningCertificate or …V2.

    SigningCertificate[V2] ::= SEQUENCE { certs SEQUENCE OF SEQUENCE { [hashAlgorithm], certHash OCTET STRING, … }, … }
    """
    first, *rest = _parts(_parts(_parts(value)[0].content)[0].content)
    algorithm = "sha1" if name == _SIGNING_CERTIFICATE else "sha256"
    if name == _SIGNING_CERTIFICATE_V2 and first.tag == _SEQUENCE:
        identifier, first = _parts(first.content)[0].content, rest[0]
        if identifier not in _HASHES:
            raise VerificationError(f"expected a certificate's hash by SHA-2, found the algorithm {identifier.hex()}")
        algorithm = _HASHES[identifier]
    return algorithm, first.content
