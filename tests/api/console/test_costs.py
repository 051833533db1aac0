"""What pages cost: no page does more for a longer ledger than for a shorter one, once there is more than it shows.

Measured where it cannot hide: by the steps of the database's own machine, whatever statements they are of. A scan of all rows takes four
times as many on a ledger of four times the length.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pages_in_process import Pages

CHANGES = (60, 240)
# So many steps are counted as one.
STEP = 100
# Of what is looked up in a tree of four times as many rows, and of rows that say more.
GROWS, MORE = 1.5, 10


class Counted:
    """The steps that the database of some pages takes."""

    def __init__(self, pages: Pages) -> None:
        self.pages, self.steps = pages, 0

    async def looked_at(self) -> dict[str, int]:
        """Return how many steps each page takes. The second time: what is made once is not what a page costs."""
        taken = {}
        async with self.pages.signed_in() as client:
            self._listen()
            for number, path in enumerate(self.pages.paths()):
                for _ in range(2):
                    self.steps = 0
                    answer = await client.get(path)
                    assert answer.status_code == 200, (path, answer.text[:500])
                # By number: rows are called otherwise in another ledger.
                taken[f"{number} {path}"] = self.steps
        return taken

    def _listen(self) -> None:
        def taken(connection: Any, *_: Any) -> None:
            connection.set_progress_handler(self._count, STEP)

        sa.event.listen(self.pages.ledger.database.engine, "checkout", taken)

    def _count(self) -> int:
        self.steps += 1
        return 0


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> list[dict[str, int]]:
    made = [Pages(tmp_path_factory.mktemp("pages"), shared, changes, planted=0) for changes in CHANGES]
    return [asyncio.run(Counted(pages).looked_at()) for pages in made]


def test_no_page_costs_more_on_a_longer_ledger(steps: list[dict[str, int]]) -> None:
    few, many = (list(taken.values()) for taken in steps)
    grown = {
        path: (short, long)
        for path, short, long in zip(steps[1], few, many, strict=True)
        if long > GROWS * short + MORE
    }
    assert grown == {}


def test_the_steps_are_counted(steps: list[dict[str, int]]) -> None:
    assert all(taken > 0 for taken in steps[0].values()), steps[0]
