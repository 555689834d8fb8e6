/** Reads `raw/00/` … `raw/ff/` as the number of a shard, 0 to 255; null when it is none. */
export function parseShardPrefix(text: string): number | null {
  const match = /^raw\/([0-9a-f]{2})\/$/.exec(text);
  return match ? parseInt(match[1], 16) : null;
}
