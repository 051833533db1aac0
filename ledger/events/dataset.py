"""Sets of data: how sensitive each is, whether it was masked, and where it was loaded."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import DatasetId, Digest, Environment, Identity, Label, LoadId, Time


class DatasetEvent(Event):
    """A fact about one set of data."""

    refs: ClassVar[tuple[str, ...]] = ("dataset_id",)
    dataset_id: DatasetId


class DatasetClassified(DatasetEvent):
    """Somebody said how sensitive a set of data is."""

    type = "dataset.classified"
    says = "{actor} classified {dataset_id} as {classification}"
    classification: Label


class DatasetMaskingVerified(DatasetEvent):
    """Somebody looked at what a job made of a set of data, and found nothing in it that was to be masked."""

    type = "dataset.masking_verified"
    says = "{actor} verified that {dataset_id} is masked[ as {digest}]"
    job_digest: Digest
    # Of what the job made.
    digest: Digest | None = None


class DatasetLoadApproved(DatasetEvent):
    """Somebody let a set of data be loaded into an environment, as somebody else had asked."""

    type = "dataset.load_approved"
    says = "{actor} let {dataset_id} be loaded into {environment}, as {requester} had asked"
    refs = ("dataset_id", "environment")
    actor: Identity
    environment: Environment
    requester: Identity
    expires_at: Time | None = None


class DatasetLoaded(DatasetEvent):
    """A set of data was loaded into an environment, from another where one is said."""

    type = "dataset.loaded"
    says = "{dataset_id} was loaded into {environment}[ by {actor}][, from {source}]"
    refs = ("dataset_id", "environment", "load_id")
    load_id: LoadId
    environment: Environment
    source: Environment | None = None
    # As whoever loads it says; others may know better.
    classification: Label | None = None
    # Of what was loaded, and of the job that had masked it.
    digest: Digest | None = None
    job_digest: Digest | None = None
