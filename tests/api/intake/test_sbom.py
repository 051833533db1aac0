"""Bills of materials: how much CycloneDX and SPDX list, of what, and what goes out in a release; and nothing that may be a secret.

The bills are made up here, in the shapes that Syft, Trivy, cdxgen and Microsoft's tool write.
"""

import json
from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.sbom import FORMAT
from api.intake.translation import Fact, ForeignError, Mapped, Unmapped

SAID = {"service": "api", "run": "4711"}
RELEASE = {"release": "2026.48", "actor": "person:alice"}


def library(name: str, purl: str | None = None, **more: Any) -> dict[str, Any]:
    made = {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": "1",
        "properties": [{"name": "x", "value": "s3cret"}],
    }
    return made | ({"purl": purl} if purl else {}) | more


def cyclonedx(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    root = {
        "type": "container",
        "name": "api",
        "bom-ref": "api",
        "purl": "pkg:oci/api@sha256%3A77?repository_url=s3cret",
    }
    metadata = {"timestamp": "2026-03-02T09:00:00+01:00", "component": root, "authors": [{"email": "s3cret"}]}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": metadata, "components": list(components)} | more


def package(name: str, purl: str | None = None, **more: Any) -> dict[str, Any]:
    made = {
        "SPDXID": f"SPDXRef-{name}",
        "name": name,
        "versionInfo": "NOASSERTION",
        "downloadLocation": "https://s3cret@x",
    }
    refs = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}] if purl else []
    return made | {"externalRefs": refs} | more


def spdx(*packages: dict[str, Any], needs: tuple[tuple[str, str, str], ...] = (), **more: Any) -> dict[str, Any]:
    related = [
        dict(zip(("spdxElementId", "relationshipType", "relatedSpdxElement"), one, strict=True)) for one in needs
    ]
    made = {"spdxVersion": "SPDX-2.3", "documentNamespace": "https://example.com/a", "packages": list(packages)}
    return made | {"creationInfo": {"created": "2026-03-02T09:00:00Z"}, "relationships": related} | more


def recorded(document: Any, **said: str) -> Fact:
    [fact] = facts_of(FORMAT, json.dumps(document), SAID | said)
    assert (fact.type, fact.left_out) == ("sbom.recorded", ())
    return fact


def counts(fact: Fact) -> tuple[Any, ...]:
    return tuple(
        fact.data.get(name) for name in ("format", "format_version", "components", "identified", "dependencies")
    )


def test_a_bill_of_cyclonedx_is_counted_with_what_is_in_its_components() -> None:
    inner = library("c", "pkg:npm/c@1")
    needs = [{"ref": "api", "dependsOn": ["a", "b"]}, {"ref": "b"}, {"ref": "a", "dependsOn": ["c", 3]}]
    fact = recorded(cyclonedx(library("a", "pkg:npm/a@1"), library("b", components=[inner]), dependencies=needs))
    assert counts(fact) == ("cyclonedx", "1.6", 3, 2, 3)
    assert (fact.data["artifact"], fact.data["service"], fact.time) == (
        "pkg:oci/api@sha256%3A77",
        "api",
        "2026-03-02T09:00:00+01:00",
    )
    assert "complete" not in fact.data


def test_a_bill_of_spdx_is_counted_without_what_it_describes() -> None:
    needs = (
        ("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-api"), ("SPDXRef-api", "DEPENDS_ON", "SPDXRef-a"),
        ("SPDXRef-b", "DEPENDENCY_OF", "SPDXRef-a"), ("SPDXRef-a", "CONTAINS", "SPDXRef-b"),
    )  # fmt: skip
    sums = [{"algorithm": "SHA1", "checksumValue": "1" * 40}, {"algorithm": "SHA256", "checksumValue": "A" * 64}]
    fact = recorded(spdx(package("api", checksums=sums), package("a", "pkg:pypi/a@1"), package("b"), needs=needs))
    assert counts(fact) == ("spdx", "2.3", 2, 1, 2)
    assert fact.data["artifact"] == "sha256:" + "a" * 64
    assert recorded(spdx(package("a"), package("b"))).data["components"] == 2
    assert recorded(spdx(package("a"), documentDescribes=["SPDXRef-a"])).data["components"] == 0
    described = spdx(package("a"), package("b"), documentDescribes=["SPDXRef-a", "SPDXRef-b"])
    assert (recorded(described).data["components"], "artifact" in recorded(described).data) == (2, False)


def test_what_lists_the_same_has_the_same_digest() -> None:
    one, two = (library(name, f"pkg:npm/{name}@1?x=s3cret") for name in "ab")
    first = recorded(cyclonedx(one, two)).data
    assert first["components_digest"] == recorded(cyclonedx(two, one, serialNumber="urn:x")).data["components_digest"]
    assert (
        first["components_digest"]
        == recorded(spdx(package("a", "pkg:npm/a@1"), package("b", "pkg:npm/b@1"))).data["components_digest"]
    )
    assert first["components_digest"] != recorded(cyclonedx(one)).data["components_digest"]


@pytest.mark.parametrize(
    ("aggregates", "complete"),
    [
        (["complete"], True),
        (["incomplete"], False),
        (["complete", "incomplete"], False),
        (["unknown"], None),
        ([], None),
    ],
)
def test_whether_that_is_all_is_what_the_bill_says(aggregates: list[str], complete: bool | None) -> None:
    made = cyclonedx(library("a"), compositions=[{"aggregate": aggregate} for aggregate in aggregates])
    assert recorded(made).data.get("complete") is complete


# -- what goes out in a release ---------------------------------------------------------------------------------------------


def going(name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "container",
        "bom-ref": f"ref-{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": "7" * 64}],
    } | more


def scope_of(document: dict[str, Any], **said: str) -> Any:
    body = json.dumps(document).encode()
    assert FORMAT.redactor is not None
    found = FORMAT.translate(FORMAT.context(RELEASE | said).beside(body), FORMAT.redactor.cut(body))
    if isinstance(found, Mapped):
        _, scope = found.facts
        assert scope.type == "release.scope_defined"
        return scope.data
    assert isinstance(found, Unmapped)
    return found.reason


def test_applications_and_containers_are_what_goes_out_in_a_release_where_somebody_says_so() -> None:
    needs = [{"ref": "ref-web", "dependsOn": ["ref-api", "a"]}, {"ref": "ref-api", "dependsOn": ["ref-api"]}]
    api = going("api", type="application", purl="pkg:oci/api@sha256%3A55", hashes=[])
    assert scope_of(cyclonedx(going("web"), api, library("a"), dependencies=needs)) == {
        "actor": "person:alice",
        "release_id": "2026.48",
        "components": [
            {"service": "api", "artifact": "pkg:oci/api@sha256%3A55"},
            {"service": "web", "artifact": "sha256:" + "7" * 64},
        ],
        "edges": [{"consumer": "web", "provider": "api"}],
    }


@pytest.mark.parametrize(
    "components",
    [
        (library("a", "pkg:npm/a@1"),),
        # It does not say which version.
        (going("web", hashes=[], purl="pkg:oci/web"),),
        (going("web", hashes=[]), going("api")),
        (going("web"), going("web")),
        tuple(going(f"web-{number}") for number in range(65)),
    ],
)
def test_what_does_not_say_exactly_what_goes_out_is_no_scope(components: tuple[dict[str, Any], ...]) -> None:
    assert scope_of(cyclonedx(*components)) == "not-the-components-of-a-release"


def test_nobody_defines_a_scope_without_saying_who() -> None:
    body = json.dumps(cyclonedx(going("web"))).encode()
    assert FORMAT.redactor is not None
    found = FORMAT.translate(FORMAT.context({"release": "2026.48"}).beside(body), FORMAT.redactor.cut(body))
    assert found == Unmapped("sbom", "no-actor-of-the-release", "/intake/sbom")


# -- in other forms ----------------------------------------------------------------------------------------------------------

XML = """<?xml version="1.0"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.5" serialNumber="urn:uuid:1" version="1">
 <metadata><timestamp>2026-03-02T09:00:00Z</timestamp>
  <component type="container" bom-ref="api"><name>api</name><hashes><hash alg="SHA-256">{digest}</hash></hashes></component></metadata>
 <components><component type="library" bom-ref="a"><name>a</name><version>1</version><purl>pkg:npm/a@1?x=s3cret</purl>
  <description>s3cret</description><components><component type="library" bom-ref="b"><name>b</name></component></components></component>
 </components>
 <dependencies><dependency ref="api"><dependency ref="a"/></dependency></dependencies>
</bom>"""
TAGS = """SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
Created: 2026-03-02T09:00:00Z
CreatorComment: <text>s3cret
PackageName: not one
</text>
PackageName: api
SPDXID: SPDXRef-api
PackageChecksum: SHA256: {digest}
PrimaryPackagePurpose: CONTAINER
PackageName: a
SPDXID: SPDXRef-a
ExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1?x=s3cret
PackageName: b
SPDXID: SPDXRef-b
FileName: ./s3cret
SPDXID: SPDXRef-file
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-api
Relationship: SPDXRef-api DEPENDS_ON SPDXRef-a
"""


def graph(digest: str) -> dict[str, Any]:
    return {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
        {"type": "CreationInfo", "@id": "_:info", "specVersion": "3.0.1", "created": "2026-03-02T09:00:00Z", "comment": "s3cret"},
        {"type": "SpdxDocument", "spdxId": "urn:doc", "rootElement": ["urn:sbom"]},
        {"type": "software_Sbom", "spdxId": "urn:sbom", "rootElement": ["urn:api"]},
        {"type": "software_Package", "spdxId": "urn:api", "name": "api", "software_primaryPurpose": "container",
         "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": digest}]},
        {"type": "software_Package", "spdxId": "urn:a", "name": "a", "software_packageUrl": "pkg:npm/a@1?x=s3cret"},
        {"type": "software_Package", "spdxId": "urn:b", "name": "b"},
        {"type": "software_File", "spdxId": "urn:f", "name": "s3cret"},
        {"type": "Relationship", "spdxId": "urn:r", "from": "urn:api", "relationshipType": "dependsOn", "to": ["urn:a"]},
    ]}  # fmt: skip


FORMS = {
    "CycloneDX in XML": (XML.format(digest="7" * 64), ("cyclonedx", "1.5", 2, 1, 1)),
    "SPDX as tags and values": (TAGS.format(digest="7" * 64), ("spdx", "2.3", 2, 1, 1)),
    "SPDX 3": (json.dumps(graph("7" * 64)), ("spdx", "3.0.1", 2, 1, 1)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_bill_in_another_form_says_the_same(form: str) -> None:
    body, expected = FORMS[form]
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(body.encode())
    [fact] = facts_of(FORMAT, body, SAID)
    assert counts(fact) == expected
    assert (fact.data["artifact"], fact.time) == ("sha256:" + "7" * 64, "2026-03-02T09:00:00Z")


@pytest.mark.parametrize("form", FORMS)
def test_no_mutation_of_another_form_is_worse_than_not_understood(form: str) -> None:
    assert FORMAT.redactor is not None
    for changed in mutations(FORMS[form][0].encode(), 200):
        try:
            kept = FORMAT.redactor.cut(changed)
        except ForeignError:
            continue
        assert FORMAT.translate(FORMAT.context(SAID).beside(changed), kept) is not None


# -- what is none ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b"[]", "not-a-bill-of-materials"),
        (b'{"spdxVersion": "SPDX-4.0"}', "not-a-bill-of-materials"),
        (b'{"@context": "https://spdx.org/rdf/3.0.0/spdx-context.jsonld", "@graph": []}', "not-a-bill-of-materials"),
        (b"<bom/>", "not-a-bill-of-materials"),
        (b'<bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>', "no-components"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><bom xmlns="http://cyclonedx.org/schema/bom/1.5">&x;</bom>', "not-xml"),
        (b"SPDXVersion: SPDX-2.3\nSPDXID: SPDXRef-DOCUMENT\n", "no-components"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.4", "vulnerabilities": [{"id": "CVE-1"}]}', "no-components"),
        (b'{"spdxVersion": "SPDX-2.3", "packages": []}', "no-components"),
        (b'{"bomFormat": "CycloneDX", "bomFormat": "CycloneDX"}', "key-twice"),
    ],
)
def test_what_lists_nothing_is_no_bill(body: bytes, reason: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match=reason):
        FORMAT.redactor.cut(body)


def test_nothing_is_kept_but_names_versions_digests_and_what_needs_what() -> None:
    assert FORMAT.redactor is not None
    for made in (cyclonedx(library("a", "pkg:npm/a@1?vcs_url=s3cret#s3cret", description="s3cret")),
                 spdx(package("a", "pkg:npm/a@1?download_url=https://s3cret@x"), comment="s3cret")):  # fmt: skip
        assert b"s3cret" not in FORMAT.redactor.cut(json.dumps(made).encode())


def test_no_mutation_of_a_bill_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    needs = (("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-a"), ("SPDXRef-a", "DEPENDS_ON", "SPDXRef-b"))
    bills = [cyclonedx(going("web"), library("a", "pkg:npm/a@1"), dependencies=[{"ref": "ref-web", "dependsOn": ["a"]}]),
             spdx(package("a", "pkg:npm/a@1"), package("b"), needs=needs)]  # fmt: skip
    for body in (json.dumps(made).encode() for made in bills):
        for changed in mutations(body, 300):
            try:
                kept = FORMAT.redactor.cut(changed)
            except ForeignError:
                continue
            found = FORMAT.translate(FORMAT.context(RELEASE).beside(changed), kept)
            assert isinstance(found, Mapped | Unmapped)
