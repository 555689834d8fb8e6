/**
 * The pictures that are rendered in benchmarks: photographs from the shared test data, and
 * 2-megapixel files made from one of them.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";

/** One source file. */
export interface BenchSource {
  readonly name: string;
  /** `photo` for a large photograph; else the format of a 2-megapixel file. */
  readonly kind: "photo" | "jpeg" | "png" | "webp";
  readonly progressive: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const PHOTOS = [
  ["12MP 4:2:0", "image-rs+image/examples/scaledown/test.jpg", false],
  [
    "12MP 4:2:2",
    "drewnoakes+metadata-extractor-images/jpg/Samsung SM-G935L (Galaxy S7 Edge).jpg",
    false,
  ],
  ["12MP progressive tall", "immich-app+test-assets/albums/text/book-beside-flowers.jpg", true],
  ["12MP progressive", "immich-app+test-assets/albums/text/japanese-shop.jpg", true],
  ["24MP progressive", "immich-app+test-assets/albums/text/craft-beer.jpg", true],
  [
    "33MP",
    "etemesi254+zune-image/test-images/jpeg/benchmarks/speed_bench_hv_subsampling.jpg",
    false,
  ],
  [
    "33MP progressive",
    "etemesi254+zune-image/test-images/jpeg/benchmarks/speed_bench_prog.jpg",
    true,
  ],
] as const;

/**
 * Loads the sources.
 *
 * @throws {Error} When the test data is absent: a benchmark without it would measure nothing.
 */
export async function loadBenchSources(): Promise<BenchSource[]> {
  const shared = Deno.env.get("FACET_SHARED_DIR") ??
    join(import.meta.dirname ?? ".", "..", "..", "shared");
  const dir = join(shared, "data");
  if (!existsSync(dir)) throw new Error(`No test images in ${dir}; set FACET_SHARED_DIR`);
  const photos = PHOTOS.map(([name, path, progressive]): BenchSource => ({
    name,
    kind: "photo",
    progressive,
    bytes: Deno.readFileSync(join(dir, path)),
  }));
  const two = sharp(photos[0].bytes).resize(1632, 1224);
  const make = async (kind: "jpeg" | "png" | "webp", file: Sharp): Promise<BenchSource> => ({
    name: `2MP ${kind}`,
    kind,
    progressive: false,
    bytes: new Uint8Array(await file.toBuffer()),
  });
  return [
    ...photos,
    await make("jpeg", two.clone().jpeg({ quality: 88 })),
    await make("png", two.clone().png()),
    await make("webp", two.clone().webp({ quality: 85 })),
  ];
}
