import type { Component } from "./component.ts";
import type { JpegHeader } from "./frame_header.ts";
import {
  packCmyk,
  packGray,
  type PackTarget,
  packThree,
  packYcck,
  type SampleLine,
} from "./pack_row.ts";
import { packTriangleH, packTriangleHv } from "./pack_triangle.ts";
import type { InkMixer, StripSink } from "./ports.ts";
import {
  chooseUpsampling,
  needsNeighbourRow,
  type PixelSpan,
  type UpsampleKind,
  upsampleNearest,
  upsampleTriangleH,
  upsampleTriangleHv,
  upsampleTriangleV,
} from "./upsample.ts";

/** A strip of more bytes would leave the processor's cache before the sink reads it. */
const STRIP_BYTES = 128 * 1024;

/** Bytes that a writer of rows of `width` pixels allocates at most. */
export function stripBytes(width: number): number {
  return Math.max(STRIP_BYTES, 8 * width) + 4 * width;
}

/** A rectangle of output pixels. */
export interface JpegRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Channel {
  readonly component: Component;
  readonly kind: UpsampleKind;
  /** Holds the upsampled line; unused for `direct`. */
  readonly line: Uint8Array;
  readonly samples: SampleLine;
}

/**
 * Turns decoded planes into packed strips: upsampling, colour, and the rows of the region.
 *
 * Vertical interpolation needs the first sample row of the next MCU row, so the last output row
 * of an MCU row is then written together with the next one.
 */
export class StripWriter {
  /** Output rows that wait for the next MCU row: 0 or 1. */
  readonly #lag: number;
  readonly #channels: readonly Channel[];
  /** Rows that one strip holds at most. */
  readonly #stripRows: number;
  readonly #pixels: Float64Array;
  readonly #lines: readonly SampleLine[];
  /** How chroma is packed together with luma; null when every channel gets a line of its own. */
  readonly #fused: typeof packTriangleH | null;
  readonly #span: PixelSpan;
  readonly #strip: { y: number; rows: number; color: Float64Array; alpha: null };

  constructor(
    readonly sink: StripSink,
    readonly picture: {
      readonly header: JpegHeader;
      readonly components: readonly Component[];
      readonly region: JpegRegion;
      /** Rows of the whole picture and of one MCU row, in output pixels. */
      readonly height: number;
      readonly mcuHeight: number;
      readonly smooth: boolean;
      readonly mixer: InkMixer | null;
    },
  ) {
    const { components, region, mcuHeight, smooth } = picture;
    this.#span = { x: region.x, count: region.width };
    this.#channels = components.map((component) => {
      const kind = chooseUpsampling(component, smooth);
      const line = new Uint8Array(kind === "direct" ? 0 : region.width);
      return { component, kind, line, samples: { bytes: line, at: 0 } };
    });
    this.#lines = this.#channels.map(({ samples }) => samples);
    this.#fused = chooseFused(this.#channels);
    this.#lag = this.#channels.some(({ kind }) => needsNeighbourRow(kind)) ? 1 : 0;
    this.#stripRows = Math.min(
      mcuHeight + this.#lag,
      Math.max(1, Math.floor(STRIP_BYTES / (8 * region.width))),
    );
    this.#pixels = new Float64Array(this.#stripRows * region.width);
    this.#strip = { y: 0, rows: 0, color: this.#pixels, alpha: null };
  }

  /**
   * Writes the rows that MCU row `row` completes. `wholePlanes` says that planes hold the whole
   * picture and not one MCU row. Returns false when the sink, or the region, needs no more.
   */
  writeMcuRow(row: number, wholePlanes: boolean): boolean {
    const { region, height, mcuHeight } = this.picture;
    const lag = this.#lag;
    const end = (row + 1) * mcuHeight >= height ? height : (row + 1) * mcuHeight - lag;
    const from = Math.max(row * mcuHeight - (row > 0 ? lag : 0), region.y);
    const to = Math.min(end, region.y + region.height);
    const strip = this.#strip;
    for (let top = from; top < to; top += strip.rows) {
      strip.y = top - region.y;
      strip.rows = Math.min(this.#stripRows, to - top);
      for (let i = 0; i < strip.rows; i++) {
        this.#packRow(top + i, { firstRow: wholePlanes ? 0 : row, at: i * region.width });
      }
      if (!this.sink.write(strip)) return false;
    }
    if (!wholePlanes && lag > 0) {
      for (const { component } of this.#channels) {
        const last = component.rowsPerMcu * component.stride;
        component.plane.copyWithin(0, last, last + component.stride);
      }
    }
    return end < region.y + region.height;
  }

  #packRow(y: number, options: { firstRow: number; at: number }): void {
    const channels = this.#channels;
    const { firstRow, at } = options;
    const target: PackTarget = { pixels: this.#pixels, at, count: this.#span.count };
    const lines = this.#lines;
    this.#loadLine(channels[0], y, firstRow);
    if (this.#fused) {
      const [, { component: cb }, { component: cr }] = channels;
      const rows = nearestRows(cb, y, firstRow);
      this.#fused(target, lines[0], { pair: { cb, cr }, rows, x: this.#span.x });
      return;
    }
    for (let i = 1; i < channels.length; i++) this.#loadLine(channels[i], y, firstRow);
    const { color, inverted } = this.picture.header;
    const { mixer } = this.picture;
    if (color === "gray") packGray(target, lines[0]);
    else if (color === "cmyk") packCmyk(target, lines, { inverted, mixer });
    else if (color === "ycck") packYcck(target, lines, { inverted, mixer });
    else packThree(target, lines);
  }

  /** Makes `samples` of a channel hold the values of output row `y`. */
  #loadLine(channel: Channel, y: number, firstRow: number): void {
    const { component, kind, line, samples } = channel;
    const options = { span: this.#span, line };
    const rows = nearestRows(component, y, firstRow);
    if (kind === "direct") {
      samples.bytes = component.plane;
      samples.at = rows.near + this.#span.x;
    } else if (kind === "nearest") upsampleNearest(component, rows.near, options);
    else if (kind === "triangle-h") upsampleTriangleH(component, rows.near, options);
    else if (kind === "triangle-v") upsampleTriangleV(component, rows, options);
    else upsampleTriangleHv(component, rows, options);
  }
}

/**
 * Where in the plane the sample rows for output row `y` begin: the nearest one, and the one on the
 * other side of `y` (the same one at the edges of the picture). Plane row 0 is the row before the
 * first one of MCU row `firstRow`.
 */
function nearestRows(
  component: Component,
  y: number,
  firstRow: number,
): { near: number; far: number; below: boolean } {
  const { stride, height, vNum, vDen, rowsPerMcu } = component;
  const top = 1 - firstRow * rowsPerMcu;
  const near = Math.min(Math.floor((y * vDen) / vNum), height - 1);
  const below = (y & 1) === 1;
  const far = Math.min(Math.max(below ? near + 1 : near - 1, 0), height - 1);
  return { near: (near + top) * stride, far: (far + top) * stride, below };
}

function chooseFused(channels: readonly Channel[]): typeof packTriangleH | null {
  if (channels.length !== 3 || channels[0].kind !== "direct") return null;
  if (channels[1].kind !== channels[2].kind) return null;
  if (channels[1].kind === "triangle-h") return packTriangleH;
  return channels[1].kind === "triangle-hv" ? packTriangleHv : null;
}
