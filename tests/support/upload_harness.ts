/**
 * A process that makes one upload on the real adapters, and kills itself at a named step. Run by
 * tests with the settings as JSON in its first argument.
 */
import { createDiskObjectStore } from "../../src/adapters/disk/disk_object_store.ts";
import { createDatabase } from "../../src/adapters/postgres/database.ts";
import type { IngestStep } from "../../src/uploads/ports.ts";
import { createUploadInstance, requestOf } from "./upload_world.ts";

/** What the process is to do. */
export interface HarnessSettings {
  readonly databaseUrl: string;
  readonly root: string;
  /** The bytes to upload. */
  readonly file: string;
  /** The step at which to die; null is not at all. */
  readonly killAt: IngestStep | null;
  /** A session with the bytes in staging to adopt, instead of sending them. */
  readonly adopt?: { readonly sessionId: string; readonly sizeBytes: number } | undefined;
}

if (import.meta.main) await run(JSON.parse(Deno.args[0]));

async function run(settings: HarnessSettings): Promise<void> {
  const database = createDatabase({ url: settings.databaseUrl, poolSize: 2 });
  const { ingest } = createUploadInstance(database, {
    objects: createDiskObjectStore({ root: settings.root }),
    // The others wait for those that die.
    limits: { leaseMs: 2_000, claimWaitMs: 30_000 },
    async onStep(step) {
      if (step !== settings.killAt) return;
      Deno.kill(Deno.pid, "SIGKILL");
      await new Promise(() => {});
    },
  });
  const request = requestOf();
  const { asset } = settings.adopt
    ? await ingest.adoptStaged({
      ...request,
      ...settings.adopt,
      stagingKey: `staging/${settings.adopt.sessionId}`,
      clientCanWrite: true,
    })
    : await ingest.ingest((await Deno.open(settings.file)).readable, request);
  await Deno.stdout.write(new TextEncoder().encode(asset.contentHash));
  await database.close();
}
