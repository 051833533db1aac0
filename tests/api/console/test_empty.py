"""A ledger in which nothing was recorded yet: every page is there, and says what to do."""

from pathlib import Path

from browsing import look, person, read_page
from servers import running_server
from views_processes import wait_for_views

from api.console.templating import PAGES
from projections import VIEWS


def test_every_page_of_an_empty_ledger_says_what_there_is_to_do(tmp_path: Path) -> None:
    with running_server(tmp_path / "var") as server:
        wait_for_views(server)
        with person(server, "ada", "auditor") as ada:
            said = {name: read_page(look(ada, path)).text for name, path in PAGES}
            for view in VIEWS:
                assert "As of position" in look(ada, f"/console/views/{view.name}")
            for more in (
                "/console/delivery?service=api",
                "/console/running?at=2026-01-01",
                "/console/gates?at=2026-01-01",
            ):
                look(ada, more)
    for name, words in {
        "Today": "No change waits for approval",
        "Changes": "There is no row yet",
        "Findings": "Nothing that was recorded breaks a rule",
        "Board": "No meeting was scheduled",
        "Calendar": "Nothing is planned, frozen or met for",
        "Running where": "Nothing is known to run",
        "Access reviews": "No review is open",
        "Risk": "No model was published",
        "Delivery": "Nothing was deployed to production",
        "Gates and policies": "No policy was published",
        "Ledger": "No source counts what it tells",
    }.items():
        assert words in said[name], name
