"""Bills of materials, CycloneDX 1.x and SPDX 2.x and 3.x: how much each lists, of what; and, where somebody says so, what a release is of.

They come in JSON, in XML, as tags and values, or as a graph of JSON-LD (`api.intake.sbom_forms`); RDF and YAML are not read.

Libraries are no services, and what an artifact is made of is no infrastructure that others share: so no dependency is declared by such a
file. It is counted, under the digest of its package URLs, and stands in the evidence. Only where whoever posts it names a release, and
who says so, its applications and containers are the release's components, and what these need of each other its edges; every one of them
has to say exactly what it is, by a package URL with a version or a SHA-256.

A file that lists nothing, as one of vulnerabilities alone, is no bill. `NOASSERTION` is not `none`: it is left out. The redactor keeps
names, versions, package URLs without their qualifiers, digests, and what needs what.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from api.intake.formats import JSON, UNMAPPED, Format, Redactor, Sample
from api.intake.sbom_forms import document_of
from api.intake.translation import (
    Fact,
    ForeignJsonError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    dump_json,
    fact,
    pick,
    pick_text,
    pick_time,
)
from ledger.canonical import encode
from ledger.errors import StatementError
from ledger.events.identifiers import Artifact, Digest, Version, fits, identifier_of

CYCLONEDX: Final = "application/vnd.cyclonedx+json"
SPDX: Final = "application/spdx+json"
_OTHERS: Final = ("application/vnd.cyclonedx+xml", "application/xml", "text/spdx", "application/ld+json")
# Of a release, as its statement holds them.
MAX_COMPONENTS: Final = 64
MAX_EDGES: Final = 128
_GOING_OUT: Final = ("application", "container")
_NEEDS: Final = {"DEPENDS_ON": False, "DEPENDENCY_OF": True}


# -- cutting ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> bytes:
    document = document_of(body)
    if pick_text(document, "bomFormat") == "CycloneDX":
        kept = _cut_cyclonedx(document)
    elif (pick_text(document, "spdxVersion") or "").startswith(("SPDX-2.", "SPDX-3.")):
        kept = _cut_spdx(document)
    else:
        raise ForeignJsonError("not-a-bill-of-materials")
    # SPDX lists what it describes among its packages: then that there is nothing else is said.
    is_bill = kept["components"] or (kept["format"] == "spdx" and kept["root"] is not None)
    if not is_bill:
        raise ForeignJsonError("no-components")
    return dump_json(kept)


def _cut_cyclonedx(document: dict[str, Any]) -> dict[str, Any]:
    root = pick(document, "metadata.component")
    waiting = [*_list(document, "components"), *_list(root, "components")]
    components = []
    while waiting:
        one = waiting.pop()
        waiting += _list(one, "components")
        if isinstance(one, dict):
            components.append(_cut_component(one))
    aggregates = {pick(one, "aggregate") for one in _list(document, "compositions") if isinstance(one, dict)}
    return {
        "format": "cyclonedx",
        "format_version": _name(pick(document, "specVersion")),
        "made_at": pick_time(document, "metadata.timestamp"),
        "complete": True if aggregates == {"complete"} else False if aggregates & {"incomplete"} else None,
        "root": _cut_component(root) if isinstance(root, dict) else None,
        "components": components,
        "needs": [
            [consumer, provider]
            for one in _list(document, "dependencies")
            if (consumer := _name(pick(one, "ref"))) is not None
            for provider in map(_name, _list(one, "dependsOn"))
            if provider is not None
        ],
    }


def _cut_component(one: dict[str, Any]) -> dict[str, Any]:
    hashes = (told for told in _list(one, "hashes") if pick(told, "alg") == "SHA-256")
    return {
        "ref": _name(one.get("bom-ref")),
        "type": _name(one.get("type")),
        "name": _name(one.get("name")),
        "version": _name(one.get("version")),
        "purl": _purl(one.get("purl")),
        "sha256": _sha256(pick(next(hashes, None), "content")),
    }


def _cut_spdx(document: dict[str, Any]) -> dict[str, Any]:
    related = [
        [_name(pick(one, name)) for name in ("spdxElementId", "relationshipType", "relatedSpdxElement")]
        for one in _list(document, "relationships")
    ]
    described = {to for _, kind, to in related if kind == "DESCRIBES"}
    described |= set(map(_name, _list(document, "documentDescribes")))
    packages = [_cut_package(one) for one in _list(document, "packages") if isinstance(one, dict)]
    roots = [one for one in packages if one["ref"] is not None and one["ref"] in described]
    return {
        "format": "spdx",
        "format_version": (pick_text(document, "spdxVersion") or "").removeprefix("SPDX-"),
        "made_at": pick_time(document, "creationInfo.created"),
        "complete": None,
        # Of several that are described none is the one.
        "root": roots[0] if len(roots) == 1 else None,
        "components": [one for one in packages if len(roots) != 1 or one is not roots[0]],
        "needs": [
            [to, of] if _NEEDS[kind] else [of, to]
            for of, kind, to in related
            if kind in _NEEDS and of is not None and to is not None
        ],
    }


def _cut_package(one: dict[str, Any]) -> dict[str, Any]:
    purls = (
        pick(told, "referenceLocator") for told in _list(one, "externalRefs") if pick(told, "referenceType") == "purl"
    )
    sums = (told for told in _list(one, "checksums") if pick(told, "algorithm") == "SHA256")
    purpose = _name(one.get("primaryPackagePurpose"))
    return {
        "ref": _name(one.get("SPDXID")),
        "type": purpose.lower() if purpose is not None else None,
        "name": _name(one.get("name")),
        "version": _name(one.get("versionInfo")),
        "purl": _purl(next(purls, None)),
        "sha256": _sha256(pick(next(sums, None), "checksumValue")),
    }


def _purl(value: Any) -> str | None:
    """Return a package URL without qualifiers, which may say where to download it and who logs in; None for what is not one."""
    purl = value.partition("?")[0].partition("#")[0] if isinstance(value, str) else None
    return purl if fits(Artifact, purl) else None


def _sha256(value: Any) -> str | None:
    digest = f"sha256:{value.lower()}" if isinstance(value, str) else None
    return digest if fits(Digest, digest) else None


def _name(value: Any) -> str | None:
    is_name = isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable() and value != "NOASSERTION"
    return value if is_name else None


def _list(thing: Any, path: str) -> list[Any]:
    found = pick(thing, path)
    return found if isinstance(found, list) else []


# -- what it says ----------------------------------------------------------------------------------------------------------


def translate(beside: Headers, body: bytes) -> Translation:
    """Return how much a file lists that the redactor left, and the scope of a release where one is named."""
    document, source = orjson.loads(body), beside["source"]
    facts: list[Fact] = []
    try:
        facts.append(_recorded(beside, document))
        if "release" in beside:
            if "actor" not in beside:
                return Unmapped("sbom", "no-actor-of-the-release", source)
            scope = _scope_of(document)
            if scope is None:
                return Unmapped("sbom", "not-the-components-of-a-release", source)
            said = {"actor": beside["actor"], "release_id": beside["release"]} | scope
            facts.append(fact(source, "release.scope_defined", document["made_at"] or "", said))
    except StatementError as error:
        return Unmapped("sbom", f"field{error.place}", source)
    return Mapped(tuple(facts))


def _recorded(beside: Headers, document: dict[str, Any]) -> Fact:
    components, root = document["components"], document["root"]
    purls = sorted(one["purl"] for one in components if one["purl"] is not None)
    version = document["format_version"]
    said = {
        "sbom": beside["identity"],
        "format": document["format"],
        "format_version": version if fits(Version, version) else None,
        "artifact": (root["sha256"] or root["purl"]) if root is not None else None,
        "service": beside.get("service"),
        "commit": beside.get("commit"),
        "run_id": beside.get("run"),
        "components": len(components),
        "identified": len(purls),
        "dependencies": len(document["needs"]),
        "components_digest": f"sha256:{hashlib.sha256(encode(purls)).hexdigest()}",
        "file_digest": f"sha256:{beside['sha256']}",
        "complete": document["complete"],
    }
    # It says when it was made itself, and not when what it is of was.
    return fact(beside["source"], "sbom.recorded", document["made_at"] or "", said)


def _scope_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the components and edges of a release; None where one does not say what it is, or there are none, or too many."""
    going = [one for one in document["components"] if one["type"] in _GOING_OUT]
    components = sorted(_components(going), key=lambda one: one["service"])
    names = {one["ref"] or one["name"]: one["name"] for one in going}
    edges = sorted(
        {(names[a], names[b]) for a, b in document["needs"] if a in names and b in names and names[a] != names[b]}
    )
    services = {one["service"] for one in components}
    is_whole = len(components) == len(going) == len(services)
    if not is_whole or not 0 < len(components) <= MAX_COMPONENTS or len(edges) > MAX_EDGES:
        return None
    return {
        "components": tuple(components),
        "edges": tuple({"consumer": identifier_of(a), "provider": identifier_of(b)} for a, b in edges),
    }


def _components(going: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield those that say exactly what they are."""
    for one in going:
        has_version = one["purl"] is not None and "@" in one["purl"]
        artifact = one["sha256"] or (one["purl"] if has_version else None)
        if one["name"] is not None and artifact is not None:
            yield {"service": identifier_of(one["name"]), "artifact": artifact}


_SAID: Final = {"service": "payments-api", "run": "4711"}
_OF_RELEASE: Final = {"release": "2026.48", "actor": "person:alice"}
_LIBRARY: Final = {
    "type": "library",
    "name": "left-pad",
    "version": "1.3.0",
    "description": "hunter2",
    "purl": "pkg:npm/left-pad@1.3.0?download_url=hunter2",
}
_BILL: Final = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"timestamp": "2026-03-02T09:00:00Z", "authors": [{"name": "hunter2"}]},
}
_WEB: Final = {"type": "container", "name": "web", "hashes": [{"alg": "SHA-256", "content": "7" * 64}]}
_TAGS: Final = (
    "SPDXVersion: SPDX-2.3\nPackageName: left-pad\nSPDXID: SPDXRef-a\nPackageVersion: 1.3.0\nPackageComment: hunter2\n"
)

FORMAT: Final = Format(
    "sbom",
    "Bills of materials",
    "CycloneDX or SPDX, in any form but YAML and RDF: how much an artifact is made of; and what goes out in a release, where one is named.",
    translate,
    media_types=(JSON, CYCLONEDX, SPDX, *_OTHERS),
    asks=("run", "commit", "service", "release", "actor"),
    redactor=Redactor(2, _cut),
    samples=(
        Sample("CycloneDX", _BILL | {"components": [_LIBRARY]}, ("sbom.recorded",), context=_SAID),
        Sample(
            "SPDX",
            {"spdxVersion": "SPDX-2.3", "comment": "hunter2",
             "packages": [{"SPDXID": "SPDXRef-a", "name": "left-pad", "versionInfo": "1.3.0", "comment": "hunter2"}]},
            ("sbom.recorded",),
            context=_SAID,
        ),
        Sample("SPDX as tags and values", _TAGS, ("sbom.recorded",), context=_SAID),
        Sample(
            "CycloneDX, of a release", _BILL | {"components": [_WEB]}, ("sbom.recorded", "release.scope_defined"),
            context=_OF_RELEASE,
        ),
        Sample("no bill of a release", _BILL | {"components": [_LIBRARY]}, (UNMAPPED,), context=_OF_RELEASE),
    ),
)  # fmt: skip
