"""`verify`: the audit of all entries, under a pin, with progress and an exit status that programs can trust.

Not the audit itself (`api.cli.under_a_pin`), which is imported where the database is: over HTTP the server makes it.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.cli.common import Where, commands_of, where
from api.cli.progress import bar
from api.cli.terminal import console, echo, echo_json
from ledger.errors import SetupError

app = commands_of()

EXIT_STATUS = {"sound": 0, "faults": 1, "consistent": 3}
MEANING = {
    "sound": "sound: every entry is what it was when it was recorded, under the pin",
    "faults": "FAULTS: this ledger is not what it was",
    "consistent": "consistent, authenticity not checked: no genesis is pinned, or only a part was checked",
}
UNACCEPTED = (
    "consistent, authenticity not checked: the checkpoint key let a new entry key in, and the pin has not accepted it"
)

# What `verify` and `audit` are told alike.
Genesis = Annotated[str | None, typer.Option(help="Pin: the hash of the entry at position 1.")]
Vkey = Annotated[str | None, typer.Option(help="Pin: the checkpoint key as a note verifier key.")]
Signatures = Annotated[bool, typer.Option(help="Check every signature.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; default: one for every core.")]
Held = Annotated[list[Path] | None, typer.Option(help="A checkpoint that you hold; may be repeated.")]
Recovered = Annotated[
    list[str] | None,
    typer.Option(
        help="Pin: the id of an entry key that the checkpoint key let in, and that you accept; may be repeated."
    ),
]
Witnesses = Annotated[
    list[str] | None, typer.Option(help="A witness that you believe, as a verifier key; others then do not count.")
]
Certificate = Annotated[
    Path | None, typer.Option(help="Root certificates (PEM) of timestamp authorities that you believe.")
]
State = Annotated[Path | None, typer.Option(help="Keep progress in this file, and go on from it.")]


@app.command()
def verify(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    genesis: Genesis = None,
    vkey: Vkey = None,
    recovered: Recovered = None,
    trust: Annotated[bool, typer.Option("--trust", help="Pin this ledger from now on, as it is.")] = False,
    signatures: Signatures = True,
    first: Annotated[int, typer.Option(min=1)] = 1,
    last: Annotated[int | None, typer.Option(min=1)] = None,
    workers: Workers = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Receipts that somebody was given, to be kept by the ledger.")
    ] = None,
    checkpoint: Held = None,
    witness: Witnesses = None,
    certificate: Certificate = None,
    state: State = None,
    progress_json: Annotated[bool, typer.Option("--progress-json", hidden=True)] = False,
) -> None:
    """Verify the ledger. On the machine of its signer, what that remembers is compared too.

    Exits with 0 when it is sound under a pin, 1 with faults, 2 when it could not be checked, 3 when nothing is pinned.
    """
    place = where(context)
    if place.server is not None:
        wanted = (
            {"first": first, "signatures": signatures}
            | ({"last": last} if last else {})
            | ({"genesis": genesis} if genesis else {})
            | ({"recovered": recovered} if recovered else {})
        )
        finish(_verify_remotely(place, wanted), as_json)
    from api.cli import pins
    from api.cli.under_a_pin import read_given, read_receipts, verify_database
    from ledger.log.database import Database
    from ledger.published.signer import Memory

    given = read_given(checkpoint or [], vkey)
    receipts = read_receipts(receipt) if receipt else []
    report = verify_database(
        place,
        Database(place.settings.database),
        genesis=genesis,
        vkey=vkey,
        recovered=recovered,
        witnesses=witness,
        certificate=certificate,
        as_lines=progress_json,
        signatures=signatures,
        workers=workers,
        first=first,
        last=last,
        receipts=receipts,
        given=given,
        state=state,
        memory=None if place.elsewhere else Memory(place.settings.signer_memory_path),
    )
    if progress_json:
        echo(json.dumps(report.to_json()))
        raise typer.Exit(report.exit_status)
    if trust and not report.faults and report.whole:
        # Only what was found without fault is trusted from now on; the next verification stands on it.
        pins.write(
            place.settings.known_ledgers_path, report.origin, report.genesis, report.checkpoint_key, report.recovered
        )
    finish(report.to_json(), as_json)


def _verify_remotely(place: Where, wanted: dict[str, Any]) -> dict[str, Any]:
    place.door()
    door = place.remote_door()
    last: dict[str, Any] = {}
    with bar() as tell:
        for line in door.verify(wanted):
            last = line
            if "checked" in line:
                tell(line["checked"], line["size"])
    if "faults" not in last:
        raise SetupError(f"the server could not verify: {last.get('detail', 'no report came')}")
    return last


def _window(report: dict[str, Any]) -> str:
    """Say how far the entries are signed for as a whole, and how far somebody outside vouches for them."""
    signed, anchored, size = report["checkpoint_size"], report["anchored_size"], report["size"]
    if not signed:
        return "anchor   no checkpoint holds here: whoever has the keys could rewrite every entry"
    whose = "witnesses you named" if report["witnesses_pinned"] else "witnesses that the ledger names"
    return (
        f"anchor   checkpoints to {signed}, {whose} and timestamps to {anchored}: "
        f"whoever has all keys could still rewrite the last {size - anchored}"
    )


# So many faults of a kind are told one by one: what was altered, and not every checkpoint after it.
ALIKE: Final = 3
PIN_AS_IT_IS: Final = "to pin this ledger as it is now: change-ledger verify --trust"


def finish(report: dict[str, Any], as_json: bool, *, without_pin: str = PIN_AS_IT_IS) -> None:
    """Print a report and exit with what it means. `without_pin` says what to do where nothing is pinned."""
    if as_json:
        echo_json(report)
    else:
        faults = report["faults"]
        console.print(f"ledger   {report['origin']}")
        console.print(f"entries  {report['entries']} of {report['size']}")
        if report["root"]:
            console.print(f"root     {report['root']}")
        console.print(_window(report))
        contradicted = any(fault["kind"].startswith("not-pinned-") for fault in faults)
        anchor = "pinned" if report["pinned"] else "the pin says otherwise" if contradicted else "not pinned"
        console.print(f"genesis  {report['genesis']}  ({anchor})")
        for tool in report["tools"]:
            console.print(f"tool     {tool['sha256']}  {tool['tool']} {tool['version']}, position {tool['position']}")
        for entry in report["affected"][:100]:
            where_ = f"position {entry['position']}"
            anchored = {True: "; anchored", False: "; not anchored", None: ""}[entry.get("anchored")]
            console.print(f"AFFECTED {where_}: {entry['detail']}{anchored}")
        for note in report["notes"]:
            console.print(f"note     {note}")
        shown = Counter[str]()
        for fault in faults:
            shown[fault["kind"]] += 1
            if shown[fault["kind"]] <= ALIKE:
                console.print(f"FAULT    position {fault['position']}: {fault['kind']}: {fault['detail']}")
        for kind, count in shown.items():
            if count > ALIKE:
                console.print(f"         … and {count - ALIKE} more of {kind}; --json lists them all")
        recovered = report["verdict"] == "consistent" and report["pinned"] and report["unaccepted"]
        meaning = UNACCEPTED if recovered else MEANING[report["verdict"]]
        console.print(meaning, style="red" if faults else "green")
        if report["verdict"] == "consistent" and not report["pinned"]:
            console.print(without_pin)
        elif recovered:
            console.print("to accept the recovery: change-ledger verify --trust")
    raise typer.Exit(EXIT_STATUS[report["verdict"]])
