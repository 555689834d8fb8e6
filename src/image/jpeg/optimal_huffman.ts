import type { HuffmanSpec } from "./standard_tables.ts";

/** Longest code that a JPEG may use. */
const MAX_LENGTH = 16;

/**
 * The Huffman code of at most 16 bits for the counted symbols (T.81 K.2), none of them all ones.
 * `counts[symbol]` says how often a symbol occurs; at least one must.
 */
export function buildOptimalCode(counts: Int32Array): HuffmanSpec {
  // Symbol 256 takes the code of all ones, which the standard forbids.
  const weights = Float64Array.from({ length: 257 }, (_, symbol) => counts[symbol] ?? 0);
  weights[256] = 1;
  const lengths = limitLengths(countLengths(mergeWeights(weights)));
  const used = Array.from(counts.subarray(0, 256), (_, symbol) => symbol)
    .filter((symbol) => counts[symbol] > 0)
    .sort((a, b) => counts[b] - counts[a] || a - b);
  return { counts: lengths, symbols: Uint8Array.from(used) };
}

/** Depth in the Huffman tree of every symbol that has a weight, 0 of others (figure K.1). */
function mergeWeights(weights: Float64Array): Int32Array {
  const depths = new Int32Array(257);
  // Symbols of one subtree are linked, so that all go one level down when it is merged.
  const next = new Int32Array(257).fill(-1);
  const roots: number[] = [];
  for (let symbol = 0; symbol <= 256; symbol++) if (weights[symbol] > 0) roots.push(symbol);
  while (roots.length > 1) {
    const [a, b] = takeLightest(roots, weights);
    weights[a] += weights[b];
    let tail = a;
    for (let symbol = a; symbol >= 0; symbol = next[symbol]) {
      depths[symbol]++;
      tail = symbol;
    }
    next[tail] = b;
    for (let symbol = b; symbol >= 0; symbol = next[symbol]) depths[symbol]++;
    roots.push(a);
  }
  return depths;
}

/** Removes the two lightest roots; of equal ones those with the larger symbols. */
function takeLightest(roots: number[], weights: Float64Array): [number, number] {
  const taken: number[] = [];
  for (let i = 0; i < 2; i++) {
    let best = 0;
    for (let j = 1; j < roots.length; j++) {
      const difference = weights[roots[j]] - weights[roots[best]];
      if (difference < 0 || (difference === 0 && roots[j] > roots[best])) best = j;
    }
    taken.push(roots[best]);
    roots[best] = roots[roots.length - 1];
    roots.pop();
  }
  return [taken[0], taken[1]];
}

function countLengths(depths: Int32Array): Int32Array {
  const lengths = new Int32Array(258);
  for (const depth of depths) if (depth > 0) lengths[depth]++;
  return lengths;
}

/** Shortens codes to 16 bits and takes the reserved one away (figure K.3). */
function limitLengths(lengths: Int32Array): Uint8Array {
  for (let length = lengths.length - 1; length > MAX_LENGTH; length--) {
    while (lengths[length] > 0) {
      let shorter = length - 2;
      while (lengths[shorter] === 0) shorter--;
      lengths[length] -= 2;
      lengths[length - 1]++;
      lengths[shorter + 1] += 2;
      lengths[shorter]--;
    }
  }
  let longest = MAX_LENGTH;
  while (lengths[longest] === 0) longest--;
  lengths[longest]--;
  return Uint8Array.from(lengths.subarray(1, MAX_LENGTH + 1));
}
