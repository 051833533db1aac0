"""in-toto attestations: what each kind becomes, in whatever it comes, and what of it is never kept.

The statements are made up here, in the shapes of the specifications (in-toto attestation 1.0, SLSA 0.2 and 1.1, DSSE 1.0, Sigstore
bundle 0.3), and of what builders really write.
"""

import base64
import json
from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.intoto import FORMAT
from api.intake.translation import Fact, ForeignError, Mapped, Unmapped
from signing.dsse import envelopes_in

SHA = "a" * 64
COMMIT = "4be1c2d0a9f84e6b8c7d3f2a1b0e9d8c7f6a5b43"
BUILDER = "https://builders.example.com/hosted@refs/tags/v1"
PROVENANCE_V1, PROVENANCE_V02 = "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"
VSA = "https://slsa.dev/verification_summary/v1"
SVR = "https://in-toto.io/attestation/svr/v0.2"
TESTED = "https://in-toto.io/attestation/test-result/v0.1"
RELEASED = "https://in-toto.io/attestation/release/v0.2"
DEPENDENCY = {"uri": "git+https://user:s3cret@git.example.com/a", "digest": {"gitCommit": COMMIT}}
V1: dict[str, Any] = {
    "buildDefinition": {
        "buildType": "https://ci.example.com/workflow/v1",
        "externalParameters": {"token": "s3cret"},
        "internalParameters": {"env": "s3cret"},
        "resolvedDependencies": [DEPENDENCY],
    },
    "runDetails": {
        "builder": {"id": BUILDER},
        "metadata": {
            "invocationId": "https://user:s3cret@ci.example.com/runs/4711?token=s3cret",
            "startedOn": "2026-03-02T08:50:00Z",
            "finishedOn": "2026-03-02T09:00:00Z",
        },
    },
}
V02: dict[str, Any] = {
    "builder": {"id": BUILDER},
    "buildType": "https://ci.example.com/workflow/v1",
    "invocation": {
        "configSource": {"uri": "git+https://git.example.com/a", "digest": {"sha1": COMMIT}},
        "parameters": {"token": "s3cret"},
        "environment": {"TOKEN": "s3cret"},
    },
    "metadata": {"buildInvocationId": "4711-1", "buildFinishedOn": "2026-03-02T09:00:00Z"},
    "materials": [{"uri": "git+https://git.example.com/a", "digest": {"sha1": COMMIT}}],
}
VERIFIED: dict[str, Any] = {
    "verifier": {"id": "https://verifier.example.com/v1"},
    "timeVerified": "2026-03-02T09:05:00Z",
    "resourceUri": "pkg:oci/api",
    "policy": {"uri": "https://policy.example.com/?s3cret", "digest": {"sha256": "b" * 64}},
    "verificationResult": "PASSED",
    "verifiedLevels": ["SLSA_BUILD_LEVEL_3", "not a label"],
}
SIMPLE: dict[str, Any] = {
    "verifier": {"id": "https://verifier.example.com/v1", "policies": []},
    "timeCreated": "2026-03-02T09:05:00Z",
    "properties": ["ORG_REVIEWED"],
}
TESTS: dict[str, Any] = {
    "result": "WARNED",
    "configuration": [{"name": "ci.yml", "downloadLocation": "https://s3cret@git.example.com"}],
    "url": "https://ci.example.com/runs/4711",
    "passedTests": ["test a", "test b"],
    "warnedTests": ["test c"],
    "failedTests": [],
}


def statement(predicate_type: str, predicate: Any, *subjects: dict[str, str], **more: Any) -> dict[str, Any]:
    named = [{"name": f"s-{n}", "digest": digest} for n, digest in enumerate(subjects or ({"sha256": SHA},))]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": named,
        "predicateType": predicate_type,
        "predicate": predicate,
    } | more


def dsse(of: dict[str, Any] | bytes, **more: Any) -> dict[str, Any]:
    payload = of if isinstance(of, bytes) else json.dumps(of).encode()
    return {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": "s3cret", "sig": base64.b64encode(b"s3cret").decode()}],
    } | more


def bundle(of: dict[str, Any]) -> dict[str, Any]:
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"certificate": {"rawBytes": "s3cret"}, "tlogEntries": []},
        "dsseEnvelope": dsse(of),
    }


def facts(*documents: dict[str, Any], **said: str) -> tuple[Fact, ...]:
    return facts_of(FORMAT, "\n".join(map(json.dumps, documents)), said)


def refused(*documents: Any, body: bytes | None = None) -> str:
    raw = body if body is not None else "\n".join(map(json.dumps, documents)).encode()
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError) as found:
        FORMAT.redactor.cut(raw)
    return str(found.value)


# What a statement is, what it becomes beside `attestation.received`, the time, and what is said in the last of its facts.
KINDS: dict[str, tuple[dict[str, Any], tuple[str, ...], str, dict[str, Any]]] = {
    "provenance v1": (
        statement(PROVENANCE_V1, V1), ("pipeline_run.finished",), "2026-03-02T09:00:00Z",
        {"run_id": "https://ci.example.com/runs/4711", "builder_id": BUILDER, "commit": COMMIT, "artifacts": [f"sha256:{SHA}"],
         "started_at": "2026-03-02T08:50:00Z", "finished_at": "2026-03-02T09:00:00Z"},
    ),
    "provenance v0.2 in a statement v0.1": (
        statement(PROVENANCE_V02, V02, _type="https://in-toto.io/Statement/v0.1"), ("pipeline_run.finished",), "2026-03-02T09:00:00Z",
        {"run_id": "4711-1", "builder_id": BUILDER, "commit": COMMIT},
    ),
    "provenance of two commits and no time": (
        statement(PROVENANCE_V1, {"runDetails": {"builder": {"id": BUILDER}}, "buildDefinition": {
            "resolvedDependencies": [DEPENDENCY, {"digest": {"gitCommit": "1" * 40}}]}}, {"sha512": "b" * 128}),
        ("pipeline_run.finished",), "", {"artifacts": ["sha512:" + "b" * 128]},
    ),
    "a verification summary": (
        statement(VSA, VERIFIED), (), "2026-03-02T09:05:00Z",
        {"verdict": "passed", "verifier": "https://verifier.example.com/v1", "verified_properties": ["SLSA_BUILD_LEVEL_3"],
         "policy_digest": "sha256:" + "b" * 64},
    ),
    "one of an image by another digest": (
        statement(VSA, VERIFIED | {"verificationResult": "FAILED"}, {"gce_image_id": "8970"}), (), "2026-03-02T09:05:00Z",
        {"verdict": "failed", "artifacts": [], "subjects": 1},
    ),
    "a simple verification result": (
        statement(SVR, SIMPLE), (), "2026-03-02T09:05:00Z", {"verified_properties": ["ORG_REVIEWED"]},
    ),
    "a test result": (
        statement(TESTED, TESTS, {"gitCommit": COMMIT}), ("test.shard_finished",), "",
        {"run_id": "https://ci.example.com/runs/4711", "outcome": "passed", "tests": 3, "commit": COMMIT,
         "passed": ["test%20a", "test%20b", "test%20c"]},
    ),
    "a test result that contradicts itself": (
        statement(TESTED, TESTS | {"result": "PASSED", "failedTests": ["test a"]}), ("test.shard_finished",), "",
        {"outcome": "failed", "failed": ["test%20a"]},
    ),
    "a test result without tests": (
        statement(TESTED, {"result": "PASSED", "configuration": [], "url": "https://ci.example.com/1"}), ("test.shard_finished",), "",
        {"outcome": "nothing_ran", "tests": 0},
    ),
    "a test result of no run": (
        statement(TESTED, {"result": "FAILED", "configuration": []}), (), "", {"verdict": "failed"},
    ),
    "a release": (
        statement(RELEASED, {"purl": "pkg:npm/%40acme/http@7.2.16", "packageId": "1"}), (), "",
        {"released_as": "pkg:npm/%40acme/http@7.2.16"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrapped", [lambda of: of, dsse, bundle], ids=["bare", "dsse", "bundle"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_becomes_what_its_predicate_says_in_whatever_it_comes(kind: str, wrapped: Any) -> None:
    made, more, time, said = KINDS[kind]
    first, *others = found = facts(wrapped(made))
    assert [fact.type for fact in found] == ["attestation.received", *more]
    assert (first.data["predicate_type"], first.time) == (made["predicateType"], time)
    assert first.data["signature"] == ("none" if wrapped(made) is made else "not_checked")
    last = (others or [first])[-1].data
    assert {name: last.get(name, []) for name in said} == said
    # What says when says it itself, and a run that says nothing has no time.
    assert ("started_at" in last) == ("started_at" in said)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_may_be_secret_is_kept_or_told(kind: str) -> None:
    assert FORMAT.redactor is not None
    for body in (KINDS[kind][0], dsse(KINDS[kind][0]), bundle(KINDS[kind][0])):
        raw = json.dumps(body).encode()
        assert b"s3cret" not in FORMAT.redactor.cut(raw)
        assert "s3cret" not in repr(facts_of(FORMAT, raw, {}))


def test_the_same_statement_signed_by_others_is_one_statement() -> None:
    made = statement(VSA, VERIFIED)
    signed, again = facts(dsse(made)), facts(dsse(made, signatures=[{"keyid": "other", "sig": "AAAA"}]))
    assert signed[0].data["attestation"] == again[0].data["attestation"]


def test_many_subjects_are_told_in_several_statements_and_each_is_found_by_its_digest() -> None:
    digests = [{"sha256": f"{number:064x}"} for number in range(100)]
    found = facts(statement(PROVENANCE_V1, V1, *digests))
    assert [fact.type for fact in found] == ["attestation.received"] * 3 + ["pipeline_run.finished"] * 3
    told = [name for fact in found[3:] for name in fact.data["artifacts"]]
    assert told == [f"sha256:{digest['sha256']}" for digest in digests]


def test_a_file_has_many_statements_and_one_that_is_not_understood_is_told_beside_others() -> None:
    unknown = statement("https://example.com/predicate/v9", {"secret": "s3cret"})
    found = facts(dsse(statement(VSA, VERIFIED)), dsse(unknown))
    assert [fact.data["predicate_type"] for fact in found] == [VSA, "https://example.com/predicate/v9"]
    translated = FORMAT.translate({"source": "/intake/in-toto"}, FORMAT.redactor.cut(json.dumps(unknown).encode()))  # type: ignore[union-attr]
    assert isinstance(translated, Unmapped)
    assert translated.reason == "predicate-not-known"
    later = statement("https://slsa.dev/verification_summary/v2", VERIFIED)
    assert isinstance(
        FORMAT.translate({"source": "/x"}, FORMAT.redactor.cut(json.dumps(later).encode())),  # type: ignore[union-attr]
        Unmapped,
    )


def test_what_is_said_beside_a_file_says_what_it_cannot() -> None:
    [_, run] = facts(statement(PROVENANCE_V1, {"runDetails": {"builder": {"id": BUILDER}}}), run="4711", attempt="2",
        service="api", commit=COMMIT)  # fmt: skip
    assert (run.data["run_id"], run.data["attempt"], run.data["service"], run.data["commit"]) == (
        "4711",
        2,
        "api",
        COMMIT,
    )
    [_, unnamed] = facts(statement(PROVENANCE_V1, {"runDetails": {"builder": {"id": BUILDER}}}))
    assert unnamed.data["run_id"].startswith("provenance-")


@pytest.mark.parametrize(
    ("told", "builder", "run", "attempt"),
    [
        ("https://github.com/acme/api/actions/runs/4711/attempts/2", BUILDER, "4711", 2),
        ("https://ghes.example.com/acme/api/actions/runs/4711", "https://ci.example.com/builder", "4711", 1),
        (
            "4711-2",
            "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder.yml@v2",
            "4711",
            2,
        ),
        ("4711-2", "https://ci.example.com/builder", "4711-2", 1),
        ("https://ci.example.com/runs/4711", BUILDER, "https://ci.example.com/runs/4711", 1),
    ],
)
def test_a_run_of_github_is_named_as_its_webhooks_name_it(told: str, builder: str, run: str, attempt: int) -> None:
    details = {"builder": {"id": builder}, "metadata": {"invocationId": told}}
    [_, made] = facts(statement(PROVENANCE_V1, {"runDetails": details}))
    assert (made.data["run_id"], made.data["attempt"]) == (run, attempt)


def test_a_run_that_ended_before_it_began_says_neither() -> None:
    metadata = {"invocationId": "1", "startedOn": "2026-03-02T09:00:00Z", "finishedOn": "2026-03-02T08:00:00Z"}
    [_, run] = facts(statement(PROVENANCE_V1, V1 | {"runDetails": {"builder": {"id": BUILDER}, "metadata": metadata}}))
    assert {"started_at", "finished_at"} & set(run.data) == set()
    assert run.time == ""


def test_what_is_no_attestation_is_not_half_read() -> None:
    made = statement(VSA, VERIFIED)
    assert refused(made | {"_type": "https://in-toto.io/Statement/v9"}) == "no-statement"
    assert refused(made | {"subject": []}) == "no-statement"
    assert refused({"payload": 1}) == "not-dsse"
    # A good signature over another type of payload proves nothing.
    assert refused(dsse(made, payloadType="application/json")) == "other-payload-type"
    assert refused(dsse(made, signatures=[])) == "no-signature"
    assert refused(dsse(b'{"a": 1, "a": 2}')) == "key-twice"
    assert refused(bundle(made) | {"dsseEnvelope": None, "messageSignature": {}}) == "no-statement"
    assert refused(body=b"[" * 5000) == "not-json"
    assert refused(body=b"") == "not-json"
    assert refused([]) == "no-statement"
    assert refused(statement(VSA, VERIFIED, *[{"sha256": SHA}] * 4001)) == "too-many-subjects"
    assert refused(*[made] * 101) == "not-json"


def test_a_name_without_unicode_and_a_text_without_end_are_held() -> None:
    odd = VERIFIED | {
        "verifier": {"id": "https://v.example.com/\ud800 é" + "x" * 5000},
        "verifiedLevels": ["\ud800", "A" * 64],
    }
    [found] = facts(statement(VSA, odd))
    assert (found.data["verified_properties"], found.left_out) == (["A" * 64], ("verifier",))


def test_a_statement_that_is_damaged_by_chance_is_read_or_refused_and_nothing_else() -> None:
    assert FORMAT.redactor is not None
    whole = json.dumps(dsse(statement(PROVENANCE_V1, V1))).encode()
    bodies = [json.dumps(made).encode() for made, *_ in KINDS.values()]
    for body in (whole, json.dumps(bundle(statement(TESTED, TESTS))).encode(), *bodies):
        for damaged in mutations(body, 60):
            try:
                kept = FORMAT.redactor.cut(damaged)
            except ForeignError:
                continue
            translated = FORMAT.translate(FORMAT.context({}).beside(damaged), kept)
            assert isinstance(translated, Mapped | Unmapped)


def test_the_run_of_slsa_0_2_is_named_in_either_way_that_builders_write() -> None:
    written = {name: value for name, value in V02["metadata"].items() if name != "buildInvocationId"}
    for name in ("buildInvocationId", "buildInvocationID"):
        said = facts(statement(PROVENANCE_V02, V02 | {"metadata": written | {name: "8373487016-1"}}))
        assert said[-1].data["run_id"] == "8373487016-1"


def test_a_code_host_hands_out_bundles_in_lists() -> None:
    of = bundle(statement(TESTED, TESTS))
    [alone] = facts_of(FORMAT, json.dumps(of).encode(), {})[:1]
    listed = {"attestations": [{"bundle": of, "repository_id": 1, "bundle_url": "https://x?sig=s3cret"}] * 2}
    printed = [{"attestation": {"bundle": of, "bundle_url": ""}, "verificationResult": {"statement": "s3cret"}}]
    for body, times in ((listed, 2), (printed, 1)):
        told = [one for one in facts_of(FORMAT, json.dumps(body).encode(), {}) if one.type == "attestation.received"]
        assert [one.data for one in told] == [alone.data] * times
        assert [one.payload for one in envelopes_in(json.dumps(body).encode())] == [
            one.payload for one in envelopes_in(json.dumps(of).encode())
        ] * times
    assert refused({"attestations": []}) == "no-statement"
    assert refused({"attestations": [{"bundle": of}, {"bundle": None}]}) == "no-statement"
    assert refused({"attestations": [{"bundle": of}] * 101}) == "too-many-statements"
