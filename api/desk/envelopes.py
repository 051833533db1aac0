"""Signed envelopes of files, held against the keys of enrolled sources: who vouches for what such a file says.

What was signed speaks for its signer, whoever brings it: it is recorded by the credential of the enrolment (`envelope:…`), with the trust
`signed`, and takes nothing from the URL, which nobody signed. Every key that is enrolled is tried: ids of keys in envelopes are hints that
nobody has to give. What no enrolled key signed is said by whoever posts it, as ever.

Not checked are certificates and transparency logs: a bundle whose key comes with a certificate (keyless) is one that no such key signed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.intake.context import Context
from api.intake.formats import Enveloped, Format
from api.intake.translation import ForgedError
from ledger.authority import Authority, Caller, EnrolledSource, source_matches
from ledger.canonical import encode
from ledger.errors import ForbiddenError, StatementError
from signing.dsse import Envelope, pae
from signing.errors import VerificationError
from signing.outside_keys import outside_key

# As what a file of envelopes is kept.
ENVELOPES: Final = "application/vnd.dsse.envelope.v1+json"
# Signatures of one envelope that are looked at.
MAX_SIGNATURES: Final = 8
# Signatures of one file, each held against each enrolled key: some thousand take a second, and every envelope may have more of them.
MAX_CHECKS: Final = 4096


@dataclass(frozen=True)
class Vouched:
    """Who signed all statements of a file, and by which key each."""

    signer: EnrolledSource
    keys: tuple[str, ...]
    payloads: tuple[str, ...]
    format_name: str

    @property
    def caller(self) -> Caller:
        """In whose name they are recorded."""
        return Caller(self.signer.credential or "", self.signer.principal, "signed", door=self.signer.door)

    @property
    def beside(self) -> dict[str, str]:
        """What a translator is given: the keys in the order of the statements, and the source of what names none itself."""
        return {
            "checked_by": " ".join(self.keys),
            "source": self.signer.source.removesuffix("*"),
            "identity": self.identity,
        }

    @property
    def identity(self) -> str:
        """What names the facts: what was signed, and by which keys."""
        said = {"format": self.format_name, "checked_by": list(self.keys), "payloads": list(self.payloads)}
        return hashlib.sha256(encode(said)).hexdigest()


def vouched_for(authority: Authority, known: Format, context: Context | None, body: bytes) -> Vouched | None:
    """Return who vouches for all statements of a file that can be read; None where they are the word of whoever posts them.

    Raises ForgedError for a signature that is not by the key that it names, ForbiddenError for what its signer may not say or has to
    sign, and StatementError for what one file cannot say.
    """
    signers = authority.signers(known.name)
    if not signers or known.envelopes is None:
        return None
    statements = known.envelopes.read(body)
    _check_cost(statements, signers)
    found = [_signer_of(statement, signers) for statement in statements]
    first = found[0]
    if first is None and not any(found):
        return None
    if first is None or any(one is None or one[0] is not first[0] for one in found):
        raise StatementError(
            "expected statements that one enrolled source signed: post those of others in files of their own"
        )
    if context is not None and context.said:
        name = next(iter(context.said))
        raise StatementError(
            f"leave out {name}: this is signed by a key of {first[0].source}, and what it says is taken from it alone",
            f"/{name}",
        )
    keys = tuple(one[1] for one in found if one is not None)
    return Vouched(first[0], keys, tuple(statement.payload_sha256 for statement in statements), known.name)


def _check_cost(statements: Sequence[Enveloped], signers: Sequence[EnrolledSource]) -> None:
    """Raise StatementError for a file whose signatures would take too long to try."""
    keys = sum(len(enrolled.envelope_keys) for enrolled in signers)
    signatures = sum(len(one.envelope.signatures[:MAX_SIGNATURES]) for one in statements if one.envelope is not None)
    if signatures * keys > MAX_CHECKS:
        raise StatementError(
            f"expected a file of at most {MAX_CHECKS // keys} signatures, as {keys} keys are enrolled that may have made them; found "
            f"{signatures}: post its envelopes in several files"
        )


def _signer_of(statement: Enveloped, signers: Sequence[EnrolledSource]) -> tuple[EnrolledSource, str] | None:
    """Return the enrolment whose key signed a statement, and the key."""
    signed = list(_signed_by(statement.envelope, signers)) if statement.envelope is not None else []
    speaker = statement.speaker
    for enrolled, key in signed:
        if speaker is None or source_matches(enrolled.source, speaker):
            return enrolled, key
    if signed:
        enrolled, key = signed[0]
        raise ForbiddenError(
            f"the key {key[:16]}… is enrolled for {enrolled.source}; what it signed is said by {speaker}"[:400]
        )
    for enrolled in signers:
        if enrolled.must_sign and speaker is not None and source_matches(enrolled.source, speaker):
            raise ForbiddenError(f"{speaker} must sign what it says, and no key that is enrolled for it did"[:400])
    return None


def _signed_by(envelope: Envelope, signers: Sequence[EnrolledSource]) -> list[tuple[EnrolledSource, str]]:
    """Return the enrolments whose keys signed an envelope, each with the key. Raises ForgedError."""
    message = pae(envelope.payload_type, envelope.payload)
    found = []
    for signature in envelope.signatures[:MAX_SIGNATURES]:
        for enrolled in signers:
            for text in enrolled.envelope_keys:
                key = outside_key(text)
                try:
                    key.check(signature.sig, message)
                except VerificationError as error:
                    if signature.keyid.lower() == key.key_id:
                        raise ForgedError(
                            f"the envelope names the key {key.key_id[:16]}… of {enrolled.source}: {error}"
                        ) from None
                else:
                    found.append((enrolled, key.key_id))
    return found
