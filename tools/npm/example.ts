// What a front-end does with the types; `npm run check` compiles it.
import type { components, paths } from "../../schema/studio";

type Schemas = components["schemas"];
type Order = paths["/api/generations"]["post"]["requestBody"]["content"]["application/json"];

const order: Order = { model: "ltx-2", input: { prompt: "Waves roll in.", preview: true }, tags: [] };

async function ask(base: string, token: string): Promise<Schemas["Generation"]> {
  const answer = await fetch(`${base}/api/generations`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
    body: JSON.stringify(order),
  });
  if (!answer.ok) {
    const problem: Schemas["Problem"] = await answer.json();
    throw new Error(`${problem.code}: ${problem.detail}`);
  }
  return answer.json();
}

export function listen(base: string, ticket: string, on: (changed: Schemas["Generation"] | Schemas["Film"]) => void): EventSource {
  const stream = new EventSource(`${base}/api/generations/events?ticket=${ticket}`);
  stream.addEventListener("generation", (event) => on(JSON.parse(event.data) as Schemas["Generation"]));
  stream.addEventListener("film", (event) => on(JSON.parse(event.data) as Schemas["Film"]));
  return stream;
}

export const percent = async (base: string, token: string): Promise<number | undefined> =>
  (await ask(base, token)).progress?.percent;
