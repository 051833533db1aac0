"""The progress of an audit in a file, so that one that was interrupted goes on where it was. Not a report: nothing is judged yet."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ledger.audit.checkpoints import Claim
from ledger.audit.fingerprints import Fingerprints
from ledger.audit.summary import Summary
from ledger.audit.walk import Job
from ledger.errors import SetupError


@dataclass(frozen=True)
class Of:
    """What an audit is of, what it is held against and how it is made: another one must not go on from its progress."""

    source: str
    genesis: bytes
    signatures: bool
    authority: int
    commitments: int
    given: tuple[Claim, ...]
    witnesses: tuple[bytes, ...]


_KEPT: Final = TypeAdapter[tuple[Of, Fingerprints, Summary]](
    tuple[Of, Fingerprints, Summary], config=ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")
)


class Resumable:
    """Keeps the summary of an audit in a file after every range. The secrets are in it too: the file is for the auditor alone."""

    def __init__(self, path: Path, job: Job, genesis: bytes, source: str) -> None:
        """Take up what `path` holds. Raises SetupError when that is of another audit, or of none."""
        self._path = path
        self._of = Of(
            source=source,
            genesis=genesis,
            signatures=job.signatures,
            authority=job.authority.position,
            commitments=len(job.commitments),
            given=job.given,
            witnesses=tuple(sorted(job.trusted_witnesses or ())),
        )
        self.job, self.summary = job, Summary.of(job)
        if path.exists():
            try:
                of, secrets, summary = _KEPT.validate_json(path.read_bytes())
            except ValidationError as error:
                raise SetupError(f"{path} cannot be read as the state of an audit: remove it to begin anew") from error
            if of != self._of:
                raise SetupError(f"{path} is the state of another audit ({of}, this one is {self._of})")
            self.job, self.summary = replace(job, secrets=secrets), replace(summary, commitments=job.commitments)

    def save(self) -> None:
        # Dies anywhere here: the file is as it was after the range before, or as it is after this one.
        part = self._path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_KEPT.dump_json((self._of, self.job.secrets, self.summary)))
        part.replace(self._path)

    def done(self) -> None:
        self._path.unlink(missing_ok=True)
