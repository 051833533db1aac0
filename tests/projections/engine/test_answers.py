"""Answers that are kept: until what they rest on changes, and for whoever asks as if they had looked themselves."""

from dataclasses import dataclass

import pytest
from telling import Story

from ledger.events.change import ChangeOpened
from ledger.events.deployment import DeploymentStarted
from projections.engine.answers import Answers, kept
from projections.engine.derived import Derived
from projections.engine.finding import Breach
from projections.engine.lenses import Lens
from projections.engine.reads import Judging, Look
from projections.engine.view import DeclarationError, EntryInfo, Reads, View, replace

ASKED: list[str] = []


@dataclass(frozen=True)
class Known:
    change_id: str
    author: str = ""
    title_is: str = ""


@dataclass(frozen=True)
class Started:
    deployment_id: str
    change_id: str = ""


changes = View("known", version=1, row=Known, kind="change", doc="Who opened changes.")
starts = View("starts", version=1, row=Started, kind="deployment", reads=(changes,), doc="What was started.")
judged = Derived("judged", version=1, reads=(changes, starts), doc="What is wrong.")


@changes.on(ChangeOpened, key=lambda event: event.change_id)
def opened(row: Known, event: ChangeOpened, entry: EntryInfo) -> Known:
    return replace(row, author=event.actor or "")


@starts.on(DeploymentStarted, key=lambda event: event.deployment_id)
def started(row: Started, event: DeploymentStarted, entry: EntryInfo) -> Started:
    return replace(row, change_id=event.change_id or "")


@kept
def author_of(reads: Reads, change_id: str) -> str:
    ASKED.append(change_id)
    row = reads.row(changes, change_id)
    return row.author if row is not None else "nobody"


@kept
def starts_of(reads: Reads, change_id: str) -> int:
    ASKED.append(change_id)
    return len(reads.named(starts, DeploymentStarted, f"change:{change_id}"))


@judged.rule(starts, severity="low")
def started_by_nobody(row: Started, look: Look) -> Breach | None:
    """Of a change that nobody opened."""
    return Breach(f"{row.change_id} is nobody's", (1,)) if author_of(look, row.change_id) == "nobody" else None


@pytest.fixture
def story() -> Story:
    ASKED.clear()
    return Story((changes, starts, judged), batch=100)


def open_change(story: Story, change: str, actor: str = "person:ann") -> int:
    where = {"change_type": "normal", "title": {"sha256": "0" * 64}, "services": ["api"], "environment": "prod"}
    return story.tell("change.opened", actor=actor, change_id=change, **where)


def start(story: Story, deployment: str, change: str) -> int:
    return story.tell(
        "deployment.started", actor="service:ci", deployment_id=deployment, change_id=change, service="api",
        environment="prod", artifact=f"sha256:{'1' * 64}",
    )  # fmt: skip


def are_open(story: Story) -> list[str]:
    return [row.subject for row in map(judged.load, story.store.texts(judged)) if row.is_open]


def test_what_was_answered_is_kept_until_the_row_moves(story: Story) -> None:
    for number in range(5):
        start(story, f"d-{number}", "CHG-1")
    story.flush()
    assert (ASKED, len(are_open(story))) == (["CHG-1"], 5)
    open_change(story, "CHG-2")
    start(story, "d-9", "CHG-1")
    story.flush()
    assert ASKED == ["CHG-1"]
    open_change(story, "CHG-1")
    story.flush()
    assert ASKED == ["CHG-1", "CHG-1"]
    assert are_open(story) == []


def test_whoever_was_told_a_kept_answer_is_judged_again_when_it_changes(story: Story) -> None:
    start(story, "d-1", "CHG-1")
    start(story, "d-2", "CHG-1")
    story.flush()
    # The second was told what the first had asked for.
    assert (ASKED, are_open(story)) == (["CHG-1"], ["d-1", "d-2"])
    story.begin()
    open_change(story, "CHG-1")
    story.flush()
    assert are_open(story) == []


def test_one_more_entry_of_a_type_is_one_more_to_count(story: Story) -> None:
    start(story, "d-1", "CHG-1")
    story.flush()
    rows = story.folder.rows
    ASKED.clear()
    assert [starts_of(rows, "CHG-1"), starts_of(rows, "CHG-1"), starts_of(rows, "CHG-2")] == [1, 1, 0]
    assert ASKED == ["CHG-1", "CHG-2"]
    start(story, "d-2", "CHG-1")
    story.flush()
    assert (starts_of(rows, "CHG-1"), starts_of(rows, "CHG-2")) == (2, 0)


def test_what_cannot_be_kept_is_refused(story: Story) -> None:
    @kept
    def has_begun(reads: Look, time: str) -> bool:
        return reads.has_come(time)

    @kept
    def row_of(reads: Reads, change_id: str) -> Known | None:
        return reads.row(changes, change_id)

    @kept
    def authors_of(reads: Reads, change_id: str) -> list[str]:
        return [author_of(reads, change_id)]

    open_change(story, "CHG-1")
    story.flush()
    rows = story.folder.rows
    with pytest.raises(DeclarationError, match="whoever asks could change: expected a tuple"):
        authors_of(rows, "CHG-1")
    with pytest.raises(DeclarationError, match="asks whether a time has come"):
        has_begun(rows, "2026-01-01T00:00:00.000000Z")  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="answers with a row"):
        row_of(rows, "CHG-1")
    with pytest.raises(TypeError, match="by position"):
        author_of(rows, change_id="CHG-1")


def test_an_answer_of_others_is_not_believed_where_one_judges_by_oneself(story: Story) -> None:
    start(story, "d-1", "CHG-1")
    story.flush()
    rows = story.folder.rows
    look = Judging(rows, "9", lambda view: Lens(view, lambda column: None), answers=Answers(rows))
    assert author_of(look, "CHG-1") == "nobody"
    assert ASKED == ["CHG-1", "CHG-1"]


def test_questions_are_forgotten_where_their_answers_are_forgotten_all_the_time(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.engine.answers.MOST_KEPT", 2)
    rows = story.folder.rows
    for number in range(3):
        assert author_of(rows, f"CHG-{number}") == "nobody"
        open_change(story, f"CHG-{number}")
        story.flush()
    ASKED.clear()
    # All that was asked is answered anew, by what is there.
    assert [author_of(rows, f"CHG-{number}") for number in range(3)] == ["person:ann"] * 3
    assert ASKED == ["CHG-0", "CHG-1", "CHG-2"]
