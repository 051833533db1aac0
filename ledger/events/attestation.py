"""Attestations: what somebody stated of artifacts in a form that others sign and check. Of a statement only what is told here is kept."""

from typing import ClassVar, Final, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    ArtifactDigest,
    AttestationDigest,
    BuilderId,
    Commit,
    Count,
    Digest,
    Label,
    PredicateType,
    Sha256Hex,
    many,
)

# Digests of what is spoken of in one statement: each is a ref of it, of which it may have 64.
MAX_SUBJECTS: Final = 48


class AttestationReceived(Event):
    """A statement about artifacts came in. Where they are many, it is told in several statements of ours."""

    type = "attestation.received"
    says = "{predicate_type} of {subjects:subject} came in[ by {verifier}][: {verdict}]"
    refs: ClassVar[tuple[str, ...]] = ("attestation", "commit", "artifacts")
    # Of the statement, whoever signed it and how often.
    attestation: AttestationDigest
    predicate_type: PredicateType
    # Whether anybody signed it, and whether the door checked that, by which key. It counts as checked only where the door says so:
    # in an entry that is recorded by the credential of whoever the key belongs to.
    signature: Literal["none", "not_checked", "checked"]
    checked_by: Sha256Hex | None = None
    subjects: Count
    artifacts: tuple[ArtifactDigest, ...] = many(at_most=MAX_SUBJECTS, default=())
    commit: Commit | None = None
    # Who verified them, what came out, and which properties they were found to have.
    verifier: BuilderId | None = None
    verdict: Literal["passed", "warned", "failed"] | None = None
    verified_properties: tuple[Label, ...] = many(at_most=64, default=())
    policy_digest: Digest | None = None
    # As what they were released.
    released_as: Artifact | None = None
