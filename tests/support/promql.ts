/** Enough of PromQL to say which metrics a query names. */

const WORDS = new Set(
  "and or unless by without on ignoring group_left group_right bool offset inf nan".split(" "),
);

/** The names of metrics in a query: what is no function, keyword, label, string or variable. */
export function listMetricNames(query: string): string[] {
  const bare = query
    .replace(/"(?:[^"\\]|\\.)*"/g, "")
    .replace(/\{[^}]*\}/g, "")
    .replace(/\[[^\]]*\]/g, "")
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, "")
    .replace(/\$\w+/g, "")
    .replace(/\b\d[\w.]*/g, "");
  const names = [...bare.matchAll(/[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])/g)].map(([name]) => name);
  return [...new Set(names.filter((name) => !WORDS.has(name.toLowerCase())))];
}
