// From files to verdicts: of which kind each is, whether it holds under the keys that were given, and what a pass leaves open.

import { CannotCheckError, VerificationError, quoted, textOf, toHex } from "./bytes.js";
import { PROOF_HEADER, checkCheckpoint, checkProof, parseHash, parseProof } from "./checkpoints.js";
import { checkDossier, isDossier } from "./dossiers.js";
import { parseJson } from "./json.js";
import { checkConsistency, leafHash } from "./merkle.js";
import { checkCosigned, parseNote } from "./notes.js";

export const MAX_FILE_BYTES = 64 * 1024 * 1024;
const DASH_LINE = "\n\u2014 ";

const OF_KEYS = "whether the key is the ledger's: it is the one that you gave, and you have it from elsewhere";
const OF_TRUTH = "whether what an entry says is true: only that it was recorded so, and not altered since";
const OF_SIGNERS = "who signed an entry, or whether its author was allowed to say it: an audit checks that";
const LIMITS = {
  proof: [OF_KEYS, OF_TRUTH, OF_SIGNERS, "what else the ledger holds: a later entry may withdraw or correct this one"],
  dossier: [
    OF_KEYS,
    OF_TRUTH,
    OF_SIGNERS,
    "whether the ledger's commitment is true: an audit of all entries finds a false one",
    "what was never sent to the ledger",
  ],
  checkpoint: [OF_KEYS, "whether the entries beneath are what they were: an audit of all entries, or a proof of one, says that"],
  consistency: [OF_KEYS, "whether somebody else was shown another history: compare checkpoints, or name witnesses"],
};
const OF_WITNESSES = "whether others were shown the same history: no witness that you named vouches for it";

// Reads files ({name, size, bytes()}) and returns a verdict of each. `keys` are the log's and the witnesses', and how many of
// them must have cosigned.
export async function judge(files, keys) {
  const known = [];
  for (const file of files) known.push({ name: file.name, ...(await kindOf(file)) });
  const entries = known.filter(({ kind }) => kind === "entry");
  const heads = [];
  const verdicts = [];
  // Proofs of consistency come last: they are between checkpoints that hold.
  for (const file of [...known].sort((a, b) => (a.kind === "consistency") - (b.kind === "consistency"))) {
    const isOf = { proof: ofProof, dossier: ofDossier, checkpoint: ofCheckpoint, consistency: ofConsistency }[file.kind];
    if (isOf) verdicts.push(await verdictOf(file, () => isOf(file, keys, { entries, heads })));
    else if (file.kind === "unknown") verdicts.push({ name: file.name, kind: "file", state: "unknown", says: [file.why] });
  }
  for (const entry of entries.filter(({ isUsed }) => !isUsed)) {
    const why = "an entry alone proves nothing: give its .tlog-proof, too, as GET /v1/events/<position>/proof answers it";
    verdicts.push({ name: entry.name, kind: "entry", state: "unknown", says: [why] });
  }
  return [...verdicts, ...splits(heads)];
}

async function verdictOf(file, check) {
  const verdict = { name: file.name, kind: file.kind };
  try {
    const found = await check();
    const open = found.cosigned?.length === 0 ? [OF_WITNESSES] : [];
    return { ...verdict, state: "holds", ...found, open: [...LIMITS[file.kind], ...open] };
  } catch (error) {
    if (error instanceof VerificationError) return { ...verdict, state: "fails", says: [error.message] };
    // Whatever else goes wrong is no verdict: of one file, and not of the others.
    const why = error instanceof CannotCheckError ? error.message : `it could not be checked: ${error}`;
    return { ...verdict, state: "unknown", says: [why] };
  }
}

// Of which kind a file is, by what it holds and not by its name.
async function kindOf(file) {
  if (file.size > MAX_FILE_BYTES) {
    return { kind: "unknown", why: `expected at most ${MAX_FILE_BYTES} bytes, found ${file.size}: it was not read` };
  }
  const data = await file.bytes();
  let text;
  try {
    text = textOf(data, "a file");
  } catch (error) {
    return { kind: "unknown", why: `${error.message}: it is of no kind that is known here` };
  }
  if (text.startsWith(PROOF_HEADER)) return { kind: "proof", data };
  if (text.includes(DASH_LINE) || /^[^\n{]+\n[0-9]+\n/.test(text)) return { kind: "checkpoint", data };
  let document;
  try {
    document = parseJson(text);
  } catch (error) {
    return { kind: "unknown", why: `it is no proof and no checkpoint, and ${error.message}` };
  }
  if (isDossier(document)) return { kind: "dossier", document };
  if (!(document instanceof Map)) return { kind: "unknown", why: "it is JSON of no kind that is known here" };
  if (["from", "to", "proof"].every((name) => document.has(name))) return { kind: "consistency", document };
  return { kind: "entry", data, position: document.get("position"), isUsed: false };
}

async function ofProof(file, keys, { entries, heads }) {
  const proof = parseProof(file.data);
  const position = proof.index + 1n;
  const fitting = entries.filter((entry) => entry.position === position);
  const entry = fitting[0] ?? (entries.length === 1 ? entries[0] : undefined);
  if (!entry) {
    throw new CannotCheckError(`it is of the entry at position ${position}: give the exact bytes of that entry, too, as GET /v1/events/${position}/entry answers`);
  }
  entry.isUsed = true;
  const checkpoint = await checkProof(proof, await leafHash(entry.data), keys.log);
  const cosigned = await checkCosigned(proof.note, keys.witnesses, keys.atLeast);
  heads.push({ name: file.name, checkpoint });
  const says = [`The entry in ${quoted(entry.name)} is at position ${position} of the log ${checkpoint.origin}.`];
  return { says, checkpoint, cosigned };
}

async function ofCheckpoint(file, keys, { heads }) {
  const note = parseNote(file.data);
  const checkpoint = await checkCheckpoint(note, keys.log);
  const cosigned = await checkCosigned(note, keys.witnesses, keys.atLeast);
  heads.push({ name: file.name, checkpoint });
  return { says: [`The log ${checkpoint.origin} signed that it has ${checkpoint.size} entries, and these.`], checkpoint, cosigned };
}

async function ofDossier(file, keys, { heads }) {
  const { ref, note, checkpoint, completeUpTo, entries } = await checkDossier(file.document, keys.log);
  const cosigned = await checkCosigned(note, keys.witnesses, keys.atLeast);
  heads.push({ name: file.name, checkpoint });
  const later = entries.filter(({ position }) => position > completeUpTo).length;
  const says = [
    `${ref}: ${entries.length} entries of the log ${checkpoint.origin}, each under its checkpoint.`,
    `Complete up to position ${completeUpTo}, as the ledger committed it.`,
  ];
  if (later) says.push(`After that, ${later} more, of which others may be missing.`);
  return { says, checkpoint, cosigned, entries: entries.map(lineOf) };
}

// What is shown of an entry: all of it a stranger's text.
function lineOf({ position, statement, entry }) {
  const shown = (value) => (typeof value === "string" ? value : "");
  const by = entry.get("recorded_by");
  return {
    position: String(position),
    type: shown(statement.get("type")),
    time: shown(statement.get("time")),
    recordedAt: shown(entry.get("recorded_at")),
    recordedBy: by instanceof Map ? shown(by.get("principal")) : "",
  };
}

async function ofConsistency(file, keys, { heads }) {
  const [older, newer] = [end(file.document.get("from")), end(file.document.get("to"))];
  const hashes = file.document.get("proof");
  if (older === null || newer === null || !Array.isArray(hashes) || hashes.some((hash) => typeof hash !== "string")) {
    throw new VerificationError("expected a proof of consistency: from and to with a size each, and hashes in base64");
  }
  const held = (size) => heads.find(({ checkpoint }) => checkpoint.size === size)?.checkpoint;
  const [old, current] = [held(older), held(newer)];
  if (!old || !current || old.origin !== current.origin) {
    throw new CannotCheckError(`it is between sizes ${older} and ${newer}: give both checkpoints, too. Its own roots are nobody's word`);
  }
  await checkConsistency({
    oldSize: older,
    newSize: newer,
    oldRoot: old.root,
    newRoot: current.root,
    proof: hashes.map(parseHash),
  });
  return { says: [`Between sizes ${older} and ${newer} the log ${old.origin} only grew: nothing was rewritten.`] };
}

function end(document) {
  const size = document instanceof Map ? document.get("size") : null;
  return typeof size === "bigint" ? size : null;
}

// Two checkpoints of one size with two roots: a log that signed both has shown two histories.
function splits(heads) {
  const found = [];
  heads.forEach((one, at) => {
    for (const other of heads.slice(at + 1)) {
      const [a, b] = [one.checkpoint, other.checkpoint];
      if (a.origin === b.origin && a.size === b.size && toHex(a.root) !== toHex(b.root)) {
        const says = [
          `The log ${a.origin} signed two histories of ${a.size} entries: with the root ${toHex(a.root)}, and with ${toHex(b.root)}.`,
          "Keep both files: together they prove it to anybody.",
        ];
        found.push({ name: `${one.name}, ${other.name}`, kind: "two histories", state: "fails", says });
      }
    }
  });
  return found;
}
