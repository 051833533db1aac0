"""Identifiers: how a name that others chose becomes one, the same at every door, and is shown as it was."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import CATALOGUE, kind_and_value, ref, refs_of, sentence
from ledger.events.identifiers import MAX_IDENTIFIER_BYTES, Environment, fits, identifier_of, name_of, with_names

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("prod", "prod"),
        ("acme/payments-api", "acme/payments-api"),
        ("Production EU", "Production%20EU"),
        ("Production – my-site", "Production%20%E2%80%93%20my-site"),
        ("100%", "100%25"),
        ("Production%20EU", "Production%2520EU"),
        ("_wip", "%5Fwip"),
        ("a_b", "a_b"),
        ("a~b", "a%7Eb"),
        ("a\x00b", "a%00b"),
        ("\ud83d", "%EF%BF%BD"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 91 + "~c675a2e6"),
        # Cut between two characters, never within an escape.
        ("é" * 20, "%C3%A9" * 15 + "~f5cacffb"),
    ],
)
def test_what_a_name_is_called_as_an_identifier(name: str, identifier: str) -> None:
    assert identifier_of(name) == identifier


@given(names)
def test_every_name_becomes_an_identifier_that_refs_carry_as_it_is(name: str) -> None:
    identifier = identifier_of(name)
    assert len(identifier) <= MAX_IDENTIFIER_BYTES
    assert fits(Environment, identifier)
    data = {"deployment_id": "D-1", "service": "payments-api", "environment": identifier}
    CATALOGUE.validate("deployment.started", data)
    assert f"environment:{identifier}" in refs_of(CATALOGUE["deployment.started"], data)
    assert kind_and_value(ref("environment", identifier)) == ("environment", identifier)


@given(names, names)
def test_two_names_are_two_identifiers(one: str, other: str) -> None:
    assert (identifier_of(one) == identifier_of(other)) == (one == other)


@given(names)
def test_a_short_name_is_shown_as_it_was_where_it_can_be_printed(name: str) -> None:
    identifier = identifier_of(name)
    if "~" not in identifier:
        assert unquote(identifier, errors="strict") == name
        is_plain = name.isprintable() and "\ufffd" not in name
        assert name_of(identifier) == (name if is_plain or "%" not in identifier else identifier)


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ("Production%20EU", "Production EU"),
        # What a terminal or a reader would be misled by stays encoded.
        ("a%1B%5B31m", "a%1B%5B31m"),
        ("a%E2%80%AEb", "a%E2%80%AEb"),
        ("a%FF", "a%FF"),
        ("prod", "prod"),
    ],
)
def test_sentences_show_what_a_thing_is_called(environment: str, shown: str) -> None:
    data = {"deployment_id": "D-1", "service": "payments-api", "environment": environment, "outcome": "success"}
    assert sentence(CATALOGUE["deployment.finished"], data).endswith(f"to {shown} ended as success")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("CHG%207 started in Production%20EU, without approval", "CHG 7 started in Production EU, without approval"),
        (
            "of pkg:oci/api@sha256%3A5f2c by https://ci.example.com/a%20b",
            "of pkg:oci/api@sha256%3A5f2c by https://ci.example.com/a%20b",
        ),
        ("a rate of 5 % in a%1Bb", "a rate of 5 % in a%1Bb"),
    ],
)
def test_findings_and_gates_speak_of_things_by_their_names(words: str, shown: str) -> None:
    assert with_names(words) == shown


def test_sentences_leave_alone_what_is_no_identifier() -> None:
    artifact = "pkg:oci/payments-api@sha256%3A5f2c"
    data = {"service": "a", "environment": "b", "to_artifact": artifact, "outcome": "success"}
    assert artifact in sentence(CATALOGUE["rollback.completed"], data)


@pytest.mark.parametrize("name", ["a b", "%", "a%2", "a%zz", "a%2f", "%%20", "x" * 101, ""])
def test_what_is_not_encoded_as_it_must_be_is_no_identifier(name: str) -> None:
    assert not fits(Environment, name)
