import type { InkMixer } from "./ports.ts";

/** Samples of one line: `bytes` from index `at` on. */
export interface SampleLine {
  bytes: Uint8Array;
  at: number;
}

/** Where packed pixels go: `pixels` from index `at` on, `count` of them. */
export interface PackTarget {
  readonly pixels: Float64Array;
  readonly at: number;
  readonly count: number;
}

/** Lane 1 of `ports.ts` begins at this bit, where integers still reach. */
export const LANE1_SHIFT = 17;
/** The weight of lane 2. A product costs less than a load from a table. */
export const LANE2 = 2 ** 34;

// V8 takes a constant that only its module can see as one, and loads others for every pixel.
const MIDDLE_SHIFT = LANE1_SHIFT;
const TOP_LANE = LANE2;

/** Packs one component: lane 0. */
export function packGray(target: PackTarget, line: SampleLine): void {
  const { pixels, at, count } = target;
  const { bytes, at: from } = line;
  for (let i = 0; i < count; i++) pixels[at + i] = bytes[from + i];
}

/** Packs three components into the three lanes as they are. */
export function packThree(target: PackTarget, lines: readonly SampleLine[]): void {
  const { pixels, at, count } = target;
  const [{ bytes: a, at: aAt }, { bytes: b, at: bAt }, { bytes: c, at: cAt }] = lines;
  for (let i = 0; i < count; i++) {
    pixels[at + i] = (a[aAt + i] | (b[bAt + i] << MIDDLE_SHIFT)) + c[cAt + i] * TOP_LANE;
  }
}

/** How the inks of a picture are coded and mixed. */
export interface InkOptions {
  /** Whether 255 means no ink. */
  readonly inverted: boolean;
  /** Mixes inks by a profile; null without one. */
  readonly mixer: InkMixer | null;
}

/**
 * Packs C, M, Y and K as RGB: by their profile, or without one as `(255 - C) * (255 - K) / 255`, and
 * so on.
 */
export function packCmyk(
  target: PackTarget,
  lines: readonly SampleLine[],
  { inverted, mixer }: InkOptions,
): void {
  const { pixels, at, count } = target;
  const flip = inverted ? 0 : 255;
  const [c, m, y, k] = lines;
  if (mixer !== null) {
    const ink = 255 - flip;
    for (let i = 0; i < count; i++) {
      pixels[at + i] = mixer.mix(
        c.bytes[c.at + i] ^ ink,
        m.bytes[m.at + i] ^ ink,
        y.bytes[y.at + i] ^ ink,
        k.bytes[k.at + i] ^ ink,
      );
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    const white = k.bytes[k.at + i] ^ flip;
    const red = divide255((c.bytes[c.at + i] ^ flip) * white);
    const green = divide255((m.bytes[m.at + i] ^ flip) * white);
    const blue = divide255((y.bytes[y.at + i] ^ flip) * white);
    pixels[at + i] = (red | (green << MIDDLE_SHIFT)) + blue * TOP_LANE;
  }
}

/**
 * Packs Y, Cb, Cr and K as RGB. YCCK holds the R, G, B that equal 255 - C, 255 - M, 255 - Y
 * (Adobe Technical Note 5116) as JFIF's YCbCr.
 */
export function packYcck(
  target: PackTarget,
  lines: readonly SampleLine[],
  { inverted, mixer }: InkOptions,
): void {
  const { pixels, at, count } = target;
  // What the transform gives is 255 - C; when C itself is inverted it is the ink.
  const flip = inverted ? 255 : 0;
  const [y, cb, cr, k] = lines;
  for (let i = 0; i < count; i++) {
    const white = k.bytes[k.at + i] ^ (255 - flip);
    const luma = y.bytes[y.at + i];
    const blueness = cb.bytes[cb.at + i] - 128;
    const redness = cr.bytes[cr.at + i] - 128;
    const red = clamp(Math.round(luma + 1.402 * redness)) ^ flip;
    const green = clamp(Math.round(luma - 0.344136286 * blueness - 0.714136286 * redness)) ^ flip;
    const blue = clamp(Math.round(luma + 1.772 * blueness)) ^ flip;
    pixels[at + i] = mixer !== null
      ? mixer.mix(255 - red, 255 - green, 255 - blue, 255 - white)
      : (divide255(red * white) | (divide255(green * white) << MIDDLE_SHIFT)) +
        divide255(blue * white) * TOP_LANE;
  }
}

function divide255(product: number): number {
  return (product + 127) / 255 | 0;
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
