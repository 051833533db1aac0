"""Makes what is read off the code: the reference pages (catalogue, roles, settings, command line, problems), and verify.html.

Not a writer of prose: pages that a person wrote (formats, faults, explanations, decisions) are only tested, by
tests/test_documentation.py. `--check` writes nothing and exits 1 when a page is stale.

Longer than other scripts because a page is a function, and all pages are made with the same few helpers.
"""

import ast
import dataclasses
import hashlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import typer.main
import verifier
from pydantic import BaseModel, SecretStr, TypeAdapter

from api.cli import COMMANDS, load
from api.cli import app as command_line
from api.desk import problems
from api.http.auth import BY_SIGNATURE, PUBLIC, ROLES, ROUTES
from api.intake import FORMATS
from api.intake.context import ALWAYS, KNOWN
from api.intake.formats import UNMAPPED, Format
from api.settings import SETTINGS_FILE, Settings
from ledger.events import CATALOGUE, OPERATOR_AREAS, RESERVED_AREAS, Event, identifiers, wording
from ledger.events.identifiers import Part, Text
from projections import VIEWS
from projections.engine.derived import Derived
from projections.engine.tally import Tally
from projections.engine.view import Moment, Number
from projections.gates.composition import GATES
from projections.practices.serving import Served, capabilities
from projections.readings.people.settings import SETTINGS
from projections.rules.duties import DUTIES
from projections.rules.features import FEATURES

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
_MADE = "<!-- Made by scripts/docs from the code. Change the code, then run scripts/docs. -->\n"
# The names that ledger.events.identifiers gives to types of fields; what it imports has neither a shape nor an example.
_TYPES: list[tuple[str, Any]] = [
    (name, alias)
    for name, alias in vars(identifiers).items()
    if alias in (identifiers.Link, identifiers.Erasable)
    or any(isinstance(mark, Text) or getattr(mark, "examples", None) for mark in getattr(alias, "__metadata__", ()))
]


def _cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _first_paragraph(documented: Any) -> str:
    return " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())


# -- catalogue -------------------------------------------------------------------------------------------------------


def _type_name(annotation: Any) -> str:
    """Say what a field holds, in the words of `ledger.events.identifiers`."""
    for name, alias in _TYPES:
        if alias == annotation:
            return "erasable text" if name == "Erasable" else f"[{name}](#types-of-fields)"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(part) for part in arguments if part is not type(None))
    if origin is tuple:
        return f"array of {_type_name(arguments[0])}"
    if origin is typing.Literal:
        return ", ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in arguments)
    if inspect.isclass(annotation) and issubclass(annotation, Part):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    raise TypeError(f"scripts/docs has no words for {annotation!r}")


def _bounds(info: Any) -> str:
    limits = {type(mark).__name__: mark for mark in info.metadata}
    if "MaxLen" not in limits:
        return ""
    return f", {limits['MinLen'].min_length} to {limits['MaxLen'].max_length}"


def _fields(model: type[BaseModel], *, leave_out: tuple[str, ...] = ()) -> str:
    hints = typing.get_type_hints(model, include_extras=True)
    refs = {field: kind for kind, field, _ in getattr(model, "ref_fields", ())}
    rows = [
        [
            f"`{name}`",
            _type_name(hints[name]) + _bounds(info),
            "yes" if info.is_required() else "no",
            f"`{refs[name]}:…`" if name in refs else "",
        ]
        for name, info in model.model_fields.items()
        if name not in leave_out
    ]
    return _table(["field", "type", "required", "ref"], rows) if rows else "No fields of its own.\n"


def _parts_of(model: type[BaseModel]) -> Iterator[type[Part]]:
    """Yield the named parts inside a class, each before what is inside it."""

    def inside(annotation: Any) -> Iterator[type[Part]]:
        if inspect.isclass(annotation) and issubclass(annotation, Part) and annotation is not identifiers.Commitment:
            yield annotation
            yield from _parts_of(annotation)
        for part in typing.get_args(annotation):
            yield from inside(part)

    for hint in typing.get_type_hints(model, include_extras=True).values():
        yield from inside(hint)


def _appended_by(area: str) -> str:
    if area in RESERVED_AREAS:
        return "Only the ledger itself appends these."
    if area in OPERATOR_AREAS:
        return "Appending needs the role `operator`."
    return "Appending needs the role `reporter`, and a credential that covers the area."


def _event(event_class: type[Event]) -> str:
    leave_out = ("links",) if event_class.model_fields["actor"].is_required() else ("links", "actor")
    return (
        f"\n### `{event_class.type}`\n\n{_first_paragraph(event_class)}\n\n> {_cell(wording(event_class))}\n\n"
        + _fields(event_class, leave_out=leave_out)
    )


def catalogue() -> str:
    """Return the page of all event types."""
    page = f"""{_MADE}
# Catalogue of event types

{len(CATALOGUE)} event types in {len({c.area() for c in CATALOGUE.values()})} areas. The area is the part of the type
before the dot; a credential may be limited to areas. `data` is closed: a field that is not listed is refused. Every
`data` may also have:

- `actor`: an [Identity](#types-of-fields), who did it. Listed below only where it must be given.
- `links`: an array of at most 16 [Link](#types-of-fields)s, the facts this one builds on.

A *ref* is the tag under which an entry is found and counted: `kind:value`. An *erasable text* is submitted as the text
itself; the log holds a salted digest of it ([formats](formats.md#erasable-texts)). The line after `>` is the sentence
in which the fact is shown to people.

"""
    areas = [
        (area, list(classes))
        for area, classes in groupby(CATALOGUE.values(), key=lambda event_class: event_class.area())
    ]
    page += _table(
        ["area", "event types"],
        [
            [f"[{area}](#{area})", ", ".join(f"`{c.type.partition('.')[2]}`" for c in classes)]
            for area, classes in areas
        ],
    )
    parts: dict[str, type[Part]] = {}
    for area, classes in areas:
        module = sys.modules[classes[0].__module__]
        page += f"\n## {area}\n\n{_first_paragraph(module)}\n\n{_appended_by(area)}\n"
        for event_class in classes:
            page += _event(event_class)
            parts |= {part.__name__: part for part in _parts_of(event_class)}
    page += "\n## Parts\n\nObjects inside `data`. They are closed too.\n"
    for name, part in sorted(parts.items()):
        page += f"\n### {name}\n\n{_first_paragraph(part)}\n\n{_fields(part)}"
    return page + "\n## Types of fields\n\n" + _types()


def _types() -> str:
    rows = []
    for name, alias in _TYPES:
        marks = [mark for mark in getattr(alias, "__metadata__", ()) if isinstance(mark, Text)]
        if marks:
            [mark] = marks
            shape = f"string, `{mark.pattern}`, at most {mark.max_length} characters"
            rows.append([name, shape, f"`{mark.example}`", f"`{mark.kind}`" if mark.kind else ""])
        elif name == "Link":
            rows.append([name, "a Position or a Digest", "", ""])
        elif name != "Erasable":
            schema = TypeAdapter(alias).json_schema()
            shape = f"integer, {schema['minimum']} to 2^53 − 1" if schema["type"] == "integer" else "`true` or `false`"
            rows.append([name, shape, f"`{str(schema['examples'][0]).lower()}`", ""])
    return _table(["type", "shape", "example", "ref kind"], rows)


# -- roles, settings, command line, problems ---------------------------------------------------------------------------


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def roles() -> str:
    """Return the page of roles and routes."""
    rows = []
    for (method, path), allowed in ROUTES.items():
        if allowed == PUBLIC:
            cells = ["everybody"] * len(ROLES)
        elif allowed == BY_SIGNATURE:
            cells = ["by signature"] * len(ROLES)
        else:
            cells = ["yes" if role in allowed else "" for role in ROLES]
        rows.append([f"`{method} {path}`", *cells])
    return f"""{_MADE}
# Roles and routes

Who may use which route. A credential has one role or several; a route that is not in this table cannot be mounted.

- `HEAD` may be asked wherever `GET` may, by the same roles; it is answered with the headers of `GET`.
- *everybody*: no credential is asked for.
- *by signature*: the sender's HMAC over the raw body takes the place of a token, and its source must be enrolled
  ([intake](intake.md)).
- Pages (`/console/…`) are looked at by a session, which stands for the token that was pasted at the sign-in.
- A `reporter` is also limited to the areas and sources of its credential.
- Facts of the areas {_listed(OPERATOR_AREAS)} need the role `operator`.
- Facts of the areas {_listed(RESERVED_AREAS)} are refused from everybody but the ledger itself.
- An `operator` may use `POST /v1/events`, but only for the areas of operators, unless it is a `reporter` as well.

""" + _table(["route", *ROLES], rows)


def intake_page() -> str:
    """Return the page of outside formats."""
    page = f"""{_MADE}
# Intake

Outside formats, each posted to a route of its own as its sender writes it. An authentic body is kept byte for byte as
evidence. What is understood becomes facts, answered with 201; what is not is recorded as `{UNMAPPED}`, answered with 202;
the same body again is answered with 200 and its first receipts. A body that contradicts its own headers is kept,
once, and refused (422).

Of a *file*, nobody vouches but whoever posts it. One that its redactor cannot read (cut off, of another format) is refused (422):
none of its bytes may be kept, and an entry has its digest and the reason. Its id is the SHA-256 of what was said of it (its context,
as canonical JSON) and of the file, so one file for two shards is two facts, and the same for one is a repeat. Where nobody says when
something happened, its `time` is when it first came in, and the extension `timefrom` says `receipt`. A file that says more than a
statement holds becomes a summary and at most 200 parts, appended together or not at all.

"""
    page += _table(
        ["format", "route", "authenticated by", "media types"],
        [
            [
                f"[{known.title}](#{known.name})",
                f"`POST {known.path}`",
                "a token of a `reporter`"
                if known.signature is None
                else f"`{known.signature.name}`: {known.signature.prefix}HMAC-SHA256 of the raw body, in hex",
                ", ".join(f"`{kind}`" for kind in known.media_types)
                + ("" if known.signature is None else " (of a signed body not asked)"),
            ]
            for known in FORMATS
        ],
    )
    for known in FORMATS:
        page += f"\n## {known.name}\n\n{known.about}\n\n"
        if known.signature is not None:
            page += (
                f"The secret is the setting `secrets.{known.name}`, or `{known.secret_variable}`. Sources are enrolled with "
                f"`change-ledger source enrol {known.name} …`.\n\n"
            )
        if known.is_file:
            page += _context_of(known)
        rows = [
            [sample.kind, ", ".join(f"`{name}`" for name in sample.becomes) or "nothing: answered with 200"]
            for sample in known.samples
        ]
        page += _table(["kind", "becomes"], rows)
    return page


def _context_of(known: Format) -> str:
    """Return what may be said of a file of a format, and what of it is kept."""
    rows = [
        [f"`{name}`", KNOWN[name].doc + (" Required." if name in known.needs else ""), f"`{KNOWN[name].example}`"]
        for name in (*known.asks, *ALWAYS)
    ]
    version = known.redactor.version if known.redactor is not None else 0
    words = f"""A file, posted as it is: `POST {known.path}?…`, or `change-ledger intake {known.name} FILE… --…`. What it cannot say
of itself is said beside it. The redactor `{known.name}-{version}` cuts it before it is kept and read; the entry names the
SHA-256 of the file as it came, in the extension `filesha256`.

"""
    return words + _table(["said beside it", "what", "such as"], rows) + "\n"


def settings() -> str:
    """Return the page of settings."""
    prefix = Settings.model_config["env_prefix"]
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        hidden = SecretStr in typing.get_args(field.annotation)
        shown = "none" if default is None else f"`{default}`" if str(default) else "empty"
        rows.append(
            [f"`{name}`", f"`{prefix}{name.upper()}`", shown, f"{field.description}{' Never shown.' if hidden else ''}"]
        )
    return f"""{_MADE}
# Settings

From three places, the first that says anything wins: options of the command, the environment, and the file
`{SETTINGS_FILE}` in the working directory (TOML, names as in the first column). An unknown name in the file is an
error. Every setting has a default that works on one machine.

""" + _table(["name", "environment variable", "default", "meaning"], rows)


def _commands(commands: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, command in commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command.commands, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _parameters(command: Any) -> str:
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            name = parameter.metavar or parameter.name.upper() + ("…" if parameter.nargs == -1 else "")
        else:
            name = ", ".join([*parameter.opts, *parameter.secondary_opts])
        notes = ["required"] if parameter.required else []
        notes += ["may be repeated"] if getattr(parameter, "multiple", False) else []
        if parameter.default not in (None, False, True, ()):
            notes.append(f"default `{parameter.default}`")
        if parameter.envvar:
            notes.append(f"or `{parameter.envvar}`")
        rows.append([f"`{name}`", parameter.help or "", "; ".join(notes)])
    return "\n" + _table(["argument or option", "meaning", ""], rows) if rows else ""


def command_line_page() -> str:
    """Return the page of the command `change-ledger`."""
    root = typer.main.get_command(command_line)
    page = f"""{_MADE}
# Command line

`change-ledger [global options] command [options]`. Results go to standard output, everything else to standard error. A
command that could not be done says why in one line and exits with 2. Times are RFC 3339 in UTC.

`change-ledger completion SHELL` prints the script by which bash, zsh or fish completes commands and options: in bash and
zsh, `eval "$(change-ledger completion bash)"` (or `zsh`) in the start-up file; in fish, `change-ledger completion fish | source`.

## Global options

They stand before the command. Settings that have no option come from the environment or the file:
[settings](settings.md).
{_parameters(root)}"""
    for name, command in _commands({name: load(name) for name in COMMANDS}, "change-ledger"):
        text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
        page += f"\n## `{name}`\n\n{text}\n{_parameters(command)}"
    return page


def _request_errors() -> list[list[str]]:
    """Return (status, title) of every RequestError that a route raises."""
    found: dict[tuple[int, str], set[str]] = {}
    for path in sorted((ROOT / "api").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("RequestError", "super().__init__"):
                status, title = (*node.args, None, None)[:2]
                if isinstance(status, ast.Constant) and isinstance(title, ast.Constant):
                    found.setdefault((int(str(status.value)), str(title.value)), set()).add(path.stem)
    return [[str(status), title, ", ".join(sorted(where))] for (status, title), where in sorted(found.items())]


def problems_page() -> str:
    """Return the page of problem documents."""
    rows = [
        [f"`{cls.__module__.partition('.')[0]}.{cls.__name__}`", status, title, _first_paragraph(cls)]
        for cls, status, title in problems.TABLE
    ]
    return (
        f"""{_MADE}
# Problems

Every error of the HTTP API is a problem document (RFC 9457), media type `{problems.MEDIA_TYPE}`: `type` (always
`about:blank`), `title`, `status`, `detail`, and where they are known `place` (a JSON pointer into what was submitted)
and `position` (the entry that speaks against it). A 429 and a 503 carry `Retry-After`, a 401
`WWW-Authenticate`. In the answer
to a batch (207) each refused item has such a document under `problem`.

## From the ledger

One table from error class to status; the first class that fits decides.

"""
        + _table(["error class", "status", "title", "meaning"], rows)
        + """
## From the doors

Raised before the ledger is asked.

"""
        + _table(["status", "title", "raised in (api)"], _request_errors())
        + """
A path or query parameter out of bounds, or a body of the wrong shape, gets 422 with the title `Not admissible` and the
place. An unknown path gets 404, a known path with another method 405.
"""
    )


def _column(annotation: Any) -> str:
    """Say what a column of a view holds."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Moment, Number):
        return "time" if annotation == Moment else "decimal number, as text"
    if origin in (types.UnionType, typing.Union):
        return ", ".join(_column(part) for part in arguments if part is not type(None))
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_column(arguments[0])}"
    if dataclasses.is_dataclass(annotation):
        return f"{{{', '.join(f'`{field.name}`' for field in dataclasses.fields(annotation))}}}"
    if annotation not in (plain := {str: "text", int: "number", bool: "flag"}):
        raise TypeError(f"scripts/docs has no words for {annotation!r}")
    return plain[annotation]


_ABOUT_VIEWS = """What the past means, folded from the entries alone. `GET /v1/views/NAME` lists the rows of a view, and
`GET /v1/views/NAME/KEY` is one of them; the table `view_NAME`, on PostgreSQL in the schema `views`, has the same columns.

A list is filtered by `COLUMN=VALUE`; by ranges, `COLUMN__gte=`, `__gt=`, `__lte=`, `__lt=`; by lists, `COLUMN__in=A,B`; and by what is
missing, `COLUMN__null=true` or `false`. Times are RFC 3339 with an offset, numbers are compared as numbers, and a column of words takes
only its words.

It is sorted by `sort=COLUMN` or `sort=-COLUMN`, paged by `limit` and `after`, or by the `Link` header, counted by `total=true`, and had
as CSV by `format=csv`, where a text that a spreadsheet would compute (it begins with `=`, `+`, `-`, `@`,
a tab or the end of a line) has an apostrophe before it; JSON is exact.
Every answer names the `position` it is true at; `min_position=` waits until the view has come that far.
One row is had as it stood by `as_of=`, a position or a time. With `known_at=` beside it, `as_of` is a time: what had
happened by then, as it was known at `known_at`. Times are UTC. Lists are JSON in the table, and no columns to filter by.
A page by an indexed column costs the same however long the ledger is; by another one, all rows of the view are looked through.
"""


def views_page() -> str:
    """The views: what a row is, what it is folded from, and its columns."""
    parts = [
        f"# Views\n\n{_MADE}\n",
        _ABOUT_VIEWS,
    ]
    for view in VIEWS:
        hints = typing.get_type_hints(view.row, include_extras=True)
        marks = {view.key: "key"} | dict.fromkeys(view.indexes, "indexed")
        rows = [[f"`{name}`", _column(hints[name]), marks.get(name, "")] for name in view.columns]
        hints |= typing.get_type_hints(view.read_row, include_extras=True)
        read = [name for name in view.read_columns if name not in view.columns]
        rows += [[f"`{name}`", _column(hints[name]), "computed when read"] for name in read]
        reads = f" It reads {', '.join(f'[{read.name}](#{read.name})' for read in view.reads)}." if view.reads else ""
        folded = ", ".join(f"`{name}`" for name in sorted(view.folds))
        made = f"folded from {folded}" if folded else "from no entry itself: its rows follow from rows"
        if isinstance(view, Tally):
            made = f"counting rows of `{view.of.name}`"
        parts.append(
            f"\n## {view.name}\n\n{view.doc} {_first_paragraph(view.row)}\n\nVersion {view.version}, {made}.{reads}\n\n"
            + _table(["column", "holds", ""], rows)
        )
        if isinstance(view, Derived):
            found = [
                [f"`{rule.name}`", rule.severity, f"`{rule.subject.name}`", rule.doc] for rule in view.rules.values()
            ]
            parts.append("\n" + _table(["rule", "severity", "subject", "finds"], found))
    return "".join(parts)


_ABOUT_GATES = """Before acting, a pipeline asks `POST /v1/gates/GATE` whether it may, or runs `change-ledger gate GATE`.
Every rule of the gate answers `allow`, `needs_approval`, `insufficient_evidence` or `deny`; the strictest answer, in this
order, is the verdict. The answer is recorded as `gate.decided`, under the condition that nothing was recorded meanwhile
that the rules had looked at.
"""


_ABOUT_SETTINGS = """A version of a policy (`policy.published`) has settings, each with what it applies to: `any`, or one of
what the fourth column names. The last column is what holds where the policy says nothing. Rules of gates, findings and views ask for
them. What a policy sets that nothing reads, or that means nothing, is the finding `policy-sets-what-means-nothing`.
"""


_ABOUT_DUTIES = """What keeps duties apart. Where something breaks one, or does not count because of it, the reason begins with its code.
People are compared as persons: all logins that are linked to one human are one.
"""


def gates_page() -> str:
    """The gates: their rules in order, the settings of a policy that rules look for, and the duties that rules keep apart."""
    parts = [f"# Gates\n\n{_MADE}\n", _ABOUT_GATES]
    for name, gate in GATES.items():
        rows = [[f"`{rule.name}`", str(rule.version), rule.doc] for rule in gate.rules]
        parts.append(f"\n## {name}\n\n" + _table(["rule", "version", "allows when"], rows))
    settings = [
        [f"`{name}`", setting.doc, setting.holds, setting.applies_to, setting.otherwise]
        for name, setting in sorted(SETTINGS.items())
    ]
    parts.append(f"\n## Settings of a policy\n\n{_ABOUT_SETTINGS}\n")
    parts.append(_table(["setting", "means", "holds", "applies to", "otherwise"], settings))
    duties = [[f"`{code}`", asked] for code, asked in DUTIES.items()]
    return "".join([*parts, f"\n## Duties\n\n{_ABOUT_DUTIES}\n", _table(["duty", "asks that"], duties)])


_ABOUT_FEATURES = """Numbers about a change that the ledger computes itself, of the entries before its assessment (`risk.assessed`). Whoever
assesses may state them as well; one that is stated as another number is the finding `risk-feature-differs`. A model that weighs one is
scored with what the ledger computed, whether it was stated or not; where nothing on record tells what it is, the score does not come out
again. Every other name is whoever's who states it. Days are days of UTC.
"""


def features_page() -> str:
    """The features of a change that the ledger computes."""
    rows = [[f"`{feature.name}`", feature.doc] for feature in FEATURES.values()]
    return f"# Features of a change\n\n{_MADE}\n{_ABOUT_FEATURES}\n" + _table(["feature", "counts"], rows)


_ABOUT_CAPABILITIES = """The forty-eight practices of release and deployment governance, by module, and what the ledger does for each today.

A practice is *served* when its file (its number leads there) holds a finding, a rule of a gate or a view, each of them exercised by the
test of the same name. What a practice asks for beyond that stands behind *to come*. Of the others the
[catalogue](reference/catalogue.md) may have facts already: they can be recorded, signed, found by their refs and audited, and
nothing judges them yet.
"""


def capabilities_page() -> str:
    """The forty-eight practices: which are served, and by what."""
    known = capabilities()
    served = sum(practice.is_served for practice in known)
    parts = [f"# Capabilities\n\n{_MADE}\n{_ABOUT_CAPABILITIES}\n{served} are served, {len(known) - served} not yet.\n"]
    for part, practices in groupby(known, key=lambda practice: practice.part):
        rows = [
            [_number(practice), practice.name, "served" if practice.is_served else "not yet", _served_by(practice)]
            for practice in practices
        ]
        parts.append(f"\n## {part}\n\n" + _table(["#", "practice", "status", "served by"], rows))
    return "".join(parts)


def _number(practice: Served) -> str:
    if practice.module is None:
        return practice.number
    return f"[{practice.number}](../{practice.module.__name__.replace('.', '/')}.py)"


def _served_by(practice: Served) -> str:
    asking = {rule.name: name for name, gate in reversed(list(GATES.items())) for rule in gate.rules}
    said = {
        "findings": [f"[`{name}`](reference/views.md#findings)" for name in practice.findings],
        "rules of gates": [
            f"[`{name}`](reference/gates.md#{asking[name]})" for name in practice.gate_rules if name in asking
        ],
        "views": [f"[`{view.name}`](reference/views.md#{view.name})" for view in practice.views],
        "settings": [f"[`{setting.name}`](reference/gates.md#settings-of-a-policy)" for setting in practice.settings],
        "to come": [practice.to_come] if practice.to_come else [],
    }
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in said.items() if names)


def verifier_howto() -> str:
    """The page about the verifier, with the digest that it has now."""
    digest = hashlib.sha256(verifier.make().encode()).hexdigest()
    text = (REFERENCE / "../howto/verify-in-a-browser.md").read_text()
    return re.sub(r"[0-9a-f]{64}(?=  verify\.html$)", digest, text, flags=re.MULTILINE)


def doors_howto() -> str:
    """The page about files, with the doors that there are now: of a file the command that takes it in, of a message its route."""
    rows = []
    for known in FORMATS:
        beside = "".join(f" --{name} {KNOWN[name].example}" for name in known.needs)
        way = "signed by the sender" if known.signature else "with a token"
        how = f"`change-ledger intake {known.name} FILE{beside}`" if known.is_file else f"`POST {known.path}`, {way}"
        rows.append([f"[{known.title}](../reference/intake.md#{known.name})", how])
    text = (REFERENCE / "../howto/take-in-files.md").read_text()
    return re.sub(
        r"(?s)(?<=^<!-- doors -->\n\n).*?(?=\n<!-- end of doors -->)",
        lambda _: _table(["format", "how"], rows),
        text,
        flags=re.MULTILINE,
    )


PAGES: dict[str, Callable[[], str]] = {
    "../../api/console/assets/verify.html": verifier.make,
    "../howto/verify-in-a-browser.md": verifier_howto,
    "../howto/take-in-files.md": doors_howto,
    "../capabilities.md": capabilities_page,
    "catalogue.md": catalogue,
    "roles.md": roles,
    "settings.md": settings,
    "cli.md": command_line_page,
    "problems.md": problems_page,
    "intake.md": intake_page,
    "views.md": views_page,
    "gates.md": gates_page,
    "features.md": features_page,
}


def stale() -> dict[Path, str]:
    """Return the generated pages that are not what the code makes them, and what it makes them."""
    made = {(REFERENCE / name).resolve(): make() for name, make in PAGES.items()}
    return {path: text for path, text in made.items() if not path.exists() or path.read_text() != text}


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which are stale. Returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: scripts/docs [--check]", file=sys.stderr)
        return 2
    found = stale()
    for path, text in found.items():
        if arguments:
            print(f"{path.relative_to(ROOT)} is stale: run scripts/docs", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if found and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
