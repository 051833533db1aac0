"""What an audit comes to: its summary held against a pin, as a report with a verdict. As pure as the walk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ledger.audit.summary import Summary
from ledger.authority import Authority
from ledger.faults import Affected, Fault, Kind
from signing.keys import key_id
from signing.timestamps import Certificates


@dataclass(frozen=True)
class Pin:
    """The anchor from outside the data: without it nobody can say that this ledger is *the* ledger."""

    origin: str | None = None
    genesis: bytes | None = None
    checkpoint_key: bytes | None = None
    # Public keys of the witnesses that are believed; None believes those that the ledger itself names.
    witnesses: frozenset[bytes] | None = None
    # Root certificates of the timestamp authorities that are believed.
    authorities: Certificates | None = None
    # Ids of the entry keys that the checkpoint key let in, and that are accepted.
    recovered: frozenset[str] = frozenset()


def check_pin(pin: Pin | None, authority: Authority, genesis: bytes, summary: Summary) -> tuple[bool, list[Fault]]:
    """Return whether the ledger is anchored by `pin`, and what in it contradicts the pin."""
    if pin is None:
        return False, []
    faults = []
    if pin.origin is not None and pin.origin != authority.origin:
        faults.append(
            Fault(
                1, Kind.NOT_PINNED_ORIGIN, f"the pin says {pin.origin!r}, the ledger calls itself {authority.origin!r}"
            )
        )
    if pin.genesis is not None and pin.genesis != genesis:
        faults.append(
            Fault(1, Kind.NOT_PINNED_GENESIS, f"the pin says {pin.genesis.hex()}, position 1 hashes to {genesis.hex()}")
        )
    if pin.checkpoint_key is not None:
        keys = [record.public_key for record in authority.keyring.numbered("checkpoint")]
        if pin.checkpoint_key not in keys:
            faults.append(Fault(1, Kind.NOT_PINNED_KEY, "the pinned checkpoint key is not one of this ledger's"))
    # A public key can be copied into a forged genesis: it anchors by what it has signed.
    signed = pin.checkpoint_key is not None and key_id(pin.checkpoint_key) in summary.signed_by
    return (pin.genesis is not None or signed) and not faults, faults


@dataclass(frozen=True)
class Report:
    """What an audit found. `verdict`: sound, faults, or consistent (no faults, but nothing from outside to hold it against)."""

    origin: str
    size: int
    entries: int
    root: bytes
    genesis: bytes
    last_leaf: bytes
    pinned: bool
    signatures: bool
    faults: tuple[Fault, ...]
    # Entries that are what they were, recorded by a credential that was later found to have leaked before them.
    affected: tuple[Affected, ...] = ()
    notes: tuple[str, ...] = ()
    # Whether all entries were walked, so that the tree and the way from the genesis were checked too.
    whole: bool = True
    # What a pin names beside the genesis: the first checkpoint key, raw.
    checkpoint_key: bytes = b""
    # How far the ledger's own checkpoints reach, and how far those that somebody outside vouches for.
    checkpoint_size: int = 0
    anchored_size: int = 0
    # Whether the auditor named the witnesses that count.
    witnesses_pinned: bool = False
    # Ids of the entry keys that the checkpoint key let in (`ledger.key_recovered`), and of those that the pin has not accepted.
    recovered: tuple[str, ...] = ()
    unaccepted: tuple[str, ...] = ()
    # Which programs the ledger published: position, name, version and SHA-256 (hex) of each.
    tools: tuple[tuple[int, str, str, str], ...] = ()

    @property
    def verdict(self) -> str:
        if self.faults:
            return "faults"
        anchored = self.pinned and not self.unaccepted
        return "sound" if anchored and self.signatures and self.whole else "consistent"

    @property
    def exit_status(self) -> int:
        """0 sound under a pin, 1 faults, 3 consistent but not pinned (2, could not check, is the caller's)."""
        return {"sound": 0, "faults": 1, "consistent": 3}[self.verdict]

    def to_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "verdict": self.verdict,
            "size": self.size,
            "entries": self.entries,
            "root": self.root.hex() if self.whole else None,
            "genesis": self.genesis.hex(),
            "last_entry_hash": self.last_leaf.hex(),
            "pinned": self.pinned,
            "checkpoint_size": self.checkpoint_size,
            "anchored_size": self.anchored_size,
            "witnesses_pinned": self.witnesses_pinned,
            "recovered": list(self.recovered),
            "unaccepted": list(self.unaccepted),
            "tools": [dict(zip(("position", "tool", "version", "sha256"), tool, strict=True)) for tool in self.tools],
            "signatures_checked": self.signatures,
            "faults": [asdict(fault) for fault in self.faults],
            "affected": [asdict(fault) for fault in self.affected],
            "notes": list(self.notes),
        }


def make_report(
    summary: Summary,
    authority: Authority,
    *,
    pin: Pin | None,
    genesis: bytes,
    signatures: bool,
    notes: Sequence[str],
    whole: bool = True,
) -> Report:
    """Return the report of a walk that has ended, held against the pin."""
    pinned, pin_faults = check_pin(pin, authority, genesis, summary)
    unaccepted = [item for item in authority.recoveries if pin is None or item[1] not in pin.recovered]
    told = [
        f"position {position}: the checkpoint key let the entry key {identifier} in, and no pin accepts that: ask the operator why"
        for position, identifier in unaccepted
    ]
    told += [
        f"position {position}: a policy was published by which one person works here alone: nobody else looks at anything"
        for position in summary.alone
    ]
    if (before := authority.predecessor) is not None:
        told.append(
            f"this ledger goes on from {before.get('origin')}, whose last checkpoint had size {before.get('size')} and root "
            f"{before.get('root')}"
        )
    return Report(
        origin=authority.origin,
        size=summary.size,
        entries=summary.entries,
        root=summary.root(),
        genesis=genesis,
        last_leaf=summary.last_leaf,
        pinned=pinned,
        signatures=signatures,
        faults=tuple(sorted({*summary.faults, *pin_faults})),
        affected=tuple(sorted(set(summary.say_anchored()), key=lambda item: (item.position, item.kind, item.detail))),
        notes=(*notes, *told),
        whole=whole,
        checkpoint_key=next((key.public_key for key in authority.keyring.numbered("checkpoint")), b""),
        checkpoint_size=summary.checkpoint_size,
        anchored_size=summary.cosigned_size,
        witnesses_pinned=pin is not None and pin.witnesses is not None,
        recovered=tuple(identifier for _, identifier in authority.recoveries),
        unaccepted=tuple(identifier for _, identifier in unaccepted),
        tools=tuple(summary.tools),
    )
