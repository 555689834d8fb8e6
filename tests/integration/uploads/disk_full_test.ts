import assert from "node:assert/strict";
import { createDiskObjectStore } from "../../../src/adapters/disk/disk_object_store.ts";
import { hasCode } from "../../../src/errors.ts";
import { assertInvariants } from "../../support/invariants.ts";
import {
  bodyOf,
  MIB,
  openUploadWorld,
  randomFile,
  requestOf,
  sha256Of,
} from "../../support/upload_world.ts";

/** Mounts a file system of so many bytes; null, with the reason printed, where that is forbidden. */
async function mountSmallDisk(sizeBytes: number) {
  const folder = await Deno.makeTempDir({ prefix: "facet-full-" });
  const run = async (program: string, ...args: string[]) =>
    (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()).success;
  const unmount = async () => {
    await run("umount", folder);
    await Deno.remove(folder);
  };
  const mounted = Deno.uid() === 0 &&
    await run("mount", "-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", folder);
  if (mounted) return { folder, unmount };
  await Deno.remove(folder);
  // deno-lint-ignore no-console
  console.log("skipped: a small disk cannot be mounted without the rights of root");
  return null;
}

Deno.test("Ingest.ingest() answers storage_full on a full disk, keeps nothing and recovers", async () => {
  const disk = await mountSmallDisk(14 * MIB);
  if (disk === null) return;
  try {
    await using world = await openUploadWorld();
    const objects = createDiskObjectStore({ root: disk.folder });
    const { ingest, sweep } = world.addInstance({ objects });
    const scene = { database: world.database, objects };
    const kept = randomFile(4 * MIB);
    await ingest.ingest(bodyOf(kept), requestOf());
    // Fills up in a part of a long upload, in its last part, and in a single write.
    for (const filler of [[16 * MIB], [12 * MIB], [4 * MIB, 4 * MIB, 4 * MIB]]) {
      const files = filler.map((sizeBytes) => randomFile(sizeBytes));
      const results: unknown[] = [];
      for (const bytes of files) {
        results.push(
          await ingest.ingest(bodyOf(bytes), requestOf()).then(() => "stored", (error) => error),
        );
      }
      assert.ok(hasCode(results.at(-1), "storage_full"), String(results.at(-1)));
      await assertInvariants(scene, { beforeSweep: true });
      await world.expireLeases();
      assert.equal((await sweep.run()).errors, 0);
      const acknowledged = [kept, ...files.filter((_, i) => results[i] === "stored")]
        .map((bytes) => ({ tenant: "acme", hash: sha256Of(bytes) }));
      await assertInvariants(scene, { acknowledged });
    }
    const small = randomFile(1_000);
    assert.equal((await ingest.ingest(bodyOf(small), requestOf())).created, true);
    await assertInvariants(scene);
  } finally {
    await disk.unmount();
  }
});
