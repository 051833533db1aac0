"""Attestations: what was stated of artifacts, by whom it was verified, and what came out.

Not whom to believe. Whether a signature was checked, and by which key, is the door's word, and in an entry of the door's alone: anybody may
claim it.

    attestations        sha256:2c26…    verification_summary/v1 of 1 artifact: passed, SLSA_BUILD_LEVEL_3
    attested_artifacts  sha256:0b31…    by https://verifier.example.com/v1: passed, SLSA_BUILD_LEVEL_3
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.authority import ENVELOPE
from ledger.events.attestation import AttestationReceived
from projections.engine.view import EntryInfo, View, replace
from projections.readings.people.voices import Spoken, by_whom, spoken
from projections.rules.keeping import kept

# So many artifacts of a statement, and verifiers of an artifact, are kept.
KEPT: Final = 48
VERIFIERS: Final = 8

Attested = Literal["passed", "warned", "failed"]


@dataclass(frozen=True)
class Attestation:
    """One statement, as it came in first; `again` counts how often it did since, signed by whomever."""

    attestation: str
    predicate_type: str | None = None
    signature: Literal["none", "not_checked", "checked"] | None = None
    checked_by: str | None = None
    subjects: int = 0
    artifacts: tuple[str, ...] = ()
    commit: str | None = None
    verifier: str | None = None
    verdict: Attested | None = None
    properties: tuple[str, ...] = ()
    released_as: str | None = None
    said: Spoken | None = None
    again: int = 0


attestations = View(
    "attestations",
    version=2,
    row=Attestation,
    kind="attestation",
    indexes=("predicate_type", "signature", "verifier", "verdict", "commit"),
    doc="Attestations: what was stated of which artifacts, who verified them, what came out, and by which key that was checked.",
)


@attestations.on(AttestationReceived, key=lambda event: event.attestation)
def received(row: Attestation, event: AttestationReceived, entry: EntryInfo) -> Attestation:
    more = tuple(name for name in event.artifacts if name not in row.artifacts)
    is_checked = event.signature == "checked" and entry.by["credential"].startswith(ENVELOPE)
    if row.said is not None and (row.checked_by is not None or not is_checked):
        # The rest of its artifacts, or the same once more.
        return replace(row, artifacts=(*row.artifacts, *more)[:KEPT]) if more else replace(row, again=row.again + 1)
    # What somebody only posted may say otherwise: what was checked comes in its place.
    return replace(
        row,
        predicate_type=event.predicate_type,
        signature=event.signature if is_checked or event.signature != "checked" else "not_checked",
        checked_by=event.checked_by if is_checked else None,
        again=row.again + (row.said is not None),
        subjects=event.subjects,
        artifacts=event.artifacts[:KEPT],
        commit=event.commit,
        verifier=event.verifier,
        verdict=event.verdict,
        properties=event.verified_properties,
        released_as=event.released_as,
        said=spoken(entry, event.actor),
    )


# -- by what they are about ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verified:
    """What one verifier found of an artifact, in one statement."""

    verifier: str
    verdict: Attested | None
    properties: tuple[str, ...]
    said: Spoken


@dataclass(frozen=True)
class AttestedArtifact:
    """One artifact, by its digest, and what each verifier found of it last, by whoever says so; of very many, the last of each of them."""

    artifact: str
    verified: tuple[Verified, ...] = ()


attested_artifacts = View(
    "attested_artifacts",
    version=2,
    row=AttestedArtifact,
    kind="artifact",
    doc="Artifacts, by digest: what each verifier found of it, and which properties it has.",
)


@attested_artifacts.on(AttestationReceived, key=lambda event: event.artifacts if event.verifier is not None else ())
def verified(row: AttestedArtifact, event: AttestationReceived, entry: EntryInfo) -> AttestedArtifact:
    found = Verified(event.verifier or "", event.verdict, event.verified_properties, spoken(entry, event.actor))
    same = next((one for one in row.verified if _source_of(one) == _source_of(found)), None)
    if same is not None:
        # In its place, so that whoever was told of first stays among the first.
        last = found if found.said.at >= same.said.at else same
        return replace(row, verified=tuple(last if one is same else one for one in row.verified))
    # Whoever names ever more verifiers pushes out what they said themselves.
    return replace(row, verified=kept((*row.verified, found), found, by_whom, VERIFIERS))


def _source_of(found: Verified) -> tuple[str, str]:
    return found.verifier, found.said.principal
