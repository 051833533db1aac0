"""Witnesses (C2SP tlog-witness, cosignature/v1): the rules by which one cosigns, as a pure state machine.

A witness remembers the last checkpoint of each log and cosigns the next only when it is consistent with that one, so
that a log cannot show two histories. `Witness.cosign` decides and returns the state to keep; keeping it, atomically and
before the answer leaves, is the caller's (`api.witness.service`).

    old <size of the last checkpoint cosigned>
    <base64 of a hash>        a consistency proof, one hash a line, at most 63
    <blank line>
    <checkpoint>
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from signing.checkpoint import Checkpoint, check_checkpoint, encode_hash, parse_checkpoint, parse_hash, parse_size
from signing.errors import EmptyTreeError, VerificationError
from signing.keys import Signer
from signing.merkle import EMPTY_ROOT, check_consistency
from signing.notes import COSIGNATURE, Note, NoteKey, SignatureLine, check_note, cosigned_message, parse_note

MAX_PROOF: Final = 63
SIZE_MEDIA_TYPE: Final = "text/x.tlog.size"


class WitnessRefusalError(VerificationError):
    """The witness does not cosign. `status` is the HTTP status of tlog-witness; `size` what it cosigned last, when that helps."""

    def __init__(self, status: int, message: str, size: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.size = size


def cosign(text: str, name: str, signer: Signer, time: int) -> SignatureLine:
    """Return a witness's timestamped line over a checkpoint's text. `time` is in unix seconds."""
    signature = time.to_bytes(8) + signer.sign(cosigned_message(text.encode(), time))
    return SignatureLine(name, NoteKey(name, signer.public_key, COSIGNATURE).id, signature)


def check_cosigned(note: Note, witnesses: Iterable[NoteKey], *, at_least: int) -> dict[NoteKey, int]:
    """Return the witnesses that cosigned a checkpoint, with their times. Raises VerificationError when they are fewer than `at_least`.

    Two names of one key are one witness.
    """
    known = list(witnesses)
    signed = check_note(note, known) if any(_signs(key, line) for key in known for line in note.lines) else {}
    found = {key: time for key, time in signed.items() if time is not None}
    if (count := len({key.public_key for key in found})) < at_least:
        raise VerificationError(f"expected cosignatures of {at_least} witnesses, found {count} of {len(known)}")
    return found


def _signs(key: NoteKey, line: SignatureLine) -> bool:
    return (key.name, key.id) == (line.name, line.key_id)


# -- the request -----------------------------------------------------------------------------------------------------


def format_request(old_size: int, proof: Sequence[bytes], checkpoint: Note) -> bytes:
    """Return the body of `add-checkpoint`."""
    lines = [f"old {old_size}", *map(encode_hash, proof)]
    return ("".join(f"{line}\n" for line in lines) + f"\n{checkpoint}").encode()


def parse_request(body: bytes) -> tuple[int, list[bytes], Note]:
    """Return old size, proof and checkpoint of an `add-checkpoint` body. Raises WitnessRefusalError (400)."""
    try:
        head, _, checkpoint = body.partition(b"\n\n")
        first, *lines = head.decode("ascii").split("\n")
        if not first.startswith("old ") or len(lines) > MAX_PROOF:
            raise VerificationError(f"expected 'old <size>' and at most {MAX_PROOF} hashes, found {ascii(first)[:60]}")
        return parse_size(first.removeprefix("old ")), [parse_hash(line) for line in lines], parse_note(checkpoint)
    except (VerificationError, UnicodeDecodeError) as error:
        raise WitnessRefusalError(400, f"the request cannot be read: {error}") from error


# -- the rules -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Witness:
    """A witness by its name and key, and the logs it knows: for each origin, the keys it trusts."""

    name: str
    signer: Signer
    logs: dict[str, tuple[NoteKey, ...]]

    @property
    def key(self) -> NoteKey:
        return NoteKey(self.name, self.signer.public_key, COSIGNATURE)

    def origin_of(self, checkpoint: Note) -> str:
        """Return the origin of a submitted checkpoint. Raises WitnessRefusalError (404) for a log that is not known here."""
        origin = checkpoint.text.partition("\n")[0]
        if not self.logs.get(origin):
            raise WitnessRefusalError(404, f"the log {ascii(origin)[:160]} is not known to this witness")
        return origin

    def cosign(self, body: bytes, last: Checkpoint | None, now: int) -> tuple[Note, SignatureLine]:
        """Return the checkpoint to remember, cosigned, and the line to answer with. Raises WitnessRefusalError.

        `last` is what this witness cosigned last for the checkpoint's origin; `now` is in unix seconds.
        """
        old_size, proof, note = parse_request(body)
        keys = self.logs[self.origin_of(note)]
        try:
            checkpoint = check_checkpoint(note, keys)
        except EmptyTreeError as error:
            raise WitnessRefusalError(422, str(error)) from error
        except VerificationError as error:
            # A text that no key of the log signed is nobody's checkpoint, whatever it says.
            signed = _is_signed(note, keys)
            raise WitnessRefusalError(400 if signed else 403, f"not a checkpoint of this log: {error}") from error
        if old_size > checkpoint.size:
            raise WitnessRefusalError(400, f"the old size {old_size} is over the checkpoint's, {checkpoint.size}")
        known = last or Checkpoint(checkpoint.origin, 0, EMPTY_ROOT)
        if old_size != known.size:
            raise WitnessRefusalError(409, f"expected old {known.size}, found {old_size}", known.size)
        try:
            check_consistency(
                old_size=old_size, new_size=checkpoint.size, old_root=known.root, new_root=checkpoint.root, proof=proof
            )
        except VerificationError as error:
            raise WitnessRefusalError(
                422,
                f"the checkpoint of size {checkpoint.size} is not consistent with the one of size {old_size}: {error}",
            ) from error
        line = cosign(note.text, self.name, self.signer, now)
        own = {(kept.name, kept.key_id): kept for kept in note.lines if any(_signs(key, kept) for key in keys)}
        return Note(note.text, (*own.values(), line)), line


def _is_signed(note: Note, keys: Sequence[NoteKey]) -> bool:
    origin = note.text.partition("\n")[0]
    try:
        check_note(note, [key for key in keys if key.name == origin])
    except VerificationError:
        return False
    return True


def remembered(data: bytes, origin: str) -> Checkpoint:
    """Return the checkpoint that a witness kept for a log."""
    checkpoint = parse_checkpoint(parse_note(data).text)
    if checkpoint.origin != origin:
        raise VerificationError(f"expected a checkpoint of {origin}, found one of {ascii(checkpoint.origin)[:160]}")
    return checkpoint
