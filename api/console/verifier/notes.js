// Signed notes (C2SP signed-note), the keys that check them, and cosignatures of witnesses (cosignature/v1).

import {
  KEY_SIZE,
  SIGNATURE_SIZE,
  VerificationError,
  fromBase64,
  hasLoneSurrogate,
  isEqual,
  isSignedBy,
  joined,
  quoted,
  sha256,
  textOf,
  toHex,
  utf8,
} from "./bytes.js";

export const ED25519 = 1;
export const COSIGNATURE = 4;
const MAX_SIGNATURES = 100;
const MAX_NOTE_BYTES = 1_000_000;
const ID_SIZE = 4;
const DASH = "\u2014 ";
// What Unicode calls a blank, and what controls a terminal.
const isNoName = /[+\u0000- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

function checkName(name) {
  if (!name || isNoName.test(name) || hasLoneSurrogate(name)) {
    throw new VerificationError(`expected a key name without blanks and +, found ${quoted(name)}`);
  }
}

async function idOf(name, type, publicKey) {
  return (await sha256(utf8(`${name}\n`), new Uint8Array([type]), publicKey)).slice(0, ID_SIZE);
}

// The key of a line `<name>+<8 hex of its id>+<base64 of type and key>`.
export async function parseVerifierKey(text) {
  const [name, identifier, ...rest] = text.split("+");
  checkName(name);
  const data = fromBase64(rest.join("+"));
  if (!data || data.length !== KEY_SIZE + 1 || ![ED25519, COSIGNATURE].includes(data[0])) {
    throw new VerificationError(`expected <name>+<key id>+<base64 of 01 or 04 and an Ed25519 key>, found ${quoted(text)}`);
  }
  const key = { name, type: data[0], publicKey: data.slice(1) };
  key.id = await idOf(name, key.type, key.publicKey);
  if (identifier !== toHex(key.id)) {
    throw new VerificationError(`expected the key id ${toHex(key.id)}, found ${quoted(identifier, 40)}`);
  }
  return key;
}

// Splits a note into its text and its signature lines; nothing is verified yet.
export function parseNote(data) {
  if (data.length > MAX_NOTE_BYTES) {
    throw new VerificationError(`expected a note of at most ${MAX_NOTE_BYTES} bytes, found ${data.length}`);
  }
  const document = textOf(data, "a note");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(document)) {
    throw new VerificationError("expected a note without control characters other than newlines");
  }
  // The text may hold blank lines: the last one separates.
  const at = document.lastIndexOf("\n\n");
  if (at < 0 || !document.endsWith("\n") || at + 2 === document.length) {
    throw new VerificationError("expected a text, a blank line and signature lines, each ending in a newline");
  }
  const lines = document.slice(at + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) {
    throw new VerificationError(`expected at most ${MAX_SIGNATURES} signature lines, found ${lines.length}`);
  }
  return { text: document.slice(0, at + 1), lines: lines.map(parseSignatureLine) };
}

function parseSignatureLine(line) {
  const found = /^\u2014 ([^ ]*) (.*)$/su.exec(line);
  if (!line.startsWith(DASH) || !found) {
    throw new VerificationError(`expected a line '— <key name> <base64>', found ${quoted(line)}`);
  }
  const [, name, encoded] = found;
  checkName(name);
  const data = fromBase64(encoded);
  if (!data || data.length <= ID_SIZE) {
    throw new VerificationError(`expected base64 of a key id and a signature, found ${quoted(encoded)}`);
  }
  return { name, keyId: data.slice(0, ID_SIZE), signature: data.slice(ID_SIZE) };
}

// The keys that signed a note, with the time of a cosignature. A line of an unknown key is passed over; a line of a known key
// that fails refuses the note, and so does a note without any line of a known key.
export async function checkNote(note, keys) {
  if (!keys.length) throw new VerificationError("no keys to verify a note with: expected at least one");
  const [text, signed] = [utf8(note.text), new Map()];
  for (const line of note.lines) {
    const key = keys.find((known) => isLineOf(line, known));
    if (key) signed.set(key, await checkLine(key, text, line.signature));
  }
  if (!signed.size) {
    const names = (items) => [...new Set(items.map((item) => item.name))].sort().map((name) => quoted(name)).join(", ");
    throw new VerificationError(`no signature by a known key: known ${names(keys)}, found ${names(note.lines)}`);
  }
  return signed;
}

function isLineOf(line, key) {
  return key.name === line.name && isEqual(key.id, line.keyId);
}

// Returns the time of a cosignature in unix seconds, null for a plain signature.
async function checkLine(key, text, signature) {
  const size = key.type === COSIGNATURE ? SIGNATURE_SIZE + 8 : SIGNATURE_SIZE;
  if (signature.length !== size) {
    throw new VerificationError(`expected a signature of ${size} bytes, found ${signature.length}`);
  }
  if (key.type === ED25519) {
    await checkSignature(key, signature, text);
    return null;
  }
  const time = BigInt(`0x${toHex(signature.slice(0, 8))}`);
  if (time >= 1n << 63n) throw new VerificationError(`expected the time of a cosignature below 2^63, found ${time}`);
  await checkSignature(key, signature.slice(8), joined(utf8(`cosignature/v1\ntime ${time}\n`), text));
  return time;
}

async function checkSignature(key, signature, message) {
  if (!(await isSignedBy(key.publicKey, signature, message))) {
    throw new VerificationError(`the signature is not by key ${quoted(key.name)} with the id ${toHex(key.id)} over these bytes`);
  }
}

// The witnesses that cosigned, with their times. Raises VerificationError when they are fewer than `atLeast`; two names of one
// key are one witness.
export async function checkCosigned(note, witnesses, atLeast) {
  const isAny = witnesses.some((key) => note.lines.some((line) => isLineOf(line, key)));
  const signed = isAny ? await checkNote(note, witnesses) : new Map();
  const found = [...signed].filter(([, time]) => time !== null).map(([key, time]) => ({ key, time }));
  const count = new Set(found.map(({ key }) => toHex(key.publicKey))).size;
  if (count < atLeast) {
    throw new VerificationError(`expected cosignatures of ${atLeast} witnesses, found ${count} of ${witnesses.length}`);
  }
  return found;
}
