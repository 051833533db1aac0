"""SARIF 2.1.0, as tools that scan code write it: whether the tool ran to its end, and what it found, of which level, where.

One file holds one run or several, each a scan of its own. `results` that are missing mean that nothing ran; an empty list is clean only
where somebody says that the tool ran to its end: an invocation in the file, or whoever posts it (`executed`). A level that a result does
not say is its rule's, else a warning. What a file suppresses is told and lets nothing pass: who decides that is no file's to say.

No result has an identity to rely on: fingerprints are optional, uploaders fill them in, and some tools put names and secrets there. So
one is made (`api.intake.scans`).

What a tool for secrets found is told as that, too, secret by secret (`api.intake.secrets`).

The redactor keeps what is named in `_cut_run` and nothing else: no message, no snippet, no property; of fingerprints, which commit brought
something in. Longer than other formats, because SARIF has a rule's level in five places.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from api.intake import scans, secrets
from api.intake.context import executed_of
from api.intake.formats import JSON, UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    ContradictionError,
    Fact,
    ForeignJsonError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    dump_json,
    pick,
    pick_text,
    pick_time,
    read_json,
)
from api.intake.uncollected import uncollected
from ledger.canonical import encode
from ledger.errors import StatementError
from ledger.events.identifiers import Commit, Version, fits, identifier_of

SARIF: Final = "application/sarif+json"
MAX_RUNS: Final = 50
# What of a file is long, and nothing is told of.
_UNTOLD: Final = frozenset(
    {"artifacts", "codeFlows", "contextRegion", "fixes", "fullDescription", "help", "logicalLocations", "message", "messageStrings",
     "relatedLocations", "shortDescription", "snippet", "stacks", "taxonomies"}
)  # fmt: skip
# A path of a repository as most are: it has no part that `urlsplit` would find.
_is_path = re.compile(r"(?!//)[A-Za-z0-9._/-][A-Za-z0-9._/ +-]*").fullmatch
_LEVELS: Final = ("error", "warning", "note", "none")
_OF_RESULT: Final = ("ruleId", "ruleIndex", "level", "kind", "baselineState")
_BASELINES: Final = ("new", "unchanged", "updated", "absent")
_UNLISTED: Final = ("note", "none")
# Bytes and objects that a result has at least, over the whole of a long file: it has a message (§3.27.11), and of tools some hundred
# bytes. What is said of each takes longer than to read one that is less.
_OF_A_RESULT: Final = 64
_OBJECTS_OF_A_RESULT: Final = 2
_LONG: Final = 65_536
# What of a result is no plain value, or of that one alone.
_NOT_ALIKE: Final = frozenset({"rule", "suppressions", "introducedBy"})


# -- cutting ---------------------------------------------------------------------------------------------------------------


@uncollected
def _cut(body: bytes) -> bytes:
    document = read_json(body, but=_UNTOLD)
    runs = pick(document, "runs")
    if not isinstance(runs, list) or pick_text(document, "version") != "2.1.0":
        raise ForeignJsonError("not-sarif-2.1.0")
    if len(runs) > 10 * MAX_RUNS:
        raise ForeignJsonError("too-many-runs")
    if len(body) > _LONG:
        many = sum(len(_found(run) or ()) for run in runs)
        if many * _OF_A_RESULT > len(body) or many * _OBJECTS_OF_A_RESULT > body.count(b"{"):
            raise ForeignJsonError("too-many-values")
    kept = {"version": "2.1.0", "runs": [_cut_run(run) for run in runs]}
    return dump_json(kept)


def _cut_run(run: Any) -> dict[str, Any]:
    extensions = _list(run, "tool.extensions")
    return {
        "tool": {"driver": _cut_tool(pick(run, "tool.driver")), "extensions": [_cut_tool(tool) for tool in extensions]},
        "automationDetails": _only(pick(run, "automationDetails"), "id", "guid"),
        "versionControlProvenance": [_only(told, "revisionId") for told in _list(run, "versionControlProvenance")],
        "invocations": [
            _only(told, "executionSuccessful", "startTimeUtc", "endTimeUtc", "exitCode")
            for told in _list(run, "invocations")
        ],
        # That there are none is another thing than that there is no list.
        "results": _cut_results(results) if (results := _found(run)) is not None else None,
    }


def _cut_results(results: list[Any]) -> list[Any]:
    """Cut results where they stand: of a large file, each whole one is let go before the next is cut."""
    for number, result in enumerate(results):
        results[number] = _cut_result(result) if isinstance(result, dict) else {}
    return results


def _cut_tool(tool: Any) -> dict[str, Any]:
    rules = [
        _only(rule, "id", "guid")
        | {"defaultConfiguration": _only(pick(rule, "defaultConfiguration"), "level", "enabled")}
        | ({"secret": True} if secrets.is_tagged(rule) else {})
        for rule in _list(tool, "rules")
    ]
    return _only(tool, "name", "version", "semanticVersion", "guid") | {"rules": rules}


def _cut_result(result: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        name: value for name in _OF_RESULT if (value := result.get(name)) is not None and _is_plain(value)
    }
    if (rule := result.get("rule")) is not None and not _is_said_beside(rule, result):
        kept["rule"] = _only(rule, "id", "index") | {
            "toolComponent": _only(pick(rule, "toolComponent"), "index", "name")
        }
    places = result.get("locations")
    place = pick(places[0], "physicalLocation") if isinstance(places, list) and places else None
    if isinstance(place, dict):
        uri, line = pick(place.get("artifactLocation"), "uri"), pick(place.get("region"), "startLine")
        if isinstance(uri, str) and uri and (bare := _without_secrets(uri)) is not None:
            kept["uri"] = bare
        if type(line) is int and _is_plain(line):
            kept["line"] = line
    if "partialFingerprints" in result and (commit := secrets.introduced_by(result)) is not None:
        kept["introducedBy"] = commit
    if result.get("suppressions") is not None:
        kept["suppressions"] = [_only(told, "kind", "status") for told in _list(result, "suppressions")]
    return kept


def _is_said_beside(rule: Any, result: dict[str, Any]) -> bool:
    """Say whether a reference to a rule says nothing more than the id and the index that stand beside it."""
    if not isinstance(rule, dict) or "toolComponent" in rule:
        return False
    return (rule.get("id"), rule.get("index")) == (result.get("ruleId"), result.get("ruleIndex"))


def _only(thing: Any, *names: str) -> dict[str, Any]:
    """Return what a thing says under some names, where that is a short text, a number or a truth."""
    if not isinstance(thing, dict):
        return {}
    return {name: thing[name] for name in names if name in thing and _is_plain(thing[name])}


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 1000 and value.isprintable()
    return isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53)


def _list(thing: Any, path: str) -> list[Any]:
    found = pick(thing, path)
    return found if isinstance(found, list) else []


def _first(thing: Any, path: str) -> Any:
    found = _list(thing, path)
    return found[0] if found else None


def _found(run: Any) -> list[Any] | None:
    found = pick(run, "results")
    return found if isinstance(found, list) else None


@lru_cache(1024)
def _without_secrets(uri: str | None) -> str | None:
    """Return a URI without who logs in, and what is asked: either may be a secret."""
    if uri is None or not _is_plain(uri):
        return None
    if _is_path(uri):
        return uri
    try:
        parts = urlsplit(uri)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    except ValueError:
        return None


# -- what it says ----------------------------------------------------------------------------------------------------------


@uncollected
def translate(beside: Headers, body: bytes) -> Translation:
    """Return the scans of a file that the redactor left. Raises ContradictionError where it is of another commit than was said."""
    runs = [cut for cut in orjson.loads(body)["runs"] if isinstance(cut, dict)]
    source = beside["source"]
    if not runs or len(runs) > MAX_RUNS:
        return Unmapped("sarif", "no-runs" if not runs else "too-many-runs", source)
    facts: list[Fact] = []
    try:
        for number, run in enumerate(runs, 1):
            told = _scan(beside, run, beside["identity"] if len(runs) == 1 else f"{beside['identity']}-{number}")
            if told is None:
                return Unmapped("sarif", "too-many-results", source)
            facts += told
    except ContradictionError:
        raise
    except StatementError as error:
        return Unmapped("sarif", f"field{error.place}", source)
    return Mapped(tuple(facts))


def _scan(beside: Headers, run: dict[str, Any], scan: str) -> list[Fact] | None:
    driver = run["tool"]["driver"]
    # Nobody knows which tool it was that is not named.
    if (tool := pick_text(driver, "name")) is None:
        raise StatementError("expected tool.driver.name", "/tool/driver/name")
    found, hidden = _results(run, tool)
    if len(hidden) > secrets.MAX_SECRETS:
        return None
    if hidden:
        # A secret is called by its fingerprint, of whatever level it is.
        scans.fingerprinted(tool, found)
    hidden.sort(key=lambda told: scans.place(told[0]))
    versions = (pick_text(driver, name) for name in ("semanticVersion", "version"))
    ended = pick_time(_first(run, "invocations"), "endTimeUtc") or ""
    told = scans.Told(
        scan,
        tool,
        found,
        of=_category_of(run),
        commit=_commit(beside, run),
        executed=_executed(beside, run),
        ended=ended,
        tool_version=next((version for version in versions if fits(Version, version)), None),
        rules_digest=_rules_digest(run),
        started_at=pick_time(_first(run, "invocations"), "startTimeUtc"),
        subject=pick_text(run, "automationDetails.id"),
    )
    facts = scans.facts_of(beside, told)
    if facts is None:
        return None
    of_scan = {"tool": tool, "scan": scan, "ended": ended}
    return facts + [secrets.detected(beside, of_scan, result, commit) for result, commit in hidden]


def _category_of(run: dict[str, Any]) -> str | None:
    """Return of what an analysis is, where a tool makes several of one commit, such as one a language: its id but for the last part, which
    is the run's (§3.17.3).
    """
    named = pick_text(run, "automationDetails.id") or ""
    return named.rpartition("/")[0].strip("/") or None


def _commit(beside: Headers, run: dict[str, Any]) -> str | None:
    """Return the commit that was scanned: as the file says, and as was said beside it. They are not two."""
    named = {told.get("revisionId") for told in run["versionControlProvenance"]} - {None}
    in_file = next(iter(named)) if len(named) == 1 else None
    in_file = in_file if fits(Commit, in_file) else None
    said = beside.get("commit")
    if in_file is not None and said is not None and not (in_file.startswith(said) or said.startswith(in_file)):
        raise ContradictionError(f"the file is of the commit {in_file}, and was said to be of {said}", "/commit")
    return max((commit for commit in (in_file, said) if commit is not None), key=len, default=None)


def _executed(beside: Headers, run: dict[str, Any]) -> bool | None:
    """Say whether the tool ran to its end; None where nobody says so. Whoever says no is believed."""
    told = [told.get("executionSuccessful") for told in run["invocations"]]
    known = [said for said in (*told, executed_of(beside)) if isinstance(said, bool)]
    return False if run["results"] is None or not all(known) else True if known else None


def _rules_digest(run: dict[str, Any]) -> str | None:
    tools = (run["tool"]["driver"], *run["tool"]["extensions"])
    names = sorted({str(rule["id"]) for tool in tools for rule in tool["rules"] if "id" in rule})
    return f"sha256:{hashlib.sha256(encode(names)).hexdigest()}" if names else None


def _results(run: dict[str, Any], tool: str) -> tuple[list[dict[str, Any]], list[tuple[dict[str, Any], str | None]]]:
    """Return what was found, as statements have it; and which of that are secrets, each with the commit that brought it in, if known."""
    found: list[dict[str, Any]] = []
    hidden: list[tuple[dict[str, Any], str | None]] = []
    rules, finds_secrets = _Rules(run["tool"]), secrets.is_scanner(tool)
    results = run["results"] or []
    # Very many results of few rules differ in where they are, and in nothing else.
    alike: dict[Any, tuple[dict[str, Any], bool]] = {}
    names: dict[str, str] = {}
    for number, result in enumerate(results):
        # Of very many, each is let go when it was read.
        results[number] = None
        uri, line = result.pop("uri", None), result.pop("line", None)
        which = tuple(result.items()) if _NOT_ALIKE.isdisjoint(result) else None
        if (known := alike.get(which)) is None:
            known = rules.told_by(result)
            if which is not None:
                alike[which] = known
        told, is_secret = known
        is_secret = is_secret or finds_secrets
        if uri is None and line is None and not is_secret and told["level"] in _UNLISTED:
            # Of these only how many there are is told.
            found.append(told)
            continue
        told = told.copy()
        if uri:
            told["path"] = names.get(uri) or names.setdefault(uri, identifier_of(uri))
        if isinstance(line, int) and line >= 0:
            told["line"] = line
        found.append(told)
        if is_secret and told.get("baseline") != "absent":
            hidden.append((told, result.get("introducedBy")))
    return found, hidden


def _is_suppressed(result: Mapping[str, Any]) -> bool:
    """Say whether a file lets a result pass: an entry without a status is accepted (SARIF 2.1.0 §3.35.3), and one refused says no."""
    if not (told := result.get("suppressions")):
        return False
    statuses = [one.get("status", "accepted") for one in told]
    return all(status == "accepted" for status in statuses)


def _rule_id(result: Mapping[str, Any]) -> str | None:
    """Return the id by which a result names its rule, as a text also where a file has a number."""
    named = result.get("ruleId") or pick(result, "rule.id")
    return str(named) if named else None


class _Rules:
    """The rules that a run knows, of the tool and of what extends it: results name them by index, by id, or not at all."""

    def __init__(self, tool: dict[str, Any]) -> None:
        self._tools = [tool["driver"]["rules"], *(extension["rules"] for extension in tool["extensions"])]
        self._by_id: dict[str, dict[str, Any]] = {}
        self._known: dict[tuple[Any, ...], tuple[str, bool, str]] = {}
        for rules in self._tools:
            for rule in rules:
                self._by_id.setdefault(str(rule.get("id", "")), rule)

    def _of(self, result: Mapping[str, Any]) -> dict[str, Any]:
        named = _rule_id(result) or ""
        # An id may go on after a slash, for a part of its rule (§3.52.4).
        if (found := self._by_id.get(named) or self._by_id.get(named.partition("/")[0])) is not None and named:
            return found
        of_extension = pick(result, "rule.toolComponent.index")
        is_extension = isinstance(of_extension, int) and 0 <= of_extension < len(self._tools) - 1
        rules = self._tools[of_extension + 1 if is_extension else 0]
        index = result.get("ruleIndex", pick(result, "rule.index"))
        return rules[index] if isinstance(index, int) and 0 <= index < len(rules) else {}

    def told_by(self, result: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return what a result says, wherever it is, and whether its rule finds secrets, as its tags say."""
        # Of very many results of few rules each rule is looked up once.
        which: tuple[Any, ...] = (result.get("ruleId"), result.get("ruleIndex"))
        if (named := result.get("rule")) is not None:
            which += (named.get("id"), named.get("index"), named["toolComponent"].get("index"))
        if which not in self._known:
            rule = self._of(result)
            level = pick(rule, "defaultConfiguration.level")
            self._known[which] = (
                identifier_of(_rule_id(result) or str(rule.get("id") or "unnamed")),
                rule.get("secret") is True,
                level if level in _LEVELS else "warning",
            )
        name, is_secret, level = self._known[which]
        told: dict[str, Any] = {"rule": name, "level": self.level_of(result, level)}
        if (baseline := result.get("baselineState")) in _BASELINES:
            told["baseline"] = baseline
        told["suppressed"] = "suppressions" in result and _is_suppressed(result)
        return told, is_secret

    @staticmethod
    def level_of(result: Mapping[str, Any], by_rule: str) -> str:
        """Return the level of a result (§3.27.10): its own, its rule's, or a warning; of what is no failure, none."""
        if (own := result.get("level")) in _LEVELS:
            return str(own)
        return "none" if result.get("kind", "fail") != "fail" else by_rule


_SAID: Final = {"run": "4711", "service": "payments-api", "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8"}
_RULES: Final = [{"id": "AVD-1", "defaultConfiguration": {"level": "error"}}, {"id": "AVD-2"}]


def _sample(kind: str, *becomes: str, tool: str = "tfsec", **run: Any) -> Sample:
    made = {"tool": {"driver": {"name": tool, "version": "1.28.1", "rules": _RULES}}, **run}
    return Sample(kind, {"version": "2.1.0", "runs": [made]}, becomes, context=_SAID)


def _place(path: str, line: int) -> dict[str, Any]:
    region = {"startLine": line, "snippet": {"text": 'password = "hunter2"'}}
    return {"physicalLocation": {"artifactLocation": {"uri": path}, "region": region}}


FORMAT: Final = Format(
    "sarif",
    "SARIF 2.1.0",
    "The report of a tool that scans code: which commit it looked at, whether it ran to its end, and what it found.",
    translate,
    media_types=(JSON, SARIF),
    asks=("run", "commit", "repository", "service", "environment", "executed"),
    redactor=Redactor(3, _cut),
    kept_as=lambda _: SARIF,
    samples=(
        _sample(
            "a scan",
            "scan.completed",
            invocations=[{"executionSuccessful": True, "endTimeUtc": "2026-03-02T09:00:00Z"}],
            results=[
                {"ruleId": "AVD-1", "message": {"text": "hunter2"}, "locations": [_place("main.tf", 15)]},
                {"ruleIndex": 1, "partialFingerprints": {"x": "hunter2"}, "properties": {"hunter2": "hunter2"}},
            ],
        ),
        _sample(
            "a scan for secrets",
            "scan.completed",
            "secret.detected",
            tool="gitleaks",
            results=[
                {
                    "ruleId": "generic-api-key",
                    "locations": [_place("main.tf", 15)],
                    "partialFingerprints": {"commitSha": _SAID["commit"]},
                }
            ],
        ),
        _sample("a scan that did not run", "scan.completed", invocations=[{"executionSuccessful": False}]),
        Sample("another document", {"version": "2.0.0", "runs": []}, (UNMAPPED,), context=_SAID),
    ),
)
