import assert from "node:assert/strict";
import { buildFilterTaps, tapsReach, WEIGHT_ONE } from "../../../src/image/filter_taps.ts";

Deno.test("buildFilterTaps() makes whole weights that add up to one", () => {
  for (const [sourceLength, targetLength] of [[1, 7], [2, 3], [5, 5], [100, 37], [4032, 640]]) {
    for (const filter of ["lanczos3", "cubic"] as const) {
      const taps = buildFilterTaps(
        { sourceLength, start: 0, length: sourceLength, targetLength },
        filter,
      );
      assert.ok(taps.count % 2 === 0 && taps.count >= 4);
      for (let i = 0; i < targetLength; i++) {
        const weights = [...taps.weights.subarray(i * taps.count, (i + 1) * taps.count)];
        assert.ok(weights.every(Number.isInteger));
        assert.equal(weights.reduce((sum, weight) => sum + weight, 0), WEIGHT_ONE);
        // The bound that keeps lanes apart, see HEADROOM.
        assert.ok(weights.reduce((sum, weight) => sum + Math.abs(weight), 0) <= 1.6 * WEIGHT_ONE);
        weights.forEach((weight, j) => {
          if (weight !== 0) assert.ok(taps.starts[i] + j < sourceLength);
        });
      }
    }
  }
});

Deno.test("buildFilterTaps() is the identity at ratio 1", () => {
  const taps = buildFilterTaps(
    { sourceLength: 20, start: 0, length: 20, targetLength: 20 },
    "lanczos3",
  );
  for (let i = 0; i < 20; i++) {
    assert.equal(taps.weights[i * taps.count + i - taps.starts[i]], WEIGHT_ONE);
  }
});

Deno.test("buildFilterTaps() is symmetric: mirrored positions have mirrored weights", () => {
  const axis = { sourceLength: 400, start: 0, length: 400, targetLength: 150 };
  const taps = buildFilterTaps(axis, "lanczos3");
  const spread = (i: number) => {
    const dense = new Float64Array(400);
    dense.set(taps.weights.subarray(i * taps.count, (i + 1) * taps.count), taps.starts[i]);
    return dense;
  };
  for (let i = 0; i < 75; i++) {
    const [left, right] = [spread(i), spread(149 - i).reverse()];
    // Rounding errors are carried rightwards, so single weights may differ by one unit.
    left.forEach((weight, j) => assert.ok(Math.abs(weight - right[j]) <= 2));
  }
});

Deno.test("tapsReach() covers every weight that is not zero", () => {
  const axis = { sourceLength: 1000, start: 333.3, length: 222.2, targetLength: 100 };
  const { first, end } = tapsReach(axis, "lanczos3");
  const taps = buildFilterTaps(axis, "lanczos3");
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < taps.count; j++) {
      if (taps.weights[i * taps.count + j] === 0) continue;
      assert.ok(taps.starts[i] + j >= first && taps.starts[i] + j < end);
    }
  }
});
