import type { Component } from "./component.ts";
import { JpegError } from "./jpeg_error.ts";
import type { MarkerReader, ScanHeader } from "./marker_reader.ts";
import type { StripWriter } from "./strip_writer.ts";

/** The MCUs of a picture, and which of them the region touches (`to` is exclusive). */
export interface McuRange {
  readonly mcusPerLine: number;
  readonly mcuRows: number;
  readonly fromColumn: number;
  readonly toColumn: number;
  readonly fromRow: number;
  readonly toRow: number;
}

/** What the sequential and the progressive decoder start from. */
export interface DecodeJob {
  readonly reader: MarkerReader;
  readonly firstScan: ScanHeader;
  readonly components: readonly Component[];
  readonly range: McuRange;
  readonly maxScans: number;
  /** See `DecodeJpegOptions.tolerance`. */
  readonly tolerance: number;
  /** Bytes that planes and coefficients may take. */
  readonly budget: number;
  /** Announces the picture to the sink; called once the buffers are allocated. */
  readonly writer: () => StripWriter;
}

/** The size of a scan in MCUs (T.81 A.2). */
export function scanSize(
  parts: readonly Component[],
  range: McuRange,
): { columns: number; rows: number } {
  if (parts.length > 1) return { columns: range.mcusPerLine, rows: range.mcuRows };
  return { columns: parts[0].realBlocksPerLine, rows: parts[0].realBlocksPerColumn };
}

/** Throws `corrupt` when a scan has more blocks per MCU than T.81 B.2.3 allows. */
export function checkInterleave(parts: readonly Component[]): void {
  const blocks = parts.reduce((sum, { frame }) => sum + frame.h * frame.v, 0);
  if (parts.length > 1 && blocks > 10) {
    throw new JpegError("corrupt", "A scan has more than 10 blocks in an MCU");
  }
}

/** Throws `budget` when `bytes` do not fit. */
export function checkBudget(bytes: number, budget: number): void {
  if (bytes > budget) {
    throw new JpegError("budget", "Decoding needs more memory than it may take");
  }
}
