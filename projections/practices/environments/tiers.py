"""4.2 Production-like staging, and sensitivity of data: what an environment is for, how like production it is, what data it has.

What every environment is for is declared, or told by its name. Staging is compared with production, and what differs has a reason:
somebody accepts the finding that it is. Sensitive data goes where no production is when somebody else than whoever loads it verified
that it is masked, and let it. Longer than other files because the practice has these two halves.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.conditions import AFTER_ALL
from ledger.events.dataset import DatasetClassified, DatasetLoadApproved, DatasetMaskingVerified
from ledger.events.deployment import DeploymentFinished
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Moment, Reads, later
from projections.judging.able import both, holding, may, whoever_asks
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.practices.practice import Practice
from projections.readings.delivery.deployments import Deployment, deployments
from projections.readings.environments.datasets import (
    DataLoad,
    Dataset,
    Load,
    LoadApproval,
    Masking,
    data_loads,
    datasets,
)
from projections.readings.environments.environments import (
    NOT_PRODUCTION_NAMES,
    PRODUCTION_NAMES,
    Environment,
    environments,
    is_known,
    is_production,
    names_for,
    names_of,
    same_environment,
    tier_of,
)
from projections.readings.environments.named import NamedEnvironment, named_environments
from projections.readings.environments.parity import (
    Differing,
    Parity,
    comparisons_of,
    config_differences,
    parity,
)
from projections.readings.people.identities import person_of
from projections.readings.people.imports import instants_of, is_history
from projections.readings.people.policies import InForce, in_force, in_force_now
from projections.readings.people.powers import fault_of_speaker, persons_behind
from projections.readings.people.replacing import has_power, standing
from projections.readings.people.settings import Number, Words
from projections.readings.people.speaking import clocks_of
from projections.readings.people.voices import Spoken, has_root_power
from projections.rules.environments import PRODUCTION
from projections.rules.leave import FOR_EVER, Instant, was_there
from projections.rules.words import listed

PARITY_PERCENT: Final = Number(
    "parity-percent",
    "how many of a hundred keys of its configuration staging has in common with production at least",
    applies_to="environment",
    zero="no limit",
)
PARITY_DAYS: Final = Number(
    "parity-days",
    "how many days ago staging must have been compared with production at most",
    applies_to="environment",
    zero="no limit",
)
DATA_CLASSES: Final = Words(
    "data-classes",
    "how sensitive data may be, the least first; what is not one of these is more sensitive than all",
    is_several=True,
    default=("public", "internal", "confidential", "restricted"),
)
MASKED_FROM: Final = Words(
    "masked-from",
    "from which class on data is masked, and its load approved, where it is not production",
    applies_to="environment",
    default=("confidential",),
)
PRACTICE: Final = Practice(
    "4.2",
    "Production-like staging, and sensitivity of data",
    views=(environments, named_environments, parity, config_differences, datasets, data_loads),
    settings=(NOT_PRODUCTION_NAMES, PRODUCTION_NAMES),
)


@finding(named_environments, severity="medium")
def environment_not_declared(row: NamedEnvironment, look: Look) -> Breach | None:
    """Something was deployed to an environment of which nobody declared what it is for, and whose name does not say it."""
    if not row.spellings or is_known(look, row.name):
        return None
    names = listed(spelling.name for spelling in row.spellings)
    return Breach(f"nobody declared what the environment {names} is for; until then it is judged as production")


@finding(deployments, severity="medium")
def environment_not_said(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed, and nobody said where for longer than evidence may take: no rule about production knows of it. It ends when
    whoever told of it first says where, or whoever has the power to.
    """
    # Where something was promoted to says not where it had been put.
    told = [report for report in row.reports if not report.is_history and report.kind != "promoted"]
    told.sort(key=lambda report: report.said.position)
    if not told:
        return None
    first = told[0].said
    until = later(first.recorded_at, minutes=clocks_of(look, first.at).lag_s // 60)
    # Asked before the time is: of what is said nothing is waited for.
    is_said = any(
        report.said.recorded_at <= until
        or report.said.principal == first.principal
        or has_root_power(look, DeploymentFinished.type, report.said)
        for report in told
        if report.environment is not None
    )
    if is_said or not look.has_come(until):
        return None
    return Breach(f"{first.speaker} told of {row.deployment_id}, and not where that was", positions_of(first.position))


# -- staging as production -----------------------------------------------------------------------------------------------


def _staging_of(one: str, other: str, at: Moment, reads: Reads) -> str | None:
    """Return which of two environments is staging, where the other is production; None where they are not that."""
    tiers = {tier_of(reads, name, at): name for name in (one, other)}
    return tiers["staging"] if set(tiers) == {"staging", PRODUCTION} else None


@finding(config_differences, severity="medium", version=2)
def difference_unexplained(row: Differing, look: Look) -> Breach | None:
    """Staging and production differ in a key of their configuration, and nobody gave a reason: that is to accept this finding."""
    if row.pair is None:
        return None
    one, _, other = row.pair.partition("#")
    found = [
        (told, differing)
        for told in comparisons_of(look, one, other, FOR_EVER)
        if told.pair == row.pair
        for differing in told.comparison.differences
        if differing.name == row.name and _staging_of(one, other, told.said.at, look) is not None
    ]
    if not found:
        return None
    said, differing = found[-1]
    sides = [name for name, value in ((one, differing.here), (other, differing.there)) if value is not None]
    how = f"is only in {sides[0]}, and not in" if len(sides) == 1 else f"is another in {one} than in"
    away = next((name for name in (one, other) if name not in sides), other)
    return Breach(f"{row.name} {how} {away}", positions_of(said.said.position))


@finding(parity, severity="low", version=2)
def parity_too_low(row: Parity, look: Look) -> Breach | None:
    """Staging has less in common with production than the policy asks for."""
    if row.one is None or row.other is None:
        return None
    policy = in_force_now(look)
    for told in reversed(comparisons_of(look, row.one, row.other, FOR_EVER)):
        staging, percent = _staging_of(row.one, row.other, told.said.at, look), told.comparison.percent
        least = policy.number(PARITY_PERCENT, *names_for(look, policy, staging, told.said.at))
        if told.pair == row.pair and staging is not None and percent < least:
            words = f"{row.one} and {row.other} have {percent} of a hundred keys in common, the policy asks for {least}"
            return Breach(words, positions_of(told.said.position))
    return None


@finding(environments, severity="low")
def parity_not_compared(row: Environment, look: Look) -> Breach | None:
    """Staging was not compared with production for longer than the policy allows."""
    if row.tier != "staging" or row.alias_of is not None or row.declared_at is None:
        return None
    policy, names = in_force_now(look), names_of(look, row.name, FOR_EVER)
    days = policy.number(PARITY_DAYS, *names_for(look, policy, row.name, row.declared_at))
    if not days or tier_of(look, row.name, FOR_EVER) != "staging":
        return None
    last = max(_compared_at(names, look), default="")
    due = later(max(last, row.declared_at), days=days)
    if not look.has_come(due):
        return None
    since = f"since {last}" if last else "yet"
    return Breach(f"{row.name} was not compared with production {since}, due at {due}")


def _compared_at(names: Iterable[str], look: Look) -> Iterator[Moment]:
    """Yield when staging was compared with production last, for each production that it was compared with."""
    for name in names:
        for row in (*look.where(parity, "one", name), *look.where(parity, "other", name)):
            one, other = row.one or "", row.other or ""
            for told in comparisons_of(look, one, other, FOR_EVER)[-1:]:
                if _staging_of(one, other, told.said.at, look) is not None:
                    yield told.said.at


# -- data ----------------------------------------------------------------------------------------------------------------


def _level(policy: InForce, classification: str) -> int:
    """Return how sensitive a class is: its place in the policy's order, and the highest for what has none."""
    order = policy.words(DATA_CLASSES)
    return order.index(classification) if classification in order else len(order)


def _by_others(said: Spoken, event_type: str, loaders: set[str], reads: Reads, environment: str | None = None) -> bool:
    """Say whether something counts, and by none of those who load."""
    return not fault_of_speaker(reads, event_type, said, environment) and not persons_behind(reads, said) & loaders


def _class_of(
    row: Dataset | None, masked_from: str, loaders: set[str], instant: Instant, policy: InForce, reads: Reads
) -> str | None:
    """Return how sensitive data is, as others than whoever loads it say: the strictest that stood by then, or came late.

    That it is sensitive, anybody may say; that it is not, who has the power to.
    """
    told = [
        one
        for one in (row.classifications if row is not None else ())
        if one.said.at <= instant.at and _by_others(one.said, "dataset.classified", loaders, reads)
    ]
    clocks = clocks_of(reads, instant.at)
    then = [one for one in told if was_there(one.said, instant, clocks)]
    said = [*standing(reads, "dataset.classified", then), *(one for one in told if one not in then)]
    found = max((one.classification for one in said), key=lambda c: _level(policy, c), default=None)
    if found is not None and _level(policy, found) < _level(policy, masked_from):
        return found if any(has_power(reads, DatasetClassified.type, one.said) for one in said) else None
    return found


def _lacking(
    row: Dataset | None, environment: str, loaders: set[str], instant: Instant, load: Load | None, reads: Reads
) -> tuple[list[str], list[int]]:
    """Say what sensitive data lacks to be loaded somewhere: that it is masked, and that somebody let it; and the entries of both."""
    masking = next(reversed(_maskings(row, loaders, instant, load, reads)), None)
    approval = next(reversed(_approvals(row, environment, loaders, instant, reads)), None)
    lacking = [] if masking is not None else ["nobody else had verified that it is masked"]
    lacking += [] if approval is not None else ["nobody else had let it be loaded there"]
    return lacking, [one.said.position for one in (masking, approval) if one is not None]


def _maskings(
    row: Dataset | None, loaders: set[str], instant: Instant, load: Load | None, reads: Reads
) -> list[Masking]:
    clocks = clocks_of(reads, instant.at)
    return [
        one
        for one in (row.maskings if row is not None else ())
        if was_there(one.said, instant, clocks)
        and _by_others(one.said, "dataset.masking_verified", loaders, reads)
        and (load is None or _is_of(one, load))
    ]


def _is_of(masking: Masking, load: Load) -> bool:
    """Say whether what was verified is what was loaded: by the job that made it, and by its digest where both say one."""
    return load.job_digest == masking.job_digest and (
        None in (load.digest, masking.digest) or load.digest == masking.digest
    )


def _approvals(
    row: Dataset | None, environment: str, loaders: set[str], instant: Instant, reads: Reads
) -> list[LoadApproval]:
    clocks = clocks_of(reads, instant.at)
    return [
        one
        for one in (row.approvals if row is not None else ())
        if was_there(one.said, instant, clocks)
        and (one.expires_at is None or instant.at <= one.expires_at)
        and same_environment(reads, one.environment, environment, instant.at)
        and _by_others(
            one.said, "dataset.load_approved", {*loaders, person_of(reads, one.requester)}, reads, one.environment
        )
    ]


@finding(data_loads, severity="high", version=3)
def sensitive_data_loaded(row: DataLoad, look: Look) -> Breach | None:
    """Sensitive data was loaded where no production is, and nobody else had verified that it is masked, or had let it."""
    for load in row.loads:
        if is_history(look, load.said):
            continue
        for instant in instants_of(look, load.said):
            lacking, used = _lacking_for(load, instant, look)
            if lacking:
                where = f"{load.dataset_id} was loaded into {load.environment} at {load.said.at}"
                return Breach(f"{where}, and {' and '.join(lacking)}", positions_of(load.said.position, *used))
    return None


def _lacking_for(load: Load, instant: Instant, look: Look) -> tuple[list[str], list[int]]:
    """Say what a load lacks at an instant, and the entries that speak for it; nothing where its data is not sensitive there."""
    loaders, dataset, then = persons_behind(look, load.said), look.row(datasets, load.dataset_id), look.at(instant.at)
    policy = in_force(then, instant.at)
    if is_production(then, load.environment, instant.at, by=load.said.speaker):
        return [], []
    masked_from = policy.words(MASKED_FROM, *names_for(then, policy, load.environment, instant.at))[0]
    known = _class_of(dataset, masked_from, loaders, instant, policy, look)
    levels = [_level(policy, one) for one in (known, load.classification) if one is not None]
    if known is None and load.source is not None and is_production(then, load.source, instant.at):
        # What comes from production is sensitive until somebody else, who has the power to, says that it is not.
        levels.append(_level(policy, ""))
    if not levels or max(levels) < _level(policy, masked_from):
        return [], []
    return _lacking(dataset, load.environment, loaders, instant, load, look)


@gate_rule(
    version=3,
    remedies={
        "not-classified": Remedy(
            "somebody else than who loads it says how sensitive the dataset is (dataset.classified); that it is not, who has the power to: "
            "an operator, a source enrolled for it, or in the role that the policy names (role-for)",
            holding(DatasetClassified, but=whoever_asks),
        ),
        "": Remedy(
            "the dataset is masked (dataset.masking_verified), and somebody else approves the load (dataset.load_approved)",
            both(may(DatasetLoadApproved, but=whoever_asks), holding(DatasetMaskingVerified, but=whoever_asks)),
        ),
    },
)
def data_may_be_loaded(question: Question, look: Look, policy: InForce) -> Said:
    """Sensitive data is masked and its load approved by others than whoever loads it; nobody needs that in production."""
    if question.dataset_id is None or question.environment is None or question.actor is None:
        return (
            "insufficient_evidence",
            "not-said",
            "expected a dataset, an environment and an actor in the question",
            (),
        )
    asked_at, environment = question.asked_at, question.environment
    if is_production(look, environment, asked_at):
        return "allow", "production", f"{environment} is production", ()
    row, loaders = look.row(datasets, question.dataset_id), {person_of(look, question.actor)}
    now = Instant(asked_at, FOR_EVER, AFTER_ALL)
    masked_from = policy.words(MASKED_FROM, *names_for(look, policy, environment, asked_at))[0]
    known = _class_of(row, masked_from, loaders, now, policy, look)
    if row is None or known is None:
        words = f"nobody else said how sensitive {question.dataset_id} is, or that it is not, with the power to"
        return "insufficient_evidence", "not-classified", words, ()
    used = [one.said.position for one in row.classifications if one.classification == known]
    if _level(policy, known) < _level(policy, masked_from):
        return "allow", "not-sensitive", f"{question.dataset_id} is {known}", used
    lacking, found = _lacking(row, environment, loaders, now, None, look)
    if lacking:
        return "deny", "not-let", f"{question.dataset_id} is {known}, and {' and '.join(lacking)}", [*used, *found]
    return "allow", "let", f"{question.dataset_id} is {known}, masked, and let into {environment}", [*used, *found]
