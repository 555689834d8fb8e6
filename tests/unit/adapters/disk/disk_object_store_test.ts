import assert from "node:assert/strict";
import { join } from "node:path";
import { createDiskObjectStore } from "../../../../src/adapters/disk/disk_object_store.ts";
import { toDiskError } from "../../../../src/adapters/disk/disk_errors.ts";
import { encodeSegment } from "../../../../src/adapters/disk/disk_layout.ts";
import { hasCode } from "../../../../src/errors.ts";

Deno.test("createDiskObjectStore() touches nothing before it is used", async () => {
  await withRoot(async (root) => {
    createDiskObjectStore({ root: join(root, "objects") });
    assert.deepEqual(await Array.fromAsync(Deno.readDir(root)), []);
  });
});

Deno.test("encodeSegment() leaves no way out of the folder", () => {
  for (const segment of ["../x", "..\\x", "a/b", "a\\b", "a:b", "*", "\u0000"]) {
    assert.match(encodeSegment(segment), /^[^/\\:*]+$/);
  }
  assert.throws(() => encodeSegment("é".repeat(64)), { code: "invalid_request" });
});

Deno.test("put() says that a key cannot also be a folder", async () => {
  await withRoot(async (root) => {
    const store = createDiskObjectStore({ root });
    await store.put("a/b", new Uint8Array(1));
    for (const ifAbsent of [true, false]) {
      await assert.rejects(store.put("a", new Uint8Array(1), { ifAbsent }), {
        code: "storage_error",
      });
      await assert.rejects(store.put("a/b/c", new Uint8Array(1), { ifAbsent }), {
        code: "storage_error",
      });
    }
    assert.equal(await store.head("a"), null);
    assert.equal((await store.head("a/b"))?.sizeBytes, 1);
    assert.deepEqual(await listNames(join(root, "temporary")), []);
  });
});

Deno.test("list() passes over files that are no objects", async () => {
  await withRoot(async (root) => {
    const store = createDiskObjectStore({ root });
    await store.put("a/b", new Uint8Array(1));
    await Deno.writeTextFile(join(root, "objects", "%zz"), "x");
    await Deno.writeTextFile(join(root, "objects", "a", "%41"), "x");
    await Deno.symlink("/etc/hostname", join(root, "objects", "a", "link"));
    const keys: string[] = [];
    for await (const page of store.list("")) keys.push(...page.map((info) => info.key));
    assert.deepEqual(keys, ["a/b"]);
  });
});

Deno.test("get() fails when the file ends before the size it had", async () => {
  await withRoot(async (root) => {
    const store = createDiskObjectStore({ root });
    await store.put("a", new Uint8Array(1_000_000));
    const body = await store.get("a");
    assert.ok(body);
    await Deno.truncate(join(root, "objects", "a"), 600_000);
    await assert.rejects(new Response(body.stream as BodyInit).arrayBuffer(), {
      code: "storage_error",
    });
  });
});

Deno.test("createDiskObjectStore() sweeps the temporary files of dead processes", async () => {
  await withRoot(async (root) => {
    const temporary = join(root, "temporary");
    await Deno.mkdir(temporary, { recursive: true });
    await Deno.writeTextFile(join(temporary, "old"), "x");
    await Deno.writeTextFile(join(temporary, "young"), "x");
    const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
    await Deno.utime(join(temporary, "old"), longAgo, longAgo);
    await createDiskObjectStore({ root }).put("a", new Uint8Array(1));
    assert.deepEqual(await listNames(temporary), ["young"]);
  });
});

Deno.test("toDiskError() maps what the system really throws when the disk is full", async () => {
  if (Deno.build.os !== "linux") return;
  using file = await Deno.open("/dev/full", { write: true });
  const error = await file.write(new Uint8Array(1)).then(() => null, (error) => error);
  assert.ok(hasCode(toDiskError(error), "storage_full"));
  const passed = new TypeError("a bug");
  assert.equal(toDiskError(passed), passed);
});

Deno.test("put() on a full disk is storage_full and leaves nothing", async () => {
  await withRoot(async (root) => {
    const args = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", root];
    const mounted = await new Deno.Command("mount", { args, stderr: "null" }).output()
      .catch(() => ({ success: false }));
    if (!mounted.success) {
      // deno-lint-ignore no-console -- a skipped test has to say why
      console.log("Skipped: a small file system cannot be mounted without being root");
      return;
    }
    try {
      const store = createDiskObjectStore({ root });
      await store.put("small", new Uint8Array(1000));
      await assert.rejects(store.put("large", new Uint8Array(2_000_000)), { code: "storage_full" });
      assert.equal(await store.head("large"), null);
      assert.deepEqual(await listNames(join(root, "temporary")), []);
      const upload = await store.createMultipart("large", { partSizeBytes: 8 * 1024 * 1024 });
      const part = { partNumber: 1, bytes: new Uint8Array(2_000_000) };
      await assert.rejects(store.uploadPart(upload, part), { code: "storage_full" });
      assert.deepEqual(await store.listParts(upload), []);
      await store.abortMultipart(upload);
      await store.put("fits again", new Uint8Array(500_000));
    } finally {
      await new Deno.Command("umount", { args: ["-l", root] }).output();
    }
  });
});

Deno.test("put() killed at any instant leaves whole objects or none", async () => {
  await withRoot(async (root) => {
    const module = new URL("../../../../src/adapters/disk/disk_object_store.ts", import.meta.url);
    const script = `
      import { createDiskObjectStore } from ${JSON.stringify(module.href)};
      const store = createDiskObjectStore({ root: Deno.args[0] });
      for (let i = 0; ; i++) {
        await store.put("raw/" + i % 50, new Uint8Array(300_000 + i % 50).fill(i % 50));
        if (i === 10) await Deno.stdout.write(new Uint8Array(1));
      }`;
    const file = join(root, "writer.ts");
    await Deno.writeTextFile(file, script);
    const config = new URL("../../../../deno.json", import.meta.url).pathname;
    for (let round = 0; round < 3; round++) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--config", config, file, root],
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const reader = child.stdout.getReader();
      assert.ok(!(await reader.read()).done, "the writer should have begun");
      await new Promise((resolve) => setTimeout(resolve, 13 * round));
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
      const store = createDiskObjectStore({ root });
      for await (const page of store.list("raw/")) {
        for (const { key, sizeBytes } of page) {
          const index = Number(key.slice("raw/".length));
          const body = await store.get(key);
          const bytes = new Uint8Array(await new Response(body!.stream as BodyInit).arrayBuffer());
          assert.equal(sizeBytes, 300_000 + index);
          assert.ok(bytes.byteLength === sizeBytes && bytes.every((byte) => byte === index));
        }
      }
    }
  });
});

async function listNames(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();
}

async function withRoot(body: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "facet-disk-" });
  try {
    await body(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}
