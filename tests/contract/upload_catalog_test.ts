/** What the steps of an upload wait for, on every database. */
import assert from "node:assert/strict";
import { createUploadCatalog } from "../../src/adapters/postgres/upload_catalog.ts";
import { createUuidV7 } from "../../src/app/uuid_v7.ts";
import { hashOf } from "../support/seed_catalog.ts";
import {
  openEmbedded,
  openOnServer,
  requireRealPostgres,
  type TestDatabase,
} from "../support/test_database.ts";

testUploadCatalog("embedded Postgres", () => openEmbedded());

const serverUrl = requireRealPostgres();
if (serverUrl) testUploadCatalog("PostgreSQL", () => openOnServer(serverUrl));

function testUploadCatalog(name: string, open: () => Promise<TestDatabase>): void {
  Deno.test(`createUploadCatalog() on ${name} waits for the disk where somebody is told of the outcome`, async () => {
    const opened = await open();
    try {
      const { database } = opened;
      await recordCommits(opened);
      const [{ usual }] = await database.read((sql) =>
        sql<{ usual: string }[]>`select current_setting('synchronous_commit') as usual`
      );
      const readCommits = async () => {
        const rows = await database.read((sql) =>
          sql<{ seen: string }[]>`select seen from commit_seen order by id`
        );
        await database.write((sql) => sql`delete from commit_seen`);
        return rows.map(({ seen }) => seen);
      };
      const catalog = createUploadCatalog(database);
      const attempt = { contentHash: hashOf("upload"), attemptId: createUuidV7() };
      const refer = (tenant: string) => ({
        referenceId: createUuidV7(),
        tenant,
        keyId: "key",
        fileName: null,
      });
      const claim = (tenant: string) =>
        catalog.claim({
          ...attempt,
          ...refer(tenant),
          sizeBytes: 7,
          leaseMs: 60_000,
          visibility: "public",
        });

      assert.equal((await claim("a")).outcome, "claimed");
      assert.deepEqual(await readCommits(), ["event off", "reference off"]);
      assert.equal(await catalog.verify(attempt, 60_000), true);
      assert.deepEqual(await readCommits(), ["event off"]);
      assert.ok(await catalog.publish(attempt, FACTS, refer("a")));
      assert.deepEqual(await readCommits(), [`event ${usual}`]);
      assert.equal((await claim("b")).outcome, "known");
      assert.deepEqual(await readCommits(), [`reference ${usual}`]);
    } finally {
      await opened.close();
    }
  });
}

const FACTS = {
  mediaType: "image/png",
  width: 4,
  height: 3,
  orientation: 1,
  frames: 1,
  bitDepth: 8,
  colorModel: "rgb",
  hasAlpha: false,
  iccName: null,
};

/** Notes at each commit whether it is going to wait: constraint triggers run at the very end. */
async function recordCommits({ database }: TestDatabase): Promise<void> {
  await database.transaction(async (sql) => {
    await sql`create table commit_seen (id bigint generated always as identity, seen text not null)`;
    await sql.unsafe(`
      create function note_commit() returns trigger language plpgsql as $$
      begin
        insert into commit_seen (seen)
        values (tg_argv[0] || ' ' || current_setting('synchronous_commit'));
        return null;
      end $$`);
    for (const table of ["event", "reference"]) {
      await sql.unsafe(`
        create constraint trigger note_commit after insert on asset_${table}
        deferrable initially deferred for each row execute function note_commit('${table}')`);
    }
  });
}
