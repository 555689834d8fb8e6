import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { MigrationError, readMigrations } from "../../../../src/adapters/postgres/migrations.ts";
import { nextMonth } from "../../../../src/adapters/postgres/partitions.ts";

async function withFolder(files: Record<string, string>, run: (folder: URL) => Promise<void>) {
  const path = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${path}/${name}`, text);
    }
    await run(pathToFileURL(`${path}/`));
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("readMigrations() reads the files of the repository in order", async () => {
  const migrations = await readMigrations();
  assert.equal(migrations[0].id, "0001_catalog");
  assert.deepEqual(migrations.map(({ id }) => id), migrations.map(({ id }) => id).toSorted());
});

Deno.test("readMigrations() gives a text the same checksum whatever its line ends", async () => {
  const checksums: string[] = [];
  for (const text of ["select 1;\nselect 2;\n", "select 1;\r\nselect 2;\r\n"]) {
    await withFolder({ "0001_a.sql": text, "README.txt": "" }, async (folder) => {
      checksums.push((await readMigrations(folder))[0].checksum);
    });
  }
  assert.equal(checksums[0], checksums[1]);
});

for (
  const names of [
    ["0001_a.sql", "0003_c.sql"],
    ["0001_a.sql", "0001_b.sql"],
    ["0000_a.sql"],
    ["1_a.sql"],
    ["0001_A.sql"],
    ["0001-a.sql"],
  ]
) {
  Deno.test(`readMigrations() refuses ${names.join(" and ")}, and says what it expects`, async () => {
    await withFolder(Object.fromEntries(names.map((name) => [name, ""])), async (folder) => {
      await assert.rejects(
        readMigrations(folder),
        (error) =>
          error instanceof MigrationError && /expected a name like \d{4}_name/.test(error.message),
      );
    });
  });
}

Deno.test("nextMonth() knows where the year ends", () => {
  assert.equal(nextMonth("2026-11-01"), "2026-12-01");
  assert.equal(nextMonth("2026-12-01"), "2027-01-01");
  assert.equal(nextMonth("2028-01-01"), "2028-02-01");
});
