/** Makes broken JPEGs out of whole ones, the same ones for the same seed. */
import { createRandom } from "./raster.ts";

/** Changes `bytes` in one to eight places, or cuts, repeats or splices stretches of them. */
export function mutateJpeg(
  bytes: Uint8Array,
  options: { seed: number; other: Uint8Array },
): Uint8Array {
  const random = createRandom(options.seed);
  const below = (limit: number) => Math.floor(random() * limit);
  let out: Uint8Array = bytes.slice();
  // Half of the changes hit the headers, where a byte decides more.
  const place = () => random() < 0.5 ? below(Math.min(out.length, 700)) : below(out.length);
  for (let change = 1 + below(8); change > 0 && out.length > 0; change--) {
    const at = place();
    const kind = below(12);
    if (kind < 4) out[at] ^= 1 << below(8);
    else if (kind < 6) out[at] = below(256);
    else if (kind < 7) out[at] = [0, 0xff, 0x7f, 0x80, 1][below(5)];
    else if (kind < 8) {
      out[at] = 0xff;
      out[at + 1] = 0xc0 + below(0x40);
    } else if (kind < 9) out = out.slice(0, at);
    else if (kind < 10) out = join(out.subarray(0, at), out.subarray(at + 1 + below(50)));
    else if (kind < 11) {
      const length = 1 + below(200);
      out = join(out.subarray(0, at), out.subarray(Math.max(0, at - length)));
    } else out = join(out.subarray(0, at), options.other.subarray(below(options.other.length)));
    if (out.length > 200_000) out = out.slice(0, 200_000);
  }
  return out;
}

function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + tail.length);
  out.set(head);
  out.set(tail, head.length);
  return out;
}
