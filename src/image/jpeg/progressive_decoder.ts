import { BitReader } from "./bit_reader.ts";
import type { Component } from "./component.ts";
import { checkBudget, checkInterleave, type DecodeJob, scanSize } from "./decode_job.ts";
import { block } from "./inverse_dct.ts";
import { inverseDct } from "./inverse_dct_reduced.ts";
import { JpegError } from "./jpeg_error.ts";
import type { ScanHeader } from "./marker_reader.ts";
import { decodeAcRefine, maskBelow } from "./progressive_refine.ts";
import { type BlockRun, decodeAcFirst, decodeDcFirst, decodeDcRefine } from "./progressive_scan.ts";
import { RestartCounter } from "./restart_counter.ts";
import { planScans } from "./scan_plan.ts";

/**
 * Decodes a progressive picture (T.81 annex G): keeps the coefficients that the scale needs,
 * reads the scans that matter, then transforms MCU row by MCU row.
 */
export function decodeProgressive(job: DecodeJob): void {
  const { reader, components, range, maxScans } = job;
  checkBudget(
    components.reduce((sum, part) => sum + part.planeBytes(false) + part.coefficientBytes(), 0),
    job.budget,
  );
  const needed = planScans(reader.bytes, { components, maxScans, tolerance: job.tolerance });
  for (const component of components) {
    component.allocatePlane(false);
    component.allocateCoefficients();
  }
  let scan: ScanHeader | null = job.firstScan;
  for (let index = 0; scan; index++) {
    if (needed[index]) reader.position = decodeScan(job, scan);
    else reader.skipEntropyCodedData();
    scan = reader.nextScan();
  }
  const writer = job.writer();
  for (let row = range.fromRow; row < range.toRow; row++) {
    for (const component of components) transformMcuRow(component, row, range);
    if (!writer.writeMcuRow(row, false)) return;
  }
}

/** Decodes the bits of one scan and returns the position behind them. */
function decodeScan(job: DecodeJob, scan: ScanHeader): number {
  const { reader: markers } = job;
  const inScan = scan.components.map(({ index }) => job.components[index]);
  checkInterleave(inScan);
  const bits = new BitReader(markers.bytes, markers.position);
  const restarts = new RestartCounter(bits, markers.restartInterval);
  const decodeRun = createRunDecoder(job, scan, bits);
  const { columns, rows } = scanSize(inScan, job.range);
  for (const component of inScan) component.predictor = 0;
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < columns;) {
      const to = at + restarts.take(columns - at, decodeRun.restart);
      decodeRun.run({ row, from: at, to });
      at = to;
    }
  }
  bits.endSegment();
  return bits.position;
}

/** Binds the decoding procedure of a scan to its tables and keeps what lasts between runs. */
function createRunDecoder(
  job: DecodeJob,
  scan: ScanHeader,
  bits: BitReader,
): { run: (run: BlockRun) => void; restart: () => void } {
  const { reader: markers } = job;
  const { first, last, high, low } = scan;
  const parts = scan.components.map(({ index, dc }) => ({
    component: job.components[index],
    dc: first === 0 && high === 0 ? markers.huffmanTable("dc", dc) : null,
  }));
  const components = parts.map(({ component }) => component);
  const resetPredictors = () => components.forEach((component) => component.predictor = 0);
  if (first === 0) {
    return {
      restart: resetPredictors,
      run: high === 0
        ? (run) => decodeDcFirst(bits, parts, { run, low })
        : (run) => decodeDcRefine(bits, components, { run, low }),
    };
  }
  const part = {
    component: components[0],
    ac: markers.huffmanTable("ac", scan.components[0].ac),
  };
  const band = { first, last, low };
  const decode = high === 0 ? decodeAcFirst : decodeAcRefine;
  let endRun = 0;
  return {
    restart: () => endRun = 0,
    run: (run) => {
      endRun = decode(bits, part, { run, band, endRun });
    },
  };
}

/** Turns the coefficients of one MCU row of a component into samples. */
function transformMcuRow(
  component: Component,
  row: number,
  range: { fromColumn: number; toColumn: number },
): void {
  const { stride, size, frame: { h, v }, blocksPerLine, dequant, zigzag } = component;
  const { coefficients, coefficientCount: stored, nonzero, halfSteps } = component;
  if (dequant === null) {
    throw new JpegError("corrupt", "A scan uses an undefined quantisation table");
  }
  const storedLow = maskBelow(stored);
  const storedHigh = maskBelow(stored - 32);
  for (let y = 0; y < v; y++) {
    const line = (row * v + y) * blocksPerLine;
    const top = (1 + y * size) * stride;
    for (let x = range.fromColumn * h; x < range.toColumn * h; x++) {
      const at = line + x;
      const from = at * stored;
      block[0] = Math.imul(coefficients[from], dequant[0]);
      let last = 0;
      if (stored > 1) {
        let rest = nonzero[2 * at] & storedLow;
        while (rest !== 0) {
          const bit = rest & -rest;
          rest ^= bit;
          last = 31 - Math.clz32(bit);
          const value = coefficients[from + last];
          const sign = value >> 31;
          block[zigzag[last]] += Math.imul(value, dequant[last]) +
            ((halfSteps[last] ^ sign) - sign);
        }
        rest = nonzero[2 * at + 1] & storedHigh;
        while (rest !== 0) {
          const bit = rest & -rest;
          rest ^= bit;
          last = 63 - Math.clz32(bit);
          block[zigzag[last]] += Math.imul(coefficients[from + last], dequant[last]);
        }
      }
      inverseDct(component, top + x * size, last);
    }
  }
}
