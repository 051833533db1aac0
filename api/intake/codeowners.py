r"""CODEOWNERS of GitHub and GitLab: who is asked about which paths of a repository, line by line, in the order in which lines count.

The last pattern that matches a path says who owns it; in GitLab the last one of each section. A line without owners takes them away; in a
section of GitLab it has those of the section. A line that cannot be read is left out, as code hosts do without a word, and is counted.

    *.js @alice @acme/web   # a comment        *.js       github:alice, github:acme/web
    /docs/                                     /docs/     nobody
    ^[Database][2] @dba                        a section of GitLab: optional, two approvals; its lines are dba's unless they say other
    path\ with\ spaces/ a@example.com          path\%20with\%20spaces/, and one owner who is named by an address alone

That somebody owns a path is no approval and no grant. An address of e-mail names nobody here: how many there were is kept, and they are
cut, as comments are. Not which paths a change touches: no event tells that.
"""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import orjson

from api.intake.formats import Format, Redactor, Sample
from api.intake.translation import (
    Fact,
    ForeignError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    fact,
    in_parts,
)
from ledger.errors import StatementError
from ledger.events.code import MAX_OWNERS, MAX_RULES
from ledger.events.identifiers import Identity, PathPattern, fits, identifier_of

# As long as GitHub reads one.
MAX_BYTES: Final = 3_000_000
_section = re.compile(r"(\^?)\[([^\]]{1,200})\](?:\[([0-9]{1,3})\])?(?:\s+(.*))?").fullmatch
# A pattern goes up to the first blank that is not escaped.
_tokens = re.compile(r"(?:\\.|[^\s\\])+").findall
_is_address = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").fullmatch
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


# -- cutting ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> bytes:
    if len(body) > MAX_BYTES:
        raise ForeignError("longer-than-3-mb")
    try:
        lines = body.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ForeignError("not-utf-8") from None
    kept, invalid = [], 0
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        if (found := _cut_line(line)) is not None:
            kept.append(found)
        else:
            invalid += 1
    if not any(line["owners"] or line["others"] for line in kept):
        raise ForeignError("nobody-owns-anything")
    return orjson.dumps({"lines": kept, "invalid": invalid})


def _cut_line(line: str) -> dict[str, Any] | None:
    """Return a section or a rule; None for what is neither."""
    if (found := _section(line)) is not None:
        optional, name, approvals, rest = found.groups()
        if (owners := _owners(_tokens(rest or ""))) is None:
            return None
        return owners | {
            "section": name,
            "optional": bool(optional),
            "approvals": int(approvals) if approvals else None,
        }
    pattern, *names = _tokens(line)
    if (owners := _owners(names)) is None:
        return None
    return owners | {"pattern": pattern}


def _owners(names: list[str]) -> dict[str, Any] | None:
    """Return the owners that are named up to a comment, those by address counted; None where one is neither."""
    named, others = [], 0
    for name in names:
        if name.startswith("#"):
            break
        if name.startswith("@") and len(name) > 1:
            named.append(name[1:])
        elif _is_address(name):
            others += 1
        else:
            return None
    return {"owners": named, "others": others}


# -- what it says ----------------------------------------------------------------------------------------------------------


def translate(beside: Headers, body: bytes) -> Translation:
    """Return who owns which paths as the redactor left it, in parts where there are many lines."""
    document, source = orjson.loads(body), beside["source"]
    has_sections = any("section" in line for line in document["lines"])
    host = beside.get("host") or ("gitlab" if has_sections else "github")
    rules, invalid = [], document["invalid"]
    for rule in _rules(document["lines"], host):
        if rule is None:
            invalid += 1
        else:
            rules.append(rule)
    parts = in_parts(rules, MAX_RULES)
    if not parts:
        return Unmapped("codeowners", "too-many-lines" if parts is None else "no-line-that-counts", source)
    about = {
        "repository": identifier_of(beside["repository"]),
        "commit": beside.get("commit"),
        "host": host,
        "owners_file": f"sha256:{beside['sha256']}",
        "parts": len(parts),
    }
    try:
        return Mapped(tuple(_facts(source, about, parts, invalid)))
    except StatementError as error:
        return Unmapped("codeowners", f"field{error.place}", source)


def _facts(source: str, about: dict[str, Any], parts: list[list[Any]], invalid: int) -> Iterator[Fact]:
    for number, part in enumerate(parts, 1):
        said = about | {"part": number, "rules": tuple(part)} | ({"invalid": invalid} if number == 1 else {})
        yield fact(source, "code.owners_declared", "", said)


def _rules(lines: list[dict[str, Any]], host: str) -> Iterator[dict[str, Any] | None]:
    """Yield the rules in order, each in its section; None for one that the host does not read."""
    section: dict[str, Any] | None = None
    for line in lines:
        if "section" in line:
            if host == "gitlab":
                section = line
            else:
                yield None
            continue
        pattern = quote(line["pattern"], safe=_PRINTABLE)
        is_odd = host == "github" and (pattern.startswith(("!", "\\#")) or ("[" in pattern and "]" in pattern))
        inherits = section is not None and not line["owners"] and not line["others"]
        said = section if inherits and section is not None else line
        owners = [name for name in dict.fromkeys(_identity(owner, host) for owner in said["owners"]) if name]
        if is_odd or not fits(PathPattern, pattern) or len(owners) > MAX_OWNERS:
            yield None
            continue
        rule: dict[str, Any] = {"pattern": pattern, "owners": tuple(owners)}
        if unnamed := said["others"] + len(set(said["owners"])) - len(owners):
            rule["others"] = unnamed
        if section is not None:
            rule |= {"section": identifier_of(section["section"]), "optional": section["optional"] or None}
            rule["approvals"] = section["approvals"]
        yield {name: value for name, value in rule.items() if value is not None}


def _identity(owner: str, host: str) -> str:
    # GitLab names roles of the project by two signs.
    identity = f"{host}-role:{owner[1:]}" if owner.startswith("@") else f"{host}:{owner}"
    return identity if fits(Identity, identity) else ""


_SAID: Final = {"repository": "acme/payments-api", "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8"}

FORMAT: Final = Format(
    "codeowners",
    "CODEOWNERS",
    "Who is asked about which paths of a repository, as GitHub and GitLab read it: the last pattern that matches counts.",
    translate,
    media_types=("text/plain", "application/octet-stream"),
    asks=("repository", "commit", "host"),
    needs=("repository",),
    redactor=Redactor(1, _cut),
    kept_as=lambda _: "application/json",
    samples=(
        Sample("of GitHub", "# hunter2\n* @acme/core\n/docs/\n*.tf @alice a@example.com\n", ("code.owners_declared",), context=_SAID),
        Sample("of GitLab", "[Database][2] @dba\n/db/\n/db/seeds @alice\n", ("code.owners_declared",), context=_SAID),
    ),
)  # fmt: skip
