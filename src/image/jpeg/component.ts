import {
  buildDequantTable,
  buildReducedZigzag,
  lastNeededCoefficient,
  type ReducedTransform,
} from "./dequant_table.ts";
import type { FrameComponent, JpegHeader } from "./frame_header.ts";
import { UNUSED_SLOT } from "./zigzag.ts";

/** One component of the picture being decoded: its geometry, its samples, its coefficients. */
export class Component {
  /** Edge of a decoded block in samples: 1, 2, 4 or 8. */
  readonly size: number;
  /** Index in zigzag order of the last coefficient that a block of `size` needs. */
  readonly lastNeeded: number;
  readonly zigzag: Uint8Array;
  /** Blocks per line and column, padded to whole MCUs. */
  readonly blocksPerLine: number;
  readonly blocksPerColumn: number;
  /** Blocks per line and column that hold samples; scans of one component hold only these. */
  readonly realBlocksPerLine: number;
  readonly realBlocksPerColumn: number;
  /** Real samples per line and column, after the scaled decode. */
  readonly width: number;
  readonly height: number;
  /** Samples per line of `plane`. */
  readonly stride: number;
  /** Sample rows of one MCU row. */
  readonly rowsPerMcu: number;
  /** Output pixels per sample, as fractions: `hNum / hDen` across, `vNum / vDen` down. */
  readonly hNum: number;
  readonly hDen: number;
  readonly vNum: number;
  readonly vDen: number;
  /**
   * Samples. Row 0 is the last row of the MCU row before, which vertical interpolation needs;
   * then the rows of one MCU row, or of the whole picture when scans are not interleaved.
   */
  plane: Uint8Array = new Uint8Array(0);
  /** Progressive: the first `coefficientCount` coefficients of every block, in zigzag order. */
  coefficients: Int16Array = new Int16Array(0);
  readonly coefficientCount: number;
  /** Progressive: which of the 64 coefficients of a block are not zero, two words a block. */
  nonzero: Int32Array = new Int32Array(0);
  /** The factors of `buildDequantTable`, fixed by the component's first scan. */
  dequant: Int32Array | null = null;
  /**
   * Progressive: half a quantisation step in the units of `dequant` for the coefficients whose last
   * bit is left out, which is what their value is short of on average; 0 for the others.
   */
  readonly halfSteps = new Int32Array(32);
  /** The DC value of the block before (T.81 F.1.1.5.1). */
  predictor = 0;

  readonly #transform: ReducedTransform;
  #quant: Int32Array | null = null;
  #omittedError = 0;

  constructor(
    readonly frame: FrameComponent,
    header: JpegHeader,
    options: { readonly scale: number; readonly exactMean: boolean; readonly softness: number },
  ) {
    const { h, v } = frame;
    const hMax = Math.max(...header.components.map((component) => component.h));
    const vMax = Math.max(...header.components.map((component) => component.v));
    const minSize = 8 * options.scale;
    this.size = chooseBlockSize({ h, v, hMax, vMax, minSize });
    const { softness } = options;
    // Only whole pixels have a mean.
    const exactMean = options.exactMean && 8 % this.size === 0;
    this.#transform = { size: this.size, exactMean, softness };
    this.lastNeeded = lastNeededCoefficient(this.#transform);
    this.coefficientCount = this.lastNeeded + 1;
    this.zigzag = buildReducedZigzag(this.#transform);
    this.blocksPerLine = Math.ceil(header.width / (8 * hMax)) * h;
    this.blocksPerColumn = Math.ceil(header.height / (8 * vMax)) * v;
    this.realBlocksPerLine = Math.ceil(Math.ceil((header.width * h) / hMax) / 8);
    this.realBlocksPerColumn = Math.ceil(Math.ceil((header.height * v) / vMax) / 8);
    this.width = Math.ceil((header.width * h * this.size) / (hMax * 8));
    this.height = Math.ceil((header.height * v * this.size) / (vMax * 8));
    this.stride = this.blocksPerLine * this.size;
    this.rowsPerMcu = v * this.size;
    [this.hNum, this.hDen] = reduce(hMax * minSize, h * this.size);
    [this.vNum, this.vDen] = reduce(vMax * minSize, v * this.size);
  }

  /** Fixes the quantisation table, unless a scan before did; null when the file defines none. */
  latchQuant(quant: Int32Array | null): void {
    if (quant === null || this.dequant !== null) return;
    this.#quant = quant;
    this.dequant = buildDequantTable(quant, this.#transform);
  }

  /**
   * Leaves the last bit of coefficients `first` to `last` out, and says so, unless the samples might
   * then be off by more than `tolerance`: root mean square over any block, in levels. Every such
   * coefficient is off by one quantisation step at most, and one of `q` changes the samples by
   * `q / 8` (Parseval's theorem; T.81 A.3.3).
   */
  omitLastBits({ first, last }: { first: number; last: number }, tolerance: number): boolean {
    if (this.#quant === null || this.dequant === null || this.lastNeeded >= 32) return false;
    let error = this.#omittedError;
    const to = Math.min(last, this.lastNeeded);
    for (let k = first; k <= to; k++) {
      if (this.zigzag[k] !== UNUSED_SLOT) error += (this.#quant[k] / 8) ** 2;
    }
    if (error > tolerance ** 2) return false;
    this.#omittedError = error;
    for (let k = first; k <= to; k++) this.halfSteps[k] = this.dequant[k] >> 1;
    return true;
  }

  /** Allocates `plane` for one MCU row, or for all. */
  allocatePlane(wholePicture: boolean): void {
    const rows = wholePicture ? this.blocksPerColumn * this.size : this.rowsPerMcu;
    this.plane = new Uint8Array((rows + 1) * this.stride);
  }

  /** Allocates the coefficients of the whole picture. */
  allocateCoefficients(): void {
    const blocks = this.blocksPerLine * this.blocksPerColumn;
    this.coefficients = new Int16Array(blocks * this.coefficientCount);
    this.nonzero = new Int32Array(blocks * 2);
  }

  /** Bytes that `allocatePlane` takes. */
  planeBytes(wholePicture: boolean): number {
    const rows = wholePicture ? this.blocksPerColumn * this.size : this.rowsPerMcu;
    return (rows + 1) * this.stride;
  }

  /** Bytes that `allocateCoefficients` takes. */
  coefficientBytes(): number {
    return this.blocksPerLine * this.blocksPerColumn * (this.coefficientCount * 2 + 8);
  }
}

/**
 * The block size of a component. A subsampled component is decoded larger where that makes it as
 * large as the others: 4:2:0 at 1/2 takes 4×4 samples from a luma block and 8×8 from a chroma
 * block, and nothing needs to be interpolated (as libjpeg does, jdmaster.c).
 */
function chooseBlockSize(
  options: { h: number; v: number; hMax: number; vMax: number; minSize: number },
): number {
  const { h, v, hMax, vMax, minSize } = options;
  let size = minSize;
  while (
    size <= 4 && (hMax * minSize) % (h * size * 2) === 0 && (vMax * minSize) % (v * size * 2) === 0
  ) size *= 2;
  return size;
}

function reduce(numerator: number, denominator: number): [number, number] {
  let a = numerator;
  let b = denominator;
  while (b > 0) [a, b] = [b, a % b];
  return [numerator / a, denominator / a];
}
