// Dossiers: every entry about one thing, and the proof that none was left out, up to what the ledger committed to.

import { HASH_SIZE, VerificationError, fromHex, hasLoneSurrogate, isEqual, quoted, utf8 } from "./bytes.js";
import { checkCheckpoint, parseHash } from "./checkpoints.js";
import { parseJson } from "./json.js";
import { EMPTY_ROOT, checkInclusion, leafHash } from "./merkle.js";
import { parseNote } from "./notes.js";

const COMMITTED = "ledger.heads_committed";
const MAX_INTEGER = 2n ** 53n - 1n;

// Whether a document looks like a dossier, so that it is to be checked as one.
export function isDossier(document) {
  return document instanceof Map && ["ref", "checkpoint", "entries", "commitment"].every((name) => document.has(name));
}

// What a dossier proves under the log's checkpoint keys. Raises VerificationError at the first thing that does not hold.
export async function checkDossier(document, keys) {
  const part = (name) => need(document, name, "not a dossier");
  const [ref, text, entries, leaves] = ["ref", "checkpoint", "entries", "heads"].map(part);
  const [stated, commitment] = [part("complete_up_to"), part("commitment")];
  if (typeof ref !== "string" || typeof text !== "string" || !Array.isArray(entries) || !Array.isArray(leaves)) {
    throw new VerificationError("not a dossier: ref and checkpoint are strings, entries and heads are arrays");
  }
  const note = parseNote(utf8(text.replace(/[\uD800-\uDFFF]/gu, "?")));
  const checkpoint = await checkCheckpoint(note, keys);
  const { asOf, count, root } = committedBy(await proved(commitment, checkpoint));
  const head = await checkHead(ref, leaves.map(headOf), count, root);
  const found = [];
  for (const item of entries) found.push(await proved(item, checkpoint));
  checkChain(ref, found);
  const covered = found.filter((entry) => entry.position <= asOf);
  const last = covered.at(-1)?.position ?? 0n;
  if (BigInt(covered.length) !== head.count || (covered.length && last !== head.last)) {
    throw new VerificationError(
      `the ledger committed to ${head.count} entries about ${quoted(ref)} up to position ${asOf}, the last at ${head.last}; ` +
        `found ${covered.length}, the last at ${covered.length ? last : "none"}`,
    );
  }
  if (stated !== asOf) throw new VerificationError(`it does not say that it is complete up to ${asOf}, which is what it is`);
  return { ref, note, checkpoint, completeUpTo: asOf, entries: found };
}

function need(holder, name, what) {
  if (!(holder instanceof Map) || !holder.has(name)) throw new VerificationError(`${what}: expected ${name}`);
  return holder.get(name);
}

// The parsed entry of an item whose inclusion under the checkpoint holds.
async function proved(item, checkpoint) {
  const what = "expected position, entry and proof";
  const [position, text, hashes] = ["position", "entry", "proof"].map((name) => need(item, name, what));
  if (typeof position !== "bigint" || typeof text !== "string" || hasLoneSurrogate(text) || !Array.isArray(hashes)) {
    throw new VerificationError(`${what}: an integer, a string and an array`);
  }
  const [index, proof] = [position - 1n, hashes.map(hashOf)];
  const leaf = await leafHash(utf8(text));
  await checkInclusion({ index, size: checkpoint.size, leaf, proof, root: checkpoint.root });
  return entryOf(text, position, checkpoint.origin.split("#", 1)[0]);
}

function hashOf(value) {
  if (typeof value !== "string") throw new VerificationError("expected hashes in base64");
  return parseHash(value);
}

function entryOf(text, position, origin) {
  const what = `the entry at position ${position} cannot be read`;
  const entry = parseJson(text);
  const [statement, refs] = [need(entry, "statement", what), need(entry, "refs", what)];
  if (!(refs instanceof Map) || typeof need(statement, "type", what) !== "string") {
    throw new VerificationError(`${what}: refs are an object, a type is a string`);
  }
  if (need(entry, "position", what) !== position || need(entry, "ledger", what) !== origin) {
    throw new VerificationError(`${what}: it says another position, or another ledger`);
  }
  return { position, refs, statement, entry };
}

// As of which position, over how many refs and under which root the ledger committed to the heads of all refs.
function committedBy({ position, statement }) {
  const what = `expected an entry ${COMMITTED}`;
  const data = need(statement, "data", what);
  const [asOf, count, root] = ["as_of", "ref_count", "root"].map((name) => need(data, name, what));
  if (statement.get("type") !== COMMITTED || typeof asOf !== "bigint" || typeof count !== "bigint") {
    throw new VerificationError(`${what}: it is ${quoted(statement.get("type"))} at position ${position}`);
  }
  if (asOf <= 0n || asOf >= position || typeof root !== "string" || !/^[0-9a-fA-F]*$/.test(root) || root.length !== 2 * HASH_SIZE) {
    throw new VerificationError(`${what}: as_of is before it, and root is a hash in hex`);
  }
  return { asOf, count, root: fromHex(root) };
}

// One leaf of a commitment: of which ref, how often and where last it occurred, and its audit path.
function headOf(document) {
  const what = "not the proof of a ref's head";
  const [index, ref, count, last, hashes] = ["index", "ref", "count", "last", "proof"].map((name) => need(document, name, what));
  if (typeof ref !== "string" || !/^[\u0000-\u007f]*$/.test(ref) || !Array.isArray(hashes)) {
    throw new VerificationError(`${what}: expected a ref of ASCII, and an array`);
  }
  if ([index, count, last].some((number) => typeof number !== "bigint" || number < 0n || number > MAX_INTEGER)) {
    throw new VerificationError(`${what}: expected integers that a ledger writes`);
  }
  return { index, ref, count, last, proof: hashes.map(hashOf) };
}

// What a commitment proves for a ref: how often and where last; 0 and 0 when it proves that there is none.
async function checkHead(ref, leaves, size, root) {
  for (const { index, ref: name, count, last, proof } of leaves) {
    // Canonical JSON of [ref, count, last position], which over ASCII is what JSON.stringify writes.
    const leaf = await leafHash(utf8(`[${JSON.stringify(name)},${count},${last}]`));
    await checkInclusion({ index, size, leaf, proof, root });
  }
  if (leaves.length === 1 && leaves[0].ref === ref) return leaves[0];
  if (!leaves.length && (size !== 0n || !isEqual(root, EMPTY_ROOT))) {
    throw new VerificationError(`expected the leaf of ${quoted(ref)}, or its neighbours, found none`);
  }
  const below = leaves.filter((leaf) => leaf.ref < ref);
  const above = leaves.filter((leaf) => leaf.ref > ref);
  if (below.length > 1 || above.length > 1 || below.length + above.length !== leaves.length) {
    throw new VerificationError(`expected the leaf of ${quoted(ref)}, or its two neighbours`);
  }
  // Without a neighbour below the place is the first; without one above, the last.
  const place = below.length ? below[0].index + 1n : 0n;
  if (place !== (above.length ? above[0].index : size)) {
    throw new VerificationError(`the leaves do not stand side by side: ${quoted(ref)} may lie between them`);
  }
  return { count: 0n, last: 0n };
}

// Follows the back-pointers of a ref from its first entry on.
function checkChain(ref, entries) {
  let [ordinal, before] = [1n, 0n];
  for (const { position, refs } of entries) {
    const pointer = refs.get(ref);
    if (!Array.isArray(pointer) || pointer.length !== 2 || pointer[0] !== ordinal || pointer[1] !== before) {
      throw new VerificationError(
        `position ${position}: expected ${quoted(ref)} as number ${ordinal} after position ${before}: ` +
          "an entry about it was left out, or put in",
      );
    }
    [ordinal, before] = [ordinal + 1n, position];
  }
}
