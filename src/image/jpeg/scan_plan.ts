import type { Component } from "./component.ts";
import { JpegError } from "./jpeg_error.ts";
import { MarkerReader, type ScanHeader } from "./marker_reader.ts";
import { ScanHistory } from "./scan_history.ts";

/**
 * Walks a progressive file once without decoding, checks that its scans make a whole picture, and
 * tells for each scan whether its bits matter at the scale of `components`.
 *
 * A scan matters when it codes a needed coefficient, or when a later scan that matters refines its
 * band: refinement cannot be read without knowing which coefficients are not zero. When the
 * end-of-image marker is missing every scan matters, because only decoding can tell whether the
 * last one is whole.
 *
 * The last bits of coefficients are left out (`Component.omitLastBits`) where that changes samples
 * by less than the tolerance: half of a progressive file are these bits. Latches the quantisation
 * tables of the components on its way.
 *
 * Throws `corrupt` for scans that do not fit together, `budget` for too many, `truncated` when
 * there is neither an end-of-image marker nor a complete picture.
 */
export function planScans(
  bytes: Uint8Array,
  options: { components: readonly Component[]; maxScans: number; tolerance: number },
): boolean[] {
  const { components, maxScans, tolerance } = options;
  const reader = new MarkerReader(bytes);
  const history = new ScanHistory(components.length);
  const scans: ScanHeader[] = [];
  for (let scan = reader.nextScan(); scan; scan = reader.nextScan()) {
    if (scans.length === maxScans) throw new JpegError("budget", "The file has too many scans");
    history.add(scan);
    for (const { index } of scan.components) {
      components[index].latchQuant(reader.quant[components[index].frame.quantIndex]);
    }
    scans.push(scan);
    reader.skipEntropyCodedData();
  }
  if (!history.hasAllComponents() || (!reader.sawEnd && !history.isComplete())) {
    throw new JpegError("truncated", "The file ends before all scans are there");
  }
  if (!reader.sawEnd) return scans.map(() => true);
  return markNeeded(scans, components, tolerance);
}

function markNeeded(
  scans: readonly ScanHeader[],
  components: readonly Component[],
  tolerance: number,
): boolean[] {
  const needed = scans.map(() => false);
  // Last coefficient of each component that matters; grows as refinement scans widen their bands.
  const matters = components.map(({ lastNeeded }) => {
    const flags = new Uint8Array(64);
    return flags.fill(1, 0, lastNeeded + 1);
  });
  for (let i = scans.length - 1; i >= 0; i--) {
    const { components: parts, first, last, high } = scans[i];
    for (const { index } of parts) {
      const flags = matters[index];
      if (!flags.subarray(first, last + 1).includes(1)) continue;
      if (high === 1 && first > 0 && components[index].omitLastBits(scans[i], tolerance)) continue;
      needed[i] = true;
      if (high > 0) flags.fill(1, first, last + 1);
    }
  }
  return needed;
}
