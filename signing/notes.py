"""Signed notes (C2SP signed-note): a text, and lines that sign it; and the keys by which such lines are checked.

    <text ending in a newline>
    <blank line>
    — <key name> <base64(key id[4] || signature)>

    key id       = SHA-256(name || 0x0A || type || public key)[:4]
    verifier key = <name>+<8 hex of the key id>+<base64(type || public key)>

What is signed is the text with its last newline, without the blank line. A line of an unknown key is passed over; a line
of a known key that fails refuses the note; so does a note without a line of any known key. Types here: 0x01 (Ed25519)
and 0x04 (a witness's timestamped Ed25519 cosignature, `signing.witness`). What a text means is not judged here.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from signing.errors import KeyFormatError, VerificationError
from signing.keys import PUBLIC_KEY_SIZE, SIGNATURE_SIZE, Signer, VerifyingKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
MAX_SIGNATURES: Final = 100
MAX_NOTE_BYTES: Final = 1_000_000
_DASH: Final = "\u2014 "
_ID_SIZE: Final = 4


def check_name(name: str) -> None:
    """Raise KeyFormatError unless a key may be called so: not empty, valid Unicode without blanks, control characters and plus."""
    if not name or "+" in name or any(c.isspace() or c < " " or "\ud800" <= c <= "\udfff" for c in name):
        raise KeyFormatError(f"expected a key name without blanks and +, found {name!r}"[:120])


@dataclass(frozen=True)
class NoteKey:
    """A public key as notes name it: by a name, a type and four bytes of their hash."""

    name: str
    public_key: bytes
    type: int = ED25519

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.type not in (ED25519, COSIGNATURE):
            raise KeyFormatError(f"expected a key of type 01 or 04, found {self.type:02x}")
        if len(self.public_key) != PUBLIC_KEY_SIZE:
            raise KeyFormatError(f"an Ed25519 public key has {PUBLIC_KEY_SIZE} bytes, found {len(self.public_key)}")

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public_key).digest()[:_ID_SIZE]

    def check(self, text: bytes, signature: bytes) -> int | None:
        """Raise VerificationError unless `signature` is this key's over a note's text. Returns a cosignature's time in unix seconds."""
        if self.type == ED25519:
            _check_size(signature, SIGNATURE_SIZE)
            VerifyingKey(self.public_key).check(signature, text)
            return None
        _check_size(signature, SIGNATURE_SIZE + 8)
        time = int.from_bytes(signature[:8])
        if time >= 1 << 63:
            raise VerificationError(f"expected the time of a cosignature below 2^63, found {time}")
        VerifyingKey(self.public_key).check(signature[8:], cosigned_message(text, time))
        return time


def cosigned_message(text: bytes, time: int) -> bytes:
    """Return what a timestamped Ed25519 cosignature signs (C2SP tlog-cosignature, cosignature/v1). `time` is in unix seconds."""
    return b"cosignature/v1\ntime %d\n%b" % (time, text)


def format_verifier_key(key: NoteKey) -> str:
    """Return the line by which a public key is pinned."""
    encoded = base64.b64encode(bytes([key.type]) + key.public_key).decode()
    return f"{key.name}+{key.id.hex()}+{encoded}"


def parse_verifier_key(text: str) -> NoteKey:
    """Return the key of a verifier line. Raises KeyFormatError saying which part is wrong."""
    name, _, rest = text.partition("+")
    check_name(name)
    identifier, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded.encode("ascii"), validate=True)
    except ValueError as error:
        raise KeyFormatError(f"the last part of a verifier key is base64: {error}") from error
    if len(data) != PUBLIC_KEY_SIZE + 1 or data[0] not in (ED25519, COSIGNATURE):
        raise KeyFormatError(
            f"expected <name>+<key id>+<base64 of 01 or 04 and an Ed25519 key>, found {ascii(text)[:80]}"
        )
    key = NoteKey(name, data[1:], data[0])
    if identifier != key.id.hex():
        raise KeyFormatError(f"expected the key id {key.id.hex()}, found {ascii(identifier)[:40]}")
    if (written := format_verifier_key(key)) != text:
        raise KeyFormatError(f"expected {written}, found {ascii(text)[:160]}")
    return key


# -- notes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SignatureLine:
    """One line beneath a note: whose, by which key, and the signature with what its type puts before it."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A text and the lines that sign it. The text is not to be looked into before `check_note`."""

    text: str
    lines: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.lines))}"

    def with_lines(self, lines: Iterable[SignatureLine]) -> "Note":
        """Return the note with more signature lines, each once."""
        return Note(self.text, tuple(dict.fromkeys((*self.lines, *lines))))


def sign_note(text: str, name: str, signer: Signer) -> SignatureLine:
    """Return the line by which an Ed25519 key signs a text."""
    return SignatureLine(name, NoteKey(name, signer.public_key).id, signer.sign(text.encode()))


def parse_signature_line(line: str) -> SignatureLine:
    """Read `— <name> <base64>` without its newline. Raises VerificationError saying what is wrong."""
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not blank:
        raise VerificationError(f"expected a line '— <key name> <base64>', found {ascii(line)[:80]}")
    try:
        check_name(name)
        data = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (KeyFormatError, binascii.Error, ValueError) as error:
        raise VerificationError(f"a signature line cannot be read: {error}"[:200]) from error
    if len(data) <= _ID_SIZE or base64.b64encode(data).decode() != encoded:
        raise VerificationError(f"expected base64 of a key id and a signature, found {ascii(encoded)[:80]}")
    return SignatureLine(name, data[:_ID_SIZE], data[_ID_SIZE:])


def parse_note(data: bytes) -> Note:
    """Split a note into its text and its signature lines. Raises VerificationError; nothing is verified yet."""
    if len(data) > MAX_NOTE_BYTES:
        raise VerificationError(f"expected a note of at most {MAX_NOTE_BYTES} bytes, found {len(data)}")
    try:
        document = data.decode()
    except UnicodeDecodeError as error:
        raise VerificationError(f"expected a note in UTF-8: {error}") from error
    if any(c < " " and c != "\n" for c in document):
        raise VerificationError("expected a note without control characters other than newlines")
    # The text may hold blank lines: the last one separates.
    at = document.rfind("\n\n")
    if at < 0 or not document.endswith("\n") or at + 2 == len(document):
        raise VerificationError("expected a text, a blank line and signature lines, each ending in a newline")
    lines = document[at + 2 : -1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise VerificationError(f"expected at most {MAX_SIGNATURES} signature lines, found {len(lines)}")
    return Note(document[: at + 1], tuple(parse_signature_line(line) for line in lines))


def check_note(note: Note, keys: Iterable[NoteKey]) -> dict[NoteKey, int | None]:
    """Return the keys that signed a note, with the time that a cosignature states. Raises VerificationError.

    A line of an unknown key is passed over; a line of a known key that fails refuses the note; no line of a known key, or
    no known keys at all, refuses it too.
    """
    known = {(key.name, key.id): key for key in keys}
    if not known:
        raise VerificationError("no keys to verify a note with: expected at least one")
    text, signed = note.text.encode(), {}
    for line in note.lines:
        if (key := known.get((line.name, line.key_id))) is not None:
            signed[key] = key.check(text, line.signature)
    if not signed:
        names, found = ({item.name for item in items} for items in (known.values(), note.lines))
        raise VerificationError(f"no signature by a known key: known {sorted(names)}, found {sorted(found)}")
    return signed


def _check_size(signature: bytes, size: int) -> None:
    if len(signature) != size:
        raise VerificationError(f"expected a signature of {size} bytes, found {len(signature)}")
