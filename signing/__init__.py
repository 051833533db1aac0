"""Bytes in, verdict out: keys, signatures, hashes of a Merkle tree.

Knows no events, no database and no HTTP, so that an auditor can read this room alone and trust the rest less.
"""
