/**
 * How many elements a renderer would draw once references are followed: the measure of a document
 * in which every `use` holds ten others (XML's billion laughs without an entity).
 *
 * @module
 */

/** One element in document order. */
export interface SvgNode {
  readonly id: string | null;
  /** Ids that it refers to, each as often as it is drawn. */
  readonly references: readonly string[];
  /** How often a reference of this element is drawn: once, or once for each vertex. */
  readonly repeats: number;
  /** Index after its last descendant. Set when it is closed. */
  end: number;
}

/** Counts drawn elements; `Infinity` once `limit` is passed. References in a circle count once. */
export function countDrawnElements(nodes: readonly SvgNode[], limit: number): number {
  const indexById = new Map<string, number>();
  nodes.forEach((node, i) => {
    if (node.id !== null && !indexById.has(node.id)) indexById.set(node.id, i);
  });
  const counts = new Map<number, number>();
  const open = new Set<number>();

  function count(from: number): number {
    const known = counts.get(from);
    if (known !== undefined) return known;
    if (open.has(from)) return 0;
    open.add(from);
    let sum = 0;
    for (let i = from; i < nodes[from].end; i++) {
      const node = nodes[i];
      sum++;
      for (const id of node.references) {
        const target = indexById.get(id);
        if (target !== undefined) sum += node.repeats * count(target);
      }
      if (sum > limit) {
        sum = Infinity;
        break;
      }
    }
    open.delete(from);
    counts.set(from, sum);
    return sum;
  }
  return nodes.length === 0 ? 0 : count(0);
}
