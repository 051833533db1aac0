"""The stylesheet: its colours can be read, in both themes, and it asks for nothing from elsewhere."""

import re

import pytest

from api.console.static import STYLE

CSS = STYLE.body.decode()
# What is written on what.
WRITTEN = [
    *((ink, paper) for ink in ("ink", "soft", "accent") for paper in ("paper", "raised", "sunken")),
    *(("ink", f"{tone}-soft") for tone in ("accent", "good", "warn", "bad")),
    *((tone, f"{tone}-soft") for tone in ("accent", "good", "warn", "bad")),
    *((tone, "raised") for tone in ("good", "bad")),
    ("warn", "paper"), ("soft", "bad-soft"), ("paper", "accent"), ("accent", "bad-soft"),
]  # fmt: skip


def colours(block: str) -> dict[str, str]:
    return {
        name: value if len(value) == 6 else "".join(2 * digit for digit in value)
        for name, value in re.findall(r"--([a-z-]+): #([0-9a-f]{3,6});", block)
    }


LIGHT = colours(CSS[: CSS.index("@media screen and (prefers-color-scheme: dark)")])
DARK = LIGHT | colours(CSS[CSS.index("@media screen and (prefers-color-scheme: dark)") : CSS.index("*, *::before")])


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(theme: dict[str, str]) -> None:
    weak = []
    for ink, paper in WRITTEN:
        bright, dim = sorted((luminance(theme[ink]), luminance(theme[paper])), reverse=True)
        if (ratio := (bright + 0.05) / (dim + 0.05)) < 4.5:
            weak.append((ink, paper, round(ratio, 2)))
    assert weak == []


def test_a_theme_names_every_colour() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert set(re.findall(r"var\(--([a-z0-9-]+)\)", CSS)) <= set(re.findall(r"--([a-z0-9-]+):", CSS))


def test_paper_is_white_whatever_the_screen_is() -> None:
    # An auditor prints from a dark screen, too.
    assert "prefers-color-scheme" not in CSS.replace("@media screen and (prefers-color-scheme: dark)", "")
