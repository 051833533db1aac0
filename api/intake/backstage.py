"""Catalogues of Backstage (`catalog-info.yaml`): what depends on what, and which person answers for a template.

A component, a resource and an API are resources here, called by their names, an API as `api:name`; those of another namespace than
`default` have it before their name. Names mean the same in any case. Who consumes an API depends on it, and it on who provides it.

    kind: Component, name: shop, dependsOn: [resource:orders-db], consumesApis: [prices]      shop needs orders-db, and api:prices

A catalogue says whom somebody means to own a component, not who may do what: that is no grant, and stands in the evidence. Nor does it
say that a dependency is gone, or that several share one. A template has an owner here where that is a person.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from api.intake.formats import UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    MAX_PARTS,
    Fact,
    ForeignError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    fact,
    pick,
    pick_text,
)
from api.intake.yaml_documents import MEDIA_TYPES, read_yaml
from ledger.errors import StatementError

# Relations of an entity -> the kind of what a reference means that says none, and whether the other end is what depends.
_RELATIONS: Final = {
    "dependsOn": ("component", False),
    "dependencyOf": ("component", True),
    "consumesApis": ("api", False),
    "providesApis": ("api", True),
}
_NEEDING: Final = ("component", "resource", "api")
_is_reference = re.compile(r"(?:([^:/\s]+):)?(?:([^:/\s]+)/)?([^:/\s]+)").fullmatch


# -- cutting ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> bytes:
    kept = [_cut_entity(found) for found in read_yaml(body) if _is_entity(found)]
    if not kept:
        raise ForeignError("not-a-catalogue")
    return orjson.dumps(kept)


def _is_entity(found: Any) -> bool:
    # Templates are of `scaffolder.backstage.io`.
    return (pick_text(found, "apiVersion") or "").partition("/")[0].endswith("backstage.io")


def _cut_entity(entity: Any) -> dict[str, Any]:
    spec = pick(entity, "spec")
    relations = {name: _texts(pick(spec, name)) for name in _RELATIONS}
    return {
        "kind": pick_text(entity, "kind"),
        "name": pick_text(entity, "metadata.name"),
        "namespace": pick_text(entity, "metadata.namespace"),
        "owner": pick_text(spec, "owner"),
        **{name: found for name, found in relations.items() if found},
    }


def _texts(found: Any) -> list[str]:
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


# -- what it says ----------------------------------------------------------------------------------------------------------


def translate(beside: Headers, body: bytes) -> Translation:
    """Return the dependencies of a catalogue that the redactor left, each once, and the owners of its templates."""
    source = beside["source"]
    told: dict[tuple[str, ...], Fact] = {}
    left_out: list[str] = []
    for number, entity in enumerate(orjson.loads(body), 1):
        for said in _statements(entity):
            try:
                if isinstance(said, str):
                    left_out.append(f"{number}:{said}")
                    continue
                event_type, data = said
                told[event_type, *map(str, data.values())] = fact(
                    source, event_type, "", data | {"actor": beside["actor"]}
                )
            except StatementError as error:
                left_out.append(f"{number}:field{error.place}")
    facts = list(told.values())
    if not facts:
        return Unmapped("backstage", left_out[0] if left_out else "nothing-depends", source)
    if len(facts) > MAX_PARTS:
        return Unmapped("backstage", "too-many-dependencies", source)
    return Mapped((facts[0].without(left_out), *facts[1:]))


def _statements(entity: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]] | str]:
    """Yield what an entity says in our words; of what it says besides, the reason why that is nothing."""
    kind, name = (entity["kind"] or "").lower(), entity["name"]
    if name is None:
        yield "no-name"
        return
    within = (entity["namespace"] or "default").lower()
    if kind == "template":
        owner = _person(entity["owner"] or "", within)
        if owner is None:
            yield "owner-is-no-person"
        else:
            yield "template.ownership_assigned", {"template_id": _called("template", within, name), "owner": owner}
    if kind not in _NEEDING:
        return
    own = _called(kind, within, name)
    for relation, (default, is_reverse) in _RELATIONS.items():
        for text in entity.get(relation, ()):
            if (other := _named(text, default, within)) is None:
                yield "a-reference-that-is-none"
                continue
            needs, needed = (other, own) if is_reverse else (own, other)
            yield "dependency.declared", {"resource": needs, "depends_on": needed, "shared": False}


def _named(text: str, default: str, within: str) -> str | None:
    """Return what a reference means; None for what is no reference, or names no resource."""
    found = _is_reference(text.strip().lower())
    if found is None or (found[1] or default) not in _NEEDING:
        return None
    return _called(found[1] or default, found[2] or within, found[3])


def _person(text: str, within: str) -> str | None:
    """Return the person that an owner is; a reference without a kind is a group."""
    found = _is_reference(text.strip().lower())
    if found is None or found[1] != "user":
        return None
    space = found[2] or within
    return f"backstage:{found[3]}" if space == "default" else f"backstage:{space}/{found[3]}"


def _called(kind: str, within: str, name: str) -> str:
    called = name.lower() if within == "default" else f"{within}/{name.lower()}"
    return f"api:{called}" if kind == "api" else called


_CATALOGUE: Final = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: shop
  annotations: {example.com/token: hunter2}
spec:
  type: service
  owner: group:payments
  definition: hunter2
  dependsOn: ['resource:orders-db']
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Other
"""
_TEMPLATE: Final = """apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: restart-cache}
spec: {owner: 'user:olga'}
"""
_SAID: Final = {"actor": "person:olga"}

FORMAT: Final = Format(
    "backstage",
    "Catalogues of Backstage",
    "`catalog-info.yaml`: what depends on what, and which person answers for a template. Owners that are meant are no grants.",
    translate,
    media_types=MEDIA_TYPES,
    asks=("actor",),
    needs=("actor",),
    redactor=Redactor(1, _cut),
    samples=(
        Sample("a component", _CATALOGUE, ("dependency.declared",), context=_SAID),
        Sample("a template", _TEMPLATE, ("template.ownership_assigned",), context=_SAID),
        Sample("a component of its own", _CATALOGUE.replace("dependsOn", "of"), (UNMAPPED,), context=_SAID),
    ),
)
