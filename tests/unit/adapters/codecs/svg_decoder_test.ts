import assert from "node:assert/strict";
import { sanitizeSvg } from "../../../../src/adapters/codecs/svg/sanitize_svg.ts";
import { createSvgDecoder } from "../../../../src/adapters/codecs/svg_decoder.ts";
import { type ErrorCode, hasCode } from "../../../../src/errors.ts";
import { decodeRaster } from "../../../support/decode_raster.ts";
import { pngOf } from "../../../support/image_builder.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const XMLNS = 'xmlns="http://www.w3.org/2000/svg"';
const sanitize = (inside: string) => sanitizeSvg(encode(`<svg ${XMLNS}>${inside}</svg>`));

async function refuses(text: string, code: ErrorCode): Promise<void> {
  await assert.rejects(sanitizeSvg(encode(text)), (error) => {
    assert(hasCode(error, code), String(error));
    return true;
  });
}

Deno.test("sanitizeSvg() drops script, handlers, foreign markup and animation", async () => {
  const clean = await sanitizeSvg(encode(
    `<svg ${XMLNS} onload="x()"><script>alert(1)</script><g onclick="x()" id="a"/>` +
      `<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">x</p></foreignObject>` +
      `<animate attributeName="href"/><x:y xmlns:x="urn:x"/><title>t</title></svg>`,
  ));
  assert.equal(clean, `<svg ${XMLNS}><g id="a"></g></svg>`);
});

Deno.test("sanitizeSvg() keeps references inside the document only", async () => {
  for (
    const outside of [
      '<use href="http://evil/#a"/>',
      '<image href="file:///etc/passwd"/>',
      '<image href="//evil/x.png"/>',
      '<image href="data:image/svg+xml;base64,PHN2Zy8+"/>',
      '<rect fill="url(http://evil/#a)"/>',
      `<rect style="fill:url( 'http://evil/#a')"/>`,
      '<rect style="fill:u\\72l(http://evil)"/>',
      "<style>@import 'http://evil';</style>",
      "<style>a{background:url(http://evil)}</style>",
      '<a href="javascript:alert(1)"/>',
      '<feImage href="http://evil"/>',
    ]
  ) {
    const clean = await sanitize(outside);
    assert(!/evil|passwd|svg\+xml|javascript/.test(clean), clean);
  }
  assert.match(await sanitize('<use href="#a"/><rect fill="url(#b)"/>'), /href="#a".*url\(#b\)/);
});

Deno.test("sanitizeSvg() keeps small embedded pictures and refuses pixel bombs in them", async () => {
  const image = (png: Uint8Array) =>
    `<image href="data:image/png;base64,${btoa(String.fromCharCode(...png))}"/>`;
  assert.match(await sanitize(image(pngOf({ width: 4, height: 4 }))), /data:image\/png/);
  const bomb = image(pngOf({ width: 30_000, height: 30_000 }));
  await refuses(`<svg ${XMLNS}>${bomb}</svg>`, "image_budget_exceeded");
  assert.doesNotMatch(await sanitize('<image href="data:image/png;base64,AAAA"/>'), /data:/);
});

Deno.test("sanitizeSvg() fills in plain entities and refuses those that grow or reach out", async () => {
  const withEntity = (entity: string, use: string) =>
    `<!DOCTYPE svg [${entity}]><svg ${XMLNS}><rect fill="${use}"/></svg>`;
  const plain = await sanitizeSvg(encode(withEntity('<!ENTITY c "red">', "&c;")));
  assert.match(plain, /fill="red"/);
  const nested = '<!ENTITY a "x"><!ENTITY b "&a;&a;">';
  await refuses(withEntity(nested, "&b;"), "image_undecodable");
  await refuses(withEntity('<!ENTITY a SYSTEM "file:///etc/passwd">', "&a;"), "image_undecodable");
  await refuses(withEntity('<!ENTITY % p "x">', "red"), "image_undecodable");
  const long = `<!ENTITY a "${"x".repeat(1_000)}">`;
  await refuses(withEntity(long, "&a;".repeat(20_000)), "image_budget_exceeded");
});

Deno.test("sanitizeSvg() bounds elements, depth and what references multiply", async () => {
  await refuses(`<svg ${XMLNS}>${"<g>".repeat(5_000)}`, "image_budget_exceeded");
  await refuses(`<svg ${XMLNS}>${"<g/>".repeat(200_000)}</svg>`, "image_budget_exceeded");
  const uses = Array.from(
    { length: 10 },
    (_, i) => `<g id="a${i + 1}">${`<use href="#a${i}"/>`.repeat(10)}</g>`,
  );
  const bomb = `<g id="a0"><rect/></g>${uses.join("")}<use href="#a10"/>`;
  await refuses(`<svg ${XMLNS}>${bomb}</svg>`, "image_budget_exceeded");
  const circle = '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>';
  assert.match(await sanitize(circle), /#b/);
});

Deno.test("sanitizeSvg() refuses what is no well-formed XML", async () => {
  for (const text of ["<svg>", `<svg ${XMLNS}></g></svg>`, `<svg ${XMLNS} a=b/>`, "\0\0"]) {
    await refuses(text, "image_undecodable");
  }
});

/** The colour in the middle of a cell of a grid of 4 × 2. */
async function colors(svg: string, size = { width: 40, height: 20 }): Promise<string[]> {
  const { pixels } = await decodeRaster(createSvgDecoder(), encode(svg), { size });
  return Array.from({ length: 8 }, (_, i) => {
    const x = Math.floor((i % 4 + 0.5) * size.width / 4);
    const y = Math.floor((Math.floor(i / 4) + 0.5) * size.height / 2);
    const p = (y * size.width + x) * 4;
    return pixels.subarray(p, p + 4).join(",");
  });
}

Deno.test("createSvgDecoder() draws at exactly the size that is asked for", async () => {
  const svg = `<svg ${XMLNS} width="4" height="2"><rect width="1" height="1" fill="#f00"/>` +
    `<rect x="3" y="1" width="1" height="1" fill="#00f" fill-opacity=".5"/></svg>`;
  for (const size of [{ width: 40, height: 20 }, { width: 403, height: 200 }]) {
    const [first, ...rest] = await colors(svg, size);
    assert.equal(first, "255,0,0,255");
    assert.deepEqual(rest.slice(0, 6), Array(6).fill("0,0,0,0"));
    assert.match(rest[6], /^0,0,25[45],12[78]$/);
  }
});

Deno.test("createSvgDecoder() keeps a view box's own alignment", async () => {
  const svg =
    `<svg ${XMLNS} width="4" height="2" viewBox="0 0 2 2"><rect width="2" height="2" fill="#0f0"/></svg>`;
  const green = "0,255,0,255";
  const none = "0,0,0,0";
  assert.deepEqual(await colors(svg), [none, green, green, none, none, green, green, none]);
});

Deno.test("createSvgDecoder() draws text, and goes on after a document that traps", async () => {
  const trap =
    `<svg ${XMLNS} width="9" height="9"><filter id="f"><feGaussianBlur stdDeviation="1e9"/></filter>` +
    `<rect width="1e30" height="1e30" filter="url(#f)"/></svg>`;
  await colors(trap).catch((error) => assert(hasCode(error, "image_undecodable"), String(error)));
  const text = `<svg ${XMLNS} width="40" height="20"><text y="20" font-size="40">■■</text></svg>`;
  const { pixels } = await decodeRaster(createSvgDecoder(), encode(text));
  assert(pixels.some((value) => value === 255), "no ink");
});
