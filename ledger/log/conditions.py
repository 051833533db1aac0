"""Append conditions, asked of the database under the lock: one statement for all matches of a condition, whatever their number.

Not what a condition means (`ledger.conditions`), nor what earlier submissions of the same group said: that is not in the
database yet, and the recorder asks its own list.

    stored   2  deployment.started    change:CHG-1  service:a        type 2
             3  approval.granted      change:CHG-1                   type 3
             4  deployment.started    change:CHG-2  service:a        type 2
    asked    after 2, none of   0  {refs: change:CHG-1, service:a}
                                1  {types: approval.granted, refs: change:CHG-1}
                                2  {types: freeze.declared}

Both refs of match 0 occurred after 2, so it is asked; the rarer would lead, and here they are as frequent. Match 1 is
asked with the id of its type. Match 2 is not asked: no entry has that type. The statement gets the rows (number, leading
ref, other refs, types) `[0, 128, [129], []]` and `[1, 128, [], [3]]`, and answers `{1: 3}`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from ledger.conditions import Match
from ledger.log.database import Database
from ledger.log.sql import Ref

# The parameters are as many whatever is asked: limits of the databases on parameters and on parts of a statement are not met.
_SQLITE: Final = """
SELECT json_extract(j.value, '$[0]'), (
  SELECT l.position FROM entry_refs l WHERE l.ref_id = json_extract(j.value, '$[1]') AND l.position > ?1
  AND NOT EXISTS (
    SELECT 1 FROM json_each(j.value, '$[2]') o
    WHERE NOT EXISTS (SELECT 1 FROM entry_refs x WHERE x.ref_id = o.value AND x.position = l.position))
  AND (json_array_length(j.value, '$[3]') = 0
    OR EXISTS (SELECT 1 FROM json_each(j.value, '$[3]') t WHERE t.value = l.type_id))
  ORDER BY l.position LIMIT 1)
FROM json_each(?2) j
UNION ALL
SELECT json_extract(j.value, '$[0]'), (
  SELECT e.position FROM entries e WHERE e.type_id = json_extract(j.value, '$[1]') AND e.position > ?1
  ORDER BY e.position LIMIT 1)
FROM json_each(?3) j"""
_POSTGRESQL: Final = """
SELECT j.number, (
  SELECT l.position FROM entry_refs l WHERE l.ref_id = j.lead AND l.position > %s
  AND NOT EXISTS (
    SELECT 1 FROM unnest(j.others::bigint[]) o
    WHERE NOT EXISTS (SELECT 1 FROM entry_refs x WHERE x.ref_id = o AND x.position = l.position))
  AND (j.types = '{}' OR l.type_id = ANY(j.types::bigint[]))
  ORDER BY l.position LIMIT 1)
FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[]) AS j(number, lead, others, types)
UNION ALL
SELECT j.number, (
  SELECT e.position FROM entries e WHERE e.type_id = j.type AND e.position > %s ORDER BY e.position LIMIT 1)
FROM unnest(%s::int[], %s::bigint[]) AS j(number, type)"""


def first_matches(
    database: Database,
    connection: Connection,
    matches: Sequence[Match],
    *,
    after: int,
    size: int,
    refs: Mapping[str, Ref],
    types: Mapping[str, int],
) -> dict[int, int]:
    """Return, by the number of a match, the first stored position after `after` that it fits. Those that fit none are not there.

    `size` is how many entries are stored. `refs` and `types` hold the refs and the type ids of all that `matches` name, as far
    as there are any; a ref may be further than what is stored, which costs a question and changes no answer.
    """
    by_ref: list[tuple[int, int, list[int], list[int]]] = []
    by_type: list[tuple[int, int]] = []
    found: dict[int, int] = {}
    if after >= size:
        return found
    for number, match in enumerate(matches):
        wanted = [types[name] for name in dict.fromkeys(match.types) if name in types]
        if match.types and not wanted:
            continue
        if match.refs:
            known = [refs[name] for name in dict.fromkeys(match.refs) if name in refs]
            # Nothing was recorded with all of them since, when nothing was with one of them: mostly that is all there is to ask.
            if len(known) < len(set(match.refs)) or min(ref.last for ref in known) <= after:
                continue
            # The rarest leads: its entries are looked through.
            lead, *others = sorted(known, key=lambda ref: ref.count)
            by_ref.append((number, lead.id, [ref.id for ref in others], wanted))
        elif wanted:
            by_type += [(number, type_id) for type_id in wanted]
        else:
            found[number] = after + 1
    if not by_ref and not by_type:
        return found
    if database.is_sqlite:
        rows = connection.exec_driver_sql(_SQLITE, (after, json.dumps(by_ref), json.dumps(by_type)))
    else:
        led = [(number, lead, _array(others), _array(wanted)) for number, lead, others, wanted in by_ref]
        columns = *_columns(led, 4), after, *_columns(by_type, 2)
        rows = connection.exec_driver_sql(_POSTGRESQL, (after, *columns))
    for number, position in rows:
        if position is not None:
            found[number] = min(position, found.get(number, position))
    return found


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[at] for row in rows] for at in range(width)]


def _array(numbers: Sequence[int]) -> str:
    # An array of arrays that differ in length is not one of PostgreSQL's.
    return f"{{{','.join(map(str, numbers))}}}"
