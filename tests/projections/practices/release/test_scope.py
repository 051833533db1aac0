"""1.2 Release scope over teams: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, define_trigger, refused
from changes import ARTIFACT, OTHER, approve, assess, deploy, finding, found, give, opened, publish, request
from telling import Story, at
from year import HOUR, START, Change, Year

from projections.readings.delivery.releases import release_facts, releases
from projections.readings.delivery.sboms import sboms

R = {"release_id": "R-1"}
DB = "sha256:" + "d" * 64
ASKED = ("release-sign-offs", "production", "required")
API_NEEDS_DB = ({"consumer": "api", "provider": "db"},)


def of_a_release(*settings: tuple[str, str, str]) -> Story:
    """A change of a release of two services, that may be deployed but for the release; owen owns the one, and olive the other."""
    story = opened(release_id="R-1")
    publish(story, *(settings or (ASKED,)))
    define_trigger(story)
    assess(story)
    request(story)
    approve(story)
    for owner, service in (("owen", "api"), ("olive", "db")):
        give(story, kind="human", grant_id=owner, principal=f"person:{owner}", role="owner", resource=service)
    return story


def define(story: Story, api: str = ARTIFACT, edges: tuple[dict[str, str], ...] = API_NEEDS_DB, **more: Any) -> int:
    parts = [{"service": "api", "artifact": api, "owner_team": "web"}, {"service": "db", "artifact": DB}]
    told = {"actor": "person:rita", "components": parts, "edges": edges} | more
    return story.tell(told.pop("type", "release.scope_defined"), **R, **told)


def sign(story: Story, who: str = "owen", service: str = "api", artifact: str = ARTIFACT, **more: Any) -> int:
    return story.tell("team.signed_off", actor=f"person:{who}", **R, service=service, artifact=artifact, **more)


def out(story: Story, service: str = "db", artifact: str = DB, name: str = "d-0", **more: Any) -> None:
    deploy(story, name, service=service, artifact=artifact, **more)


def in_order() -> Story:
    story = of_a_release()
    define(story)
    sign(story)
    sign(story, "olive", "db", DB)
    out(story, change=None)
    return story


def answer(story: Story, **more: Any) -> tuple[str, str] | None:
    return against(ask(story, hours=40, **more)).get("release-is-in-order")


def found_of_release(story: Story) -> dict[str, list[str]]:
    rules = ("scope-exceeded", "released-without-sign-off", "released-before-what-it-needs", "release-cannot-be")
    return {rule: subjects for rule, subjects in found(story).items() if rule in rules}


def test_whoever_owns_what_nobody_signed_off_is_named() -> None:
    story = of_a_release()
    define(story)
    sign(story)
    said = refused(story, ask(story, hours=40))["release-is-in-order"]
    assert (said.reason, said.able) == ("not-signed-off", ("person:olive",))


def test_what_every_owner_signed_off_goes_out_after_what_it_needs() -> None:
    story = in_order()
    assert answer(story) is None
    deploy(story, artifact=ARTIFACT)
    assert found_of_release(story) == {}
    row = story.row(releases, "R-1")
    assert (row.is_signed_off, row.is_out, row.faults) == (True, True, ())
    assert [part.signed_off_by for part in row.components] == ["person:owen", "person:olive"]
    assert len(story.row(release_facts, "R-1").sign_offs) == 2


def test_a_policy_that_asks_nothing_of_releases_lets_through_what_is_of_the_scope() -> None:
    story = of_a_release(("quorum", "any", "1"))
    assert answer(story) is None
    deploy(story, artifact=ARTIFACT)
    assert found_of_release(story) == {}
    define(story, edges=())
    deploy(story, "d-2", artifact=ARTIFACT)
    assert found_of_release(story) == {}


def test_a_release_without_a_scope_is_no_evidence_and_is_found_where_the_policy_asks() -> None:
    story = of_a_release()
    assert answer(story) == ("insufficient_evidence", "no-scope")
    deploy(story, artifact=ARTIFACT)
    assert found_of_release(story) == {"scope-exceeded": ["d-1"]}
    define(story)
    assert found_of_release(story) == {"scope-exceeded": ["d-1"]}


@pytest.mark.parametrize("how", ["artifact", "service", "amended afterwards"])
def test_what_is_not_of_the_scope_is_found_and_no_later_amendment_excuses_it(how: str) -> None:
    story = in_order()
    more: dict[str, Any] = {"artifact": OTHER} | ({"service": "web"} if how == "service" else {})
    if how != "amended afterwards":
        assert answer(story, **more) == ("deny", "scope-exceeded")
    deploy(story, **more)
    if how == "amended afterwards":
        define(story, OTHER, type="release.scope_amended", time=at(1))
    assert found_of_release(story) == {"scope-exceeded": ["d-1"]}


@pytest.mark.parametrize(
    "how", ["nobody", "another digest", "of another service", "no owner", "for somebody", "afterwards", "owner later"]
)
def test_a_sign_off_is_the_owners_for_that_very_digest(how: str) -> None:
    story = of_a_release()
    define(story, edges=())
    sign(story, "olive", "db", DB)
    if how == "another digest":
        sign(story, artifact=OTHER)
    elif how == "of another service":
        sign(story, service="web")
    elif how == "no owner":
        sign(story, "olive")
    elif how == "for somebody":
        sign(story, by="person:rita")
    elif how == "owner later":
        sign(story, "otto")
        give(story, kind="human", grant_id="otto", principal="person:otto", role="owner", resource="api")
    assert answer(story) == ("needs_approval", "not-signed-off")
    deploy(story, artifact=ARTIFACT)
    if how == "afterwards":
        sign(story, time=at(2))
    assert found_of_release(story) == {"released-without-sign-off": ["d-1"]}


def test_another_digest_has_to_be_signed_off_again() -> None:
    story = in_order()
    define(story, OTHER, type="release.scope_amended")
    assert answer(story, artifact=OTHER) == ("needs_approval", "not-signed-off")
    sign(story, artifact=OTHER)
    assert answer(story, artifact=OTHER) is None
    assert answer(story) == ("deny", "scope-exceeded")


@pytest.mark.parametrize("how", ["not there", "elsewhere", "failed", "another artifact", "afterwards"])
def test_what_needs_another_goes_out_after_it(how: str) -> None:
    story = of_a_release()
    define(story)
    sign(story)
    sign(story, "olive", "db", DB)
    if how == "elsewhere":
        out(story, environment="staging", change=None)
    elif how == "failed":
        where = {"deployment_id": "d-0", "service": "db", "environment": "prod", "artifact": DB}
        story.tell("deployment.started", actor="service:ci", **where)
        story.tell("deployment.finished", **where, outcome="failure")
    elif how == "another artifact":
        out(story, artifact=OTHER, change=None)
    assert answer(story) == ("deny", "before-what-it-needs")
    deploy(story, artifact=ARTIFACT)
    if how == "afterwards":
        out(story, time=at(3), change=None)
    assert found_of_release(story) == {"released-before-what-it-needs": ["d-1"]}


@pytest.mark.parametrize(
    "edges",
    [(*API_NEEDS_DB, {"consumer": "db", "provider": "api"}), ({"consumer": "api", "provider": "cache"},),
     ({"consumer": "api", "provider": "api"},)],
)  # fmt: skip
def test_a_release_that_goes_round_in_a_circle_cannot_be(edges: tuple[dict[str, str], ...]) -> None:
    story = of_a_release()
    define(story, edges=edges)
    assert answer(story) == ("deny", "cannot-be")
    assert found(story)["release-cannot-be"] == ["R-1"]
    define(story, type="release.scope_amended")
    assert "release-cannot-be" not in found(story)


def test_a_service_goes_out_as_one_artifact() -> None:
    story = of_a_release()
    define(story, components=[{"service": "api", "artifact": digest} for digest in (ARTIFACT, OTHER)], edges=())
    assert story.row(releases, "R-1").faults == ("api goes out as more than one artifact",)


def test_a_bill_of_materials_is_told_once() -> None:
    story = Story()
    told = {
        "format": "cyclonedx",
        "format_version": "1.6",
        "identified": 1,
        "dependencies": 0,
        "components_digest": OTHER,
    }
    for components in (2, 3):
        story.tell("sbom.recorded", sbom="b-1", artifact=ARTIFACT, components=components, **told)
    row = story.row(sboms, "b-1")
    assert (row.artifact, row.components, row.complete) == (ARTIFACT, 2, None)


# -- planted in the year -------------------------------------------------------------------------------------------------


def scoped(year: Year, change: Change, artifact: str, **more: Any) -> None:
    part = {"service": change.service, "artifact": artifact}
    year.say(change.begins - 30 * HOUR, "release.scope_defined", actor=change.author, release_id=change.release,
        **{"components": [part]} | more)  # fmt: skip


def plant_what_is_not_of_its_release(year: Year, change: Change) -> set[str]:
    scoped(year, change, year.digest())
    return {f"scope-exceeded/{change.deployment}"}


def plant_a_release_in_which_what_is_needed_comes_later(year: Year, change: Change) -> set[str]:
    other = {"service": f"db-{change.id}", "artifact": year.digest()}
    parts = [{"service": change.service, "artifact": change.artifact}, other]
    scoped(
        year,
        change,
        change.artifact,
        components=parts,
        edges=[{"consumer": change.service, "provider": other["service"]}],
    )
    return {f"released-before-what-it-needs/{change.deployment}"}


def plant_nothing_where_a_release_goes_out_as_it_was_defined(year: Year, change: Change) -> set[str]:
    """The honest neighbour: what is deployed is what was defined."""
    scoped(year, change, change.artifact)
    return set()


def plant_a_release_that_goes_round_in_a_circle(year: Year) -> set[str]:
    parts = [{"service": name, "artifact": year.digest()} for name in ("ring-a", "ring-b")]
    edges = [{"consumer": "ring-a", "provider": "ring-b"}, {"consumer": "ring-b", "provider": "ring-a"}]
    year.say(
        START + HOUR, "release.scope_defined", actor="person:frank", release_id="R-ring", components=parts, edges=edges
    )
    return {"release-cannot-be/R-ring"}


def plant_a_release_that_another_narrows(year: Year) -> set[str]:
    parts = [{"service": name, "artifact": year.digest()} for name in ("wide-a", "wide-b")]
    year.say(START + HOUR, "release.scope_defined", actor="person:frank", release_id="R-wide", components=parts)
    year.say(START + 2 * HOUR, "release.scope_amended", actor="service:ci", release_id="R-wide", components=parts[:1])
    return {"scope-narrowed-by-another/R-wide"}


def plant_an_environment_for_which_the_policy_asks_for_sign_offs(year: Year) -> set[str]:
    year.settings.append(("release-sign-offs", "prod-signed", "required"))
    return set()


def plant_a_release_that_no_owner_signed_off(year: Year, change: Change) -> set[str]:
    """It goes where the policy asks for it; what was approved was for another environment."""
    change.environment = "prod-signed"
    scoped(year, change, change.artifact)
    rules = ("released-without-sign-off", "artifact-not-approved", "deployer-without-grant")
    return {f"{rule}/{change.deployment}" for rule in rules}


def test_what_another_put_into_a_release_is_left_out_by_them_alone() -> None:
    story = of_a_release()
    define(story)
    sign(story)
    narrow: dict[str, Any] = {"components": [{"service": "api", "artifact": ARTIFACT}], "edges": ()}
    define(story, type="release.scope_amended", actor="service:ci", **narrow)
    assert answer(story) == ("needs_approval", "not-signed-off")
    deploy(story, artifact=ARTIFACT)
    told = found(story)
    assert told["scope-narrowed-by-another"] == ["R-1"]
    assert told["released-before-what-it-needs"] == ["d-1"]
    assert "service:ci left db, api needs db out of" in finding(story, "scope-narrowed-by-another", "R-1").says
    define(story, type="release.scope_amended", **narrow)
    assert answer(story) is None
    assert "scope-narrowed-by-another" not in found(story)
