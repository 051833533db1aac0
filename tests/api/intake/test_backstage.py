"""Catalogues of Backstage: what depends on what, by whatever way it is written; and what a catalogue does not say."""

import pytest
from files import facts_of, mutations

from api.intake.backstage import FORMAT
from api.intake.translation import ForeignError, Mapped, Unmapped

SAID = {"actor": "person:olga"}


def entity(kind: str, name: str, *spec: str, metadata: str = "", version: str = "backstage.io/v1alpha1") -> str:
    lines = "".join(f"  {line}\n" for line in spec)
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{metadata}}}\nspec:\n{lines or '  type: x'}\n---\n"


# What is said, and what needs what.
RELATIONS: list[tuple[str, list[tuple[str, str]]]] = [
    (entity("Component", "Shop", "dependsOn: ['resource:Orders-DB', other]"), [("shop", "orders-db"), ("shop", "other")]),
    (entity("Component", "shop", "consumesApis: [prices]"), [("shop", "api:prices")]),
    (entity("Component", "prices", "providesApis: [prices]"), [("api:prices", "prices")]),
    (entity("Resource", "orders-db", "dependencyOf: ['component:shop']"), [("shop", "orders-db")]),
    (entity("Component", "shop", "dependsOn: ['resource:infra/db', 'component:default/x']"), [("shop", "infra/db"), ("shop", "x")]),
    (entity("Component", "shop", "dependsOn: [own]", metadata=", namespace: web"), [("web/shop", "web/own")]),
    (entity("Component", "a", "dependsOn: [b]") + entity("Component", "b", "dependencyOf: [a]"), [("a", "b")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "needs"), RELATIONS)
def test_a_relation_is_a_dependency_once(text: str, needs: list[tuple[str, str]]) -> None:
    facts = facts_of(FORMAT, text, SAID)
    assert [(fact.data["resource"], fact.data["depends_on"]) for fact in facts] == needs
    assert {(fact.type, fact.data["actor"], fact.data["shared"]) for fact in facts} == {
        ("dependency.declared", "person:olga", False)
    }


def test_a_person_answers_for_a_template_and_a_group_for_none() -> None:
    version = "scaffolder.backstage.io/v1beta3"
    person = entity("Template", "restart-cache", "owner: user:default/Olga", version=version)
    group = entity("Template", "other", "owner: payments", version=version)
    [fact] = facts_of(FORMAT, person + group, SAID)
    assert (fact.type, fact.left_out) == ("template.ownership_assigned", ("2:owner-is-no-person",))
    assert fact.data == {"actor": "person:olga", "template_id": "restart-cache", "owner": "backstage:olga"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (entity("Component", "shop", "owner: group:payments"), "nothing-depends"),
        (entity("Component", "shop", "dependsOn: ['user:olga']"), "1:a-reference-that-is-none"),
        (entity("Component", "shop", "dependsOn: ['a b']"), "1:a-reference-that-is-none"),
        (entity("System", "shops", "dependsOn: [x]"), "nothing-depends"),
        ("apiVersion: backstage.io/v1alpha1\nkind: Component\n", "1:no-name"),
    ],
)
def test_what_says_nothing_in_our_words_is_kept_with_its_reason(text: str, reason: str) -> None:
    assert FORMAT.redactor is not None
    found = FORMAT.translate(FORMAT.context(SAID).beside(text.encode()), FORMAT.redactor.cut(text.encode()))
    assert found == Unmapped("backstage", reason, "/intake/backstage")


@pytest.mark.parametrize("text", ["a: 1\n", "", "apiVersion: v1\nkind: Pod\n", "- apiVersion: backstage.io/v1alpha1\n"])
def test_another_yaml_is_no_catalogue(text: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match="not-a-catalogue"):
        FORMAT.redactor.cut(text.encode())


def test_no_mutation_of_a_catalogue_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    for body in mutations("".join(text for text, _ in RELATIONS).encode(), 400):
        try:
            cut = FORMAT.redactor.cut(body)
        except ForeignError:
            continue
        assert isinstance(FORMAT.translate(FORMAT.context(SAID).beside(body), cut), Mapped | Unmapped)
