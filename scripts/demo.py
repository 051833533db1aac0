"""A ledger at work: a real server, a quarter of history posted to it, an audit, and a forgery found.

Everything goes through the public doors, the command line and HTTP; nothing is left behind but the directory that
`--directory` names. Longer than other files here because it is read from top to bottom, as one performance.
"""

import argparse
import hashlib
import hmac
import json
import os
import secrets
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from history import SENDERS, SOURCES, START, WEEKS, Post, history
from left_to_do import left_to_do
from meaning import Meaning, table_of
from rich.columns import Columns
from rich.console import Console
from rich.progress import track

ORIGIN: Final = "ledger.example.com/demo"
ROOT: Final = Path(__file__).resolve().parent.parent
BATCH: Final = 200
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
# What was said within this time is posted together: sooner than anybody calls it late.
SOON: Final = timedelta(minutes=5)
TRUST: Final = {
    "token": "a bearer token named the caller",
    "hmac": "a shared secret signed the raw body",
    "asserted": "the ledger itself, or whoever works on its machine",
}
console = Console(highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--exit", action="store_true", help="end after the summary")
    parser.add_argument("--seed", type=int, default=7, help="which history; the same seed tells the same one")
    parser.add_argument("--directory", type=Path, help="a new directory to keep; default: a temporary one")
    options = parser.parse_args()
    # A SIGTERM ends like Ctrl-C does: with the server stopped and the temporary directory gone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with _directory(options.directory) as directory:
        demo = Demo(directory, options.seed)
        try:
            demo.run()
            if not options.exit:
                demo.keep_serving()
        except KeyboardInterrupt:
            console.print("\nstopped")
        finally:
            demo.stop()
    return 0


@contextmanager
def _directory(wanted: Path | None) -> Iterator[Path]:
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="change-ledger-demo-") as temporary:
            yield Path(temporary)
        return
    if wanted.exists() and any(wanted.iterdir()):
        sys.exit(f"demo: {wanted} is not empty: expected a new directory")
    wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield wanted.resolve()


class Demo:
    """One ledger in one directory, its server, and the tokens of everybody who posts."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory, self.seed = directory, seed
        self.secret = secrets.token_hex(32)
        self.clock = directory / "clock"
        # Settings of the caller's shell are not meant for this ledger.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("CHANGE_LEDGER_")} | {
            "CHANGE_LEDGER_KNOWN_LEDGERS": str(directory / "known-ledgers"),
            "CHANGE_LEDGER_GITHUB_SECRET": self.secret,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        }
        self.tokens: dict[str, str] = {}
        self.positions: dict[tuple[str, str], int] = {}
        self.server: subprocess.Popen[str] | None = None
        self.http = httpx.Client(timeout=60)

    def run(self) -> None:
        started = time.monotonic()
        _title(f"A ledger, a server, and {len(SENDERS)} people and systems that report to it")
        posts = list(history(self.seed, _start()))
        self.move_clock(posts[0])
        console.print(self.cli("init", "--origin", ORIGIN).stdout.strip(), markup=False, soft_wrap=True)
        self.serve()
        self.issue_tokens()
        _title(f"A quarter of history, posted through HTTP (seed {self.seed})")
        self.post_all(posts)
        console.print("Until here the clock of the server was moved to when each happened. From here on it is today.")
        self.be_today()
        self.try_the_doors(posts)
        entries = self.read()
        self.show_what_is_there(entries)
        change = _most_told(entries)
        self.tell(change)
        _title("What the facts mean: views and a gate, as an analyst and a pipeline ask them")
        meaning = Meaning(self.http, self.bearer("ada"), console, len(entries))
        meaning.show()
        meaning.ask(change, self.bearer("payments-ci"))
        _title("The audit, on the machine of whoever holds the database and the pin")
        self.verify("--directory", str(self.directory))
        self.tamper(change)
        console.print(f"\nThat took {time.monotonic() - started:.0f} s.")

    # -- processes -----------------------------------------------------------------------------------------------

    def program(self) -> list[str]:
        """Return the command line of `change-ledger`: by a clock of its own as long as history is told."""
        if self.clock.exists():
            return [sys.executable, str(ROOT / "scripts" / "then.py"), str(self.clock)]
        return [sys.executable, "-m", "api.cli"]

    def move_clock(self, post: Post) -> None:
        """Let it be the time of a post, for whoever records it."""
        then = _time_of(post)
        written = self.clock.with_suffix(".new")
        written.write_text(f"{round(then.timestamp()) * 1_000_000_000} {time.time_ns()}")
        written.replace(self.clock)

    def be_today(self) -> None:
        """Go on by the clock of this machine: nothing of the past is told any more."""
        self.clock.unlink()
        if self.server is not None:
            self.server.terminate()
            self.server.wait(30)
        self.serve()

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `change-ledger` on the demo's directory."""
        where = () if arguments[0].startswith("--") else ("--directory", str(self.directory))
        command = [*self.program(), *where, *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=self.directory, capture_output=True, text=True, check=False
        )
        if done.returncode not in ((0, 1, 3) if "verify" in arguments else (0,)):
            sys.exit(f"demo: {shlex.join(command)} failed: {done.stderr}")
        return done

    def serve(self) -> None:
        command = [*self.program(), "--directory", str(self.directory), "serve", "--port", "0"]
        with (self.directory / "server.log").open("w") as log:
            self.server = subprocess.Popen(
                command, env=self.environment, cwd=self.directory, stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self.server.stdout.readline().strip() if self.server.stdout else ""
        if not line.startswith("serving "):
            sys.exit(f"demo: the server did not start: {(self.directory / 'server.log').read_text()}")
        self.http.base_url = httpx.URL(line.removeprefix("serving "))
        console.print(line)

    def stop(self) -> None:
        self.http.close()
        if self.server is not None:
            self.server.terminate()
            self.server.wait(30)

    # -- posting -------------------------------------------------------------------------------------------------

    def issue_tokens(self) -> None:
        """The first operator's token is made on the machine itself; with it, over HTTP, everybody else's."""
        first = ("--principal", "person:olga", "--role", "operator", "--role", "reporter", "--kind", "human", "--quiet")
        self.tokens["olga"] = self.cli("token", "create", *first).stdout.strip()
        wanted = {
            name: {
                "principal": sender.principal,
                "kind": sender.kind,
                "roles": sender.roles,
                "areas": sender.areas,
                "sources": sender.sources,
            }
            for name, sender in SENDERS.items()
            if name != "olga"
        }
        wanted["ada"] = {"principal": "person:ada", "kind": "human", "roles": ["auditor"]}
        for name, token in wanted.items():
            answer = self.http.post("/v1/ledger/credentials", json=token, headers=self.bearer("olga"))
            self.tokens[name] = answer.raise_for_status().json()["token"]
        for source in SOURCES:
            self.http.post("/v1/ledger/sources", json=source._asdict(), headers=self.bearer("olga")).raise_for_status()
        table = table_of("token of", "may report", "from the source")
        for name in ("desk", "payments-ci", "monitoring", "access", "alice", "frank"):
            sender = SENDERS[name]
            table.add_row(sender.principal, ", ".join(sender.areas), sender.sources[0])
        console.print(table)
        console.print(f"… and {len(SENDERS) - 6} more. person:ada is the auditor: her token reads and reports nothing.")
        console.print("GitHub has no token: it signs its webhooks with a shared secret.")

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def post_all(self, posts: list[Post]) -> None:
        started, requests = time.monotonic(), 0
        statuses: Counter[int] = Counter()
        batches = list(_batches(posts))
        for batch in track(batches, "posting", console=console, transient=True, disable=not console.is_terminal):
            self.move_clock(batch[-1])
            answer = self.send(batch)
            requests += 1
            if answer.status_code >= 400 or answer.status_code == 207:
                sys.exit(f"demo: {answer.status_code} to {batch[0]}: {answer.text}")
            statuses[answer.status_code] += len(batch)
            if batch[0].door == "events":
                receipts = [i["receipt"] for i in answer.json().get("items", ())] or [answer.json()]
                self.positions |= {(r["source"], r["id"]): r["position"] for r in receipts}
        took = time.monotonic() - started
        doors = Counter(post.door for post in posts)
        console.print(f"{len(posts)} facts in {requests} requests, {took:.1f} s, one after the other:")
        for door, count in doors.items():
            console.print(f"{count:>5}  {'/v1/events' if door == 'events' else f'/v1/intake/{door}'}")
        console.print(f"{statuses[201]} were recorded (201), {statuses[202]} kept though not understood (202).")

    def send(self, posts: list[Post]) -> httpx.Response:
        """Post a batch to /v1/events, a single event, or one body to an intake door."""
        first = posts[0]
        if first.door == "github":
            return self.github(json.dumps(first.body).encode(), first.github_event)
        headers = self.bearer(first.sender)
        if first.door == "cdevents":
            return self.http.post("/v1/intake/cdevents", json=first.body, headers=headers)
        events = [post.event(self.positions) for post in posts]
        if len(events) == 1:
            headers["Content-Type"] = "application/cloudevents+json"
            return self.http.post("/v1/events", content=json.dumps(events[0]), headers=headers)
        headers["Content-Type"] = "application/cloudevents-batch+json"
        return self.http.post("/v1/events", content=json.dumps(events), headers=headers)

    def github(self, body: bytes, event: str, *, secret: str | None = None) -> httpx.Response:
        signature = hmac.new((secret or self.secret).encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": secrets.token_hex(8),
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        return self.http.post("/v1/intake/github", content=body, headers=headers)

    def try_the_doors(self, posts: list[Post]) -> None:
        """What the doors answer to repeats, contradictions, strangers and nonsense."""
        desk = [post for post in posts if post.sender == "desk" and not post.positions]
        webhook = next(post for post in posts if post.github_event == "deployment")
        pipeline = next(post for post in posts if post.sender == "payments-ci" and "started" in post.body["id"])
        approval = next(post for post in posts if post.body.get("type") == "approval.granted")
        body = json.dumps(webhook.body).encode()
        other = {**pipeline.body, "data": {**pipeline.body["data"], "environment": "staging"}}
        typo = {**pipeline.body, "id": "new-1", "data": {**pipeline.body["data"], "enviroment": "prod"}}
        forged = {**approval.body, "source": pipeline.body["source"], "id": "new-2"}
        table = table_of("what is sent", "answer", "because")
        for what, answer in (
            (f"a batch of {BATCH} statements, again", self.send(desk[:BATCH])),
            ("a captured webhook, under a new delivery id", self.github(body, "deployment")),
            ("a webhook signed with another secret", self.github(body, "deployment", secret="guessed")),
            ("the same id with another content", self.send([pipeline._replace(body=other)])),
            ("a field that the catalogue does not have", self.send([pipeline._replace(body=typo)])),
            ("an approval, by a pipeline's token", self.send([pipeline._replace(body=forged)])),
        ):
            document = answer.json()
            repeats = document.get("items") or document.get("receipts") or ()
            because = document.get("detail") or f"{len(repeats)} recognised: the first receipts"
            table.add_row(what, str(answer.status_code), _cut(because, 150))
        console.print("\nAnd what the doors say to", style="bold")
        console.print(table)

    # -- reading -------------------------------------------------------------------------------------------------

    def read(self, **narrow: str) -> list[dict[str, Any]]:
        """Return the entries, as the auditor reads them."""
        items: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": 0}
        while "next" in page:
            query: dict[str, Any] = {"after": page["next"], "limit": 1000} | narrow
            page = self.http.get("/v1/events", params=query, headers=self.bearer("ada")).raise_for_status().json()
            items += page["items"]
        return items

    def show_what_is_there(self, items: list[dict[str, Any]]) -> None:
        entries = [item["entry"] for item in items]
        _title(f"What the auditor reads: {len(entries)} entries")
        counts = Counter(entry["statement"]["type"] for entry in entries)
        lines = [f"{count:>5}  {name:<27}" for name, count in sorted(counts.items(), key=lambda c: (-c[1], c[0]))]
        console.print(Columns(lines, column_first=True, padding=(0, 1)))
        trust = table_of("entries", "trust", "which means")
        for name, count in Counter(entry["recorded_by"]["trust"] for entry in entries).most_common():
            trust.add_row(str(count), name, TRUST[name])
        console.print("\nHow sure it is who said it", style="bold")
        console.print(trust)
        who: dict[str, Counter[str]] = {}
        for entry in entries:
            area = entry["statement"]["type"].partition(".")[0]
            who.setdefault(entry["recorded_by"]["principal"], Counter())[area] += 1
        table = table_of("recorded by", "entries", "about")
        for principal, areas in sorted(who.items(), key=lambda w: -w[1].total()):
            about = ", ".join(f"{area} {count}" for area, count in areas.most_common())
            table.add_row(principal, str(areas.total()), about)
        console.print("\nWho recorded what", style="bold")
        console.print(table)
        console.print("\nWhat the doors noticed", style="bold")
        _sentences([item for item in items if item["entry"]["statement"]["type"].startswith("intake.")])
        console.print("\nInconvenient facts, recorded like all others", style="bold")
        for what, item in _inconvenient(items):
            console.print(f"{item['position']:>5}  {what:<17} {_short(item['says'])}", markup=False, soft_wrap=True)
        console.print("\nThe first three, and the last three", style="bold")
        _sentences([*items[:3], *items[-3:]])

    def tell(self, change: str) -> None:
        ref = f"change:{change}"
        _title(f"The story of {change}: GET /v1/events?ref={ref}")
        items = self.read(ref=ref)
        for item in items:
            entry, texts = item["entry"], item["texts"]
            line = f"{item['position']:>5}  {entry['statement']['time'][:16].replace('T', ' ')}  {_short(item['says'])}"
            quoted = "".join(f" “{text['text']}”" for text in texts.values())
            console.print(line + quoted, markup=False, soft_wrap=True)
        ordinal, before = items[-1]["entry"]["refs"][ref]
        last = items[-1]["position"]
        console.print(f"Position {last} is no. {ordinal} about {change}, and names the one before it: {before}.")

    def verify(self, *where: str, names: int | None = None) -> None:
        """Audit, and show it. Ends the demo unless the ledger is sound, or `names` is a position that is found altered."""
        console.print(f"$ change-ledger {shlex.join(where)} verify", markup=False, style="bold", soft_wrap=True)
        done = self.cli(*where, "verify")
        console.print(done.stdout.strip(), markup=False, soft_wrap=True)
        console.print(f"exit status {done.returncode}")
        if done.returncode != (0 if names is None else 1) or (names and f"position {names}:" not in done.stdout):
            sys.exit(f"demo: that is not what was expected. {done.stderr}")

    # -- a forgery -----------------------------------------------------------------------------------------------

    def tamper(self, change: str) -> None:
        """On a copy: turn a verdict round with SQL, as somebody with the database could, and audit it."""
        _title("A forgery, on a copy of the database")
        copy = self.directory / "copy.db"
        self.cli("backup", str(copy))
        item = next(i for i in self.read(ref=f"change:{change}", type="deployment.verified"))
        position = item["position"]
        console.print(f"Position {position} says: {item['says']}.")
        console.print("Somebody with the database would rather have it healthy:")
        with sqlite3.connect(copy) as connection:
            [entry] = connection.execute("SELECT entry FROM entries WHERE position = ?", (position,)).fetchone()
            forged = entry.replace(b'"degraded"', b'"healthy"')
            update = "UPDATE entries SET entry = ? WHERE position = ?"
            try:
                connection.execute(update, (forged, position))
            except sqlite3.DatabaseError as error:
                console.print(f"the database says: {error}", markup=False)
            connection.execute("DROP TRIGGER entries_refuses_update")
            connection.execute(update, (forged, position))
            connection.commit()
            console.print("So the trigger is dropped first. Then:\n")
            self.verify("--database-url", str(copy), names=position)
            console.print("\nAnd with the hash of the entry made to fit as well:\n")
            fitting = "UPDATE entries SET leaf_hash = ? WHERE position = ?"
            connection.execute(fitting, (hashlib.sha256(b"\0" + forged).digest(), position))
            connection.commit()
        connection.close()
        self.verify("--database-url", str(copy), names=position)
        console.print(f"\nBoth times position {position} is named. A forger who holds all keys could sign")
        console.print("the rest anew: what a witness cosigned, or somebody else keeps, gives that away.")

    def leave_something_to_do(self) -> None:
        """Let there be something that waits for somebody: of now, told by those who would tell it."""
        answer = self.http.get("/v1/views/access_grants?revoked_at__null=true&limit=1000", headers=self.bearer("ada"))
        grants = [row["grant_id"] for row in answer.raise_for_status().json()["items"]]
        for post in left_to_do(datetime.now(UTC), grants):
            self.send([post]).raise_for_status()

    def keep_serving(self) -> None:
        url, program = str(self.http.base_url).rstrip("/"), _program()
        self.leave_something_to_do()
        _title(f"Serving {url} until Ctrl-C")
        console.print(f"Look around: {url}/console/", style="bold")
        console.print(
            "Sign in with a token: ada, the auditor, reads; for alice a change, a meeting and grants wait; olga operates."
        )
        console.print(f"API description: {url}/openapi.json\n")
        for name in ("ada", "desk", "payments-ci", "alice", "olga"):
            role = "auditor" if name == "ada" else " and ".join(SENDERS[name].roles)
            principal = "person:ada" if name == "ada" else SENDERS[name].principal
            console.print(f"{principal:<22} {role:<9} {self.tokens[name]}", soft_wrap=True)
        event = {
            "specversion": "1.0",
            "id": "mine-1",
            "source": SENDERS["payments-ci"].sources[0],
            "type": "deployment.started",
            "time": datetime.now(UTC).strftime(TIME),
            "data": {"deployment_id": "mine-1", "service": "payments-api", "environment": "prod"},
        }
        about = self.http.get("/v1/ledger").json()
        console.print("\nThree commands to try, in another terminal:\n", style="bold")
        for command in (
            f"{program} --server {url} --token {self.tokens['ada']} tail --follow --after {about['size']}",
            f"curl -s {url}/v1/events -H 'Authorization: Bearer {self.tokens['payments-ci']}' "
            f"-H 'Content-Type: application/cloudevents+json' -d '{json.dumps(event)}'",
            f"{program} --directory {self.directory} verify --genesis {about['genesis_hash']}",
        ):
            console.print(command + "\n", markup=False, soft_wrap=True)
        if self.server is not None:
            self.server.wait()


def _start() -> date:
    """The history's own quarter; an earlier one where the clock has not come so far, because facts lie in the past."""
    today = datetime.now(UTC).date()
    return START if START + timedelta(weeks=WEEKS + 1) <= today else today - timedelta(weeks=WEEKS + 1)


def _time_of(post: Post) -> datetime:
    return datetime.strptime(post.time, TIME).replace(tzinfo=UTC)


def _batches(posts: list[Post]) -> Iterator[list[Post]]:
    """Join what one sender posts in a row; what names positions goes alone, after what it names."""
    batch: list[Post] = []
    for post in posts:
        alone = post.positions or post.door != "events"
        is_later = batch and post.time > (_time_of(batch[0]) + SOON).strftime(TIME)
        if batch and (alone or is_later or post.sender != batch[0].sender or len(batch) == BATCH):
            yield batch
            batch = []
        if alone:
            yield [post]
        else:
            batch.append(post)
    if batch:
        yield batch


def _most_told(items: list[dict[str, Any]]) -> str:
    """Return the rolled-back change with the most entries."""
    counts: Counter[str] = Counter()
    failed: set[str] = set()
    for item in items:
        for ref in item["entry"]["refs"]:
            counts[ref] += 1
            if item["entry"]["statement"]["type"] == "rollback.completed" and ref.startswith("change:"):
                failed.add(ref)
    return max(sorted(failed), key=lambda ref: counts[ref]).removeprefix("change:")


def _inconvenient(items: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield approvals of one's own change, deployments in the freeze, and deployments without a change."""
    authors: dict[str, str] = {}
    start = end = ""
    for item in items:
        statement = item["entry"]["statement"]
        data, kind = statement["data"], statement["type"]
        if kind == "freeze.declared":
            start, end = data["start"], data["end"]
        elif kind == "change.opened":
            authors[data["change_id"]] = data["actor"]
        elif kind == "approval.granted" and authors[data["change_id"]] == data["actor"]:
            yield "one's own change", item
        elif kind == "deployment.started" and start <= statement["time"] < end:
            yield "in the freeze", item
        elif kind == "deployment.started" and "change_id" not in data:
            yield "without a change", item


def _title(text: str) -> None:
    console.print()
    console.rule(text, align="left", style="dim")


def _sentences(items: list[dict[str, Any]]) -> None:
    for item in items:
        console.print(
            f"{item['position']:>5}  {item['entry']['statement']['type']:<27} {_short(item['says'])}",
            markup=False,
            soft_wrap=True,
        )


def _short(says: str) -> str:
    """Shorten digests and artifacts for a terminal."""
    return " ".join(word if len(word) < 60 else word[:32] + "…" for word in says.split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _program() -> str:
    beside = Path(sys.executable).with_name("change-ledger")
    found = str(beside) if beside.exists() else shutil.which("change-ledger")
    return shlex.quote(found) if found else f"PYTHONPATH={ROOT} {sys.executable} -m api.cli"


if __name__ == "__main__":
    sys.exit(main())
