import assert from "node:assert/strict";
import { bucketExpiry, parseSigningKeys, signPath } from "../../src/core/url_signature.ts";
import { createDeliveryFixture, type FixtureOptions, makeAsset } from "./delivery_fixture.ts";

const KEYS = parseSigningKeys("new:a-secret-of-length,old:another-secret-here");
const PHOTO = makeAsset("a photograph");
const SECRET_PHOTO = makeAsset("a private photograph", { visibility: "private" });
const NOW_SECONDS = 1_000;

function fixture(options: FixtureOptions = {}) {
  const created = createDeliveryFixture({ keys: KEYS, ...options });
  created.add(PHOTO);
  created.add(SECRET_PHOTO);
  return created;
}

function sign(path: string, options: { expiresAtSeconds?: number; keyId?: string } = {}): string {
  const { expiresAtSeconds = NOW_SECONDS + 3600, ...rest } = options;
  return `${path}?${signPath(path, { keys: KEYS, expiresAtSeconds, ...rest })}`;
}

async function codeOf(response: Response): Promise<string> {
  return (await response.json()).code;
}

Deno.test("a signed URL leaves the allow-list, within the hard limits", async () => {
  const { app } = fixture();
  const odd = `/${PHOTO.record.hash}/601x477/77.webp`;
  assert.equal((await app.request(odd)).status, 403);
  assert.equal((await app.request(sign(odd))).status, 200);
  for (const variant of ["5000x5000/80.webp", "9x9/80.webp", "600x400/5.webp", "600x400/80.avif"]) {
    const path = `/${PHOTO.record.hash}/${variant}`;
    assert.equal((await app.request(sign(path))).status, 400, variant);
  }
});

Deno.test("a signature of any known key holds, and of no other", async () => {
  const { app } = fixture();
  const path = `/${PHOTO.record.hash}/601x477/77.webp`;
  for (const keyId of ["new", "old"]) {
    assert.equal((await app.request(sign(path, { keyId }))).status, 200);
  }
  const others = parseSigningKeys("gone:a-third-secret-value");
  const query = signPath(path, { keys: others, expiresAtSeconds: NOW_SECONDS + 60 });
  const response = await app.request(`${path}?${query}`);
  assert.equal(response.status, 403);
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(await codeOf(response), "invalid_signature");
});

Deno.test("a signature holds for one path, one end and one key only", async () => {
  const { app } = fixture();
  const path = `/${PHOTO.record.hash}/601x477/77.webp`;
  const signed = sign(path);
  const tampered = [
    signed.replace("601x477", "602x477"),
    signed.replace(/exp=\d+/, "exp=9999999999"),
    signed.replace("kid=new", "kid=old"),
    signed.replace(/sig=./, (match) => match === "sig=A" ? "sig=B" : "sig=A"),
    signed.slice(0, -1),
    // The last digit of 43 has two bits to spare: another spelling of the same signature.
    signed.replace(/.$/, (digit) => {
      const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      return digits[digits.indexOf(digit) + 1];
    }),
    signed.replace(/&kid=new/, ""),
    signed + "&exp=9999999999",
    signed + "&sig=" + "A".repeat(43),
    `${path}?sig=`,
    `${path}?sig=%00&exp=x&kid=new`,
  ];
  for (const url of tampered) {
    const response = await app.request(url);
    assert.equal(response.status, 403, url);
    assert.equal(await codeOf(response), "invalid_signature");
  }
  assert.equal((await app.request(signed + "&utm=1")).status, 200);
});

Deno.test("a signature ends", async () => {
  const { app, clock } = fixture();
  const url = sign(`/${PHOTO.record.hash}/601x477/77.webp`);
  assert.equal((await app.request(url)).status, 200);
  clock.nowMs += 3_600_000;
  const response = await app.request(url);
  assert.equal(response.status, 403);
  assert.equal(await codeOf(response), "expired_signature");
});

Deno.test("a private asset exists for signed URLs only, in memory too", async () => {
  const { app, renders } = fixture();
  const path = `/${SECRET_PHOTO.record.hash}/640x480/80.webp`;
  const original = `/${SECRET_PHOTO.record.hash}`;
  assert.equal((await app.request(path)).status, 404);
  assert.equal((await app.request(original)).status, 404);
  const signed = await app.request(sign(path));
  assert.equal(signed.status, 200);
  assert.equal((await app.request(sign(original))).status, 200);
  assert.equal((await app.request(path)).status, 404);
  assert.equal((await app.request(sign(path))).headers.get("x-cache"), "MEMORY");
  assert.equal(renders.length, 1);
});

Deno.test("what a signature gave is kept by caches for as long as it holds", async () => {
  const { app } = fixture();
  for (
    const path of [`/${SECRET_PHOTO.record.hash}/640x480/80.webp`, `/${SECRET_PHOTO.record.hash}`]
  ) {
    const response = await app.request(sign(path));
    assert.equal(response.headers.get("cache-control"), "public, max-age=3600");
    assert.equal(response.headers.get("deno-cdn-cache-control"), "public, max-age=3600");
  }
  const open = await app.request(sign(`/${PHOTO.record.hash}/640x480/80.webp`));
  assert.match(open.headers.get("cache-control")!, /immutable/);
});

Deno.test("a deployment that requires signatures serves nothing without", async () => {
  const { app, lookups } = fixture({ requireSignatures: true });
  for (const path of [`/${PHOTO.record.hash}/640x480/80.webp`, `/${PHOTO.record.hash}`]) {
    const response = await app.request(path);
    assert.equal(response.status, 403);
    assert.equal(await codeOf(response), "signature_required");
    const etag = { "if-none-match": `"${PHOTO.record.hash}"` };
    assert.equal((await app.request(path, { headers: etag })).status, 403);
    const signed = await app.request(sign(path));
    assert.equal(signed.status, 200);
    assert.equal(signed.headers.get("cache-control"), "public, max-age=3600");
  }
  assert.equal(lookups.length, 1);
});

Deno.test("bucketExpiry() gives everybody who signs within one bucket the same URL", () => {
  const options = { ttlSeconds: 900, bucketSeconds: 3600 };
  const ends = new Set<number>();
  for (let now = 7_200 - 899; now <= 10_800 - 900; now += 100) ends.add(bucketExpiry(now, options));
  assert.deepEqual([...ends], [10_800]);
  for (const now of [0, 1, 2_699, 2_700, 2_701, 3_600]) {
    const end = bucketExpiry(now, options);
    assert.ok(end >= now + 900 && end < now + 900 + 3_600 && end % 3_600 === 0, `${now}: ${end}`);
  }
});

Deno.test("parseSigningKeys() refuses short secrets, bad ids, doubles and none at all", () => {
  for (
    const text of [
      "",
      "a:short",
      "a b:0123456789abcdef",
      "0123456789abcdef",
      "a:0123456789abcdef,a:0123456789abcdef",
    ]
  ) {
    assert.throws(() => parseSigningKeys(text), TypeError, text);
  }
});
