"""2.6 Isolation of pipeline runs: given these runs, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, deploy, finding, found, pass_time, publish
from people import enrol
from telling import Story, at
from year import DAY, HOUR, START, Year, stamp

from projections.readings.pipelines.attestations import attestations, attested_artifacts
from projections.readings.pipelines.runs import COMPARED, MAKINGS, builds, pipeline_runs, runners
from projections.rules.artifacts import digest_of

HOSTED = "https://builders.example.com/hosted"


def start(story: Story, run: str, tenant: str | None = "acme", **more: Any) -> int:
    data = {"run_id": run, "tenant": tenant, "runner_id": "r-7"} | more
    return story.tell("pipeline_run.started", **{name: value for name, value in data.items() if value is not None})


def finish(story: Story, run: str, **more: Any) -> int:
    return story.tell("pipeline_run.finished", run_id=run, **more)


def build(story: Story, builder: str | None = HOSTED, run: str = "9", **more: Any) -> int:
    made = {"artifacts": [ARTIFACT]} | ({"builder_id": builder} if builder is not None else {})
    return finish(story, run, **made | more)


def violated(story: Story) -> list[str]:
    return found(story).get("isolation-violated", [])


def test_two_tenants_on_one_runner_at_a_time_are_found_and_one_after_the_other_are_not() -> None:
    story = Story()
    start(story, "1")
    start(story, "2", "globex")
    assert violated(story) == ["2#1"]
    says = finding(story, "isolation-violated", "2#1").says
    assert "run 2 for globex ran on r-7" in says
    assert "run 1 for acme of another tenant, acme, had it" in says
    story = Story()
    start(story, "1")
    finish(story, "1")
    start(story, "2", "globex")
    assert violated(story) == []
    assert story.row(runners, "r-7").tenants == ("acme", "globex")
    assert story.row(pipeline_runs, "2#1").beside == ("1#1",)


@pytest.mark.parametrize(
    "more",
    [{"tenant": "acme"}, {"tenant": None}, {"runner_id": "r-8"}, {"runner_id": None}],
)
def test_runs_of_one_tenant_of_nobody_in_particular_or_elsewhere_violate_nothing(more: dict[str, Any]) -> None:
    story = Story()
    start(story, "1")
    start(story, "2", **{"tenant": "globex"} | more)
    assert violated(story) == []


def test_an_end_that_is_told_afterwards_does_not_excuse_the_next_run() -> None:
    story = Story()
    start(story, "1")
    start(story, "2", "globex")
    finish(story, "1", finished_at=at(1.5))
    assert violated(story) == ["2#1"]


def test_a_run_that_is_told_when_it_is_over_is_held_against_those_it_was_beside() -> None:
    story = Story()
    pass_time(story, 3)
    finish(story, "1", tenant="acme", runner_id="r-7", started_at=at(0), finished_at=at(3.9))
    finish(story, "2", tenant="globex", runner_id="r-7", started_at=at(2), finished_at=at(3))
    finish(story, "3", tenant="globex", runner_id="r-7", started_at=at(5.5), finished_at=at(6))
    assert violated(story) == ["2#1"]


def test_a_run_whose_end_nobody_told_is_over_after_a_day() -> None:
    story = Story()
    start(story, "1")
    pass_time(story, 30)
    start(story, "2", "globex")
    assert violated(story) == []
    # That it had ended long before, told now, makes nothing worse; that it went on all the while does.
    position = finish(story, "1", finished_at=at(5))
    assert violated(story) == []
    story.tell("statement.withdrawn", position=position, reason="x", by="service:desk", token="token:desk")
    finish(story, "1")
    assert violated(story) == ["2#1"]


def test_a_runner_for_one_run_has_one() -> None:
    story = Story()
    start(story, "1", ephemeral=True)
    finish(story, "1")
    # The same run told again is no other.
    start(story, "1", ephemeral=True)
    assert violated(story) == []
    start(story, "2")
    assert violated(story) == ["2#1"]
    assert "is made for one run" in finding(story, "isolation-violated", "2#1").says
    # Nor is another job of it the same.
    start(story, "1", job="test", runner_id="r-9", ephemeral=True)
    start(story, "1", job="lint", runner_id="r-9", ephemeral=True)
    assert violated(story) == ["1#1#lint", "2#1"]


def test_a_run_that_is_known_by_its_end_alone_was_there_then() -> None:
    story = Story()
    finish(story, "1", runner_id="r-7", tenant="acme", ephemeral=True)
    finish(story, "2", runner_id="r-7", tenant="acme")
    assert violated(story) == ["2#1"]
    story = Story()
    start(story, "1")
    finish(story, "2", runner_id="r-7", tenant="globex")
    assert violated(story) == ["2#1"]
    row = story.row(pipeline_runs, "2#1")
    assert (row.started_at, row.began.at) == (None, row.finished_at)
    # When it began may be told afterwards.
    start(story, "2", "globex", time=at(1.5))
    assert story.row(pipeline_runs, "2#1").started_at == at(1.5)


def test_what_is_said_first_of_a_run_stays_and_what_is_said_otherwise_is_found() -> None:
    story = Story()
    start(story, "1")
    finish(story, "1", outcome="success", tenant="globex")
    assert found(story) == {"run-stated-otherwise": ["1#1"]}
    assert story.row(pipeline_runs, "1#1").tenant == "acme"


def test_a_run_that_is_taken_back_stands_in_nobodys_way() -> None:
    story = Story()
    position = start(story, "1")
    start(story, "2", "globex")
    story.tell("statement.withdrawn", position=position, reason="x", by="service:desk", token="token:desk")
    assert violated(story) == []


def test_a_runner_of_very_many_runs_costs_no_more_than_a_new_one() -> None:
    story = Story()
    for number in range(COMPARED + 3):
        start(story, str(number))
        finish(story, str(number))
    row = story.row(runners, "r-7")
    assert (row.runs, len(row.latest)) == (COMPARED + 3, COMPARED)
    assert len(story.row(pipeline_runs, f"{COMPARED + 2}#1").beside) == COMPARED - 1


def test_runs_of_nobody_in_particular_push_another_tenants_out_of_no_sight() -> None:
    story = Story()
    start(story, "1")
    for number in range(COMPARED + 1):
        start(story, f"x{number}", None)
    start(story, "2", "globex")
    assert violated(story) == ["2#1"]


def test_that_somebody_elses_run_is_over_is_told_best_by_whoever_began_it() -> None:
    story = Story()
    start(story, "1", by="service:acme")
    finish(story, "1", by="service:globex")
    start(story, "2", "globex", by="service:globex")
    # As far as is known; the code host tells ends, too.
    assert violated(story) == []
    finish(story, "1", by="service:acme")
    assert violated(story) == ["2#1"]
    # Once that is told, nobody else's word changes it.
    finish(story, "1", by="service:globex")
    assert violated(story) == ["2#1"]


def test_an_end_counts_from_whom_the_policy_lets_say_it() -> None:
    story = Story()
    publish(story, ("role-for", "pipeline_run.finished", "attester"))
    start(story, "1")
    finish(story, "1")
    start(story, "2", "globex")
    assert violated(story) == ["2#1"]


# -- builders ------------------------------------------------------------------------------------------------------------


def test_a_digest_names_an_artifact_and_a_version_does_not() -> None:
    digest = "sha256:" + "0b" * 32
    assert digest_of(digest) == digest_of(f"pkg:oci/api@sha256%3A{'0b' * 32}?arch=arm64") == digest
    assert digest_of("sha512:" + "1" * 128) == "sha512:" + "1" * 128
    by_checksum = "pkg:npm/left-pad@1.3.0?arch=any&checksum=sha1:ad9c,sha512:" + "1" * 128
    assert digest_of(by_checksum) == "sha512:" + "1" * 128
    assert digest_of("pkg:npm/left-pad@1.3.0?checksum=sha1:ad9c") is None
    assert digest_of("pkg:npm/left-pad@1.3.0") is digest_of(None) is digest_of("") is None


def test_what_is_deployed_was_made_by_a_builder_that_the_policy_names() -> None:
    story = ready_to_deploy("normal", ("builder", "prod", "https://builders.example.com/*"))
    assert against(ask(story)) == {"builder-is-allowed": ("insufficient_evidence", "not-built")}
    build(story, "https://laptop.example.com/")
    assert against(ask(story)) == {"builder-is-allowed": ("deny", "other-builder")}
    build(story)
    assert against(ask(story, hours=40)) == {}
    assert against(ask(story, artifact="pkg:npm/x@1.0", hours=40))["builder-is-allowed"] == (
        "insufficient_evidence",
        "not-said",
    )
    assert story.row(builds, ARTIFACT).made[-1].builder_id == HOSTED


def test_whoever_deploys_says_nothing_of_who_made_it_without_the_power_to() -> None:
    story = ready_to_deploy("normal", ("builder", "prod", HOSTED))
    build(story, by="service:ci")
    assert against(ask(story)) == {"builder-is-allowed": ("insufficient_evidence", "not-built")}
    # Under another name neither: the credential is the deployer's.
    deploy(story, artifact=ARTIFACT)
    deploy(story, "d-2", artifact=ARTIFACT, actor="service:other", by="service:ci")
    assert found(story)["built-by-another-builder"] == ["d-1", "d-2"]
    story = ready_to_deploy("normal", ("builder", "prod", HOSTED))
    enrol(story, "service:ci", types=("pipeline_run.finished",))
    build(story, by="service:ci")
    assert against(ask(story)) == {}


def test_a_builder_that_nobody_names_made_nothing_and_no_policy_asks_for_none() -> None:
    assert against(ask(ready_to_deploy())) == {}
    story = ready_to_deploy("normal", ("builder", "prod", HOSTED))
    build(story, None)
    assert against(ask(story)) == {"builder-is-allowed": ("insufficient_evidence", "not-built")}


def test_who_may_not_say_what_a_run_made_says_nothing() -> None:
    story = ready_to_deploy("normal", ("builder", "prod", HOSTED), ("role-for", "pipeline_run.finished", "attester"))
    build(story)
    assert against(ask(story)) == {"builder-is-allowed": ("insufficient_evidence", "not-built")}
    story.tell("access.granted", actor="person:olga", grant_id="G-a", principal="service:attester",
        principal_kind="service", role="attester", owner="person:olga")  # fmt: skip
    build(story, by="service:attester")
    assert against(ask(story, hours=40)) == {}


def test_of_very_many_statements_about_one_artifact_the_first_and_the_last_are_kept() -> None:
    story = Story()
    for number in range(MAKINGS + 4):
        build(story, run=str(number))
    row = story.row(builds, ARTIFACT)
    assert ([one.run for one in row.made], row.more) == (["0#1", "11#1"], 10)
    # Nor do very many builders push out the first ones.
    for number in range(MAKINGS + 4):
        build(story, f"https://{number}.example.com", run=f"x{number}")
    row = story.row(builds, ARTIFACT)
    assert (len(row.made), row.made[0].run, row.made[1].run, row.made[-1].run) == (MAKINGS, "0#1", "11#1", "x11#1")


def test_what_was_deployed_and_made_by_another_builder_is_found_and_provenance_afterwards_excuses_nothing() -> None:
    story = ready_to_deploy("normal", ("builder", "prod", HOSTED))
    deploy(story, artifact=ARTIFACT)
    assert found(story)["built-by-another-builder"] == ["d-1"]
    assert "nobody else had told what made it" in finding(story, "built-by-another-builder", "d-1").says
    build(story)
    assert found(story)["built-by-another-builder"] == ["d-1"]
    deploy(story, "d-2", artifact=ARTIFACT)
    deploy(story, "d-3", environment="staging")
    assert found(story)["built-by-another-builder"] == ["d-1"]
    # Who says nothing of the artifact gets no better answer.
    deploy(story, "d-4", artifact=None)
    assert found(story)["built-by-another-builder"] == ["d-1", "d-4"]
    assert "what it does not name" in finding(story, "built-by-another-builder", "d-4").says


# -- properties ----------------------------------------------------------------------------------------------------------

VERIFIER = "https://verifier.example.com/v1"


def attest(story: Story, verifier: str = VERIFIER, **more: Any) -> int:
    data = {
        "attestation": "sha256:" + "c" * 64,
        "predicate_type": "https://slsa.dev/verification_summary/v1",
        "signature": "not_checked",
        "subjects": 1,
        "artifacts": [ARTIFACT],
        "verdict": "passed",
        "verified_properties": ["SLSA_BUILD_LEVEL_3"],
    }
    return story.tell("attestation.received", verifier=verifier, **data | more)


def asking_for_properties(*more: tuple[str, str, str]) -> Story:
    asked = (
        ("artifact-property", "prod", "SLSA_BUILD_LEVEL_3"),
        ("verifier", "prod", "https://verifier.example.com/*"),
    )
    return ready_to_deploy("normal", *asked, *more)


def test_an_artifact_has_the_properties_that_a_believed_verifier_found_of_it_last() -> None:
    story = asking_for_properties()
    nothing = {"artifact-is-verified": ("insufficient_evidence", "not-verified")}
    assert against(ask(story)) == nothing
    attest(story, "https://somebody.example.com/")
    attest(story, verified_properties=["SLSA_BUILD_LEVEL_2"])
    attest(story, artifacts=["sha256:" + "9" * 64])
    assert against(ask(story, hours=40)) == nothing
    attest(story)
    assert against(ask(story, hours=40)) == {}
    row = story.row(attestations, "sha256:" + "c" * 64)
    assert (row.verifier, row.signature, row.again) == ("https://somebody.example.com/", "not_checked", 2)
    attest(story, verdict="failed")
    assert against(ask(story, hours=40)) == {"artifact-is-verified": ("deny", "failed")}
    attest(story)
    assert against(ask(story, hours=40)) == {}
    assert len(story.row(attested_artifacts, ARTIFACT).verified) == 2
    # What strangers say, however much, pushes it out of nobody's sight.
    for number in range(20):
        attest(story, f"https://{number}.example.com/", by="service:stranger")
    attest(story)
    for number in range(20):
        attest(story, f"https://x{number}.example.com/", by="service:stranger")
    assert against(ask(story, hours=90)) == {}


def test_neither_who_made_it_nor_who_deploys_it_verifies_it_or_takes_back_what_another_found() -> None:
    story = asking_for_properties()
    build(story, by="service:builder")
    for by in ("service:ci", "service:builder"):
        attest(story, by=by)
    assert against(ask(story)) == {"artifact-is-verified": ("insufficient_evidence", "not-verified")}
    attest(story, by="service:verifier", verdict="failed")
    attest(story, by="service:ci")
    attest(story, by="service:stranger")
    assert against(ask(story, hours=40)) == {"artifact-is-verified": ("deny", "failed")}
    attest(story, by="service:verifier")
    assert against(ask(story, hours=40)) == {}


def test_a_failed_verification_is_pushed_out_of_nobodys_sight() -> None:
    story = asking_for_properties()
    for number in range(4):
        attest(story, f"https://{number}.example.com/", by="service:stranger")
    attest(story, by="service:verifier", verdict="failed")
    attest(story, "https://verifier.example.com/v2", by="service:other")
    for number in range(20):
        attest(story, f"https://x{number}.example.com/", by="service:stranger")
    assert against(ask(story, hours=90)) == {"artifact-is-verified": ("deny", "failed")}


def test_properties_without_a_verifier_to_believe_are_nobodys_word() -> None:
    story = ready_to_deploy("normal", ("artifact-property", "prod", "SLSA_BUILD_LEVEL_3"))
    attest(story)
    assert against(ask(story)) == {"artifact-is-verified": ("insufficient_evidence", "no-verifier")}
    story = asking_for_properties()
    attest(story)
    asked = against(ask(story, artifact=None))
    assert asked["artifact-is-verified"] == ("insufficient_evidence", "not-said")


def test_what_a_verifier_found_counts_from_whom_the_policy_lets_say_it() -> None:
    story = asking_for_properties(("role-for", "attestation.received", "attester"))
    attest(story)
    assert against(ask(story)) == {"artifact-is-verified": ("insufficient_evidence", "not-verified")}


def test_a_signature_counts_as_checked_where_the_door_says_so_and_by_the_enrolment_of_its_key() -> None:
    story = asking_for_properties(("role-for", "attestation.received", "attester"))
    checked = {"signature": "checked", "checked_by": "7" * 64}
    attest(story, **checked)
    row = story.row(attestations, "sha256:" + "c" * 64)
    assert (row.signature, row.checked_by) == ("not_checked", None)
    assert against(ask(story)) == {"artifact-is-verified": ("insufficient_evidence", "not-verified")}
    story.tell(
        "ledger.source_enrolled", source="test", door="in-toto", principal="service:verifier", must_sign=False,
        credential="envelope:0b31", types=["attestation.received"], envelope_keys=["MCowBQYDK2VwAyEA"],
    )  # fmt: skip
    attest(story, by="service:verifier", token="envelope:0b31", **checked)
    assert against(ask(story, hours=40)) == {}
    row = story.row(attestations, "sha256:" + "c" * 64)
    assert (row.signature, row.checked_by, row.again) == ("checked", "7" * 64, 1)


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_runs_that_are_not_kept_apart(year: Year) -> set[str]:
    """Two tenants at a time, and a runner for one run that is used again; beside them, two tenants one after the other."""
    begin = START + 50 * DAY
    for run, tenant, runner, hours, ephemeral in (
        ("apart-1", "acme", "shared", 0, None),
        ("apart-2", "globex", "shared", 3, None),
        ("beside-1", "acme", "crowded", 0, None),
        ("beside-2", "globex", "crowded", 1, None),
        ("once-1", "acme", "fresh", 0, True),
        ("once-2", "acme", "fresh", 5, True),
    ):
        at = begin + hours * HOUR
        year.say(at, "pipeline_run.started", run_id=run, tenant=tenant, runner_id=runner, ephemeral=ephemeral)
        year.say(at + 2 * HOUR, "pipeline_run.finished", run_id=run, outcome="success")
    year.say(begin + 9 * HOUR, "pipeline_run.finished", run_id="once-1", outcome="failure")
    return {"isolation-violated/beside-2#1", "isolation-violated/once-2#1", "run-stated-otherwise/once-1#1"}


def plant_what_was_made_by_another_builder(year: Year) -> set[str]:
    """In one environment a builder is asked for: what it made is deployed there, and what a laptop made."""
    year.settings.append(("builder", "qa-edge", HOSTED))
    begin = START + 51 * DAY
    for number, builder in enumerate((HOSTED, "https://laptop.example.com/")):
        digest = year.digest()
        where: dict[str, Any] = {"deployment_id": f"edge-{number}", "service": "edge", "environment": "qa-edge"}
        year.say(begin, "pipeline_run.finished", run_id=f"edge-{number}", builder_id=builder, artifacts=[digest],
            started_at=stamp(begin - HOUR), by="service:builder")  # fmt: skip
        year.say(begin + HOUR, "deployment.finished", **where, artifact=digest, outcome="success")
    return {"built-by-another-builder/edge-1", "policy-believes-anybody/change-approval"}
