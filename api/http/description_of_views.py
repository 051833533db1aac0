"""What the description of the API says of views: of each by itself, from its row model, where two routes serve them all.

Made when somebody asks for the description, and not when a server begins: the shapes of a hundred views take longer than all else.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, create_model
from pydantic.json_schema import models_json_schema

from projections import VIEWS
from projections.engine.filters import filters_of, parameter_of
from projections.engine.listing import Listing
from projections.engine.serving import cursor_of
from projections.engine.view import View

# By the path of a route: what of a view is answered there.
PARTS: Final[Mapping[str, Literal["items", "row"]]] = {
    "/v1/views/{view}": "items",
    "/v1/views/{view}/{key}": "row",
}
# How a model is called of which there are two of one name: by its module.
_of_a_module = re.compile(r"projections(?:__[a-z_]+?)*__([a-z_]+)__([A-Z]\w*)")
_AS_OF: Final[dict[str, Any]] = {
    "name": "as_of",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "maxLength": 40},
    "example": "2026-11-23T12:00:00Z",
    "description": "As the lines stood then: a position, or a time with offset.",
}


def of_each_view(paths: dict[str, Any], *, ref_template: str) -> tuple[dict[tuple[str, str], str], dict[str, Any]]:
    """Describe the routes of views once for each view, in the place of the two. Return which route serves which path, and their shapes."""
    general = {path: paths.pop(path)["get"] for path in PARTS}
    shapes = {(view.name, part): _shape(view, part) for view in VIEWS for part in PARTS.values()}
    refs, made = models_json_schema([(shape, "serialization") for shape in shapes.values()], ref_template=ref_template)
    served: dict[tuple[str, str], str] = {}
    for view in VIEWS:
        for path, part in PARTS.items():
            own = path.replace("{view}", view.name)
            answer: dict[str, Any] = {"application/json": {"schema": refs[shapes[view.name, part], "serialization"]}}
            if part == "items":
                answer["text/csv"] = {"schema": {"type": "string"}}
            paths[own] = {"get": _operation(view, part, general[path], answer)}
            served["GET", own] = path
    return served, _told_apart(made["$defs"])


def _told_apart(shapes: dict[str, Any]) -> dict[str, Any]:
    """Return shapes in which parts of rows that have one name in two modules are called after their modules, too: `FreezesOverride`."""
    text = _of_a_module.sub(lambda found: f"{_class_name(found[1])}{found[2]}", orjson.dumps(shapes).decode())
    named: dict[str, Any] = orjson.loads(text)
    return {name: shape | {"title": name} if name not in shapes else shape for name, shape in named.items()}


def _class_name(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("_"))


def _operation(
    view: View[Any], part: Literal["items", "row"], general: Mapping[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    parameters = [dict(known) for known in general["parameters"] if known["name"] != "view"]
    verb, summary, doc = "read", f"One row of {view.name}", f"{view.doc} {general['description']}"
    if part == "items":
        verb, summary, doc = "list", f"Rows of {view.name}", view.doc
        examples = {"sort": f"-{view.key}", "after": cursor_of(view, {}, None, "A", "A")}
        parameters = [
            known | ({"example": examples[known["name"]]} if known["name"] in examples else {}) for known in parameters
        ]
        parameters += [parameter_of(view, name) for name in filters_of(view)]
        parameters += [_AS_OF] if isinstance(view, Listing) else []
    return {
        **general,
        "operationId": f"{verb}_{view.name}",
        "summary": summary,
        "description": doc,
        "parameters": parameters,
        "responses": {**general["responses"], "200": {"description": "As asked.", "content": answer}},
    }


def _shape(view: View[Any], part: Literal["items", "row"]) -> type[BaseModel]:
    name = _class_name(f"{view.name}_{part}")
    fields: dict[str, Any] = {"view": (str, ...), "version": (int, ...), "position": (int, ...)}
    if part == "row":
        fields["row"] = (view.read_row, ...)
    else:
        fields |= {"items": (list[view.read_row], ...), "next": (str | None, None), "total": (int | None, None)}  # type: ignore[name-defined]
    made: type[BaseModel] = create_model(name, **fields)
    return made
