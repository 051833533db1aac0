"""in-toto attestations, as `api.intake.statements` reads them: what each says of artifacts, and what follows of runs and tests.

Each becomes `attestation.received`, which says that it came in; and, by its predicate:

    https://slsa.dev/provenance/v0.1 … v1            pipeline_run.finished: builder, invocation, what was made
    https://slsa.dev/verification_summary/v1         nothing more: verdict, levels and verifier
    https://in-toto.io/attestation/svr/…             nothing more: properties and verifier; the lack of one is no failure
    https://in-toto.io/attestation/test-result/…     test.shard_finished, where it names a run; else the verdict alone
    https://in-toto.io/attestation/release/…         nothing more: as what it was released

Any other predicate is not understood. Artifacts are subjects by SHA-256 and SHA-512: a name, or a digest of another kind, names no bytes
that anything here is held against. Whose signatures are checked, and by which keys, is for the door (`api.desk.envelopes`), which says so
(`checked_by`). Times are the predicate's own claims; what says none has none.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import orjson

from api.intake.context import attempt_of
from api.intake.formats import JSON, UNMAPPED, Envelopes, Format, Redactor, Sample
from api.intake.github_runs import run_named
from api.intake.reports_of_tests import by_outcome
from api.intake.statements import IN_TOTO, cut, enveloped, speaker_of
from api.intake.translation import MAX_PARTS, Fact, Headers, Mapped, Translation, Unmapped, fact, in_parts
from ledger.clock import normalised
from ledger.errors import StatementError
from ledger.events.attestation import MAX_SUBJECTS
from ledger.events.identifiers import ArtifactDigest, Commit, Label, fits, identifier_of
from ledger.events.test import MAX_NAMES


def translate(beside: Headers, body: bytes) -> Translation:
    """Return what the statements say that the redactor left. One that is not understood is told where another of the file is."""
    statements = orjson.loads(body)["statements"]
    if not any(statement["said"] for statement in statements):
        return Unmapped("in-toto", "predicate-not-known", beside["source"])
    try:
        made = (one for number, statement in enumerate(statements) for one in _facts(beside, number, statement))
        facts = tuple(islice(made, MAX_PARTS + 1))
    except StatementError as error:
        return Unmapped("in-toto", f"field{error.place}", beside["source"])
    if len(facts) > MAX_PARTS:
        return Unmapped("in-toto", "too-many-subjects", beside["source"])
    return Mapped(facts)


def _facts(beside: Headers, number: int, statement: dict[str, Any]) -> Iterator[Fact]:
    said = statement["said"] or {}
    parts = _artifacts(statement)
    about = {
        "attestation": f"sha256:{statement['payload_sha256']}",
        "predicate_type": statement["predicate_type"],
        "signature": "none" if statement["wrapper"] == "statement" else "not_checked",
        "subjects": len(statement["subjects"]),
        "commit": _commit(statement) or beside.get("commit"),
        "verifier": said.get("verifier"),
        "verdict": said.get("verdict"),
        "verified_properties": tuple(one for one in dict.fromkeys(said.get("properties", ())) if fits(Label, one)),
        "policy_digest": f"sha256:{policy}" if len(policy := said.get("policy") or "") == 64 else None,
        "released_as": said.get("purl"),
    }
    made = said.get("time") or said.get("finished") or ""
    if "checked_by" in beside:
        about |= {"signature": "checked", "checked_by": beside["checked_by"].split()[number]}
        # Who signed says what a statement says, and nothing beside it.
        beside = {**beside, "source": speaker_of(said) or beside["source"]}
    for part in parts:
        yield fact(beside["source"], "attestation.received", made, about | {"artifacts": part})
    if "builder" in said:
        yield from _run(beside, statement, said, parts)
    if "tests" in said:
        yield from _tests(beside, number, statement, said)


def _artifacts(statement: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the digests of the artifacts that a statement is about, in as many parts as they need; one part where there are none."""
    named = (
        digest
        for subject in statement["subjects"]
        for algorithm in ("sha256", "sha512")
        if fits(ArtifactDigest, digest := f"{algorithm}:{subject.get(algorithm, '')}")
    )
    digests = list(dict.fromkeys(named))
    return [tuple(digests[first : first + MAX_SUBJECTS]) for first in range(0, max(1, len(digests)), MAX_SUBJECTS)]


def _commit(statement: dict[str, Any]) -> str | None:
    """Return the commit that a statement is about, where it is about one alone."""
    named = {subject.get("gitCommit") or subject.get("sha1") for subject in statement["subjects"]} - {None}
    commit = named.pop() if len(named) == 1 else None
    return commit if fits(Commit, commit) else None


def _named(beside: Headers, told: str | None, builder: str | None = None) -> tuple[str | None, int]:
    """Return which run a statement is about, and which try of it: as whoever posts it says, or as the webhooks of the run call it."""
    if "run" in beside or told is None:
        return beside.get("run"), attempt_of(beside)
    run, attempt = run_named(told, builder) or (told, None)
    return run, attempt or attempt_of(beside)


def _run(
    beside: Headers, statement: dict[str, Any], said: dict[str, Any], parts: list[tuple[str, ...]]
) -> Iterator[Fact]:
    """Yield that a run made what provenance is about. Without an id it is named by the statement."""
    started, finished = said["started"], said["finished"]
    # A run that ended before it began says neither.
    if started and finished and normalised(finished) < normalised(started):
        started = finished = None
    run, attempt = _named(beside, said["invocation"], said["builder"])
    about = {
        "run_id": run or f"provenance-{statement['payload_sha256'][:16]}",
        "attempt": attempt,
        "builder_id": said["builder"],
        "service": beside.get("service"),
        "commit": said["commit"] or beside.get("commit"),
        "started_at": started,
        "finished_at": finished,
    }
    for part in parts:
        yield fact(beside["source"], "pipeline_run.finished", finished or "", about | {"artifacts": part})


def _tests(beside: Headers, number: int, statement: dict[str, Any], said: dict[str, Any]) -> Iterator[Fact]:
    """Yield the tests of a run, where the run is known: by what was said beside the file, or by its address."""
    run, attempt = _named(beside, said["run"])
    if run is None:
        return
    # What passed with a warning passed; what is in two lists failed.
    outcomes: dict[str, str] = {}
    for name, outcome in (("passed", "passed"), ("warned", "passed"), ("failed", "failed")):
        outcomes |= {identifier_of(test): outcome for test in said["tests"][name]}
    parts = in_parts([{outcome: test} for test, outcome in sorted(outcomes.items())], MAX_NAMES)
    if parts is None:
        raise StatementError("expected fewer tests", "/data/tests")
    has_failed = said["verdict"] == "failed" or "failed" in outcomes.values()
    is_whole = len(parts) < 2
    report = {"report": f"{beside['identity']}/{number}", "run_id": run}
    summary = report | {
        "attempt": attempt,
        **{name: beside.get(name) for name in ("suite", "service", "environment")},
        "commit": _commit(statement) or beside.get("commit"),
        # A verdict without a test that ran does not count.
        "outcome": "failed" if has_failed else "passed" if outcomes and said["verdict"] else "nothing_ran",
        "tests": len(outcomes),
        "parts": 0 if is_whole else len(parts),
    }
    yield fact(
        beside["source"], "test.shard_finished", "", summary | (by_outcome(parts[0]) if is_whole and parts else {})
    )
    for place, part in enumerate(() if is_whole else parts, 1):
        told = report | {"part": place, "parts": len(parts)} | by_outcome(part)
        yield fact(beside["source"], "test.cases_reported", "", told)


_DIGEST: Final = "0b31b1c02ff458ad0b31b1c02ff458ad0b31b1c02ff458ad0b31b1c02ff458ad"
_SAID: Final = {"service": "payments-api", "environment": "prod"}


def _sample(kind: str, predicate_type: str, predicate: dict[str, Any], *becomes: str) -> Sample:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "hunter2", "digest": {"sha256": _DIGEST}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return Sample(kind, statement, becomes, context=_SAID)


FORMAT: Final = Format(
    "in-toto",
    "in-toto attestations",
    "Statements about artifacts, bare, in DSSE envelopes or in Sigstore bundles: SLSA provenance, verification summaries, simple "
    "verification results, test results and releases. Signatures are checked by the keys of enrolled sources; certificates are not.",
    translate,
    media_types=(
        JSON,
        IN_TOTO,
        "application/vnd.dsse.envelope.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/x-ndjson",
    ),
    asks=("run", "attempt", "suite", "commit", "service", "environment"),
    redactor=Redactor(1, cut),
    envelopes=Envelopes(
        enveloped, ("attestation.received", "pipeline_run.finished", "test.cases_reported", "test.shard_finished")
    ),
    samples=(
        _sample(
            "provenance of SLSA",
            "https://slsa.dev/provenance/v1",
            {
                "buildDefinition": {"externalParameters": {"token": "hunter2"}},
                "runDetails": {
                    "builder": {"id": "https://builders.example.com/hosted"},
                    "metadata": {"invocationId": "4711-1", "finishedOn": "2026-03-02T09:00:00Z"},
                },
            },
            "attestation.received",
            "pipeline_run.finished",
        ),
        _sample(
            "a summary of a verification",
            "https://slsa.dev/verification_summary/v1",
            {
                "verifier": {"id": "https://hunter2@verifier.example.com/v1"},
                "policy": {"uri": "hunter2"},
                "timeVerified": "2026-03-02T09:05:00Z",
                "verificationResult": "PASSED",
                "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
            },
            "attestation.received",
        ),
        _sample(
            "a predicate that nobody here knows", "https://example.com/predicate/v1", {"secret": "hunter2"}, UNMAPPED
        ),
    ),
)
