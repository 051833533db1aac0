"""The templates, and what they may call: words for values, addresses of pages, columns. Everything that is shown is escaped."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from api.console import words
from api.console.columns import Column, Facet, columns_of
from api.console.finding_ways import page_of_row
from api.console.guarding import NAME, Guarding, guarded
from api.console.sentences import names_in, sentence
from api.console.static import ICON, SCRIPTS, STYLE
from ledger.words import number_of

# The pages in the order of the list beside them: what waits first, how it is told last.
PAGES: Final = (
    ("Today", words.address()),
    ("Changes", words.address("changes")),
    ("Findings", words.address("findings", is_open="true")),
    ("Board", words.address("board")),
    ("Calendar", words.address("calendar")),
    ("Running where", words.address("running")),
    ("Access reviews", words.address("access")),
    ("Risk", words.address("risk")),
    ("Delivery", words.address("delivery")),
    ("Gates and policies", words.address("gates")),
    ("Ledger", words.address("ledger")),
    ("Verify", words.address("verify")),
    ("Views", words.address("views")),
    ("Entries", words.address("entries")),
)
# Words of columns that say how good or bad something is; others say neither.
_TONES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("high", "deny", "unsuccessful", "backed_out", "failed", "failure", "unhealthy", "rejected"), "bad"
    ),
    **dict.fromkeys(("medium", "needs_approval", "insufficient_evidence", "degraded", "late", "due"), "warn"),
    **dict.fromkeys(
        ("allow", "successful", "succeeded", "success", "healthy", "granted", "approved", "on_time"), "good"
    ),
}


def tone(word: str) -> str:
    """Return how a word is toned: bad, warn, good, or not at all."""
    return _TONES.get(word, "plain")


def capitalize_first(text: str) -> str:
    """Return a text with its first letter great, and the others as they are."""
    return text[:1].upper() + text[1:]


def said_by(columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> list[Column]:
    """Return the columns in which some row says something."""
    some = list(rows)
    return [column for column in columns if any(row.get(column.name) not in (None, "", []) for row in some)]


def terms(held: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return named numbers by their names."""
    return {one["name"]: one["value"] for one in held}


def computed_terms(seen: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the ledger computed of features, or why it did not, by their names."""
    return {one["name"]: one["missing"] if one["computed"] is None else one["computed"] for one in seen}


def merged(first: Iterable[str], *others: Iterable[str]) -> list[str]:
    """Return names of several, each once, in the order in which they come."""
    return list(dict.fromkeys((*first, *(name for other in others for name in other))))


def with_code(text: str) -> Markup:
    """Return a text of this program in which what stands between backticks is code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def without(query: Mapping[str, str], *names: str) -> dict[str, str]:
    """Return what is asked, but for some parameters."""
    return {name: value for name, value in query.items() if name not in names}


def page_of_owner(name: str) -> str:
    """Return the page about whoever a finding is of: a person or a system, or a team."""
    return words.about("identity" if ":" in name else "team", name)


def _facet_names(facets: Iterable[Facet]) -> set[str]:
    return {f"{facet.column.name}{end}" for facet in facets for end in ("", "__gte", "__lt")}


class _Pages(Environment):
    code_generator_class = Guarding


_templates: Final = _Pages(
    loader=PackageLoader("api.console"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "when": words.when,
    "span": words.span,
    "grouped": words.grouped,
    "day_of": words.day_of,
    "month_of": words.month_of,
    "decimal": words.decimal,
    "percent": words.percent,
    "number_of": number_of,
    "short": words.short,
    "sentence": sentence,
    "tone": tone,
    "with_code": with_code,
    "capitalize_first": capitalize_first,
    "said_by": said_by,
    "without": without,
    "terms": terms,
    "computed_terms": computed_terms,
    "merged": merged,
}
_templates.globals |= {
    "address": words.address,
    "about": words.about,
    "beneath": words.beneath,
    "with_query": words.with_query,
    "columns_of": columns_of,
    "facet_names": _facet_names,
    "asks_any": lambda facets, where: not _facet_names(facets).isdisjoint(where),
    "page_of_row": page_of_row,
    "page_of_owner": page_of_owner,
    NAME: guarded,
    "names_in": names_in,
    "pages": PAGES,
    "style": words.address("static", STYLE.name),
    "icon": words.address("static", ICON.name),
    "scripts": [words.address("static", script.name) for script in SCRIPTS],
}


def rendered(template: str, **shown: Any) -> str:
    """Return a page as HTML."""
    return _templates.get_template(template).render(**shown)
