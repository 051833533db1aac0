"""`append_group` on both databases: the chain it makes, what it refuses, and what it costs."""

import hashlib
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import (
    ENTRY_KEY,
    ORIGIN,
    admit,
    append,
    cloud_event,
    create_ledger,
    enrol_entry_key,
    submission,
)
from textbook_tree import textbook_leaf, textbook_nodes, textbook_root

from ledger.audit.of_database import audit_database
from ledger.authority import Caller
from ledger.clock import Clock
from ledger.conditions import Condition, Match
from ledger.entry import ENTRY_PAYLOAD_TYPE, statement_bytes
from ledger.errors import (
    ClockError,
    ConditionFailedError,
    ConflictError,
    KeyNotValidError,
    LedgerError,
    LostHistoryError,
    NotStorableError,
)
from ledger.events import CATALOGUE, example, refs_of
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.database import Database
from ledger.log.reading import StoredEntry, read_entries
from ledger.log.recorder import Outcome, Recorded, Refused, Submission
from ledger.statement import Evidence
from ledger.stewardship.credentials import issue_token, revoke_token
from ledger.stewardship.keys import revoke_key
from ledger.stewardship.removal import erase_texts
from signing.dsse import pae
from signing.keys import SigningKey, VerifyingKey
from signing.merkle import Frontier

# For what is decided in Python and asks neither database anything of its own.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WALL_NS = 1_795_435_200_123_456_000


def still_clock() -> Clock:
    return Clock(wall_ns=lambda: WALL_NS, steady_ns=lambda: 0)


def counted_bytes() -> Callable[[int], bytes]:
    """Return a source of "randomness" that gives every ledger the same."""
    numbers = itertools.count()
    return lambda size: hashlib.shake_256(b"%d" % next(numbers)).digest(size)


def fixed_ledger(url: str) -> Ledger:
    return create_ledger(url, clock=still_clock(), random=counted_bytes())


def entries(ledger: Ledger) -> list[StoredEntry]:
    with ledger.database.engine.connect() as connection:
        return list(read_entries(connection, limit=None))


def rows(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the database holds, table by table."""

    def plain(value: Any) -> Any:
        return bytes(value) if isinstance(value, memoryview) else value

    with ledger.database.engine.connect() as connection:
        return {
            table.name: sorted(tuple(map(plain, row)) for row in connection.execute(sa.select(table)))
            for table in tables.metadata.sorted_tables
        }


def kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return [
        f"Refused {type(outcome.error).__name__}" if isinstance(outcome, Refused) else type(outcome).__name__
        for outcome in outcomes
    ]


def positions(outcome: Outcome) -> list[int]:
    assert not isinstance(outcome, Refused), outcome.error
    return [receipt.position for receipt in outcome.receipts]


def error_of(outcome: Outcome) -> LedgerError:
    assert isinstance(outcome, Refused)
    return outcome.error


def token_caller(ledger: Ledger, credential: str) -> Caller:
    known = ledger.current_authority().credentials[credential]
    return Caller(known.id, known.principal, "token", known)


def issue(ledger: Ledger, **more: Any) -> str:
    given = {"actor": "person:root", "principal": "service:ci", "kind": "service", "roles": ["reporter"]} | more
    return issue_token(ledger, **given)[0]


def issuing(ledger: Ledger, credential: str, **more: Any) -> Submission:
    """Return a submission that issues a credential, to be put into a group."""
    data = {
        "actor": "person:root",
        "credential": credential,
        "principal": "service:ci",
        "kind": "service",
        "roles": ["reporter"],
        "areas": ["*"],
        "sources": ["*"],
        "token_sha256": hashlib.sha256(credential.encode()).hexdigest(),
    }
    return Submission((ledger.ledger_statement("ledger.credential_issued", data | more),), ledger.own_caller())


def revoking(ledger: Ledger, credential: str) -> Submission:
    data = {"actor": "person:root", "credential": credential, "reason": "leaked"}
    return Submission((ledger.ledger_statement("ledger.credential_revoked", data),), ledger.own_caller())


def assert_sound(ledger: Ledger) -> None:
    assert audit_database(ledger.database, workers=1).faults == ()


def assert_chain_is_as_computed_naively(ledger: Ledger) -> None:
    """Recompute everything the ledger says about its entries from their statements alone, as a reader with a text editor would."""
    stored, before, latest = entries(ledger), "0" * 64, dict[str, tuple[int, int]]()
    leaves: list[bytes] = []
    recorded_at = ""
    for position, entry in enumerate(stored, 1):
        document = json.loads(entry.entry)
        statement = json.loads(statement_bytes(entry.entry))
        assert (entry.position, document["position"]) == (position, position)
        assert (document["entry"], document["ledger"]) == (1, ORIGIN)
        assert document["prev"] == before
        assert document["statement"] == statement
        assert document["recorded_at"] >= recorded_at
        expected = {}
        for ref in refs_of(CATALOGUE[statement["type"]], statement["data"]):
            ordinal, last = latest.get(ref, (0, 0))
            expected[ref] = [ordinal + 1, last]
            latest[ref] = (ordinal + 1, position)
        assert document["refs"] == expected
        leaf = textbook_leaf(entry.entry)
        assert entry.leaf_hash == leaf
        VerifyingKey(ENTRY_KEY.public_key).check(entry.signature, pae(ENTRY_PAYLOAD_TYPE, entry.entry))
        leaves.append(leaf)
        before, recorded_at = leaf.hex(), document["recorded_at"]
    stored_rows = rows(ledger)
    [(_, size, last_leaf, frontier, *_)] = stored_rows["head"]
    assert (size, last_leaf) == (len(stored), leaves[-1])
    assert Frontier.from_bytes(size, frontier).root() == textbook_root(leaves)
    assert {(height, index): node for height, index, node in stored_rows["nodes"]} == textbook_nodes(leaves, 8)
    assert {(ref, count, last) for ref, _, count, last in stored_rows["refs"]} == {(r, *v) for r, v in latest.items()}


# -- the chain -------------------------------------------------------------------------------------------------------


def plan(seed: int, length: int) -> list[Callable[[Ledger], Submission]]:
    """Return a mixture of everything a group may hold. Submissions are made in order, so that ledgers draw the same salts."""
    choice = random.Random(seed)
    made: list[Callable[[Ledger], Submission]] = []
    pool = [f"id-{number}" for number in range(max(2, length // 2))]

    def one(number: int) -> Callable[[Ledger], Submission]:
        kind = choice.choice(["plain", "plain", "text", "several", "condition", "conditions", "reserved", "issue"])
        ids = choice.sample(pool, 2)
        change, outcome = f"CHG-{choice.randrange(4)}", choice.choice(["success", "failure"])
        deployment = {"change_id": change, "service": "api", "deployment_id": "d", "outcome": outcome}
        after = choice.randrange(length)
        if kind == "plain":
            return lambda ledger: submission(ledger, cloud_event(id=ids[0], **deployment))
        if kind == "text":
            opened = {"change_id": change, "title": f"words {outcome}"}
            return lambda ledger: submission(ledger, cloud_event("change.opened", id=ids[0], **opened))
        if kind == "several":
            return lambda ledger: submission(ledger, *(cloud_event(id=i, **deployment) for i in ids))
        if kind == "condition":
            no_change = Condition((Match(refs=(f"change:{change}",)),), after)
            return lambda ledger: submission(ledger, cloud_event(id=ids[0], **deployment), condition=no_change)
        if kind == "conditions":
            either = Condition((Match(("change.opened",)), Match(("deployment.finished",), ("service:api",))), after)
            return lambda ledger: submission(ledger, cloud_event(id=ids[0], **deployment), condition=either)
        if kind == "reserved":
            origin = {"actor": "person:x", "until": "2026-11-23T12:00:00Z"}
            return lambda ledger: Submission(
                (ledger.ledger_statement("ledger.time_passed", origin, identifier=ids[0]),), ledger.local_caller()
            )
        return lambda ledger: issuing(ledger, f"token:{seed}.{number}")

    for number in range(length):
        made.append(one(number))
    return made


def appended(ledger: Ledger, makers: list[Callable[[Ledger], Submission]], cuts: list[int]) -> list[tuple[Any, ...]]:
    """Append in groups that end at `cuts`; return what every caller was told."""
    submissions = [make(ledger) for make in makers]
    outcomes: list[Outcome] = []
    for start, end in itertools.pairwise(sorted({0, *cuts, len(submissions)})):
        outcomes += ledger.append_group(submissions[start:end])
    return [
        (type(o), type(o.error), str(o.error)) if isinstance(o, Refused) else (type(o), o.receipts) for o in outcomes
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chain_made_in_random_groups_equals_the_chain_made_one_by_one(
    seed: int, database_url: str, tmp_path: Path
) -> None:
    makers = plan(seed, 120)
    cuts = random.Random(seed).sample(range(121), 9)
    one_by_one, grouped = fixed_ledger(f"sqlite:///{tmp_path / 'reference.db'}"), fixed_ledger(database_url)
    try:
        told = appended(grouped, makers, cuts)
        assert told == appended(one_by_one, makers, list(range(121)))
        assert {kind.__name__ for kind, *_ in told} == {"Recorded", "Repeated", "Refused"}
        assert [e.entry for e in entries(grouped)] == [e.entry for e in entries(one_by_one)]
        assert rows(grouped) == rows(one_by_one)
        assert_sound(grouped)
        assert_sound(one_by_one)
        assert_chain_is_as_computed_naively(grouped)
    finally:
        one_by_one.close()
        grouped.close()


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.integers(1, 24), st.lists(st.integers(0, 24), max_size=8))
def test_any_chain_in_any_groups_equals_the_chain_made_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, length: int, cuts: list[int]
) -> None:
    directory, makers = tmp_path_factory.mktemp("chains"), plan(seed, length)
    one_by_one, grouped = (fixed_ledger(f"sqlite:///{directory / name}.db") for name in ("one", "many"))
    try:
        cuts = [cut for cut in cuts if cut <= length]
        assert appended(grouped, makers, cuts) == appended(one_by_one, makers, list(range(length)))
        assert rows(grouped) == rows(one_by_one)
    finally:
        one_by_one.close()
        grouped.close()


def test_positions_have_no_gaps_and_every_link_and_back_pointer_is_right(ledger: Ledger) -> None:
    choice = random.Random(7)
    for size in (1, 2, 33, 64, 200):
        events = [
            cloud_event(change_id=f"CHG-{choice.randrange(9)}", service=f"s{choice.randrange(3)}", deployment_id="same")
            if choice.random() < 0.7
            else cloud_event("change.opened", services=["b", "a", "b"], change_id=f"CHG-{choice.randrange(9)}")
            for _ in range(size)
        ]
        assert kinds(append(ledger, *events)) == ["Recorded"] * size
    assert ledger.size() == 301
    assert_chain_is_as_computed_naively(ledger)
    assert_sound(ledger)


@on_sqlite
def test_refused_submissions_leave_no_gap(ledger: Ledger) -> None:
    nothing = Condition((Match(),), 0)
    group = [submission(ledger, cloud_event(), condition=nothing if number % 2 else None) for number in range(20)]
    outcomes = ledger.append_group(group)
    assert [positions(o) for o in outcomes if isinstance(o, Recorded)] == [[p] for p in range(2, 12)]
    assert_chain_is_as_computed_naively(ledger)
    assert_sound(ledger)


def test_nodes_of_the_tree_at_height_eight_are_stored_when_they_are_complete(ledger: Ledger) -> None:
    append(ledger, *(cloud_event() for _ in range(254)))
    assert rows(ledger)["nodes"] == []
    append(ledger, cloud_event())
    leaves = [entry.leaf_hash for entry in entries(ledger)]
    assert rows(ledger)["nodes"] == [(8, 0, textbook_root(leaves))]
    append(ledger, *(cloud_event() for _ in range(600)))
    leaves = [entry.leaf_hash for entry in entries(ledger)]
    assert rows(ledger)["nodes"] == [(8, index, textbook_root(leaves[256 * index :][:256])) for index in range(3)]


@on_sqlite
def test_a_receipt_says_what_stands_in_the_ledger(ledger: Ledger) -> None:
    event = cloud_event(id="mine")
    [outcome] = append(ledger, event)
    assert isinstance(outcome, Recorded)
    [receipt], entry = outcome.receipts, entries(ledger)[1]
    assert (receipt.position, receipt.source, receipt.id) == (2, event["source"], "mine")
    assert (receipt.entry_hash, receipt.signature) == (entry.leaf_hash, entry.signature)
    assert (receipt.key_id, receipt.recorded_at) == (ENTRY_KEY.key_id, entry.document["recorded_at"])


@on_sqlite
def test_a_group_of_nobody_changes_nothing(ledger: Ledger) -> None:
    before = rows(ledger)
    assert ledger.append_group([]) == []
    assert rows(ledger) == before


@on_sqlite
def test_a_submission_of_nothing_is_refused_and_does_not_stop_the_others(ledger: Ledger) -> None:
    # Empty is not valid; and whoever shares a group with an empty submission must not suffer for it.
    empty = Submission((), ledger.local_caller())
    outcomes = ledger.append_group([submission(ledger, cloud_event()), empty, submission(ledger, cloud_event())])
    assert [type(outcome) for outcome in outcomes] == [Recorded, Refused, Recorded]


def test_texts_and_evidence_lie_beside_the_log(ledger: Ledger) -> None:
    evidence = Evidence.of(b"a report", "text/plain")
    statement = ledger.admission.admit(cloud_event("change.opened", title="Words"), evidence=(evidence,))
    [outcome] = ledger.append_group([Submission((statement,), ledger.local_caller())])
    [position] = positions(outcome)
    found = rows(ledger)
    assert [(p, name, text) for p, name, _, text in found["texts"]] == [(position, "title", "Words")]
    assert found["evidence"] == [(position, evidence.sha256, b"a report")]
    assert found["submitted"] == [(position, statement.digest)]
    document = entries(ledger)[-1].document
    assert document["evidence"] == [{"media_type": "text/plain", "sha256": evidence.sha256.hex(), "size": 8}]
    assert_sound(ledger)


# -- duplicates and conflicts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", ["deployment.finished", "change.opened"])
def test_a_repeat_is_answered_with_the_first_receipt_and_adds_nothing(ledger: Ledger, event_type: str) -> None:
    event = cloud_event(event_type, id="once")
    [first] = append(ledger, event)
    size = ledger.size()
    [again] = append(ledger, event)
    together = append(ledger, event, event)
    assert kinds([first, again, *together]) == ["Recorded", "Repeated", "Repeated", "Repeated"]
    assert len({outcome.receipts for outcome in (first, again, *together)}) == 1  # type: ignore[union-attr]
    assert ledger.size() == size


@pytest.mark.parametrize("event_type", ["deployment.finished", "change.opened"])
def test_a_repeat_within_a_group_is_recorded_once(ledger: Ledger, event_type: str) -> None:
    event, other = cloud_event(event_type, id="once"), cloud_event()
    outcomes = append(ledger, event, other, event, event)
    assert kinds(outcomes) == ["Recorded", "Recorded", "Repeated", "Repeated"]
    assert [positions(outcome) for outcome in outcomes] == [[2], [3], [2], [2]]
    assert outcomes[0].receipts == outcomes[2].receipts == outcomes[3].receipts  # type: ignore[union-attr]
    assert ledger.size() == 3
    assert_sound(ledger)


def test_a_repeat_is_recognised_after_a_restart(ledger: Ledger) -> None:
    event = cloud_event("change.opened", id="once")
    [first] = append(ledger, event)
    again = Ledger.open(Database(ledger.database.url.render_as_string(hide_password=False)), ENTRY_KEY)
    try:
        [outcome] = append(again, event)
    finally:
        again.close()
    assert (kinds([outcome]), outcome.receipts) == (["Repeated"], first.receipts)  # type: ignore[union-attr]


@on_sqlite
def test_the_same_id_of_another_source_is_another_statement(ledger: Ledger) -> None:
    outcomes = append(ledger, cloud_event(id="x"), cloud_event(id="x") | {"source": "https://elsewhere.example"})
    assert kinds(outcomes) == ["Recorded", "Recorded"]


def test_ids_and_sources_are_compared_exactly(ledger: Ledger) -> None:
    names = ["x", "X", "x.", "x%00", "x'", 'x"', "x\\", "%_", "[x]", "{x}", "0", "00"]
    outcomes = append(ledger, *(cloud_event(id=name) | {"source": source} for name in names for source in names))
    assert kinds(outcomes) == ["Recorded"] * len(names) ** 2
    assert_sound(ledger)


def test_a_conflict_is_refused_and_leaves_one_entry_with_both_digests(ledger: Ledger) -> None:
    event = cloud_event(id="once", outcome="success")
    first, other = admit(ledger, event), admit(ledger, event | {"data": event["data"] | {"outcome": "failure"}})
    caller = ledger.local_caller()
    outcomes = ledger.append_group([Submission((s,), caller) for s in (first, other)])
    assert kinds(outcomes) == ["Recorded", "Refused ConflictError"]
    error = error_of(outcomes[1])
    assert isinstance(error, ConflictError)
    assert error.position == 2
    conflict = entries(ledger)[2]
    assert conflict.type == "intake.conflicted"
    assert conflict.statement["data"] == {
        "first_position": 2,
        "conflicting_source": event["source"],
        "first_digest": first.digest.hex(),
        "second_digest": other.digest.hex(),
    }
    assert conflict.document["recorded_by"]["principal"] == "service:ledger"
    assert_sound(ledger)


def test_a_conflict_is_recorded_once_for_each_digest_within_a_group_and_across_groups(ledger: Ledger) -> None:
    event = cloud_event(id="once")

    def other(outcome: str) -> dict[str, Any]:
        return event | {"data": event["data"] | {"outcome": outcome}}

    append(ledger, event)
    outcomes = append(ledger, other("failure"), other("failure"), other("error"), event)
    assert kinds(outcomes) == ["Refused ConflictError"] * 3 + ["Repeated"]
    assert kinds(append(ledger, other("error"), other("failure"), other("cancelled"))) == ["Refused ConflictError"] * 3
    found = [e.statement["data"]["second_digest"] for e in entries(ledger) if e.type == "intake.conflicted"]
    assert len(found) == len(set(found)) == 3
    assert ledger.size() == 5
    assert_sound(ledger)


def test_a_conflict_does_not_stop_the_others_of_its_group(ledger: Ledger) -> None:
    event = cloud_event(id="once")
    altered = event | {"subject": "altered"}
    outcomes = append(ledger, cloud_event(), event, altered, cloud_event(), event, cloud_event())
    assert kinds(outcomes) == ["Recorded", "Recorded", "Refused ConflictError", "Recorded", "Repeated", "Recorded"]
    assert_chain_is_as_computed_naively(ledger)
    assert_sound(ledger)


def test_another_text_under_the_same_id_is_a_conflict_until_the_first_is_erased(ledger: Ledger) -> None:
    event = cloud_event("change.opened", id="once", title="first words")
    altered = event | {"data": event["data"] | {"title": "other words"}}
    append(ledger, event)
    assert kinds(append(ledger, event, altered)) == ["Repeated", "Refused ConflictError"]
    erase_texts(ledger, 2, actor="person:root", reason="on-request")
    assert kinds(append(ledger, event, altered)) == ["Repeated", "Repeated"]
    assert b"words" not in b"".join(entry.entry for entry in entries(ledger))
    assert_sound(ledger)


@on_sqlite
def test_one_submission_cannot_say_two_things_under_one_id(ledger: Ledger) -> None:
    event = cloud_event(id="once")
    size = ledger.size()
    [outcome] = ledger.append_group([submission(ledger, event, event | {"subject": "altered"})])
    assert kinds([outcome]) == ["Refused ConflictError"]
    assert ledger.size() == size


@on_sqlite
def test_one_submission_that_says_a_thing_twice_says_it_once(ledger: Ledger) -> None:
    event = cloud_event(id="once")
    [outcome] = ledger.append_group([submission(ledger, event, cloud_event(), event)])
    assert (kinds([outcome]), positions(outcome)) == (["Recorded"], [2, 3, 2])
    assert_sound(ledger)


def test_duplicates_are_judged_before_conditions_and_permissions(ledger: Ledger) -> None:
    credential = issue(ledger)
    caller, event = token_caller(ledger, credential), cloud_event(id="once")
    [first] = ledger.append_group([submission(ledger, event, caller=caller)])
    revoke_token(ledger, credential, actor="person:root", reason="leaked")
    never = Condition((Match(),), 0)
    [again] = ledger.append_group([submission(ledger, event, caller=caller, condition=never)])
    assert (kinds([again]), positions(again)) == (["Repeated"], positions(first))


# -- conditions ------------------------------------------------------------------------------------------------------


FINISHED, OPENED = "deployment.finished", "change.opened"
CONDITIONS: list[tuple[tuple[Match, ...], int, int | None]] = [
    ((), 5, None),
    ((), 4, 5),
    ((), 0, 1),
    ((Match(),), 5, None),
    ((Match(),), 2, 3),
    ((Match(types=(FINISHED,)),), 0, 2),
    ((Match(types=(FINISHED,)),), 2, 4),
    ((Match(types=(FINISHED,)),), 4, None),
    ((Match(types=("code.merged",)),), 0, None),
    ((Match(types=(OPENED, FINISHED)),), 2, 3),
    ((Match(types=("code.merged", OPENED)),), 3, 5),
    ((Match(refs=("change:CHG-1",)),), 0, 2),
    ((Match(refs=("change:CHG-1",)),), 2, 5),
    ((Match(refs=("change:CHG-1",)),), 5, None),
    ((Match(refs=("change:CHG-9",)),), 0, None),
    ((Match(refs=("change:CHG-1", "service:a")),), 0, 2),
    ((Match(refs=("service:a", "change:CHG-1")),), 0, 2),
    ((Match(refs=("change:CHG-1", "service:a")),), 2, None),
    ((Match(refs=("change:CHG-1", "service:b")),), 0, 5),
    ((Match(refs=("change:CHG-1", "change:CHG-2")),), 0, None),
    ((Match(refs=("change:CHG-1", "service:none")),), 0, None),
    ((Match(refs=("change:CHG-1", "change:CHG-1")),), 0, 2),
    ((Match((OPENED,), ("change:CHG-1",)),), 0, 5),
    ((Match((OPENED,), ("change:CHG-1", "service:a")),), 0, None),
    ((Match((OPENED, FINISHED), ("environment:prod", "service:b")),), 0, 4),
    ((Match((FINISHED,), ("service:b",)), Match((OPENED,), ("service:a",))), 0, 4),
    ((Match((FINISHED,), ("service:b",)), Match((OPENED,), ("service:a",))), 3, 4),
    ((Match(refs=("change:CHG-9",)), Match(types=(OPENED,))), 3, 5),
    ((Match(refs=("change:CHG-9",)), Match(types=("code.merged",))), 0, None),
    ((Match(),), 500, None),
]


def history(ledger: Ledger) -> list[Submission]:
    """2: deployment of CHG-1 to a; 3: CHG-2 opened for a; 4: deployment of CHG-2 to b; 5: CHG-1 opened for b."""
    return [
        submission(ledger, cloud_event(change_id="CHG-1", service="a", deployment_id="d1")),
        submission(ledger, cloud_event("change.opened", change_id="CHG-2", services=["a"])),
        submission(ledger, cloud_event(change_id="CHG-2", service="b", deployment_id="d2")),
        submission(ledger, cloud_event("change.opened", change_id="CHG-1", services=["b"])),
    ]


@pytest.mark.parametrize("grouped", [False, True], ids=["recorded before", "earlier in the group"])
@pytest.mark.parametrize("looked", [False, True], ids=["under the lock alone", "looked at before"])
def test_a_condition_holds_unless_an_entry_after_its_position_matches(
    ledger: Ledger, grouped: bool, looked: bool
) -> None:
    for none_of, after, found in CONDITIONS:
        # Every case has a history of its own, after everything before it.
        base = ledger.size() - 1
        condition = Condition(none_of, base + max(after, 1 if base else 0))
        group, asked = history(ledger), submission(ledger, cloud_event(), condition=condition)
        if not grouped:
            ledger.append_group(group)
            group = []
        if looked:
            asked = asked._replace(condition=ledger.recorder.look_back(condition))
        outcome = ledger.append_group([*group, asked])[-1]
        case = f"{none_of} after {after}"
        if found is None:
            assert kinds([outcome]) == ["Recorded"], case
            continue
        error = error_of(outcome)
        assert isinstance(error, ConditionFailedError), case
        # Which of several matches is named is not promised; that it matches is.
        named = entries(ledger)[error.position - 1]
        assert error.position > condition.after, case
        assert any(match.fits(named.type, named.refs) for match in none_of or (Match(),)), case
        if len(none_of) < 2 and found > 1:
            assert error.position == base + found, case
    assert_sound(ledger)


def test_what_was_looked_at_before_the_lock_is_not_looked_at_again(ledger: Ledger) -> None:
    ledger.append_group(history(ledger))
    holds = ledger.recorder.look_back(Condition((Match(refs=("change:CHG-9",)),), 0))
    assert holds.looked_up_to == ledger.size()
    ledger.append_group([submission(ledger, cloud_event(change_id="CHG-9"))])
    [refused] = ledger.append_group([submission(ledger, cloud_event(), condition=holds)])
    error = error_of(refused)
    assert isinstance(error, ConditionFailedError)
    assert error.position == ledger.size()
    # Duplicates come first, also where the look found that the condition does not hold.
    broken = ledger.recorder.look_back(Condition((Match(refs=("change:CHG-1",)),), 0))
    assert broken.broken_by == (Match(refs=("change:CHG-1",)), 2)
    said = submission(ledger, cloud_event())
    assert kinds(ledger.append_group([said])) == ["Recorded"]
    assert kinds(ledger.append_group([said._replace(condition=broken)])) == ["Repeated"]


def test_a_condition_of_any_number_of_types_and_refs_is_the_same_statements(ledger: Ledger) -> None:
    names = [f"s{number}" for number in range(64)]
    ledger.append_group([submission(ledger, cloud_event(service=name)) for name in names])
    asked: list[set[str]] = []
    for number in (2, 9, 64):
        refs = tuple(f"service:{name}" for name in names[:number])
        types = tuple(f"some.type_{n}" for n in range(number - 1))
        with watched(ledger) as seen:
            assert ledger.recorder.look_back(Condition((Match((FINISHED, *types), refs),))).broken_by is None
        asked.append({sql for sql, *_ in seen})
    assert asked[0] == asked[1] == asked[2]


def test_a_condition_may_look_back_to_the_beginning(ledger: Ledger) -> None:
    [outcome] = ledger.append_group([submission(ledger, cloud_event(), condition=Condition())])
    error = error_of(outcome)
    assert isinstance(error, ConditionFailedError)
    assert error.position == 1


@on_sqlite
def test_of_two_decisions_on_the_same_ground_one_is_recorded(ledger: Ledger) -> None:
    ground = Condition((Match(("approval.granted", OPENED), ("change:CHG-1",)),), 1)
    group = [
        submission(ledger, cloud_event("change.opened", change_id=change), condition=ground)
        for change in ("CHG-1", "CHG-1", "CHG-1")
    ]
    assert kinds(ledger.append_group(group)) == ["Recorded"] + ["Refused ConditionFailedError"] * 2


@on_sqlite
def test_a_submission_is_not_judged_by_its_own_statements(ledger: Ledger) -> None:
    nothing_new = Condition((Match(),), 1)
    [outcome] = ledger.append_group([submission(ledger, cloud_event(), cloud_event(), condition=nothing_new)])
    assert positions(outcome) == [2, 3]


@on_sqlite
def test_a_refused_submission_does_not_count_for_the_condition_of_a_later_one(ledger: Ledger) -> None:
    group = [
        submission(ledger, cloud_event(change_id="CHG-1"), condition=Condition((Match(),), 0)),
        submission(ledger, cloud_event(), condition=Condition((Match(refs=("change:CHG-1",)),), 0)),
    ]
    assert kinds(ledger.append_group(group)) == ["Refused ConditionFailedError", "Recorded"]


# -- all or nothing --------------------------------------------------------------------------------------------------


def test_a_submission_of_several_is_recorded_in_order_and_whole(ledger: Ledger) -> None:
    events = [cloud_event() for _ in range(5)]
    [outcome] = ledger.append_group([submission(ledger, *events)])
    assert positions(outcome) == [2, 3, 4, 5, 6]
    assert [entry.statement["id"] for entry in entries(ledger)[1:]] == [event["id"] for event in events]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_a_submission_with_one_conflict_nothing_is_recorded(ledger: Ledger, place: int) -> None:
    known = cloud_event(id="once")
    append(ledger, known)
    events = [cloud_event(id=f"new-{number}") for number in range(2)]
    events.insert(place, known | {"subject": "altered"})
    outcomes = ledger.append_group([submission(ledger, *events), submission(ledger, cloud_event())])
    assert kinds(outcomes) == ["Refused ConflictError", "Recorded"]
    ids = [entry.statement["id"] for entry in entries(ledger)]
    assert not {"new-0", "new-1"} & set(ids)
    assert kinds(append(ledger, *(cloud_event(id=f"new-{number}") for number in range(2)))) == ["Recorded"] * 2
    assert_chain_is_as_computed_naively(ledger)
    assert_sound(ledger)


@on_sqlite
def test_of_a_submission_that_is_forbidden_in_part_nothing_is_recorded(ledger: Ledger) -> None:
    caller = token_caller(ledger, issue(ledger, areas=["deployment"]))
    size = ledger.size()
    both = submission(ledger, cloud_event(), cloud_event("change.opened"), caller=caller)
    assert kinds(ledger.append_group([both])) == ["Refused ForbiddenError"]
    assert ledger.size() == size


@on_sqlite
def test_a_submission_that_was_known_in_part_is_completed(ledger: Ledger) -> None:
    known, fresh = cloud_event(), cloud_event()
    append(ledger, known)
    [outcome] = ledger.append_group([submission(ledger, known, fresh)])
    assert (kinds([outcome]), positions(outcome)) == (["Recorded"], [2, 3])
    [outcome] = ledger.append_group([submission(ledger, fresh, known)])
    assert (kinds([outcome]), positions(outcome)) == (["Repeated"], [3, 2])


# -- who may -----------------------------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("event_type", ["ledger.time_passed", "intake.unmapped", "gate.decided"])
def test_nobody_but_the_ledger_itself_appends_reserved_areas(ledger: Ledger, event_type: str) -> None:
    event = cloud_event() | {"type": event_type, "data": example(CATALOGUE[event_type])}
    size = ledger.size()
    for caller in (ledger.local_caller(), token_caller(ledger, issue(ledger, roles=["operator", "reporter"]))):
        [outcome] = ledger.append_group([submission(ledger, event, caller=caller)])
        assert kinds([outcome]) == ["Refused ForbiddenError"]
    assert ledger.size() == size + 1


def test_a_credential_that_is_revoked_in_a_group_is_refused_from_there_on(ledger: Ledger) -> None:
    credential = issue(ledger)
    caller = token_caller(ledger, credential)
    permitted_at = ledger.authority.position
    outcomes = ledger.append_group(
        [
            submission(ledger, cloud_event(), caller=caller, permitted_at=permitted_at),
            revoking(ledger, credential),
            submission(ledger, cloud_event(), caller=caller, permitted_at=permitted_at),
            submission(ledger, cloud_event()),
        ]
    )
    assert kinds(outcomes) == ["Recorded", "Recorded", "Refused UnauthenticatedError", "Recorded"]
    assert_sound(ledger)


def test_a_credential_that_is_issued_in_a_group_may_be_used_after_it_in_the_same_group(ledger: Ledger) -> None:
    issued, twin = issuing(ledger, "token:fresh"), ledger.authority.credentials[issue(ledger)]
    caller = Caller("token:fresh", "service:ci", "token", twin)
    before, after = (submission(ledger, cloud_event(), caller=caller) for _ in range(2))
    assert kinds(ledger.append_group([before, issued, after])) == [
        "Refused UnauthenticatedError",
        "Recorded",
        "Recorded",
    ]
    assert_sound(ledger)


@contextmanager
def watched(ledger: Ledger) -> Iterator[list[tuple[str, Any, bool]]]:
    """Collect (sql, parameters, is it for many rows) of every statement that is executed."""
    seen: list[tuple[str, Any, bool]] = []

    def note(_c: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, many: bool) -> None:
        seen.append((sql, parameters, many))

    sa.event.listen(ledger.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(ledger.database.engine, "before_cursor_execute", note)


def test_a_submission_that_changes_authority_has_a_transaction_of_its_own(ledger: Ledger) -> None:
    group = [
        submission(ledger, cloud_event()),
        submission(ledger, cloud_event()),
        issuing(ledger, "token:one"),
        issuing(ledger, "token:two"),
        submission(ledger, cloud_event()),
    ]
    with watched(ledger) as seen:
        outcomes = ledger.append_group(group)
    assert kinds(outcomes) == ["Recorded"] * 5
    assert [sql for sql, *_ in seen].count("COMMIT") == 4
    [(*_, authority_position, _keys)] = rows(ledger)["head"]
    assert authority_position == 5 == ledger.authority.position
    assert_sound(ledger)


def test_a_key_that_is_revoked_by_another_process_appends_no_more(ledger: Ledger) -> None:
    successor = SigningKey.from_seed(b"n" * 32)
    enrol_entry_key(ledger, successor, "two")
    other = Ledger.open(Database(ledger.database.url.render_as_string(hide_password=False)), successor)
    try:
        revoke_key(other, ENTRY_KEY.key_id, role="entry", from_position=3, reason="leaked", actor="person:root")
        assert kinds(append(other, cloud_event())) == ["Recorded"]
        with pytest.raises(KeyNotValidError, match="not valid for position 5"):
            append(ledger, cloud_event())
        assert kinds(append(other, cloud_event())) == ["Recorded"]
    finally:
        other.close()
    assert ledger.size() == 5


def test_what_another_process_appends_is_known_at_the_next_append(ledger: Ledger) -> None:
    other = Ledger.open(Database(ledger.database.url.render_as_string(hide_password=False)), ENTRY_KEY)
    try:
        for number in range(12):
            source = {"source": f"https://new-source.example/{number}"}
            first, second = (ledger, other) if number % 2 else (other, ledger)
            event = cloud_event(change_id=f"CHG-{number % 3}") | source
            assert kinds(append(first, event)) == ["Recorded"]
            assert kinds(append(second, event, cloud_event() | source)) == ["Repeated", "Recorded"]
    finally:
        other.close()
    assert_chain_is_as_computed_naively(ledger)
    assert_sound(ledger)


# -- the clock and the memory ----------------------------------------------------------------------------------------


class MovedClock(Clock):
    """A clock whose wall and steady time a test moves, in seconds."""

    def __init__(self) -> None:
        self.wall, self.steady = WALL_NS, 10**12
        super().__init__(wall_ns=lambda: self.wall, steady_ns=lambda: self.steady)

    def move(self, wall: float, steady: float | None = None) -> None:
        self.wall += int(wall * 10**9)
        self.steady += int((wall if steady is None else steady) * 10**9)


def test_what_is_recorded_never_goes_back_in_time(database_url: str) -> None:
    clock = MovedClock()
    ledger = create_ledger(database_url, clock=clock)
    try:
        for step in (0, 1, -30, 0, -20, 5, 100):
            clock.move(step, 0 if abs(step) < 60 else step)
            append(ledger, cloud_event())
        times = [entry.document["recorded_at"] for entry in entries(ledger)]
        assert times == sorted(times)
        assert_sound(ledger)
    finally:
        ledger.close()


@pytest.mark.parametrize("jump", [61, 3600, 10**7, -61])
def test_appending_stops_while_the_wall_clock_and_the_steady_clock_disagree(sqlite_url: str, jump: int) -> None:
    clock = MovedClock()
    ledger = create_ledger(sqlite_url, clock=clock)
    try:
        append(ledger, cloud_event())
        clock.move(jump, 0)
        size = ledger.size()
        with pytest.raises(ClockError):
            append(ledger, cloud_event())
        assert ledger.size() == size
        clock.move(-jump, 0)
        assert kinds(append(ledger, cloud_event())) == ["Recorded"]
    finally:
        ledger.close()


@pytest.mark.parametrize("facts_before", [0, 1])
def test_a_correction_of_the_clock_lowers_the_time_from_itself_on_and_not_before(
    sqlite_url: str, facts_before: int
) -> None:
    clock = MovedClock()
    ledger = create_ledger(sqlite_url, clock=clock)
    try:
        clock.move(50)
        append(ledger, cloud_event())
        clock.move(-40, 0)
        data = {"actor": "person:root", "previous": "2026-11-23T12:00:50Z", "reason": "typing-error"}
        correction = Submission((ledger.ledger_statement("ledger.clock_corrected", data),), ledger.own_caller())
        facts = [submission(ledger, cloud_event()) for _ in range(facts_before + 1)]
        outcomes = ledger.append_group([*facts[:facts_before], correction, *facts[facts_before:]])
        assert kinds(outcomes) == ["Recorded"] * (facts_before + 2)
        times = [entry.document["recorded_at"] for entry in entries(ledger)]
        assert times[-2] < times[1]
        assert_sound(ledger)
    finally:
        ledger.close()


def test_a_process_whose_acknowledged_entries_are_gone_appends_no_more(sqlite_url: str, tmp_path: Path) -> None:
    ledger = create_ledger(sqlite_url)
    try:
        append(ledger, cloud_event())
        copy = tmp_path / "copy.db"
        ledger.database.backup(copy)
        append(ledger, cloud_event())
        ledger.database.close()
        with Database(f"sqlite:///{copy}").engine.connect() as old, ledger.database.engine.connect() as new:
            old.connection.dbapi_connection.backup(new.connection.dbapi_connection)  # type: ignore[union-attr]
        for _ in range(2):
            with pytest.raises(LostHistoryError, match="position 3"):
                append(ledger, cloud_event())
        assert isinstance(ledger.recorder.stopped, LostHistoryError)
        assert ledger.size() == 2
    finally:
        ledger.close()


def test_after_a_failure_in_the_middle_of_a_group_the_next_group_goes_on_without_a_gap(ledger: Ledger) -> None:
    append(ledger, cloud_event())
    before = rows(ledger)

    def fail(_c: Any, _cursor: Any, sql: str, _p: Any, _context: Any, _many: bool) -> None:
        if "INSERT INTO entries " in sql:
            raise OSError("disk full")

    event = cloud_event("change.opened") | {"source": "https://new.example"}
    sa.event.listen(ledger.database.engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(OSError, match="disk full"):
            append(ledger, event)
    finally:
        sa.event.remove(ledger.database.engine, "before_cursor_execute", fail)
    assert rows(ledger) == before
    assert kinds(append(ledger, event)) == ["Recorded"]
    assert_chain_is_as_computed_naively(ledger)
    assert_sound(ledger)


# -- what it costs ---------------------------------------------------------------------------------------------------

MOST_STATEMENTS = 16
ROWS_IN_A_PIECE = 256


def shapes(seen: list[tuple[str, Any, bool]]) -> Counter[str]:
    """Count statements by what they do. SQLite takes many rows in pieces; a piece differs from another only in its length."""
    return Counter(re.sub(r"(\(\?(?:, \?)*\))(?:, \1)+", r"\1", sql) for sql, *_ in seen)


def assert_no_more_than_pieces(ledger: Ledger, found: Counter[str], most_rows: int) -> None:
    most = most_rows // ROWS_IN_A_PIECE + ROWS_IN_A_PIECE.bit_length() if ledger.database.is_sqlite else 1
    assert max(found.values()) <= most, found


def test_a_group_of_500_takes_no_more_statements_than_a_group_of_one(ledger: Ledger) -> None:
    def known_refs(number: int) -> dict[str, Any]:
        return {"change_id": f"CHG-{number % 5}", "service": "a", "deployment_id": f"d-{number % 3}"}

    append(ledger, *(cloud_event(**known_refs(number)) for number in range(15)))
    counts = {}
    for size in (1, 2, 40, 150):
        with watched(ledger) as seen:
            append(ledger, *(cloud_event(**known_refs(number)) for number in range(size)))
        counts[size] = shapes(seen)
        assert_no_more_than_pieces(ledger, counts[size], 4 * size)
    # PostgreSQL writes a long group in two round trips: the first goes on while it is signed.
    assert set(counts[1]) == set(counts[2])
    assert set(counts[40]) == set(counts[150])
    assert set(counts[1].values()) == {1}
    assert (len(counts[1]), len(counts[40])) == ((10, 10) if ledger.database.is_sqlite else (6, 7))
    with watched(ledger) as seen:
        append(ledger, *(cloud_event(**known_refs(number)) for number in range(500)))
    found = shapes(seen)
    # Two nodes of the tree were completed meanwhile.
    assert len(set(found) - set(counts[40])) == 1
    assert len(found) <= MOST_STATEMENTS
    assert_no_more_than_pieces(ledger, found, 4 * 500)


def test_a_group_of_everything_that_can_be_new_takes_a_bounded_number_of_statements(ledger: Ledger) -> None:
    def everything(number: int) -> Submission:
        event = cloud_event("change.opened" if number % 2 else "deployment.finished")
        event["source"] = f"https://source.example/{number}"
        evidence = Evidence.of(b"%d" % number, "text/plain")
        return Submission((ledger.admission.admit(event, evidence=(evidence,)),), ledger.local_caller())

    append(ledger, cloud_event())
    for numbers in (range(2), range(100, 600)):
        with watched(ledger) as seen:
            assert set(kinds(ledger.append_group([everything(number) for number in numbers]))) == {"Recorded"}
        found = shapes(seen)
        # One for each table, one for each of sources, types, pairs and refs to look up, and the frame of a transaction.
        assert len(found) <= 21
        assert_no_more_than_pieces(ledger, found, 4 * len(numbers))


def test_a_condition_of_500_matches_takes_no_more_statements_than_one_of_a_single_match(ledger: Ledger) -> None:
    of_z = {"change_id": "CHG-z", "service": "z", "deployment_id": "z"}
    append(ledger, *(cloud_event(change_id=f"CHG-{n}", service="a", deployment_id="d") for n in range(500)))
    append(ledger, cloud_event(**of_z))
    base = ledger.size()
    # Each ref occurs again, so that each match has to be asked for; no entry has all that a match names.
    append(ledger, *(cloud_event(change_id=f"CHG-{n}", service="b", deployment_id="d") for n in range(500)))
    append(ledger, cloud_event(change_id="CHG-x", service="a"), cloud_event("change.opened", change_id="CHG-y"))

    def condition(size: int, *more: Match) -> Condition:
        matches = [
            Match((FINISHED,) * (n % 2), (f"change:CHG-{n}", "service:a"))
            if n % 3
            else Match((OPENED, "code.merged"), (f"change:CHG-{n}",))
            for n in range(size)
        ]
        return Condition((*matches, *more), base)

    counts = {}
    for size in (1, 10, 500):
        asked = submission(ledger, cloud_event(**of_z), condition=condition(size))
        with watched(ledger) as seen:
            assert kinds(ledger.append_group([asked])) == ["Recorded"]
        counts[size] = shapes(seen)
        assert [n for sql, n in counts[size].items() if "FROM entry_refs l" in sql] == [1]
    assert counts[1] == counts[10] == counts[500]
    # The last of 502 is the one that does not hold.
    more = Match(("code.merged",)), Match((OPENED,), ("change:CHG-y",))
    asked = submission(ledger, cloud_event(), condition=condition(500, *more))
    error = error_of(ledger.append_group([asked])[0])
    assert isinstance(error, ConditionFailedError)
    assert error.position == base + 502


def test_a_condition_without_matches_on_what_was_recorded_asks_nothing_more(ledger: Ledger) -> None:
    append(ledger, cloud_event(change_id="CHG-1", service="a"))
    plain, asked = (submission(ledger, cloud_event(change_id="CHG-1", service="a")) for _ in range(2))
    asked = asked._replace(condition=Condition((Match((OPENED,), ("change:CHG-1",)),), ledger.size()))
    counts = []
    for wanted in (plain, asked):
        with watched(ledger) as seen:
            assert kinds(ledger.append_group([wanted])) == ["Recorded"]
        counts.append(len([sql for sql, *_ in seen if "event_types" not in sql]))
    assert counts[0] == counts[1]


def test_an_append_writes_so_many_rows_and_no_more(ledger: Ledger) -> None:
    append(ledger, cloud_event(change_id="CHG-1", service="a", deployment_id="d"))
    before = {name: len(found) for name, found in rows(ledger).items()}
    append(ledger, *(cloud_event(change_id="CHG-1", service="a", deployment_id="d") for _ in range(10)))
    after = {name: len(found) for name, found in rows(ledger).items()}
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"entries": 10, "statements": 10, "entry_refs": 40}


LOOKUPS: dict[str, Condition | None] = {
    "no condition": None,
    "nothing at all after a position": Condition((), 0),
    "a type that often occurred": Condition((Match(types=(FINISHED,)),), 0),
    "two types": Condition((Match(types=(OPENED, FINISHED)),), 0),
    "a type that never occurred": Condition((Match(types=("code.merged",)),), 0),
    "a ref that often occurred": Condition((Match(refs=("environment:prod",)),), 0),
    "a ref that never occurred": Condition((Match(refs=("environment:moon",)),), 0),
    "a rare ref and a frequent one": Condition((Match(refs=("change:CHG-rare", "environment:prod", "service:b")),), 0),
    "a frequent ref and a rare one": Condition((Match(refs=("environment:prod", "service:b", "change:CHG-rare")),), 0),
}


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_every_lookup_of_an_append_goes_through_an_index(sqlite_ledger: Ledger, lookup: str) -> None:
    ledger = sqlite_ledger
    known = cloud_event(id="known")
    append(ledger, known, *(cloud_event() for _ in range(50)))
    with watched(ledger) as seen:
        ledger.append_group(
            [
                submission(ledger, cloud_event(), condition=LOOKUPS[lookup]),
                submission(ledger, known),
                submission(ledger, known | {"subject": "altered"}),
                submission(ledger, cloud_event("change.opened") | {"source": "https://new.example"}),
            ]
        )
    plans = []
    with ledger.database.engine.connect() as connection:
        for sql, parameters, many in seen:
            if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT)", sql):
                one = parameters[0] if many else parameters
                for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", one):
                    plans.append((sql, step))
    assert any("SEARCH" in step for _, step in plans)
    for sql, step in plans:
        # The head is one row, and what a caller asks for is as long as what he asked.
        if step.startswith("SCAN") and not re.match(r"SCAN (head|[jot] VIRTUAL TABLE)|SCAN CONSTANT ROW", step):
            pytest.fail(f"{step} in {sql}")


def steps_of_appending(url: str, condition: Condition | None) -> int:
    """Return how many instructions of SQLite's machine one append runs: a measure of rows read that no clock disturbs."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    database = Database(url)
    sa.event.listen(database.engine, "connect", lambda connection, _record: connection.set_progress_handler(step, 1))
    ledger = Ledger.open(database, ENTRY_KEY)
    try:
        append(ledger, cloud_event(change_id="CHG-1", service="a", deployment_id="d"))
        event = cloud_event(change_id="CHG-1", service="a", deployment_id="d")
        asked = submission(ledger, event, condition=condition)
        steps = 0
        ledger.append_group([asked])
        return steps
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Ledgers of some and of many entries, for reading the cost of one more."""
    made = {}
    for size in (300, 3000):
        url = f"sqlite:///{tmp_path_factory.mktemp('growing') / 'ledger.db'}"
        ledger = create_ledger(url)
        append(ledger, cloud_event(change_id="CHG-rare", service="z", deployment_id="z"), cloud_event("change.opened"))
        for _ in range(size // 100):
            append(
                ledger,
                *(cloud_event(change_id=f"CHG-{n}", service="ab"[n % 2], deployment_id="d") for n in range(100)),
            )
        ledger.close()
        made[size] = url
    return made


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_an_append_reads_no_more_when_the_history_is_ten_times_as_long(growing: dict[int, str], lookup: str) -> None:
    few, many = (steps_of_appending(growing[size], LOOKUPS[lookup]) for size in (300, 3000))
    assert many <= few + 50, f"{few} steps after 300 entries, {many} after 3000"


# -- what the database refuses ---------------------------------------------------------------------------------------


def unstorable(ledger: Ledger) -> Submission:
    """Return a submission that no driver takes: as if admission had let something slip."""
    good = submission(ledger, cloud_event())
    return good._replace(statements=(good.statements[0]._replace(id="\ud800"),))


def test_what_the_database_cannot_hold_is_refused_alone(ledger: Ledger) -> None:
    events = [cloud_event() for _ in range(9)]
    group = [submission(ledger, event) for event in events]
    group.insert(4, unstorable(ledger))
    group.append(unstorable(ledger))
    outcomes = ledger.append_group(group)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [Recorded] * 4 + [Refused] + [Recorded] * 5 + [Refused]
    refusals = [outcome.error for outcome in outcomes if isinstance(outcome, Refused)]
    assert all(isinstance(error, NotStorableError) and "does not help" in str(error) for error in refusals)
    assert [json.loads(entry.entry)["statement"]["id"] for entry in entries(ledger)[1:]] == [e["id"] for e in events]


def test_a_submission_of_several_statements_is_refused_whole_when_the_database_cannot_hold_one(ledger: Ledger) -> None:
    whole = submission(ledger, cloud_event(), cloud_event())
    bad = whole._replace(statements=(whole.statements[0], unstorable(ledger).statements[0]))
    [refused, recorded] = ledger.append_group([bad, submission(ledger, cloud_event())])
    assert isinstance(refused, Refused)
    assert isinstance(recorded, Recorded)
    assert ledger.size() == 2


@pytest.mark.parametrize("bad", [1, 3])
def test_halving_costs_two_transactions_a_level_for_each_that_is_refused(ledger: Ledger, bad: int) -> None:
    group = [submission(ledger, cloud_event()) for _ in range(64)]
    for number in range(bad):
        group[number] = unstorable(ledger)
    begun: list[None] = []
    begin = ledger.database.begin
    ledger.database.begin = lambda connection: begun.append(None) or begin(connection)  # type: ignore[method-assign,func-returns-value]
    ledger.append_group(group)
    assert len(begun) <= 1 + 2 * bad * 6
