"""`kept`: questions whose answers are kept until something that they rest on changes.

Who had the power to say something, or what the policy said at a time, is asked by a hundred rules and folds, of the same few rows, which
seldom change. What an answer rests on is noted, as for a judgement, and whoever asks again notes the same without looking.

    @kept
    def is_granted(reads: Reads, identity: str, time: Moment) -> bool: …

    is_granted(look, "person:ana", "2026-03-01T…")     rests on access_grants@identity:person:ana
    access.granted to ana, or one of her grants moves   asked again, it is worked out again

A question is a function of reads and of values: it asks no clock, and answers with values that nobody can change, never with a row,
whose columns the judgement that looks at them has to note itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from projections.engine.lenses import Lens, Seen
from projections.engine.reads import Answer, Followed, Judging, closed_read, entry_read, form_in, whats_of
from projections.engine.view import DeclarationError, Reads, View

P = ParamSpec("P")
T = TypeVar("T")
# So many answers are worked out; then all are forgotten.
MOST_KEPT: Final = 100_000


def kept(question: Callable[Concatenate[Reads, P], T]) -> Callable[Concatenate[Reads, P], T]:
    """Declare a question, whose values are given by position. Where reads keep no answers it is an ordinary function."""

    @wraps(question)
    def ask(reads: Reads, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs:
            raise TypeError(f"{question.__name__} is asked by position: its answers are kept by what was asked")
        answer: Callable[..., T] | None = getattr(reads, "answer", None)
        return question(reads, *args, **kwargs) if answer is None else answer(question, args)

    return ask


class Still:
    """Reads of rows that do not move: what was answered once is answered again."""

    def __init__(self) -> None:
        self._answers: dict[Any, Any] = {}

    def answer(self, question: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return self.once((question, args), question, self, *args)

    def once(self, asked: Any, work: Callable[..., T], *args: Any) -> T:
        """Return what work comes to: what it came to, where the same was asked before."""
        if asked not in self._answers:
            self._answers[asked] = work(*args)
        answer: T = self._answers[asked]
        return answer


class Answers:
    """The answers that are kept over rows which move from entry to entry. Whoever moves them says so: `moved`, `named`."""

    def __init__(self, rows: Followed) -> None:
        self._rows = rows
        self._of: dict[Any, Answer] = {}
        # By what answers rest on, the questions; and in which forms they ever looked at anything.
        self._resting: dict[str, set[Any]] = defaultdict(set)
        self._forms: set[str] = set()
        # How many were worked out since all were forgotten. What one rests on may hold its question after the answer is gone.
        self._worked_out_since = 0

    def ask(self, question: Callable[..., Any], args: tuple[Any, ...]) -> Answer:
        asked = question, args
        if (known := self._of.get(asked)) is None:
            known = self._of[asked] = self._worked_out(question, args)
            self._worked_out_since += 1
            for what, _ in known.reads:
                self._resting[what].add(asked)
                if (form := form_in(what)) is not None:
                    self._forms.add(form[0])
        return known

    def _worked_out(self, question: Callable[..., Any], args: tuple[Any, ...]) -> Answer:
        lenses: dict[View[Any], Lens] = {}

        def lens_of(view: View[Any]) -> Lens:
            if (lens := lenses.get(view)) is None:
                lens = lenses[view] = Lens(view, lambda column: None)
            return lens

        frame = Judging(self._rows, "", lens_of)
        value = question(frame, *args)
        frame.end()
        if frame.due is not None or frame.came is not None:
            raise DeclarationError(f"{question.__name__} asks whether a time has come: its answers cannot be kept")
        if frame.lateness or frame.looked_at_made:
            raise DeclarationError(f"{question.__name__} asks for leave that came late: its answers cannot be kept")
        if isinstance(value, (list, set, dict)):
            raise DeclarationError(f"{question.__name__} answers with what whoever asks could change: expected a tuple")
        if any(isinstance(one, Seen) for one in (value if isinstance(value, (tuple, frozenset)) else (value,))):
            raise DeclarationError(f"{question.__name__} answers with a row: expected values")
        return Answer(value, frozenset(frame.reads), tuple((view, lens.columns) for view, lens in lenses.items()))

    def moved(self, view: View[Any], key: str, before: Any, after: Any) -> None:
        """Forget what rests on a row that moves."""
        self._forget(whats_of(view, key, before, after, self._forms))

    def named(self, event_type: str, abouts: Iterable[str], *, is_one_less: bool = False) -> None:
        """Forget what rests on which entries of a type there are: there is one more, or one less, about some refs."""
        whats = [entry_read(event_type, about) for about in (None, *abouts)]
        if is_one_less:
            whats += [closed_read(event_type, about) for about in (None, *abouts)]
        self._forget(whats)

    def _forget(self, gone: Iterable[str]) -> None:
        for what in gone:
            for asked in self._resting.pop(what, ()):
                self._of.pop(asked, None)

    def make_room(self) -> None:
        """Forget all, when it has become much."""
        if self._worked_out_since > MOST_KEPT:
            self._of.clear()
            self._resting.clear()
            self._worked_out_since = 0
