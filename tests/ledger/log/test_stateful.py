"""A ledger held against a model: whatever two processes append, repeat, contradict, revoke, erase and restart, in any order."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ledgers import ENTRY_KEY, cloud_event, create_ledger, submission

from ledger.audit.of_database import audit_database
from ledger.audit.report import Pin
from ledger.authority import Caller
from ledger.conditions import Condition, Match
from ledger.entry import Receipt
from ledger.errors import ConditionFailedError, ConflictError, NotFoundError, UnauthenticatedError
from ledger.ledger import Ledger
from ledger.log.beside import read_texts
from ledger.log.database import Database
from ledger.log.reading import read_entries
from ledger.log.recorder import Outcome, Recorded, Refused, Repeated, Submission
from ledger.stewardship.credentials import issue_token, revoke_token
from ledger.stewardship.removal import erase_texts

TITLES = ("words", "other words")
OUTCOMES = ("success", "failure", "error")

processes = st.integers(0, 1)
changes = st.sampled_from(["CHG-1", "CHG-2", "CHG-3"])
conditions = st.none() | st.tuples(
    st.sampled_from(["change.opened", "deployment.finished", "code.merged", None]),
    changes | st.none(),
    st.integers(0, 8),
)


@dataclass
class Fact:
    """What the model knows of one thing that was appended, or tried."""

    event: dict[str, Any]
    position: int
    receipt: Receipt
    erased: bool = False
    contradicted: set[str] = field(default_factory=set)

    @property
    def has_texts(self) -> bool:
        return self.event["type"] == "change.opened"

    def altered(self, number: int) -> dict[str, Any]:
        data = self.event["data"]
        return self.event | {
            "data": data | ({"title": f"altered {number}"} if self.has_texts else {"service": f"x{number}"})
        }


@dataclass(frozen=True)
class Token:
    credential: str
    caller: Caller


class LedgerMachine(RuleBasedStateMachine):
    """Two processes on one SQLite file, and a list that says what must be in it."""

    facts = Bundle("facts")
    tokens = Bundle("tokens")
    revoked = Bundle("revoked")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="ledger-model-"))
        self.url = f"sqlite:///{self.directory / 'ledger.db'}"
        self.ledgers = [create_ledger(self.url)]
        self.ledgers.append(Ledger.open(Database(self.url), ENTRY_KEY))
        # One pair (type, change or None) for every entry.
        self.log: list[tuple[str, str | None]] = [("ledger.opened", None)]
        self.numbers = 0
        with self.ledgers[0].database.engine.connect() as connection:
            self.genesis = next(read_entries(connection, limit=1)).leaf_hash
        self.erased: set[int] = set()

    # -- what the model says -------------------------------------------------------------------------------------

    def new_event(self, has_texts: bool, change: str) -> dict[str, Any]:
        self.numbers += 1
        name = {"id": f"fact-{self.numbers}", "change_id": change}
        if has_texts:
            return cloud_event("change.opened", title=TITLES[self.numbers % 2], **name)
        return cloud_event(outcome=OUTCOMES[self.numbers % 3], **name)

    def holds(self, condition: tuple[str | None, str | None, int] | None) -> bool:
        if condition is None:
            return True
        event_type, change, back = condition
        after = max(0, len(self.log) - back)
        return not any(
            event_type in (None, of_type) and change in (None, of_change) for of_type, of_change in self.log[after:]
        )

    def asked(self, condition: tuple[str | None, str | None, int] | None) -> Condition | None:
        if condition is None:
            return None
        event_type, change, back = condition
        match = Match((event_type,) if event_type else (), (f"change:{change}",) if change else ())
        return Condition((match,), max(0, len(self.log) - back))

    def took(self, event: dict[str, Any], outcome: Outcome) -> Fact:
        """Note an event as recorded at the next position, and check that this is what the caller was told."""
        assert isinstance(outcome, Recorded), outcome
        [receipt] = outcome.receipts
        self.log.append((event["type"], event["data"]["change_id"]))
        assert receipt.position == len(self.log)
        assert (receipt.id, receipt.source) == (event["id"], event["source"])
        return Fact(event, receipt.position, receipt)

    def append(self, process: int, *submissions: Submission) -> list[Outcome]:
        return self.ledgers[process].append_group(list(submissions))

    # -- what may happen -----------------------------------------------------------------------------------------

    @initialize(target=facts)
    def begin(self) -> Any:
        event = self.new_event(True, "CHG-1")
        [outcome] = self.append(0, submission(self.ledgers[0], event))
        return self.took(event, outcome)

    @rule(target=facts, process=processes, shapes=st.lists(st.tuples(st.booleans(), changes), min_size=1, max_size=12))
    def append_a_group(self, process: int, shapes: list[tuple[bool, str]]) -> Any:
        events = [self.new_event(*shape) for shape in shapes]
        outcomes = self.append(process, *(submission(self.ledgers[process], event) for event in events))
        return multiple(*(self.took(event, outcome) for event, outcome in zip(events, outcomes, strict=True)))

    @rule(target=facts, process=processes, shapes=st.lists(st.tuples(st.booleans(), changes), min_size=1, max_size=3))
    def append_several_at_once(self, process: int, shapes: list[tuple[bool, str]]) -> Any:
        events = [self.new_event(*shape) for shape in shapes]
        [outcome] = self.append(process, submission(self.ledgers[process], *events))
        assert isinstance(outcome, Recorded)
        parts = zip(events, outcome.receipts, strict=True)
        return multiple(*(self.took(event, Recorded((receipt,))) for event, receipt in parts))

    @rule(target=facts, process=processes, group=st.lists(st.tuples(changes, conditions), min_size=1, max_size=5))
    def append_under_conditions(self, process: int, group: list[tuple[str, Any]]) -> Any:
        ledger, taken = self.ledgers[process], []
        events = [self.new_event(False, change) for change, _ in group]
        # Every condition looks back from where the group began.
        asked = [self.asked(condition) for _, condition in group]
        base = len(self.log)
        outcomes = self.append(
            process, *(submission(ledger, event, condition=c) for event, c in zip(events, asked, strict=True))
        )
        for event, (_, condition), outcome in zip(events, group, outcomes, strict=True):
            shifted = condition and (condition[0], condition[1], min(condition[2], base) + len(self.log) - base)
            if self.holds(shifted):
                taken.append(self.took(event, outcome))
            else:
                assert isinstance(outcome, Refused)
                assert isinstance(outcome.error, ConditionFailedError)
        return multiple(*taken)

    @rule(process=processes, fact=facts, times=st.integers(1, 3))
    def repeat(self, process: int, fact: Fact, times: int) -> None:
        again = [submission(self.ledgers[process], fact.event) for _ in range(times)]
        for outcome in self.append(process, *again):
            assert outcome == Repeated((fact.receipt,))

    @rule(process=processes, fact=facts, numbers=st.lists(st.integers(1, 2), min_size=1, max_size=3))
    def contradict(self, process: int, fact: Fact, numbers: list[int]) -> None:
        ledger = self.ledgers[process]
        outcomes = self.append(process, *(submission(ledger, fact.altered(number)) for number in numbers))
        for number, outcome in zip(numbers, outcomes, strict=True):
            if fact.erased:
                # What was erased cannot be compared.
                assert outcome == Repeated((fact.receipt,))
                continue
            assert isinstance(outcome, Refused)
            assert isinstance(outcome.error, ConflictError)
            assert outcome.error.position == fact.position
            if f"{number}" not in fact.contradicted:
                fact.contradicted.add(f"{number}")
                self.log.append(("intake.conflicted", None))

    @rule(process=processes, fact=facts, change=changes)
    def contradict_in_part(self, process: int, fact: Fact, change: str) -> None:
        if fact.erased:
            return
        ledger, fresh = self.ledgers[process], self.new_event(False, change)
        [outcome] = self.append(process, submission(ledger, fresh, fact.altered(7)))
        assert isinstance(outcome, Refused)
        if "7" not in fact.contradicted:
            fact.contradicted.add("7")
            self.log.append(("intake.conflicted", None))

    @rule(target=tokens, process=processes)
    def issue_a_credential(self, process: int) -> Token:
        ledger = self.ledgers[process]
        credential, token, receipt = issue_token(
            ledger, actor="person:root", principal="service:ci", kind="service", roles=["reporter"]
        )
        self.log.append(("ledger.credential_issued", None))
        assert receipt.position == len(self.log)
        known = ledger.authority.authenticate(token, ledger.clock.now_us())
        assert known.id == credential
        return Token(credential, Caller(known.id, known.principal, "token", known))

    @rule(target=facts, process=processes, token=tokens, change=changes)
    def append_by_a_credential(self, process: int, token: Token, change: str) -> Fact:
        event = self.new_event(True, change)
        [outcome] = self.append(process, submission(self.ledgers[process], event, caller=token.caller))
        return self.took(event, outcome)

    @rule(target=revoked, process=processes, token=consumes(tokens))
    def revoke_a_credential(self, process: int, token: Token) -> tuple[Token, int]:
        receipt = revoke_token(self.ledgers[process], token.credential, actor="person:root", reason="leaked")
        self.log.append(("ledger.credential_revoked", None))
        assert receipt.position == len(self.log)
        return token, receipt.position

    @rule(process=processes, gone=revoked)
    def append_by_a_revoked_credential(self, process: int, gone: tuple[Token, int]) -> None:
        ledger, (token, revoked_at) = self.ledgers[process], gone
        # A process that has not heard of the revocation yet lets it in at its door.
        heard_of = ledger.authority.position
        permitted_at = heard_of if heard_of < revoked_at else -1
        asked = submission(ledger, self.new_event(False, "CHG-1"), caller=token.caller, permitted_at=permitted_at)
        [outcome] = self.append(process, asked)
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, UnauthenticatedError)

    @rule(process=processes, fact=facts)
    def erase(self, process: int, fact: Fact) -> None:
        ledger = self.ledgers[process]
        if not fact.has_texts or fact.erased:
            with pytest.raises(NotFoundError):
                erase_texts(ledger, fact.position, actor="person:root", reason="on-request")
            return
        erase_texts(ledger, fact.position, actor="person:root", reason="on-request")
        fact.erased = True
        self.erased.add(fact.position)
        self.log.append(("ledger.texts_erased", None))

    @rule(process=processes)
    def restart(self, process: int) -> None:
        self.ledgers[process].close()
        self.ledgers[process] = Ledger.open(Database(self.url), ENTRY_KEY)

    @rule(process=processes, count=st.integers(100, 260))
    @precondition(lambda self: len(self.log) < 800)
    def append_many(self, process: int, count: int) -> None:
        events = [self.new_event(False, "CHG-1") for _ in range(count)]
        outcomes = self.append(process, *(submission(self.ledgers[process], event) for event in events))
        for event, outcome in zip(events, outcomes, strict=True):
            self.took(event, outcome)

    # -- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def both_processes_see_what_was_recorded_and_nothing_else(self) -> None:
        assert [ledger.size() for ledger in self.ledgers] == [len(self.log)] * 2

    def teardown(self) -> None:
        try:
            with self.ledgers[1].database.engine.connect() as connection:
                found = [(e.type, e.statement["data"].get("change_id")) for e in read_entries(connection, limit=None)]
                assert found == self.log
                assert not any(read_texts(connection, position) for position in self.erased)
            report = audit_database(self.ledgers[0].database, pin=Pin(genesis=self.genesis), workers=1)
            assert (report.verdict, report.faults, report.size) == ("sound", (), len(self.log))
        finally:
            for ledger in self.ledgers:
                ledger.close()
            shutil.rmtree(self.directory)


def test_a_ledger_does_what_its_model_says(request: pytest.FixtureRequest) -> None:
    long = request.config.getoption("--all")
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=200 if long else 15,
            stateful_step_count=60 if long else 20,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
