import assert from "node:assert/strict";
import {
  checkAllowedVariant,
  DEFAULT_ALLOW_LIST,
  enumerateVariants,
  findNearestVariant,
  formatVariantSpec,
  isAllowedVariant,
  parseVariantSpec,
  type VariantAllowList,
} from "../../../src/core/variant_spec.ts";

Deno.test("parseVariantSpec() reads every form of a size", () => {
  const common = { quality: 80, format: "webp" };
  const cases = {
    "640x480/80.webp": { fit: "cover", width: 640, height: 480 },
    "640x480-contain/80.webp": { fit: "contain", width: 640, height: 480 },
    "640x480-inside/80.webp": { fit: "inside", width: 640, height: 480 },
    "640x/80.webp": { fit: "width", width: 640, height: null },
    "x480/80.webp": { fit: "height", width: null, height: 480 },
  };
  for (const [path, size] of Object.entries(cases)) {
    assert.deepEqual(parseVariantSpec(path), { ...size, ...common }, path);
  }
});

Deno.test("parseVariantSpec() and formatVariantSpec() are inverses over the whole allow-list", () => {
  const spellings = new Set<string>();
  for (const spec of enumerateVariants(DEFAULT_ALLOW_LIST)) {
    const path = formatVariantSpec(spec);
    assert.deepEqual(parseVariantSpec(path), spec);
    assert.ok(isAllowedVariant(spec, DEFAULT_ALLOW_LIST));
    spellings.add(path);
  }
  // (4 × 4 boxes × 3 fits + 4 widths + 4 heights) × 8 qualities × 3 formats.
  assert.equal(spellings.size, (4 * 4 * 3 + 4 + 4) * 8 * 3);
});

Deno.test("parseVariantSpec() gives back exactly what it was given, or refuses it", () => {
  const parts = [
    "640",
    "480",
    "0",
    "080",
    "x",
    "X",
    "-contain",
    "-inside",
    "-cover",
    "/",
    "80",
    ".",
    "webp",
    "jpg",
    "+",
    " ",
    "e1",
    "%",
    "９",
  ];
  let seed = 7;
  for (let i = 0; i < 50_000; i++) {
    let text = "";
    for (let length = 3 + (i % 7); length > 0; length--) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      text += parts[(seed >> 8) % parts.length];
    }
    try {
      assert.equal(formatVariantSpec(parseVariantSpec(text)), text);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
  }
});

Deno.test("parseVariantSpec() tells a wrong number from a wrong spelling", () => {
  for (
    const path of [
      "9x480/80.webp",
      "640x4097/80.webp",
      "0x480/80.webp",
      "640x480/101.webp",
      "99999x/80.webp",
      "x9/80.webp",
    ]
  ) {
    assert.throws(() => parseVariantSpec(path), { code: "variant_out_of_range" }, path);
  }
  for (
    const path of [
      "640x480/80.gif",
      "640x480/80.avif",
      "x/80.webp",
      "640/80.webp",
      "640x480",
      "999999x480/80.webp",
      "640x480/80.webp\n",
      "640x480/80.constructor",
      "1".repeat(100_000),
    ]
  ) {
    assert.throws(() => parseVariantSpec(path), { code: "malformed_variant" }, path);
  }
  assert.equal(parseVariantSpec("640x480/80.avif", ["avif"]).format, "avif");
});

Deno.test("checkAllowedVariant() names an allowed variant that is near by ratio", () => {
  const cases = {
    "600x500/82.webp": "640x480/80.webp",
    "4096x4096/100.png": "1920x1080/95.png",
    "10x10/10.jpg": "320x240/50.jpg",
    "700x/80.webp": "640x/80.webp",
    "500x500-inside/77.webp": "640x480-inside/75.webp",
  };
  for (const [path, nearest] of Object.entries(cases)) {
    assert.throws(() => checkAllowedVariant(parseVariantSpec(path), DEFAULT_ALLOW_LIST), {
      code: "variant_not_allowed",
      extensions: { nearest },
    }, path);
    assert.ok(isAllowedVariant(parseVariantSpec(nearest), DEFAULT_ALLOW_LIST));
  }
});

Deno.test("findNearestVariant() is null when nothing is allowed, and keeps to the fits there are", () => {
  const spec = parseVariantSpec("640x/80.webp");
  assert.equal(findNearestVariant(spec, { ...DEFAULT_ALLOW_LIST, formats: [] }), null);
  const boxes: VariantAllowList = { ...DEFAULT_ALLOW_LIST, fits: ["cover"] };
  assert.equal(formatVariantSpec(findNearestVariant(spec, boxes)!), "640x768/80.webp");
});

Deno.test("enumerateVariants() adds presets once, and only those that the lists lack", () => {
  const odd = { fit: "cover", width: 100, height: 100, quality: 72 } as const;
  const listed = { fit: "cover", width: 640, height: 480, quality: 80 } as const;
  const allowed: VariantAllowList = { ...DEFAULT_ALLOW_LIST, presets: [odd, listed, odd] };
  const all = [...enumerateVariants(allowed)].map(formatVariantSpec);
  assert.equal(new Set(all).size, all.length);
  assert.equal(all.length, [...enumerateVariants(DEFAULT_ALLOW_LIST)].length + 3);
  assert.ok(isAllowedVariant({ ...odd, format: "png" }, allowed));
  assert.ok(!isAllowedVariant({ ...odd, quality: 73, format: "png" }, allowed));
});
