import { createHash } from "node:crypto";
import { encodePng } from "../image/png/encode_png.ts";

/** Size of the sample, in pixels. */
const WIDTH = 1600;
const HEIGHT = 1200;

/** A picture to try the service with. */
export interface SamplePicture {
  readonly path: string;
  /** Content hash of the file. */
  readonly hash: string;
}

/** Writes a picture for first experiments into the data folder, unless it is there already. */
export async function writeSamplePicture(dataDir: string): Promise<SamplePicture> {
  const path = `${dataDir}/sample.png`;
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    bytes = encodePng(paintSample());
    await Deno.writeFile(path, bytes);
  }
  return { path, hash: createHash("sha256").update(bytes).digest("hex") };
}

/** A sun over hills in the evening: smooth gradients, edges and detail at once. */
function paintSample() {
  const data = new Uint8Array(WIDTH * HEIGHT * 4);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [r, g, b] = paintPixel(x / WIDTH, y / HEIGHT);
      const at = (y * WIDTH + x) * 4;
      data[at] = r;
      data[at + 1] = g;
      data[at + 2] = b;
      data[at + 3] = 255;
    }
  }
  return { width: WIDTH, height: HEIGHT, pixels: data, opaque: true };
}

function paintPixel(x: number, y: number): readonly [number, number, number] {
  for (let ridge = 4; ridge >= 1; ridge--) {
    const crest = 0.5 + 0.1 * ridge + 0.05 * Math.sin(x * (9 - ridge) + ridge * 2) +
      0.012 * Math.sin(x * 43 + ridge * 7);
    if (y > crest) return [18 + 22 * (4 - ridge), 30 + 26 * (4 - ridge), 58 + 20 * (4 - ridge)];
  }
  const fromSun = Math.hypot((x - 0.68) * (WIDTH / HEIGHT), y - 0.36);
  if (fromSun < 0.11) return [255, 244, 214];
  const glow = Math.exp(-3 * fromSun);
  return [90 + 165 * glow, 110 + 90 * glow + 40 * y, 190 - 60 * glow];
}
