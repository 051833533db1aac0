"""Posts and reads with the client that openapi-python-client made; run where that client can be imported."""

import sys
import uuid
from datetime import UTC, datetime

from ledger_client import AuthenticatedClient
from ledger_client.api.events import append, list_entries
from ledger_client.api.views import list_delivery, list_deployments, read_deployments
from ledger_client.models import DeliveryItems, DeploymentsItems, DeploymentsRow, EntryPage, Problem, Receipt, Statement

url, token = sys.argv[1:]
name = f"made-by-a-client-{uuid.uuid4().hex[:8]}"
client = AuthenticatedClient(base_url=url, token=token)
event = {
    "specversion": "1.0",
    "id": name,
    "source": "https://ci.example.com/clients",
    "type": "deployment.started",
    "time": "2025-06-01T12:00:00Z",
    "data": {"actor": "service:ci", "deployment_id": name, "service": name, "environment": "prod"},
}

posted = append.sync_detailed(client=client, body=Statement.from_dict(event))
assert posted.status_code == 201, posted
assert isinstance(posted.parsed, Receipt), posted.parsed
position = posted.parsed.position

page = list_entries.sync(client=client, ref=f"deployment:{name}", total=True)
assert isinstance(page, EntryPage), page
assert [item.position for item in page.items] == [position]
assert page.total == 1
assert page.items[0].entry.statement.type_ == "deployment.started"

row = read_deployments.sync(name, client=client, min_position=position)
assert isinstance(row, DeploymentsRow), row
assert row.row.service == name

rows = list_deployments.sync(client=client, service_in=name, started_at_gte=datetime(2025, 1, 1, tzinfo=UTC))
assert isinstance(rows, DeploymentsItems), rows
assert [item.deployment_id for item in rows.items] == [name]

months = list_delivery.sync(client=client)
assert isinstance(months, DeliveryItems), months

refused = append.sync(client=client, body=Statement.from_dict(event | {"type": "deployment.exploded"}))
assert isinstance(refused, Problem), refused
assert refused.place == "/type"
print(position)
