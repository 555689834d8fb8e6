import { BitReader } from "./bit_reader.ts";
import { checkBudget, checkInterleave, type DecodeJob, scanSize } from "./decode_job.ts";
import { JpegError } from "./jpeg_error.ts";
import type { ScanHeader } from "./marker_reader.ts";
import { RestartCounter } from "./restart_counter.ts";
import { buildMcuBlocks, decodeMcus, type McuBlock } from "./sequential_scan.ts";

/**
 * Decodes a baseline or extended picture. When one scan holds all components, rows go to the sink
 * as they are decoded and one MCU row of samples is kept; otherwise the samples of the whole
 * picture are.
 */
export function decodeSequential(job: DecodeJob): void {
  const { reader, components, range, maxScans } = job;
  const interleaved = job.firstScan.components.length === components.length;
  checkBudget(
    components.reduce((sum, component) => sum + component.planeBytes(!interleaved), 0),
    job.budget,
  );
  for (const component of components) component.allocatePlane(!interleaved);
  if (interleaved) {
    const writer = job.writer();
    decodeScan(job, job.firstScan, (row) => writer.writeMcuRow(row, false));
    return;
  }
  let scan: ScanHeader | null = job.firstScan;
  const done = new Set<number>();
  for (let count = 1; done.size < components.length; count++) {
    if (!scan) throw new JpegError("truncated", "The file ends before all components are there");
    if (count > maxScans) throw new JpegError("budget", "The file has too many scans");
    for (const { index } of scan.components) {
      if (done.has(index)) throw new JpegError("corrupt", "A component is coded twice");
      done.add(index);
    }
    reader.position = decodeScan(job, scan, () => true);
    if (done.size < components.length) scan = reader.nextScan();
  }
  const writer = job.writer();
  for (let row = range.fromRow; row < range.toRow; row++) {
    if (!writer.writeMcuRow(row, true)) return;
  }
}

/**
 * Decodes one scan; `onRow` is told of every finished MCU row and stops the scan by returning
 * false. Returns the position behind the scan.
 */
function decodeScan(
  job: DecodeJob,
  scan: ScanHeader,
  onRow: (row: number) => boolean,
): number {
  const { reader: markers, range } = job;
  const parts = scan.components.map(({ index, dc, ac }) => {
    const component = job.components[index];
    component.latchQuant(markers.quant[component.frame.quantIndex]);
    component.predictor = 0;
    return {
      component,
      dc: markers.huffmanTable("dc", dc),
      ac: markers.huffmanTable("ac", ac),
    };
  });
  const inScan = parts.map(({ component }) => component);
  checkInterleave(inScan);
  const wholePlanes = inScan.length < job.components.length;
  const blocks = buildMcuBlocks(parts);
  const bits = new BitReader(markers.bytes, markers.position);
  const restarts = new RestartCounter(bits, markers.restartInterval);
  const onRestart = () => inScan.forEach((component) => component.predictor = 0);
  const { columns, rows } = scanSize(inScan, range);
  for (let row = 0; row < rows; row++) {
    placeBlocks(blocks, { row, wholePlanes });
    const rowWanted = wholePlanes || (row >= range.fromRow && row < range.toRow);
    for (let at = 0; at < columns;) {
      const until = at + restarts.take(columns - at, onRestart);
      if (!rowWanted) decodeMcus(bits, blocks, { from: at, to: until, wanted: false });
      else if (wholePlanes) decodeMcus(bits, blocks, { from: at, to: until, wanted: true });
      else {
        const left = Math.min(Math.max(at, range.fromColumn), until);
        const right = Math.max(Math.min(until, range.toColumn), left);
        if (at < left) decodeMcus(bits, blocks, { from: at, to: left, wanted: false });
        if (left < right) decodeMcus(bits, blocks, { from: left, to: right, wanted: true });
        if (right < until) decodeMcus(bits, blocks, { from: right, to: until, wanted: false });
      }
      at = until;
    }
    if (row === rows - 1) bits.endSegment();
    if (rowWanted && !onRow(row)) return bits.position;
  }
  return bits.position;
}

function placeBlocks(blocks: McuBlock[], options: { row: number; wholePlanes: boolean }): void {
  for (const block of blocks) {
    const { size, stride } = block.component;
    const first = options.wholePlanes ? options.row * block.rowStep : 0;
    block.base = (1 + first + block.row * size) * stride + block.column * size;
  }
}
