"""Fingerprints of multisets: whether two large sets are the same, in a few numbers. How the audit's memory stays flat.

    F(S) = Π (x + e) mod p  over the elements e of S,   p = 2^61 − 1

x and the encoding of elements are drawn at random for each audit, after the data was written. Two different multisets of n
elements have equal fingerprints with a probability below n / 2^60. Only when a fingerprint differs does somebody have to
look for the rows (`ledger.audit.rows`): a fingerprint does not say which element is missing.

The rows of `entry_refs` against the entries, for two entries and with small numbers in place of the random ones (p = 97,
x = 10, and an element is name + position):

    entries        (change:CHG-1, 2)  (service:a, 2)  (change:CHG-1, 3)      names: change:CHG-1 is 5, service:a is 8
    e              5 + 2 = 7          8 + 2 = 10      5 + 3 = 8
    x + e          17                 20              18                     F = 17·20·18 mod 97 = 9
    rows in order  of ref, not position: 17·18·20                           F = 9, the same: order does not count
    one row gone   17·18 mod 97 = 15                                        F = 15: the rows are looked for

Back-pointers close without a table. An entry that carries a ref for the n-th time *points to* (ref, n − 1, position before).
Every such element must be what an earlier entry *is*, and what nobody points to must be the last of its ref:

    F(what entries are) = F(what entries point to) · F(rows of `refs`: each ref's count and last position)

Inside a range both sides are at hand and are compared directly; the two products hold what goes over the ends of ranges.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Final

PRIME: Final = (1 << 61) - 1
_sha256 = hashlib.sha256
_from_bytes = int.from_bytes


@dataclass(frozen=True)
class Fingerprints:
    """The secrets of one audit's fingerprints: they are drawn after the data was written."""

    salt: bytes
    x: int
    a: int
    b: int

    @classmethod
    def draw(cls, random: bytes) -> "Fingerprints":
        """Make the secrets from 40 random bytes."""
        parts = [int.from_bytes(random[16 + 8 * i : 24 + 8 * i]) % PRIME for i in range(3)]
        return cls(random[:16], *parts)

    def name(self, text: str) -> int:
        """Encode a string: the part of an element that is worth caching. Reduced modulo p by the multiplication."""
        return _from_bytes(_sha256(self.salt + text.encode()).digest()[:8])

    def times(self, product: int, name: int, first: int, second: int = 0) -> int:
        """Multiply a fingerprint by one element (name, first, second)."""
        return product * (self.x + name + first * self.a + second * self.b) % PRIME


@dataclass
class Products:
    """The fingerprints that entries make, to be held against those of tables."""

    pointed_from: int = 1  # (ref, ordinal, position) of every entry of a ref: the last of each range
    pointed_to: int = 1  # (ref, ordinal − 1, position before) of every back-pointer: the first of each range
    entry_refs: int = 1  # (ref, position, type)
    ref_ids: int = 1  # (ref, id)
    statements: int = 1  # (source id, position)
    texts: int = 1  # (field, position)
    evidence: int = 1  # (digest, position)

    def join(self, other: "Products") -> None:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) * value % PRIME)
