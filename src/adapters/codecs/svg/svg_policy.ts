/**
 * What may stay in an SVG that is drawn: elements, attributes and references, by allow-lists.
 *
 * @module
 */

/** Budgets on SVG documents. */
export const SVG_LIMITS = {
  /** Largest document. */
  documentBytes: 8 << 20,
  /** Largest document after entities are filled in. */
  outputChars: 16 << 20,
  /** Elements, and elements drawn once `use` and patterns are followed. */
  elements: 100_000,
  drawnElements: 250_000,
  /** Nesting: each level may take a layer of the canvas, and the renderer recurses. */
  depth: 64,
  /** Entities declared in the document, and the length of one. */
  entities: 64,
  entityChars: 1_024,
  /** Pixels of all embedded raster images together. */
  embeddedPixels: 25_000_000,
} as const;

export const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
export const XLINK_NAMESPACE = "http://www.w3.org/1999/xlink";

const ELEMENTS = new Set(
  ("a circle clipPath defs ellipse filter g image line linearGradient marker mask path pattern " +
    "polygon polyline radialGradient rect stop style svg switch symbol text textPath tspan use " +
    "feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting " +
    "feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR " +
    "feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting " +
    "feSpotLight feTile feTurbulence").split(" "),
);

/** Whether an element, with all that is in it, may stay. Not so script, foreignObject, feImage. */
export function allowsElement(local: string, uri: string): boolean {
  return (uri === SVG_NAMESPACE || uri === "") && ELEMENTS.has(local);
}

const DATA_IMAGE = /^\s*data:image\/(?:png|jpe?g|gif|webp);base64,/i;

/** A reference that may stay: into the document, or for images raster data to be checked. */
export function allowsHref(local: string, value: string): "inside" | "image" | null {
  if (/^\s*#/.test(value)) return "inside";
  return local === "image" && DATA_IMAGE.test(value) ? "image" : null;
}

/** The bytes of a `data:` image; null when it is no base64. */
export function decodeDataImage(href: string): Uint8Array | null {
  try {
    return Uint8Array.from(
      atob(href.replace(DATA_IMAGE, "").replace(/\s+/g, "")),
      (char) => char.charCodeAt(0),
    );
  } catch {
    return null;
  }
}

/** Whether a style or presentation attribute refers to nothing outside the document. */
export function allowsValue(value: string): boolean {
  return !/@import|expression\s*\(|javascript:/i.test(value) && !hasOutsideUrl(value);
}

/** CSS escapes could hide a `url(`: text with a backslash before it counts as one. */
function hasOutsideUrl(value: string): boolean {
  if (value.includes("\\")) return true;
  for (const match of value.matchAll(/url\(\s*["']?\s*(.)/gi)) {
    if (match[1] !== "#") return true;
  }
  return /url\(\s*["']?\s*$/i.test(value);
}

/** The ids that an attribute refers to. */
export function referencedIds(name: string, value: string): string[] {
  if (name === "href") return /^\s*#/.test(value) ? [value.trim().slice(1)] : [];
  return [...value.matchAll(/url\(\s*["']?#([^"')]+)/gi)].map((match) => match[1].trim());
}
