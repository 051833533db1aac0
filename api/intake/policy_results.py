"""What policies as code found: the JSON of Conftest (`--output json`), of OPA (`api.intake.opa`), and PolicyReports of Kubernetes, also
in YAML.

A breach of a policy is a result of a scan (`api.intake.scans`): an error where the tool calls it a failure, else a warning. Nothing
that was evaluated is no pass: no test was run, or a query has no answer. What could not be evaluated is an error under a name of its
own. What an exception in the policies lets pass is told, and lets nothing pass here. Of a PolicyReport its own summary counts, where it
says more than the results that it lists: those may be cut.

    [{"filename": "web.yaml", "successes": 3, "failures": [{"msg": "…"}]}]               one error in web.yaml
    {"result": [{"expressions": [{"text": "data.main.deny", "value": ["…", "…"]}]}]}     two errors
    {"kind": "PolicyReport", "results": [{"policy": "labels", "result": "fail"}]}         one error, of what the report is of

Where whoever posts it says of which plan it is, the plan was checked by that tool, too (`iac.validated`). The redactor keeps names of
policies, rules, files and resources, and no message: those quote what they found. Longer than other formats: it is three that say the same.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import orjson

from api.intake import opa, scans
from api.intake.context import executed_of
from api.intake.formats import JSON, UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    Fact,
    ForeignJsonError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    dump_json,
    fact,
    pick,
    read_json,
)
from api.intake.yaml_documents import read_yaml
from ledger.clock import to_text
from ledger.errors import StatementError
from ledger.events.identifiers import identifier_of

MAX_REPORTS: Final = 200
_KINDS: Final = ("PolicyReport", "ClusterPolicyReport")
# Lists of Conftest, and what each is: of which level, and whether the policies themselves let it pass.
_LISTS: Final = {"failures": ("error", False), "warnings": ("warning", False), "exceptions": ("error", True)}
# Results of a report, and of which level they are.
_LEVELS: Final = {"fail": "error", "error": "error", "warn": "warning", "pass": "none", "skip": "note"}
_FAR: Final = 253_402_300_799


# -- cutting ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> bytes:
    document = _document(body)
    if (of_opa := opa.cut(document)) is not None:
        return dump_json(of_opa)
    if isinstance(document, list):
        return dump_json({"conftest": [_cut_file(told) for told in document if _is_file(told)]})
    if pick(document, "kind") == "List" or _is_report(document):
        items = _list(document, "items") if document["kind"] == "List" else [document]
        return dump_json({"reports": [_cut_report(told) for told in items if _is_report(told)]})
    raise ForeignJsonError("not-a-policy-result")


def _document(body: bytes) -> Any:
    """Return the JSON of a file; of lines the decisions among them; of YAML its documents, as a list of reports, where one is one."""
    try:
        return read_json(body)
    except ForeignJsonError as error:
        if str(error) != "not-json":
            raise
        if (decisions := opa.lines_of(body)) is not None:
            return decisions
        documents = read_yaml(body)
        if not any(_is_report(one) for one in documents):
            raise
        return {"kind": "List", "items": documents}


def _is_report(told: Any) -> bool:
    kind, group = pick(told, "kind"), pick(told, "apiVersion")
    # OpenReports calls them by names that many others have.
    is_open = isinstance(group, str) and group.startswith("openreports.io/")
    return kind in _KINDS or (is_open and kind in ("Report", "ClusterReport"))


def _is_file(told: Any) -> bool:
    if isinstance(told, dict) and isinstance(told.get("filename"), str) and {"successes", *_LISTS} & told.keys():
        return True
    raise ForeignJsonError("not-a-policy-result")


def _cut_file(told: dict[str, Any]) -> dict[str, Any]:
    successes = told.get("successes")
    return {
        "filename": _name(told.get("filename")),
        "namespace": _name(told.get("namespace")),
        # Older versions list them.
        "successes": len(successes) if isinstance(successes, list) else successes if isinstance(successes, int) else 0,
        **{name: [_name(pick(one, "metadata.query")) for one in _list(told, name)] for name in _LISTS},
    }


def _cut_report(report: Any) -> dict[str, Any]:
    summary = pick(report, "summary")
    return {
        "kind": report["kind"],
        "metadata": _thing(pick(report, "metadata")),
        "scope": _thing(pick(report, "scope")),
        "source": _name(pick(report, "source")),
        "summary": {name: count for name in _LEVELS if (count := _count(pick(summary, name))) is not None},
        "results": [
            {
                **{name: _name(pick(told, name)) for name in ("policy", "rule", "result", "source")},
                # In YAML everything is text.
                "scored": pick(told, "scored") not in (False, "false"),
                "resources": [_thing(one) for one in _list(told, "resources")],
                "seconds": seconds if (seconds := _count(pick(told, "timestamp.seconds"))) is not None and seconds <= _FAR else None,
            }
            for told in _list(report, "results")
        ],
    }  # fmt: skip


def _thing(thing: Any) -> dict[str, Any]:
    return {name: said for name in ("kind", "namespace", "name") if (said := _name(pick(thing, name))) is not None}


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable() else None


def _count(value: Any) -> int | None:
    if isinstance(value, str) and len(value) < 16 and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _list(thing: Any, path: str) -> list[Any]:
    found = pick(thing, path)
    return found if isinstance(found, list) else []


# -- what it says ----------------------------------------------------------------------------------------------------------


def translate(beside: Headers, body: bytes) -> Translation:
    """Return the scans of a file that the redactor left, and that a plan was checked where one is named."""
    document = orjson.loads(body)
    if len(document.get("reports", ())) > MAX_REPORTS:
        return Unmapped("policy-results", "too-many-reports", beside["source"])
    told = list(_told(beside, document))
    if not told:
        return Unmapped("policy-results", "no-reports", beside["source"])
    facts: list[Fact] = []
    try:
        for one in told:
            found = scans.facts_of(beside, one)
            if found is None:
                return Unmapped("policy-results", "too-many-results", beside["source"])
            facts += found
            facts += _checked(beside, one)
    except StatementError as error:
        return Unmapped("policy-results", f"field{error.place}", beside["source"])
    return Mapped(tuple(facts))


def _told(beside: Headers, document: dict[str, Any]) -> Iterator[scans.Told]:
    identity = beside["identity"]
    if "conftest" in document:
        files = document["conftest"]
        ran = sum(told["successes"] + sum(len(told[name]) for name in _LISTS) for told in files)
        yield _scan(beside, identity, "conftest", list(_of_files(files)), executed=ran > 0)
    elif "opa" in document:
        rules = document["opa"]
        found = [_result(told["rule"], None, told["level"]) for told in rules for _ in range(told["breaches"])]
        executed = bool(rules) and not document["errors"]
        yield _scan(beside, identity, "opa", found, executed=executed, ended=document["ended"] or "")
    else:
        reports = document["reports"]
        for number, report in enumerate(reports, 1):
            yield _of_report(beside, report, identity if len(reports) == 1 else f"{identity}-{number}")


def _of_files(files: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for told in files:
        for name, (level, is_let_pass) in _LISTS.items():
            for query in told[name]:
                rule = (query or f"{told['namespace'] or 'main'}.{name}").removeprefix("data.")
                yield _result(rule, told["filename"], level, is_let_pass)


def _of_report(beside: Headers, report: dict[str, Any], scan: str) -> scans.Told:
    results, summary = report["results"], report["summary"]
    of = report["scope"] or {"kind": report["kind"]} | report["metadata"]
    found = [
        _result(_rule_of(told), _path_of(one), _LEVELS.get(told["result"], "none") if told["scored"] else "note")
        for told in results
        for one in (told["resources"] or [of])
    ]
    sources = {told["source"] or report["source"] for told in results} or {report["source"]}
    tool = next(iter(sources)) if len(sources) == 1 else None
    # Of what says neither how it ended nor that anything was looked at, nobody knows what it means.
    is_known = bool(results or any(summary.values())) and all(told["result"] in _LEVELS for told in results)
    # The summary counts what is not scored, too, and that does not count.
    unscored = Counter(told["result"] for told in results if not told["scored"])
    more = {name: max(0, summary.get(name, 0) - unscored[name]) for name in ("fail", "error", "warn")}
    counted = {"error": more["fail"] + more["error"], "warning": more["warn"]}
    last = max((told["seconds"] for told in results if told["seconds"] is not None), default=None)
    ended = to_text(last * 1_000_000) if last is not None else ""
    return _scan(
        beside, scan, tool or "policy-report", found, executed=is_known or None, of=_path_of(of), ended=ended, counted=counted
    )  # fmt: skip


def _rule_of(told: dict[str, Any]) -> str:
    named = "/".join(filter(None, (told["policy"], told["rule"]))) or "unnamed"
    return f"not-evaluated:{named}" if told["result"] == "error" else named


def _path_of(thing: dict[str, str]) -> str:
    return "/".join(filter(None, (thing.get("namespace"), thing.get("kind"), thing.get("name"))))


def _result(rule: str | None, path: str | None, level: str, is_let_pass: bool = False) -> dict[str, Any]:
    found = {"rule": identifier_of(rule or "unnamed"), "level": level, "suppressed": is_let_pass}
    return found | {"path": identifier_of(path)} if path else found


def _scan(
    beside: Headers, scan: str, tool: str, found: list[dict[str, Any]], executed: bool | None, **more: Any
) -> scans.Told:
    # Whoever says that it did not run to its end is believed.
    said = executed_of(beside)
    if said is not None and executed is not False:
        executed = said
    return scans.Told(scan, tool, found, commit=beside.get("commit"), executed=executed, **more)


def _checked(beside: Headers, told: scans.Told) -> Iterator[Fact]:
    """Yield that a plan was checked, where one is named and the tool looked at anything."""
    if (plan := beside.get("plan")) is None or told.executed is not True:
        return
    failed = any(result["level"] == "error" for result in told.results) or (told.counted or {}).get("error", 0) > 0
    about = {"plan": plan, "change_id": beside.get("change"), "environment": beside.get("environment")}
    verdict = {"tool": told.tool, "verdict": "failed" if failed else "passed"}
    yield fact(beside["source"], "iac.validated", told.ended, about | verdict)


_SAID: Final = {"run": "4711", "service": "payments-api", "environment": "prod"}
_PLAN: Final = {"plan": f"sha256:{'7' * 64}"}


def _sample(kind: str, body: str, *becomes: str, **said: str) -> Sample:
    return Sample(kind, body, becomes, context=_SAID | said)


FORMAT: Final = Format(
    "policy-results",
    "Results of policies as code",
    "What Conftest or `opa eval` says in JSON, the log of decisions of a server of OPA, or a PolicyReport of Kubernetes in JSON or YAML: "
    "which policies were broken by what.",
    translate,
    media_types=(JSON, "application/yaml", "application/x-yaml", "text/yaml"),
    asks=("run", "commit", "service", "environment", "change", "plan", "executed"),
    redactor=Redactor(3, _cut),
    samples=(
        _sample(
            "Conftest",
            '[{"filename": "web.yaml", "successes": 1, "failures": [{"msg": "hunter2", "metadata": {"details": {"hunter2": "hunter2"}}}]}]',
            "scan.completed",
        ),
        _sample(
            "Conftest, of a plan", '[{"filename": "plan.json", "namespace": "main", "successes": 4}]',
            "scan.completed", "iac.validated", **_PLAN,
        ),
        _sample(
            "opa eval", '{"result": [{"expressions": [{"text": "data.main.deny", "value": ["hunter2"]}]}]}', "scan.completed"
        ),
        _sample(
            "a log of decisions",
            '[{"decision_id": "d-1", "path": "main/deny", "input": "hunter2", "result": ["hunter2"], "timestamp": "2026-03-02T09:00:00Z"}]',
            "scan.completed",
        ),
        _sample(
            "a PolicyReport",
            '{"kind": "PolicyReport", "scope": {"kind": "Pod", "name": "web"}, "results": ['
            '{"policy": "labels", "result": "fail", "message": "hunter2"}]}',
            "scan.completed",
        ),
        _sample("an empty list of reports", '{"kind": "List", "items": []}', UNMAPPED),
    ),
)  # fmt: skip
