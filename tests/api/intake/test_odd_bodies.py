"""Outside bodies with odd parts: one optional, unknown or over-long field loses nothing else of an authentic fact."""

import itertools
import json
import pathlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import bodies
import pytest
from deliveries import deliver, evidence_of, numbers, said, said_by_cdevents, taken
from placed_ledgers import make_ledger_at
from servers import JSON, Server, check_problem, running_server

from api.intake import github
from api.intake.translation import ContradictionError, Unmapped
from ledger.events.identifiers import MAX_TEXT_BYTES, identifier_of

# -- one odd field ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["deployment", "deployment_status", "pull_request_review", "pull_request"])
def test_a_key_that_nobody_knows_changes_nothing(taking: Server, kind: str) -> None:
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "deployment": bodies.deployment,
        "deployment_status": bodies.deployment_status,
        "pull_request_review": bodies.review,
        "pull_request": bodies.merged,
    }
    body = made[kind]() | {"custom_new_key": {}, "another": [None, next(numbers)]}
    assert said(kind, body) == said(kind, made[kind]())
    taken(taking, deliver(taking, body, kind))


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("check_run", {"check_run": {"id": 5}}, "results-come-as-reports"),
        ("deployment_protection_rule", {"deployment_callback_url": "https://api.example/callback"}, "kind-not-mapped"),
    ],
)
def test_another_kind_that_carries_a_deployment_is_kept_and_is_no_deployment(
    taking: Server, kind: str, more: dict[str, Any], reason: str
) -> None:
    body = bodies.deployment(next(numbers)) | more
    entry = taken(taking, deliver(taking, body, kind), 202)
    assert entry["statement"]["data"]["reason"] == reason
    check_problem(deliver(taking, body, "deployment"), 422)


def test_a_body_without_what_its_kind_needs_is_kept_where_it_is_not_another_kind() -> None:
    body = bodies.review()
    del body["review"]
    translated = github.translate({"x-github-event": "pull_request_review"}, bodies.encoded(body))
    assert translated == Unmapped("pull_request_review", "field/review", f"https://github.com/{bodies.REPOSITORY}")


def test_a_comment_that_is_too_long_is_cut_and_the_review_stands(taking: Server) -> None:
    body = bodies.encoded(bodies.review(number=next(numbers), body="é" * 20_000))
    entry = taken(taking, deliver(taking, body, "pull_request_review"))
    assert entry["statement"]["data"]["verdict"] == "approved"
    text = taking.get(f"/v1/events/{entry['position']}").json()["texts"]["comment"]["text"]
    assert text.startswith("é" * 8000)
    assert text.endswith(" … (cut: 40000 bytes came in)")
    assert MAX_TEXT_BYTES - 1 <= len(text.encode()) <= MAX_TEXT_BYTES
    assert evidence_of(taking, entry) == body


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("a\x00b", "a\ufffdb"), ("a\ud800b", "a\ufffdb"), ("\U0001f600", "\U0001f600"), ("\ufeffx", "\ufeffx")],
)
def test_what_no_text_can_hold_is_replaced(taking: Server, sent: str, kept: str) -> None:
    body = bodies.encoded(bodies.review(number=next(numbers), body=sent))
    entry = taken(taking, deliver(taking, body, "pull_request_review"))
    assert taking.get(f"/v1/events/{entry['position']}").json()["texts"]["comment"]["text"] == kept


@pytest.mark.parametrize("name", ["Production EU", "Production – my-site", "_site", "a\x00b", "p" * 300, "100%"])
def test_an_environment_is_named_by_whatever_its_owner_calls_it(taking: Server, name: str) -> None:
    by_github = taken(taking, deliver(taking, bodies.deployment(next(numbers), environment=name), "deployment"))
    document = bodies.cdevent(number=next(numbers))
    document["subject"]["content"]["environment"]["id"] = name
    by_cdevents = taken(taking, taking.post(document, to="/v1/intake/cdevents", by="reporter", kind=JSON))
    for entry in (by_github, by_cdevents):
        assert entry["statement"]["data"]["environment"] == identifier_of(name)
        assert f"environment:{identifier_of(name)}" in entry["refs"]


def test_an_entry_is_told_with_the_names_that_others_use(taking: Server) -> None:
    answer = deliver(taking, bodies.deployment(next(numbers), environment="Production EU"), "deployment")
    shown = taking.get(f"/v1/events/{answer.json()['receipts'][0]['position']}").json()
    assert shown["says"].endswith("to Production EU")


@pytest.mark.parametrize(
    ("payload", "change_id", "left_out"),
    [
        ({"change_id": 1234}, "1234", ()),
        ({"change_id": "CHG 7"}, "CHG%207", ()),
        ({"change_id": ""}, None, ()),
        ({"change_id": ["CHG-7"]}, None, ("change_id",)),
        ({"change_id": True}, None, ("change_id",)),
        ({"change_id": 1.5}, None, ("change_id",)),
        ("", None, ()),
        ("CHG 7", None, ()),
        ('{"change_id": "\\ud800"}', "%EF%BF%BD", ()),
        ({"service": 7}, None, ()),
        ([[[]]], None, ()),
        # Nested deeper than Python prints.
        ("@nested", None, ("change_id",)),
    ],
)
def test_the_payload_of_a_deployment_may_hold_whatever_its_maker_wanted(
    payload: Any, change_id: str | None, left_out: tuple[str, ...]
) -> None:
    if payload == "@nested":
        payload = {"change_id": json.loads("[" * 900 + "]" * 900)}
    fact = said("deployment", bodies.deployment(payload=payload))
    assert (fact.data.get("change_id"), fact.left_out) == (change_id, left_out)
    assert (fact.data["environment"], fact.data["service"]) == ("prod", bodies.REPOSITORY)


def test_what_was_left_out_stands_in_the_entry(taking: Server) -> None:
    body = bodies.deployment(next(numbers), payload={"change_id": []}, sha="HEAD")
    statement = taken(taking, deliver(taking, body, "deployment"))["statement"]
    assert statement["leftout"] == "change_id commit"
    assert not statement["data"].keys() & {"change_id", "commit"}
    whole = taken(taking, deliver(taking, bodies.deployment(next(numbers)), "deployment"))["statement"]
    assert "leftout" not in whole


@pytest.mark.parametrize("actor", ["jane@example.com", "Jane Doe", 5, {}, ["person:jane"], "person:" + "x" * 200])
def test_an_actor_who_is_no_identity_is_left_out(actor: Any) -> None:
    document = bodies.cdevent()
    document["customData"]["actor"] = actor
    fact = said_by_cdevents(document)
    assert "actor" not in fact.data
    assert fact.left_out == ("actor",)


def test_a_pull_request_of_nobody_has_no_author_and_passes_no_review(taking: Server) -> None:
    number = next(numbers)
    opened = taken(taking, deliver(taking, bodies.pull_request(number=number, user=None), "pull_request"))
    assert opened["statement"]["type"] == "code.proposed"
    assert "authors" not in opened["statement"]["data"]
    review = bodies.review(number=number, pull=number)
    review["pull_request"]["user"] = None
    taken(taking, deliver(taking, review, "pull_request_review"))
    merged = bodies.merged(number=number)
    merged["pull_request"]["user"] = None
    position = deliver(taking, merged, "pull_request").json()["receipts"][0]["position"]
    key = f"merged-without-review%2F{bodies.REPOSITORY.replace('/', '%2F')}%23{number}"
    row = taking.get(f"/v1/views/findings/{key}", params={"min_position": str(position)}).json()["row"]
    assert (row["is_open"], row["says"].endswith("no author is known")) == (True, True)


def test_a_review_of_no_commit_is_kept_as_one() -> None:
    fact = said("pull_request_review", bodies.review(commit_id=None))
    assert (fact.data["verdict"], "commit" in fact.data) == ("approved", False)


def test_a_dismissal_stands_though_nobody_is_known_to_have_made_it() -> None:
    body = bodies.review("dismissed", "dismissed", user=None) | {"sender": None}
    body["pull_request"]["updated_at"] = "yesterday"
    fact = said("pull_request_review", body)
    assert (fact.type, fact.time) == ("code_review.dismissed", bodies.DEPLOYED_AT)
    assert not fact.data.keys() & {"actor", "reviewer"}


@pytest.mark.parametrize(
    ("of_status", "environment"),
    [("staging", "staging"), ("", "prod"), (None, "prod"), (5, "prod"), ("Pre Prod", "Pre%20Prod")],
)
def test_the_environment_of_a_status_is_its_own(of_status: Any, environment: str) -> None:
    fact = said("deployment_status", bodies.deployment_status(environment=of_status))
    assert fact.data["environment"] == environment


def test_a_cdevent_says_which_change_was_merged(taking: Server) -> None:
    document = bodies.cdevent("change.merged", number=next(numbers))
    entry = taken(taking, taking.post(document, to="/v1/intake/cdevents", by="reporter", kind=JSON))
    assert entry["statement"]["subject"] == "pull-42"


@pytest.mark.parametrize("artifact", [None, "payments-api:1.4", 7, "pkg:" + "x" * 600])
def test_a_deployment_of_an_artifact_that_we_cannot_name_is_one(artifact: Any) -> None:
    document = bodies.cdevent()
    document["subject"]["content"]["artifactId"] = artifact
    fact = said_by_cdevents(document)
    assert (fact.data["service"], fact.data["environment"], "artifact" in fact.data) == ("payments-api", "prod", False)
    assert fact.left_out == (() if artifact is None else ("artifact",))


@pytest.mark.parametrize(
    ("sent", "source"),
    [
        ("Jenkins Master/job 1", "Jenkins%20Master/job%201"),
        ("/pipelines/größe", "/pipelines/gr%C3%B6%C3%9Fe"),
        ("/pipelines/%41", "/pipelines/%41"),
        ("/p" + "x" * 300, "/p" + "x" * 245 + "~bfdcb3ac"),
    ],
)
def test_a_source_is_written_as_a_uri_reference(taking: Server, sent: str, source: str) -> None:
    document = bodies.cdevent(number=next(numbers), source=sent)
    entry = taken(taking, taking.post(document, to="/v1/intake/cdevents", by="reporter", kind=JSON))
    assert entry["statement"]["source"] == source


@pytest.mark.postgres
def test_a_webhook_with_nul_is_recorded_on_postgresql(new_postgres: Callable[[], str], tmp_path: pathlib.Path) -> None:
    directory, url = tmp_path / "var", new_postgres()
    tokens = make_ledger_at(directory, url)
    with running_server(directory, tokens=tokens, CHANGE_LEDGER_DATABASE_URL=url) as server:
        wanted = {"source": "https://github.com/acme/*", "door": "github", "principal": "service:github"}
        assert server.client().post("/v1/ledger/sources", json=wanted).status_code == 201
        body = bodies.encoded(bodies.review(body="a\x00b"))
        entry = taken(server, deliver(server, body, "pull_request_review"))
        assert evidence_of(server, entry) == body
        named = bodies.deployment(environment="prod\x00", payload={"change_id": "\x00"})
        assert taken(server, deliver(server, named, "deployment"))["statement"]["data"]["environment"] == "prod%00"
        listed = server.get(
            "/v1/views/deployments", params={"environment": "prod%00", "min_position": str(server.size())}
        )
        assert [row["change_id"] for row in listed.json()["items"]] == ["%00"]
        unread = bodies.encoded({"zen\x00": "\x00", "repository": {"full_name": bodies.REPOSITORY}})
        assert evidence_of(server, taken(server, deliver(server, unread, "push"), 202)) == unread


def test_a_hook_of_an_organisation_comes_from_all_its_repositories(taking: Server) -> None:
    body = {"action": "removed", "scope": "team", "organization": {"login": "acme"}, "number": next(numbers)}
    assert taken(taking, deliver(taking, body, "membership"), 202)["statement"]["data"]["kind"] == "membership"
    check_problem(deliver(taking, body | {"organization": {"login": "acme-evil"}}, "membership"), 403)


def test_a_source_that_leads_back_up_into_what_is_enrolled_is_no_fact_of_it(taking: Server) -> None:
    body = bodies.deployment(next(numbers))
    body["repository"]["full_name"] = "acme/../evil/api"
    assert taken(taking, deliver(taking, body, "deployment"), 202)["statement"]["data"]["reason"] == "field/source"
    _, token = taking.issue_token("reporter", sources=["/pipelines/prod/*"])
    document = bodies.cdevent(number=next(numbers), source="/pipelines/prod/%2e%2e/other")
    with taking.client_with(token) as client:
        answer = client.post("/v1/intake/cdevents", content=bodies.encoded(document), headers={"Content-Type": JSON})
    assert taken(taking, answer, 202)["statement"]["data"]["reason"] == "field/source"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"action": "created", "action": "deleted"}', "key-twice"),
        (b'{"deployment": NaN}', "not-json"),
        (b"[" * 100_000, "not-json"),
        (b"payload=%FF", "not-a-form"),
        (b"payload={}&payload={}", "key-twice"),
        (b"payload=no+JSON", "not-json"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(body: bytes, reason: str) -> None:
    translated = github.translate({"x-github-event": "deployment"}, body)
    assert isinstance(translated, Unmapped)
    assert translated.reason == reason


def test_a_hook_that_sends_forms_is_read(taking: Server) -> None:
    document = bodies.review(number=next(numbers), body="a + b & c = é")
    body = urlencode({"payload": json.dumps(document)}).encode()
    headers = bodies.webhook(body, "pull_request_review") | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = taking.client("nobody").post("/v1/intake/github", content=body, headers=headers)
    entry = taken(taking, answer)
    assert entry["statement"]["type"] == "code_review.submitted"
    assert entry["evidence"][0]["media_type"] == "application/x-www-form-urlencoded"
    assert evidence_of(taking, entry) == body
    shown = taking.get(f"/v1/events/{entry['position']}").json()
    assert shown["texts"]["comment"]["text"] == "a + b & c = é"
    form = urlencode({"payload": json.dumps(bodies.deployment())}).encode()
    with pytest.raises(ContradictionError):
        github.translate({"x-github-event": "pull_request_review"}, form)


def test_a_fact_holds_what_its_class_needs_and_says_what_it_could_not_hold() -> None:
    everything: dict[str, Any] = dict(zip(("change_id", "commit", "artifact"), itertools.repeat(["odd"])))
    document = bodies.deployment(payload=everything, sha={"odd": 1})
    fact = said("deployment", document)
    assert fact.left_out == ("change_id", "commit")


# -- parts of another kind --------------------------------------------------------------------------------------------

PLENTY: dict[str, list[Any]] = {
    "number": [None, 7, "7", {}],
    "deployment": [None, {}, [], "x", {"id": None}, {"id": 5}],
    "deployment_status": [None, {}, [], "x"],
    "review": [None, {}, []],
    "pull_request": [None, {}, []],
    "workflow_job": [None, {}],
    "check_run": [None, {}],
    "deployment_callback_url": [None, 1],
    "zen": [None, "x"],
    "hook_id": [None, 1],
}


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("pull_request_review", bodies.review()),
        ("deployment_status", bodies.deployment_status()),
        ("deployment", bodies.deployment()),
    ],
)
@pytest.mark.parametrize("name", PLENTY)
def test_a_key_of_another_kind_loses_nothing(kind: str, document: dict[str, Any], name: str) -> None:
    plain = said(kind, document)
    for part in PLENTY[name]:
        if name not in document:
            assert said(kind, document | {name: part}).data == plain.data, part


def test_a_body_with_all_the_parts_of_another_kind_is_none_of_its_own() -> None:
    both = bodies.deployment() | {"deployment_status": {"id": 1, "state": "success"}}
    with pytest.raises(ContradictionError):
        github.translate({"x-github-event": "deployment"}, bodies.encoded(both))
    with pytest.raises(ContradictionError):
        github.translate({"x-github-event": "pull_request_review"}, bodies.encoded(bodies.deployment()))
