"""The ledger about itself: keys, credentials, sources, imports, clock, erasure. Reserved: only the ledger appends these.

What decides who may do what is an entry like any other, so audit can judge every entry by what was in force before it.
Longer than other modules: an area is one module, and this one has the most types.
"""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Area,
    CheckpointName,
    ClaimName,
    ClaimValue,
    Count,
    CredentialId,
    EventType,
    Flag,
    Identity,
    IdentityKind,
    ImportId,
    Issuer,
    Label,
    Network,
    Origin,
    Part,
    Position,
    PublicKeyBase64,
    PublicKeyHex,
    Sha256Hex,
    SignatureBase64,
    Source,
    SourcePattern,
    Time,
    Version,
    many,
)

KeyRole = Literal["entry", "checkpoint", "producer", "witness"]
CredentialRole = Literal["reporter", "auditor", "analyst", "operator"]


class OperatorAct(Event):
    """Something that an operator asked the ledger to do, and by which credential, when it was asked over HTTP."""

    requested_by: CredentialId | None = None


class Predecessor(Part):
    """The last checkpoint of the ledger that this one goes on from, because nobody holds a key of that one any more."""

    origin: CheckpointName
    size: Position
    root: Sha256Hex


class LedgerOpened(Event):
    """The ledger began: its name, its format, its first keys. Always at position 1."""

    type = "ledger.opened"
    says = "ledger {origin} was opened"
    origin: Origin
    format_version: Count
    entry_key: PublicKeyHex
    # The entry key shows that it is held by signing this entry; the checkpoint key by a signature of its own.
    checkpoint_key: PublicKeyHex
    checkpoint_possession: SignatureBase64 | None = None
    predecessor: Predecessor | None = None
    # Of the secret that lies beside the log and keys the digests of submitted texts, so that it cannot be
    # replaced unnoticed.
    secret_sha256: Sha256Hex


class LedgerKeyEnrolled(OperatorAct):
    """A public key was added; it is valid from the next position on."""

    type = "ledger.key_enrolled"
    says = "{actor} enrolled the {role} key {public_key} as {name}"
    role: KeyRole
    name: Origin
    public_key: PublicKeyHex
    # For which sources a producer's key may sign.
    sources: tuple[SourcePattern, ...] = many(at_most=16, default=())
    # By the key itself, over origin and role: whoever enrols it holds it. A witness cosigns instead.
    possession: SignatureBase64 | None = None


class LedgerKeyRecovered(OperatorAct):
    """A new entry key was let in by the checkpoint key, because nobody holds a valid one any more. It signs this entry itself."""

    type = "ledger.key_recovered"
    says = "{actor} recovered the ledger with the entry key {public_key}: {reason}"
    name: Origin
    public_key: PublicKeyHex
    # The hash of the entry before, so that no other history can be continued with this.
    last_entry: Sha256Hex
    # The entry keys that were valid until here, and end.
    ended: tuple[Sha256Hex, ...] = many(default=())
    checkpoint_key: Sha256Hex
    endorsement: SignatureBase64
    reason: Label


class LedgerKeyRetired(OperatorAct):
    """A key ended its service; what it signed up to here stays good."""

    type = "ledger.key_retired"
    says = "{actor} retired the {role} key {key_id}"
    role: KeyRole
    key_id: Sha256Hex


class LedgerKeyRevoked(OperatorAct):
    """A key can no longer be trusted from a position on, perhaps one in the past."""

    type = "ledger.key_revoked"
    says = "{actor} revoked the {role} key {key_id} from position {from_position} on"
    role: KeyRole
    key_id: Sha256Hex
    from_position: Position
    reason: Label


class LedgerCredentialIssued(OperatorAct):
    """A bearer token was made for a principal. Only its SHA-256 is kept."""

    type = "ledger.credential_issued"
    says = "{actor} issued {credential} to {principal} as {roles}"
    refs = ("credential",)
    credential: CredentialId
    principal: Identity
    kind: Literal["human", "service"]
    roles: tuple[CredentialRole, ...] = many(at_least=1, at_most=4)
    areas: tuple[Area, ...] = many()
    # Single event types that it may report beside those areas.
    types: tuple[EventType, ...] = many(default=())
    sources: tuple[SourcePattern, ...] = many()
    token_sha256: Sha256Hex
    expires_at: Time | None = None


class RequiredClaim(Part):
    """A claim that a token must make, and the values of which it must have one: exact, or a prefix that ends in `*`."""

    claim: ClaimName
    one_of: tuple[ClaimValue, ...] = many(at_least=1, at_most=16)


class ClaimedPrincipal(Part):
    """A principal whose name is a claim: `kind:` and the claim's value."""

    kind: IdentityKind
    claim: ClaimName


class LedgerTrustRuleEnrolled(OperatorAct):
    """Tokens of an issuer (OpenID Connect) that make certain claims are accepted as a credential. `ledger.credential_revoked` ends it."""

    type = "ledger.trust_rule_enrolled"
    says = "{actor} enrolled {credential}: tokens of {issuer} for {audience}, as {roles}"
    refs = ("credential",)
    credential: CredentialId
    issuer: Issuer
    audience: Source
    # All of these; what was required and what is recorded stands in `recorded_by`: sixteen claims at most.
    required: tuple[RequiredClaim, ...] = many(at_least=1, at_most=8)
    recorded: tuple[ClaimName, ...] = many(at_most=8, default=())
    # One of the two: the same for every token, or each token's own, by a claim that is recorded.
    principal: Identity | None = None
    principal_from: ClaimedPrincipal | None = None
    kind: Literal["human", "service"]
    roles: tuple[CredentialRole, ...] = many(at_least=1, at_most=4)
    areas: tuple[Area, ...] = many()
    types: tuple[EventType, ...] = many(default=())
    sources: tuple[SourcePattern, ...] = many()
    expires_at: Time | None = None


class LedgerCredentialRevoked(OperatorAct):
    """A credential is no longer accepted; from a position on, perhaps one in the past, it is no longer believed."""

    type = "ledger.credential_revoked"
    says = "{actor} revoked {credential}: {reason}"
    refs = ("credential",)
    credential: CredentialId
    from_position: Position | None = None
    reason: Label


class LedgerSourceEnrolled(OperatorAct):
    """A source of statements was made known: by which door it comes, whether it must sign, for whom it may speak."""

    type = "ledger.source_enrolled"
    says = "{actor} enrolled the source {source} at the door {door}"
    refs = ("credential",)
    source: SourcePattern
    door: Label
    credential: CredentialId | None = None
    principal: Identity
    must_sign: Flag
    authority_for: tuple[SourcePattern, ...] = many(at_most=16, default=())
    # The only event types that its door records for it; none named: all.
    types: tuple[EventType, ...] = many(default=())
    # By which keys it signs its envelopes; what is signed by one of them, its door records in its name.
    envelope_keys: tuple[PublicKeyBase64, ...] = many(at_most=8, default=())
    # Whether its envelopes hold nothing that must not be kept, and are kept whole.
    keeps_envelopes: Flag = False


class LedgerSourceRetired(OperatorAct):
    """A source is no longer accepted."""

    type = "ledger.source_retired"
    says = "{actor} retired the source {source} at the door {door}"
    source: SourcePattern
    door: Label


class ImportEvent(OperatorAct):
    """A fact about one import of history."""

    refs: ClassVar[tuple[str, ...]] = ("import_id",)
    import_id: ImportId


class LedgerImportOpened(ImportEvent):
    """A credential is about to bring in facts of long ago: of certain sources, up to a time, judged by the times that they state."""

    type = "ledger.import_opened"
    says = "{actor} opened the import {import_id} by {credential} of {sources} up to {until}"
    refs = ("import_id", "credential")
    credential: CredentialId
    sources: tuple[SourcePattern, ...] = many(at_least=1, at_most=16)
    until: Time
    reason: Label


class LedgerImportClosed(ImportEvent):
    """An import of history ended: what the credential records from here on is no history any more."""

    type = "ledger.import_closed"
    says = "{actor} closed the import {import_id}"


class LedgerToolPublished(OperatorAct):
    """A program that checks what the ledger gave out was published: whoever has it can tell that it is this one."""

    type = "ledger.tool_published"
    says = "{actor} published {tool} {version} with SHA-256 {sha256}"
    tool: Label
    version: Version
    sha256: Sha256Hex


class LedgerClockCorrected(OperatorAct):
    """An operator set the ledger's clock right; only here may `recorded_at` go back."""

    type = "ledger.clock_corrected"
    says = "{actor} corrected the ledger's clock from {previous}"
    previous: Time
    reason: Label


class LedgerTimePassed(Event):
    """Nothing else was appended for an hour: what fell due by time alone has an entry to stand on."""

    type = "ledger.time_passed"
    says = "time passed to {until}"
    until: Time


class LedgerTextsErased(OperatorAct):
    """The erasable texts of an entry were deleted; its leaf and its proofs stay."""

    type = "ledger.texts_erased"
    says = "{actor} erased {erased:text} of position {position}: {reason}"
    position: Position
    erased: Count
    reason: Label


class LedgerEvidenceRemoved(OperatorAct):
    """Evidence kept beside the log was deleted by retention; its digest stays witnessed."""

    type = "ledger.evidence_removed"
    says = "{actor} removed the evidence {sha256} of position {position}: {reason}"
    position: Position
    sha256: Sha256Hex
    reason: Label


class LedgerRestored(OperatorAct):
    """An old backup was put back on purpose: what had come after it is lost, and a new incarnation of the ledger begins."""

    type = "ledger.restored"
    says = "{actor} restored a backup that ends at position {last_kept}; a checkpoint of size {lost_size} had been signed: {reason}"
    last_kept: Position
    lost_size: Position
    lost_root: Sha256Hex
    reason: Label


class LedgerTimestamped(OperatorAct):
    """A timestamp authority vouched for a checkpoint: it existed at that time. Checkpoint and token are this entry's evidence."""

    type = "ledger.timestamped"
    says = "{authority} timestamped the checkpoint of size {size} at {timestamp}"
    size: Position
    root: Sha256Hex
    authority: Source
    timestamp: Time


class LedgerViewEntrySkipped(OperatorAct):
    """A view stopped at an entry that its folds could not take, and an operator had this version of them step over it."""

    type = "ledger.view_entry_skipped"
    says = "{actor} had the view {view} (version {version}) step over position {position}: {reason}"
    view: Label
    version: Count
    position: Position
    # The views that read it, directly or not: they are folded anew, too.
    dependents: tuple[Label, ...] = many(at_most=128, default=())
    reason: Label


class FailedAuthentications(Part):
    """How often authentication failed from a network, with a credential that the ledger knows, or with none."""

    credential: CredentialId | None = None
    network: Network
    count: Count


class LedgerAuthenticationFailures(Event):
    """Authentications failed: how many in all, and the 50 senders with most. By the hour and by process; nothing where none failed."""

    type = "ledger.authentication_failures"
    says = "{total:authentication} failed since {since}"
    since: Time
    total: Count
    largest: tuple[FailedAuthentications, ...] = many(at_most=50)
    # Of all other senders.
    others: Count


class LedgerHeadsCommitted(Event):
    """The ledger committed to the last position of every ref."""

    type = "ledger.heads_committed"
    says = "the heads of {ref_count:ref} were committed as of position {as_of}"
    as_of: Position
    ref_count: Count
    root: Sha256Hex
