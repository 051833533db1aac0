"""What a server publishes: by which witness policy, how often, until the very end; and what stops its signer."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import check_one_line
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN
from placed_ledgers import make_ledger_at
from programs import kill, program
from servers import BATCH, STRUCTURED, Server, check_problem, event, log_server, make_ledger
from typer.testing import CliRunner
from waiting import wait_for
from witness_servers import WitnessServer, running_witnesses

from api.cli import app
from ledger.ledger import Ledger
from ledger.log.database import Database
from signing.checkpoint import check_checkpoint, parse_hash
from signing.merkle import check_consistency
from signing.notes import COSIGNATURE, NoteKey, check_note, format_verifier_key, parse_note, parse_verifier_key

LOG = NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)
LOG_VKEY = format_verifier_key(LOG)
STRANGER = format_verifier_key(NoteKey("stranger.test", bytes(range(32)), COSIGNATURE))


def status(server: Server) -> Any:
    return server.get("/v1/ledger", by="nobody").json()["checkpoints"]


def published(server: Server) -> int:
    return int(server.get("/checkpoint", by="nobody").text.split("\n")[1])


def checkpoints(server: Server) -> list[dict[str, Any]]:
    return list(server.get("/v1/ledger/checkpoints", params={"limit": "1000"}).json()["items"])


def check_history(server: Server) -> None:
    """Check that all checkpoints ever signed are of one history, each a prefix of the next."""
    held = [check_checkpoint(parse_note(item["note"].encode()), [LOG]) for item in checkpoints(server)]
    assert held
    for older, newer in itertools.pairwise(held):
        answer = server.get("/v1/ledger/consistency", params={"from": older.size, "to": newer.size}).json()
        proof = [parse_hash(line) for line in answer["proof"]]
        check_consistency(
            old_size=older.size, new_size=newer.size, old_root=older.root, new_root=newer.root, proof=proof
        )


def cannot_serve(directory: Path, environment: dict[str, str], words: str) -> None:
    """Check that `serve` says in one line why it does not start, and ends with 2."""
    command = program("--directory", directory, "serve", "--port", "0")
    done = subprocess.run(
        command, env=environment, cwd=directory, capture_output=True, text=True, timeout=600, check=False
    )
    assert (done.returncode, done.stdout) == (2, ""), done
    check_one_line(done.stderr, words)


@pytest.fixture(scope="module")
def witnesses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[WitnessServer]]:
    with running_witnesses(tmp_path_factory.mktemp("witnesses"), LOG_VKEY, "one.test", "two.test") as running:
        yield running


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory: pytest.TempPathFactory, witnesses: list[WitnessServer]) -> tuple[Path, dict[str, str]]:
    """A ledger that knows both witnesses: its directory and its tokens."""
    directory = tmp_path_factory.mktemp("witnessed") / "var"
    tokens = make_ledger(directory)
    enrol_at(directory, *witnesses)
    return directory, tokens


def enrol_at(directory: Path, *witnesses: WitnessServer) -> None:
    ledger = Ledger.open(Database(f"sqlite:///{directory / 'ledger.db'}"), ENTRY_KEY)
    for witness in witnesses:
        witness.enrol(ledger)
    ledger.close()


def under(policy: str, *witnesses: WitnessServer) -> dict[str, str]:
    return {
        "CHANGE_LEDGER_WITNESS_POLICY": policy,
        "CHANGE_LEDGER_WITNESSES": json.dumps([witness.address for witness in witnesses]),
    }


# -- policies ----------------------------------------------------------------------------------------------------------


def test_with_the_policy_off_nobody_is_asked(
    witnessed: tuple[Path, dict[str, str]], witnesses: list[WitnessServer]
) -> None:
    directory, tokens = witnessed
    with log_server(directory, tokens=tokens, **under("off", *witnesses)) as server:
        position = server.record(event())["position"]
        server.wait_for_checkpoint(position)
        assert checkpoints(server)[-1]["cosigned_by"] == []
        found = status(server)
        assert (found["witness_policy"], found["witnesses"]) == ("off", [])


def test_observed_witnesses_cosign_and_one_that_is_down_is_named_and_holds_up_nothing(
    witnessed: tuple[Path, dict[str, str]], witnesses: list[WitnessServer]
) -> None:
    directory, tokens = witnessed
    with log_server(directory, tokens=tokens, **under("observe", *witnesses)) as server:
        position = server.record(event())["position"]
        server.wait_for_checkpoint(position)
        wait_for(lambda: len(checkpoints(server)[-1]["cosigned_by"]) == 2, "both cosign")
        note = parse_note(server.get("/checkpoint").content)
        times = check_note(note, [parse_verifier_key(witness.vkey) for witness in witnesses])
        assert len(times) == 2
        assert all(abs((when or 0) - time.time()) < 600 for when in times.values())
        witnesses[1].stop()
        position = server.record(event())["position"]
        server.wait_for_checkpoint(position)
        problems = wait_for(
            lambda: [item["problem"] for item in status(server)["witnesses"] if item["problem"]], "it is named"
        )
        assert "did not answer" in problems[0]
        assert server.get("/readyz").status_code == 200
        wait_for(lambda: checkpoints(server)[-1]["cosigned_by"] == ["one.test"], "the other one cosigns")
        witnesses[1].start()
        server.record(event())
        wait_for(lambda: [i["problem"] for i in status(server)["witnesses"]] == [None, None], "it is back")


def test_what_too_few_witnesses_cosigned_is_signed_and_not_published(
    witnessed: tuple[Path, dict[str, str]], witnesses: list[WitnessServer]
) -> None:
    directory, tokens = witnessed
    with log_server(directory, tokens=tokens, **under("require:2", *witnesses)) as server:
        posted = event()
        # On a busy machine the witnesses may need longer than who waits: it is asked again.
        first = wait_for(
            lambda: (answer := server.post(posted, params={"wait": "checkpoint"}).json())["proof"] and answer,
            "both cosign",
        )
        assert first["proof"].count("\n— ") == 3
        witnesses[0].stop()
        held = server.record(event())["position"]
        wait_for(lambda: status(server)["signed_size"] >= held, "it is signed")
        found = status(server)
        assert found["published_size"] == published(server) == first["position"]
        wait_for(lambda: status(server)["witnesses"][0]["problem"], "it is named")
        assert status(server)["witnesses"][1]["problem"] is None
        # The ledger appends and signs all the same: what is missing is said, and nothing is red.
        assert server.get("/readyz").json()["checkpoints"]["published_size"] == first["position"]
        detail = check_problem(server.get(f"/v1/events/{held}/proof"), 404)["detail"]
        assert f"the last one covers {first['position']}" in detail
        witnesses[0].start()
        last = server.record(event())["position"]
        server.wait_for_checkpoint(last)
        check_history(server)
    with log_server(directory, tokens=tokens, **under("require:1", *witnesses)) as server:
        witnesses[0].stop()
        last = server.record(event())["position"]
        server.wait_for_checkpoint(last)
        assert server.get("/checkpoint").text.count("\n— ") == 2
        witnesses[0].start()
        report = server.audit()
        assert (report.verdict, report.faults) == ("sound", ())


def by_hand(directory: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["--directory", str(directory), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_after_a_restart_witnesses_are_asked_for_what_is_signed_though_nothing_is_new(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "var"
    tokens = make_ledger(directory)
    with running_witnesses(tmp_path / "w", LOG_VKEY, "late.test") as [late]:
        enrol_at(directory, late)
        by_hand(directory, "heads")
        size = int(by_hand(directory, "checkpoint").split("\n")[1])
        late.stop()
        with log_server(directory, tokens=tokens, **under("require:1", late)) as server:
            problem = wait_for(lambda: status(server)["witnesses"][0]["problem"], "it is named")
            assert "did not answer" in problem
            # Commands gave it out before a policy was in force: it stands.
            assert published(server) == size == status(server)["signed_size"]
            late.start()
            wait_for(lambda: status(server)["witnesses"][0]["cosigned_size"] == size, "it is asked again")
            wait_for(lambda: status(server)["witnesses"][0]["problem"] is None, "and nothing is wrong any more")
            assert server.get("/checkpoint").text.count("\n— ") == 2
            assert server.size() == size


def test_a_witness_whose_key_counts_later_is_named(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    tokens = make_ledger(directory)
    with running_witnesses(tmp_path / "w", LOG_VKEY, "early.test") as [early]:
        enrol_at(directory, early)
        by_hand(directory, "checkpoint")
        with log_server(directory, tokens=tokens, **under("require:1", early)) as server:
            problem = wait_for(lambda: status(server)["witnesses"][0]["problem"], "it is named")
            assert "does not count yet" in problem
            server.wait_for_checkpoint(server.record(event())["position"])
            # What it cosigned is there a moment before its answer is known to be good.
            wait_for(lambda: status(server)["witnesses"][0]["problem"] is None, "nothing is wrong any more")


def test_what_was_published_under_one_policy_stands_until_the_next_is_met(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    tokens = make_ledger(directory)
    with running_witnesses(tmp_path / "w", LOG_VKEY, "one.test", "two.test") as both:
        enrol_at(directory, *both)
        with log_server(directory, tokens=tokens, **under("off", *both)) as server:
            alone = server.record(event())["position"]
            server.wait_for_checkpoint(alone)
        for witness in both:
            witness.stop()
        with log_server(directory, tokens=tokens, **under("require:1", *both)) as server:
            assert published(server) == alone
            last = server.record(event())["position"]
            wait_for(lambda: status(server)["signed_size"] >= last, "it is signed")
            assert published(server) == alone
            both[0].start()
            server.wait_for_checkpoint(last)
        with log_server(directory, tokens=tokens, **under("require:2", *both)) as server:
            # Both servers see it, however often they start.
            assert published(server) >= last
            held = server.record(event())["position"]
            wait_for(lambda: status(server)["witnesses"][0]["cosigned_size"] >= held, "one cosigns")
            assert last <= published(server) < held
        with log_server(directory, tokens=tokens, **under("require:2", *both)) as server:
            assert last <= published(server) < held
            both[1].start()
            server.wait_for_checkpoint(held)


@pytest.mark.slow
def test_who_waits_where_nothing_is_published_is_told_that_it_is_recorded_without_a_proof(
    witnessed: tuple[Path, dict[str, str]], witnesses: list[WitnessServer]
) -> None:
    directory, tokens = witnessed
    with log_server(directory, tokens=tokens, **under("require:2", *witnesses)) as server:
        witnesses[0].stop()
        answer = server.post(event(), params={"wait": "checkpoint"})
        assert (answer.status_code, answer.json()["proof"]) == (201, None)
        witnesses[0].start()


def test_settings_of_witnesses_that_cannot_work_are_refused_in_one_line(
    witnessed: tuple[Path, dict[str, str]], witnesses: list[WitnessServer]
) -> None:
    directory, _ = witnessed
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CHANGE_LEDGER_")}
    environment |= {"CHANGE_LEDGER_KNOWN_LEDGERS": str(directory / "known")}
    wrong = {
        "stranger.test is not enrolled": ("observe", [f"{STRANGER} http://127.0.0.1:1"]),
        "1 witness is configured": ("require:2", [witnesses[0].address]),
        "setting CHANGE_LEDGER_WITNESS_POLICY": ("require:0", [witnesses[0].address]),
    }
    for words, (policy, addresses) in wrong.items():
        given = {"CHANGE_LEDGER_WITNESS_POLICY": policy, "CHANGE_LEDGER_WITNESSES": json.dumps(addresses)}
        cannot_serve(directory, environment | given, words)


# -- how often, and how long -------------------------------------------------------------------------------------------


def test_there_is_at_most_one_checkpoint_a_second_and_a_last_one_over_everything(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    with log_server(directory) as server:
        server.wait_for_checkpoint(1)
        before, began = len(checkpoints(server)), time.monotonic()
        with server.client_with(server.tokens["all"]) as client:
            while time.monotonic() < began + 2.5:
                client.post("/v1/events", json=event(), headers={"Content-Type": STRUCTURED})
        signed = len(checkpoints(server)) - before
        # One may be late and the next in time: a second more than the first and the last of them are apart.
        assert signed <= time.monotonic() - began + 2
        acknowledged = server.post([event() for _ in range(50)], kind=BATCH).json()["items"][-1]["receipt"]["position"]
        assert server.stop() in (0, -signal.SIGTERM)
    kept = directory / "signer" / "checkpoint"
    assert check_checkpoint(parse_note(kept.read_bytes()), [LOG]).size == acknowledged
    with log_server(directory, tokens=server.tokens) as again:
        assert published(again) == acknowledged == again.size()


def test_a_server_that_was_killed_goes_on_consistently(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    with log_server(directory) as server:
        server.wait_for_checkpoint(server.record(event())["position"])
        last = server.record(event())["position"]
        kill(server.process)
    with log_server(directory, tokens=server.tokens) as again:
        assert again.size() >= last
        again.wait_for_checkpoint(again.record(event())["position"])
        check_history(again)
        assert again.audit().verdict == "sound"


# -- the signer's memory -----------------------------------------------------------------------------------------------


def copy_of(directory: Path, target: Path) -> None:
    """Copy a SQLite database at rest."""
    shutil.copy(directory / "ledger.db", target)
    assert not (directory / "ledger.db-wal").exists() or (directory / "ledger.db-wal").stat().st_size == 0


def test_a_server_on_an_old_copy_of_the_database_does_not_start(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    with log_server(directory) as server:
        server.wait_for_checkpoint(1)
        server.stop()
    copy_of(directory, tmp_path / "old.db")
    with log_server(directory, tokens=server.tokens) as server:
        server.record(event())
        server.stop()
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (directory / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "old.db", directory / "ledger.db")
    cannot_serve(directory, dict(server.environment), "its tail was cut off, or an old backup was restored")


def signer(directory: Path, environment: Any, *words: str) -> subprocess.CompletedProcess[str]:
    command = program("--directory", directory, "signer", *words)
    return subprocess.run(
        command, env=dict(environment), cwd=directory, capture_output=True, text=True, timeout=600, check=False
    )


def test_a_server_without_its_signers_memory_serves_is_ready_to_append_and_signs_when_it_takes_over(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "var"
    with log_server(directory) as server:
        server.wait_for_checkpoint(server.size())
        server.stop()
    (directory / "signer" / "checkpoint").unlink()
    with log_server(directory, tokens=server.tokens) as again:
        position = again.record(event())["position"]
        wait_for(lambda: status(again)["signer"] == "refused", "it says that it does not sign")
        # It appends: a signer that stopped takes no process out of a balancer.
        ready = again.get("/readyz")
        assert ready.status_code == 200
        found = ready.json()["checkpoints"]
        assert "no memory" in found["detail"]
        found = status(again)
        assert found["signer"] == "refused"
        assert "take-over" in found["detail"]
        assert published(again) < position
        # A running server mends itself as soon as the memory is there.
        (tmp_path / "last").write_text(again.get("/checkpoint").text)
        taken = signer(directory, again.environment, "take-over", str(tmp_path / "last"))
        assert taken.returncode == 0, taken.stderr
        again.wait_for_checkpoint(position)
        wait_for(lambda: status(again)["signer"] == "signing", "it signs again")
        check_history(again)


def test_a_memory_that_cannot_be_written_is_said_and_what_is_served_stays(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    with log_server(directory) as server:
        server.wait_for_checkpoint(server.size())
        # Where the new memory is written first, there is a directory: the disk refuses.
        (directory / "signer" / "checkpoint.part").mkdir()
        before = published(server)
        server.record(event())
        wait_for(lambda: status(server)["signer"] == "refused", "it says so")
        assert server.get("/readyz").json()["checkpoints"]["signer"] == "refused"
        assert published(server) == before
        (directory / "signer" / "checkpoint.part").rmdir()
        server.wait_for_checkpoint(before + 1)
        # The checkpoint is there a moment before its signer says that it signs again.
        wait_for(lambda: server.get("/readyz").json()["checkpoints"]["signer"] == "signing", "it signs again")


# -- two servers -------------------------------------------------------------------------------------------------------


def test_of_two_servers_one_signs_and_the_other_publishes_and_takes_over(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    tokens = make_ledger(directory)
    take_turns(directory, tokens, {})


@pytest.mark.postgres
def test_of_two_servers_on_postgresql_one_signs_and_the_other_takes_over(
    tmp_path: Path, new_postgres: Callable[[], str]
) -> None:
    directory, url = tmp_path / "var", new_postgres()
    tokens = make_ledger_at(directory, url)
    take_turns(directory, tokens, {"CHANGE_LEDGER_DATABASE_URL": url})


def take_turns(directory: Path, tokens: dict[str, str], more: dict[str, str]) -> None:
    with log_server(directory, tokens=tokens, **more) as first:
        first.wait_for_checkpoint(first.size())
        with log_server(directory, tokens=tokens, **more) as second:
            wait_for(lambda: status(second)["signer"] == "standing by", "the second stands by")
            assert status(first)["signer"] == "signing"
            # Who does not sign still appends, waits, and publishes.
            answer = second.post(event(), params={"wait": "checkpoint"})
            assert answer.json()["proof"]
            assert published(second) == published(first) == answer.json()["position"]
            kill(first.process)
            position = second.record(event())["position"]
            second.wait_for_checkpoint(position)
            assert status(second)["signer"] == "signing"
            check_history(second)
