"""`keys`: list, make, prove, enrol, retire, revoke and recover the keys of the ledger, of producers and of witnesses.

Cryptography and database are imported where a private key or the database is at hand: listing and ending keys over HTTP needs neither.
"""

import re
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import commands_of, where
from api.cli.terminal import Table, console, echo, echo_json
from ledger.errors import SetupError
from ledger.words import number_of

if TYPE_CHECKING:
    from signing.keys import SigningKey

app = commands_of()

keys_app = typer.Typer(help="Keys: list, make, prove, enrol, retire, revoke, recover.")
app.add_typer(keys_app, name="keys")


@keys_app.callback(invoke_without_command=True)
def keys(
    context: typer.Context,
    vkey: Annotated[
        bool, typer.Option("--vkey", help="Print the checkpoint key alone, as a note verifier key to be pinned.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """List every key there was, by role and number, with the positions for which it is valid."""
    if context.invoked_subcommand is not None:
        return
    if vkey:
        for line in _verifier_keys(context):
            echo(line)
        return
    door = where(context).door()
    found = door.keys()
    if as_json:
        echo_json(found)
        return
    table = Table("role", "number", "key id", "name", "valid from", "until", "revoked from")
    for key in found:
        ends = (str(key[name] or "") for name in ("valid_until", "revoked_from"))
        table.add(key["role"], str(key["number"]), key["key_id"], key["name"], str(key["valid_from"]), *ends)
    console.print(table)


def _verifier_keys(context: typer.Context) -> list[str]:
    place = where(context)
    if place.server is not None:
        return place.remote_door().verifier_keys()
    from ledger.audit.reading import fold_authority
    from ledger.log.database import Database
    from ledger.log.reading import read_size
    from signing.notes import format_verifier_key

    database = Database(place.settings.database)
    database.check_schema()
    with database.read() as connection:
        authority, _ = fold_authority(connection)
        size = read_size(connection)
    return [format_verifier_key(key) for key in authority.checkpoint_keys(size + 1)]


@keys_app.command()
def new(path: Annotated[Path, typer.Argument(help="A new file for the private key (PEM, mode 0600).")]) -> None:
    """Make a key. Nothing knows it until its public half is enrolled."""
    from signing import keys as signing_keys
    from signing.keys import SigningKey

    if path.exists():
        raise SetupError(f"{path} exists: expected a new file, because a lost key cannot be made again")
    key = SigningKey.generate()
    signing_keys.save(key, path)
    console.print(f"wrote       {path}")
    console.print(f"public key  {key.public_key.hex()}")
    console.print(f"key id      {key.key_id}")


def read_public_key(text: str) -> tuple[str | None, bytes]:
    """Return name and public key of a verifier key, of 64 hex digits, or of a PEM file with a private or public key."""
    from signing.keys import load_public
    from signing.notes import parse_verifier_key

    if re.fullmatch("[0-9a-f]{64}", text):
        return None, bytes.fromhex(text)
    if text.count("+") >= 2 and not Path(text).exists():
        key = parse_verifier_key(text)
        return key.name, key.public_key
    return None, load_public(Path(text))


def held_key(text: str) -> "SigningKey | None":
    """Return the private key of a PEM file, or None for what holds a public one alone."""
    from signing.keys import load

    path = Path(text)
    return load(path) if path.is_file() and b"PRIVATE KEY" in path.read_bytes() else None


def check_role(role: str) -> None:
    """Raise SetupError for a word that is no role of a key."""
    from ledger.enrolment import ROLES

    if role not in ROLES:
        raise SetupError(f"expected the role entry, checkpoint, producer or witness, found {role!r}")


@keys_app.command()
def prove(
    role: Annotated[str, typer.Argument(help="entry, checkpoint or producer.")],
    key: Annotated[str, typer.Argument(help="The private key: a PEM file.")],
    origin: Annotated[
        str, typer.Option(help="The ledger in which it is to be enrolled, such as ledger.example.com/prod.")
    ],
) -> None:
    """Print the signature by which a key shows that it is held, for whoever enrols it elsewhere. Nothing is sent."""
    from signing.possession import prove_possession

    check_role(role)
    if role == "witness":
        raise SetupError("a witness signs no challenge: its first cosignature shows that it holds its key")
    if (held := held_key(key)) is None:
        raise SetupError(f"expected a PEM file with a private key, found none at {key}")
    echo(b64encode(prove_possession(held, origin, role)).decode())


@keys_app.command()
def enrol(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="entry, checkpoint, producer or witness.")],
    key: Annotated[str, typer.Argument(help="A verifier key, 64 hex digits, or a PEM file.")],
    name: Annotated[
        str | None,
        typer.Option(help="Whose it is: the producer's identity, the witness's name, or a word for an entry key."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="For a producer: a source that it may sign for, exact or ending in *.")
    ] = None,
    possession: Annotated[
        str | None,
        typer.Option(help="What `keys prove` printed where the private key is. Made here when KEY is a private key."),
    ] = None,
) -> None:
    """Enrol a public key. It is valid from the next position on, beside those that are valid already."""
    from signing.notes import COSIGNATURE, NoteKey, format_verifier_key
    from signing.possession import prove_possession

    of_key, public_key = read_public_key(key)
    check_role(role)
    if role == "witness" and of_key and name and name != of_key:
        raise SetupError(f"the verifier key is of {of_key}, --name says {name}: a witness has one name")
    called = name or of_key or (role if role in ("entry", "checkpoint") else None)
    if called is None:
        raise SetupError(f"a {role}'s key needs --name")
    door = where(context).door()
    if possession is None and role != "witness" and (held := held_key(key)) is not None:
        possession = b64encode(prove_possession(held, door.origin(), role)).decode()
    wanted = {"role": role, "name": called, "public_key": public_key.hex(), "sources": source or []}
    receipt = door.enrol_key(wanted | ({"possession": possession} if possession is not None else {}))
    console.print(f"enrolled, recorded at position {receipt['position']}: valid from the next one on")
    if role == "witness":
        console.print(format_verifier_key(NoteKey(called, public_key, COSIGNATURE)))


@keys_app.command()
def retire(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="entry, checkpoint, producer or witness.")],
    key_id: Annotated[str, typer.Argument(help="As `keys` lists it; the first 8 digits will do.")],
) -> None:
    """End a key's service with the next position. Everything that it signed keeps verifying."""
    door = where(context).door()
    receipt = door.end_key(role, _whole(door.keys(), role, key_id), "retired", None)
    console.print(f"retired, recorded at position {receipt['position']}")


@keys_app.command()
def revoke(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="entry, checkpoint, producer or witness.")],
    key_id: Annotated[str, typer.Argument(help="As `keys` lists it; the first 8 digits will do.")],
    from_position: Annotated[int, typer.Option(min=1, help="Since when it is not believed.")],
    reason: Annotated[str, typer.Option(help="Why, in one word such as leaked.")] = "revoked",
) -> None:
    """Distrust a key, from a position in the past on. `verify` then lists what is affected, and what of it is anchored."""
    door = where(context).door()
    receipt = door.end_key(role, _whole(door.keys(), role, key_id), reason, from_position)
    console.print(f"revoked, recorded at position {receipt['position']}")


@keys_app.command()
def recover(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The new entry key: a PEM file, made by `keys new`.")],
    reason: Annotated[str, typer.Option(help="Why, in one word such as lost.")],
    name: Annotated[str, typer.Option(help="A word for the new key.")] = "recovered",
    end_others: Annotated[
        bool, typer.Option("--end-others", help="End the entry keys that are valid, because nobody here holds them.")
    ] = False,
) -> None:
    """Let a new entry key in by the checkpoint key, when nobody holds a valid one any more.

    Verifications then answer 3 until their pin accepts it: tell your auditors why.
    """
    from ledger.ledger import LOCAL_OPERATOR
    from ledger.log.database import Database
    from ledger.stewardship.recovery import recover as recover_ledger
    from signing.keys import load_signer

    place = where(context)
    if place.server is not None:
        raise SetupError("a ledger is recovered where its checkpoint key lies, not over HTTP")
    receipt = recover_ledger(
        Database(place.settings.database),
        load_signer(key),
        load_signer(place.settings.checkpoint_key_at),
        actor=LOCAL_OPERATOR,
        reason=reason,
        name=name,
        end_others=end_others,
    )
    console.print(f"recovered, recorded at position {receipt.position}, signed by the new entry key")
    console.print(f"set entry_key to {key}, and accept it: change-ledger verify --trust")


def _whole(found: list[dict[str, object]], role: str, start: str) -> str:
    """Return the one key id of a role that begins with `start`."""
    ids = [str(key["key_id"]) for key in found if key["role"] == role and str(key["key_id"]).startswith(start)]
    if len(start) < 8 or len(ids) != 1:
        raise SetupError(
            f"expected at least 8 digits of one {role} key's id, found {start!r}, which fits {number_of(len(ids), 'key')}"
        )
    return ids[0]
