/**
 * The service as somebody meets it who has just cloned the repository: one command, then what its
 * banner says, with real processes, sockets and files.
 */
import assert from "node:assert/strict";
import { runToEnd, startService } from "../support/service_process.ts";

async function withTempDir(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "facet-dev-" });
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Runs a pasted command line in a shell, away from the repository's own files. */
async function paste(line: string, cwd: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("sh", { args: ["-c", line], cwd })
    .output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function curlLines(output: string): string[] {
  return output.split("\n").map((line) => line.trim()).filter((line) => line.startsWith("curl "));
}

Deno.test("dev prints three commands that work when pasted, also after SIGTERM and after SIGKILL", async () => {
  await withTempDir(async (dir) => {
    const dataDir = `${dir}/data`;
    let variant: Uint8Array;
    {
      await using service = await startService({ command: "dev", dataDir });
      const [upload, deliver, describe] = curlLines(service.output());
      const asset = JSON.parse(await paste(upload, dir));
      assert.equal(asset.state, "READY");
      assert.equal(asset.width, 1600);
      assert.match(await paste(deliver, dir), /^x-cache: MISS\r$/m);
      assert.match(await paste(deliver, dir), /^x-cache: MEMORY\r$/m);
      variant = await Deno.readFile(`${dir}/variant.webp`);
      assert.equal(new TextDecoder("latin1").decode(variant.slice(8, 12)), "WEBP");
      assert.equal(JSON.parse(await paste(describe, dir)).assetId, asset.assetId);
      const startedAt = Date.now();
      assert.equal(await service.stop("SIGTERM"), 0);
      assert.ok(Date.now() - startedAt < 5_000);
    }
    for (const end of ["SIGKILL", "SIGINT"] as const) {
      await using service = await startService({ command: "dev", dataDir });
      const [upload, deliver] = curlLines(service.output());
      assert.equal(JSON.parse(await paste(upload, dir)).state, "READY");
      await paste(deliver, dir);
      assert.deepEqual(await Deno.readFile(`${dir}/variant.webp`), variant);
      await service.stop(end);
    }
  });
});

Deno.test("dev finishes a request that is under way when it is told to stop", async () => {
  await withTempDir(async (dir) => {
    await using service = await startService({ command: "dev", dataDir: dir });
    const [upload] = curlLines(service.output());
    const key = /Bearer (\S+)'/.exec(upload)![1];
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const writer = body.writable.getWriter();
    const answer = fetch(`${service.origin}/v1/assets`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: body.readable,
    });
    await writer.write(new TextEncoder().encode("first half, "));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const code = service.stop("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await writer.write(new TextEncoder().encode("second half"));
    await writer.close();
    const response = await answer;
    assert.equal(response.status, 201, await response.text());
    assert.equal(await code, 0);
  });
});

Deno.test("dev says in one line that the port is in use", async () => {
  await withTempDir(async (dir) => {
    using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const PORT = String((listener.addr as Deno.NetAddr).port);
    const { code, output } = await runToEnd({ command: "dev", dataDir: dir, env: { PORT } });
    assert.equal(code, 1);
    assert.equal(output, `facet: Port ${PORT} is in use; set PORT to another one\n`);
  });
});

Deno.test("dev says in one line what it cannot use: address, database, prices", async () => {
  await withTempDir(async (dir) => {
    for (
      const [env, says] of [
        [{ FACET_HOST: "no-such-host.invalid" }, "Cannot listen on no-such-host.invalid:0 "],
        [{ DATABASE_URL: "postgres://u@127.0.0.1:1/x" }, "The catalog cannot be reached"],
        [{ COST_PROFILE: "r3" }, 'COST_PROFILE: There is no price profile "r3"'],
      ] as const
    ) {
      const { code, output } = await runToEnd({ command: "dev", dataDir: dir, env });
      assert.equal(code, 1, output);
      assert.match(output, /^facet: [^\n]*\n$/);
      assert.ok(output.includes(says), output);
    }
  });
});

Deno.test("dev says in one line that the data folder cannot be written to", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const { code, output } = await runToEnd({ command: "dev", dataDir: `${dir}/file` });
    assert.equal(code, 1);
    assert.match(output, /^facet: The data folder .* cannot be written to \([^\n]*\); [^\n]*\n$/);
  });
});

Deno.test("dev says in one line that another process uses the data folder", async () => {
  await withTempDir(async (dir) => {
    await using _service = await startService({ command: "dev", dataDir: dir });
    const { code, output } = await runToEnd({ command: "dev", dataDir: dir });
    assert.equal(code, 1);
    assert.match(output, /^facet: [^\n]*\n$/);
  });
});

Deno.test("every bad variable is named in a line of its own", async () => {
  await withTempDir(async (dir) => {
    const { code, output } = await runToEnd({
      command: "dev",
      dataDir: dir,
      env: { RENDER_WORKERS: "many", UPLOAD_PART_SIZE: "1KiB" },
    });
    assert.equal(code, 1);
    assert.match(output, /^facet: UPLOAD_PART_SIZE .*\nfacet: RENDER_WORKERS .*\n$/);
  });
});

Deno.test("serve refuses to run on embedded parts in production", async () => {
  await withTempDir(async (dir) => {
    const env = { FACET_ENV: "production" };
    const { code, output } = await runToEnd({ command: "serve", dataDir: dir, env });
    assert.equal(code, 1);
    assert.match(output, /^facet: DATABASE_URL .* is required in production$/m);
  });
});
