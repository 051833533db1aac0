"""2.6 Isolation of pipeline runs: two tenants do not have one runner at a time, a runner for one run has one, and what is deployed
was made by a builder that the policy knows, and has the properties that it asks for.

A run is a span of time. That a run had ended excuses the next one where it was on record by then; a run whose end nobody told is over
after a day. Of whom nobody says for which tenant they ran, nobody says that they were not kept apart.
"""

from collections.abc import Collection, Iterator
from typing import Final

from ledger.authority import source_matches
from ledger.events.attestation import AttestationReceived
from ledger.events.pipeline_run import PipelineRunFinished
from projections.engine.finding import Breach
from projections.engine.reads import Look, Rows
from projections.engine.view import Moment, later
from projections.judging.able import holding
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.of_acts import finding_of_acts
from projections.practices.practice import Practice
from projections.readings.delivery.acts import Act
from projections.readings.delivery.deployments import Deployment
from projections.readings.environments.environments import names_for
from projections.readings.people.identities import person_of
from projections.readings.people.imports import instants_of, is_history
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.replacing import acquits, standing
from projections.readings.people.settings import Words
from projections.readings.people.sources import sources_of
from projections.readings.people.speaking import clocks_of
from projections.readings.pipelines.attestations import Verified, attestations, attested_artifacts
from projections.readings.pipelines.runs import Making, Run, builds, pipeline_runs, runners
from projections.rules.artifacts import digest_of
from projections.rules.leave import Instant, was_there
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "2.6",
    "Isolation of pipeline runs",
    views=(pipeline_runs, runners, builds, attestations, attested_artifacts),
)
BUILDER: Final = Words(
    "builder",
    "a builder that may have made what is deployed: its URI, or the beginning of it and *",
    applies_to="environment",
    is_several=True,
    nothing="none is asked for",
)
ARTIFACT_PROPERTY: Final = Words(
    "artifact-property",
    "a property that a verifier must have found of what is deployed, such as SLSA_BUILD_LEVEL_3",
    applies_to="environment",
    is_several=True,
    nothing="none is asked for",
)
VERIFIER: Final = Words(
    "verifier",
    "a verifier that is believed about properties of artifacts: its URI, or the beginning of it and *",
    applies_to="environment",
    is_several=True,
    nothing="none is believed",
)
# After so many hours a run whose end nobody told is over.
RUN_HOURS: Final = 24


# -- runs ----------------------------------------------------------------------------------------------------------------


@finding(pipeline_runs, severity="high", version=2)
def isolation_violated(row: Run, look: Look) -> Breach | None:
    """A run had a runner that another tenant's run still had, or one that is made for one run alone and had another before."""
    if row.began is None or row.runner_id is None or is_history(look, row.began):
        return None
    found = [(words, other) for other in _beside(row, look) if (words := _disturbed_by(row, other, look))]
    if not found:
        return None
    first = f"{_called(row)} ran on {row.runner_id} at {row.began.at}"
    told = (other.began.position for _, other in found if other.began is not None)
    return Breach(f"{first}: {listed(words for words, _ in found)}", positions_of(row.began.position, *told))


def _beside(row: Run, look: Look) -> Iterator[Run]:
    """Yield the runs that the same runner had, as far as they are held against this one."""
    for name in row.beside:
        other = look.row(pipeline_runs, name)
        if other is not None and other.began is not None and other.runner_id == row.runner_id:
            yield other


def _disturbed_by(row: Run, other: Run, look: Look) -> str:
    """Say how another run of the same runner was not kept apart from this one, or ""."""
    if (
        row.tenant is not None
        and other.tenant is not None
        and row.tenant != other.tenant
        and _overlap(row, other, look)
    ):
        return f"{_called(other)} of another tenant, {other.tenant}, had it at {_first(other)}"
    if row.ephemeral or other.ephemeral:
        return f"it is made for one run, and {_called(other)} had it at {_first(other)}"
    return ""


def _overlap(one: Run, other: Run, look: Look) -> bool:
    """Say whether two runs were there at one time: whichever began last, the other's end was not on record by then."""
    if one.began is None or other.began is None:
        return False
    first, last = sorted((one, other), key=lambda run: (_first(run), run.run))
    if last.began is None:
        return False
    is_over = last.began.at >= later(_first(first), hours=RUN_HOURS)
    if first.ended is None or fault_of_speaker(look, PipelineRunFinished.type, first.ended):
        return not is_over
    instant = instants_of(look, last.began)[0]
    if was_there(first.ended, instant, clocks_of(look, instant.at)):
        return False
    # An end that is told days afterwards makes nothing worse than if nobody had told it.
    return not is_over or first.ended.at > last.began.at


def _first(row: Run) -> Moment:
    """Return when a run was there first."""
    return row.began.at if row.began is not None else ""


def _called(row: Run) -> str:
    job = f" of run {row.run_id}" if row.job is not None else ""
    return f"{row.job or f'run {row.run_id}'}{job}" + (f" for {row.tenant}" if row.tenant is not None else "")


@finding(pipeline_runs, severity="low")
def run_stated_otherwise(row: Run, look: Look) -> Breach | None:
    """Somebody said otherwise where a run ran, for whom, by which builder, or how it ended. What was said first stays."""
    if not row.again or (row.began is None and row.ended is None):
        return None
    words = listed(f"{said.speaker} at {said.recorded_at}" for said in row.again)
    return Breach(f"{_called(row)} was told otherwise by {words}", positions_of(*(said.position for said in row.again)))


# -- what they made ------------------------------------------------------------------------------------------------------


def _makings(
    reads: Rows, artifact: str | None, instant: Instant | None, at: str, deployers: Collection[str]
) -> list[Making]:
    """Return by which runs something is said to have been made, by whoever may say so: as things stand, or as was on record.

    Whoever deploys it says nothing of who made it, without the power to.
    """
    digest = digest_of(artifact)
    row = reads.row(builds, digest) if digest is not None else None
    clocks = clocks_of(reads, at)
    return [
        making
        for making in (row.made if row is not None else ())
        if making.builder_id is not None
        and (instant is None or was_there(making.said, instant, clocks))
        and acquits(reads, PipelineRunFinished.type, making.said, deployers)
    ]


def _is_by(making: Making, builders: tuple[str, ...]) -> bool:
    return any(source_matches(pattern, making.builder_id or "") for pattern in builders)


@finding_of_acts(severity="high", version=3)
def built_by_another_builder(row: Deployment, look: Look) -> Breach | None:
    """What was deployed was made by no builder that the policy knows, as far as anybody had said by then."""
    for act in row.acts:
        if act.is_history:
            continue
        for instant in instants_of(look, act):
            then = look.at(instant.at)
            policy = in_force(then, instant.at)
            builders = policy.words(BUILDER, *names_for(then, policy, act.environment, instant.at))
            # What names no artifact, nobody knows what made it. What is promoted was deployed before.
            named: tuple[str | None, ...] = act.artifacts or ((None,) if act.kind == "deployment" else ())
            did = _deployers(act, look)
            for artifact in named if builders else ():
                makings = _makings(look, artifact, instant, instant.at, did)
                if any(_is_by(making, builders) for making in makings):
                    continue
                by = listed(dict.fromkeys(making.builder_id or "" for making in makings))
                why = f"{by} made it" if by else "nobody else had told what made it"
                words = f"{row.deployment_id} put {artifact or 'what it does not name'} to {act.environment}: {why}"
                return Breach(words, positions_of(act.position, *(making.said.position for making in makings)))
    return None


def _deployers(act: Act, look: Look) -> set[str]:
    """Return who did something, and who reported it in another's name without being an authority for them; as persons."""
    told_by = sources_of(look, act.reported_by, act.position) if act.reported_by is not None else []
    is_vouched = act.actor is not None and any(
        source_matches(known, act.actor) for _, identities in told_by for known in identities
    )
    who = (act.actor, None if is_vouched else act.reported_by)
    return {person_of(look, name) for name in who if name is not None}


@gate_rule(
    version=2,
    remedies={
        "other-builder": Remedy("the artifact is made by a builder that the policy names, and that is told"),
        "not-built": Remedy(
            "whoever made the artifact, and does not deploy it, tells so (pipeline_run.finished) or posts its provenance; "
            "or a source that is enrolled for that",
            holding(PipelineRunFinished),
        ),
    },
)
def builder_is_allowed(question: Question, look: Look, policy: InForce) -> Said:
    """What is deployed was made by a builder that the policy knows, where it names any."""
    builders = policy.words(BUILDER, *names_for(look, policy, question.environment, question.asked_at))
    if not builders:
        return "allow", "not-asked-for", "the policy names no builder", ()
    if digest_of(question.artifact) is None:
        return "insufficient_evidence", "not-said", "expected an artifact with a digest in the question", ()
    makings = _makings(look, question.artifact, None, question.asked_at, _asking(question, look))
    used = [making.said.position for making in makings]
    if not makings:
        return "insufficient_evidence", "not-built", f"nobody else says what made {question.artifact}", ()
    if good := [making for making in makings if _is_by(making, builders)]:
        return "allow", "built", f"{good[0].builder_id} made it, in run {good[0].run}", used
    by = listed(dict.fromkeys(making.builder_id or "" for making in makings))
    return "deny", "other-builder", f"it was made by {by}", used


@gate_rule(
    version=2,
    remedies={
        "failed": Remedy("what was found is mended, and an artifact is made anew"),
        "no-verifier": Remedy("the policy says whom it believes (`verifier`)"),
        "not-verified": Remedy(
            "a verifier that the policy believes verifies the artifact, and its statement is posted by who neither made "
            "nor deploys it, or by a source that is enrolled for that"
        ),
    },
)
def artifact_is_verified(question: Question, look: Look, policy: InForce) -> Said:
    """Verifiers that the policy believes found the properties of the artifact that it asks for; where it asks for any."""
    names = names_for(look, policy, question.environment, question.asked_at)
    wanted, believed = policy.words(ARTIFACT_PROPERTY, *names), policy.words(VERIFIER, *names)
    if not wanted:
        return "allow", "not-asked-for", "the policy asks for no property of artifacts", ()
    if not believed:
        return "insufficient_evidence", "no-verifier", "the policy asks for properties, and believes no verifier", ()
    digest = digest_of(question.artifact)
    if digest is None:
        return "insufficient_evidence", "not-said", "expected an artifact with a digest in the question", ()
    found = _standing(look, digest, believed)
    used = [one.said.position for one in found]
    if failed := dict.fromkeys(one.verifier for one in found if one.verdict == "failed"):
        return "deny", "failed", f"{listed(failed)} found against {digest}", used
    row = look.row(builds, digest)
    own = set(_asking(question, look)).union(
        *(persons_behind(look, making.said) for making in (row.made if row is not None else ()))
    )
    good = [one for one in found if acquits(look, AttestationReceived.type, one.said, own)]
    missing = [name for name in wanted if not any(name in one.properties for one in good)]
    if missing:
        return "insufficient_evidence", "not-verified", f"nobody else found {listed(missing)} of {digest}", used
    return "allow", "verified", f"{listed(dict.fromkeys(one.verifier for one in good))} found {listed(wanted)}", used


def _asking(question: Question, look: Look) -> set[str]:
    """Return who is going to deploy, as a person, where the question says so."""
    return {person_of(look, question.actor)} if question.actor is not None else set()


def _standing(look: Look, digest: str, believed: tuple[str, ...]) -> list[Verified]:
    """Return what stands of what believed verifiers found of an artifact. One that failed passes by the word of whoever told that, or of
    who has the power to tell.
    """
    row = look.row(attested_artifacts, digest)
    by_verifier: dict[str, list[Verified]] = {}
    for one in row.verified if row is not None else ():
        if any(source_matches(pattern, one.verifier) for pattern in believed):
            by_verifier.setdefault(one.verifier, []).append(one)
    return [one for told in by_verifier.values() for one in standing(look, AttestationReceived.type, told)]
