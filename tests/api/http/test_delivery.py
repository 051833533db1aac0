"""The metrics of delivery over any time, over HTTP and from the command line."""

import json

from programs import run
from servers import Server, check_problem, event


def test_figures_are_of_a_service_and_a_time_and_name_their_deployments(server: Server) -> None:
    position = 0
    for number, time in enumerate(("2026-03-02T09:00:00Z", "2026-04-02T09:00:00Z")):
        done = event(deployment_id=f"figures-{number}", service="figures", environment="prod", outcome="success")
        position = server.record(done | {"time": time})["position"]
    asked = {"service": "figures", "min_position": str(position)}
    both = server.get("/v1/delivery", params=asked).json()
    assert (both["deployments"], both["counted"]) == (2, ["figures-0", "figures-1"])
    april = server.get("/v1/delivery", params=asked | {"since": "2026-04-01T02:00:00+02:00"}).json()
    assert (april["counted"], april["since"]) == (["figures-1"], "2026-04-01T00:00:00.000000Z")
    check_problem(server.get("/v1/delivery", params={"since": "yesterday"}), 422, "/since")
    where = ("--server", server.url, "--token", server.tokens["all"])
    printed = run(*where, "delivery", "--service", "figures", "--until", "2026-04-01T00:00:00Z", "--json")
    assert json.loads(printed.stdout)["counted"] == ["figures-0"]


def test_a_team_that_no_change_names_is_told_and_has_no_figures(server: Server) -> None:
    opened = event("change.opened", change_id="CHG-of-a-team", team="figure-skaters")
    asked = {"team": "figure-skaters", "min_position": str(server.record(opened)["position"])}
    assert server.get("/v1/delivery", params=asked).json()["deployments"] == 0
    problem = check_problem(server.get("/v1/delivery", params=asked | {"team": "figure-skater"}), 404)
    assert "no change is of team 'figure-skater'" in problem["detail"]
    refused = run("--server", server.url, "--token", server.tokens["all"], "delivery", "--team", "figure-skater")
    assert (refused.returncode, "no change is of team" in refused.stderr) == (2, True)
