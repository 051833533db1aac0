"""The shapes of answers, as the description of the API names them. Tests hold answers against them.

Long, because it is a list of small shapes that refer to each other, and a reader looks for one by its name. They are
closed: what a route answers and does not describe is found. No answer is made from them, so they cost nothing
when one is given. Rows of views have their shapes from their row models (`api.http.description_of_views`).
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger.events.ledger import CredentialRole, KeyRole


class Shape(BaseModel):
    """A closed JSON object."""

    model_config = ConfigDict(extra="forbid")


class Problem(Shape):
    """What is wrong, and where (RFC 9457)."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    place: str | None = Field(default=None, description="A JSON pointer into what was sent.", examples=["/data/actor"])
    position: int | None = Field(default=None, description="The entry that speaks against it.")
    canonical: str | None = Field(default=None, description="What the signed payload would have to be.")
    request_id: str | None = Field(default=None, description="The request in the server's log.")


class Receipt(Shape):
    """Where a statement was recorded, and what proves it."""

    position: int
    entry_hash: str
    signature: str
    key_id: str
    recorded_at: str
    source: str
    id: str
    proof: str | None = Field(default=None, description="The proof of inclusion, where one was waited for.")


class Receipts(Shape):
    """The receipts of an atomic batch, or of the facts of an outside body, in order."""

    receipts: list[Receipt]


class BatchItem(Shape):
    """What became of one statement of a batch."""

    status: int
    receipt: Receipt | None = None
    problem: Problem | None = None


class Batch(Shape):
    """What became of a batch, item by item, in order."""

    items: list[BatchItem]


class RecordedBy(Shape):
    """Who recorded an entry: by which credential, and how that was known."""

    credential: str
    principal: str
    trust: str
    claims: dict[str, str] | None = Field(
        default=None, description="Of a verified token, as its trust rule names them; with the trust oidc only."
    )


class CloudEvent(BaseModel):
    """A CloudEvents 1.0 event. What `data` holds, GET /v1/catalogue/{type} says."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    data: dict[str, Any]


class Draft(Shape):
    """The entry that would be made."""

    recorded_by: RecordedBy
    refs: list[str]
    statement: CloudEvent
    says: str


class Preview(Shape):
    """What a dry run found: nothing was recorded."""

    dry_run: Literal[True]
    entry: Draft


class PreviewItem(Shape):
    """What would become of one statement of a batch."""

    status: int
    entry: Draft | None = None
    problem: Problem | None = None


class PreviewBatch(Shape):
    """What a dry run of a batch found: nothing was recorded."""

    dry_run: Literal[True]
    items: list[PreviewItem]


class EntryDocument(BaseModel):
    """An entry as it was hashed and signed: docs/reference/formats.md has every field."""

    model_config = ConfigDict(extra="allow")

    entry: int
    ledger: str
    position: int
    prev: str
    recorded_at: str
    recorded_by: RecordedBy
    refs: dict[str, list[int]]
    statement: CloudEvent


class Text(Shape):
    """An erasable text, and the salt of its commitment."""

    text: str
    salt: str


class Entry(Shape):
    """An entry, its sentence, its receipt, and its texts as far as they were not erased."""

    position: int
    says: str
    entry: EntryDocument
    receipt: Receipt
    texts: dict[str, Text]


class EntryPage(Shape):
    """A page of entries, and how many there are in the ledger."""

    size: int
    items: list[Entry]
    next: int | None = Field(
        default=None, description="What to pass as `after` for the page that follows, if there is one."
    )
    total: int | None = Field(default=None, description="How many entries all pages have, where that was asked.")


class EnvelopeSignature(Shape):
    """A signature over the encoding of a payload and its type."""

    keyid: str
    sig: str


class Envelope(Shape):
    """A DSSE envelope."""

    payload: str
    payloadType: str
    signatures: list[EnvelopeSignature]


class EventTypeLine(Shape):
    """An event type: what it means, its sentence, and who appends it."""

    type: str
    doc: str
    says: str
    appended_by: str


class EventType(EventTypeLine):
    """An event type in full, with the JSON Schema of its `data` and an example that can be posted as it is."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    refs: dict[str, str]
    erasable: list[str]
    example: CloudEvent
    # `schema` is a method of every model.
    json_schema: dict[str, Any] = Field(alias="schema")


class CredentialInfo(Shape):
    """All that is told of a token: everything but the token."""

    credential: str
    principal: str
    kind: str
    roles: list[CredentialRole]
    areas: list[str]
    types: list[str]
    sources: list[str]
    issued_at: int
    revoked_at: int | None
    issuer: str | None = Field(description="Of a trust rule: whose tokens it accepts.")


class IssuedToken(Shape):
    """A new token, shown this once."""

    credential: str
    token: str
    receipt: Receipt


class RequiredClaimInfo(Shape):
    """A claim that a token must make, and which values are accepted: exact, or a prefix that ends in `*`."""

    claim: str
    one_of: list[str]


class ClaimedPrincipalInfo(Shape):
    """A principal whose name is a claim."""

    kind: str
    claim: str


class TrustRuleInfo(CredentialInfo):
    """A trust rule: the credential that it is, and what is asked of the issuer's tokens."""

    audience: str
    required: list[RequiredClaimInfo]
    recorded: list[str]
    principal_from: ClaimedPrincipalInfo | None


class EnrolledTrustRule(Shape):
    """A new trust rule, by the id under which it is revoked."""

    credential: str
    receipt: Receipt


class ImportInfo(Shape):
    """An import of history, and the positions at which it was opened, and closed."""

    import_id: str
    credential: str
    sources: list[str]
    until: str
    reason: str
    opened_at: int
    closed_at: int | None


class ToolInfo(Shape):
    """A program that was published, and at which position."""

    tool: str
    version: str
    sha256: str
    published_at: int


class EnvelopeKeyInfo(Shape):
    """A key by which a source signs envelopes."""

    key_id: str
    kind: str


class SourceInfo(Shape):
    """An enrolled source."""

    source: str
    door: str
    principal: str
    credential: str | None
    must_sign: bool
    authority_for: list[str]
    types: list[str]
    envelope_keys: list[EnvelopeKeyInfo]
    keeps_envelopes: bool
    enrolled_at: int
    retired_at: int | None


class KeyInfo(Shape):
    """A public key that was enrolled, and the positions for which it is valid."""

    role: KeyRole
    number: int
    key_id: str
    name: str
    public_key: str
    proved: bool = Field(description="Whether somebody was shown to hold its private half.")
    sources: list[str]
    valid_from: int
    valid_until: int | None
    revoked_from: int | None
    revoked_at: int | None


class LedgerInfo(Shape):
    """What the ledger says of itself."""

    origin: str
    format_version: int
    genesis_hash: str
    size: int
    last_entry_hash: str
    last_recorded_at: str
    verifier_keys: list[str]
    checkpoints: dict[str, Any]
    entry_keys: list[KeyInfo]
    is_of_one: bool | None = Field(
        description="Whether one person works here alone, whom nobody checks; null while views are being built."
    )


class SizedRoot(Shape):
    """A size of the tree, and its root in base64."""

    size: int
    root: str


class Consistency(Shape):
    """Both roots, and the hashes that connect them (RFC 6962)."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    older: SizedRoot = Field(alias="from")
    to: SizedRoot
    proof: list[str]


class CheckpointInfo(Shape):
    """A signed checkpoint."""

    size: int
    root: str
    note: str
    cosigned_by: list[str]


class CheckpointPage(Shape):
    """A page of checkpoints, smallest first."""

    items: list[CheckpointInfo]
    next: int | None = Field(
        default=None, description="What to pass as `after` for the page that follows, if there is one."
    )


class RuleInfo(Shape):
    """A rule of a gate."""

    rule: str
    version: int
    doc: str


class GateInfo(Shape):
    """A gate, and its rules in the order they are asked."""

    gate: str
    version: int
    rules: list[RuleInfo]


class SettingInfo(Shape):
    """A setting of policies: what it means and holds, what it may be told apart by, and what holds where a policy says nothing."""

    means: str
    holds: str
    applies_to: str
    otherwise: str


class GateList(Shape):
    """Every gate, and the settings of a policy that rules look for, by their names."""

    gates: list[GateInfo]
    settings: dict[str, SettingInfo]


class RuleAnswer(Shape):
    """What one rule answered, why, and on which entries."""

    rule: str
    version: int
    verdict: Literal["allow", "deny", "needs_approval", "insufficient_evidence"]
    reason: str
    words: str
    positions: list[int]
    remedy: str = Field(
        description="What would make it allow; empty where it does, or where a recorded answer is repeated."
    )
    able: list[str] = Field(description="Who could do that, as far as people are on record.")


class RuleNamed(Shape):
    """A rule, in one version of it."""

    rule: str
    version: int


class PolicyUsed(Shape):
    """The policy whose settings held, and the version that was in force."""

    policy_id: str
    version: str | None
    is_of_one: bool = Field(description="Whether it says that one person works here alone, who approved it themselves.")


class GateAnswer(Shape):
    """The answer of a gate."""

    gate: str
    verdict: Literal["allow", "deny", "needs_approval", "insufficient_evidence"]
    asked_at: str
    read_at: int
    policy: PolicyUsed
    rules: list[RuleAnswer]


class RecordedAnswer(GateAnswer):
    """The answer of a gate, and where it was recorded."""

    receipt: Receipt | None = None


class Recheck(Shape):
    """A recorded question, asked again of the rules that were asked then; which of them are gone, and which the gate has new."""

    position: int
    agrees: bool
    recorded: str
    again: GateAnswer | None
    not_checkable: list[RuleNamed]
    new: list[str]


class ScoreBin(Shape):
    """Changes whose scores lay in one range, and how many of them failed."""

    lowest: str
    changes: int
    predicted: str
    failures: int


class ScoredRange(Shape):
    """How well a version of a model would have told the outcomes of a range."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    model: str
    first: int = Field(alias="from")
    to: int
    changes: int
    failures: int
    brier: str | None
    reliability_error: str | None
    bins: list[ScoreBin]
    unscored: int
    fault: str | None
    unlabelled: int


class PolicyDifference(Shape):
    """A setting of which two versions of a policy say something else: in words, the values or that nothing is said."""

    setting: str
    applies_to: str
    in_force: str
    here: str


class PolicyCheck(Shape):
    """What a version of a policy would be."""

    policy_id: str
    version: str
    policy_digest: str
    faults: list[str]
    unsatisfied: str | None = Field(description="For whom, and where, nobody could give what it asks for (S11).")
    in_force: str | None = Field(description="The version that is in force.")
    read_at: int
    differs: list[PolicyDifference]


class RuleTried(Shape):
    """A rule that does not answer as was recorded, or that was not asked then and does not allow."""

    rule: str
    recorded: str | None
    here: str
    words: str


class DecisionTried(Shape):
    """A decision of a gate that would have been another one."""

    position: int
    gate: str
    change_id: str | None
    service: str | None
    environment: str | None
    recorded: str
    here: str
    rules: list[RuleTried]


class PolicyTried(Shape):
    """What another policy would have said."""

    policy_id: str
    version: str
    since: str
    asked: int = Field(description="How many decisions were asked again.")
    is_all: bool = Field(description="Whether these were all since then.")
    differ: int = Field(description="How many would have been others.")
    differs: list[DecisionTried] = Field(description="Of these the last 500.")


class BacktestAnswer(ScoredRange):
    """The same of a model, and how another does."""

    against: ScoredRange | None = None
    is_better: bool | None = None
    faults: list[str] | None = None


class DeliveryAnswer(Shape):
    """The metrics of some deployments; times are seconds, rates decimal strings."""

    definition: int
    position: int
    service: str | None
    team: str | None
    since: str | None
    until: str | None
    deployments: int
    failed: int
    change_failure_rate: str | None
    lead_time_s: int | None
    lead_time_mean_s: int | None
    lead_time_p90_s: int | None
    lead_time_first_s: int | None
    recovery_time_s: int | None
    recovery_time_mean_s: int | None
    recovery_time_p90_s: int | None
    rework_rate: str | None
    counted: list[str]


class Parameter(Shape):
    """A named number, written as a decimal string."""

    name: str
    value: str


class TrainedOn(Shape):
    """The range of entries that parameters were fitted on, and the digest of what was read there."""

    from_position: int
    to_position: int
    query_digest: str


class FitAnswer(Shape):
    """Parameters of a logistic model, fitted and not recorded."""

    form: Literal["logistic"]
    parameters: list[Parameter]
    trained_on: TrainedOn
    changes: int
    failures: int
    metrics: list[Parameter]


class ViewInfo(BaseModel):
    """A view: what its rows are, and how far it has come."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: int
    doc: str
    key: str
    reads: list[str]
    types: list[str]
    position: int
    served_version: int | None
    failed_at: int | None
    failure: str | None


class ViewList(Shape):
    """Every view, and how many entries the ledger has."""

    size: int
    views: list[ViewInfo]


class FoldedAnew(Shape):
    """Views that are folded anew."""

    views: list[str]


class SteppedOver(Shape):
    """Where it was recorded that a view steps over an entry, and the views that are folded anew for it."""

    receipt: Receipt
    views: list[str]


class Health(Shape):
    """The process is alive."""

    status: Literal["ok"]


class ViewsProgress(BaseModel):
    """How far the views are behind the log, since when, and which stopped where."""

    model_config = ConfigDict(extra="allow")

    position: int
    behind: int
    since: str | None
    lag_s: int
    stopped: dict[str, int]
    unbuilt: list[str]
    problem: str | None


class ViewsReadiness(Shape):
    """All views are kept up with the log."""

    status: Literal["ok"]
    views: ViewsProgress


class ServerReadiness(ViewsReadiness):
    """The ledger appends; how far checkpoints and views have come."""

    size: int
    checkpoints: dict[str, Any]


class Taken(BaseModel):
    """What became of an outside body: receipts, or what was answered to one that states nothing."""

    model_config = ConfigDict(extra="allow")

    receipts: list[Receipt] | None = None


class ProvedEntry(Shape):
    """The bytes of an entry as text, and the hashes that lead from it to the root."""

    position: int
    entry: str
    proof: list[str]


class DossierDocument(Shape):
    """Every entry about a ref, and the proof that none was left out."""

    ref: str
    complete_up_to: int
    checkpoint: str
    commitment: ProvedEntry
    heads: list[dict[str, Any]]
    entries: list[ProvedEntry]
