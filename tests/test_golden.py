"""Golden tests: cases with a known right answer, from published vectors, standards and other projects' bug reports; and where each is.

A table, and no more: the tests stand in the rooms of what they test.
"""

import ast
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from projections.practices.serving import capabilities

HERE: Final = Path(__file__).parent


class Golden(NamedTuple):
    """A case, by its number: what has to come out, and the tests that hold it. `waits_for` is a practice that nothing serves yet."""

    number: int
    says: str
    tests: tuple[str, ...]
    waits_for: str = ""


CASES: Final = (
    Golden(
        1,
        "GitHub's published HMAC vector; a wrong secret, and a body that was written again, are not authentic",
        (
            "api/intake/test_intake.py::test_the_published_vector_is_accepted_and_nothing_near_it",
            "api/intake/test_intake.py::test_the_published_vector_is_authentic_over_http_too",
            "api/intake/test_intake.py::test_a_body_that_was_parsed_and_written_again_is_not_authentic",
        ),
    ),
    Golden(
        2,
        "CDEvents 0.4 and 0.5 become the same; a header against the body is refused; the same id again is one, another body a conflict",
        (
            "api/intake/test_intake.py::test_a_cdevent_becomes_the_same_kind_of_fact_whichever_way_it_comes",
            "api/intake/test_intake.py::test_both_versions_of_cdevents_say_the_same",
            "api/intake/test_intake.py::test_attributes_that_contradict_the_cdevent_are_refused_and_the_bytes_are_kept",
            "api/intake/test_intake.py::test_the_same_cdevent_again_is_a_repeat",
            "api/http/test_events.py::test_a_conflict_names_the_position_of_what_was_recorded_first",
        ),
    ),
    Golden(
        3,
        "A stale approval, a dismissed one, a bot's, an alias of the author; who merges is no author",
        (
            "api/intake/test_intake.py::test_four_eyes_are_judged_from_what_github_sends",
            "api/intake/test_intake.py::test_the_approval_of_an_alias_of_the_author_counts_until_the_alias_is_known",
            "projections/practices/infrastructure/test_peer_review.py::test_code_that_nobody_else_approved_is_found_when_it_is_merged",
            "projections/practices/infrastructure/test_peer_review.py::test_code_that_somebody_else_approved_is_none_whoever_merges_it",
        ),
    ),
    Golden(
        4,
        "Drift of a plan is what changed outside; what was accepted is none; a plan that failed is not applied",
        (
            "api/intake/test_terraform.py::test_drift_is_what_changed_outside_and_not_what_will_be_done",
            "projections/practices/infrastructure/test_drift.py::test_drift_is_found_once_and_ends_when_a_whole_plan_shows_it_gone",
            "projections/practices/infrastructure/test_drift.py::test_drift_is_accepted_for_a_time_and_for_what_it_was",
            "projections/practices/pipeline/test_plan_gates.py::test_a_plan_that_is_not_fit_is_not_applied",
        ),
    ),
    Golden(5, "Kayenta's judge, with its known weaknesses", (), waits_for="6.3"),
    Golden(
        6,
        "Base rates by Beta(1, 19); what was scored comes out again at every prefix; no hole between two bands",
        (
            "projections/rules/test_risk.py::test_a_base_rate_is_judged_by_how_surely_it_exceeds_the_tolerance",
            "projections/rules/test_risk.py::test_there_is_no_hole_between_two_bands",
            "projections/readings/risk/test_risk.py::test_what_came_before_is_counted_by_the_ledger_itself",
            "projections/readings/risk/test_risk.py::test_a_score_that_comes_out_again_has_no_fault",
            "laws/test_views.py::test_a_row_as_of_a_position_is_what_stood_there_then",
        ),
    ),
    Golden(
        7,
        "An incident six hours after one deployment and six before another is of none; the same labels beat the later one",
        (
            "projections/practices/monitoring/test_attribution.py::test_an_incident_long_after_one_deployment_and_before_another_is_of_none",
            "projections/practices/monitoring/test_attribution.py::test_the_same_labels_beat_a_deployment_that_came_later",
        ),
    ),
    Golden(
        8,
        "Six incidents on four of 23 deployments are a change failure rate of 4/23",
        (
            "projections/practices/improvement/test_delivery.py::test_six_incidents_on_four_of_twenty_three_deployments_are_a_rate_of_four",
        ),
    ),
    Golden(
        9,
        "A freeze that is recorded afterwards finds, with both times; rules keep their hours over a change of the clocks; broken zones",
        (
            "projections/practices/release/test_freezes.py::test_a_freeze_that_is_recorded_after_the_fact_finds_what_was_deployed_in_it",
            "projections/rules/test_calendar.py::test_a_rule_keeps_the_hours_of_its_clock_in_summer_as_in_winter",
            "projections/rules/test_calendar.py::test_hours_that_a_clock_skips_or_shows_twice",
            "api/intake/test_icalendar.py::test_a_freeze_by_a_rule_holds_at_the_same_hours_of_its_clock_in_winter_and_in_summer",
            "api/intake/test_icalendar.py::test_what_cannot_be_taken_is_refused_with_its_event_and_what_to_say",
        ),
    ),
    Golden(
        10,
        "An emergency whose approval comes late is late for ever",
        (
            "projections/practices/change/test_approvals.py::test_an_approval_that_is_owed_is_found_at_the_first_entry_after_its_time",
            "projections/readings/changes/test_change_tickets.py::test_a_late_approval_of_an_emergency_is_never_on_time_whatever_time_it_claims",
        ),
    ),
    Golden(
        11,
        "A signature in CloudEvents' own way is refused (decision 8): nothing unsigned counts as signed; what is signed is the bytes",
        (
            "ledger/test_statement.py::test_optional_attributes_have_their_own_rules",
            "api/http/test_signed_statements.py::test_the_signature_in_an_entry_is_over_the_exact_bytes_of_its_statement",
        ),
    ),
    Golden(
        12,
        "A cut tail, a linked edit, a key used again, a clock that goes back, two swapped, two histories of one size",
        (
            "ledger/audit/test_attacks.py::test_a_cut_off_tail_is_found_by_who_remembers_and_not_by_the_audit_alone",
            "ledger/audit/test_tampering.py::test_an_edited_entry_that_was_linked_again_lacks_the_signature",
            "ledger/audit/test_tampering.py::test_a_clock_that_goes_back_without_a_correction_is_reported",
            "ledger/audit/test_tampering.py::test_a_swapped_pair_is_reported_at_both_positions",
            "ledger/audit/test_attacks.py::test_two_histories_are_found_by_the_witness_and_by_two_auditors_who_compare",
            "ledger/audit/test_attacks.py::test_a_revoked_key_that_signs_on_is_found_by_the_audit_alone_and_what_it_signed_before_is_listed",
        ),
    ),
    Golden(
        13,
        "A grant that comes after the population's digest is not silently included; a decision to revoke that nobody carries out",
        (
            "projections/practices/improvement/test_access_reviews.py::test_a_stated_population_is_compared_by_its_digest_and_totals_by_the_decisions",
            "projections/practices/improvement/test_access_reviews.py::test_a_grant_that_is_dated_to_before_a_review_and_recorded_after_it_is_found_until_one_looks_at_it",
            "projections/practices/improvement/test_access_reviews.py::test_a_revocation_that_does_not_come_is_found_after_seven_days",
        ),
    ),
)


def test_the_table_has_every_case_once() -> None:
    assert [case.number for case in CASES] == list(range(1, 14))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_each_case_is_held_by_tests_that_there_are(case: Golden) -> None:
    for test in case.tests:
        path, _, name = test.partition("::")
        tree = ast.parse((HERE / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test
    # What nothing serves has no tests; whoever serves it fills its row.
    assert bool(case.tests) is not bool(case.waits_for)
    if case.waits_for:
        (served,) = (practice.module for practice in capabilities() if practice.number == case.waits_for)
        assert served is None, f"{case.number}: {case.waits_for} is served by now"
