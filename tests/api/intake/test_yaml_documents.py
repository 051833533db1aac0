"""YAML of strangers: what stands in the file, and nothing that a library guesses; bombs are not read."""

import pytest

from api.intake.translation import ForeignError
from api.intake.yaml_documents import MAX_BYTES, read_yaml


def test_a_scalar_is_the_text_that_stands_in_the_file() -> None:
    text = 'a: no\nb: 12:30\nc: 1e3\nd: "null"\ne: ~\nf:\ng: 2026-01-01\nh: |\n  two\n  lines\n'
    assert read_yaml(text.encode()) == [
        {"a": "no", "b": "12:30", "c": "1e3", "d": "null", "e": None, "f": None, "g": "2026-01-01", "h": "two\nlines\n"}
    ]


def test_a_file_has_several_documents_and_may_begin_with_a_mark() -> None:
    assert read_yaml("\ufeff---\na: [1, {b: 2}]\n---\n---\nx\n".encode()) == [{"a": ["1", {"b": "2"}]}, None, "x"]
    assert read_yaml(b"# nothing\n") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "alias"),
        ("a: &a {x: 1}\nb:\n  <<: *a", "alias"),
        ("a: !!python/object/apply:os.system [ls]", "tag"),
        ("a: !Ref b", "tag"),
        ("a: 1\na: 2", "key-twice"),
        ("? [a]\n: 1", "key-not-a-text"),
        ("[" * 100_000, "too-deep"),
        ("- x\n" * 60_000, "too-long"),
        ("x" * (MAX_BYTES + 1), "too-long"),
        ("a: [", "not-yaml"),
        ("a:\n\t- b", "not-yaml"),
        ("{{ template }}: a", "key-not-a-text"),
    ],
)
def test_what_another_reader_may_read_otherwise_or_for_ever_is_not_read(text: str, reason: str) -> None:
    with pytest.raises(ForeignError, match=f"^{reason}$"):
        read_yaml(text.encode())


def test_what_is_no_utf_8_is_not_read() -> None:
    for body in (b"a: \xff", "a: b".encode("utf-16")):
        with pytest.raises(ForeignError, match="not-yaml"):
            read_yaml(body)
