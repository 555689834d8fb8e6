import type { Strip, StripSink } from "../strip.ts";
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
  readonly #pixels: Float64Array;
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
    },
  ) {
    const { components, region, mcuHeight, smooth } = picture;
    this.#span = { x: region.x, count: region.width };
    this.#channels = components.map((component) => {
      const kind = chooseUpsampling(component, smooth);
      const line = new Uint8Array(kind === "direct" ? 0 : region.width);
      return { component, kind, line, samples: { bytes: line, at: 0 } };
    });
    this.#lag = this.#channels.some(({ kind }) => needsNeighbourRow(kind)) ? 1 : 0;
    this.#pixels = new Float64Array((mcuHeight + this.#lag) * region.width);
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
    if (from < to) {
      for (let y = from; y < to; y++) {
        this.#packRow(y, { firstRow: wholePlanes ? 0 : row, at: (y - from) * region.width });
      }
      const strip = this.#strip;
      strip.y = from - region.y;
      strip.rows = to - from;
      if (!this.sink.write(strip as Strip)) return false;
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
    for (let i = 0; i < channels.length; i++) this.#loadLine(channels[i], y, options.firstRow);
    const target: PackTarget = { pixels: this.#pixels, at: options.at, count: this.#span.count };
    const lines = channels.map(({ samples }) => samples);
    const { color, inverted } = this.picture.header;
    if (color === "gray") packGray(target, lines[0]);
    else if (color === "cmyk") packCmyk(target, lines, { inverted });
    else if (color === "ycck") packYcck(target, lines, { inverted });
    else packThree(target, lines);
  }

  /** Makes `samples` of a channel hold the values of output row `y`. */
  #loadLine(channel: Channel, y: number, firstRow: number): void {
    const { component, kind, line, samples } = channel;
    const { stride, height, vNum, vDen, rowsPerMcu } = component;
    const options = { span: this.#span, line };
    // Plane row 0 is the row before the first one of MCU row `firstRow`.
    const top = 1 - firstRow * rowsPerMcu;
    const near = Math.min(Math.floor((y * vDen) / vNum), height - 1);
    const nearAt = (near + top) * stride;
    if (kind === "direct") {
      samples.bytes = component.plane;
      samples.at = nearAt + this.#span.x;
      return;
    }
    if (kind === "nearest") upsampleNearest(component, nearAt, options);
    else if (kind === "triangle-h") upsampleTriangleH(component, nearAt, options);
    else {
      const below = (y & 1) === 1;
      const far = Math.min(Math.max(below ? near + 1 : near - 1, 0), height - 1);
      const rows = { near: nearAt, far: (far + top) * stride, below };
      if (kind === "triangle-v") upsampleTriangleV(component, rows, options);
      else upsampleTriangleHv(component, rows, options);
    }
  }
}
