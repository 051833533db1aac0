"""Bills of materials: what an artifact is made of, as one file says. Its components stand in the evidence, and here are counted alone."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    Commit,
    Count,
    Digest,
    Flag,
    RunId,
    SbomId,
    Service,
    Time,
    Version,
)


class SbomRecorded(Event):
    """A bill of materials was made, of an artifact or a service where it says of which."""

    type = "sbom.recorded"
    says = "{sbom} lists {components:component}[ of {artifact}]"
    refs: ClassVar[tuple[str, ...]] = ("sbom", "service", "commit", "run_id")
    sbom: SbomId
    format: Literal["cyclonedx", "spdx"]
    format_version: Version
    artifact: Artifact | None = None
    service: Service | None = None
    commit: Commit | None = None
    run_id: RunId | None = None
    components: Count
    # Of these, how many say exactly what they are, by a package URL; and how many need others.
    identified: Count
    dependencies: Count
    # Of the package URLs, sorted, as canonical JSON: the same where the same is in it.
    components_digest: Digest
    file_digest: Digest | None = None
    # Whether all that there is was listed, where it says so.
    complete: Flag | None = None
    made_at: Time | None = None
