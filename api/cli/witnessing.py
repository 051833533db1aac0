"""`witness`: a small witness for an auditor's own machine. It has nothing to do with the ledger's database or keys."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.cli.common import AsJson, commands_of
from api.cli.terminal import console, echo, echo_json
from api.http.serving import serve as run_server
from api.witness.memory import WitnessStore
from api.witness.service import create_witness_app
from ledger.errors import SetupError
from ledger.published.durable import write_durably
from signing import keys as signing_keys
from signing.checkpoint import parse_checkpoint
from signing.errors import KeyFormatError
from signing.keys import SigningKey
from signing.notes import COSIGNATURE, ED25519, NoteKey, check_name, format_verifier_key, parse_verifier_key
from signing.witness import Witness, check_cosigned

app = commands_of()

witness_app = typer.Typer(no_args_is_help=True, help="A witness: cosigns the checkpoints of logs that never rewrite.")
app.add_typer(witness_app, name="witness")
Directory = Annotated[Path, typer.Option(help="Where the witness keeps its key, its logs and its memory.")]
DEFAULT: Final = Path("witness")
# In the directory.
KEY, NAME, LOGS, MEMORY = "key.pem", "name", "logs", "memory"


@witness_app.command()
def init(
    name: Annotated[str, typer.Option(help="The name of this witness for ever, such as witness.example.org.")],
    directory: Directory = DEFAULT,
) -> None:
    """Make a witness: its key (mode 0600) and its memory. Prints the verifier key that logs are to be given."""
    if (directory / NAME).exists():
        raise SetupError(f"{directory} holds the witness {format_verifier_key(_open(directory).key)} already")
    if not re.fullmatch(r"[!-*,-~]{1,160}", name):
        raise SetupError(f"--name is 1 to 160 printable ASCII characters without blanks and +, found {name!r}"[:200])
    if not (directory / KEY).exists():
        signing_keys.save(SigningKey.generate(), directory / KEY)
    key = signing_keys.load(directory / KEY)
    (directory / MEMORY).mkdir(mode=0o700, exist_ok=True)
    # Dies here: nobody was told the key, and the next run takes it.
    write_durably(directory / NAME, f"{name}\n".encode())
    echo(format_verifier_key(NoteKey(name, key.public_key, COSIGNATURE)))


@witness_app.command("add-log")
def add_log(
    vkey: Annotated[str, typer.Argument(help="The log's checkpoint key as a note verifier key.")],
    directory: Directory = DEFAULT,
) -> None:
    """Trust a log's key. A log may have several, while it rotates them."""
    known = _open(directory).logs
    key = _key_of_log(vkey)
    if key in known.get(key.name, ()):
        console.print(f"{key.name} is known already")
        return
    lines = [format_verifier_key(one) for one in (*(one for log in known.values() for one in log), key)]
    write_durably(directory / LOGS, "".join(f"{line}\n" for line in lines).encode())
    console.print(f"cosigns {key.name} from now on; a witness that runs is to be restarted")


def _key_of_log(vkey: str) -> NoteKey:
    key = parse_verifier_key(vkey)
    if key.type != ED25519:
        raise SetupError(f"expected the key of a log (type 01), found one of type {key.type:02x}: a witness is no log")
    return key


def _open(directory: Path) -> Witness:
    if not (directory / NAME).exists():
        raise SetupError(f"there is no witness in {directory}; run: change-ledger witness init --name NAME")
    logs: dict[str, tuple[NoteKey, ...]] = {}
    for number, line in enumerate(_lines(directory / LOGS), 1):
        if not line.strip():
            continue
        try:
            key = _key_of_log(line)
        except (SetupError, KeyFormatError) as error:
            raise SetupError(f"{directory / LOGS}:{number}: {error}") from error
        logs[key.name] = (*logs.get(key.name, ()), key)
    witness = Witness("".join(_lines(directory / NAME)), signing_keys.load(directory / KEY), logs)
    check_name(witness.name)
    return witness


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise SetupError(f"{path} cannot be read: {error}") from error


def _memory(directory: Path) -> WitnessStore:
    """Return the memory that `init` made. A new one in its place would cosign anything."""
    if not (directory / MEMORY).is_dir():
        raise SetupError(
            f"{directory / MEMORY} is gone, and what was cosigned with it: restore it, or make a new witness"
        )
    return WitnessStore(directory / MEMORY)


@witness_app.command()
def show(directory: Directory = DEFAULT, as_json: AsJson = False) -> None:
    """Show the witness's verifier key, and for every log the last size that it cosigned, and when."""
    witness, store = _open(directory), _memory(directory)
    logs: dict[str, dict[str, Any] | None] = {}
    for origin in sorted(witness.logs):
        logs[origin] = None
        if (note := store.read(origin, witness.key)) is not None:
            when = datetime.fromtimestamp(check_cosigned(note, [witness.key], at_least=1)[witness.key], UTC)
            logs[origin] = {"size": parse_checkpoint(note.text).size, "cosigned_at": f"{when:%Y-%m-%dT%H:%M:%SZ}"}
    if as_json:
        echo_json({"vkey": format_verifier_key(witness.key), "logs": logs})
        return
    echo(format_verifier_key(witness.key))
    for origin, last in logs.items():
        echo(f"{origin}  size {last['size']}  {last['cosigned_at']}" if last else f"{origin}  nothing yet")


@witness_app.command()
def serve(
    directory: Directory = DEFAULT,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8001,
) -> None:
    """Serve `add-checkpoint` until stopped."""
    witness = _open(directory)
    if not witness.logs:
        raise SetupError("this witness knows no log; run: change-ledger witness add-log VKEY")
    served = create_witness_app(witness, _memory(directory))
    run_server(served, host, port)
