/**
 * Channels cut out of a pixel by masks.
 *
 * @module
 */

/** One mask per channel; 0 means the channel is absent. */
export interface ChannelMasks {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  readonly alpha: number;
}

/** Makes a function that writes R, G, B, A of one pixel at `p`, scaled to 0–255. */
export function buildChannelReader(
  { red, green, blue, alpha }: ChannelMasks,
): (pixel: number, row: Uint8Array, p: number) => void {
  const channels = [red, green, blue, alpha].map(describe);
  return (pixel, row, p) => {
    for (let i = 0; i < 4; i++) {
      const { mask, shift, scale } = channels[i];
      row[p + i] = mask === 0 ? i === 3 ? 255 : 0 : Math.round(((pixel & mask) >>> shift) * scale);
    }
  };
}

function describe(mask: number): { mask: number; shift: number; scale: number } {
  if (mask === 0) return { mask, shift: 0, scale: 0 };
  const shift = 31 - Math.clz32(mask & -mask);
  return { mask, shift, scale: 255 / (mask >>> shift) };
}
