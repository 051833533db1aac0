// Posts and reads with openapi-fetch over the types that openapi-typescript made, compiled strictly.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[] };
const [url, token] = process.argv.slice(2) as [string, string];
const name = `made-by-a-client-${Date.now().toString(36)}`;
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

function check(holds: boolean, words: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(words));
}

const posted = await client.POST("/v1/events", {
  headers: { "Content-Type": "application/cloudevents+json" },
  body: {
    specversion: "1.0",
    id: name,
    source: "https://ci.example.com/clients",
    type: "deployment.started",
    time: "2025-06-01T12:00:00Z",
    data: { actor: "service:ci", deployment_id: name, service: name, environment: "prod" },
  },
});
check(posted.response.status === 201 && posted.data !== undefined && "position" in posted.data, posted.error);
const position: number = posted.data.position;

const page = await client.GET("/v1/events", { params: { query: { ref: `deployment:${name}`, total: true } } });
check(page.data?.total === 1 && page.data.items[0]?.position === position, page.error);
const says: string = page.data.items[0].says;
check(says.includes(name), says);

const row = await client.GET("/v1/views/deployments/{key}", {
  params: { path: { key: name }, query: { min_position: position } },
});
check(row.data?.row.service === name, row.error);

const rows = await client.GET("/v1/views/deployments", {
  params: { query: { service__in: name, started_at__gte: "2025-01-01T00:00:00Z", outcome__null: true } },
});
check(rows.data?.items.length === 1, rows.error);
const outcome: "success" | "failure" | "error" | "cancelled" | "superseded" | null | undefined = rows.data.items[0]?.outcome;
check(outcome === null, outcome);

// A word that the column does not have is refused by the compiler.
// @ts-expect-error
const refused = await client.GET("/v1/views/deployments", { params: { query: { outcome: "overdue" } } });
check(refused.error?.place === "/outcome", refused.error);
console.log(position);
