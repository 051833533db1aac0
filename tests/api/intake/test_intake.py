"""Outside formats: authentic bytes are kept, what is understood becomes facts, and what is not is recorded as such."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bodies
import pytest
from deliveries import deliver, entry_at, evidence_of, numbers, taken
from httpx import Response
from servers import GITHUB_SECRET, JSON, STRUCTURED, Server, check_problem, event, running_server

from api.intake import cdevents, github
from api.intake.formats import HmacHeader
from api.intake.translation import ContradictionError, Fact, Mapped, Nothing, Unmapped
from ledger.errors import UnauthenticatedError

GITHUB_SOURCE = f"https://github.com/{bodies.REPOSITORY}"


# -- the signature -----------------------------------------------------------------------------------------------------

# From GitHub's documentation, "Validating webhook deliveries": their test values for whoever implements this.
VECTOR_BODY = b"Hello, World!"
VECTOR = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_the_published_vector_is_accepted_and_nothing_near_it() -> None:
    check = HmacHeader("X-Hub-Signature-256").check
    check(GITHUB_SECRET, VECTOR_BODY, {"x-hub-signature-256": VECTOR})
    for secret, body, header in (
        ("It's a Secret to Nobody", VECTOR_BODY, VECTOR),
        (GITHUB_SECRET, VECTOR_BODY + b"\n", VECTOR),
        (GITHUB_SECRET, VECTOR_BODY, VECTOR[:-1] + "8"),
        (GITHUB_SECRET, VECTOR_BODY, VECTOR.removeprefix("sha256=")),
        (GITHUB_SECRET, VECTOR_BODY, VECTOR.upper()),
        (GITHUB_SECRET, VECTOR_BODY, "sha1=" + VECTOR.removeprefix("sha256=")),
        (GITHUB_SECRET, VECTOR_BODY, ""),
        (GITHUB_SECRET, VECTOR_BODY, "sha256=é"),
    ):
        with pytest.raises(UnauthenticatedError):
            check(secret, body, {"x-hub-signature-256": header})
    with pytest.raises(UnauthenticatedError):
        check(GITHUB_SECRET, VECTOR_BODY, {})


def test_the_published_vector_is_authentic_over_http_too(server: Server) -> None:
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": VECTOR}
    answer = server.post(VECTOR_BODY, to="/v1/intake/github", by="nobody", kind=JSON, headers=headers)
    assert answer.status_code != 401
    check_problem(server.post(VECTOR_BODY + b"!", to="/v1/intake/github", by="nobody", kind=JSON, headers=headers), 401)


def test_a_body_that_was_parsed_and_written_again_is_not_authentic(taking: Server) -> None:
    raw = json.dumps(bodies.deployment(next(numbers)), indent=1).encode()
    again = json.dumps(json.loads(raw)).encode()
    before = taking.size()
    answer = taking.post(
        again, to="/v1/intake/github", by="nobody", kind=JSON, headers=bodies.webhook(raw, "deployment")
    )
    check_problem(answer, 401)
    assert taking.size() == before


@pytest.mark.parametrize("configured", [None, ""], ids=["unset", "empty"])
def test_without_a_secret_the_door_is_closed(tmp_path: Path, configured: str | None) -> None:
    with running_server(tmp_path / "var", github_secret=configured) as closed:
        raw = bodies.encoded(bodies.deployment(1))
        # A signature under the empty secret is one that anybody can make.
        for secret in ("", GITHUB_SECRET):
            headers = bodies.webhook(raw, "deployment", secret=secret)
            check_problem(closed.post(raw, to="/v1/intake/github", by="nobody", kind=JSON, headers=headers), 503)


# -- GitHub: what becomes of a body ------------------------------------------------------------------------------------


def test_a_deployment_becomes_a_start_with_its_change(taking: Server) -> None:
    number = next(numbers)
    body = bodies.encoded(bodies.deployment(number))
    entry = taken(taking, deliver(taking, body, "deployment"))
    statement = entry["statement"]
    assert statement["type"] == "deployment.started"
    assert statement["source"] == GITHUB_SOURCE
    assert statement["time"] == bodies.DEPLOYED_AT
    assert statement["id"] == f"{hashlib.sha256(body).hexdigest()}/0"
    assert statement["data"] == {
        "actor": "github:501",
        "deployment_id": f"github-{number}",
        "change_id": "CHG-12",
        "service": bodies.REPOSITORY,
        "environment": "prod",
        "commit": bodies.HEAD,
    }
    assert evidence_of(taking, entry) == body


def test_trust_is_hmac_and_the_credential_is_that_of_the_enrolment(taking: Server) -> None:
    entry = taken(taking, deliver(taking, bodies.deployment(next(numbers)), "deployment"))
    enrolled = [s for s in taking.get("/v1/ledger/sources").json() if s["door"] == "github" and not s["retired_at"]]
    [credential] = [s["credential"] for s in enrolled if s["source"] == "https://github.com/acme/*"]
    assert credential.startswith("hmac:")
    assert entry["recorded_by"] == {"credential": credential, "principal": "service:github", "trust": "hmac"}


@pytest.mark.parametrize("payload", [{}, None, "", "no JSON", '{"change_id": "CHG-13"}', "[]", {"change_id": None}])
def test_a_deployment_names_its_change_only_in_its_payload(taking: Server, payload: Any) -> None:
    entry = taken(taking, deliver(taking, bodies.deployment(next(numbers), payload=payload), "deployment"))
    expected = "CHG-13" if payload == '{"change_id": "CHG-13"}' else None
    assert entry["statement"]["data"].get("change_id") == expected


@pytest.mark.parametrize("state", ["success", "failure", "error"])
def test_the_end_of_a_deployment_is_when_its_state_was_made(taking: Server, state: str) -> None:
    number = next(numbers)
    statement = taken(taking, deliver(taking, bodies.deployment_status(state, number), "deployment_status"))[
        "statement"
    ]
    assert statement["type"] == "deployment.finished"
    assert statement["data"]["outcome"] == state
    assert statement["data"]["deployment_id"] == f"github-{number}"
    assert statement["data"]["actor"] == "github-bot:77"
    # Not updated_at, which moves when a later deployment takes over.
    assert statement["time"] == bodies.ENDED_AT


@pytest.mark.parametrize("state", ["pending", "queued", "waiting", "in_progress", "inactive", "something_new"])
def test_a_state_that_is_neither_start_nor_end_is_kept_as_unmapped(taking: Server, state: str) -> None:
    body = bodies.encoded(bodies.deployment_status(state, next(numbers)))
    entry = taken(taking, deliver(taking, body, "deployment_status"), 202)
    assert entry["statement"]["type"] == "intake.unmapped"
    assert entry["statement"]["data"]["reason"] == f"state-{state}"
    assert entry["recorded_by"]["principal"] == "service:ledger"
    assert evidence_of(taking, entry) == body


def test_a_pull_request_becomes_a_proposal_by_its_author_and_by_whoever_pushed(taking: Server) -> None:
    number = next(numbers)
    statement = taken(taking, deliver(taking, bodies.pull_request(number=number), "pull_request"))["statement"]
    assert (statement["type"], statement["time"]) == ("code.proposed", bodies.DEPLOYED_AT)
    pulled = {"repository": bodies.REPOSITORY, "pull_request": number}
    assert statement["data"] == {"authors": ["github:503"], "head_sha": bodies.HEAD, **pulled}
    pushed = bodies.pull_request("synchronize", "b" * 40, number, by=506)
    statement = taken(taking, deliver(taking, pushed, "pull_request"))["statement"]
    assert statement["data"] == {"authors": ["github:503", "github:506"], "head_sha": "b" * 40, **pulled}
    assert statement["time"] == bodies.ENDED_AT


def test_a_pull_request_that_was_merged_becomes_a_merge_and_one_that_was_closed_does_not(taking: Server) -> None:
    number = next(numbers)
    closed = bodies.pull_request("closed", number=number)
    assert taken(taking, deliver(taking, closed, "pull_request"), 202)["statement"]["type"] == "intake.unmapped"
    statement = taken(taking, deliver(taking, bodies.merged(number=number), "pull_request"))["statement"]
    assert (statement["type"], statement["time"]) == ("code.merged", bodies.ENDED_AT)
    assert statement["data"] == {
        "actor": "github:505", "repository": bodies.REPOSITORY, "pull_request": number, "head_sha": bodies.HEAD,
        "merge_sha": "7" * 40, "branch": "main",
    }  # fmt: skip


@pytest.mark.parametrize("branch", ["release@2", "_wip", "b" * 65, "", None, 7])
def test_a_merge_counts_whatever_its_branch_is_called(taking: Server, branch: Any) -> None:
    body = bodies.merged(number=next(numbers))
    body["pull_request"]["base"]["ref"] = branch
    statement = taken(taking, deliver(taking, body, "pull_request"))["statement"]
    assert statement["type"] == "code.merged"
    assert "branch" not in statement["data"]


def _finding_of(server: Server, number: int, position: int) -> dict[str, Any] | None:
    key = quote(f"merged-without-review/{bodies.REPOSITORY}#{number}", safe="")
    answer = server.get(f"/v1/views/findings/{key}", params={"min_position": str(position)})
    row: dict[str, Any] | None = answer.json()["row"] if answer.status_code == 200 else None
    return row if row is not None and row["is_open"] else None


FOUR_EYES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "approved by another": [("pull_request_review", {"user": 502})],
    "approved, and pushed to again": [("pull_request_review", {"user": 502}), ("pull_request", {"by": 503})],
    "approved by who pushed to it": [("pull_request", {"by": 502}), ("pull_request_review", {"user": 502})],
    "approved by a bot": [("pull_request_review", {"user": 509})],
    "approved, and dismissed": [("pull_request_review", {"user": 502}), ("dismissed", {"user": 502})],
    "merged by its author, approved by another": [("pull_request_review", {"user": 502}), ("merged", {"by": 503})],
    "approved by who merged it": [("pull_request_review", {"user": 505})],
}
REVIEWED = ("approved by another", "merged by its author, approved by another", "approved by who merged it")


@pytest.mark.parametrize("how", FOUR_EYES)
def test_four_eyes_are_judged_from_what_github_sends(taking: Server, how: str) -> None:
    number, head = next(numbers), bodies.HEAD
    for login, person in ((502, "person:rita"), (505, "person:max")):
        taking.record(
            event("identity.linked", actor="service:all", identities=[f"github:{login}", person], evidence="hr")
        )
    taken(taking, deliver(taking, bodies.pull_request(number=number), "pull_request"))
    merger = 505
    for kind, said in FOUR_EYES[how]:
        if kind == "pull_request":
            head = "b" * 40 if said["by"] == 503 else head
            body = bodies.pull_request("synchronize", head, number, **said)
        elif kind == "merged":
            merger = said["by"]
            continue
        else:
            who = bodies.user(said["user"], kind="Bot" if said["user"] == 509 else "User")
            how_said = ("dismissed", "dismissed") if kind == "dismissed" else ("submitted", "approved")
            body, kind = bodies.review(*how_said, number, number, user=who), "pull_request_review"
        taken(taking, deliver(taking, body, kind))
    answer = deliver(taking, bodies.merged(head, number, merger), "pull_request")
    position = answer.json()["receipts"][0]["position"]
    assert (_finding_of(taking, number, position) is None) == (how in REVIEWED)


def test_the_approval_of_an_alias_of_the_author_counts_until_the_alias_is_known(taking: Server) -> None:
    number = next(numbers)
    linked = {"actor": "service:all", "evidence": "hr"}
    taking.record(event("identity.linked", identities=["github:601", "person:ida"], **linked))
    opened = bodies.pull_request(number=number, user=bodies.user(602), by=602)
    taken(taking, deliver(taking, opened, "pull_request"))
    approved = bodies.review(number=number, pull=number, user=bodies.user(601))
    taken(taking, deliver(taking, approved, "pull_request_review"))
    merged = deliver(taking, bodies.merged(number=number), "pull_request")
    assert _finding_of(taking, number, merged.json()["receipts"][0]["position"]) is None
    known = taking.record(event("identity.linked", identities=["github:602", "person:ida"], **linked))
    assert _finding_of(taking, number, known["position"]) is not None


@pytest.mark.parametrize("state", ["approved", "changes_requested", "commented", "APPROVED"])
def test_a_review_becomes_a_verdict_on_a_commit(taking: Server, state: str) -> None:
    number = next(numbers)
    answer = deliver(taking, bodies.review(state=state, number=number), "pull_request_review")
    statement = taken(taking, answer)["statement"]
    assert statement["type"] == "code_review.submitted"
    data = statement["data"]
    assert data.pop("comment").keys() == {"sha256"}
    assert data == {
        "actor": "github:502",
        "author": "github:503",
        "repository": bodies.REPOSITORY,
        "pull_request": 42,
        "review_id": str(3000 + number),
        "commit": bodies.HEAD,
        "verdict": state.lower(),
    }
    position = answer.json()["receipts"][0]["position"]
    shown = taking.get(f"/v1/events/{position}").json()
    assert shown["texts"]["comment"]["text"] == "The rollback plan is sound."


def test_a_review_without_words_has_no_comment(taking: Server) -> None:
    entry = taken(taking, deliver(taking, bodies.review(number=next(numbers), body=None), "pull_request_review"))
    assert "comment" not in entry["statement"]["data"]


def test_a_dismissed_review_is_dismissed_by_the_sender(taking: Server) -> None:
    number = next(numbers)
    body = bodies.review("dismissed", "dismissed", number)
    statement = taken(taking, deliver(taking, body, "pull_request_review"))["statement"]
    assert statement["type"] == "code_review.dismissed"
    assert statement["data"]["actor"] == "github:504"
    assert statement["data"]["reviewer"] == "github:502"
    assert statement["data"]["review_id"] == str(3000 + number)


def test_a_review_by_a_bot_is_named_as_one(taking: Server) -> None:
    body = bodies.review(number=next(numbers), user=bodies.user(9, kind="Bot"))
    entry = taken(taking, deliver(taking, body, "pull_request_review"))
    assert entry["statement"]["data"]["actor"] == "github-bot:9"


def test_an_edited_review_is_kept_as_unmapped(taking: Server) -> None:
    body = bodies.encoded(bodies.review("edited", "approved", next(numbers)))
    entry = taken(taking, deliver(taking, body, "pull_request_review"), 202)
    assert entry["statement"]["data"]["reason"] == "action-edited"
    assert evidence_of(taking, entry) == body


def test_a_ping_is_answered_and_not_recorded(taking: Server) -> None:
    before = taking.size()
    answer = deliver(taking, bodies.ping(), "ping")
    assert answer.status_code == 200
    assert answer.json() == {"pong": 12}
    assert taking.size() == before


def unmappable(what: str) -> tuple[str, bytes]:
    """Return the kind and the bytes of an authentic body that no translator understands."""
    number = next(numbers)
    body: dict[str, Any] = bodies.deployment(number)
    match what:
        case "an unknown kind":
            return "release", bodies.encoded(
                {"action": "published", "repository": body["repository"], "number": number}
            )
        case "a field is missing":
            del body["deployment"]["environment"]
        case "a field is of another kind":
            body["deployment"]["environment"] = 5
        case "no time":
            body["deployment"]["created_at"] = "yesterday"
        case "a creator with a name alone":
            body = bodies.review(number=number, user={"login": "x"})
            return "pull_request_review", bodies.encoded(body)
        case "another action":
            body["action"] = "edited"
    return "deployment", bodies.encoded(body)


@pytest.mark.parametrize(
    "what",
    ["an unknown kind", "a field is missing", "a field is of another kind", "no time", "a creator with a name alone", "another action"],
)  # fmt: skip
def test_an_authentic_body_that_cannot_be_mapped_is_kept_byte_for_byte(taking: Server, what: str) -> None:
    kind, body = unmappable(what)
    before = taking.size()
    first = deliver(taking, body, kind)
    entry = taken(taking, first, 202)
    assert entry["statement"]["type"] == "intake.unmapped"
    data = entry["statement"]["data"]
    assert data["actor"] == "service:github"
    assert data["format"] == "github"
    assert data["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert evidence_of(taking, entry) == body
    again = deliver(taking, body, kind, delivery="d-2")
    assert again.status_code == 200
    assert again.json() == first.json()
    assert taking.size() == before + 1


# None that another test would make up: a body that the server has seen before is a repeat.
@pytest.mark.parametrize(
    "body", [b"\xff\xfe no JSON", b'["no object"]', b'"a text of no source"', b'{"source": "none"}']
)
def test_an_authentic_body_that_names_no_source_is_not_lost(taking: Server, body: bytes) -> None:
    # Whoever knows the secret has sent it: the evidence counts, though no enrolment can be told from it.
    entry = taken(taking, deliver(taking, body, "push"), 202)
    assert evidence_of(taking, entry) == body


def test_what_an_unmapped_body_calls_itself_is_made_a_label(taking: Server) -> None:
    body = bodies.encoded({"repository": {"full_name": bodies.REPOSITORY}, "number": next(numbers)})
    entry = taken(taking, deliver(taking, body, "x <script> " + "y" * 200), 202)
    assert len(entry["statement"]["data"]["kind"]) <= 64
    assert "<" not in entry["statement"]["data"]["kind"]


def test_a_captured_body_under_a_new_delivery_id_is_a_repeat(taking: Server) -> None:
    body = bodies.encoded(bodies.review(number=next(numbers)))
    first = deliver(taking, body, "pull_request_review", delivery="d-1")
    before = taking.size()
    again = deliver(taking, body, "pull_request_review", delivery="d-2")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert taking.size() == before


def test_a_source_that_is_not_enrolled_is_refused(taking: Server) -> None:
    body = bodies.deployment(next(numbers))
    body["repository"]["full_name"] = "evil/payments-api"
    before = taking.size()
    detail = check_problem(deliver(taking, body, "deployment"), 403)["detail"]
    assert "evil/payments-api" in detail
    assert "source enrol github SOURCE --principal WHO, with --authority-for where it speaks for people" in detail
    body["repository"]["full_name"] = "acme"
    check_problem(deliver(taking, body, "deployment"), 403)
    body["deployment"]["sha"] = "not mappable"
    body["repository"]["full_name"] = "evil/payments-api"
    check_problem(deliver(taking, body, "deployment"), 403)
    assert taking.size() == before


def test_a_source_that_was_retired_is_refused_from_then_on(taking: Server) -> None:
    source = "https://github.com/retired/*"
    wanted = {"source": source, "door": "github", "principal": "service:retired"}
    assert taking.client().post("/v1/ledger/sources", json=wanted).status_code == 201
    body = bodies.deployment(next(numbers))
    body["repository"]["full_name"] = "retired/api"
    assert taken(taking, deliver(taking, body, "deployment"))["recorded_by"]["principal"] == "service:retired"
    taking.client().delete("/v1/ledger/sources", params={"source": source, "door": "github"})
    body["deployment"]["id"] = next(numbers)
    check_problem(deliver(taking, body, "deployment"), 403)


def test_evidence_can_be_removed_and_its_digest_stays(taking: Server) -> None:
    entry = taken(taking, deliver(taking, bodies.deployment(next(numbers)), "deployment"))
    [kept] = entry["evidence"]
    path = f"/v1/events/{entry['position']}/evidence/{kept['sha256']}"
    assert taking.client().delete(path, params={"reason": "retention"}).status_code == 200
    check_problem(taking.get(path), 404)
    check_problem(taking.client().delete(path, params={"reason": "retention"}), 404)
    assert entry_at(taking, entry["position"]) == entry
    assert taking.audit().faults == ()


def test_evidence_is_shown_only_at_the_entry_that_names_it(taking: Server) -> None:
    first = taken(taking, deliver(taking, bodies.deployment(next(numbers)), "deployment"))
    second = taken(taking, deliver(taking, bodies.deployment(next(numbers)), "deployment"))
    check_problem(taking.get(f"/v1/events/{first['position']}/evidence/{second['evidence'][0]['sha256']}"), 404)
    check_problem(taking.get(f"/v1/events/{first['position']}/evidence/{'0' * 63}"), 422)


# -- CDEvents ----------------------------------------------------------------------------------------------------------

KINDS = {
    "service.deployed": "deployment.finished",
    "service.upgraded": "deployment.finished",
    "service.rolledback": "rollback.completed",
    "change.merged": "code.merged",
    "incident.detected": "incident.detected",
    "testsuiterun.finished": "test.shard_finished",
    "testcaserun.finished": "test.shard_finished",
    "testcaserun.skipped": "test.shard_finished",
}


def post_cdevent(server: Server, document: dict[str, Any], mode: str, by: str = "reporter", **headers: str) -> Response:
    if mode == "binary":
        return server.post(
            document, to="/v1/intake/cdevents", by=by, kind=JSON, headers=bodies.ce_headers(document) | headers
        )
    if mode == "structured":
        document = bodies.structured(document)
    return server.post(
        document,
        to="/v1/intake/cdevents",
        by=by,
        kind=STRUCTURED if mode == "structured" else JSON,
        headers=headers,
    )


@pytest.mark.parametrize("mode", ["binary", "structured", "bare"])
@pytest.mark.parametrize("spec", ["0.4", "0.5"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cdevent_becomes_the_same_kind_of_fact_whichever_way_it_comes(
    taking: Server, kind: str, spec: str, mode: str
) -> None:
    document = bodies.cdevent(kind, spec, next(numbers))
    entry = taken(taking, post_cdevent(taking, document, mode))
    statement = entry["statement"]
    assert statement["type"] == KINDS[kind]
    assert statement["source"] == "/pipelines/prod"
    assert statement["time"] == document["context"]["timestamp"]
    assert statement["data"]["actor"] == "service:payments-ci"
    assert entry["recorded_by"]["trust"] == "token"
    assert entry["recorded_by"]["principal"] == "service:reporter"
    sent = bodies.encoded(bodies.structured(document) if mode == "structured" else document)
    assert evidence_of(taking, entry) == sent


@pytest.mark.parametrize("kind", KINDS)
def test_both_versions_of_cdevents_say_the_same(kind: str) -> None:
    def said(spec: str) -> Fact:
        document = bodies.cdevent(kind, spec)
        document["context"]["id"] = "one-and-the-same"
        translation = cdevents.translate({}, bodies.encoded(document))
        assert isinstance(translation, Mapped)
        [fact] = translation.facts
        return fact

    assert said("0.4") == said("0.5")


@pytest.mark.parametrize("attribute", ["id", "source", "type", "time", "subject", "specversion"])
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_attributes_that_contradict_the_cdevent_are_refused_and_the_bytes_are_kept(
    taking: Server, attribute: str, mode: str
) -> None:
    document = bodies.cdevent(number=next(numbers))
    before = taking.size()
    if mode == "binary":
        answer = post_cdevent(taking, document, "binary", **{f"ce-{attribute}": "another"})
    else:
        wrong = bodies.structured(document) | {attribute: "another"}
        answer = taking.post(wrong, to="/v1/intake/cdevents", by="reporter")
    check_problem(answer, 422, f"/{attribute}")
    assert taking.size() == before + 1
    kept = taking.get(f"/v1/events/{before + 1}").json()["entry"]
    assert kept["statement"]["data"]["reason"] == "contradicts-its-headers"
    assert evidence_of(taking, kept) == answer.request.content


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["context"].update(type="dev.cdevents.taskrun.finished.0.2.0"), "kind-not-mapped"),
        # Of rollouts that are events of their own there is no released version.
        (lambda d: d["context"].update(type="dev.cdevents.deployment.started.0.1.0-draft"), "kind-not-mapped"),
        (lambda d: d["context"].update(specversion="0.6.0-draft"), "version-not-mapped"),
        (lambda d: d["context"].pop("specversion"), "version-not-mapped"),
        (lambda d: d["context"].update(type="com.example.deployed"), "not-a-cdevent"),
        (lambda d: d["subject"].update(content={}), "field"),
        (lambda d: d.update(subject=[]), "field"),
        (lambda d: d["subject"]["content"]["environment"].update(id=""), "field"),
    ],
)
def test_a_cdevent_that_cannot_be_mapped_is_kept(taking: Server, change: Any, reason: str) -> None:
    document = bodies.cdevent(number=next(numbers))
    change(document)
    body = bodies.encoded(document)
    entry = taken(taking, post_cdevent(taking, document, "bare"), 202)
    data = entry["statement"]["data"]
    assert entry["statement"]["type"] == "intake.unmapped"
    assert data["reason"].startswith(reason)
    assert data["actor"] == "service:reporter"
    assert evidence_of(taking, entry) == body


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_cdevent_are_kept(taking: Server, body: bytes) -> None:
    answer = taking.post(body, to="/v1/intake/cdevents", by="reporter", kind=JSON)
    assert evidence_of(taking, taken(taking, answer, 202)) == body


def test_the_same_cdevent_again_is_a_repeat(taking: Server) -> None:
    document = bodies.cdevent(number=next(numbers))
    first, again = post_cdevent(taking, document, "binary"), post_cdevent(taking, document, "binary")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_a_cdevent_of_another_media_type_is_unsupported(taking: Server) -> None:
    check_problem(taking.post(b"{}", to="/v1/intake/cdevents", by="reporter", kind="text/plain"), 415)


def test_a_reporter_of_cdevents_stays_within_its_areas_and_sources(taking: Server) -> None:
    _, token = taking.issue_token("reporter", areas=["incident"])
    _, elsewhere = taking.issue_token("reporter", sources=["/pipelines/staging"])
    before = taking.size()
    for given in (token, elsewhere):
        with taking.client_with(given) as client:
            body = bodies.encoded(bodies.cdevent(number=next(numbers)))
            headers = {"Content-Type": JSON}
            check_problem(client.post("/v1/intake/cdevents", content=body, headers=headers), 403)
    assert taking.size() == before


# -- the translators, as the pure functions that they are --------------------------------------------------------------


def fact_of(kind: str, document: dict[str, Any]) -> Fact:
    translation = github.translate({"x-github-event": kind}, bodies.encoded(document))
    assert isinstance(translation, Mapped), translation
    [fact] = translation.facts
    return fact


def test_a_translator_reads_nothing_but_headers_and_bytes() -> None:
    body = bodies.encoded(bodies.deployment_status("failure", 7))
    headers = {"x-github-event": "deployment_status"}
    assert github.translate(headers, body) == github.translate(headers, body)
    assert fact_of("deployment_status", bodies.deployment_status("failure", 7)) == Fact(
        source=GITHUB_SOURCE,
        type="deployment.finished",
        time=bodies.ENDED_AT,
        data={
            "actor": "github-bot:77",
            "deployment_id": "github-7",
            "change_id": "CHG-12",
            "service": bodies.REPOSITORY,
            "environment": "prod",
            "commit": bodies.HEAD,
            "outcome": "failure",
        },
    )


def test_unknown_fields_of_an_outside_body_are_normal() -> None:
    body = bodies.review(number=5)
    body["review"]["new_field"] = {"nested": [1.5, None]}
    body["enterprise"] = {"id": 1}
    assert fact_of("pull_request_review", body) == fact_of("pull_request_review", bodies.review(number=5))


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("star", b"{}", Unmapped("star", "kind-not-mapped", "")),
        ("push", b"{}", Unmapped("push", "code-comes-by-pull-requests", "")),
        ("push", b"", Unmapped("push", "not-json")),
        ("", b"1", Unmapped("none", "not-an-object")),
        ("ping", bodies.encoded(bodies.ping()), Nothing({"pong": 12})),
    ],
)
def test_what_is_no_fact_is_said_to_be_none(kind: str, body: bytes, expected: Any) -> None:
    assert github.translate({"x-github-event": kind}, body) == expected


@pytest.mark.parametrize("number", [True, "5", None, 1.5, [], -(10**30)])
def test_a_deployment_is_named_by_a_number_and_by_nothing_else(number: Any) -> None:
    body = bodies.deployment()
    body["deployment"]["id"] = number
    if isinstance(number, int) and not isinstance(number, bool):
        # orjson reads what does not fit 64 bits as a float.
        number = float(number)
    translated = github.translate({"x-github-event": "deployment"}, bodies.encoded(body))
    assert isinstance(translated, Unmapped)
    assert translated.reason == "field/id"


def test_a_header_and_a_body_of_different_kinds_are_a_contradiction() -> None:
    makers = {"deployment": bodies.deployment(), "deployment_status": bodies.deployment_status(),
              "pull_request_review": bodies.review(), "ping": bodies.ping()}  # fmt: skip
    for says, body_is in itertools.permutations(makers, 2):
        with pytest.raises(ContradictionError):
            github.translate({"x-github-event": says}, bodies.encoded(makers[body_is]))


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"{", Unmapped("none", "not-json")),
        ({}, b"[]", Unmapped("none", "not-an-object")),
        ({}, b"{}", Unmapped("none", "not-a-cdevent")),
        ({}, b'{"context": []}', Unmapped("none", "not-a-cdevent")),
    ],
)
def test_what_is_no_cdevent_is_said_to_be_none(headers: dict[str, str], body: bytes, expected: Unmapped) -> None:
    assert cdevents.translate(headers, body) == expected


def test_the_headers_of_a_cdevent_are_percent_decoded_before_they_are_compared() -> None:
    document = bodies.cdevent()
    document["subject"]["id"] = "größe"
    headers = {name.lower(): value for name, value in bodies.ce_headers(document).items()}
    headers["ce-subject"] = "gr%C3%B6%C3%9Fe"
    assert isinstance(cdevents.translate(headers, bodies.encoded(document)), Mapped)
