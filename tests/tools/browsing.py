"""Looking at pages without a browser: signed in by a token, with a jar for the cookie; and a reader of HTML that is strict."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

import httpx
from servers import Server, event
from waiting import wait_for

# Elements that have no end.
VOID = frozenset({"meta", "link", "input", "br", "path", "line", "rect", "circle", "hr", "img"})


@contextmanager
def signed_in(server: Server, name: str) -> Iterator[httpx.Client]:
    """Give a client that signed in to the console with the token of a role."""
    with httpx.Client(base_url=server.url, timeout=600, verify=False) as client:
        answer = client.post("/console/sign-in", data={"token": server.tokens[name]})
        assert answer.status_code == 303, answer.text
        yield client


def wait_for_views(server: Server, position: int) -> None:
    """Return when every view has come to a position: pages go over several of them."""
    wait_for(lambda: server.get("/readyz").json()["views"]["position"] >= position)


def form_token(text: str) -> str:
    """Return the word that the forms of a page carry."""
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> ends nothing"
            assert self.open.pop() == tag, f"</{tag}> ends another element"

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(text: str) -> _Reader:
    """Return the elements and the text of a page. Whatever runs, or is not closed, fails."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [], f"not closed: {reader.open}"
    for tag, attributes in reader.tags:
        assert tag not in ("object", "style"), f"<{tag}>"
        # Scripts are the server's own files, under a word that only this answer has.
        if tag == "script":
            assert (attributes["src"] or "").startswith("/console/static/"), attributes
            assert attributes["nonce"], attributes
        # The verifier alone is shown within a page, and can reach neither the page nor the network.
        if tag == "iframe":
            assert (attributes["src"], attributes["sandbox"]) == ("/console/verify.html", "allow-scripts")
        for name, value in attributes.items():
            assert name != "style", f"<{tag} style>: the policy of the page forbids it"
            assert not name.startswith("on"), f"<{tag} {name}>"
            assert not (name in ("href", "action") and not (value or "").startswith(("/console", "#"))), (
                f"{name}={value}"
            )
    identifiers = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    return reader


@contextmanager
def person(server: Server, name: str, *roles: str) -> Iterator[httpx.Client]:
    """Give a client of a person with a token of their own, signed in to the console."""
    wanted = {"principal": f"person:{name}", "kind": "human", "roles": list(roles)}
    token = server.client().post("/v1/ledger/credentials", json=wanted).json()["token"]
    # What somebody may decide is read off views: before these know the credential, a page offers them nothing.
    wait_for_views(server, server.size())
    # The header is for the API; pages look at the session alone.
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.url, timeout=600, headers=headers, verify=False) as client:
        assert client.post("/console/sign-in", data={"token": token}).status_code == 303
        yield client


def tell(server: Server, event_type: str, **data: Any) -> int:
    """Record a fact, and return its position once every view has come to it."""
    position: int = server.record(event(event_type, **data))["position"]
    wait_for_views(server, position)
    return position


def tell_as(server: Server, name: str, event_type: str, **data: Any) -> int:
    """The same by a person's own token: what counts from a human alone."""
    with person(server, name, "operator", "reporter") as client:
        answer = client.post("/v1/events", json=event(event_type, actor=f"person:{name}", **data))
    assert answer.status_code == 201, answer.text
    position: int = answer.json()["position"]
    wait_for_views(server, position)
    return position


def look(client: httpx.Client, path: str) -> str:
    """Return a page that is whole."""
    answer = client.get(path, follow_redirects=True)
    assert answer.status_code == 200, answer.text[:500]
    read_page(answer.text)
    assert "cannot be shown" not in answer.text
    return answer.text


def fields(text: str, **more: str) -> dict[str, str]:
    """Return the hidden fields of the form on a page, and what a person adds."""
    form = text[text.index('class="stack"') :]
    return {"form_token": form_token(text)} | dict(
        re.findall(r'type="hidden" name="(?!form_token)([a-z_]+)" value="([^"]*)"', form)
    ) | more  # fmt: skip
