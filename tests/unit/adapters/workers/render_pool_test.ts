import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import sharp from "sharp";
import { createPipelineParts } from "../../../../src/adapters/workers/codec_registry.ts";
import { findDecoderTraits } from "../../../../src/adapters/workers/decoder_traits.ts";
import {
  createRenderPool,
  type RenderPool,
  type RenderPoolOptions,
} from "../../../../src/adapters/workers/render_pool.ts";
import {
  IMAGE_MEDIA_TYPES,
  type ImageFacts,
  type ImageFormat,
} from "../../../../src/core/image_facts.ts";
import { hasCode } from "../../../../src/errors.ts";
import { CENTRE, type RenderSpec } from "../../../../src/image/render_spec.ts";
import { sharedDataDir } from "../../../support/shared_data.ts";

const SPEC: RenderSpec = {
  width: 64,
  height: 48,
  fit: "cover",
  focal: CENTRE,
  quality: 80,
  format: "webp",
};
const PATIENT = { signal: new AbortController().signal };

async function withPool(
  options: RenderPoolOptions,
  use: (pool: RenderPool) => Promise<void>,
): Promise<void> {
  const pool = createRenderPool(options);
  try {
    await use(pool);
  } finally {
    pool.close();
  }
}

async function makeSource(format: "png" | "jpeg", side = 200): Promise<Uint8Array<ArrayBuffer>> {
  const create = { width: side, height: side, channels: 3 as const, background: "#c63" };
  return new Uint8Array(await sharp({ create })[format]().toBuffer());
}

Deno.test("createRenderPool() renders in workers that start with the first render", async () => {
  await withPool({ size: 2 }, async (pool) => {
    assert.equal(pool.stats().workers, 0);
    const image = await pool.render(await makeSource("jpeg"), SPEC, PATIENT);
    assert.equal(pool.stats().workers, 1);
    assert.equal(image.mediaType, "image/webp");
    const { width, height, format } = await sharp(image.bytes).metadata();
    assert.deepEqual([width, height, format], [64, 48, "webp"]);
    assert.ok(image.stages.queue >= 0 && image.stages.decode > 0 && image.stages.encode > 0);
  });
});

Deno.test("createRenderPool() takes the source's buffer over, and copies a part of a buffer", async () => {
  await withPool({ size: 1 }, async (pool) => {
    const source = await makeSource("png");
    const part = new Uint8Array(source.length + 10);
    part.set(source, 5);
    await pool.render(part.subarray(5, 5 + source.length), SPEC, PATIENT);
    assert.equal(part.length, source.length + 10);
    await pool.render(source, SPEC, PATIENT);
    assert.equal(source.buffer.detached, true);
  });
});

Deno.test("createRenderPool() answers what cannot be rendered with the right code", async () => {
  await withPool({ size: 1 }, async (pool) => {
    const png = await makeSource("png");
    const cases: [Uint8Array<ArrayBuffer>, string][] = [
      [new TextEncoder().encode("no image"), "not_an_image"],
      [png.slice(0, png.length >> 1), "image_truncated"],
      [png.slice().fill(0, png.length >> 1, (png.length >> 1) + 4), "image_undecodable"],
    ];
    for (const [source, code] of cases) {
      await assert.rejects(
        pool.render(source, SPEC, PATIENT),
        (e) => hasCode(e, code as never),
        code,
      );
    }
    await pool.render(png, SPEC, PATIENT);
  });
});

Deno.test("createRenderPool() refuses pixels over the limit before any worker starts", async () => {
  const dir = sharedDataDir();
  if (dir === null) return;
  await withPool({ size: 1 }, async (pool) => {
    for (const name of ["png-1bit-30000x30000.png", "png-rgb8-7072x7072-over-50mp.png"]) {
      const bomb = Deno.readFileSync(join(dir, "generated", "bomb", name));
      await assert.rejects(pool.render(bomb, SPEC, PATIENT), (e) => hasCode(e, "image_too_large"));
    }
    assert.equal(pool.stats().workers, 0);
  });
});

Deno.test("createRenderPool() refuses what would not fit into its memory budget", async () => {
  await withPool({ size: 1, memoryBudgetBytes: 2 ** 20 }, async (pool) => {
    await assert.rejects(
      pool.render(await makeSource("png"), SPEC, PATIENT),
      (error) => hasCode(error, "image_budget_exceeded"),
    );
  });
});

Deno.test("createRenderPool() replaces a worker that overruns, and frees its slot", async () => {
  await withPool({ size: 1, timeLimitMs: 1 }, async (pool) => {
    for (let i = 0; i < 2; i++) {
      await assert.rejects(
        pool.render(await makeSource("png", 1500), SPEC, PATIENT),
        (error) => hasCode(error, "render_timeout"),
      );
    }
    assert.deepEqual([pool.stats().replaced, pool.stats().running], [2, 0]);
  });
});

Deno.test("createRenderPool() turns clients away when its queue is full, with a time to retry", async () => {
  await withPool({ size: 1, queueLimit: 1, retryAfterSeconds: 3 }, async (pool) => {
    const sources = await Promise.all([1, 2, 3].map(() => makeSource("png", 800)));
    const results = await Promise.allSettled(
      sources.map((source) => pool.render(source, SPEC, PATIENT)),
    );
    const refused = results.filter((result) => result.status === "rejected");
    assert.equal(refused.length, 1);
    assert.ok(hasCode(refused[0].reason, "render_queue_full"));
    assert.equal(refused[0].reason.retryAfterSeconds, 3);
  });
});

Deno.test("createRenderPool() lets an aborted caller go and keeps the worker", async () => {
  await withPool({ size: 1 }, async (pool) => {
    await pool.render(await makeSource("png"), SPEC, PATIENT);
    const controller = new AbortController();
    const work = pool.render(await makeSource("png", 1500), SPEC, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("client gone")), 1);
    await assert.rejects(work, /client gone/);
    await pool.render(await makeSource("png"), SPEC, PATIENT);
    assert.equal(pool.stats().replaced, 0);
  });
});

Deno.test("createRenderPool() replaces a worker after a heavy render", async () => {
  await withPool({ size: 1, retireAboveBytes: 1 }, async (pool) => {
    await pool.render(await makeSource("png"), SPEC, PATIENT);
    await pool.render(await makeSource("png"), SPEC, PATIENT);
    assert.equal(pool.stats().replaced, 2);
  });
});

Deno.test("createRenderPool() warms its workers, and fails renders once it is closed", async () => {
  await withPool({ size: 2 }, async (pool) => {
    await pool.warm();
    assert.equal(pool.stats().workers, 2);
    pool.close();
    await assert.rejects(
      pool.render(await makeSource("png"), SPEC, PATIENT),
      (error) => hasCode(error, "shutting_down"),
    );
  });
});

Deno.test({
  name: "createRenderPool() lowers the priority of its workers' threads, and of no others",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // A number that no other pool of this process uses.
    const niceness = 13;
    await withPool({ size: 2, niceness }, async (pool) => {
      assert.equal(countThreads(niceness), 0);
      await pool.render(await makeSource("png"), SPEC, PATIENT);
      assert.ok(countThreads(niceness) > 0);
      assert.notEqual(readNiceness("/proc/thread-self"), niceness);
      assert.notEqual(readNiceness(`/proc/self/task/${Deno.pid}`), niceness);
    });
    // A worker's helpers inherit its priority, and end with it: nobody else borrows them.
    const deadlineMs = performance.now() + 30_000;
    while (countThreads(niceness) > 0 && performance.now() < deadlineMs) await delay(20);
    assert.equal(countThreads(niceness), 0);
  },
});

function countThreads(niceness: number): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    try {
      if (readNiceness(`/proc/self/task/${name}`) === niceness) count++;
    } catch (error) {
      // Threads end while one looks.
      if (!(error instanceof Deno.errors.NotFound) && !String(error).includes("os error 3")) {
        throw error;
      }
    }
  }
  return count;
}

/** Field 19 of proc_pid_stat(5), counted after the name, which may contain anything. */
function readNiceness(folder: string): number {
  const stat = Deno.readTextFileSync(`${folder}/stat`);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
}

Deno.test("findDecoderTraits() says what the registry's decoders say", async () => {
  const parts = createPipelineParts();
  for (const format of Object.keys(IMAGE_MEDIA_TYPES) as ImageFormat[]) {
    try {
      const decoder = await parts.findDecoder({ format } as ImageFacts);
      assert.deepEqual(decoder.traits, findDecoderTraits(format), format);
      assert.ok(decoder.formats.includes(format));
    } catch (error) {
      assert.ok(hasCode(error, "unsupported_image"), format);
    }
  }
});
