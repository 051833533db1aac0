"""What the configuration in a plan uses: modules by where they come from, and providers, each with the versions that it admits.

A provider is called as registries call it, without the public ones' names. What several modules ask of it, it is to be all together.

One module has one name, however its source is written: without who logs in, the folder in it, and the version or the commit, which are
told apart. A module in the plan's own repository has none.

    terraform-aws-modules/vpc/aws//modules/x          terraform-aws-modules/vpc/aws
    registry.terraform.io/acme/vpc/aws                acme/vpc/aws
    git::https://x:y@github.com/acme/vpc.git?ref=v1.2.0    git:github.com/acme/vpc, 1.2.0
    git::https://github.com/acme/vpc?ref=51d462976d84fdea54b47d80dcabbf680badcdb8    git:github.com/acme/vpc, at that commit
    git@github.com:acme/vpc.git, github.com/acme/vpc  git:github.com/acme/vpc
    ./modules/vpc                                     none
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from api.intake.translation import pick
from ledger.events.identifiers import Version, VersionConstraint, fits, identifier_of
from projections.rules.versions import version_of

_REGISTRIES: Final = ("registry.terraform.io/", "registry.opentofu.org/")
# Hosts whose short sources are Git's (go-getter detects them).
_GIT_HOSTS: Final = ("github.com/", "bitbucket.org/", "gitlab.com/")
# How Git's own short form of SSH begins.
_ssh = re.compile(r"(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+):(?!//)(?=[A-Za-z0-9])").match
_is_commit: Final = re.compile("[0-9a-f]{40}|[0-9a-f]{64}").fullmatch
_MAX: Final = 1000


@dataclass(frozen=True, order=True, slots=True)
class Used:
    """One module, and which versions of it are admitted, or which version or commit it is. What is not said is empty."""

    module: str
    constraint: str = ""
    version: str = ""
    commit: str = ""


def cut(configuration: Any) -> dict[str, Any] | None:
    """Return of a configuration which modules and providers it uses and nothing else; None where it does not say."""
    root = pick(configuration, "root_module")
    if not isinstance(root, dict):
        return None
    uses = sorted({used for call in _calls(root) if (used := _used(call)) is not None})
    return {
        "modules": [[used.module, used.constraint, used.version, used.commit] for used in uses],
        "providers": _providers(pick(configuration, "provider_config")),
    }


def _providers(configured: Any) -> list[list[str]]:
    """Return the providers of a configuration with what they may be; those without full names, as before Terraform 0.13, are not told."""
    asked: dict[str, set[str]] = {}
    for one in configured.values() if isinstance(configured, dict) else ():
        name, constraint = pick(one, "full_name"), pick(one, "version_constraint")
        if not isinstance(name, str) or not 0 < len(name) <= _MAX:
            continue
        for registry in _REGISTRIES:
            name = name.removeprefix(registry)
        of_provider = asked.setdefault(identifier_of(name), set())
        if isinstance(constraint, str) and constraint.strip():
            of_provider |= {part.strip() for part in constraint.split(",")}
    joined = {name: ", ".join(sorted(parts)) for name, parts in sorted(asked.items())}
    return [[name, said if fits(VersionConstraint, said) else ""] for name, said in joined.items()]


def _calls(root: dict[str, Any]) -> Iterator[Any]:
    """Yield the calls of modules, those of modules in them too."""
    waiting: list[Any] = [root]
    while waiting:
        calls = pick(waiting.pop(), "module_calls")
        for call in calls.values() if isinstance(calls, dict) else ():
            yield call
            waiting.append(pick(call, "module"))


def _used(call: Any) -> Used | None:
    source, constraint = pick(call, "source"), pick(call, "version_constraint")
    if not isinstance(source, str) or len(source) > _MAX:
        return None
    name, version = module_of(source)
    if not name:
        return None
    said = constraint.strip() if isinstance(constraint, str) else ""
    return Used(identifier_of(name), said if fits(VersionConstraint, said) else "", version, commit_of(source, name))


def module_of(source: str) -> tuple[str, str]:
    """Return the name of a module by its source, and its version where that says one; no name for one in the plan's own repository."""
    if source.startswith(("./", "../", ".\\", "..\\")):
        return "", ""
    address, _, query = source.partition("?")
    ref = _ref(query)
    version = ref.removeprefix("v") if version_of(ref) is not None and fits(Version, ref) else ""
    forced, scheme, rest = _taken_apart(address)
    # A folder in it is no part of its name.
    rest = re.split("//", rest, maxsplit=1)[0].rstrip("/")
    if forced == "git" or (not forced and (scheme == "ssh" or rest.endswith(".git") or rest.startswith(_GIT_HOSTS))):
        kept = "" if scheme in ("", "https", "ssh") else f"{scheme}://"
        return f"git:{kept}{rest.removesuffix('.git')}", version
    for registry in _REGISTRIES:
        rest = rest.removeprefix(registry) if not forced and not scheme else rest
    return "".join((f"{forced}::" if forced else "", f"{scheme}://" if scheme else "", rest)), version


def commit_of(source: str, name: str) -> str:
    """Return the commit of a Git repository that the source of a module names whole, or "": a part of one may come to be another's."""
    ref = _ref(source.partition("?")[2]).lower()
    return ref if name.startswith("git:") and _is_commit(ref) else ""


def _ref(query: str) -> str:
    return parse_qs(query).get("ref", [""])[0]


def _taken_apart(address: str) -> tuple[str, str, str]:
    """Return which getter a source forces, its scheme, and the rest without who logs in."""
    forced, has_forced, rest = address.partition("::")
    if not has_forced:
        forced, rest = "", address
    scheme, has_scheme, located = rest.partition("://")
    if not has_scheme:
        if (found := _ssh(rest)) is not None:
            return forced, "ssh", f"{found[1]}/{rest[found.end() :]}"
        return forced, "", rest
    host, slash, path = located.partition("/")
    return forced, scheme.lower(), host.rpartition("@")[2] + slash + path
