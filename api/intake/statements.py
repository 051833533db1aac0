"""in-toto statements as they come: bare, in DSSE envelopes (one, or one a line), or in Sigstore bundles, which code hosts hand out in
lists; and what of each may be kept.

An envelope whose payload is of another type than in-toto's proves nothing, whatever it holds. Kept is what facts are made
of. Parameters, environments, configuration, URLs of dependencies, certificates and signatures may hold secrets, and are cut; of URLs that
are kept, so are user names, passwords and what follows a question mark. Of a predicate that nobody here knows nothing is kept.

`cut` is the redactor of the format; what its output means is `api.intake.intoto`.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from api.intake.formats import Enveloped
from api.intake.translation import MAX_PARTS, ForeignError, ForeignJsonError, pick, pick_text, pick_time, read_json
from ledger.events.identifiers import valid_unicode
from ledger.events.test import MAX_NAMES
from signing.dsse import Envelope, listed_in
from signing.errors import VerificationError

IN_TOTO: Final = "application/vnd.in-toto+json"
_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
_STATEMENTS: Final = ("https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1")
# Statements in one file, subjects of one, and characters of one text that is kept.
MAX_STATEMENTS: Final = 100
MAX_SUBJECTS_KEPT: Final = 4000
MAX_TEXT: Final = 1000
_VERDICTS: Final = {"PASSED": "passed", "WARNED": "warned", "FAILED": "failed"}
_is_hex = re.compile("[0-9a-f]+").fullmatch
_user_of_url = re.compile(r"^([A-Za-z0-9+.-]+://)[^/?#@]*@")
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


def cut(body: bytes) -> bytes:
    """Return what may be kept of the statements of a file. Raises ForeignError."""
    kept = [_cut_statement(wrapper, payload) for wrapper, payload, _ in _payloads(body)]
    if not 0 < len(kept) <= MAX_STATEMENTS:
        raise ForeignError("too-many-statements" if kept else "no-statement")
    return orjson.dumps({"statements": kept})


def enveloped(body: bytes) -> list[Enveloped]:
    """Return the statements of a file with the envelopes that they came in, and who speaks in each. Raises ForeignError."""
    found = []
    for wrapper, payload, envelope in _payloads(body):
        cut_off = _cut_statement(wrapper, payload)
        said = cut_off["said"] or {}
        found.append(Enveloped(cut_off["payload_sha256"], envelope, speaker_of(said)))
    return found


def speaker_of(said: Mapping[str, Any]) -> str | None:
    """Return who speaks in a statement of which a predicate was read: who built, or who verified; None where it does not say."""
    return said.get("builder") or said.get("verifier")


def _payloads(body: bytes) -> Iterator[tuple[str, bytes, Envelope | None]]:
    """Yield the payloads of a file, each with what it came in: nothing, a DSSE envelope or a bundle. Raises ForeignError."""
    for text, document in _documents(body):
        media_type = pick_text(document, "mediaType") or ""
        is_bundle = media_type.startswith(_BUNDLE)
        envelope = pick(document, "dsseEnvelope") if is_bundle else document
        if isinstance(envelope, dict) and "payload" in envelope:
            try:
                read = Envelope.from_json(envelope)
            except VerificationError:
                raise ForeignError("not-dsse") from None
            if read.payload_type != IN_TOTO:
                raise ForeignError("other-payload-type")
            if not read.signatures:
                raise ForeignError("no-signature")
            yield "bundle" if is_bundle else "dsse", read.payload, read
        elif is_bundle or pick(document, "_type") not in _STATEMENTS:
            raise ForeignError("no-statement")
        else:
            yield "statement", text, None


def _documents(body: bytes) -> Iterator[tuple[bytes, Any]]:
    """Yield the documents of a file, with the bytes of each: one, one a line, or those of a list."""
    try:
        document = read_json(body)
    except ForeignJsonError:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2 or len(lines) > MAX_STATEMENTS:
            raise
        yield from ((line, read_json(line)) for line in lines)
    else:
        listed = listed_in(document)
        yield from ((body, document),) if listed is None else ((body, one) for one in listed[: MAX_STATEMENTS + 1])


def _cut_statement(wrapper: str, payload: bytes) -> dict[str, Any]:
    statement = read_json(payload)
    if not isinstance(statement, dict) or pick(statement, "_type") not in _STATEMENTS:
        raise ForeignError("no-statement")
    predicate_type = pick_text(statement, "predicateType")
    subjects = pick(statement, "subject")
    if predicate_type is None or not isinstance(subjects, list) or not subjects:
        raise ForeignError("no-statement")
    if len(subjects) > MAX_SUBJECTS_KEPT:
        raise ForeignError("too-many-subjects")
    reading = _reading_of(predicate_type)
    return {
        "wrapper": wrapper,
        "payload_sha256": hashlib.sha256(payload).hexdigest(),
        "predicate_type": _uri(predicate_type),
        "subjects": [_digests(pick(subject, "digest")) for subject in subjects],
        "said": reading(pick(statement, "predicate")) if reading is not None else None,
    }


def _digests(found: Any) -> dict[str, str]:
    """Return the digests under algorithms that name bytes or a commit."""
    return {
        name: value.lower()
        for name in ("sha256", "sha512", "gitCommit", "sha1")
        if isinstance(value := pick(found, name), str) and len(value) <= 128 and _is_hex(value.lower())
    }


def _text(document: Any, *paths: str) -> str | None:
    text = pick_text(document, *paths)
    return valid_unicode(text)[:MAX_TEXT] if text is not None else None


def _uri(text: str | None) -> str | None:
    """Return a URI without what may be a secret, as identifiers of builders are written; None for none."""
    if text is None:
        return None
    bare = _user_of_url.sub(r"\1", text).partition("?")[0]
    return quote(valid_unicode(bare), safe=_PRINTABLE)[:MAX_TEXT] or None


def _uri_at(document: Any, *paths: str) -> str | None:
    return _uri(pick_text(document, *paths))


def _texts(found: Any, most: int) -> list[str]:
    texts = found if isinstance(found, list) else []
    return [valid_unicode(text)[:MAX_TEXT] for text in texts[:most] if isinstance(text, str) and text]


def _provenance(predicate: Any) -> dict[str, Any]:
    """Return what provenance says of the run, of v1 or of the versions before it."""
    sources = pick(predicate, "buildDefinition.resolvedDependencies") or pick(predicate, "materials")
    named = [pick(source, "digest") for source in (sources if isinstance(sources, list) else [])]
    commits = [
        commit
        for digest in (pick(predicate, "invocation.configSource.digest"), *named)
        if (commit := (found := _digests(digest)).get("gitCommit") or found.get("sha1"))
    ]
    return {
        "builder": _uri_at(predicate, "runDetails.builder.id", "builder.id"),
        "invocation": _uri_at(
            # Builders of SLSA 0.2 write it in either way.
            predicate,
            "runDetails.metadata.invocationId",
            "metadata.buildInvocationId",
            "metadata.buildInvocationID",
        ),
        "started": pick_time(predicate, "runDetails.metadata.startedOn", "metadata.buildStartedOn"),
        "finished": pick_time(predicate, "runDetails.metadata.finishedOn", "metadata.buildFinishedOn"),
        "commit": commits[0] if len(set(commits)) == 1 else None,
    }


def _verification_summary(predicate: Any) -> dict[str, Any]:
    return {
        "verifier": _uri_at(predicate, "verifier.id"),
        "verdict": _VERDICTS.get(pick_text(predicate, "verificationResult") or ""),
        "properties": _texts(pick(predicate, "verifiedLevels"), 64),
        "policy": _digests(pick(predicate, "policy.digest")).get("sha256"),
        "time": pick_time(predicate, "timeVerified"),
    }


def _verification_result(predicate: Any) -> dict[str, Any]:
    return {
        "verifier": _uri_at(predicate, "verifier.id"),
        "properties": _texts(pick(predicate, "properties"), 64),
        "policy": _digests(pick(predicate, "verifier.policy.digest")).get("sha256"),
        "time": pick_time(predicate, "timeCreated"),
    }


def _test_result(predicate: Any) -> dict[str, Any]:
    lists = {
        name: _texts(pick(predicate, f"{name}Tests"), MAX_NAMES * MAX_PARTS) for name in ("passed", "warned", "failed")
    }
    return {
        "verdict": _VERDICTS.get(pick_text(predicate, "result") or ""),
        "run": _uri_at(predicate, "url"),
        "tests": lists,
    }


def _release(predicate: Any) -> dict[str, Any]:
    # Qualifiers of a package URL are no query: they say where it is, and which of several.
    purl = _text(predicate, "purl")
    return {"purl": purl if purl is not None and purl.startswith("pkg:") and "@" in purl else None}


# Types of predicates without their versions, and what is kept of each.
_READINGS: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "https://slsa.dev/provenance": _provenance,
    "https://slsa.dev/verification_summary": _verification_summary,
    "https://in-toto.io/attestation/svr": _verification_result,
    "https://in-toto.io/attestation/test-result": _test_result,
    "https://in-toto.io/attestation/release": _release,
}
# Versions whose fields are read. Of another nobody here knows what it means.
_VERSIONS: Final = {
    "https://slsa.dev/provenance": re.compile(r"v(0\.1|0\.2|1(\.[0-9]+)?)"),
    "https://slsa.dev/verification_summary": re.compile(r"v1(\.[0-9]+)?"),
}
_FIRST: Final = re.compile(r"v0\.[0-9]+")


def _reading_of(predicate_type: str) -> Callable[[Any], dict[str, Any]] | None:
    name, _, version = predicate_type.rpartition("/")
    return _READINGS.get(name) if _VERSIONS.get(name, _FIRST).fullmatch(version) else None
