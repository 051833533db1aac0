"""Heads: the textbook's tree over canonical leaves, what it proves of a ref, and that a false commitment is found."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exports import put, rewrite
from hypothesis import given
from hypothesis import strategies as st
from ledgers import append, cloud_event, create_ledger, keep_checkpoint
from textbook_tree import textbook_leaf, textbook_root

import ledger.stewardship.commitments
from ledger.audit.log_files import Directory
from ledger.audit.of_database import audit_database
from ledger.audit.of_files import audit_files
from ledger.canonical import encode
from ledger.ledger import Ledger
from ledger.log.reading import read_entries, read_heads
from ledger.published.export import export
from ledger.published.heads import HeadProof, Heads, check_head, heads_root
from ledger.stewardship.commitments import commit_heads
from signing.errors import VerificationError

REF = st.from_regex(r"[a-c]:[a-dB-]{1,3}", fullmatch=True)
REFS = st.dictionaries(REF, st.tuples(st.integers(1, 9), st.integers(1, 99)), max_size=12)
MANY = {f"change:CHG-{number}": (number % 5 + 1, number + 1) for number in range(600)}


def made_of(heads: dict[str, tuple[int, int]]) -> Heads:
    return Heads(7, [(ref, *head) for ref, head in sorted(heads.items())])


def refused(ref: str, leaves: Any, made: Heads, *, size: int | None = None, root: bytes | None = None) -> None:
    with pytest.raises(VerificationError):
        check_head(ref, leaves, size=len(made) if size is None else size, root=made.root if root is None else root)


@given(REFS)
def test_the_root_is_the_textbooks_over_canonical_leaves_sorted_by_utf_8(heads: dict[str, tuple[int, int]]) -> None:
    in_order = sorted(heads.items(), key=lambda item: item[0].encode())
    leaves = [textbook_leaf(json.dumps([ref, *head], separators=(",", ":")).encode()) for ref, head in in_order]
    assert heads_root(heads) == made_of(heads).root == textbook_root(leaves)


def test_the_root_over_hundreds_of_refs_is_the_textbooks_too() -> None:
    leaves = [textbook_leaf(encode([ref, *head])) for ref, head in sorted(MANY.items())]
    assert heads_root(MANY) == made_of(MANY).root == textbook_root(leaves)


@given(REFS, st.lists(REF, max_size=5))
def test_every_ref_is_proved_to_be_there_or_not_to_be(heads: dict[str, tuple[int, int]], others: list[str]) -> None:
    made = made_of(heads)
    for ref in [*heads, *others, "", "a", "zzz"]:
        leaves = [HeadProof.from_json(json.loads(json.dumps(leaf.to_json()))) for leaf in made.prove(ref)]
        assert check_head(ref, leaves, size=len(made), root=made.root) == heads.get(ref, (0, 0))


def test_every_one_of_hundreds_of_refs_and_every_gap_between_them_is_proved() -> None:
    made = made_of(MANY)
    for ref in MANY:
        assert check_head(ref, made.prove(ref), size=600, root=made.root) == MANY[ref]
        assert check_head(f"{ref}-", made.prove(f"{ref}-"), size=600, root=made.root) == (0, 0)


@given(REFS.filter(lambda heads: len(heads) > 2), st.data())
def test_a_ref_that_is_there_is_never_proved_absent(heads: dict[str, tuple[int, int]], data: st.DataObject) -> None:
    made = made_of(heads)
    ref = data.draw(st.sampled_from(sorted(heads)))
    others = [leaf for name in sorted(heads) if name != ref for leaf in made.prove(name)]
    chosen = data.draw(st.lists(st.sampled_from(others), max_size=4))
    for leaves in (chosen, [], others[:1], others[-1:], others[:2], others[-2:], others, others[::-1]):
        refused(ref, leaves, made)
        # Its neighbours do not stand side by side, whatever is said of the size.
        refused(ref, leaves, made, size=len(others))


@given(REFS.filter(lambda heads: len(heads) > 3), st.data())
def test_no_proof_of_a_head_holds_once_it_is_altered(heads: dict[str, tuple[int, int]], data: st.DataObject) -> None:
    made = made_of(heads)
    ref = data.draw(st.sampled_from(sorted(heads)))
    [leaf] = made.prove(ref)
    for altered in (
        replace(leaf, count=leaf.count + 1),
        replace(leaf, last=leaf.last + 1),
        replace(leaf, index=leaf.index + 1),
        replace(leaf, index=-1),
        replace(leaf, ref=f"{ref}x"),
        replace(leaf, hashes=leaf.hashes[:-1]),
        replace(leaf, hashes=(*leaf.hashes, bytes(32))),
        replace(leaf, hashes=leaf.hashes[::-1] if leaf.hashes != leaf.hashes[::-1] else ()),
    ):
        refused(altered.ref, [altered], made)
    refused(ref, [leaf, leaf], made)
    refused(ref, [leaf], made, size=len(made) * 2)
    refused(ref, [leaf], made, root=bytes(32))
    refused(f"{ref}x", [leaf] if leaf.index < len(made) - 1 else [leaf, leaf], made)


def test_absence_takes_both_neighbours_side_by_side() -> None:
    made = made_of(dict.fromkeys("abdefg", (1, 1)))
    [a], [b], [d], [e], [g] = (made.prove(name) for name in "abdeg")
    assert check_head("c", [b, d], size=6, root=made.root) == check_head("c", [d, b], size=6, root=made.root) == (0, 0)
    for leaves in ([b], [d], [a, d], [b, e], [a, b], [d, e], [b, b], [d, d], [b, d, d], [a, b, d], [], [a, g]):
        refused("c", leaves, made)
    refused("c", [b, d], made, root=bytes(32))
    # At either end one is enough, and only the last or the first one.
    assert check_head("Z", [a], size=6, root=made.root) == check_head("z", [g], size=6, root=made.root) == (0, 0)
    for ref, leaves in (("Z", [b]), ("z", [e]), ("Z", [g]), ("z", [a]), ("Z", []), ("z", [])):
        refused(ref, leaves, made)
    refused("z", [g], made, size=5)


JSON = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
)


@given(st.sampled_from(["index", "ref", "count", "last", "proof"]), JSON | st.just(2**70) | st.just(-(2**70)))
def test_a_leaf_with_anything_else_in_it_is_refused_in_one_way(name: str, value: Any) -> None:
    made = made_of({"a": (1, 1), "b": (2, 2), "d": (1, 3)})
    [leaf] = made.prove("b")
    document = leaf.to_json()
    for changed in (document | {name: value}, {key: kept for key, kept in document.items() if key != name}, value):
        if changed == document and type(value) is type(document[name]):
            continue
        with pytest.raises(VerificationError):
            check_head("b", [HeadProof.from_json(changed)], size=3, root=made.root)


# -- of a ledger -------------------------------------------------------------------------------------------------------


def test_heads_as_of_every_position_are_what_the_entries_made_by_then(database_url: str) -> None:
    made = create_ledger(database_url)
    append(made, *[cloud_event() for _ in range(12)])
    append(made, *[cloud_event("change.opened", change_id=f"CHG-{n}", environment="test") for n in range(3)])
    commit_heads(made)
    append(made, *[cloud_event(change_id="chg-1", service="B-1") for _ in range(3)])
    with made.database.read() as connection:
        heads: dict[str, tuple[int, int]] = {}
        assert list(read_heads(connection, 0)) == []
        for stored in read_entries(connection):
            for ref in stored.refs:
                heads[ref] = (heads.get(ref, (0, 0))[0] + 1, stored.position)
            found = [tuple(head) for head in read_heads(connection, stored.position)]
            assert found == [(ref, *heads[ref]) for ref in sorted(heads)]
            assert Heads(stored.position, found).root == heads_root(heads)
    made.close()


class _OneTooMany(Heads):
    def __init__(self, as_of: int, heads: Any) -> None:
        super().__init__(as_of, [*heads, ("zzz:made-up", 1, 2)])


class _OneLeftOut(Heads):
    def __init__(self, as_of: int, heads: Any) -> None:
        super().__init__(as_of, list(heads)[1:])


class _LastForgotten(Heads):
    def __init__(self, as_of: int, heads: Any) -> None:
        (ref, count, last), *others = heads
        super().__init__(as_of, [(ref, count, last - 1), *others])


@pytest.mark.parametrize("false", [_OneTooMany, _OneLeftOut, _LastForgotten])
def test_a_false_commitment_by_the_ledger_itself_is_found_in_the_database_and_in_files(
    sqlite_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, false: type[Heads]
) -> None:
    append(sqlite_ledger, *[cloud_event() for _ in range(5)])
    commit_heads(sqlite_ledger)
    with monkeypatch.context() as context:
        context.setattr(ledger.stewardship.commitments, "Heads", false)
        position = commit_heads(sqlite_ledger).position
    append(sqlite_ledger, cloud_event())
    commit_heads(sqlite_ledger)
    keep_checkpoint(sqlite_ledger)
    export(sqlite_ledger.database, tmp_path / "files")
    for report in (
        audit_database(sqlite_ledger.database, workers=1),
        audit_files(Directory(tmp_path / "files"), workers=1),
    ):
        assert [(fault.position, fault.kind) for fault in report.faults] == [(position, "heads-commitment-wrong")]


def test_a_ref_left_off_an_entry_is_found_though_all_is_signed_again(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    append(sqlite_ledger, *[cloud_event(change_id="CHG-1") for _ in range(3)])
    commit_heads(sqlite_ledger)
    keep_checkpoint(sqlite_ledger)
    export(sqlite_ledger.database, tmp_path / "files")

    def edit(position: int, document: dict[str, Any]) -> None:
        if position == 4:
            del document["refs"]["change:CHG-1"]

    rewrite(put(tmp_path / "files", {}), edit)
    found = {(fault.position, fault.kind) for fault in audit_files(Directory(tmp_path / "files"), workers=1).faults}
    assert found == {(4, "refs-wrong"), (5, "heads-commitment-wrong")}
