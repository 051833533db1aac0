"""Plans of Terraform and OpenTofu, as `show -json` prints them: what would be changed, and whether the plan is whole. And states, as
`state pull` prints them: which, and how often it was written.

A plan is named by the SHA-256 of its JSON as it came, which `sha256sum` prints too: what is checked, approved and applied is the same
when that is. A document without anything planned is no empty plan: the same command prints states, and nothing.

Which modules and providers its configuration uses is told beside it (`module.used`, `provider.used`), with what versions each admits.
Where a plan holds no configuration, nobody knows.

Plans hold secrets in clear, and what they mark as sensitive is not all of them. So the redactor keeps addresses, actions and the state of
the plan, and no value of anything: none before, none after, no variable, no output; of what is created, the keys of its tags, and
fingerprints of what these have; of the configuration, where modules come from.
Longer than other files because one command prints both kinds of documents.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import orjson

from api.intake import terraform_modules, terraform_tags
from api.intake.formats import UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    Fact,
    ForeignJsonError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    dump_json,
    fact,
    in_parts,
    pick,
    pick_text,
    pick_time,
    read_json,
)
from api.intake.uncollected import uncollected
from ledger.errors import StatementError
from ledger.events.iac import MAX_CHANGES
from ledger.events.identifiers import Version, fits, identifier_of
from ledger.events.module import MAX_USES
from ledger.events.provider import MAX_PROVIDERS

_is_version = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}").fullmatch
# Actions as a plan has them -> what is to become of the resource. What replaces something deletes it, whichever comes first.
_ACTIONS: Final[dict[tuple[str, ...], str]] = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("read",): "read",
    # What is there for one run alone is opened, and nothing of it is changed.
    ("open",): "read",
    ("forget",): "forget",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("create", "forget"): "replace",
}
_STATUSES: Final = ("pass", "fail", "error", "unknown")


# -- cutting ---------------------------------------------------------------------------------------------------------------


@uncollected
def _cut(body: bytes) -> bytes:
    document = read_json(body)
    if _is_state(document):
        return orjson.dumps(_cut_state(document))
    if not isinstance(document, dict) or _is_version(pick_text(document, "format_version") or "") is None:
        raise ForeignJsonError("not-a-plan")
    # `values` at the top is a state; a plan says what it plans, even if that is nothing.
    if "values" in document or not ("resource_changes" in document or "planned_values" in document):
        raise ForeignJsonError("a-state-and-no-plan" if "values" in document else "not-a-plan")
    flags = {
        name: document[name] for name in ("errored", "complete", "applyable") if isinstance(document.get(name), bool)
    }
    texts = {
        name: said
        for name in ("format_version", "terraform_version", "timestamp")
        if (said := pick_text(document, name)) is not None and len(said) <= 64
    }
    kept = texts | flags | {
        "resource_changes": [_cut_change(change) for change in _list(document.get("resource_changes"))],
        "resource_drift": [_cut_change(change) for change in _list(document.get("resource_drift"))],
        "checks": [{"status": pick(check, "status")} for check in _list(document.get("checks")) if pick(check, "status") in _STATUSES],
        "configuration": terraform_modules.cut(document.get("configuration")),
    }  # fmt: skip
    return dump_json(kept)


def _is_state(document: Any) -> bool:
    """Say whether it is a state as the tool keeps it, which no plan and nothing that `show` prints looks like."""
    return isinstance(document, dict) and {"version", "serial", "lineage"} <= document.keys()


def _cut_state(document: dict[str, Any]) -> dict[str, Any]:
    serial, lineage = document["serial"], pick_text(document, "lineage")
    if isinstance(serial, bool) or not isinstance(serial, int) or not 0 <= serial < 2**53 or lineage is None:
        raise ForeignJsonError("not-a-state")
    version = pick_text(document, "terraform_version")
    return {
        "serial": serial,
        "lineage": identifier_of(lineage),
        "terraform_version": version if fits(Version, version) else None,
        "resources": len(_list(document.get("resources"))),
    }


def _cut_change(change: Any) -> dict[str, Any]:
    actions = _list(pick(change, "change.actions"))
    return {
        # What was left over when its replacement failed is a thing of its own under the same address.
        "address": _address_of(change),
        "previous_address": pick_text(change, "previous_address"),
        "mode": pick(change, "mode") if pick(change, "mode") in ("managed", "data") else None,
        "actions": [action for action in actions if isinstance(action, str) and action.isascii() and len(action) < 16],
        "importing": bool(pick(change, "change.importing")),
        "tags": terraform_tags.cut(change),
    }


def _address_of(change: Any) -> str | None:
    address = pick_text(change, "address")
    return f"{address} deposed" if address is not None and pick_text(change, "deposed") is not None else address


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


# -- what it says ----------------------------------------------------------------------------------------------------------


@uncollected
def translate(beside: Headers, body: bytes) -> Translation:
    """Return the plan that the redactor left, and its changes, in parts where they are many."""
    document = orjson.loads(body)
    source = beside["source"]
    if "serial" in document:
        return _state(beside, document)
    changes = {change["address"]: change for change in _changes(document["resource_changes"])}
    drifted = {change["address"] for change in _changes(document["resource_drift"])}
    listed = [
        {"address": identifier_of(address)}
        | ({"action": action} if (action := _action(changes.get(address, {}))) else {})
        | ({"drifted": True} if address in drifted else {})
        | (changes.get(address, {}).get("tags") or {})
        for address in sorted({*changes, *drifted})
    ]
    parts = in_parts([change for change in listed if len(change) > 1], MAX_CHANGES)
    if parts is None:
        return Unmapped("terraform", "too-many-changes", source)
    if (uses := _uses(document)) is None:
        return Unmapped("terraform", "too-many-modules", source)
    if document["configuration"] is not None and len(document["configuration"]["providers"]) > MAX_PROVIDERS:
        return Unmapped("terraform", "too-many-providers", source)
    try:
        facts = _facts(beside, document, list(changes.values()), len(drifted), parts)
        return Mapped((*facts, *_used(beside, document, uses), *_providers(beside, document)))
    except StatementError as error:
        return Unmapped("terraform", f"field{error.place}", source)


def _state(beside: Headers, document: dict[str, Any]) -> Translation:
    """Return that a state was looked at. The file says neither where it is nor when that was."""
    data = {
        "environment": beside.get("environment"),
        "workspace": beside.get("workspace"),
        "state_digest": f"sha256:{beside['sha256']}",
        "serial": document["serial"],
        "lineage": document["lineage"],
        "tool_version": document["terraform_version"],
        "resources": document["resources"],
    }
    try:
        return Mapped((fact(beside["source"], "state.observed", "", data),))
    except StatementError as error:
        return Unmapped("terraform", f"field{error.place}", beside["source"])


def _facts(
    beside: Headers, document: dict[str, Any], changes: list[dict[str, Any]], drifted: int, parts: list[list[Any]]
) -> Iterator[Fact]:
    counts = Counter(_action(change) for change in changes)
    is_whole = len(parts) < 2
    about = {
        "plan": f"sha256:{beside['sha256']}",
        "change_id": beside.get("change"),
        "environment": beside.get("environment"),
        "workspace": beside.get("workspace"),
    }
    tool_version = pick_text(document, "terraform_version")
    summary: dict[str, Any] = about | {
        "format_version": document["format_version"],
        "tool_version": tool_version if fits(Version, tool_version) else None,
        "run_id": beside.get("run"),
        "service": beside.get("service"),
        "commit": beside.get("commit"),
        "errored": document.get("errored"),
        "complete": document.get("complete"),
        "creates": counts["create"] + counts["replace"],
        "updates": counts["update"],
        "destroys": counts["delete"] + counts["replace"],
        "replaces": counts["replace"],
        "forgets": counts["forget"],
        "imports": sum(1 for change in changes if change["importing"]),
        "drifted": drifted,
        "failed_checks": sum(1 for check in document["checks"] if check["status"] in ("fail", "error")),
        "parts": 0 if is_whole else len(parts),
    }
    if is_whole and parts:
        summary["changes"] = tuple(parts[0])
    # A plan says when it was made, since 1.5.
    made = pick_time(document, "timestamp") or ""
    yield fact(beside["source"], "iac.plan_produced", made, summary)
    for number, part in enumerate(() if is_whole else parts, 1):
        said = about | {"part": number, "parts": len(parts), "changes": tuple(part)}
        yield fact(beside["source"], "iac.plan_changes_reported", made, said)


def _uses(document: dict[str, Any]) -> list[list[Any]] | None:
    """Return which modules a plan uses, in parts; nothing where it does not say, and None where they are too many."""
    if document["configuration"] is None:
        return []
    named = ("module", "constraint", "version", "commit")
    uses = [
        {name: value for name, value in zip(named, used, strict=True) if value}
        for used in document["configuration"]["modules"]
    ]
    parts = in_parts(uses, MAX_USES)
    # That there are none is said, too.
    return parts or [[]] if parts is not None else None


def _used(beside: Headers, document: dict[str, Any], parts: list[list[Any]]) -> Iterator[Fact]:
    made = pick_time(document, "timestamp") or ""
    for number, part in enumerate(parts, 1):
        said = {
            "plan": f"sha256:{beside['sha256']}",
            "environment": beside.get("environment"),
            "service": beside.get("service"),
            "part": number,
            "parts": len(parts),
            "uses": tuple(part),
        }
        yield fact(beside["source"], "module.used", made, said)


def _providers(beside: Headers, document: dict[str, Any]) -> Iterator[Fact]:
    """Yield which providers a plan uses, where it names any."""
    if document["configuration"] is None or not (found := document["configuration"]["providers"]):
        return
    uses = tuple({"provider": name} | ({"constraint": constraint} if constraint else {}) for name, constraint in found)
    said = {name: beside.get(name) for name in ("environment", "workspace", "service")}
    plan = {"plan": f"sha256:{beside['sha256']}", "uses": uses}
    yield fact(beside["source"], "provider.used", pick_time(document, "timestamp") or "", plan | said)


def _changes(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (change for change in found if change["address"])


def _action(change: dict[str, Any]) -> str | None:
    """Return what is to become of a resource; None where it stays as it is. An import or a move may hide in what does nothing."""
    actions = tuple(change.get("actions", ()))
    if actions in (("no-op",), ()):
        if change.get("importing"):
            return "import"
        return "move" if change.get("previous_address") else None
    if (known := _ACTIONS.get(actions)) is not None:
        return known
    # Of what nobody knows yet the worst that it may be.
    return "delete" if "delete" in actions else "update"


_SAID: Final = {"run": "4711", "environment": "prod", "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8"}


def _sample(kind: str, *becomes: str, **plan: Any) -> Sample:
    return Sample(kind, {"format_version": "1.2", **plan}, becomes, context=_SAID)


def _change(address: str, *actions: str) -> dict[str, Any]:
    return {
        "address": address,
        "mode": "managed",
        "change": {"actions": list(actions), "after": {"password": "hunter2"}},
    }


FORMAT: Final = Format(
    "terraform",
    "Plans and states of Terraform and OpenTofu",
    "A plan as `terraform show -json` or `tofu show -json` prints it: what would become of which resource, and whether it is whole; "
    "or a state as `terraform state pull` prints it: which, and how often it was written.",
    translate,
    asks=("run", "commit", "service", "environment", "workspace", "change"),
    redactor=Redactor(6, _cut),
    samples=(
        _sample(
            "a plan",
            "iac.plan_produced",
            "module.used",
            "provider.used",
            timestamp="2026-03-02T09:00:00Z",
            errored=False,
            complete=True,
            planned_values={"outputs": {"token": {"value": "hunter2"}}},
            variables={"token": {"value": "hunter2"}},
            configuration={
                "provider_config": {
                    "aws": {
                        "name": "aws",
                        "full_name": "registry.terraform.io/hashicorp/aws",
                        "version_constraint": "~> 5.0",
                    }
                },
                "root_module": {
                    "module_calls": {"vpc": {"source": "terraform-aws-modules/vpc/aws", "version_constraint": "~> 5.0"}}
                },
            },
            resource_changes=[
                _change("aws_db_instance.payments", "update"),
                _change('aws_sqs_queue.jobs["a.b"]', "create"),
            ],
        ),
        Sample(
            "a state",
            {
                "version": 4,
                "terraform_version": "1.9.5",
                "serial": 7,
                "lineage": "3f1c",
                "outputs": {"token": {"value": "hunter2", "type": "string"}},
                "resources": [],
            },
            ("state.observed",),
            context=_SAID,
        ),
        _sample("a state in the form of `show`", UNMAPPED, values={"root_module": {}}),
    ),
)
