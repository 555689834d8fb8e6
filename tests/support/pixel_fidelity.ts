/**
 * How alike two pictures are, and an independent resampler to compare with: plain float64
 * arithmetic, two-dimensional, written from the definition and sharing no code with the product.
 */

/** Peak signal-to-noise ratio in dB over bytes of R, G, B[, A]; alpha is left out. */
export function psnr(a: Uint8Array, b: Uint8Array, channels: 3 | 4): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < a.length; i++) {
    if (channels === 4 && i % 4 === 3) continue;
    sum += (a[i] - b[i]) ** 2;
    count++;
  }
  return sum === 0 ? Infinity : 10 * Math.log10(255 ** 2 / (sum / count));
}

/** Mean structural similarity of luma over 8 × 8 windows, four pixels apart (Wang et al., 2004). */
export function ssim(
  a: Uint8Array,
  b: Uint8Array,
  size: { readonly width: number; readonly height: number; readonly channels: 3 | 4 },
): number {
  const { width, height, channels } = size;
  const luma = (pixels: Uint8Array, x: number, y: number) => {
    const p = (y * width + x) * channels;
    return 0.299 * pixels[p] + 0.587 * pixels[p + 1] + 0.114 * pixels[p + 2];
  };
  let total = 0;
  let windows = 0;
  for (let top = 0; top + 8 <= height; top += 4) {
    for (let left = 0; left + 8 <= width; left += 4) {
      let sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
      for (let i = 0; i < 64; i++) {
        const va = luma(a, left + i % 8, top + (i >> 3));
        const vb = luma(b, left + i % 8, top + (i >> 3));
        sa += va;
        sb += vb;
        saa += va * va;
        sbb += vb * vb;
        sab += va * vb;
      }
      const [ma, mb] = [sa / 64, sb / 64];
      const [va, vb, cov] = [saa / 64 - ma * ma, sbb / 64 - mb * mb, sab / 64 - ma * mb];
      const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];
      total += ((2 * ma * mb + c1) * (2 * cov + c2)) /
        ((ma * ma + mb * mb + c1) * (va + vb + c2));
      windows++;
    }
  }
  return total / windows;
}

/** Interleaved samples, 0–255 or beyond; any number of channels. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: ArrayLike<number>;
}

/** The part of a picture that is shown, in its pixels; edges may lie between them. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Resamples with Lanczos3 (`support` 3) in float64, pixel centres at half coordinates. */
export function lanczosReference(
  source: Samples,
  crop: Crop,
  target: { readonly width: number; readonly height: number },
): Uint8Array {
  const { width, height, channels, data } = source;
  const across = axisWeights(width, { start: crop.x, length: crop.width, count: target.width });
  const down = axisWeights(height, { start: crop.y, length: crop.height, count: target.height });
  const middle = new Float64Array(target.width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < target.width; x++) {
      for (const [from, weight] of across[x]) {
        for (let c = 0; c < channels; c++) {
          middle[(y * target.width + x) * channels + c] += weight *
            data[(y * width + from) * channels + c];
        }
      }
    }
  }
  const out = new Uint8Array(target.width * target.height * channels);
  const row = target.width * channels;
  for (let y = 0; y < target.height; y++) {
    for (let i = 0; i < row; i++) {
      let sum = 0;
      for (const [from, weight] of down[y]) sum += weight * middle[from * row + i];
      out[y * row + i] = Math.max(0, Math.min(255, Math.round(sum)));
    }
  }
  return out;
}

function axisWeights(
  length: number,
  axis: { start: number; length: number; count: number },
): [number, number][][] {
  const ratio = axis.length / axis.count;
  const widening = Math.max(1, ratio);
  return Array.from({ length: axis.count }, (_, i) => {
    const centre = axis.start + (i + 0.5) * ratio;
    const taps: [number, number][] = [];
    for (
      let j = Math.floor(centre - 3 * widening);
      j <= Math.ceil(centre + 3 * widening);
      j++
    ) {
      const x = (j + 0.5 - centre) / widening;
      if (j < 0 || j >= length || Math.abs(x) >= 3) continue;
      const px = Math.PI * x;
      taps.push([j, x === 0 ? 1 : 3 * Math.sin(px) * Math.sin(px / 3) / (px * px)]);
    }
    const sum = taps.reduce((total, [, weight]) => total + weight, 0);
    return taps.map(([j, weight]) => [j, weight / sum]);
  });
}
