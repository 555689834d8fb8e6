/** Drops what was put into a map first, until one more entry leaves it at `capacity` or below. */
export function makeRoom(map: Map<string, unknown>, capacity: number): void {
  while (map.size >= capacity && map.size > 0) map.delete(map.keys().next().value!);
}
