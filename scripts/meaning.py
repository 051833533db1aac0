"""What the demo's facts mean: its views and a gate, asked over HTTP by an analyst, and printed."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final, Literal

import httpx
from rich.console import Console
from rich.table import Table

from projections.practices.curriculum import MODULES
from projections.practices.serving import capabilities

# Of each module of the curriculum, what its line counts: in which view, narrowed by what; `{s}` is there where it is not one.
COUNTED: Final[tuple[tuple[tuple[str, str, dict[str, str]], ...], ...]] = (
    (
        ("rollback trigger{s}", "rollback_triggers", {}),
        ("rollout{s} as chosen", "strategy_conformance", {"is_as_chosen": "true"}),
        ("release{s} signed off", "releases", {"is_signed_off": "true"}),
        ("objective{s}", "slos", {}),
        ("meeting{s} of the board", "board_meetings", {}),
    ),
    (
        ("run{s}", "pipeline_runs", {}),
        ("run{s} of tests", "test_runs", {}),
        ("scan{s}", "scans", {}),
        ("attestation{s}", "attestations", {}),
        ("bill{s} of materials", "sboms", {}),
    ),
    (
        ("plan{s}", "plans", {}),
        ("applied", "plan_applications", {}),
        ("pull request{s}", "code_changes", {}),
        ("module{s}", "modules", {}),
        ("secret{s}", "secrets", {}),
    ),
    (
        ("environment{s} set up", "environment_lifetimes", {}),
        ("reservation{s}", "reservations", {}),
        ("backup{s}", "backups", {}),
        ("load{s} of data", "data_loads", {}),
        ("tagged resource{s}", "tagged_resources", {}),
    ),
    (("change{s}", "change_tickets", {}), ("assessment{s}", "risk_assessments", {}), ("review{s}", "reviews", {})),
    (("verification{s}", "verifications", {}), ("attribution{s}", "attributions", {})),
    (("incident{s}", "incidents", {}), ("rollback{s}", "rollbacks", {})),
    (("access review{s}", "access_reviews", {}), ("deployment{s} measured", "deliveries", {})),
)


class Meaning:
    """A reader of views at one position."""

    def __init__(self, http: httpx.Client, headers: dict[str, str], console: Console, size: int) -> None:
        self._http, self._headers, self._console, self._size = http, headers, console, size

    def rows(self, view: str, **query: str) -> list[dict[str, Any]]:
        """Return all rows of a view that have what the query says, page by page."""
        found: list[dict[str, Any]] = []
        narrow = {"min_position": str(self._size), "limit": "1000"} | query
        while True:
            answer = self._http.get(f"/v1/views/{view}", params=narrow, headers=self._headers)
            if answer.status_code == 503 and "Retry-After" in answer.headers:
                # The views are not so far yet: a busy machine folds slower than it appends.
                time.sleep(int(answer.headers["Retry-After"]))
                continue
            page = answer.raise_for_status().json()
            found += page["items"]
            if "next" not in page:
                return found
            narrow["after"] = page["next"]

    def show(self) -> None:
        self.modules()
        self.tickets()
        self.risk()
        self.reviews()
        self.findings()
        self.delivery()

    def modules(self) -> None:
        """One line for each module of the curriculum: what there is, and what was found of its practices."""
        self._title("The quarter by the modules of the curriculum: what there is, and what was found")
        module_of = {rule: practice.part for practice in capabilities() for rule in practice.findings}
        rules = Counter(row["rule"] for row in self.rows("findings"))
        for name, counted in zip(MODULES, COUNTED, strict=True):
            there = ", ".join(_counted(len(self.rows(view, **narrow)), words) for words, view, narrow in counted)
            found = ", ".join(f"{count} {rule}" for rule, count in rules.most_common() if module_of.get(rule) == name)
            self._console.print(f"{name}: {there}; {found or 'nothing found'}", markup=False, soft_wrap=True)

    def tickets(self) -> None:
        tickets = self.rows("change_tickets")
        states = Counter(ticket["state"] for ticket in tickets)
        self._title("Change tickets: GET /v1/views/change_tickets")
        self._console.print(", ".join(f"{count} {state}" for state, count in states.most_common()))
        voided = [t for t in tickets if any(a["why"].startswith("S3") for a in t["approvals"])]
        self._console.print(f"{len(voided)} had an approval that became void when their scope was amended:")
        for ticket in voided[:2]:
            for approval in ticket["approvals"]:
                verdict = "counts" if approval["counts"] else approval["why"]
                self._console.print(f"  {ticket['change_id']}  {approval['approver']}: {verdict}", markup=False)

    def risk(self) -> None:
        self._title("The risk model's history, and how well it predicted")
        table = table_of("version", "published by", "approved by", "changes", "failures", "Brier", "off by")
        calibrations = {row["version_id"]: row for row in self.rows("calibrations")}
        for model in self.rows("risk_models", sort="published_position"):
            row = calibrations.get(model["version_id"], {})
            counts = (str(row.get(name, "")) for name in ("changes", "failures"))
            errors = (f"{float(row[name]):.3f}" if row.get(name) else "" for name in ("brier", "reliability_error"))
            table.add_row(
                model["version_id"], model["published_by"], model["approved_by"] or "nobody", *counts, *errors
            )
        self._console.print(table)
        for name, row in sorted(calibrations.items()):
            bins = "  ".join(f"{b['lowest']}+: {b['failures']}/{b['changes']}" for b in row["bins"])
            self._console.print(f"{name}: failures by predicted probability  {bins}", markup=False)

    def reviews(self) -> None:
        self._title("Post-implementation reviews that are overdue")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        overdue = [row for row in self.rows("reviews", state="open", sort="due_at") if row["due_at"] <= now]
        for row in overdue[:5]:
            self._console.print(f"  {row['pir_id']} of {row['change_id']}, due {row['due_at'][:10]}", markup=False)
        self._console.print(f"{len(overdue)} in all")

    def findings(self) -> None:
        self._title("Findings that are open: GET /v1/views/findings?is_open=true")
        rows = self.rows("findings", is_open="true")
        table = table_of("rule", "severity", "open", "for example")
        for rule, count in Counter(row["rule"] for row in rows).most_common():
            first = next(row for row in rows if row["rule"] == rule)
            table.add_row(rule, first["severity"], str(count), first["says"][:90])
        self._console.print(table)

    def delivery(self) -> None:
        self._title("Delivery: the five metrics of DORA, by service, over the quarter's last month")
        rows = self.rows("delivery", sort="-month")
        month = rows[0]["month"] if rows else ""
        table = table_of("service", "deployments", "lead time h", "change failure rate", "recovery min", "rework rate")
        for row in sorted((row for row in rows if row["month"] == month), key=lambda row: -row["deployments"])[:6]:
            lead, recovery = row["lead_time_s"], row["recovery_time_s"]
            table.add_row(
                row["service"],
                str(row["deployments"]),
                "" if lead is None else f"{lead / 3600:.1f}",
                row["change_failure_rate"],
                "" if recovery is None else f"{recovery / 60:.0f}",
                row["rework_rate"],
            )
        self._console.print(table)
        self._console.print("Each number answers with its deployments and entries: the column items of its row.")

    def ask(self, change: str, headers: dict[str, str]) -> None:
        """Ask the gate whether a change may be deployed once more."""
        answer = self._http.get(f"/v1/views/change_scopes/{change}", headers=self._headers)
        scope = answer.raise_for_status().json()["row"]
        question = {
            "change_id": change,
            "service": scope["services"][0],
            "environment": scope["environment"],
            "artifact": scope["artifacts"][0],
        }
        self._title(f"May {change} be deployed again? POST /v1/gates/deploy")
        answer = self._http.post("/v1/gates/deploy", json=question, headers=headers).raise_for_status().json()
        for rule in answer["rules"]:
            self._console.print(f"  {rule['verdict']:<21} {rule['rule']:<22} {rule['words'][:100]}", markup=False)
        self._console.print(f"{answer['verdict']}, recorded at {answer['receipt']['position']}", style="bold")

    def _title(self, text: str) -> None:
        self._console.print(f"\n{text}", style="bold", markup=False)


def _counted(number: int, words: str) -> str:
    return f"{number} {words.format(s='' if number == 1 else 's')}"


def table_of(*headers: str) -> Table:
    """Return a table as the demo prints them."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in headers:
        justify: Literal["left", "right"] = "right" if header == "entries" else "left"
        table.add_column(header, overflow="fold", justify=justify, no_wrap=header in ("token of", "from the source"))
    return table
