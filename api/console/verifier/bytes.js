// Bytes: UTF-8, hex and base64, and SHA-256 and Ed25519 as the browser has them. Nothing here knows a format.

// What a check raises: the message says what was expected and what was found.
export class VerificationError extends Error {}

// Raised where a check could not be made at all: a file that is of no kind, a browser without Ed25519.
export class CannotCheckError extends Error {}

export const HASH_SIZE = 32;
export const KEY_SIZE = 32;
export const SIGNATURE_SIZE = 64;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function utf8(text) {
  return encoder.encode(text);
}

export function textOf(bytes, what) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new VerificationError(`expected ${what} in UTF-8`);
  }
}

// Whether a string holds half of a surrogate pair: no text in UTF-8 does.
export function hasLoneSurrogate(text) {
  return /[\uD800-\uDFFF]/u.test(text);
}

export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function isEqual(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

// The bytes of base64 with padding, or null: for what is not base64, and for another way to write the same bytes.
export function fromBase64(text) {
  let letters;
  try {
    letters = atob(text);
  } catch {
    return null;
  }
  return btoa(letters) === text ? Uint8Array.from(letters, (letter) => letter.charCodeAt(0)) : null;
}

// A stranger's text for a message: short, and with whatever is not printable ASCII written as an escape.
export function quoted(text, limit = 80) {
  const short = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return `'${short.replace(/[^ -~…]/gu, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`)}'`;
}

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

export async function isSignedBy(publicKey, signature, message) {
  const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
}

// RFC 8032 §7.1, test 2: a signature over one byte.
const KNOWN_KEY = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const KNOWN_SIGNATURE =
  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

// Raises CannotCheckError unless Ed25519 and SHA-256 are there, and do what is published of them.
export async function checkBrowser() {
  const [key, signature] = [fromHex(KNOWN_KEY), fromHex(KNOWN_SIGNATURE)];
  let holds = false;
  try {
    const isRight = await isSignedBy(key, signature, new Uint8Array([0x72]));
    const isWrong = await isSignedBy(key, signature, new Uint8Array([0x73]));
    const empty = toHex(await sha256());
    holds = isRight && !isWrong && empty.startsWith("e3b0c44298fc1c14");
  } catch {
    holds = false;
  }
  if (!holds) {
    throw new CannotCheckError(
      "this browser has no Ed25519: nothing can be checked here, and nothing weaker is tried. Take a newer browser, or the " +
        "command line: change-ledger check-dossier, scripts/verify_proof",
    );
  }
}
