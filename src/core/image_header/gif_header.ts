/**
 * GIF: canvas, frames, transparency (GIF89a specification).
 *
 * @module
 */

import { buildImageFacts, type ImageFacts } from "../image_facts.ts";
import { u16le } from "./byte_order.ts";
import { type HeaderReader, PROBE_LIMITS, truncated, undecodable } from "./header_reader.ts";
import { hasCode } from "../../errors.ts";

interface GifScan {
  frames: number;
  /** Of the first frame. */
  first: { left: number; top: number; width: number; height: number; interlaced: boolean } | null;
  transparent: boolean;
  /** Of the graphic control extension that waits for its frame. */
  pendingTransparent: boolean;
}

/**
 * Reads the canvas and walks the blocks to count frames. A file that is cut off, or that costs more
 * than {@linkcode PROBE_LIMITS} to walk, reports the frames that were seen.
 */
export async function parseGifHeader(reader: HeaderReader): Promise<ImageFacts> {
  const screen = await reader.load(0, 13);
  let width = u16le(screen, 6);
  let height = u16le(screen, 8);
  const flags = screen[10];
  const scan: GifScan = { frames: 0, first: null, transparent: false, pendingTransparent: false };
  try {
    await walkBlocks(reader, { from: 13 + colorTableBytes(flags), scan });
  } catch (error) {
    const partial = hasCode(error, "image_truncated") || hasCode(error, "image_budget_exceeded");
    if (!partial || !scan.first) throw error;
  }
  const first = scan.first;
  if (!first) throw undecodable("The GIF has no frame");
  // A canvas of zero is a known writer's bug; viewers take the first frame's extent instead.
  if (width === 0) width = first.left + first.width;
  if (height === 0) height = first.top + first.height;
  if (width === 0 || height === 0 || first.width === 0 || first.height === 0) {
    throw undecodable("The GIF has an empty frame");
  }
  const covered = first.left === 0 && first.top === 0 && first.width >= width &&
    first.height >= height;
  return buildImageFacts({
    format: "gif",
    width,
    height,
    frames: scan.frames,
    bitDepth: 8,
    colorModel: "palette",
    hasAlpha: scan.transparent || !covered,
    progressive: first.interlaced,
    compression: "lzw",
  });
}

function colorTableBytes(flags: number): number {
  return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
}

async function walkBlocks(
  reader: HeaderReader,
  options: { from: number; scan: GifScan },
): Promise<void> {
  const { scan } = options;
  let at = options.from;
  while (scan.frames < PROBE_LIMITS.frames) {
    reader.step();
    const kind = (reader.peek(at, 1) ?? await reader.load(at, 1))[0];
    if (kind === 0x3b) return;
    if (kind === 0x21) {
      const head = reader.peek(at, 4) ?? await reader.load(at, 4);
      if (head[1] === 0xf9 && head[2] >= 4) scan.pendingTransparent = (head[3] & 1) === 1;
      at = await skipSubBlocks(reader, at + 2);
    } else if (kind === 0x2c) {
      const flags = readFrame(reader.peek(at, 10) ?? await reader.load(at, 10), scan);
      at = await skipSubBlocks(reader, at + 10 + colorTableBytes(flags) + 1);
    } else if (scan.first) {
      // Trailing rubbish after the frames: viewers stop here.
      return;
    } else {
      throw undecodable("The GIF has an unknown block");
    }
  }
}

function readFrame(descriptor: Uint8Array, scan: GifScan): number {
  const flags = descriptor[9];
  scan.frames++;
  if (!scan.first) {
    scan.first = {
      left: u16le(descriptor, 1),
      top: u16le(descriptor, 3),
      width: u16le(descriptor, 5),
      height: u16le(descriptor, 7),
      interlaced: (flags & 0x40) !== 0,
    };
    scan.transparent = scan.pendingTransparent;
  }
  scan.pendingTransparent = false;
  return flags;
}

async function skipSubBlocks(reader: HeaderReader, from: number): Promise<number> {
  let at = from;
  for (;;) {
    reader.step();
    if (at >= reader.size) throw truncated();
    const length = (reader.peek(at, 1) ?? await reader.load(at, 1))[0];
    at += 1 + length;
    if (length === 0) return at;
  }
}
