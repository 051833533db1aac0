"""What serves each practice of the curriculum, read off the code: its file's findings and gate rules, and the views it names.

Not a register that somebody keeps: a practice without a file, or whose file holds nothing, is not served.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from projections.engine.view import View
from projections.judging.findings import findings
from projections.judging.gate_rule import RULES
from projections.practices import PRACTICES
from projections.practices.curriculum import CURRICULUM, MODULES
from projections.readings.people.settings import Declared


@dataclass(frozen=True, slots=True)
class Served:
    """One practice of the curriculum, and what serves it: names of findings and of gate rules, views; and the settings they read."""

    number: str
    name: str
    module: ModuleType | None = None
    findings: tuple[str, ...] = ()
    gate_rules: tuple[str, ...] = ()
    views: tuple[View[Any], ...] = ()
    settings: tuple[Declared, ...] = ()
    to_come: str = ""

    @property
    def is_served(self) -> bool:
        return bool(self.findings or self.gate_rules or self.views)

    @property
    def part(self) -> str:
        """The module of the curriculum that it is of."""
        return MODULES[int(self.number[0]) - 1]


def capabilities() -> list[Served]:
    """Return all practices of the curriculum, in its order."""
    files = {module.PRACTICE.number: module for module in PRACTICES}
    return [_served(number, name, files.get(number)) for number, name in CURRICULUM.items()]


def _served(number: str, name: str, module: ModuleType | None) -> Served:
    if module is None:
        return Served(number, name)
    found = tuple(rule.name for rule in findings.rules.values() if rule.judge.__module__ == module.__name__)
    # One name in several versions is one rule.
    asked = dict.fromkeys(rule.name for rule in RULES.values() if rule.judge.__module__ == module.__name__)
    practice = module.PRACTICE
    declared = tuple(value for value in vars(module).values() if isinstance(value, Declared))
    settings = tuple(dict.fromkeys((*declared, *practice.settings)))
    return Served(number, name, module, found, tuple(asked), practice.views, settings, practice.to_come)
