"""Names of environments, as companies, tools and tutorials write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.identifiers import identifier_of
from projections.rules.environments import NOT_PRODUCTION, compared, fits, tier_told_by

PRODUCTION = """
prod production live prd PROD Prod Production PRODUCTION LIVE prod-eu prod-eu-west-1 prod_eu prod.eu prod/eu prod1 prod01
prod-01 eu-prod us-east-1-prod eu1prod acme-prod acme_prod-eu payments-production production-eu Production%20EU production:blue
prod-blue blue-prod prod@eu k8s-prod-1 aws/prod/eu-west-1 acme.prod team+prod live-eu eu-live prd-01 PRD de-prd go-live
prodcluster-prod %70rod p%72od production~1 eu-pre-prod shop/live 1-prod
"""
OTHERS = {
    "staging": "staging Staging STAGING staging-eu staging2 stage stage-1 pre-prod preprod pre-prod-2 Pre-Prod pre_prod"
    " pre.prod pre%20prod preprod-eu PREPROD uat UAT uat-prod staging-prod stage_live",
    "testing": "qa qa-1 QA qa_live test test-1 TEST testing test-prod tests test/prod",
    "development": "dev dev-alice development DEV dev/prod preview preview-42 preview/prod pr-17 PR-17 review/feature-prod"
    " sandbox sandbox-prod non-prod nonprod non_prod NonProd non-production nonproduction github-pages devel",
}
UNKNOWN = """
eu-west-1 blue green main customer-a reproduction products productive liver alive delivery prodigy olive primary core edge
acme-nonprod eu-staging integration demo canary stg stg-stage perf loadtest dr 1 _
"""


@pytest.mark.parametrize("name", PRODUCTION.split())
def test_a_name_with_a_word_for_production_is_production(name: str) -> None:
    assert tier_told_by(name) == "production"


@pytest.mark.parametrize(("tier", "name"), [(tier, name) for tier, names in OTHERS.items() for name in names.split()])
def test_what_is_not_production_is_looked_for_first(tier: str, name: str) -> None:
    assert tier_told_by(name) == tier


@pytest.mark.parametrize("name", UNKNOWN.split())
def test_a_name_that_says_nothing_has_no_tier_of_its_own(name: str) -> None:
    assert tier_told_by(name) is None


@pytest.mark.parametrize("others", ["PROD", "Prod", "%70rod", "%50ROD", "pro%64"])
def test_letter_case_and_encoding_make_no_other_name(others: str) -> None:
    assert compared(others) == compared("prod") == "prod"


def test_names_of_other_letters_are_compared_as_people_read_them() -> None:
    assert compared(identifier_of("Größe EU")) == compared(identifier_of("GRÖSSE eu"))
    # One letter, or a letter and its accent.
    assert compared(identifier_of("caf\u00e9")) == compared(identifier_of("cafe\u0301"))
    assert compared("prod-eu") != compared("prod_eu")
    assert compared("prod") != compared("production")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*", "anything"), ("prod*", "PROD"), ("prod-*", "Prod_EU"), ("prod-*", "prod%20eu"), ("*-eu", "live-EU"),
        ("*prod*", "acme-prod-1"), ("review/*", "review/a/b"), ("a*b*c", "a-b-b-c"), ("Prod%20EU", "prod-eu"), ("%2A", "%2a"),
        ("**", ""), ("a*a", "aa"),
    ],
)  # fmt: skip
def test_a_pattern_fits(pattern: str, name: str) -> None:
    assert fits(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("prod", "prod-eu"), ("prod-*", "prod"), ("a*a", "a"), ("*-eu", "eu"), ("%2A", "anything"), ("a*b*c", "a-c-b")],
)
def test_a_pattern_does_not_fit(pattern: str, name: str) -> None:
    assert not fits(pattern, name)


def test_a_pattern_of_many_stars_costs_no_more_than_it_is_long() -> None:
    assert not fits("a*" * 50, "a" * 49 + "b" * 50)


def test_a_policy_may_have_lists_of_its_own() -> None:
    assert tier_told_by("prod", ("prod",), ("blue",)) == "development"
    assert tier_told_by("blue-7", (), ("blue",)) == "production"
    assert tier_told_by("shop-7", (), ("shop-*",)) == "production"
    assert tier_told_by("staging", (), ()) is None


@given(st.text(max_size=40))
def test_every_name_compares_with_itself_however_it_is_written(name: str) -> None:
    key = compared(identifier_of(name))
    assert compared(key) == key
    assert tier_told_by(key) == tier_told_by(identifier_of(name))
    for pattern in NOT_PRODUCTION:
        assert fits(pattern, key) == fits(pattern, identifier_of(name))


@given(st.text("ab-", max_size=12), st.text("ab*-", max_size=8))
def test_patterns_fit_as_the_textbook_says(name: str, pattern: str) -> None:
    def textbook(pattern: str, name: str) -> bool:
        if not pattern:
            return not name
        if pattern[0] == "*":
            return any(textbook(pattern[1:], name[skip:]) for skip in range(len(name) + 1))
        return bool(name) and name[0] == pattern[0] and textbook(pattern[1:], name[1:])

    def squeezed(text: str) -> str:
        while "--" in text:
            text = text.replace("--", "-")
        return text

    # Hyphens beside a star stay apart in the pattern.
    parts = "*".join(squeezed(part) for part in pattern.split("*"))
    assert fits(pattern, name) == textbook(parts, squeezed(name))
