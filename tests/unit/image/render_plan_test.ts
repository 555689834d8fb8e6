import assert from "node:assert/strict";
import type { Orientation } from "../../../src/core/image_facts.ts";
import { hasCode } from "../../../src/errors.ts";
import {
  buildRenderPlan,
  type DecoderTraits,
  type PlannedFacts,
} from "../../../src/image/render_plan.ts";
import { CENTRE, type RenderSpec } from "../../../src/image/render_spec.ts";

const JPEG: DecoderTraits = {
  scales: [1, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125],
  crops: true,
};
const WHOLE: DecoderTraits = { scales: [1], crops: false };

function buildFacts(facts: Partial<PlannedFacts>): PlannedFacts {
  return {
    format: "jpeg",
    width: 4032,
    height: 3024,
    orientation: 1,
    hasAlpha: false,
    progressive: false,
    bitDepth: 8,
    ...facts,
  };
}

function plan(facts: Partial<PlannedFacts>, spec: Partial<RenderSpec>, decoder = JPEG) {
  const whole: RenderSpec = {
    width: 640,
    height: 480,
    fit: "cover",
    focal: CENTRE,
    quality: 80,
    format: "webp",
    ...spec,
  };
  return buildRenderPlan(buildFacts(facts), whole, { sourceBytes: 4_000_000, decoder });
}

Deno.test("buildRenderPlan() decodes at the coarsest scale that keeps the quality", () => {
  const scales = [[320, 240, 1], [448, 336, 1], [450, 337, 2], [640, 480, 2], [900, 675, 3]];
  const larger = [[1920, 1080, 4], [2100, 1500, 5], [2600, 1950, 6], [3000, 2250, 8]];
  for (const [width, height, eighths] of [...scales, ...larger, [4000, 3000, 8]]) {
    assert.equal(plan({}, { width, height }).decode.scale, eighths / 8, `${width}x${height}`);
  }
  assert.equal(plan({ width: 800, height: 600 }, { width: 320, height: 240 }).decode.scale, 0.625);
  assert.equal(plan({ width: 800, height: 600 }, { width: 640, height: 480 }).decode.scale, 1);
  assert.equal(plan({}, {}, { scales: [1], crops: true }).decode.scale, 1);
});

Deno.test("buildRenderPlan() decodes a large file without detail at the size of the variant", () => {
  const decodeOf = (sourceBytes: number) =>
    buildRenderPlan(buildFacts({ width: 7680, height: 4320 }), {
      width: 1920,
      height: 1080,
      fit: "cover",
      focal: CENTRE,
      quality: 80,
      format: "jpg",
    }, { sourceBytes, decoder: JPEG }).decode;
  assert.equal(decodeOf(1_000_000).scale, 0.25);
  assert.equal(decodeOf(10_000_000).scale, 0.375);
});

Deno.test("buildRenderPlan() asks for a crisp decode when the filter has little left to do", () => {
  assert.ok(plan({}, { width: 1920, height: 1440 }).decode.softness! < 0.2);
  assert.equal(plan({}, { width: 640, height: 480 }).decode.softness, 1);
});

Deno.test("buildRenderPlan() asks for the region that is shown, with the filter's margin", () => {
  const tall = plan({ width: 3024, height: 4032 }, { width: 1920, height: 480 });
  const { region, raster } = tall.decode;
  assert.ok(region.height < raster.height / 2);
  assert.equal(region.width, raster.width);
  assert.ok([region.x, region.y, region.width, region.height].every(Number.isInteger));
  // The crop is relative to the region, and lies inside it.
  assert.ok(tall.crop.y > 0 && tall.crop.y < 20);
  assert.ok(tall.crop.y + tall.crop.height < region.height);
});

Deno.test("buildRenderPlan() averages only where the filter keeps a factor of two", () => {
  const factors = (side: number, target: number) =>
    plan(
      { format: "png", width: side, height: side },
      { width: target, height: target },
      WHOLE,
    ).boxFactors;
  assert.deepEqual(factors(1000, 300), []);
  assert.deepEqual(factors(1200, 300), [2]);
  assert.deepEqual(factors(6400, 320), [10]);
  assert.deepEqual(factors(7000, 10), [22, 15]);
});

Deno.test("buildRenderPlan() turns crop and target into stored orientation", () => {
  for (const orientation of [5, 6, 7, 8] as Orientation[]) {
    const turned = plan({ orientation }, { width: 480, height: 640 });
    assert.deepEqual(turned.target, { width: 640, height: 480 });
    assert.deepEqual(turned.canvas, { width: 480, height: 640 });
  }
});

Deno.test("buildRenderPlan() draws vector images at the size that needs no resampling", () => {
  const svg = plan({ format: "svg", width: 100, height: 50 }, { width: 300, height: 300 }, WHOLE);
  assert.deepEqual(svg.decode.raster, { width: 600, height: 300 });
  assert.deepEqual(svg.crop, { x: 150, y: 0, width: 300, height: 300 });
});

Deno.test("buildRenderPlan() estimates more for what needs a whole frame", () => {
  const strip = plan({}, {}).estimatedBytes;
  assert.ok(strip < 24e6);
  assert.ok(plan({ progressive: true }, { width: 1920, height: 1440 }).estimatedBytes > strip);
  const png = { format: "png", width: 7000, height: 7000 } as const;
  assert.ok(plan(png, {}, WHOLE).estimatedBytes < 40e6);
  assert.ok(plan({ ...png, progressive: true }, {}, WHOLE).estimatedBytes > 190e6);
});

Deno.test("buildRenderPlan() refuses a variant that an odd shape would make huge", () => {
  assert.throws(
    () => plan({ width: 60000, height: 1 }, { width: null, height: 480 }),
    (error) => hasCode(error, "image_budget_exceeded"),
  );
});
