"""Makes the vectors of proofs and notes that must be refused, each a file named by its mutation: `python tests/tools/make_vectors.py`.

The tree is that of the leaves "0", "1", "2", …; keys are made of the seeds that `SEEDS` names. What is here says what a
mutation is; the files say it in bytes, for other implementations.
"""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from textbook_tree import textbook_consistency, textbook_inclusion, textbook_leaf, textbook_root

from signing.checkpoint import Checkpoint, sign_checkpoint
from signing.keys import SigningKey
from signing.notes import Note, NoteKey, format_verifier_key, sign_note
from signing.witness import cosign

VECTORS = Path(__file__).parents[1] / "vectors"
LOG, LOG_KEY = "log.test/vectors", SigningKey.from_seed(b"L" * 32)
WITNESS, WITNESS_KEY = "witness.test/vectors", SigningKey.from_seed(b"W" * 32)
STRANGER = SigningKey.from_seed(b"S" * 32)
Vector = dict[str, Any]


def leaves(count: int) -> list[bytes]:
    return [textbook_leaf(b"%d" % number) for number in range(count)]


def inclusion(index: int, size: int) -> Vector:
    row = leaves(size)
    proof = textbook_inclusion(index, row)
    return {"index": index, "size": size, "leaf": row[index], "proof": proof, "root": textbook_root(row)}


def consistency(old: int, new: int) -> Vector:
    row = leaves(new)
    proof = textbook_consistency(old, row) if old > 0 else []
    return {
        "old_size": old,
        "new_size": new,
        "old_root": textbook_root(row[:old]),
        "new_root": textbook_root(row),
        "proof": proof,
    }


def of_proof(good: Vector) -> Iterator[tuple[str, Vector]]:
    """Yield the mutations that both kinds of proof have."""
    proof = good["proof"]
    yield "truncated-proof", good | {"proof": proof[:-1]}
    yield "truncated-at-the-start", good | {"proof": proof[1:]}
    yield "empty-proof", good | {"proof": []}
    yield "extended-proof", good | {"proof": [*proof, bytes(32)]}
    yield "extended-at-the-start", good | {"proof": [bytes(32), *proof]}
    yield "duplicated-last-hash", good | {"proof": [*proof, proof[-1]]}
    yield "doubled-proof", good | {"proof": proof * 2}
    yield "swapped-pair", good | {"proof": [proof[1], proof[0], *proof[2:]]}
    yield "reversed-proof", good | {"proof": proof[::-1]}
    yield "flipped-bit", good | {"proof": [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]}
    yield "short-hash", good | {"proof": [proof[0][:31], *proof[1:]]}
    yield "long-hash", good | {"proof": [proof[0] + b"\0", *proof[1:]]}
    yield "zero-hash", good | {"proof": [bytes(32), *proof[1:]]}


def inclusions() -> Iterator[tuple[str, Vector, bool]]:
    for index, size in ((0, 1), (0, 2), (2, 7), (6, 7), (255, 256), (256, 257), (4, 300)):
        yield f"good-{index}-of-{size}", inclusion(index, size), False
    good = inclusion(2, 7)
    for name, vector in of_proof(good):
        yield name, vector, True
    yield "index-one-less", good | {"index": 1}, True
    yield "index-one-more", good | {"index": 3}, True
    yield "index-is-the-size", good | {"index": 7}, True
    yield "negative-index", good | {"index": -1}, True
    yield "huge-index", good | {"index": 2**64}, True
    # Size 8 has the same way to leaf 2 as size 7, with other hashes on it: only the root tells.
    yield "size-one-less", good | {"size": 3}, True
    yield "size-doubled", good | {"size": 14}, True
    yield "size-zero", good | {"size": 0}, True
    yield "negative-size", good | {"size": -7}, True
    yield "huge-size", good | {"size": 2**64}, True
    yield "other-leaf", good | {"leaf": leaves(7)[3]}, True
    yield "node-as-leaf", good | {"leaf": textbook_root(leaves(4)[2:]), "proof": good["proof"][1:]}, True
    yield "other-root", good | {"root": textbook_root(leaves(8))}, True
    yield "empty-root", good | {"root": b""}, True
    yield "leaf-as-root", good | {"root": good["leaf"], "proof": []}, True


def consistencies() -> Iterator[tuple[str, Vector, bool]]:
    for old, new in ((0, 0), (0, 5), (1, 1), (1, 2), (3, 7), (4, 7), (6, 7), (7, 7), (256, 300)):
        yield f"good-{old}-to-{new}", consistency(old, new), False
    good = consistency(3, 7)
    for name, vector in of_proof(good):
        yield name, vector, True
    yield "roots-swapped", good | {"old_root": good["new_root"], "new_root": good["old_root"]}, True
    yield "sizes-swapped", good | {"old_size": 7, "new_size": 3}, True
    yield "old-size-one-less", good | {"old_size": 2}, True
    yield "old-size-one-more", good | {"old_size": 4}, True
    yield "new-size-doubled", good | {"new_size": 14}, True
    yield "negative-old-size", good | {"old_size": -3}, True
    yield "huge-new-size", good | {"new_size": 2**64}, True
    yield "other-old-root", good | {"old_root": bytes(32)}, True
    yield "other-new-root", good | {"new_root": bytes(32)}, True
    yield "same-size-other-root", consistency(7, 7) | {"old_root": bytes(32)}, True
    yield "same-size-with-a-proof", consistency(7, 7) | {"proof": [bytes(32)]}, True
    yield "empty-tree-with-a-proof", consistency(0, 5) | {"proof": [bytes(32)]}, True
    yield "empty-tree-with-another-root", consistency(0, 5) | {"old_root": bytes(32)}, True
    yield "old-is-a-power-of-two-and-its-root-is-repeated", _repeated_root(), True


def _repeated_root() -> Vector:
    good = consistency(4, 7)
    return good | {"proof": [good["old_root"], *good["proof"]]}


def notes() -> Iterator[tuple[str, bytes, bool]]:
    """Yield checkpoints as notes, by name; every one that must be refused differs from the good one in one thing."""
    checkpoint = Checkpoint(LOG, 7, textbook_root(leaves(7)))
    note = sign_checkpoint(checkpoint, LOG_KEY)
    good, text = str(note), checkpoint.text
    own, stranger = note.lines[0], sign_note(text, "stranger.test", STRANGER)
    line = cosign(text, WITNESS, WITNESS_KEY, 1_795_435_200)

    def resigned(changed: str) -> bytes:
        return str(Note(changed, (sign_note(changed, LOG, LOG_KEY),))).encode()

    yield "good", good.encode(), False
    yield "good-cosigned", str(note.with_lines([line])).encode(), False
    yield "good-with-an-unknown-key-beside", str(note.with_lines([stranger])).encode(), False
    yield "good-with-an-extension-line", resigned(text + "extension\n"), False
    yield "good-of-size-zero", resigned(Checkpoint(LOG, 0, textbook_root([])).text), False
    yield "no-final-newline", good.rstrip("\n").encode(), True
    yield "no-blank-line", good.replace("\n\n", "\n").encode(), True
    yield "crlf", good.replace("\n", "\r\n").encode(), True
    yield "no-signatures", (text + "\n").encode(), True
    yield "text-alone", text.encode(), True
    yield "empty", b"", True
    yield "unknown-key-alone", str(Note(text, (stranger,))).encode(), True
    yield "cosignature-alone", str(Note(text, (line,))).encode(), True
    yield "known-key-fails", good.replace("\n7\n", "\n8\n").encode(), True
    yield (
        "known-key-fails-beside-a-good-line",
        good.encode() + str(own).replace(_tail(own), _tail(stranger)).encode(),
        True,
    )
    yield "known-name-with-another-keys-id", str(Note(text, (sign_note(text, LOG, STRANGER),))).encode(), True
    yield "truncated-signature", good.replace(_base64(own), _encode(own.key_id + own.signature[:-1])).encode(), True
    yield "extended-signature", good.replace(_base64(own), _encode(own.key_id + own.signature + b"\0")).encode(), True
    yield "key-id-alone", good.replace(_base64(own), _encode(own.key_id)).encode(), True
    yield "base64-without-padding", good.replace(_base64(own), _base64(own).rstrip("=")).encode(), True
    yield "base64-of-urls", good.replace(_base64(own), _base64(own).replace("+", "-").replace("/", "_")).encode(), True
    yield "two-blanks-before-the-signature", good.replace(" " + _base64(own), "  " + _base64(own)).encode(), True
    yield "blank-after-the-signature", good.replace(_base64(own), _base64(own) + " ").encode(), True
    yield "hyphen-for-the-dash", good.replace("\u2014", "-").encode(), True
    yield "control-character", good.replace("\n7\n", "\n7\x00\n").encode(), True
    yield "invalid-utf-8", good.encode().replace(b"\n7\n", b"\n\xff\n"), True
    yield "latin-1", good.encode().replace("\u2014".encode(), b"\x97"), True
    yield "many-signatures", (good + str(stranger) * 100).encode(), True
    root = text.split("\n")[2]
    for name, changed in {
        "leading-zero": text.replace("\n7\n", "\n07\n"),
        "plus-sign": text.replace("\n7\n", "\n+7\n"),
        "negative-size": text.replace("\n7\n", "\n-7\n"),
        "size-over-63-bits": text.replace("\n7\n", f"\n{2**63}\n"),
        "size-in-other-digits": text.replace("\n7\n", "\n\u0667\n"),
        "size-with-a-blank": text.replace("\n7\n", "\n7 \n"),
        "no-size": text.replace("\n7\n", "\n\n"),
        "short-root": text.replace(root, _encode(bytes(31))),
        "long-root": text.replace(root, _encode(bytes(33))),
        "root-in-hex": text.replace(root, textbook_root(leaves(7)).hex()),
        "root-without-padding": text.replace(root, root.rstrip("=")),
        "two-lines": "\n".join(text.split("\n")[:2]) + "\n",
        "empty-extension-line": text + "\n",
        "another-origin": text.replace(LOG, "log.test/other"),
        "size-zero-with-a-root": text.replace("\n7\n", "\n0\n"),
    }.items():
        yield name, resigned(changed), True


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _base64(line: Any) -> str:
    return _encode(line.key_id + line.signature)


def _tail(line: Any) -> str:
    return _base64(line)[-20:]


def write(folder: str, made: Iterator[tuple[str, Vector, bool]]) -> None:
    for name, vector, want_error in made:
        document = {key: _plain(value) for key, value in vector.items()} | {"want_error": want_error}
        (VECTORS / folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else [_plain(v) for v in value] if isinstance(value, list) else value


def main() -> None:
    write("inclusion", inclusions())
    write("consistency", consistencies())
    expected = {}
    for name, data, want_error in notes():
        (VECTORS / "checkpoints" / f"{name}.note").write_bytes(data)
        expected[name] = want_error
    index: dict[str, Any] = {
        "key": format_verifier_key(NoteKey(LOG, LOG_KEY.public_key)),
        "want_error": expected,
    }
    (VECTORS / "checkpoints" / "index.json").write_text(json.dumps(index, indent=1) + "\n")


MAKERS: dict[str, Callable[[], Iterator[Any]]] = {"inclusion": inclusions, "consistency": consistencies}

if __name__ == "__main__":
    main()
