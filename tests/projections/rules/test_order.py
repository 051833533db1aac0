"""Orders: a circle is found wherever it is, and none where there is none; held against going through all paths."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from projections.rules.order import circle

pairs = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=12)


def can_reach(edges: list[tuple[str, str]], one: str, other: str) -> bool:
    seen, waiting = set(), [one]
    while waiting:
        for needs, needed in edges:
            if needs == waiting[0] and needed not in seen:
                seen.add(needed)
                waiting.append(needed)
        waiting.pop(0)
    return other in seen


@given(pairs)
def test_a_circle_is_one_and_the_same_in_any_order(edges: list[tuple[str, str]]) -> None:
    found = circle(edges)
    assert (found is not None) == any(can_reach(edges, thing, thing) for thing in "abcde")
    if found is not None:
        assert found[0] == found[-1] == min(found)
        assert set(itertools.pairwise(found)) <= set(edges)
    assert circle(reversed(edges)) == found
