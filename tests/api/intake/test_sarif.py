"""SARIF 2.1.0: what tools that scan code write becomes what whoever reads it line by line would say, and nothing that may be a secret.

The reports are made up here, in the shapes that Trivy, Checkov, KICS, Snyk, gitleaks and CodeQL write.
"""

import gc
import json
import tracemalloc
from typing import Any

import pytest
from files import facts_of, is_taken, mutations, odd_documents

from api.intake.sarif import FORMAT
from api.intake.translation import ContradictionError, Fact, ForeignError, Mapped, Unmapped

COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"
SAID = {"commit": COMMIT, "service": "api"}
RULES = [
    {"id": "R1", "defaultConfiguration": {"level": "error"}},
    {"id": "R2"},
    {"id": "R3", "defaultConfiguration": {"level": "note"}},
]
RAN = [{"executionSuccessful": True}]


def place(path: str | None, line: int = 1) -> list[dict[str, Any]]:
    return [{"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}}}]


def found(rule_id: str | None = "R1", path: str | None = "main.tf", line: int = 1, **more: Any) -> dict[str, Any]:
    return {"ruleId": rule_id, "message": {"text": "s3cret"}, "locations": place(path, line)} | more


def run(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"tool": {"driver": {"name": "tfsec", "rules": RULES}}, "results": list(results)} | more


def sarif(*runs: dict[str, Any]) -> bytes:
    return json.dumps({"version": "2.1.0", "runs": list(runs)}).encode()


def data_of(made: dict[str, Any], **said: str) -> dict[str, Any]:
    [fact] = facts_of(FORMAT, sarif(made), SAID | said)
    assert (fact.type, fact.left_out) == ("scan.completed", ())
    return fact.data


# What a result is like, the result, and its level, baseline, and whether the file lets it pass.
RESULTS: list[tuple[str, dict[str, Any], tuple[str, str | None, bool] | None]] = [
    ("level of its own", found("R1", level="warning"), ("warning", None, False)),
    ("level of its rule, by id", found("R1"), ("error", None, False)),
    ("level of its rule, by index alone", found(None, ruleIndex=0), ("error", None, False)),
    ("level of its rule, by what it is a part of", found("R1/part"), ("error", None, False)),
    ("level of its rule, by an object", found(None, rule={"index": 0}), ("error", None, False)),
    ("a rule without a level", found("R2"), ("warning", None, False)),
    ("a rule that nobody knows", found("test-rule"), ("warning", None, False)),
    ("an index of nothing", found("", ruleIndex=-1), ("warning", None, False)),
    ("a failure, as KICS says it", found("R1", kind="fail"), ("error", None, False)),
    ("no failure is of no level", found("R1", kind="pass"), None),
    ("a note is counted alone", found("R3"), None),
    ("a level that there is not", found("R1", level="critical"), ("error", None, False)),
    ("unchanged", found("R1", baselineState="unchanged"), ("error", "unchanged", False)),
    ("absent", found("R1", baselineState="absent"), ("error", "absent", False)),
    ("a state that there is not", found("R1", baselineState="old"), ("error", None, False)),
    ("no suppression", found("R1", suppressions=[]), ("error", None, False)),
    ("suppressed without a status", found("R1", suppressions=[{"kind": "external"}]), ("error", None, True)),
    ("suppressed in the source", found("R1", suppressions=[{"kind": "inSource", "status": "accepted"}]), ("error", None, True)),
    ("a suppression that was refused", found("R1", suppressions=[{"kind": "external", "status": "rejected"}]), ("error", None, False)),
    ("under review", found("R1", suppressions=[{"kind": "inSource"}, {"status": "underReview"}]), ("error", None, False)),
]  # fmt: skip


@pytest.mark.parametrize(("result", "expected"), [pytest.param(*row[1:], id=row[0]) for row in RESULTS])
def test_a_result_is_of_a_level_and_is_there_or_not(result: dict[str, Any], expected: Any) -> None:
    data = data_of(run(result))
    listed = [(one["level"], one.get("baseline"), one["suppressed"]) for one in data.get("results", [])]
    assert listed == ([expected] if expected is not None else [])
    is_there = expected is not None and expected[1] != "absent"
    assert data["errors"] + data["warnings"] == int(is_there)
    assert data["suppressed"] == int(is_there and expected[2])


@pytest.mark.parametrize(
    ("made", "said", "executed"),
    [
        (run(), {}, None),
        (run(found()), {}, None),
        (run(invocations=RAN), {}, True),
        (run(), {"executed": "true"}, True),
        (run(), {"executed": "false"}, False),
        (run(invocations=RAN), {"executed": "false"}, False),
        (run(invocations=[{"executionSuccessful": False}]), {"executed": "true"}, False),
        (run(invocations=[*RAN, {"executionSuccessful": False}]), {}, False),
        (run(results=None), {"executed": "true"}, False),
        ({"tool": {"driver": {"name": "tfsec"}}, "invocations": RAN}, {}, False),
    ],
)
def test_nobody_knows_that_a_tool_ran_unless_somebody_says_so(
    made: dict[str, Any], said: dict[str, str], executed: bool | None
) -> None:
    assert data_of(made, **said).get("executed") is executed


def test_a_scan_is_of_the_commit_that_the_file_names_or_whoever_posts_it() -> None:
    of = {"versionControlProvenance": [{"repositoryUri": "https://x:s3cret@example.com/a", "revisionId": COMMIT}]}
    assert data_of(run(**of))["commit"] == COMMIT
    assert data_of(run(**of), commit=COMMIT[:8])["commit"] == COMMIT
    [fact] = facts_of(FORMAT, sarif(run(**of)), {})
    assert (fact.data["commit"], fact.data["series"]) == (COMMIT, "%2Fintake/sarif:tfsec")
    with pytest.raises(ContradictionError, match="was said to be of 1111111"):
        facts_of(FORMAT, sarif(run(**of)), {"commit": "1111111"})
    [fact] = facts_of(FORMAT, sarif(run()), {})
    assert "commit" not in fact.data


def test_what_was_found_keeps_its_name_when_lines_move_and_is_told_apart_from_its_likes() -> None:
    def prints(*results: dict[str, Any]) -> list[str]:
        return [one["fingerprint"] for one in data_of(run(*results))["results"]]

    first = prints(found(line=3), found(line=9), found("R2", line=3), found(path="other.tf"))
    assert len(set(first)) == 4
    # In the order of paths and lines, whatever the order of the file.
    assert prints(found(path="other.tf"), found(line=19), found("R2", line=14), found(line=13)) == first


def test_paths_are_names_without_who_logs_in() -> None:
    paths = [
        one["path"]
        for one in data_of(run(*(found(path=path) for path in (
            "/code/a.tf", "https://u:s3cret@example.com/x.tf?token=s3cret#s3cret", "file:///C:/code/file1.c",
        ))))["results"]
    ]  # fmt: skip
    assert paths == ["%2Fcode/a.tf", "file:///C:/code/file1.c", "https://example.com/x.tf"]


def test_rules_may_stand_in_what_extends_a_tool() -> None:
    tool = {"driver": {"name": "datadog"}, "extensions": [{"name": "iac", "rules": RULES}]}
    by_index = found(None, rule={"index": 0, "toolComponent": {"index": 0}})
    data = data_of({"tool": tool, "results": [found("R1"), by_index]})
    assert [one["level"] for one in data["results"]] == ["error", "error"]


def test_a_file_of_several_runs_is_several_scans() -> None:
    other = run(found(), invocations=[{"executionSuccessful": True, "endTimeUtc": "2026-03-02T09:00:00Z"}])
    other["tool"]["driver"] = {"name": "Snyk IaC", "semanticVersion": "1.2.3"}
    first, second = facts_of(FORMAT, sarif(run(), other), SAID)
    assert (first.data["tool"], first.time) == ("tfsec", "")
    assert (second.data["tool"], second.data["tool_version"], second.time) == (
        "Snyk%20IaC",
        "1.2.3",
        "2026-03-02T09:00:00Z",
    )
    assert first.data["scan"] != second.data["scan"]
    assert (first.data["series"], second.data["series"]) == ("api:tfsec", "api:Snyk%20IaC")


def test_many_results_are_a_summary_and_parts() -> None:
    summary, *parts = facts_of(FORMAT, sarif(run(*(found(line=line) for line in range(1000)))), SAID)
    assert (summary.data["errors"], summary.data["parts"], "results" in summary.data) == (1000, len(parts), False)
    assert [fact.type for fact in parts] == ["scan.results_reported"] * len(parts)
    assert len({one["fingerprint"] for fact in parts for one in fact.data["results"]}) == 1000


def test_nothing_that_stood_in_the_code_is_kept() -> None:
    secret = {"snippet": {"text": "s3cret"}, "startLine": 1}
    result = found(
        locations=[{"physicalLocation": {"artifactLocation": {"uri": "a.tf"}, "region": secret, "contextRegion": secret},
                    "message": {"text": "s3cret"}}],
        partialFingerprints={"author": "s3cret"}, fingerprints={"x": "s3cret"}, properties={"x": "s3cret"},
        codeFlows=["s3cret"], fixes=["s3cret"], relatedLocations=["s3cret"],
        suppressions=[{"kind": "external", "justification": "s3cret"}],
    )  # fmt: skip
    told = {
        "commandLine": "s3cret",
        "arguments": ["s3cret"],
        "environmentVariables": {"X": "s3cret"},
        "executionSuccessful": True,
    }
    whole = run(result, invocations=[told], artifacts=[{"contents": {"text": "s3cret"}}], properties={"x": "s3cret"})
    whole["tool"]["driver"] |= {
        "rules": [{"id": "R1", "fullDescription": {"text": "s3cret"}, "help": {"text": "s3cret"}}]
    }
    assert FORMAT.redactor is not None
    kept = FORMAT.redactor.cut(sarif(whole))
    assert b"s3cret" not in kept
    assert b'"executionSuccessful":true' in kept


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"version": "2.1.0", "version": "2.1.0", "runs": []}', "key-twice"),
        (b'{"version": "2.0.0", "runs": []}', "not-sarif-2.1.0"),
        (b'{"results": [], "errors": []}', "not-sarif-2.1.0"),
        (b"[]", "not-sarif-2.1.0"),
    ],
)
def test_what_is_no_sarif_is_not_half_read(body: bytes, reason: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match=reason):
        FORMAT.redactor.cut(body)


@pytest.mark.parametrize("runs", [[], [{}], [{"tool": {"driver": {}}}], ["x"], [run()] * 51])
def test_a_file_without_a_run_that_names_its_tool_says_nothing(runs: list[Any]) -> None:
    assert FORMAT.redactor is not None
    body = FORMAT.redactor.cut(sarif(*runs))
    assert isinstance(FORMAT.translate(FORMAT.context(SAID).beside(body), body), Unmapped)


def test_no_mutation_of_a_report_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    body = sarif(run(found(), found("R2", path=None, suppressions=[{"status": "x"}]), invocations=RAN))
    for changed in mutations(body, 400):
        try:
            kept = FORMAT.redactor.cut(changed)
            translated = FORMAT.translate(FORMAT.context(SAID).beside(changed), kept)
        except ForeignError:
            continue
        assert isinstance(translated, Mapped | Unmapped)
        assert not isinstance(translated, Mapped) or all(isinstance(fact, Fact) for fact in translated.facts)


def test_no_odd_part_of_a_report_is_worse_than_not_understood() -> None:
    made = run(
        found(rule={"id": "R1", "index": 0, "toolComponent": {"index": 0, "name": "more"}}, ruleIndex=0, kind="fail"),
        found(None, suppressions=[{"kind": "inSource", "status": "accepted"}], baselineState="new"),
        invocations=RAN,
        versionControlProvenance=[{"revisionId": COMMIT}],
    )
    made["tool"]["extensions"] = [{"name": "more", "rules": RULES}]
    taken = [is_taken(FORMAT, json.dumps(odd).encode(), SAID) for odd in odd_documents(json.loads(sarif(made)))]
    assert any(taken)


@pytest.mark.parametrize(
    ("line", "kept"), [(10**30, None), (2**53, None), (2**53 - 1, 2**53 - 1), (True, None), (-1, None)]
)
def test_a_line_that_no_file_has_loses_no_result(line: int, kept: int | None) -> None:
    [result] = data_of(run(found(line=line)))["results"]
    assert result.get("line") == kept


def test_a_rule_that_is_a_number_is_its_name() -> None:
    [one, other] = data_of(run(found(7), found(None, rule={"id": 8})))["results"]  # type: ignore[arg-type]
    assert (one["rule"], other["rule"]) == ("7", "8")


# -- secrets ---------------------------------------------------------------------------------------------------------------


def of_gitleaks(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"tool": {"driver": {"name": "gitleaks"}}, "results": list(results)} | more


def leak(line: int = 3, commit: str | None = COMMIT, **more: Any) -> dict[str, Any]:
    prints = {"commitSha": commit, "email": "s3cret@example.com", "author": "s3cret", "date": "10-19-2003"}
    result = found("generic-api-key", "deploy.env", line, partialFingerprints=prints if commit else None)
    result["locations"][0]["physicalLocation"]["region"]["snippet"] = {"text": "KEY=s3cret"}
    return result | more


def secrets_of(made: dict[str, Any], **said: str) -> list[dict[str, Any]]:
    scan, *told = facts_of(FORMAT, sarif(made), SAID | said)
    assert scan.type == "scan.completed"
    assert {fact.type for fact in told} <= {"secret.detected"}
    assert [fact.data["scan"] for fact in told] == [scan.data["scan"]] * len(told)
    return [fact.data for fact in told]


def test_a_tool_for_secrets_tells_each_by_the_commit_that_brought_it_in() -> None:
    [one] = secrets_of(of_gitleaks(leak()), repository="acme/api")
    assert {name: one[name] for name in ("tool", "rule", "path", "line", "introduced_by", "by_place", "repository")} == {
        "tool": "gitleaks", "rule": "generic-api-key", "path": "deploy.env", "line": 3, "introduced_by": COMMIT,
        "by_place": False, "repository": "acme/api",
    }  # fmt: skip
    assert one["secret"].startswith("sha256:")

    def named(*results: dict[str, Any], **said: str) -> list[str]:
        return [one["secret"] for one in secrets_of(of_gitleaks(*results), **said)]

    # The same in the next scan, and another one by another commit, in another place, or in another repository.
    assert named(leak()) == named(leak(), commit=COMMIT[:8])
    others = [named(leak(), repository=name) for name in ("acme/a", "acme/b")]
    others += [named(leak()), named(leak(line=4)), named(leak(commit="1" * 40))]
    assert len({*map(tuple, others)}) == 5
    # Without a commit its place names it, wherever the line has moved to.
    [placed] = secrets_of(of_gitleaks(leak(commit=None)))
    assert (placed["by_place"], "introduced_by" in placed) == (True, False)
    assert (
        named(leak(commit=None)) == named(leak(9, commit=None)) != named(leak(3, commit=None), leak(9, commit=None))[1:]
    )


@pytest.mark.parametrize(
    ("tags", "is_secret"), [(["secret", "HIGH"], True), (["security"], False), ("secret", False), (None, False)]
)
def test_of_other_tools_a_secret_is_what_a_rule_is_tagged_for(tags: Any, is_secret: bool) -> None:
    rules = [{"id": "private-key", "properties": {"tags": tags}}, {"id": "AVD-1"}]
    made = run(found("private-key"), found("AVD-1"), tool={"driver": {"name": "Trivy", "rules": rules}})
    assert [one["rule"] for one in secrets_of(made)] == (["private-key"] if is_secret else [])


def test_what_is_gone_is_not_found_and_what_a_file_lets_pass_is() -> None:
    assert secrets_of(of_gitleaks(leak(baselineState="absent"))) == []
    assert len(secrets_of(of_gitleaks(leak(suppressions=[{"kind": "inSource"}])))) == 1


def test_nothing_that_was_found_is_kept_of_a_secret_but_where() -> None:
    body = sarif(of_gitleaks(leak(), leak(commit="s3cret"), leak(9, commit=None)))
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(body)
    assert "s3cret" not in json.dumps([fact.data for fact in facts_of(FORMAT, body, SAID)])


def test_more_secrets_than_a_file_may_tell_are_not_understood() -> None:
    body = sarif(of_gitleaks(*(leak(number) for number in range(501))))
    assert FORMAT.redactor is not None
    translated = FORMAT.translate(FORMAT.context(SAID).beside(body), FORMAT.redactor.cut(body))
    assert isinstance(translated, Unmapped)
    assert translated.reason == "too-many-results"


def test_a_dense_file_takes_less_than_ten_times_its_size_and_nobody_looks_for_circles_meanwhile() -> None:
    body = sarif(run(*(found(line=line) for line in range(4000))))
    looked: list[str] = []

    def noted(phase: str, _: dict[str, int]) -> None:
        looked.append(phase)

    assert FORMAT.redactor is not None
    gc.callbacks.append(noted)
    tracemalloc.start()
    try:
        kept = FORMAT.redactor.cut(body)
        translated = FORMAT.translate(FORMAT.context(SAID).beside(body), kept)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.callbacks.remove(noted)
    assert isinstance(translated, Mapped)
    assert peak < 10 * len(body)
    assert looked == []
    # Whatever becomes of a file, it goes on afterwards.
    with pytest.raises(ForeignError):
        FORMAT.redactor.cut(b"[")
    assert gc.isenabled()


def test_a_reference_to_a_rule_that_says_nothing_more_is_not_kept_and_one_that_does_is() -> None:
    same, other = {"id": "R1", "index": 0}, {"id": "R1", "index": 2}
    bodies = [sarif(run(found(ruleIndex=0, rule=rule))) for rule in (same, other, {"toolComponent": {"index": 0}})]
    assert FORMAT.redactor is not None
    kept = [json.loads(FORMAT.redactor.cut(body))["runs"][0]["results"][0] for body in bodies]
    assert ["rule" in result for result in kept] == [False, True, True]
    assert [facts_of(FORMAT, body, SAID)[0].data["errors"] for body in bodies] == [1, 1, 1]


def test_what_a_result_is_called_does_not_hang_on_how_many_are_counted_alone() -> None:
    """Which of several such it is counts notes, too: a note that is an error in the next scan is the same."""
    levels = ("note", "error", "none", "warning", "note", "error")
    several = [found(line=line, level=level) for line, level in enumerate(levels)]
    alone = [
        found("R2", line=9, level="note"),
        found("R3", path=None, level="none"),
        found("R3", path=None, level="none"),
    ]
    [mixed] = facts_of(FORMAT, sarif(run(*alone, *reversed(several))), SAID)
    [all_errors] = facts_of(FORMAT, sarif(run(*(one | {"level": "error"} for one in several))), SAID)
    called = [one["fingerprint"] for one in all_errors.data["results"]]
    assert [one["fingerprint"] for one in mixed.data["results"]] == [called[1], called[3], called[5]]
    assert [mixed.data[name] for name in ("errors", "warnings", "notes")] == [2, 1, 3]


def test_a_long_file_of_results_that_say_next_to_nothing_is_no_report() -> None:
    assert FORMAT.redactor is not None
    short = {"ruleId": "R1", "level": "error"}
    for one in (short, short | {"guid": "1" * 40}, short | {"message": {"text": ""}}):
        assert isinstance(FORMAT.redactor.cut(sarif(run(*[one] * 100))), bytes)
        with pytest.raises(ForeignError, match="too-many-values"):
            FORMAT.redactor.cut(sarif(run(*[one] * 5000)))
    assert isinstance(FORMAT.redactor.cut(sarif(run(*[short | {"message": {"text": "no tags on it"}}] * 5000))), bytes)


@pytest.mark.parametrize(
    ("named", "series"),
    [
        ("/language:python/", "api:tfsec:language:python"),
        ("Snyk/Open Source/2026-03-02", "api:tfsec:Snyk/Open%20Source"),
        ("4711", "api:tfsec"),
        ("", "api:tfsec"),
        ("//", "api:tfsec"),
    ],
)
def test_analyses_of_several_things_are_several_series(named: str, series: str) -> None:
    [fact] = facts_of(FORMAT, sarif(run(found(), automationDetails={"id": named})), {"service": "api"})
    assert fact.data["series"] == series
