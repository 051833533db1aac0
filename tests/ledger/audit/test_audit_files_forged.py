"""The audit of an export that was written anew: re-hashed and re-signed, with the right keys, with some of them, with none."""

from pathlib import Path
from typing import Any

import pytest
from exports import STRANGERS_KEY, Made, make_export, rewrite, verified_once
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, WITNESS_KEY


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_export(tmp_path_factory.mktemp("export"))


@pytest.fixture
def files(original: Made, tmp_path: Path) -> Path:
    return original.copy(tmp_path / "files")


def kinds(original: Made, files: Path, **more: Any) -> set[str]:
    return {fault.kind for fault in original.audit(files, **more).faults}


def test_a_ledger_written_anew_by_its_own_keys_is_caught_by_whoever_held_a_checkpoint(
    original: Made, files: Path
) -> None:
    def edit(position: int, document: dict[str, Any]) -> None:
        if position == 150:
            document["statement"]["data"]["outcome"] = "failure"

    rewrite(files, edit)
    # Whoever has all the keys can do this: it takes something from outside to notice.
    assert original.audit(files).verdict == "sound"
    assert kinds(original, files, given=original.checkpoints[:1]) == {"checkpoint-contradicted"}
    assert kinds(original, files, receipts=original.receipts) == {"receipt-broken"}


@pytest.mark.parametrize("checkpoint_key", [STRANGERS_KEY, ENTRY_KEY, WITNESS_KEY, None])
def test_a_ledger_written_anew_without_its_checkpoint_key_is_found(original: Made, files: Path, checkpoint_key) -> None:
    rewrite(files, checkpoint_key=checkpoint_key)
    assert original.refuses(files)
    assert original.refuses(files, signatures=False)


@pytest.mark.parametrize("entry_key", [STRANGERS_KEY, CHECKPOINT_KEY, None])
def test_entries_signed_by_another_key_or_not_again_are_found(original: Made, files: Path, entry_key) -> None:
    def edit(position: int, document: dict[str, Any]) -> None:
        if position == 290:
            document["statement"]["data"]["outcome"] = "failure"

    rewrite(files, edit, entry_key=entry_key)
    assert "signature-wrong" in kinds(original, files)


HOSTILE: list[tuple[str, Any]] = [
    ("evidence", [{"media_type": "a/b", "sha256": "../../../../../../../dev/zero", "size": 1}]),
    ("evidence", [{"media_type": "a/b", "sha256": 5, "size": 1}]),
    ("evidence", [{"media_type": "a/b", "sha256": [], "size": 1}]),
    ("evidence", [None]),
    ("evidence", 5),
    ("refs", {"change:CHG-1": [1, 2.5]}),
    ("recorded_by", []),
    ("statement", "text"),
    ("statement", {"type": "ledger.texts_erased", "source": ORIGIN, "id": "x", "data": "text"}),
    ("statement", {"type": "ledger.texts_erased", "source": ORIGIN, "id": "x", "data": {"position": []}}),
    ("statement", {"type": "ledger.evidence_removed", "source": ORIGIN, "id": "x", "data": {"sha256": {}}}),
    ("statement", {"type": "ledger.heads_committed", "source": ORIGIN, "id": "x", "data": []}),
    ("statement", {"type": "ledger.key_enrolled", "source": ORIGIN, "id": "x", "data": [1]}),
    ("statement", {"type": "ledger.timestamped", "source": ORIGIN, "id": "x", "data": {"size": 1, "root": "zz"}}),
    ("statement", {"type": "change.opened", "source": ORIGIN, "id": "x", "data": {"title": {"sha256": []}}}),
    ("signatures", [[]]),
    ("position", "150"),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_what_no_ledger_writes_is_a_fault_and_no_crash(
    original: Made, files: Path, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(position: int, document: dict[str, Any]) -> None:
        if position == 290:
            document[name] = value

    with verified_once(monkeypatch):
        rewrite(files, edit)
        assert original.audit(files).verdict == "faults"
