// A reader of JSON that keeps what JSON.parse loses: an integer is a BigInt, whatever else is a number is a Fraction, and an
// object is a Map, so that a key such as __proto__ is a key. Of equal keys the last one stands, as in common readers.

import { VerificationError } from "./bytes.js";

const MAX_DEPTH = 200;
const MAX_DIGITS = 4300;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const isNumber = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const isPlain = /[^"\\\u0000-\u001f]*/y;
const isBlank = /[ \t\n\r]*/y;

// A number that is not written as an integer: 7.0 is none.
export class Fraction {}

export function parseJson(text) {
  const reader = new Reader(text);
  const value = reader.value(1);
  reader.blanks();
  if (reader.at < text.length) reader.fault("the end");
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fault(expected) {
    throw new VerificationError(`not JSON: expected ${expected} at character ${this.at + 1}`);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  blanks() {
    this.match(isBlank);
  }

  // Whether a character comes next, which is taken then.
  takes(character) {
    this.blanks();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  value(depth) {
    if (depth > MAX_DEPTH) this.fault(`at most ${MAX_DEPTH} levels`);
    if (this.takes("{")) return this.object(depth);
    if (this.takes("[")) return this.array(depth);
    if (this.takes('"')) return this.string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    const number = this.match(isNumber);
    if (!number || number[0].length > MAX_DIGITS) this.fault("a value");
    return number[1] || number[2] ? new Fraction() : BigInt(number[0]);
  }

  object(depth) {
    const found = new Map();
    if (this.takes("}")) return found;
    do {
      if (!this.takes('"')) this.fault("a key");
      const key = this.string();
      if (!this.takes(":")) this.fault("a colon");
      found.set(key, this.value(depth + 1));
    } while (this.takes(","));
    if (!this.takes("}")) this.fault("a comma or }");
    return found;
  }

  array(depth) {
    const found = [];
    if (this.takes("]")) return found;
    do found.push(this.value(depth + 1));
    while (this.takes(","));
    if (!this.takes("]")) this.fault("a comma or ]");
    return found;
  }

  string() {
    const parts = [];
    for (;;) {
      parts.push(this.match(isPlain)[0]);
      const stop = this.text[this.at];
      this.at += 1;
      if (stop === '"') return parts.join("");
      if (stop !== "\\") this.fault("the end of a string");
      const letter = this.text[this.at];
      this.at += 1;
      if (letter === "u") {
        const code = this.match(/[0-9A-Fa-f]{4}/y);
        if (!code) this.fault("four hex digits");
        parts.push(String.fromCharCode(parseInt(code[0], 16)));
      } else if (letter in ESCAPES) {
        parts.push(ESCAPES[letter]);
      } else {
        this.fault("an escape");
      }
    }
  }
}
