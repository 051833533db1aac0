"""`Practice`: one of the forty-eight practices of release governance, by its number and name. What serves it is in its file."""

from dataclasses import dataclass
from typing import Any

from projections.engine.view import DeclarationError, View
from projections.practices.curriculum import CURRICULUM
from projections.readings.people.settings import Declared


@dataclass(frozen=True, slots=True)
class Practice:
    """A practice of the curriculum: module and place, such as 3.3, and its name.

    `views` are where a reader looks for what was recorded of it; `settings` are those of its readings, beside the ones that its
    file declares. `to_come` says in words what the practice asks for beyond what
    its file holds. Raises DeclarationError for a practice that is not in the curriculum.
    """

    number: str
    name: str
    views: tuple[View[Any], ...] = ()
    settings: tuple[Declared, ...] = ()
    to_come: str = ""

    def __post_init__(self) -> None:
        if CURRICULUM.get(self.number) != self.name:
            raise DeclarationError(
                f"the practice {self.number} {self.name}: expected a number and name of the curriculum, "
                f"found {CURRICULUM.get(self.number, 'nothing')} under that number"
            )
