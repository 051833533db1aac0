"""Rows as CSV: a line for each, its cells safe in a spreadsheet. What the page lacks of its list is told in headers."""

import csv
import io
from typing import Any

from fastapi.responses import Response

from projections.engine.serving import Page, cells
from projections.engine.view import View


def csv_of(view: View[Any], page: Page, headers: dict[str, str]) -> Response:
    """Return a page of a list as CSV."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(view.read_columns)
    writer.writerows(cells(view, row) for row in page.rows)
    headers |= {"X-Position": str(page.position)}
    if page.next:
        headers["X-Next"] = page.next
    if page.total is not None:
        headers["X-Total"] = str(page.total)
    return Response(out.getvalue(), media_type="text/csv", headers=headers)
