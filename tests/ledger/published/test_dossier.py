"""Dossiers: complete up to a position as committed, refused with an entry left out anywhere."""

import copy
import json
from typing import Any

import pytest
from exports import STRANGERS_KEY, grow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, append, cloud_event, keep_checkpoint

from ledger.errors import NotFoundError, StatementError
from ledger.ledger import Ledger
from ledger.log.checkpoints import read_checkpoint
from ledger.published.dossier import check_dossier
from ledger.published.heads import HeadProof
from ledger.stewardship import commitments
from ledger.stewardship.commitments import commit_heads, commit_heads_if_due
from signing.checkpoint import parse_checkpoint, sign_checkpoint
from signing.errors import VerificationError
from signing.notes import NoteKey, parse_note

LOG_KEY = NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)
REF = "change:CHG-1"
REFS = st.dictionaries(
    st.from_regex(r"[a-c]:[a-d]{1,3}", fullmatch=True), st.tuples(st.integers(1, 9), st.integers(1, 99)), max_size=12
)


# -- dossiers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def dossier(sqlite_ledger: Ledger) -> dict[str, Any]:
    """A dossier of four entries: three before the commitment, one after."""
    for _ in range(3):
        append(sqlite_ledger, cloud_event(change_id="CHG-1"), cloud_event(change_id="CHG-2"))
    commit_heads(sqlite_ledger)
    append(sqlite_ledger, cloud_event(change_id="CHG-1"))
    return made(sqlite_ledger, REF)


def made(ledger: Ledger, ref: str) -> dict[str, Any]:
    if ledger.recorder.acknowledged or ledger.size():
        with ledger.database.read() as connection:
            try:
                published = read_checkpoint(connection, ledger.size())
            except NotFoundError:
                published = None
        if published is None:
            keep_checkpoint(ledger)
            with ledger.database.read() as connection:
                published = read_checkpoint(connection)
    document: dict[str, Any] = json.loads(json.dumps(commitments.dossier(ledger, ref, published)))
    return document


def refused(document: dict[str, Any], match: str | None = None) -> None:
    with pytest.raises(VerificationError, match=match):
        check_dossier(document, [LOG_KEY])


def test_a_dossier_is_complete_up_to_its_commitment(dossier: dict[str, Any]) -> None:
    proved = check_dossier(dossier, [LOG_KEY])
    assert (proved.ref, proved.complete_up_to, proved.positions) == (REF, 7, [2, 4, 6, 9])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_entry_left_out_at_the_start_in_the_middle_or_at_the_end_is_noticed(
    dossier: dict[str, Any], number: int
) -> None:
    del dossier["entries"][number]
    refused(dossier)
    # Nor does it help to leave out what came later, or to claim less.
    dossier["entries"] = dossier["entries"][:2]
    refused(dossier)
    dossier["complete_up_to"] = 3
    refused(dossier)


def test_the_last_before_the_commitment_left_out_is_noticed_by_the_commitment_alone(dossier: dict[str, Any]) -> None:
    dossier["entries"] = dossier["entries"][:2]
    refused(dossier, "committed to 3 entries")


def test_what_came_after_the_commitment_may_be_missing_and_nothing_is_claimed_of_it(dossier: dict[str, Any]) -> None:
    del dossier["entries"][3]
    assert check_dossier(dossier, [LOG_KEY]).complete_up_to == 7


def test_entries_put_in_swapped_or_altered_are_noticed(dossier: dict[str, Any], sqlite_ledger: Ledger) -> None:
    other = made(sqlite_ledger, "change:CHG-2")["entries"]
    entries = dossier["entries"]
    altered = copy.deepcopy(entries)
    altered[1]["entry"] = altered[1]["entry"].replace("success", "failure")
    moved = copy.deepcopy(entries)
    moved[1]["position"] = 5
    for changed in (
        [*entries, other[0]],
        [other[0], *entries],
        [entries[0], entries[0], *entries[1:]],
        [entries[1], entries[0], *entries[2:]],
        altered,
        moved,
        other,
        [],
    ):
        refused(dossier | {"entries": changed})


def test_a_ref_that_never_occurred_is_proved_absent(dossier: dict[str, Any], sqlite_ledger: Ledger) -> None:
    for ref in ("change:NONE", "a:a", "zzz:z"):
        proved = check_dossier(made(sqlite_ledger, ref), [LOG_KEY])
        assert (proved.positions, proved.complete_up_to) == ([], 7)
    # And the absence of another ref is not the absence of this one.
    refused(made(sqlite_ledger, "change:NONE") | {"ref": REF})


def test_a_dossier_of_another_ref_key_or_commitment_is_refused(dossier: dict[str, Any]) -> None:
    refused(dossier | {"ref": "change:CHG-2"})
    with pytest.raises(VerificationError):
        check_dossier(dossier, [NoteKey(ORIGIN, ENTRY_KEY.public_key)])
    with pytest.raises(VerificationError):
        check_dossier(dossier, [])
    refused(dossier | {"commitment": dossier["entries"][0]}, "expected an entry ledger.heads_committed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=5,
)


@given(document=JSON)
def test_anything_else_is_refused_in_one_way(document: Any) -> None:
    with pytest.raises(VerificationError):
        check_dossier(document, [LOG_KEY])


@given(name=st.sampled_from(["ref", "complete_up_to", "checkpoint", "commitment", "heads", "entries"]), value=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_part_of_another_kind_or_missing_is_refused_in_one_way(
    dossier: dict[str, Any], name: str, value: Any
) -> None:
    if type(value) is not type(dossier[name]) or value != dossier[name]:
        refused(dossier | {name: value})
    refused({key: kept for key, kept in dossier.items() if key != name})


def test_numbers_that_are_only_equal_are_refused(dossier: dict[str, Any]) -> None:
    for stated in (7.0, True, "7", None, 6, 8, 2**70):
        refused(dossier | {"complete_up_to": stated}, "it says complete up to")
    for part in ("commitment", "entries", "heads"):
        for name in ("position", "index", "count", "last"):
            changed = copy.deepcopy(dossier)
            item = changed[part] if part == "commitment" else changed[part][0]
            if name in item:
                for value in (2**70, -(2**70), float(item[name]), str(item[name]), True, None, [], {}):
                    item[name] = value
                    refused(changed)


@given(value=JSON, data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_of_its_parts_of_another_kind_are_refused_in_one_way(
    dossier: dict[str, Any], value: Any, data: st.DataObject
) -> None:
    changed = copy.deepcopy(dossier)
    item = data.draw(st.sampled_from([changed["commitment"], *changed["entries"], *changed["heads"]]))
    name = data.draw(st.sampled_from(sorted(item)))
    if type(value) is not type(item[name]) or value != item[name]:
        item[name] = value
        refused(changed)


@pytest.mark.parametrize(("kept", "stated"), [([1, 2], 1), ([0, 2], 4), ([0, 1], 4), ([0, 1], 5), ([], 1), ([0], 2)])
def test_a_doctored_position_does_not_hide_what_was_left_out(
    dossier: dict[str, Any], kept: list[int], stated: int
) -> None:
    refused(dossier | {"entries": [dossier["entries"][number] for number in kept], "complete_up_to": stated})


@pytest.mark.parametrize("empty", ["", {}, None])
def test_what_is_empty_and_no_array_is_no_proof(empty: Any) -> None:
    # Of a commitment to one ref alone the way to the root has no hashes.
    said = {"index": 0, "ref": "a:a", "count": 1, "last": 1}
    assert HeadProof.from_json(said | {"proof": []}).hashes == ()
    with pytest.raises(VerificationError, match="not the proof of a ref's head"):
        HeadProof.from_json(said | {"proof": empty})


def test_a_commitment_of_another_position_or_the_leaf_of_another_ref_is_refused(
    dossier: dict[str, Any], sqlite_ledger: Ledger
) -> None:
    commit_heads(sqlite_ledger)
    later, other = made(sqlite_ledger, REF), made(sqlite_ledger, "change:CHG-2")
    assert check_dossier(later, [LOG_KEY]).complete_up_to == 9
    refused(later | {"heads": other["heads"]})
    refused(dossier | {"heads": made(sqlite_ledger, "change:NONE")["heads"]})
    # Each part under its own checkpoint holds; put together they do not.
    for name in ("commitment", "checkpoint", "heads", "entries", "complete_up_to"):
        if name != "entries" or later[name] != dossier[name]:
            refused(later | {name: dossier[name]})


def test_a_checkpoint_signed_by_a_stranger_is_refused(dossier: dict[str, Any]) -> None:
    text = parse_note(dossier["checkpoint"].encode()).text
    for key in (STRANGERS_KEY, ENTRY_KEY):
        refused(dossier | {"checkpoint": str(sign_checkpoint(parse_checkpoint(text), key))})
    refused(dossier | {"checkpoint": f"{text}\n"})


def test_of_over_ten_thousand_entries_it_says_what_to_do_instead(sqlite_ledger: Ledger) -> None:
    grow(sqlite_ledger, 10_001, deployment_id="one")
    commit_heads(sqlite_ledger)
    grow(sqlite_ledger, 10_003, deployment_id="one")
    with pytest.raises(StatementError, match="at most 10000 entries, found more about deployment:one"):
        made(sqlite_ledger, "deployment:one")


def test_without_a_commitment_there_is_no_dossier(sqlite_ledger: Ledger) -> None:
    with pytest.raises(NotFoundError, match="POST /v1/ledger/heads"):
        made(sqlite_ledger, REF)


def test_a_schedule_commits_when_something_came_and_time_has_passed(sqlite_ledger: Ledger) -> None:
    assert commit_heads_if_due(sqlite_ledger, 3600) is None
    receipt = commit_heads_if_due(sqlite_ledger, 0)
    assert receipt is None, "nothing came after the opening"
    append(sqlite_ledger, cloud_event())
    assert commit_heads_if_due(sqlite_ledger, 0) is not None
    assert commit_heads_if_due(sqlite_ledger, 0) is None
