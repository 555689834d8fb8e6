import assert from "node:assert/strict";
import type { Orientation } from "../../../src/core/image_facts.ts";
import { orientSize, placeSource, toStoredRect } from "../../../src/image/geometry.ts";
import { orientImage } from "../../../src/image/orient.ts";
import { CENTRE, type RenderSpec } from "../../../src/image/render_spec.ts";

function buildSpec(spec: Partial<RenderSpec>): RenderSpec {
  return {
    width: 640,
    height: 480,
    fit: "cover",
    focal: CENTRE,
    quality: 80,
    format: "png",
    ...spec,
  };
}

const ORIENTATIONS: readonly Orientation[] = [1, 2, 3, 4, 5, 6, 7, 8];

Deno.test("placeSource() shows the whole picture when the shapes agree", () => {
  const placement = placeSource({ width: 4032, height: 3024 }, buildSpec({}));
  assert.deepEqual(placement.crop, { x: 0, y: 0, width: 4032, height: 3024 });
});

Deno.test("placeSource() starts a crop on a whole pixel of the scaled picture", () => {
  const { crop } = placeSource({ width: 3024, height: 4032 }, buildSpec({}));
  const ratio = 3024 / 640;
  assert.equal(crop.width, 3024);
  // 4032 / 4.725 = 853.3 rows, so 853; 373 are spare: 187 above and 186 below.
  const centred = (4032 - 853 * ratio) / 2;
  assert.ok(Math.abs(crop.y - (187 * ratio + centred)) < 1e-9);
});

Deno.test("placeSource() keeps every crop inside the picture", () => {
  for (const [width, height] of [[1, 1], [1, 60000], [300000, 10], [17, 4001], [4217, 2817]]) {
    for (const [w, h] of [[10, 10], [320, 1080], [1920, 240], [333, 517]]) {
      for (const focal of [{ x: 0, y: 0 }, CENTRE, { x: 1, y: 1 }]) {
        const spec = buildSpec({ width: w, height: h, focal });
        const { crop, target } = placeSource({ width, height }, spec);
        assert.deepEqual(target, { width: w, height: h });
        assert.ok(crop.x >= 0 && crop.y >= 0);
        assert.ok(crop.x + crop.width <= width + 1e-6 && crop.y + crop.height <= height + 1e-6);
        assert.ok(Math.abs(crop.width / w - crop.height / h) < 1e-6);
      }
    }
  }
});

Deno.test("placeSource() moves a crop towards the focal point", () => {
  const left = placeSource({ width: 2000, height: 500 }, buildSpec({ focal: { x: 0, y: 0 } }));
  const right = placeSource({ width: 2000, height: 500 }, buildSpec({ focal: { x: 1, y: 0 } }));
  assert.ok(left.crop.x < 1);
  assert.ok(right.crop.x + right.crop.width > 1999);
});

Deno.test("placeSource() derives a missing edge and never makes it zero", () => {
  const wide = placeSource({ width: 1000, height: 400 }, buildSpec({ width: 500, height: null }));
  assert.deepEqual(wide.canvas, { width: 500, height: 200 });
  const line = placeSource({ width: 60000, height: 1 }, buildSpec({ width: 100, height: null }));
  assert.deepEqual(line.canvas, { width: 100, height: 1 });
});

Deno.test("placeSource() pads for contain and shrinks the canvas for inside", () => {
  const source = { width: 1000, height: 500 };
  const contain = placeSource(source, buildSpec({ fit: "contain" }));
  assert.deepEqual([contain.target, contain.canvas], [
    { width: 640, height: 320 },
    { width: 640, height: 480 },
  ]);
  const inside = placeSource(source, buildSpec({ fit: "inside" }));
  assert.deepEqual(inside.canvas, { width: 640, height: 320 });
});

Deno.test("toStoredRect() finds the pixels that orientImage() brings to the rectangle", () => {
  const stored = { width: 7, height: 5 };
  const words = Uint32Array.from({ length: 35 }, (_, i) => i + 1);
  const image = { ...stored, pixels: new Uint8Array(words.buffer), opaque: true };
  const rect = { x: 1, y: 2, width: 3, height: 2 };
  for (const orientation of ORIENTATIONS) {
    const upright = orientImage(image, orientation);
    const size = orientSize(stored, orientation);
    assert.deepEqual({ width: upright.width, height: upright.height }, size);
    const shown = readRect(new Uint32Array(upright.pixels.buffer), size.width, rect);
    const back = toStoredRect(rect, size, orientation);
    assert.deepEqual(shown.toSorted(), readRect(words, stored.width, back).toSorted());
  }
});

function readRect(
  words: Uint32Array,
  stride: number,
  rect: { x: number; y: number; width: number; height: number },
): number[] {
  const found: number[] = [];
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    for (let x = rect.x; x < rect.x + rect.width; x++) found.push(words[y * stride + x]);
  }
  return found;
}
