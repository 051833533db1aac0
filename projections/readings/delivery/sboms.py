"""Bills of materials: of which artifact each is, how much it lists, and whether it says that this is all. Not what it lists."""

from dataclasses import dataclass
from typing import Literal

from ledger.events.sbom import SbomRecorded
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.people.voices import Spoken, spoken


@dataclass(frozen=True)
class Sbom:
    """One bill of materials, as it was told first. Two with one `components_digest` list the same."""

    sbom: str
    specification: Literal["cyclonedx", "spdx"] | None = None
    format_version: str | None = None
    artifact: str | None = None
    service: str | None = None
    commit: str | None = None
    run_id: str | None = None
    components: int = 0
    identified: int = 0
    dependencies: int = 0
    components_digest: str | None = None
    complete: bool | None = None
    made_at: Moment | None = None
    said: Spoken | None = None


sboms = View(
    "sboms",
    version=2,
    row=Sbom,
    kind="sbom",
    indexes=("artifact", "service", "commit", "components_digest"),
    doc="Bills of materials: of which artifact each is, how many components it lists, and whether it says that these are all.",
)


@sboms.on(SbomRecorded, key=lambda event: event.sbom)
def recorded(row: Sbom, event: SbomRecorded, entry: EntryInfo) -> Sbom:
    if row.said is not None:
        return row
    return replace(
        row,
        specification=event.format,
        format_version=event.format_version,
        artifact=event.artifact,
        service=event.service,
        commit=event.commit,
        run_id=event.run_id,
        components=event.components,
        identified=event.identified,
        dependencies=event.dependencies,
        components_digest=event.components_digest,
        complete=event.complete,
        made_at=moment(event.made_at) if event.made_at is not None else None,
        said=spoken(entry, event.actor),
    )
