"""Submitting: one way down and one way back, whichever door something came in by."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import cloud_event, create_ledger

from api.desk.posted import Posted, Said, read
from api.desk.problems import RequestError
from api.desk.submitting import Wishes, answered, prepare, previewed
from ledger.authority import Caller
from ledger.conditions import Condition
from ledger.errors import ForbiddenError, StatementError, UnauthenticatedError
from ledger.ledger import Ledger
from ledger.log.recorder import Refused
from ledger.stewardship.credentials import issue_token, revoke_token

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = create_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield made
    made.close()


def reporter(ledger: Ledger, **more: list[str]) -> Caller:
    wanted = {"principal": "service:ci", "kind": "service", "roles": ["reporter"]} | more
    credential, _, _ = issue_token(ledger, actor="person:olga", **wanted)  # type: ignore[arg-type]
    token = ledger.authority.credentials[credential]
    return Caller(credential, token.principal, "token", token)


def two(first: str, second: str) -> Posted:
    return Posted((Said(cloud_event(id=first), "/0"), Said(cloud_event(id=second), "/1")), "each")


def test_what_came_before_is_told_so_and_the_rest_is_recorded(ledger: Ledger) -> None:
    caller = reporter(ledger)
    said = cloud_event(id="one")
    one = prepare(ledger, caller, Posted((Said(said),)), Wishes())
    status, receipt = answered(one, ledger.append_group(list(one.submissions)))
    assert (status, receipt["id"]) == (201, "one")
    again = Posted((Said(said, "/0"), Said(cloud_event(id="two"), "/1")), "each")
    both = prepare(ledger, caller, again, Wishes())
    status, document = answered(both, ledger.append_group(list(both.submissions)))
    assert (status, [item["status"] for item in document["items"]]) == (207, [200, 201])
    assert document["items"][0]["receipt"]["position"] == receipt["position"]


def test_of_a_batch_each_fault_has_its_place_and_the_others_go_down(ledger: Ledger) -> None:
    wrong = cloud_event(id="wrong") | {"time": "yesterday"}
    posted = Posted((Said(wrong, "/0"), Said(cloud_event(id="right"), "/1")), "each")
    prepared = prepare(ledger, reporter(ledger), posted, Wishes())
    assert len(prepared.submissions) == 1
    status, document = answered(prepared, ledger.append_group(list(prepared.submissions)))
    assert (status, document["items"][0]["problem"]["place"]) == (207, "/0/time")
    with pytest.raises(StatementError) as whole:
        prepare(ledger, reporter(ledger), posted, Wishes(atomic=True))
    assert whole.value.place == "/0/time"


def test_a_batch_that_is_whole_is_one_submission_and_is_answered_by_its_receipts(ledger: Ledger) -> None:
    prepared = prepare(ledger, reporter(ledger), two("a", "b"), Wishes(atomic=True))
    [submission] = prepared.submissions
    assert len(submission.statements) == 2
    status, document = answered(prepared, ledger.append_group([submission]))
    assert (status, [receipt["id"] for receipt in document["receipts"]]) == (201, ["a", "b"])


def test_the_position_of_the_authority_is_that_of_before_anything_was_judged(ledger: Ledger) -> None:
    # Whoever is let through here and revoked before the lock is refused under the lock: it sees that the position has moved.
    caller = reporter(ledger)
    before = ledger.authority.position
    prepared = prepare(ledger, caller, Posted((Said(cloud_event()),)), Wishes())
    assert [submission.permitted_at for submission in prepared.submissions] == [before]
    revoke_token(ledger, caller.credential, actor="person:olga", reason="leaked")
    [outcome] = ledger.append_group(list(prepared.submissions))
    assert isinstance(outcome, Refused)
    with pytest.raises(UnauthenticatedError):
        answered(prepared, [outcome])


def test_what_a_caller_may_not_say_is_refused_before_it_is_queued(ledger: Ledger) -> None:
    caller = reporter(ledger, areas=["incident"])
    with pytest.raises(ForbiddenError):
        prepare(ledger, caller, Posted((Said(cloud_event()),)), Wishes())


def test_a_condition_goes_with_what_is_recorded_whole(ledger: Ledger) -> None:
    with pytest.raises(RequestError) as refused:
        prepare(ledger, reporter(ledger), two("a", "b"), Wishes(condition=Condition(after=1)))
    assert (refused.value.status, refused.value.place) == (400, "/expect")
    assert prepare(ledger, reporter(ledger), two("a", "b"), Wishes(atomic=True, condition=Condition(after=1)))


def test_a_dry_run_shows_the_entry_and_records_nothing(ledger: Ledger) -> None:
    size = ledger.size()
    caller = ledger.local_caller()
    status, document = previewed(prepare(ledger, caller, Posted((Said(cloud_event(id="dry")),)), Wishes(dry_run=True)))
    assert (status, document["entry"]["statement"]["id"]) == (200, "dry")
    assert ledger.size() == size


def test_headers_and_bytes_become_what_is_said() -> None:
    assert read(STRUCTURED, b'{"id":"1"}') == Posted((Said({"id": "1"}),))
    assert read(BATCH, b'[{"id":"1"},2]') == Posted((Said({"id": "1"}, "/0"), Said(2, "/1")), "each")
    binary = {"content-type": "application/json", "ce-id": "7", "ce-type": "deployment.started"}
    assert read(binary, b"{}") == Posted((Said({"id": "7", "type": "deployment.started", "data": {}}),))
    for kind in ("text/plain", "", "application/x-www-form-urlencoded"):
        with pytest.raises(RequestError) as refused:
            read({"content-type": kind}, b"{}")
        assert refused.value.status == 415
