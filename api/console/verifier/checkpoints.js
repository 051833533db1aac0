// Checkpoints (C2SP tlog-checkpoint), and proofs that one entry is under one (C2SP tlog-proof).

import { HASH_SIZE, VerificationError, fromBase64, isEqual, quoted, textOf, toHex } from "./bytes.js";
import { EMPTY_ROOT, MAX_LEAVES, checkInclusion } from "./merkle.js";
import { checkNote, parseNote } from "./notes.js";

const MAX_HASHES = 63;
export const PROOF_HEADER = "c2sp.org/tlog-proof@v1";

export function parseSize(text) {
  if (!/^(?:0|[1-9][0-9]{0,18})$/.test(text) || BigInt(text) >= MAX_LEAVES) {
    throw new VerificationError(`expected a tree size in decimal, found ${quoted(text, 60)}`);
  }
  return BigInt(text);
}

export function parseHash(text) {
  const found = fromBase64(text);
  if (!found || found.length !== HASH_SIZE) {
    throw new VerificationError(`expected the base64 of a hash of ${HASH_SIZE} bytes, found ${quoted(text, 60)}`);
  }
  return found;
}

function parseCheckpoint(text) {
  const lines = text.slice(0, -1).split("\n");
  if (!text.endsWith("\n") || lines.length < 3 || lines.includes("")) {
    throw new VerificationError("expected a checkpoint: lines with origin, size and root, none of them empty");
  }
  const checkpoint = { origin: lines[0], size: parseSize(lines[1]), root: parseHash(lines[2]) };
  if (checkpoint.size === 0n && !isEqual(checkpoint.root, EMPTY_ROOT)) {
    throw new VerificationError(`expected the root of the empty tree at size 0, found ${toHex(checkpoint.root)}`);
  }
  return checkpoint;
}

// The checkpoint of a note that one of a log's keys signed. Keys whose name is not the origin do not count.
export async function checkCheckpoint(note, keys) {
  const origin = note.text.split("\n", 1)[0];
  const ofOrigin = keys.filter((key) => key.name === origin);
  if (!ofOrigin.length) throw new VerificationError(`no key of the log ${quoted(origin, 160)} is known`);
  await checkNote(note, ofOrigin);
  return parseCheckpoint(note.text);
}

// Reads a proof file; nothing is verified yet.
export function parseProof(data) {
  const blank = data.findIndex((byte, at) => byte === 10 && data[at + 1] === 10);
  const head = textOf(blank < 0 ? data : data.subarray(0, blank), "a tlog-proof");
  const [first, ...lines] = head.split("\n");
  if (first !== PROOF_HEADER || blank < 0) {
    throw new VerificationError(`expected a file that begins with ${PROOF_HEADER}, found ${quoted(first, 60)}`);
  }
  // Nothing vouches for what an extra line says: it is read, and not shown.
  if (lines[0]?.startsWith("extra ") && fromBase64(lines.shift().slice("extra ".length)) === null) {
    throw new VerificationError("the extra line is not base64");
  }
  if (!lines[0]?.startsWith("index ")) throw new VerificationError("expected a line 'index <n>'");
  const index = parseSize(lines.shift().slice("index ".length));
  if (lines.length > MAX_HASHES) throw new VerificationError(`expected at most ${MAX_HASHES} hashes, found ${lines.length}`);
  return { index, hashes: lines.map(parseHash), note: parseNote(data.subarray(blank + 2)) };
}

// The checkpoint under which an entry stands at `proof.index`.
export async function checkProof(proof, leaf, keys) {
  const checkpoint = await checkCheckpoint(proof.note, keys);
  await checkInclusion({ index: proof.index, size: checkpoint.size, leaf, proof: proof.hashes, root: checkpoint.root });
  return checkpoint;
}
