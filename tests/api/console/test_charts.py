"""Charts: bars that link, say what they are, and draw nothing but the numbers they are given."""

import pytest
from browsing import read_page

from api.console.charts import Dot, Mark, Note, Reach, Strip, bars, reaches, strips
from api.console.words import percent, short, span, when


def chart(*marks: Mark) -> str:
    return str(bars(marks, title="Deployments", written=lambda number: f"{number:g}"))


def test_every_mark_is_a_link_with_a_title_and_a_height_in_proportion() -> None:
    read = read_page(
        chart(Mark("2026-07", 8, "8 in July", "/console/a", 2), Mark("2026-08", 4, "4 in August", "/console/b"))
    )
    links = [attributes for tag, attributes in read.tags if tag == "a"]
    assert [(link["href"], link["aria-label"]) for link in links] == [
        ("/console/a", "8 in July"),
        ("/console/b", "4 in August"),
    ]
    heights = {
        kind: [float(a["height"] or 0) for tag, a in read.tags if tag == "rect" and a["class"] == kind]
        for kind in ("whole", "part")
    }
    # The scale ends at 10, and is 160 high.
    assert heights == {"whole": [128.0, 64.0], "part": [32.0]}
    assert "10" in read.text


def hrefs(drawn: str) -> list[tuple[str | None, str | None]]:
    return [(link["href"], link["aria-label"]) for tag, link in read_page(drawn).tags if tag == "a"]


def test_a_percentile_above_a_bar_and_what_moved_it_are_drawn_within_the_scale() -> None:
    note = Note("restated by a late incident", "/console/entries/9")
    drawn = chart(Mark("2026-07", 4, "4, ninetieth percentile 8", "/console/a", upper=8, notes=(note,)))
    assert hrefs(drawn) == [("/console/a", "4, ninetieth percentile 8"), (note.href, note.says)]
    uppers = [float(a["y2"] or 0) for tag, a in read_page(drawn).tags if tag == "line" and a["class"] == "upper"]
    # The scale ends at 10, 14 from the top, and is 160 high.
    assert uppers == [46.0, 46.0]
    assert 'd="M' in drawn


def test_a_strip_has_every_mark_at_its_time() -> None:
    dots = (Dot(0, "", "d-1", "/console/1"), Dot(0.5, "failed", "d-2, failed", "/console/2"))
    drawn = str(strips([Strip("2026-07", "/console/m", dots)], title="Days", ticks=[(0, "1.")]))
    assert hrefs(drawn) == [("/console/m", "2026-07"), ("/console/1", "d-1"), ("/console/2", "d-2, failed")]
    at = [float(a["x"] or 0) for tag, a in read_page(drawn).tags if tag == "rect" and "whole" in (a["class"] or "")]
    assert at[1] - at[0] == (960 - 190 - 8) / 2


def test_what_is_not_reached_is_seen_however_little_it_is() -> None:
    drawn = str(
        reaches(
            [Reach("checkpoint", 1_000_000, "all", "/console/a"), Reach("witness", 999_999, "one behind", "/console/b")],
            size=1_000_000, title="Reach", written=str,
        )
    )  # fmt: skip
    lacking = [float(a["width"] or 0) for tag, a in read_page(drawn).tags if tag == "rect" and a["class"] == "part"]
    assert lacking == [3.0]
    assert reaches([], size=0, title="Reach", written=str)


def test_the_same_numbers_are_the_same_bytes() -> None:
    mark = Mark("2026-07", 1 / 3, "a third", "/console/a", upper=0.1 + 0.2)
    assert chart(mark) == chart(Mark("2026-07", 1 / 3, "a third", "/console/a", upper=0.3))


@pytest.mark.parametrize("value", [None, 0])
def test_nothing_is_a_line_at_the_bottom(value: float | None) -> None:
    assert 'height="1.5"' in chart(Mark("m", value, "none", "/console/a"))
    assert read_page(chart()).tags


def test_hostile_names_are_text() -> None:
    hostile = '"><script>alert(1)</script>'
    assert hostile in read_page(chart(Mark(hostile, 1, hostile, "/console/x"))).text


def test_values_are_written_as_people_write_them() -> None:
    assert when("2026-11-23T12:00:07.000000Z") == "23 Nov 2026, 12:00"
    assert [span(s) for s in (0, 75, 7_500, 200_000)] == ["0 s", "1 min 15 s", "2 h 5 min", "2 d 7 h"]
    assert [percent(share) for share in ("0", "0.125", "1", None)] == ["0 %", "12.5 %", "100 %", "–"]
    assert short("pkg:oci/api@sha256:0123456789abcdef0123") == "0123456789ab"
