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
 * Throws `corrupt` for scans that do not fit together, `budget` for too many, `truncated` when
 * there is neither an end-of-image marker nor a complete picture.
 */
export function planScans(
  bytes: Uint8Array,
  options: { components: readonly Component[]; maxScans: number },
): boolean[] {
  const { components, maxScans } = options;
  const reader = new MarkerReader(bytes);
  const history = new ScanHistory(components.length);
  const scans: ScanHeader[] = [];
  for (let scan = reader.nextScan(); scan; scan = reader.nextScan()) {
    if (scans.length === maxScans) throw new JpegError("budget", "The file has too many scans");
    history.add(scan);
    scans.push(scan);
    reader.skipEntropyCodedData();
  }
  if (!history.hasAllComponents() || (!reader.sawEnd && !history.isComplete())) {
    throw new JpegError("truncated", "The file ends before all scans are there");
  }
  if (!reader.sawEnd) return scans.map(() => true);
  return markNeeded(scans, components);
}

function markNeeded(scans: readonly ScanHeader[], components: readonly Component[]): boolean[] {
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
      needed[i] = true;
      if (high > 0) flags.fill(1, first, last + 1);
    }
  }
  return needed;
}
