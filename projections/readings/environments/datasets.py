"""Sets of data: what was said of each, that it is sensitive, that it is masked, that it may be loaded; and every load.

Not whether a load was right: that is judged by the policy, by what others than whoever loaded had said by then.
"""

from dataclasses import dataclass

from ledger.conditions import Match
from ledger.events import ref
from ledger.events.dataset import DatasetClassified, DatasetLoadApproved, DatasetLoaded, DatasetMaskingVerified
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.people.voices import Spoken, spoken


@dataclass(frozen=True)
class Classification:
    """Somebody said how sensitive a set of data is."""

    said: Spoken
    classification: str


@dataclass(frozen=True)
class Masking:
    """Somebody verified what a job had made of a set of data."""

    said: Spoken
    job_digest: str
    digest: str | None = None


@dataclass(frozen=True)
class LoadApproval:
    """Somebody let a set of data be loaded into an environment."""

    said: Spoken
    environment: str
    requester: str
    expires_at: Moment | None = None


@dataclass(frozen=True)
class Dataset:
    """One set of data. `classification` is what was recorded last, by whomever."""

    dataset_id: str
    classification: str | None = None
    classifications: tuple[Classification, ...] = ()
    maskings: tuple[Masking, ...] = ()
    approvals: tuple[LoadApproval, ...] = ()


datasets = View(
    "datasets",
    version=1,
    row=Dataset,
    kind="dataset",
    indexes=("classification",),
    doc="Sets of data: who classified each as what, who verified that it is masked, and who let it be loaded where.",
)


@datasets.on(DatasetClassified, key=lambda event: event.dataset_id)
def classified(row: Dataset, event: DatasetClassified, entry: EntryInfo) -> Dataset:
    said = Classification(spoken(entry, event.actor), event.classification)
    return replace(row, classification=event.classification, classifications=(*row.classifications, said))


@datasets.on(DatasetMaskingVerified, key=lambda event: event.dataset_id)
def masking_verified(row: Dataset, event: DatasetMaskingVerified, entry: EntryInfo) -> Dataset:
    masking = Masking(spoken(entry, event.actor), event.job_digest, event.digest)
    return replace(row, maskings=(*row.maskings, masking))


@datasets.on(DatasetLoadApproved, key=lambda event: event.dataset_id)
def load_approved(row: Dataset, event: DatasetLoadApproved, entry: EntryInfo) -> Dataset:
    expires_at = moment(event.expires_at) if event.expires_at is not None else None
    approval = LoadApproval(spoken(entry, event.actor), event.environment, event.requester, expires_at)
    return replace(row, approvals=(*row.approvals, approval))


@dataclass(frozen=True)
class Load:
    """A set of data was loaded: where, from where, as how sensitive, and as which job had masked it."""

    said: Spoken
    dataset_id: str
    environment: str
    source: str | None = None
    classification: str | None = None
    digest: str | None = None
    job_digest: str | None = None


@dataclass(frozen=True)
class DataLoad:
    """One load; where more was said under its id, all of that is `loads`, and the columns before are of the first."""

    load_id: str
    dataset_id: str | None = None
    environment: str | None = None
    source: str | None = None
    loaded_by: str | None = None
    loaded_at: Moment | None = None
    loads: tuple[Load, ...] = ()


data_loads = View(
    "data_loads",
    version=1,
    row=DataLoad,
    kind="load",
    entries_of=lambda key, row: (Match((DatasetLoaded.type,), (ref("load", key),)),),
    indexes=("dataset_id", "environment", "source", "loaded_by"),
    doc="Loads of data: which set was loaded where, from where, by whom, as how sensitive, and by which job it had been masked.",
)


@data_loads.on(DatasetLoaded, key=lambda event: event.load_id)
def loaded(row: DataLoad, event: DatasetLoaded, entry: EntryInfo) -> DataLoad:
    said = spoken(entry, event.actor)
    new = Load(
        said,
        event.dataset_id,
        event.environment,
        event.source,
        event.classification,
        event.digest,
        event.job_digest,
    )
    if any(known.said.at == said.at and replace(known, said=said) == new for known in row.loads):
        # The same by a second door.
        return row
    if not row.loads:
        row = DataLoad(row.load_id, new.dataset_id, new.environment, new.source, said.speaker, said.at)
    return replace(row, loads=(*row.loads, new))
