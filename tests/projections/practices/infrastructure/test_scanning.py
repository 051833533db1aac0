"""3.6 Scanning for secrets and policy breaches: given these secrets, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, deployed, ready_to_deploy
from changes import finding, found
from people import enrol
from telling import Story, at
from year import DAY, HOUR, START, Year

from projections.readings.infrastructure.secrets import PLACES, secrets

PRINT, OTHER = "sha256:" + "5" * 64, "sha256:" + "6" * 64
COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"
RULE = "secret-not-rotated"


def detect(story: Story, name: str = PRINT, **more: Any) -> int:
    data = {"tool": "gitleaks", "rule": "aws-access-token", "service": "api", "path": "main.tf"} | more
    return story.tell("secret.detected", secret=name, **{k: v for k, v in data.items() if v is not None})


def rotate(story: Story, name: str = PRINT, who: str = "person:bob", **more: Any) -> int:
    return story.tell("secret.rotated", actor=who, secret=name, **more)


def asked(*settings: tuple[str, str, str]) -> Story:
    """A change that may be deployed where the policy asks for secrets."""
    return ready_to_deploy("normal", ("secret-gate", "prod", "required"), ("quorum", "any", "1"), *settings)


def answer(story: Story, **more: Any) -> Any:
    return against(ask(story, hours=60, **more)).get("secrets-are-rotated")


def test_a_secret_blocks_until_it_is_rotated_after_it_was_found() -> None:
    story = asked()
    assert answer(story) is None
    rotate(story)
    position = detect(story)
    assert answer(story) == ("deny", "open-secrets")
    assert found(story)[RULE] == [PRINT]
    assert finding(story, RULE, PRINT).positions == (position,)
    assert "it was said to be rotated at" in finding(story, RULE, PRINT).says
    row = story.row(secrets, PRINT)
    assert (row.rule, row.is_open, row.open_in_service) == ("aws-access-token", True, "api")
    rotate(story)
    assert answer(story) is None
    assert RULE not in found(story)
    row = story.row(secrets, PRINT)
    assert (row.is_open, row.open_in_service, row.rotations[-1].speaker) == (False, None, "person:bob")


@pytest.mark.parametrize(
    ("more", "is_open"),
    [
        ({}, False),
        # As of before it was found, whenever that is told.
        ({"time": at(1)}, True),
        ({"name": OTHER}, True),
        ({"by": "service:desk"}, True),
    ],
)
def test_a_rotation_counts_after_it_was_found_of_this_secret_and_by_who_may_say_so(
    more: dict[str, Any], is_open: bool
) -> None:
    story = Story()
    story.tell("ledger.time_passed", until=at(0))
    detect(story)
    rotate(story, **more)
    assert (RULE in found(story)) is is_open
    assert ("spoken-for-another" in found(story)) is ("by" in more)


def test_a_machine_closes_what_it_found_itself_or_is_enrolled_for() -> None:
    story = Story()
    detect(story)
    # Finding it once more makes nobody the one who found it.
    rotate(story, who="service:ci")
    detect(story, by="service:ci", again=True)
    rotate(story, who="service:ci")
    assert found(story)[RULE] == [PRINT]
    assert "service:ci says that it was at" in finding(story, RULE, PRINT).says
    rotate(story, who="service:desk")
    assert RULE not in found(story)
    for other in ("person:carol", "service:vault"):
        story = Story()
        enrol(story, "service:vault", types=("secret.rotated",))
        detect(story)
        rotate(story, who=other)
        assert RULE not in found(story)


def test_a_rotated_secret_that_is_found_again_is_the_same_unless_its_place_alone_names_it() -> None:
    story = asked()
    for name, by_place in ((PRINT, False), (OTHER, True)):
        detect(story, name, by_place=by_place)
        rotate(story, name)
        detect(story, name, by_place=by_place)
    assert RULE not in found(story)
    assert found(story)["rotated-secret-found-again"] == [OTHER]
    assert answer(story) is None
    # Rotated once more, nobody doubts it.
    rotate(story, OTHER)
    assert "rotated-secret-found-again" not in found(story)
    # Somebody looked, and it opens something still.
    detect(story, again=True)
    assert found(story)[RULE] == [PRINT]
    assert answer(story) == ("deny", "open-secrets")
    rotate(story)
    assert RULE not in found(story)


def test_a_secret_blocks_the_service_and_the_repository_that_it_is_of_and_no_other() -> None:
    story = asked()
    detect(story, service="web")
    assert answer(story) is None
    detect(story, OTHER, service=None, repository="acme/api")
    assert answer(story, commit=COMMIT) is None
    assert answer(story, service="acme/api") == ("deny", "open-secrets")
    code = {"repository": "acme/api", "pull_request": 4, "head_sha": COMMIT, "merge_sha": COMMIT, "branch": "main"}
    story.tell("code.merged", actor="person:alice", **code)
    assert answer(story, commit=COMMIT) == ("deny", "open-secrets")
    # Whoever told it first left out of which service it is.
    story = asked()
    detect(story, service=None)
    detect(story)
    assert answer(story) == ("deny", "open-secrets")


def test_a_secret_blocks_everywhere_that_it_was_found_whoever_told_of_it_first() -> None:
    story = asked()
    detect(story, service="web", repository="acme/web")
    detect(story, service="api", repository="acme/api")
    assert answer(story) == ("deny", "open-secrets")
    assert answer(story, service="web") == ("deny", "open-secrets")
    assert answer(story, service="acme/api") == ("deny", "open-secrets")
    assert answer(story, service="docs") is None
    rotate(story)
    assert answer(story) is None
    # Of so many places that not all are kept, it may be in any.
    for number in range(PLACES + 1):
        detect(story, OTHER, service=f"s-{number}")
    assert answer(story) == ("deny", "open-secrets")


def test_what_is_no_secret_somebody_else_lets_pass() -> None:
    story = asked()
    detect(story)
    said = {"subject": PRINT, "said": finding(story, RULE, PRINT).said}
    data = {"disposition": "false_positive", "rule": RULE, "findings": [said], "reason": {"sha256": "0" * 64}}
    story.tell("finding.disposed", actor="person:olga", **data)
    assert RULE not in found(story)
    assert answer(story) is None


def test_what_the_policy_does_not_ask_for_is_not_asked() -> None:
    story = ready_to_deploy()
    detect(story)
    assert answer(story) is None
    assert found(story)[RULE] == [PRINT]
    assert answer(asked(), service=None) == ("insufficient_evidence", "not-said")


def test_of_many_open_secrets_the_first_ten_are_told() -> None:
    story = asked()
    for number in range(12):
        detect(story, f"sha256:{number:064x}", path=f"{number}.tf")
    decision = ask(story, hours=60)
    [said] = [one for one in decision.answers if one.rule == "secrets-are-rotated"]
    assert said.words.count("aws-access-token") == 10


@pytest.mark.parametrize(
    ("how", "expected"),
    [("open", True), ("rotated", False), ("rotated afterwards", True), ("found afterwards", False), ("let pass", False),
     ("let pass before it was open again", True), ("open again since", True), ("of another service", False),
     ("of the repository", True), ("not asked for", False), ("not production", False)],
)  # fmt: skip
def test_what_is_deployed_while_a_secret_is_open_is_found_whatever_comes_afterwards(how: str, expected: bool) -> None:
    story = asked() if how != "not asked for" else ready_to_deploy()
    if how != "found afterwards":
        place = {"service": "web"} if how == "of another service" else {"service": None, "repository": "acme/api"}
        detect(story, **place if how.startswith("of ") else {})
    if how == "rotated":
        rotate(story)
    if how.startswith("let pass"):
        story.tell("finding.disposed", actor="person:olga", disposition="false_positive", rule=RULE, reason={"sha256": "0" * 64},
            findings=[{"subject": PRINT, "said": finding(story, RULE, PRINT).said}])  # fmt: skip
    if how.endswith("open again"):
        rotate(story)
        detect(story, again=True)
    if how == "of the repository":
        story.tell(
            "code.proposed",
            actor="person:alice",
            repository="acme/api",
            pull_request=7,
            head_sha=COMMIT,
            authors=["person:alice"],
        )
    deployed(story, environment="staging" if how == "not production" else "prod", commit=COMMIT)
    if how == "rotated afterwards":
        rotate(story)
    if how == "found afterwards":
        detect(story)
    if how == "open again since":
        rotate(story)
        detect(story, again=True)
    assert ("deployed-with-an-open-secret" in found(story)) is expected


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_secrets(year: Year) -> set[str]:
    """One that was deleted and not rotated, one that was rotated and is found in the same place again, and one that is rotated for good."""
    at, about = START + 9 * HOUR, {"tool": "trivy", "rule": "private-key", "service": "service-1"}
    for number, is_rotated, again in ((1, False, False), (2, True, True), (3, True, False)):
        name = f"sha256:{number:064x}"
        year.say(at, "secret.detected", **about, secret=name, by_place=True, path="deploy.pem")
        if is_rotated:
            year.say(at + HOUR, "secret.rotated", actor="person:dan", secret=name)
        if again:
            year.say(at + 2 * HOUR, "secret.detected", **about, secret=name, by_place=True, path="deploy.pem")
    # Until they are rotated, all three are found.
    not_rotated = {f"{RULE}/sha256:{number:064x}" for number in (1, 2, 3)}
    return {*not_rotated, f"rotated-secret-found-again/sha256:{2:064x}"}


def plant_a_deployment_while_a_secret_was_open(year: Year) -> set[str]:
    """And neighbours: before it was found, and after it was rotated."""
    year.settings += [("secret-gate", "leaky", "required")]
    name = f"sha256:{4:064x}"
    year.say(START + 10 * DAY, "secret.detected", tool="trivy", rule="private-key", service="leaky", secret=name)
    year.say(START + 12 * DAY, "secret.rotated", actor="person:dan", secret=name)
    for day in (9, 11, 13):
        year.say(START + day * DAY, "deployment.started", actor="service:platform", deployment_id=f"leaky-{day}", service="leaky",
            environment="staging")  # fmt: skip
    return {f"{RULE}/{name}", "deployed-with-an-open-secret/leaky-11"}
