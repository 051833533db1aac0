"""`append`: statements from files or standard input, with progress, and again without harm."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.cli.common import commands_of, where
from api.cli.progress import bar
from api.cli.terminal import echo, errors_console
from ledger.canonical import parse
from ledger.errors import LedgerError
from ledger.published.durable import read_input

app = commands_of()

BATCH = 200
# Years of history come in one file; what has no end does not.
MAX_BYTES: Final = 1 << 30


def read_events(paths: list[Path]) -> Iterator[tuple[str, Any]]:
    """Yield (where it stood, event or error) for every statement: a file is one event, an array of them, or one a line (NDJSON)."""
    for path in paths:
        text = read_input(path, limit=MAX_BYTES)
        try:
            whole = parse(text)
        except LedgerError as error:
            lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
            if len(lines) < 2 or not _is_json(lines[0][1]):
                yield f"{path}", error
                continue
            for number, line in lines:
                try:
                    yield f"{path}:{number}", parse(line)
                except LedgerError as of_line:
                    yield f"{path}:{number}", of_line
        else:
            events = whole if isinstance(whole, list) else [whole]
            yield from (
                (f"{path}[{number}]" if isinstance(whole, list) else f"{path}", event)
                for number, event in enumerate(events)
            )


def _is_json(line: bytes) -> bool:
    """Say whether a line is JSON by itself, as in NDJSON; a fault inside it is for the strict parser to name."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


@app.command()
def append(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(help="Files of CloudEvents JSON, one, an array, or one a line; - for standard input."),
    ],
) -> None:
    """Append statements. What was appended before is recognised, so an interrupted run is simply run again.

    Exits with 1 if any statement was refused; the others are recorded.
    """
    door = where(context).door()
    events = list(read_events(files))
    counts = {"recorded": 0, "repeated": 0, "refused": 0}
    with bar("appending") as tell:
        for start in range(0, len(events), BATCH):
            part = events[start : start + BATCH]
            good = [(place, event) for place, event in part if not isinstance(event, LedgerError)]
            answers = door.append([event for _, event in good]) if good else []
            for (place, _), answer in zip(good, answers, strict=True):
                if "problem" in answer:
                    counts["refused"] += 1
                    errors_console.print(f"{place}: {answer['problem']['detail']}")
                else:
                    counts["recorded" if answer["status"] == 201 else "repeated"] += 1
                    receipt = answer["receipt"]
                    echo(f"{receipt['position']} {receipt['entry_hash']} {receipt['id']}")
            for place, event in part:
                if isinstance(event, LedgerError):
                    counts["refused"] += 1
                    errors_console.print(f"{place}: {event}")
            tell(start + len(part), len(events))
    errors_console.print(", ".join(f"{count} {what}" for what, count in counts.items()))
    if counts["refused"] or not events:
        if not events:
            errors_console.print("nothing to append: expected at least one statement")
        raise typer.Exit(1)
