"""Sentences on pages: times, digests, spans and names as people read them, and everything else as it was written."""

import re

import pytest
from browsing import read_page

from api.console.sentences import names_in, sentence

HEX = "0123456789abcdef" * 4


def text_of(said: str, **names: str) -> str:
    return read_page(str(sentence(said, names))).text


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("due at 2026-11-23T12:00:07.000000Z.", "due at 23 Nov 2026, 12:00 UTC."),
        ("due at 2026-11-24T01:00:00+13:00", "due at 23 Nov 2026, 12:00 UTC"),
        ("(due at 2026-11-23T12:00:00Z)", "(due at 23 Nov 2026, 12:00 UTC)"),
        (f"opened over sha256:{HEX}, in force were {HEX}", "opened over 0123456789ab, in force were 0123456789ab"),
        (f"artifact pkg:oci/api@sha256:{HEX}", "artifact pkg:oci/api@0123456789ab"),
        (f"artifact pkg:oci/api@sha256%3A{HEX}", "artifact pkg:oci/api@0123456789ab"),
        (f"commit {HEX[:40]} of main", "commit 0123456789ab of main"),
        (f"said {'A' * 43}=", f"said {'A' * 12}"),
        ("justified afterwards, 76 hours late", "justified afterwards, 3 d 4 h late"),
        ("for more than 5 hours", "for more than 5 h"),
        ("S7: somebody holds the grant", "S7 (nobody reviews their own access): somebody holds the grant"),
        # What only looks like it, is as it was.
        ("2026-13-45T99:00:00Z and 2026-11-23", "2026-13-45T99:00:00Z and 2026-11-23"),
        ("1.5 hours, 7 hourly, deadbeef, " + "0" * 200, "1.5 hours, 7 hourly, deadbeef, " + "0" * 200),
        ("<b>&amp;</b> {{7*7}} \u202e", "<b>&amp;</b> {{7*7}} \u202e"),
        ("", ""),
    ],
)
def test_a_sentence_says_the_same_in_words_that_people_read(said: str, read: str) -> None:
    assert text_of(said) == read


def test_what_was_written_stands_in_the_title() -> None:
    tags = read_page(str(sentence(f"at 2026-11-23T12:00:07Z, sha256:{HEX}, 30 hours"))).tags
    assert [(tag, attributes["title"]) for tag, attributes in tags] == [
        ("time", "2026-11-23T12:00:07Z"), ("code", f"sha256:{HEX}"), ("span", "30 hours"),
    ]  # fmt: skip


def test_names_that_are_known_are_links_and_people_always_are() -> None:
    names = names_in(["change:CHG-7", "service:api", "environment:eu-prod", "change:7"])
    made = str(sentence("CHG-7 of CHG-77 put api-gateway, then api: into eu-prod by person:ada. 7 times", names))
    made += str(sentence(f"artifact sha256:{HEX}", names_in([f"artifact:sha256:{HEX}"])))
    assert re.findall('<a href="([^"]*)">(?:<[^>]*>)?([^<]*)<', made) == [
        ("/console/changes/CHG-7", "CHG-7"),
        ("/console/about/service%3Aapi", "api"),
        ("/console/about/environment%3Aeu-prod", "eu-prod"),
        ("/console/about/identity%3Aperson%3Aada", "person:ada"),
        (f"/console/about/artifact%3Asha256%3A{HEX}", "0123456789ab"),
    ]


def test_a_name_that_means_harm_is_a_name() -> None:
    hostile = 'x"><script>alert(1)</script>'
    assert read_page(str(sentence(f"put {hostile}, person:{hostile}", {hostile: f"/console/{hostile}"}))).text.endswith(
        hostile
    )
