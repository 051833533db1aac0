// RFC 6962: hashes, and the check of a proof of inclusion and of consistency. Numbers are BigInt: a size has 63 bits.

import { HASH_SIZE, VerificationError, fromHex, isEqual, sha256, toHex } from "./bytes.js";

export const MAX_LEAVES = 1n << 63n;
export const EMPTY_ROOT = fromHex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

export function leafHash(data) {
  return sha256(new Uint8Array([0]), data);
}

export function nodeHash(left, right) {
  return sha256(new Uint8Array([1]), left, right);
}

// Raises VerificationError unless `proof` shows a leaf to be number `index` of `size` under `root` (RFC 9162 §2.1.3.2).
export async function checkInclusion({ index, size, leaf, proof, root }) {
  checkNumbers({ index, size });
  checkHashes(leaf, root, ...proof);
  if (index >= size) throw new VerificationError(`expected the index of one of ${size} leaves, found ${index}`);
  let [fn, sn, found] = [index, size - 1n, leaf];
  for (const sibling of proof) {
    if (sn === 0n) throw new VerificationError(`expected a shorter inclusion proof than ${proof.length} hashes for size ${size}`);
    if (fn & 1n || fn === sn) {
      found = await nodeHash(sibling, found);
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      found = await nodeHash(found, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw new VerificationError(`expected a longer inclusion proof than ${proof.length} hashes for size ${size}`);
  checkEqual("inclusion proof", found, root);
}

// Raises VerificationError unless `proof` shows the older tree to be a prefix of the newer (RFC 9162 §2.1.4.2).
export async function checkConsistency({ oldSize, newSize, oldRoot, newRoot, proof }) {
  checkNumbers({ oldSize, newSize });
  checkHashes(oldRoot, newRoot, ...proof);
  if (oldSize > newSize) throw new VerificationError(`expected the older size first, found ${oldSize} and ${newSize}`);
  for (const [size, root] of [[oldSize, oldRoot], [newSize, newRoot]]) {
    if (size === 0n) checkEqual("root of the empty tree", root, EMPTY_ROOT);
  }
  if (oldSize === 0n || oldSize === newSize) {
    if (proof.length) throw new VerificationError(`expected no hashes between sizes ${oldSize} and ${newSize}, found ${proof.length}`);
    if (oldSize === newSize) checkEqual("root of the same size", newRoot, oldRoot);
    return;
  }
  // "If first is an exact power of 2, then prepend first_hash to the consistency_path array."
  const path = oldSize & (oldSize - 1n) ? [...proof] : [oldRoot, ...proof];
  if (!path.length) throw new VerificationError(`expected a consistency proof between sizes ${oldSize} and ${newSize}, found no hashes`);
  let [fn, sn] = [oldSize - 1n, newSize - 1n];
  while (fn & 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  let [older, newer] = [path[0], path[0]];
  for (const node of path.slice(1)) {
    if (sn === 0n) throw new VerificationError(`expected a shorter consistency proof than ${proof.length} hashes`);
    if (fn & 1n || fn === sn) {
      [older, newer] = [await nodeHash(node, older), await nodeHash(node, newer)];
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      newer = await nodeHash(newer, node);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw new VerificationError(`expected a longer consistency proof than ${proof.length} hashes`);
  checkEqual("consistency proof, older tree", older, oldRoot);
  checkEqual("consistency proof, newer tree", newer, newRoot);
}

function checkNumbers(numbers) {
  for (const [name, value] of Object.entries(numbers)) {
    if (typeof value !== "bigint" || value < 0n || value >= MAX_LEAVES) {
      throw new VerificationError(`expected ${name} to be an integer from 0 to 2^63 - 1`);
    }
  }
}

function checkHashes(...hashes) {
  for (const value of hashes) {
    if (value.length !== HASH_SIZE) throw new VerificationError(`expected hashes of ${HASH_SIZE} bytes, found ${value.length} bytes`);
  }
}

function checkEqual(what, found, expected) {
  if (!isEqual(found, expected)) {
    throw new VerificationError(`${what}: expected the root ${toHex(expected)}, found ${toHex(found)}`);
  }
}
