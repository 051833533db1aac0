"""What stands beside a page that is no list of one view: the same rows for programs, as JSON and as CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi.responses import Response

from api.console.pages import Visit
from api.http.shapes import json_answer
from projections.engine.serving import cell

# As which a page may be asked for; "" is the page itself.
KINDS: Final = (".json", ".csv")


def kind_of(visit: Visit) -> str:
    """Return as what a page is asked for, by its path."""
    return next((kind for kind in KINDS if visit.path.endswith(kind)), "")


def rows_beside(
    kind: str, position: int, rows: Iterable[Mapping[str, Any]], columns: Iterable[str], **more: Any
) -> Response:
    """Return rows as JSON, with what else is said of them, or as CSV: a line each, safe in a spreadsheet. True at a position."""
    some = list(rows)
    if kind == ".json":
        return json_answer(200, {"position": position, **more, "items": some})
    names, out = list(columns), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([cell(row.get(name)) for name in names] for row in some)
    return Response(out.getvalue(), media_type="text/csv", headers={"X-Position": str(position)})
