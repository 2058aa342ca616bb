// Lists, pages, redrives and pushes with the client that @hey-api/openapi-ts has made. Arguments: URL, key.
import { client } from "./typescript-client/client.gen";
import { getJob, listFailed, listTemplates, pushTemplates, redriveFailed } from "./typescript-client/index";

declare const process: { argv: string[]; exit(code: number): never };

function expect(condition: boolean, what: unknown): void {
  if (!condition) throw new Error(JSON.stringify(what));
}

async function main(): Promise<void> {
  const [baseUrl, auth] = process.argv.slice(2);
  client.setConfig({ baseUrl, auth, throwOnError: true });

  const seen: string[] = [];
  let after: string | undefined;
  do {
    const { data } = await listFailed({ query: { limit: 2, after }, throwOnError: true });
    seen.push(...data.data.map((message) => message.id));
    after = data.next ?? undefined;
  } while (after !== undefined);
  expect(seen.length === 5 && new Set(seen).size === 5, seen);

  let { data: job } = await redriveFailed({ body: { ids: seen.slice(0, 2) }, throwOnError: true });
  while (job.state === "running") {
    ({ data: job } = await getJob({ path: { id: job.id }, throwOnError: true }));
  }
  expect(job.state === "done" && job.count === 2, job);

  const { data: templates } = await listTemplates({ throwOnError: true });
  expect(templates.data.length === 1 && templates.data[0]!.needs_push, templates);
  const { data: pushed } = await pushTemplates({ body: { all: true }, throwOnError: true });
  expect(pushed.data.map((template) => template.status).join() === "PENDING", pushed);
  console.log("listed, paged, redriven, pushed");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
