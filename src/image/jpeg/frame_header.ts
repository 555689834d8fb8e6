import { JpegError } from "./jpeg_error.ts";

/** Which colours the components of a frame are. `cmyk` and `ycck` values may be inverted. */
export type JpegColor = "gray" | "ycc" | "rgb" | "cmyk" | "ycck";

/** One component of the frame header (T.81 B.2.2). */
export interface FrameComponent {
  readonly id: number;
  /** Horizontal sampling factor, 1–4. */
  readonly h: number;
  /** Vertical sampling factor, 1–4. */
  readonly v: number;
  /** Index of the quantisation table, 0–3. */
  readonly quantIndex: number;
}

/** What the frame header and the application markers before it say about a picture. */
export interface JpegHeader {
  /** Pixels per line, 1–65535. */
  readonly width: number;
  /** Lines, 1–65535; taken from the DNL segment when the frame header leaves it open. */
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly FrameComponent[];
  readonly color: JpegColor;
  /** Whether 255 means no ink in `cmyk` and `ycck`, as Adobe's programs write it. */
  readonly inverted: boolean;
}

/** What decides the colours besides the frame header itself. */
export interface ColorMarkers {
  /** Whether a JFIF APP0 segment was seen. */
  jfif: boolean;
  /** The transform byte of an Adobe APP14 segment, -1 when there was none. */
  adobeTransform: number;
}

const KIND_OF_REFUSED_FRAME: Readonly<Record<number, string>> = {
  0xc3: "lossless",
  0xc5: "hierarchical",
  0xc6: "hierarchical",
  0xc7: "hierarchical",
  0xc9: "arithmetic-coded",
  0xca: "arithmetic-coded",
  0xcb: "arithmetic-coded",
  0xcd: "arithmetic-coded",
  0xce: "arithmetic-coded",
  0xcf: "arithmetic-coded",
};

/** Whether a marker starts a frame (T.81 table B.1); DHT, JPG and DAC lie in the same range. */
export function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/**
 * Parses a start-of-frame segment (T.81 B.2.2), `payload` being what follows its length.
 * A height of 0 is passed on: the caller looks for the DNL segment.
 * Throws `unsupported` for the processes that are not read, `corrupt` for impossible values.
 */
export function parseFrame(
  marker: number,
  payload: Uint8Array,
): Pick<JpegHeader, "width" | "height" | "progressive" | "components"> {
  const refused = KIND_OF_REFUSED_FRAME[marker];
  if (refused) throw new JpegError("unsupported", `A ${refused} JPEG is not supported`);
  if (payload.length < 6) throw new JpegError("corrupt", "The frame header is too short");
  const precision = payload[0];
  if (precision !== 8) {
    throw new JpegError("unsupported", `A JPEG of ${precision} bits is not supported`);
  }
  const height = (payload[1] << 8) | payload[2];
  const width = (payload[3] << 8) | payload[4];
  if (width === 0) throw new JpegError("corrupt", "The frame header has a width of 0");
  const count = payload[5];
  if (payload.length < 6 + 3 * count) {
    throw new JpegError("corrupt", "The frame header is too short");
  }
  if (count !== 1 && count !== 3 && count !== 4) {
    throw new JpegError("unsupported", `A JPEG of ${count} components is not supported`);
  }
  const components: FrameComponent[] = [];
  for (let i = 0; i < count; i++) {
    const at = 6 + 3 * i;
    const h = payload[at + 1] >> 4;
    const v = payload[at + 1] & 15;
    const quantIndex = payload[at + 2];
    if (h < 1 || h > 4 || v < 1 || v > 4) {
      throw new JpegError("corrupt", "A sampling factor is not between 1 and 4");
    }
    if (quantIndex > 3) throw new JpegError("corrupt", "A quantisation table index is above 3");
    // A scan of one component is never interleaved (T.81 A.2.2): the factors then mean nothing.
    components.push(
      count === 1
        ? { id: payload[at], h: 1, v: 1, quantIndex }
        : { id: payload[at], h, v, quantIndex },
    );
  }
  return { width, height, progressive: marker === 0xc2, components };
}

/**
 * Tells what colours the components are. The standard leaves it open; this follows JFIF 1.02,
 * Adobe Technical Note 5116 and, where they say nothing, libjpeg.
 */
export function decideColor(
  components: readonly FrameComponent[],
  markers: ColorMarkers,
): Pick<JpegHeader, "color" | "inverted"> {
  const { jfif, adobeTransform } = markers;
  const adobe = adobeTransform >= 0;
  if (components.length === 1) return { color: "gray", inverted: false };
  if (components.length === 4) {
    return { color: adobe && adobeTransform !== 0 ? "ycck" : "cmyk", inverted: adobe };
  }
  if (jfif) return { color: "ycc", inverted: false };
  if (adobe) return { color: adobeTransform === 0 ? "rgb" : "ycc", inverted: false };
  const ids = String.fromCharCode(...components.map((component) => component.id));
  return { color: ids === "RGB" ? "rgb" : "ycc", inverted: false };
}
