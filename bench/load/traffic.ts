import { deflateSync } from "node:zlib";
import { be32, bytesOf, chunk } from "../../tests/support/image_builder.ts";
import type { Outcome } from "./open_loop.ts";

const ASSETS = 20;
const WIDTH = 1200;
const HEIGHT = 900;

/** Requests of the kinds that a site makes. */
export interface Traffic {
  /** Variants that were delivered before, the most popular first. */
  readonly warmPaths: readonly string[];
  /** Asks for one of them, by Zipf's law. */
  warm(): Promise<Outcome>;
  /** Asks for a variant that nobody has asked for. */
  cold(): Promise<Outcome>;
  /** Stores a new picture. */
  upload(): Promise<Outcome>;
}

/** Uploads pictures, renders what is to be warm, and makes the rest of the variants the cold ones. */
export async function createTraffic(origin: string, adminKey: string): Promise<Traffic> {
  let seed = 0;

  async function ask(kind: string, path: string, init: RequestInit = {}): Promise<Outcome> {
    const startedMs = performance.now();
    try {
      const response = await fetch(origin + path, init);
      await response.bytes();
      return { kind, status: response.status, tookMs: performance.now() - startedMs };
    } catch {
      return { kind, status: 0, tookMs: performance.now() - startedMs };
    }
  }

  const upload = () => {
    const headers = { authorization: `Bearer ${adminKey}` };
    return ask("upload", "/v1/assets", { method: "POST", headers, body: makePng(++seed) });
  };

  const hashes: string[] = [];
  for (let index = 0; index < ASSETS; index++) {
    const response = await fetch(`${origin}/v1/assets`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminKey}` },
      body: makePng(++seed),
    });
    hashes.push((await response.json()).contentHash);
  }
  const warmPaths = hashes.flatMap((hash) =>
    ["320x240/80.webp", "640x480/80.webp", "640x480/75.jpg"].map((name) => `/${hash}/${name}`)
  );
  for (const path of warmPaths) await ask("warm", path);
  const colds = listColds(hashes);
  const weights = accumulate(warmPaths.map((_, rank) => 1 / (rank + 1)));
  let next = 0;
  return {
    warmPaths,
    upload,
    warm() {
      const at = Math.random() * weights[weights.length - 1];
      return ask("warm", warmPaths[weights.findIndex((weight) => weight >= at)]);
    },
    cold() {
      if (next >= colds.length) throw new Error("there are no cold variants left");
      return ask("cold", colds[next++]);
    },
  };
}

/** Resident memory of a process, in MiB. */
export async function readRssMiB(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
}

function listColds(hashes: readonly string[]): string[] {
  const colds: string[] = [];
  const sizes = [320, 640, 1024, 1920].flatMap((width) =>
    [240, 480, 768, 1080].map((height) => `${width}x${height}`)
  );
  for (const quality of [50, 60, 70, 85, 90, 95]) {
    for (const format of ["jpg", "webp", "png"]) {
      for (const size of sizes) {
        for (const hash of hashes) colds.push(`/${hash}/${size}/${quality}.${format}`);
      }
    }
  }
  // In an order that is the same in every run, so that sizes and formats are mixed.
  colds.sort((a, b) => scatter(a) - scatter(b));
  return colds;
}

/** FNV-1a. */
function scatter(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}

function accumulate(numbers: readonly number[]): number[] {
  let sum = 0;
  return numbers.map((each) => sum += each);
}

/** A picture with some structure, different for every seed. */
function makePng(seed: number): Uint8Array<ArrayBuffer> {
  const rowBytes = WIDTH * 3 + 1;
  const rows = new Uint8Array(rowBytes * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 1; x < rowBytes; x++) rows[y * rowBytes + x] = (x * (seed % 97) + y * y) >> 6;
  }
  const parts = [
    bytesOf(0x89, "PNG\r\n", 0x1a, "\n"),
    chunk("IHDR", be32(WIDTH), be32(HEIGHT), 8, 2, 0, 0, 0),
    chunk("IDAT", deflateSync(rows, { level: 1 })),
    chunk("IEND"),
    bytesOf(`seed ${seed}`),
  ];
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  parts.reduce((offset, part) => (joined.set(part, offset), offset + part.byteLength), 0);
  return joined;
}
