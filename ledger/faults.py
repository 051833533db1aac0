"""Faults: what an audit may find wrong with an entry, a key, a checkpoint or a table. The kinds are words that stay.

Not what each of them means to an operator, what causes it and what to do: docs/reference/faults.md has a row for each.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_FAULTS: Final = 10_000


class Kind(StrEnum):
    """The kinds of faults, as a report names them."""

    # Entries
    ENTRY_ALTERED = "entry-altered"
    ENTRY_MALFORMED = "entry-malformed"
    RECEIPT_BROKEN = "receipt-broken"
    MISSING = "missing"
    LINK_BROKEN = "link-broken"
    POSITION_WRONG = "position-wrong"
    FOREIGN_ENTRY = "foreign-entry"
    CLOCK_BACKWARDS = "clock-backwards"
    TYPE_UNKNOWN = "type-unknown"
    COLUMN_TYPE = "column-type"
    BEYOND_HEAD = "beyond-head"

    # Signatures and keys
    SIGNATURE_WRONG = "signature-wrong"
    KEY_UNKNOWN = "key-unknown"
    ENROLMENT_WRONG = "enrolment-wrong"
    RECOVERY_WRONG = "recovery-wrong"
    KEY_NOT_VALID = "key-not-valid"
    KEY_REVOKED = "key-revoked"
    PRODUCER_SIGNATURE_WRONG = "producer-signature-wrong"
    KEY_OUTSIDE_SOURCES = "key-outside-sources"
    UNSIGNED = "unsigned"

    # Who recorded it
    RECORDED_BY_FORGED = "recorded-by-forged"
    CREDENTIAL_UNKNOWN = "credential-unknown"
    CREDENTIAL_NOT_ISSUED = "credential-not-issued"
    CREDENTIAL_REVOKED = "credential-revoked"
    CREDENTIAL_DISTRUSTED = "credential-distrusted"
    CREDENTIAL_EXPIRED = "credential-expired"
    CLAIMS_OUTSIDE_RULE = "claims-outside-rule"
    CREDENTIAL_OUTSIDE_SCOPE = "credential-outside-scope"
    RESERVED_AREA = "reserved-area"
    AUTHORITY_HIDDEN = "authority-hidden"
    AUTHORITY_UNREADABLE = "authority-unreadable"
    GENESIS_MISSING = "genesis-missing"

    # Refs
    REFS_WRONG = "refs-wrong"
    BACK_POINTER_WRONG = "back-pointer-wrong"
    REF_HEAD_WRONG = "ref-head-wrong"
    ENTRY_REFS_WRONG = "entry-refs-wrong"

    # Tables beside the entries
    STATEMENT_ROW_WRONG = "statement-row-wrong"
    EVENT_TYPES_WRONG = "event-types-wrong"
    SOURCES_WRONG = "sources-wrong"
    NODE_WRONG = "node-wrong"
    STORAGE_CLASS_WRONG = "storage-class-wrong"
    HEAD_MISSING = "head-missing"
    HEAD_SIZE = "head-size"
    HEAD_LAST_LEAF = "head-last-leaf"
    HEAD_FRONTIER = "head-frontier"
    HEAD_RECORDED_AT = "head-recorded-at"
    HEAD_AUTHORITY_POSITION = "head-authority-position"
    HEAD_ENTRY_KEYS = "head-entry-keys"
    HEAD_ID = "head-id"

    # Checkpoints, commitments and files
    CHECKPOINT_WRONG = "checkpoint-wrong"
    CHECKPOINT_CONTRADICTED = "checkpoint-contradicted"
    CHECKPOINT_BEYOND_HEAD = "checkpoint-beyond-head"
    CHECKPOINT_MISSING = "checkpoint-missing"
    COSIGNATURE_WRONG = "cosignature-wrong"
    TIMESTAMP_WRONG = "timestamp-wrong"
    HEADS_COMMITMENT_WRONG = "heads-commitment-wrong"
    TILE_WRONG = "tile-wrong"
    FILE_UNKNOWN = "file-unknown"

    # Texts and evidence
    TEXT_ALTERED = "text-altered"
    TEXT_MISSING = "text-missing"
    TEXT_NOT_ERASED = "text-not-erased"
    SUBMITTED_WRONG = "submitted-wrong"
    SECRET_REPLACED = "secret-replaced"
    EVIDENCE_ALTERED = "evidence-altered"
    EVIDENCE_MISSING = "evidence-missing"
    EVIDENCE_NOT_REMOVED = "evidence-not-removed"
    EVIDENCE_UNWITNESSED = "evidence-unwitnessed"

    # The pin
    NOT_PINNED_ORIGIN = "not-pinned-origin"
    NOT_PINNED_GENESIS = "not-pinned-genesis"
    NOT_PINNED_KEY = "not-pinned-key"


@dataclass(frozen=True, order=True)
class Fault:
    """Something that is not as it must be: where, what kind, and what was expected and found."""

    position: int
    kind: Kind
    detail: str


@dataclass(frozen=True, order=True)
class Affected(Fault):
    """An entry that is what it was, and stands on a key or token that was later found to have leaked.

    For a key: `revoked_at` is the position of its revocation, and `anchored` says whether a checkpoint that somebody outside
    vouched for before then covers the entry.
    """

    revoked_at: int | None = None
    anchored: bool | None = None
