/**
 * From CIELAB under D50, the connection space of ICC profiles, to sRGB (ICC.1:2022 annex A;
 * IEC 61966-2-1 with its primaries adapted to D50 by Bradford).
 *
 * @module
 */

/** The white of the connection space. */
const WHITE = [0.9642, 1, 0.8249] as const;
const EPSILON = 6 / 29;

/** One colour in CIELAB: `L` 0–100, `a` and `b` about −128 to 127. */
export interface Lab {
  readonly lightness: number;
  readonly a: number;
  readonly b: number;
}

/**
 * Converts a colour into R, G, B of 0–255, not rounded, clipped to the gamut.
 *
 * @param blackY Luminance, 0–1, of what becomes black: black point compensation (Adobe's paper of
 * that name, 2006), which keeps the shadows of a press from turning gray on a screen.
 */
export function labToSrgb({ lightness, a, b }: Lab, out: Float32Array, blackY = 0): void {
  const fy = (lightness + 16) / 116;
  const scale = 1 / (1 - blackY);
  const x = WHITE[0] * (invertF(fy + a / 500) - blackY) * scale;
  const y = WHITE[1] * (invertF(fy) - blackY) * scale;
  const z = WHITE[2] * (invertF(fy - b / 200) - blackY) * scale;
  out[0] = encodeGamma(3.1338561 * x - 1.6168667 * y - 0.4906146 * z);
  out[1] = encodeGamma(-0.9787684 * x + 1.9161415 * y + 0.033454 * z);
  out[2] = encodeGamma(0.0719453 * x - 0.2289914 * y + 1.4052427 * z);
}

/** Luminance, 0–1, of a lightness of 0–100. */
export function lightnessToY(lightness: number): number {
  return invertF((lightness + 16) / 116);
}

function invertF(t: number): number {
  return t > EPSILON ? t ** 3 : 3 * EPSILON ** 2 * (t - 4 / 29);
}

function encodeGamma(linear: number): number {
  if (!(linear > 0)) return 0;
  if (linear >= 1) return 255;
  return 255 * (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055);
}
