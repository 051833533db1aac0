"""The other forms of bills of materials, as the JSON of CycloneDX and of SPDX 2 that `api.intake.sbom` reads: XML, tag and value, JSON-LD.

Not all that they hold: components, what they need, what a bill is of and when it was made. What an XML bill of CycloneDX says stands in
elements of the same names; SPDX 2 as lines of `Tag: value`; SPDX 3 as a graph of elements that name each other, of which packages, hashes,
package URLs and `dependsOn` become what SPDX 2 calls them.

    PackageName: left-pad                          {"packages": [{"name": "left-pad", "SPDXID": "SPDXRef-a"}]}
    SPDXID: SPDXRef-a

Sources: CycloneDX 1.6 XML; SPDX 2.3, annex on the tag-value format; SPDX 3.0.1, chapters Core and Software, and its JSON-LD context.
"""

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from api.intake.translation import ForeignError, ForeignJsonError, pick, pick_text, read_json

_CYCLONEDX_XML: Final = "{http://cyclonedx.org/schema/bom/"
_is_context = re.compile(r"https?://spdx\.(?:org|github\.io)/[!-~]*3\.[0-9][!-~]*").fullmatch
_NOT_A_BILL: Final = "not-a-bill-of-materials"
# Elements of a bill that are walked, and lines of one: more is no bill that a person asked for.
MAX_THINGS: Final = 500_000


def document_of(body: bytes) -> Any:
    """Return a bill of any form as JSON of CycloneDX or SPDX 2. Raises ForeignError."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:64]
    if start.startswith(b"<"):
        return _of_xml(body)
    if start.startswith((b"SPDXVersion:", b"#")):
        return _of_tags(body)
    document = read_json(body)
    graph, context = pick(document, "@graph"), pick(document, "@context")
    contexts = context if isinstance(context, list) else [context]
    if isinstance(graph, list) and any(isinstance(one, str) and _is_context(one) for one in contexts):
        return _of_graph(graph)
    return document


# -- CycloneDX in XML --------------------------------------------------------------------------------------------------------


def _of_xml(body: bytes) -> dict[str, Any]:
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise ForeignError("not-xml") from None
    if not root.tag.startswith(_CYCLONEDX_XML) or _called(root) != "bom":
        raise ForeignJsonError(_NOT_A_BILL)
    metadata = _child(root, "metadata")
    made: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": root.tag.removeprefix(_CYCLONEDX_XML).partition("}")[0],
        "metadata": {"timestamp": _text(metadata, "timestamp")},
        "components": [_component(one) for one in _children(_child(root, "components"), "component")],
        "dependencies": [
            {"ref": one.get("ref"), "dependsOn": [to.get("ref") for to in _children(one, "dependency")]}
            for one in _children(_child(root, "dependencies"), "dependency")
        ],
        "compositions": [
            {"aggregate": _text(one, "aggregate")} for one in _children(_child(root, "compositions"), "composition")
        ],
    }
    if (of := _child(metadata, "component")) is not None:
        made["metadata"]["component"] = _component(of)
    return made


def _component(root: Element) -> dict[str, Any]:
    """Return a component with what is in it. As deep as a file may say, so without recursion."""
    made: dict[str, Any] = {}
    waiting = [(root, made)]
    while waiting:
        element, into = waiting.pop()
        into |= {"type": element.get("type"), "bom-ref": element.get("bom-ref")}
        into |= {name: _text(element, name) for name in ("name", "version", "purl")}
        hashes = _children(_child(element, "hashes"), "hash")
        into["hashes"] = [{"alg": one.get("alg"), "content": (one.text or "").strip()} for one in hashes]
        into["components"] = []
        for inner in _children(_child(element, "components"), "component"):
            into["components"].append({})
            waiting.append((inner, into["components"][-1]))
    return made


def _called(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _children(element: Element | None, name: str) -> Iterator[Element]:
    yield from (child for child in (element if element is not None else ()) if _called(child) == name)


def _child(element: Element | None, name: str) -> Element | None:
    return next(_children(element, name), None)


def _text(element: Element | None, name: str) -> str | None:
    child = _child(element, name)
    return child.text.strip() if child is not None and child.text else None


# -- SPDX 2 as tags and values -----------------------------------------------------------------------------------------------


def _of_tags(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ForeignError("not-utf-8") from None
    made: dict[str, Any] = {"packages": [], "relationships": [], "creationInfo": {}}
    # What tags are about: the document first, then the last package, file or snippet that was named.
    about: dict[str, Any] = {}
    for tag, value in _tags(text):
        match tag:
            case "SPDXVersion":
                made["spdxVersion"] = value
            case "Created":
                made["creationInfo"]["created"] = value
            case "PackageName":
                about = {"name": value, "externalRefs": [], "checksums": []}
                made["packages"].append(about)
            case "FileName" | "SnippetSPDXID" | "LicenseID":
                about = {}
            case "SPDXID":
                about.setdefault("SPDXID", value)
            case "PackageVersion":
                about["versionInfo"] = value
            case "PrimaryPackagePurpose":
                about["primaryPackagePurpose"] = value
            case "PackageChecksum" if "checksums" in about:
                algorithm, _, digest = value.partition(":")
                about["checksums"].append({"algorithm": algorithm.strip(), "checksumValue": digest.strip()})
            case "ExternalRef" if "externalRefs" in about and len(parts := value.split(None, 2)) == 3:
                about["externalRefs"].append({"referenceType": parts[1], "referenceLocator": parts[2]})
            case "Relationship" if len(parts := value.split()) >= 3:
                said = dict(zip(("spdxElementId", "relationshipType", "relatedSpdxElement"), parts, strict=False))
                made["relationships"].append(said)
    return made


def _tags(text: str) -> Iterator[tuple[str, str]]:
    """Yield tags with their values, those between <text> and </text> left out: what somebody wrote is nothing that is kept."""
    is_within = False
    for line in text.splitlines()[:MAX_THINGS]:
        if is_within:
            is_within = "</text>" not in line
            continue
        tag, colon, value = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        is_within = "<text>" in value and "</text>" not in value
        yield tag.strip(), value.strip()


# -- SPDX 3 as a graph -------------------------------------------------------------------------------------------------------


def _of_graph(graph: list[Any]) -> dict[str, Any]:
    things = [one for one in graph[:MAX_THINGS] if isinstance(one, dict)]
    packages = [_package(one) for one in things if _kind(one) == "Package"]
    infos = [one for one in things if _kind(one) == "CreationInfo"]
    version = next((text for one in infos if (text := pick_text(one, "specVersion"))), None)
    if version is None or not version.startswith("3."):
        raise ForeignJsonError(_NOT_A_BILL)
    return {
        "spdxVersion": f"SPDX-{version}",
        "creationInfo": {"created": next((text for one in infos if (text := pick_text(one, "created"))), None)},
        "packages": packages,
        "documentDescribes": _described(things),
        "relationships": [
            {"spdxElementId": pick(one, "from"), "relationshipType": "DEPENDS_ON", "relatedSpdxElement": to}
            for one in things
            if _kind(one) in ("Relationship", "LifecycleScopedRelationship")
            and one.get("relationshipType") == "dependsOn"
            for to in _several(one.get("to"))
        ],
    }


def _kind(one: dict[str, Any]) -> str:
    """Return the class of an element without the profile that it is of."""
    kind = one.get("type", one.get("@type"))
    return re.split(r"[_:/]", kind)[-1] if isinstance(kind, str) else ""


def _several(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _described(things: list[dict[str, Any]]) -> list[Any]:
    """Return what the document is of: its roots, or where those are bills, theirs."""
    roots = {
        kind: [to for one in things if _kind(one) == kind for to in _several(one.get("rootElement"))]
        for kind in ("SpdxDocument", "Sbom")
    }
    named = roots["SpdxDocument"] + roots["Sbom"]
    return [to for to in named if isinstance(to, str)]


def _package(one: dict[str, Any]) -> dict[str, Any]:
    hashes = [told for told in _several(one.get("verifiedUsing")) if isinstance(told, dict) and _kind(told) == "Hash"]
    purls = [pick_text(one, "software_packageUrl", "packageUrl")] + [
        pick_text(told, "identifier")
        for told in _several(one.get("externalIdentifier"))
        if isinstance(told, dict) and told.get("externalIdentifierType") == "packageUrl"
    ]
    purpose = pick_text(one, "software_primaryPurpose", "primaryPurpose")
    return {
        "SPDXID": one.get("spdxId", one.get("@id")),
        "name": one.get("name"),
        "versionInfo": one.get("software_packageVersion", one.get("packageVersion")),
        "primaryPackagePurpose": purpose,
        "externalRefs": [{"referenceType": "purl", "referenceLocator": purl} for purl in purls if purl],
        "checksums": [
            {"algorithm": str(told.get("algorithm")).upper(), "checksumValue": told.get("hashValue")} for told in hashes
        ],
    }
