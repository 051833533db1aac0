"""Charts: bars that link, say what they are, and draw nothing but the numbers they are given."""

import pytest
from browsing import read_page

from api.console.charts import Mark, bars
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
    # The scale ends at 10, and is 164 high.
    assert heights == {"whole": [131.2, 65.6], "part": [32.8]}
    assert "10" in read.text


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
