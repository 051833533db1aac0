"""3.6 Scanning for secrets and policy breaches: a secret that was found is rotated before anything else goes out.

What policies as code find is a result of a scan (2.4), whichever tool says so: it stands until a later scan does not find it, or somebody
else disposes of it. A secret is another matter: that it is deleted changes nothing about who read it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.events import ref
from ledger.events.finding import FindingDisposed
from ledger.events.secret import SecretDetected, SecretRotated
from projections.engine.finding import Breach
from projections.engine.reads import Look
from projections.engine.view import Around, Moment, Reads
from projections.judging.able import may
from projections.judging.findings import finding, positions_of
from projections.judging.gate_rule import Question, Remedy, Said, gate_rule
from projections.judging.letting import let_pass, was_let_pass_since
from projections.judging.of_acts import finding_of_acts
from projections.practices.practice import Practice
from projections.readings.changes.code import code_changes
from projections.readings.changes.commits import commit_of
from projections.readings.delivery.deployments import Deployment
from projections.readings.environments.environments import names_for
from projections.readings.infrastructure.secrets import SEVERAL, Secret, is_in, open_at, secrets, state_of
from projections.readings.people.imports import instants_of
from projections.readings.people.policies import InForce, in_force
from projections.readings.people.settings import Words
from projections.readings.people.speaking import clocks_of
from projections.rules.words import listed

PRACTICE: Final = Practice("3.6", "Scanning for secrets and policy breaches", views=(secrets,))
SECRET_GATE: Final = Words(
    "secret-gate",
    "whether secrets that were found must be rotated before a service is deployed",
    applies_to="service or environment",
    choices=("required", "optional"),
    default=("optional",),
)


# How many secrets of a service, or a repository, are looked at: those that were found last.
LATEST: Final = 200


def _where(row: Secret) -> str:
    of = listed(row.repositories or row.services)
    return " ".join(filter(None, (f"in {of}" if of else "", f"in {row.path}" if row.path else ""))) or "somewhere"


@finding(secrets, severity="high", version=3)
def secret_not_rotated(row: Secret, look: Look) -> Breach | None:
    """A secret was found where it may be read, and nobody rotated it after that. That it was deleted ends nothing."""
    state = state_of(look, row)
    if row.opened is None or state.closed is not None:
        return None
    words = f"{row.tool} found {row.rule} {_where(row)} at {row.opened.at}, and it was not rotated after that"
    if state.too_early is not None:
        words += f"; it was said to be rotated at {state.too_early.at}"
    if state.by_who_may_not is not None:
        said = state.by_who_may_not
        words += f"; {said.speaker} says that it was at {said.at}, and may not close it"
    return Breach(words, positions_of(row.opened.position))


@finding(secrets, severity="low")
def rotated_secret_found_again(row: Secret, look: Look) -> Breach | None:
    """A secret was found after it had been rotated, and only its place names it: it is the old one, or another in its place."""
    state = state_of(look, row)
    if state.again is None or state.closed is None:
        return None
    words = f"{row.tool} found {row.rule} {_where(row)} at {state.again.at}, after it was rotated at {state.closed.at}"
    return Breach(f"{words}: it may be another one", positions_of(state.closed.position, state.again.position))


@finding_of_acts(severity="high", version=3)
def deployed_with_an_open_secret(row: Deployment, look: Look) -> Breach | None:
    """Something was deployed while a secret of it had been found and not rotated, nor let pass by somebody else; where the policy asks.

    What is rotated afterwards excuses nothing.
    """
    for act in row.acts:
        if act.is_history or act.service is None or act.environment is None:
            continue
        for instant in instants_of(look, act):
            then, clocks = look.at(instant.at), clocks_of(look, instant.at)
            if not _is_asked_for(then, in_force(then, instant.at), act.service, act.environment, instant.at):
                continue
            for one in _found_in(then, act.service, _repositories(look, act.service, act.commits), act.position):
                since = open_at(look, one, instant, clocks)
                if since is None or was_let_pass_since(look, "secret-not-rotated", one.secret, since, instant, clocks):
                    continue
                words = f"{row.deployment_id} put {act.service} into {act.environment} at {act.at}"
                known = f"{one.rule} had been found {_where(one)} at {since.at}, and was not rotated by then"
                return Breach(f"{words}: {known}", positions_of(since.position, act.position))
    return None


def _found_in(reads: Reads, service: str, repositories: Iterable[str], position: int | None = None) -> list[Secret]:
    """Return the secrets that were ever found in a service, or in some repositories, in the order of their names: those found last, or
    around a position.
    """
    limit = LATEST if position is None else Around(position, LATEST)
    abouts = (ref("service", service), *(ref("repository", name) for name in repositories))
    found = (row for about in abouts for row in reads.named(secrets, SecretDetected, about, limit=limit))
    return sorted({row.secret: row for row in found}.values(), key=lambda row: row.secret)


def _repositories(look: Look, service: str, commits: Iterable[str]) -> list[str]:
    """Return the repositories that some commits are of; a code host calls a service as its repository, where nobody says otherwise."""
    names = {service}
    for key in (key for commit in commits for key in commit_of(look, commit).code_changes):
        code = look.row(code_changes, key)
        names |= {code.repository} if code is not None and code.repository is not None else set()
    return sorted(names)


def _is_asked_for(reads: Reads, policy: InForce, service: str, environment: str, at: Moment) -> bool:
    return "required" in policy.words(SECRET_GATE, service, *names_for(reads, policy, environment, at))


def _open_in(question: Question, look: Look) -> Iterator[Secret]:
    """Yield the secrets that are open in a service, and in the repositories that the commit is of."""
    service = question.service or ""
    yield from look.where(secrets, "open_in_service", service)
    yield from (row for row in look.where(secrets, "open_in_service", SEVERAL) if is_in(row.services, service))
    names = _repositories(look, service, (question.commit,) if question.commit is not None else ())
    for name in names:
        yield from look.where(secrets, "open_in_repository", name)
    several = look.where(secrets, "open_in_repository", SEVERAL)
    yield from (row for row in several if any(is_in(row.repositories, name) for name in names))


@gate_rule(
    version=3,
    remedies={
        "open-secrets": Remedy(
            "each secret is rotated (secret.rotated); or somebody else finds that it is not a secret (finding.disposed)",
            lambda question, look, policy: {
                *may(SecretRotated)(question, look, policy),
                *may(FindingDisposed)(question, look, policy),
            },
        )
    },
)
def secrets_are_rotated(question: Question, look: Look, policy: InForce) -> Said:
    """Every secret that was found in the service, or in the repository of the commit, was rotated after that; where the policy asks."""
    if question.environment is None or question.service is None:
        return "insufficient_evidence", "not-said", "expected an environment and a service in the question", ()
    if not _is_asked_for(look, policy, question.service, question.environment, question.asked_at):
        return "allow", "not-asked-for", "the policy does not ask for secrets", ()
    found = {row.secret: row for row in _open_in(question, look)}
    used: list[int | None] = []
    still: list[Secret] = []
    for key, row in sorted(found.items()):
        position = let_pass(look, "secret-not-rotated", key)
        used.append(position if position is not None else row.opened.position if row.opened is not None else None)
        still += [row] if position is None else []
        # What is told are the first ten: nobody looks further, and the answer rests on no more.
        if len(still) == 10:
            break
    if not still:
        return "allow", "rotated", f"no secret is known to be open in {question.service}", used
    words = listed(f"{row.rule} {_where(row)}" for row in still)
    return "deny", "open-secrets", f"secrets were found and not rotated: {words}", used
