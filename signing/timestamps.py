"""Timestamps (RFC 3161): somebody else's word that some bytes existed at a time.

Not a client: the caller chooses whom to ask, and over what. Not a clock either: the time is the authority's. Whoever holds its
key can put in any time within the certificate's validity; revocation is not looked up.

`rfc3161_client` parses, and has OpenSSL verify the signature and the chain to a root as of the token's own time, for the
purpose of timestamping. What it leaves to its callers is checked here: that the imprint is SHA-256, that the nonce is
the request's, that one certificate alone can be the signer's, and that the signature covers the type of what it signs
and the hash of that certificate (ESSCertID: RFC 2634 §5.4, RFC 5816).
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

import rfc3161_client as rfc3161
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from signing.errors import VerificationError

REQUEST_MEDIA_TYPE: Final = "application/timestamp-query"
RESPONSE_MEDIA_TYPE: Final = "application/timestamp-reply"
MAX_RESPONSE_BYTES: Final = 65_536
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
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_HASHES: Final = {
    _SHA256: "sha256",
    x509.ObjectIdentifier("2.16.840.1.101.3.4.2.2"): "sha384",
    x509.ObjectIdentifier("2.16.840.1.101.3.4.2.3"): "sha512",
}
_TST_INFO: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.3")
_SIGNING_CERTIFICATE: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.16.2.12")
_SIGNING_CERTIFICATE_V2: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.16.2.47")

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
        imprint = info.message_imprint
        _check_imprint(imprint.hash_algorithm, imprint.message, message, "the timestamp")
        if info.version != 1:
            raise VerificationError(f"expected a TSTInfo of version 1, found {info.version}")
        if request is not None:
            _check_answers(info, message, asn1.decode_der(_Request, request))
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


def _check_imprint(algorithm: x509.ObjectIdentifier, found: bytes, message: bytes, whose: str) -> None:
    if algorithm != _SHA256:
        raise VerificationError(f"expected {whose} to be over a SHA-256, found {algorithm.dotted_string}")
    if found != (expected := hashlib.sha256(message).digest()):
        raise VerificationError(f"{whose} is over other bytes: expected {expected.hex()}, found {found.hex()}")


def _check_answers(info: rfc3161.TimeStampTokenInfo, message: bytes, asked: "_Request") -> None:
    imprint = asked.message_imprint
    _check_imprint(_algorithm(imprint.hash_algorithm), imprint.message, message, "the request")
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

# As RFC 3161 and RFC 5652 declare them, down to where something is looked for; what is passed over is a list of elements.
_Elements = list[asn1.TLV]


@asn1.sequence
class _MessageImprint:
    hash_algorithm: _Elements
    message: bytes


@asn1.sequence
class _Request:
    """TimeStampReq, RFC 3161 §2.4.1."""

    version: int
    message_imprint: _MessageImprint
    policy: x509.ObjectIdentifier | None
    nonce: int | None
    certificate_wanted: Annotated[bool, asn1.Default(False)]
    extensions: Annotated[_Elements | None, asn1.Implicit(0)]


@asn1.sequence
class _Attribute:
    type: x509.ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _SignerInfo:
    """RFC 5652 §5.3. Its sets are read as sequences, which differ in their order alone: whether a set has the order of DER is not asked."""

    version: int
    signer: _Elements
    digest_algorithm: _Elements
    signed_attributes: Annotated[list[_Attribute] | None, asn1.Implicit(0)]
    signature_algorithm: _Elements
    signature: bytes
    unsigned_attributes: Annotated[_Elements | None, asn1.Implicit(1)]


@asn1.sequence
class _SignedData:
    """RFC 5652 §5.1."""

    version: int
    digest_algorithms: asn1.SetOf[asn1.TLV]
    content: _Elements
    certificates: Annotated[_Elements | None, asn1.Implicit(0)]
    revocations: Annotated[_Elements | None, asn1.Implicit(1)]
    signers: asn1.SetOf[_SignerInfo]


@asn1.sequence
class _Token:
    type: x509.ObjectIdentifier
    signed_data: Annotated[_SignedData, asn1.Explicit(0)]


@asn1.sequence
class _Response:
    """TimeStampResp, RFC 3161 §2.4.2."""

    status: _Elements
    token: _Token | None


@asn1.sequence
class _CertificateId:
    """ESSCertID (RFC 2634 §5.4), and ESSCertIDv2 (RFC 5816 §2.2.1), which may name the algorithm of the hash."""

    hash_algorithm: _Elements | None
    hash: bytes
    issuer_and_serial: _Elements | None


@asn1.sequence
class _SigningCertificate:
    certificates: list[_CertificateId]
    policies: _Elements | None


def _algorithm(identifier: _Elements) -> x509.ObjectIdentifier:
    """Return the name of an AlgorithmIdentifier, which is its first element. Parameters are passed over."""
    found: x509.ObjectIdentifier = identifier[0].parse(x509.ObjectIdentifier)
    return found


def _with_sorted_certificates(response: bytes) -> bytes:
    """Return a response with its certificates in the order of a SET OF in DER; no signature covers them.

    CMS does not ask for that order and OpenSSL does not keep it, but rfc3161_client reads no other.
    """
    try:
        token = asn1.decode_der(_Response, response).token
    except ValueError:
        return response  # None that can be read, as its decoder is going to say.
    found = [asn1.encode_der(certificate) for certificate in (token and token.signed_data.certificates) or ()]
    return response.replace(b"".join(found), b"".join(sorted(found)), 1)


def _signed_attributes(response: bytes) -> dict[x509.ObjectIdentifier, asn1.TLV]:
    """Return the one value of each attribute that a token's one signature covers, by the attribute's type (RFC 5652 §5.3)."""
    token = asn1.decode_der(_Response, response).token
    if token is None:
        raise VerificationError("expected a response with a token, found one without")
    [signer] = token.signed_data.signers.as_list()
    attributes: dict[x509.ObjectIdentifier, asn1.TLV] = {}
    for attribute in signer.signed_attributes or ():
        [value] = attribute.values.as_list()
        if attribute.type in attributes:
            raise VerificationError(f"the signed attribute {attribute.type.dotted_string} is there twice")
        attributes[attribute.type] = value
    return attributes


def _check_attributes(attributes: Mapping[x509.ObjectIdentifier, asn1.TLV], certificate: x509.Certificate) -> None:
    """Check that a signature covers the content's type and the hash of the signer's certificate, as RFC 3161 §2.4.2 demands."""
    content_type = attributes.get(_CONTENT_TYPE)
    if content_type is None or content_type.parse(x509.ObjectIdentifier) != _TST_INFO:
        raise VerificationError("expected a signature over a TSTInfo, found one over another type of content")
    hashes = [
        _certificate_hash(default, attributes[name])
        for name, default in ((_SIGNING_CERTIFICATE, "sha1"), (_SIGNING_CERTIFICATE_V2, "sha256"))
        if name in attributes
    ]
    if not hashes:
        raise VerificationError("expected a signature that covers the hash of the signer's certificate, found none")
    der = certificate.public_bytes(Encoding.DER)
    for algorithm, found in hashes:
        if (expected := hashlib.new(algorithm, der).digest()) != found:
            raise VerificationError(
                f"the signature was made under another certificate: expected {expected.hex()}, found {found.hex()}"
            )


def _certificate_hash(default: str, value: asn1.TLV) -> tuple[str, bytes]:
    """Return algorithm and hash of the first certificate, which is the signer's, of a SigningCertificate or …V2."""
    first: _CertificateId = value.parse(_SigningCertificate).certificates[0]
    if first.hash_algorithm is None:
        return default, first.hash
    if (algorithm := _algorithm(first.hash_algorithm)) not in _HASHES or default == "sha1":
        raise VerificationError(
            f"expected a certificate's hash by SHA-2, found the algorithm {algorithm.dotted_string}"
        )
    return _HASHES[algorithm], first.hash
