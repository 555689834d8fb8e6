/**
 * SVG by resvg, compiled to WebAssembly: sanitised first, then drawn at the size that is asked for.
 *
 * resvg runs no script, opens no file and has no network. Text is drawn in DejaVu Sans, the only
 * font there is; the module is made anew for each picture, since a trap leaves it unusable.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { AppError } from "../../errors.ts";
import type { ImageDecoder } from "../../image/pipeline.ts";
import { writeRgbaStrips } from "../../image/rgba_source.ts";
import { sanitizeSvg } from "./svg/sanitize_svg.ts";
import { SVG_NAMESPACE } from "./svg/svg_policy.ts";
import { checkDecodedSize, loadWasmModule, runVendor } from "./wasm_module.ts";

type ResvgPackage = typeof import("@resvg/resvg-wasm");

const FONT_FAMILY = "DejaVu Sans";

/** Creates the decoder; resvg is loaded with the first picture, the font with the first text. */
export function createSvgDecoder(): ImageDecoder {
  return {
    formats: ["svg"],
    traits: { scales: [1], crops: false },
    async decode(bytes, facts, { plan, sink }) {
      const { width, height } = plan.raster;
      const drawing = await sanitizeSvg(bytes);
      const document = frameDrawing(drawing, facts, plan.raster);
      const fontBuffers = drawing.includes("<text") ? [await loadFont()] : [];
      const resvg = await loadResvg();
      const pixels = await runVendor("SVG", () => {
        const drawn = new resvg.Resvg(document, {
          font: { fontBuffers, defaultFontFamily: FONT_FAMILY, sansSerifFamily: FONT_FAMILY },
        }).render();
        checkDecodedSize("SVG", drawn, plan.raster);
        return drawn.pixels;
      });
      writeRgbaStrips({ width, height, pixels, premultiplied: true }, sink);
    },
  };
}

/** Puts the drawing, in its own size, into a frame of exactly the raster's size. */
function frameDrawing(
  drawing: string,
  facts: { width: number; height: number },
  raster: { width: number; height: number },
): string {
  return `<svg xmlns="${SVG_NAMESPACE}" width="${raster.width}" height="${raster.height}" ` +
    `viewBox="0 0 ${facts.width} ${facts.height}" preserveAspectRatio="none">${drawing}</svg>`;
}

async function loadResvg(): Promise<ResvgPackage> {
  // Named here so that the package belongs to the module graph and its files can be resolved.
  await import("@resvg/resvg-wasm");
  const wasmUrl = import.meta.resolve("@resvg/resvg-wasm/index_bg.wasm");
  const module = await loadWasmModule(wasmUrl);
  const path = fileURLToPath(new URL("index.js", wasmUrl));
  const require = createRequire(import.meta.url);
  // The package keeps one instance in module scope; loading it again gives a fresh one.
  delete require.cache[path];
  const resvg = require(path) as ResvgPackage;
  await resvg.initWasm(module);
  return resvg;
}

let font: Promise<Uint8Array> | null = null;

function loadFont(): Promise<Uint8Array> {
  font ??= import("dejavu-fonts-ttf/package.json", { with: { type: "json" } })
    .then(() => readFile(new URL(import.meta.resolve("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"))))
    .catch((cause) => {
      font = null;
      throw new AppError("internal_error", "The font cannot be read", { cause });
    });
  return font;
}
