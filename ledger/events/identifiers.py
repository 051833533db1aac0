"""The types of fields: identifiers, digests, times, numbers, erasable text.

Every string here has a pattern, a length and an example, because what is admitted can never be edited and much of it
is shown to people. What a person wrote freely is `Erasable`: the log holds a salted digest of it. Longer than other modules:
what a field may hold is looked up here, and nowhere else.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args
from urllib.parse import unquote_to_bytes

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ledger.canonical import MAX_INTEGER
from ledger.clock import from_text


@dataclass(frozen=True)
class Text:
    """The shape of a string: a pattern for all of it, its greatest length, an example, and its kind when it may be a ref `kind:value`.

    `says` is the pattern in words, for whoever sent another string.
    """

    pattern: str
    max_length: int
    example: str
    kind: str | None = None
    says: str = "a text"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        words = f"expected {self.says} of at most {self.max_length} characters, such as {self.example}"
        return core_schema.custom_error_schema(
            core_schema.str_schema(pattern=f"^(?:{self.pattern})$", max_length=self.max_length),
            custom_error_type="text",
            custom_error_message="{words}",
            custom_error_context={"words": words},
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "examples": [self.example]}


def fits(field: Any, value: Any) -> bool:
    """Say whether a value could stand in a field of a type of text."""
    text = next(mark for mark in get_args(field) if isinstance(mark, Text))
    return isinstance(value, str) and len(value) <= text.max_length and bool(re.fullmatch(text.pattern, value))


MAX_IDENTIFIER_BYTES: Final = 100
_ESCAPE: Final = "%[0-9A-F]{2}"


class Identifier(Text):
    """A name that some system gave to a thing of a kind. What it cannot hold is percent-encoded: see `identifier_of`."""

    def __init__(self, kind: str, example: str) -> None:
        pattern = rf"(?:[A-Za-z0-9]|{_ESCAPE})(?:[A-Za-z0-9._:/@+~-]|{_ESCAPE})*"
        says = f"a {kind.replace('_', ' ')} as letters, digits and . _ : / @ + - ~, with all else percent-encoded,"
        super().__init__(pattern, MAX_IDENTIFIER_BYTES, example, kind, says)


def valid_unicode(text: str) -> str:
    """Return a text with U+FFFD in the place of lone surrogates, which have no UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_stands_as_it_is = re.compile("[A-Za-z0-9._:/@+-]").fullmatch
# No identifier has a `~` but where it was cut.
_is_cut = re.compile("(.*)(~[0-9a-f]{8})", re.DOTALL).fullmatch
_to_escape = re.compile("^[^A-Za-z0-9]|[^A-Za-z0-9._:/@+-]")
_is_identifier_already = re.compile(f"[A-Za-z0-9][A-Za-z0-9._:/@+-]{{0,{MAX_IDENTIFIER_BYTES - 1}}}").fullmatch


def identifier_of(name: str) -> str:
    """Return the identifier of a thing that others call `name`: the same at every door, and another for every other name.

    Bytes of UTF-8 that an identifier cannot hold are percent-encoded, and so is a first character that is neither letter
    nor digit. What is longer than 100 bytes is cut between two characters, and ends with `~` and the first eight hex
    digits of the SHA-256 of the whole name.

    >>> identifier_of("Production EU")
    'Production%20EU'
    """
    if _is_identifier_already(name):
        return name
    name = valid_unicode(name)
    # Most names are short, and reports name hundred thousands.
    if len(name) <= MAX_IDENTIFIER_BYTES:
        encoded = _to_escape.sub(lambda found: _escaped(found[0]), name)
        if len(encoded) <= MAX_IDENTIFIER_BYTES:
            return encoded
    parts = _parts_of(name)
    if sum(map(len, parts)) <= MAX_IDENTIFIER_BYTES:
        return "".join(parts)
    return _cut(parts, "~" + hashlib.sha256(name.encode()).hexdigest()[:8])


def told_anew(identifier: str, told: Callable[[str], str]) -> str:
    """Return the identifier of a name that is told otherwise than an identifier has it; of one that was cut, the end stays what it is."""
    found = _is_cut(identifier)
    if found is None:
        return identifier_of(told(identifier))
    return _cut(_parts_of(valid_unicode(told(found[1]))), found[2])


def _parts_of(name: str) -> list[str]:
    # What comes after so many characters stands in the digest alone, however much it is.
    parts = [char if _stands_as_it_is(char) else _escaped(char) for char in name[: MAX_IDENTIFIER_BYTES + 1]]
    if parts and len(parts[0]) == 1 and not parts[0].isalnum():
        parts[0] = _escaped(parts[0])
    return parts


def _cut(parts: list[str], end: str) -> str:
    kept, length = [], len(end)
    for part in parts:
        length += len(part)
        if length > MAX_IDENTIFIER_BYTES:
            break
        kept.append(part)
    return "".join(kept) + end


def name_of(identifier: str) -> str:
    """Return an identifier as it was called, where that can be printed; else as it is."""
    if "%" not in identifier:
        return identifier
    name = unquote_to_bytes(identifier).decode(errors="replace")
    return name if name.isprintable() and "\ufffd" not in name else identifier


def with_names(words: str) -> str:
    """Return a sentence with the things in it as they are called: see `name_of`. URLs and package URLs stand as they are."""
    if "%" not in words:
        return words
    return " ".join(word if "://" in word or "pkg:" in word else name_of(word) for word in words.split(" "))


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _real_time(value: str) -> str:
    from_text(value)
    return value


TIME_PATTERN: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"
HEX64: Final = r"[0-9a-f]{64}"

# Who: opaque, so that names and addresses stay in a directory that can be erased.
Identity = Annotated[
    str,
    Text(
        r"[a-z][a-z0-9-]{0,19}:[A-Za-z0-9][A-Za-z0-9._@/+\[\]-]*",
        120,
        "person:alice",
        "identity",
        "an identity, kind:name,",
    ),
]
Team = Annotated[str, Identifier("team", "payments")]
RoleName = Annotated[str, Text(r"[a-z][a-z0-9_.-]*", 64, "release-approver", says="a name in lower case")]

# What is changed, and the records about it.
ChangeId = Annotated[str, Identifier("change", "CHG-7")]
ReleaseId = Annotated[str, Identifier("release", "2026.48")]
DeploymentId = Annotated[str, Identifier("deployment", "payments-api-1042")]
Environment = Annotated[str, Identifier("environment", "prod")]
Service = Annotated[str, Identifier("service", "payments-api")]
IncidentId = Annotated[str, Identifier("incident", "INC-31")]
FreezeId = Annotated[str, Identifier("freeze", "year-end-2026")]
PirId = Annotated[str, Identifier("pir", "PIR-7")]
AccessReviewId = Annotated[str, Identifier("access_review", "2026-Q4-prod")]
GrantId = Annotated[str, Identifier("grant", "GR-118")]
RollbackId = Annotated[str, Identifier("rollback", "RB-3")]
TriggerId = Annotated[str, Identifier("trigger", "payments-api-errors")]
ModelId = Annotated[str, Identifier("risk_model", "change-risk")]
PolicyId = Annotated[str, Identifier("policy", "change-approval")]
PlaybookId = Annotated[str, Identifier("playbook", "payments-api-rollback")]
TemplateId = Annotated[str, Identifier("template", "restart-cache")]
# Where a module of infrastructure comes from, without the version, a folder in it, or who logs in.
ModuleSource = Annotated[str, Identifier("module", "terraform-aws-modules/vpc/aws")]
ProviderSource = Annotated[str, Identifier("provider", "hashicorp/aws")]
Repository = Annotated[str, Identifier("repository", "acme/payments-api")]
Resource = Annotated[str, Identifier("resource", "aws_db_instance.payments")]
ReservationId = Annotated[str, Identifier("reservation", "load-2026-48")]
PerfTestId = Annotated[str, Identifier("perf_test", "checkout-load-118")]
DatasetId = Annotated[str, Identifier("dataset", "orders-2026-11")]
LoadId = Annotated[str, Identifier("load", "orders-2026-11-to-staging")]
BackupId = Annotated[str, Identifier("backup", "payments-2026-11-23")]
Region = Annotated[str, Identifier("region", "eu-west-1")]
Tenant = Annotated[str, Identifier("tenant", "acme")]
ImportId = Annotated[str, Identifier("import", "history-2026")]
MeetingId = Annotated[str, Identifier("meeting", "cab-weekly")]
SloId = Annotated[str, Identifier("slo", "payments-availability")]
MatrixId = Annotated[str, Identifier("strategy_matrix", "release-strategies")]
ComplianceWindowId = Annotated[str, Identifier("compliance_window", "year-end-close")]
GateName = Annotated[str, Identifier("gate", "deploy")]
RunId = Annotated[str, Identifier("run", "4711")]
# One state of an environment that has several, and what a tool calls the state that it counts the writings of.
Workspace = Annotated[str, Identifier("workspace", "default")]
Lineage = Annotated[str, Identifier("lineage", "3f1c1f0e-8f7b-4c57-9a9a-2b1d0c6e7a55")]
JobId = Annotated[str, Identifier("job", "build")]
RunnerId = Annotated[str, Identifier("runner", "runner-7f3a")]
SuiteId = Annotated[str, Identifier("suite", "payments-api")]
TestId = Annotated[str, Identifier("test", "tests.test_refunds::test_a_refund_is_paid_once")]
ScanId = Annotated[str, Identifier("scan", "4711-tfsec")]
# Scans of one thing by one tool, of which a later one takes the place of those before.
SeriesId = Annotated[str, Identifier("series", "payments-api:prod:tfsec")]
ToolName = Annotated[str, Identifier("tool", "tfsec")]
ScanRule = Annotated[str, Identifier("scan_rule", "AVD-AWS-0057")]
SectionName = Annotated[str, Identifier("section", "Database")]
FilePath = Annotated[str, Identifier("path", "modules/queue/main.tf")]
SbomId = Annotated[str, Identifier("sbom", "4711-payments-api")]
# What one file or one job told, however many statements that takes.
ReportId = Annotated[str, Identifier("report", "4711-unit-2")]
CredentialId = Annotated[
    str,
    Text(r"[a-z]+:[A-Za-z0-9._-]+", 80, "token:9f2c41d07b3e", "credential", says="a credential, kind:id,"),
]
Source = Annotated[
    str,
    Text(r"[!-~]+", 256, "https://ci.example.com/payments", "source", says="a source without blanks, as a URI,"),
]
# Of a CloudEvents event.
EventId = Annotated[str, Text(r"[!-~]+", 256, "run-118/open", says="the id of an event without blanks,")]
Ref = Annotated[str, Text(r"[a-z_]+:[!-~]+", 160, "change:CHG-7", says="a ref, kind:value,")]

# A branch of a repository, or a pattern of branches as a code host has it; blanks and what is not ASCII are percent-encoded.
BranchName = Annotated[str, Text(r"[!-~]+", 256, "release/*", says="a branch without blanks, or several by *,")]
PathPattern = Annotated[str, Text(r"[!-~]+", 256, "/docs/**", says="a pattern of paths without blanks,")]
PullRequest = Annotated[StrictInt, Field(ge=1, le=MAX_INTEGER, examples=[42])]
Commit = Annotated[
    str,
    Text(
        r"[0-9a-f]{7,64}",
        64,
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "commit",
        says="the hash of a commit in lower case, 7 to 64 digits,",
    ),
]
Artifact = Annotated[
    str,
    Text(
        r"(pkg:[!-~]+|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})",
        512,
        "pkg:oci/payments-api@sha256%3A0b31b1c02ff458ad",
        says="a package URL or a digest",
    ),
]
Version = Annotated[str, Text(r"[0-9A-Za-z][0-9A-Za-z.+_-]*", 64, "1.4.0", says="a version")]
VersionConstraint = Annotated[
    str,
    Text(
        r"[=!<>~v0-9][=!<>~v, 0-9A-Za-z.+-]*",
        128,
        ">= 1.2.0, < 2.0.0",
        says="versions as Terraform constrains them, such as ~> 1.2 or >= 1.0, < 2.0,",
    ),
]
EventType = Annotated[str, Text(r"[a-z_]+\.[a-z_]+(\.v[0-9]+)?", 64, "approval.granted", says="an event type")]
# What an environment is for, whatever it is called.
Tier = Annotated[
    str,
    Text(
        r"(production|staging|testing|development)",
        11,
        "production",
        "tier",
        says="production, staging, testing or development",
    ),
]
# Whom or what a setting holds for, and how names of environments are told: labels, names of things, patterns with *.
NamePattern = Annotated[
    str,
    Text(
        rf"(?:[A-Za-z0-9*]|{_ESCAPE})(?:[A-Za-z0-9._:/@+~*-]|{_ESCAPE})*",
        MAX_IDENTIFIER_BYTES,
        "prod-*",
        says="a name, or a pattern of names with *, percent-encoded as names are,",
    ),
]
Area = Annotated[str, Text(r"([a-z_]+|\*)", 32, "deployment", says="an area of the catalogue, or *,")]
SourcePattern = Annotated[
    str,
    Text(r"[!-~]+", 256, "https://ci.example.com/*", says="a source, or a prefix of sources with *,"),
]
# For whom a source may speak. A word without a kind would be nobody.
IdentityPattern = Annotated[
    str,
    Text(
        r"[a-z][a-z0-9-]{0,19}:[!-~]+|[!-~]*\*", 256, "github:*", says="an identity, or a prefix of identities with *,"
    ),
]
Label = Annotated[
    str,
    Text(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", 64, "error_rate", says="one word of letters, digits and . _ / + -"),
]
# What an issuer says in a token: the name of a claim, one value of it, and which values are accepted.
ClaimName = Annotated[
    str,
    Text(
        r"[A-Za-z_][A-Za-z0-9_.:/-]*",
        64,
        "repository_id",
        says="the name of a claim, of letters, digits and _ . : / -,",
    ),
]
# Without what JSON escapes, so that a claim takes as many bytes of an entry as it has.
ClaimValue = Annotated[
    str,
    Text(
        r"[!#-\[\]-~][ !#-\[\]-~]*",
        256,
        "70107786",
        says='printable ASCII without " and \\, with all else percent-encoded, no blank at its beginning,',
    ),
]
Issuer = Annotated[
    str,
    Text(
        r"https://[!-~]+",
        256,
        "https://token.actions.githubusercontent.com",
        says="the URL of an issuer, with https,",
    ),
]
IdentityKind = Annotated[str, Text(r"[a-z][a-z0-9-]*", 20, "person", says="a kind of identity in lower case")]
# The policy says which there are; what gates and views know by name are standard, normal, emergency and unauthorized.
ChangeType = Annotated[
    str,
    Text(
        r"[A-Za-z0-9][A-Za-z0-9._/+-]*",
        64,
        "normal",
        says="one word of letters, digits and . _ / + -, as the policy has it,",
    ),
]
# As those who respond to incidents say it: sev1, P1, critical. Their order is the policy's.
Severity = Annotated[
    str,
    Text(
        r"[A-Za-z0-9][A-Za-z0-9._/+-]*",
        64,
        "sev2",
        says="one word of letters, digits and . _ / + -, as the policy has it,",
    ),
]
# A rule that finds breaches, and what it found one of: the key of a row.
FindingRule = Annotated[
    str, Text(r"[a-z][a-z0-9_-]*", 64, "deployed_in_freeze", "rule", says="the name of a rule in lower case")
]
Subject = Annotated[str, Text(r"[!-~]+", 256, "payments-api-1042", says="the key of a row without blanks,")]
Comparator = Annotated[str, Text(r"(gt|ge|lt|le)", 2, "gt", says="gt, ge, lt or le")]

# Of a resource. What is not printable ASCII is percent-encoded.
TagKey = Annotated[
    str,
    Text(
        r"[!-~]([ -~]*[!-~])?",
        128,
        "cost-center",
        says="the key of a tag, in printable ASCII without blanks at its ends,",
    ),
]
TagValue = Annotated[str, Text(r"[ -~]*", 256, "payments", says="the value of a tag, in printable ASCII,")]

# Digests and key material.
Sha256Hex = Annotated[
    str,
    Text(
        HEX64,
        64,
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        says="64 hexadecimal digits in lower case",
    ),
]
Digest = Annotated[
    str,
    Text(
        "sha256:" + HEX64,
        71,
        says="sha256: and 64 hexadecimal digits",
        example="sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
]
# Of a plan of infrastructure, as the tool that made it prints it in JSON: what names it.
PlanDigest = Annotated[
    str,
    Text(
        "sha256:" + HEX64,
        71,
        "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        "plan",
        "sha256: and 64 hexadecimal digits",
    ),
]
# Of what a run made, by what an artifact is found again: under the algorithms that builders use.
ArtifactDigest = Annotated[
    str,
    Text(
        r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})",
        135,
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "artifact",
        "sha256: and 64, or sha512: and 128 hexadecimal digits",
    ),
]
# Of a statement about artifacts, as its signers signed it.
AttestationDigest = Annotated[
    str,
    Text(
        "sha256:" + HEX64,
        71,
        "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        "attestation",
        "sha256: and 64 hexadecimal digits",
    ),
]
PredicateType = Annotated[
    str,
    Text(r"[!-~]+", 256, "https://slsa.dev/provenance/v1", says="the type of a predicate without blanks, as a URI,"),
]
# Who runs a pipeline, and answers for how: a URI. Blanks and what is not ASCII are percent-encoded.
BuilderId = Annotated[
    str,
    Text(
        r"[!-~]+",
        256,
        "https://github.com/actions/runner/github-hosted",
        says="a builder without blanks, as a URI,",
    ),
]
# Of a secret that was found: made of where it was found and by which rule. Never of its value alone, which whoever guesses it could check.
SecretPrint = Annotated[
    str,
    Text(
        "sha256:" + HEX64,
        71,
        "sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
        "secret",
        "sha256: and 64 hexadecimal digits",
    ),
]
# The same in two thirds of the room, where there are hundreds of them.
Sha256Base64 = Annotated[
    str,
    Text(
        r"[A-Za-z0-9+/]{43}=",
        44,
        "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
        says="a SHA-256 in base64",
    ),
]
# Of what a scan found: the same in the next scan, wherever the line has moved to.
Fingerprint = Annotated[
    str,
    Text(
        r"[0-9a-f]{32}",
        32,
        "9f86d081884c7d659a2feaa0c55ad015",
        says="32 hexadecimal digits in lower case",
    ),
]
PublicKeyHex = Annotated[
    str,
    Text(
        HEX64,
        64,
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        says="an Ed25519 key as 64 hexadecimal digits in lower case",
    ),
]
# Of somebody who signs envelopes: SubjectPublicKeyInfo in DER.
PublicKeyBase64 = Annotated[
    str,
    Text(
        r"[A-Za-z0-9+/]{8,738}={0,2}",
        740,
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        says="a public key as the base64 of its DER, as PEM has it between its lines",
    ),
]
# Base64 of an Ed25519 signature. The example is by the example of a key, over the examples of an origin and a role.
SignatureBase64 = Annotated[
    str,
    Text(
        r"[A-Za-z0-9+/]{86}==",
        88,
        "0ZLqNL1tL/dnl+RZz0hkzzq2iDIgXkPk58X6CQVb1xnVwf5DNRl7lLvqtvDcFfk1j9ITNN4OcTJVsJcwE7OlDA==",
        says="an Ed25519 signature in base64",
    ),
]
# Without + and #: it names keys of notes, and # counts the incarnations of a restored ledger.
CheckpointName = Annotated[
    str, Text(r"[!-*,-~]+", 170, "ledger.example.com/prod#2", says="the name of a key without blanks and +")
]
Origin = Annotated[str, Text(r"[!\"$-*,-~]+", 160, "ledger.example.com/prod", says="a name without blanks, + and #")]

# Of a caller: a /24, a /48, or none where there is no address.
Network = Annotated[str, Text(r"[0-9a-f.:]+/(24|48)|none", 43, "192.0.2.0/24", says="a network, /24 or /48, or none,")]

# Numbers and times.
Position = Annotated[StrictInt, Field(ge=1, le=MAX_INTEGER, examples=[1042])]
# Which try of a deployment.
Attempt = Annotated[StrictInt, Field(ge=1, le=MAX_INTEGER, examples=[1])]
Count = Annotated[StrictInt, Field(ge=0, le=MAX_INTEGER, examples=[3])]
# Of the traffic, or of instances.
Percent = Annotated[StrictInt, Field(ge=0, le=100, examples=[20])]
Flag = Annotated[StrictBool, Field(examples=[True])]
Decimal = Annotated[
    str,
    Text(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", 40, "0.05", says="a decimal number, written as a string,"),
]
Time = Annotated[
    str,
    Text(TIME_PATTERN, 27, "2026-11-23T12:00:00Z", says="a time in UTC (RFC 3339)"),
    AfterValidator(_real_time),
]


class _ZoneMark:
    """Marks a field that names a time zone."""


ZONE: Final = _ZoneMark()
TimeZone = Annotated[
    str, Text(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", 64, "Europe/Berlin", says="the name of a time zone"), ZONE
]
# RFC 5545 §3.3.10, without what recurs more than once a day; BYWEEKNO and BYYEARDAY say nothing that the others cannot.
_DAY: Final = r"([+-]?[1-9][0-9]?)?(MO|TU|WE|TH|FR|SA|SU)"
_RULE_PARTS: Final = (
    r"INTERVAL=[1-9][0-9]{0,2}",
    r"COUNT=[1-9][0-9]{0,3}",
    r"UNTIL=[0-9]{8}(T[0-9]{6}Z)?",
    r"BYMONTH=(1[0-2]|[1-9])(,(1[0-2]|[1-9])){0,11}",
    r"BYMONTHDAY=-?([12][0-9]|3[01]|[1-9])(,-?([12][0-9]|3[01]|[1-9])){0,30}",
    rf"BYDAY={_DAY}(,{_DAY}){{0,6}}",
    r"BYSETPOS=-?[1-9][0-9]?(,-?[1-9][0-9]?){0,6}",
    r"WKST=(MO|TU|WE|TH|FR|SA|SU)",
)
_RULE: Final = rf"FREQ=(YEARLY|MONTHLY|WEEKLY|DAILY)(;({'|'.join(_RULE_PARTS)})){{0,7}}"


def _one_of_each(rule: str) -> str:
    """Refuse a rule that says a part twice, or both how often and until when (RFC 5545 §3.3.10)."""
    names = re.findall(r"([A-Z]+)=", rule)
    if len(set(names)) < len(names) or {"COUNT", "UNTIL"} <= set(names):
        raise ValueError(f"expected every part of a rule once, and COUNT or UNTIL but not both; found {rule}")
    return rule


RecurrenceRule = Annotated[
    str,
    Text(_RULE, 256, "FREQ=WEEKLY;BYDAY=FR", says="a recurrence rule of RFC 5545, at most once a day, FREQ first,"),
    AfterValidator(_one_of_each),
]

Link = Position | Digest


class Part(BaseModel):
    """A closed, frozen part of an event's data."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Commitment(Part):
    """Stands in the log for an erasable text: hex(SHA-256(salt[32] || UTF-8 text)). Salt and text lie beside the log."""

    sha256: Sha256Hex


class _ErasableMark:
    """Marks a field whose submitted form may be the text itself."""


ERASABLE: Final = _ErasableMark()
# What is submitted is the text; the door salts it. Only producers that sign may send the commitment themselves.
Erasable = Annotated[Commitment, ERASABLE]
MAX_TEXT_BYTES: Final = 16_384


class Value(Part):
    """A named number, written as a decimal string."""

    name: Label
    value: Decimal


class Checked(Part):
    """One thing that was looked at, and whether it was as it should be."""

    name: Label
    passed: Flag


def many(*, at_least: int = 0, at_most: int = 32, default: Any = ...) -> Any:
    """A JSON array with bounds, so that an admitted statement always fits an entry. Without a default it must be given."""
    return Field(default, min_length=at_least, max_length=at_most)
