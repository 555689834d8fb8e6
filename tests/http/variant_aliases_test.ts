import assert from "node:assert/strict";
import { parseSigningKeys, signPath } from "../../src/core/url_signature.ts";
import { negotiateFormat, parseVariantPresets } from "../../src/core/variant_alias.ts";
import { createDeliveryFixture, makeAsset } from "./delivery_fixture.ts";

const PHOTO = makeAsset("a photograph");
const LOGO = makeAsset("a logo", { mediaType: "image/png", hasAlpha: true });
const CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";

Deno.test("variantRoutes() leads an auto URL to the format that the client names", async () => {
  const { app, add } = createDeliveryFixture();
  add(PHOTO);
  add(LOGO);
  const cases = [
    [PHOTO, CHROME, "webp"],
    [PHOTO, "image/webp;q=0, image/*", "jpg"],
    [PHOTO, "*/*", "jpg"],
    [PHOTO, "", "jpg"],
    [LOGO, "*/*", "png"],
    [LOGO, CHROME, "webp"],
  ] as const;
  for (const [{ record: { hash } }, accept, format] of cases) {
    const response = await app.request(`/${hash}/640x480/80.auto`, { headers: { accept } });
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("location"), `/${hash}/640x480/80.${format}`);
    assert.equal(response.headers.get("vary"), "Accept");
    assert.equal(response.headers.get("cache-control"), "private, max-age=300");
    assert.equal((await app.request(response.headers.get("location")!)).status, 200);
  }
});

Deno.test("variantRoutes() leads a preset to its variant, on the allow-list or not", async () => {
  const { app, add } = createDeliveryFixture({ presets: "thumb=100x100/72, hero=1920x/80" });
  add(PHOTO);
  const { hash } = PHOTO.record;
  const cases = {
    "thumb.webp": "100x100/72.webp",
    "hero.jpg": "1920x/80.jpg",
    "thumb.auto": "100x100/72.jpg",
  };
  for (const [preset, variant] of Object.entries(cases)) {
    const response = await app.request(`/${hash}/${preset}`);
    assert.equal(response.status, 302, preset);
    assert.equal(response.headers.get("location"), `/${hash}/${variant}`);
    assert.equal((await app.request(`/${hash}/${variant}`)).status, 200);
  }
  for (const unknown of ["other.webp", "thumb.gif", "Thumb.webp", "thumb"]) {
    assert.equal((await app.request(`/${hash}/${unknown}`)).status, 400, unknown);
  }
});

Deno.test("variantRoutes() refuses an alias whose variant is not allowed, and unknown assets", async () => {
  const { app, add } = createDeliveryFixture();
  add(PHOTO);
  assert.equal((await app.request(`/${PHOTO.record.hash}/600x480/80.auto`)).status, 403);
  assert.equal((await app.request(`/${PHOTO.record.hash}/640x480/080.auto`)).status, 400);
  assert.equal((await app.request(`/${"0".repeat(64)}/640x480/80.auto`)).status, 404);
});

Deno.test("variantRoutes() signs what a signed alias leads to, for as long", async () => {
  const keys = parseSigningKeys("k1:0123456789abcdef");
  const asset = makeAsset("a private photograph", { visibility: "private" });
  const { app, add } = createDeliveryFixture({ keys });
  add(asset);
  const path = `/${asset.record.hash}/333x222/80.auto`;
  assert.equal((await app.request(path)).status, 404);
  const query = signPath(path, { keys, expiresAtSeconds: 4_600 });
  const response = await app.request(`${path}?${query}`);
  assert.equal(response.status, 302);
  const location = response.headers.get("location")!;
  assert.match(location, /333x222\/80\.jpg\?exp=4600&kid=k1&sig=/);
  assert.equal((await app.request(location)).status, 200);
});

Deno.test("negotiateFormat() prefers AVIF where it is made and named", () => {
  const formats = ["webp", "jpg", "png", "avif"] as const;
  assert.equal(negotiateFormat(CHROME, { formats, hasAlpha: false }), "avif");
  assert.equal(negotiateFormat("image/avif;q=0.0", { formats, hasAlpha: true }), "png");
  assert.equal(negotiateFormat("IMAGE/WEBP", { formats, hasAlpha: true }), "webp");
  assert.equal(negotiateFormat("", { formats: ["webp"], hasAlpha: true }), "webp");
});

Deno.test("negotiateFormat() follows the weights that the client gives", () => {
  const formats = ["webp", "jpg", "png"] as const;
  const cases = [
    ["image/webp;q=0.1, image/jpeg", false, "jpg"],
    ["image/jpeg;q=0.9, image/webp;q=0.9", false, "webp"],
    ["image/png", false, "png"],
    ["image/jpeg", true, "jpg"],
    ["image/jpeg;q=0.5, */*;q=0.8", false, "png"],
    ["image/*;q=0.5", true, "png"],
    ["image/webp;q=0, */*", true, "png"],
    ["image/webp;q=2", false, "webp"],
    ["text/html", true, "png"],
    ["image/jpeg;q=0, image/png;q=0", false, "jpg"],
    [",;,;q=1,", false, "jpg"],
  ] as const;
  for (const [accept, hasAlpha, expected] of cases) {
    assert.equal(negotiateFormat(accept, { formats, hasAlpha }), expected, accept);
  }
});

Deno.test("parseVariantPresets() refuses what is no name=size/quality", () => {
  for (
    const text of [
      "a",
      "a=640x480",
      "a=640x480/5",
      "A=640x480/80",
      "a=1x1/80",
      "a=640x/80,a=x480/80",
    ]
  ) {
    assert.throws(() => parseVariantPresets(text), TypeError, text);
  }
  assert.equal(parseVariantPresets(" , ").size, 0);
});
