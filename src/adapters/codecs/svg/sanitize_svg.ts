/**
 * Rewrites an SVG so that only drawing is left in it: no script, no reference to anything outside,
 * no entity, no foreign markup.
 *
 * @module
 */

import { SaxesParser, type SaxesTagNS } from "saxes";
import { decodeXmlText } from "../../../core/image_header/xml_prolog.ts";
import { memorySource } from "../../../core/image_header/byte_source.ts";
import { probeImage } from "../../../core/image_header/probe_image.ts";
import { AppError } from "../../../errors.ts";
import { countDrawnElements, type SvgNode } from "./drawn_elements.ts";
import {
  allowsElement,
  allowsHref,
  allowsValue,
  decodeDataImage,
  referencedIds,
  SVG_LIMITS,
  SVG_NAMESPACE,
  XLINK_NAMESPACE,
} from "./svg_policy.ts";

/** Text that is kept, or an embedded image that has to be looked at first. */
type Part = string | { readonly dataImage: string };

/**
 * Sanitises a document.
 *
 * @returns The root element as text, in the SVG namespace, without a prolog.
 * @throws {AppError} `image_undecodable` for broken XML and for entities that are not plain text;
 * `image_budget_exceeded` for documents over {@linkcode SVG_LIMITS}.
 */
export async function sanitizeSvg(bytes: Uint8Array): Promise<string> {
  if (bytes.length > SVG_LIMITS.documentBytes) throw overBudget("is too large");
  const text = decodeXmlText(bytes);
  if (text === null) throw broken("is no text");
  const parts = parseParts(text);
  let pixels = 0;
  const kept: string[] = [];
  for (const part of parts) {
    if (typeof part === "string") {
      kept.push(part);
      continue;
    }
    const image = decodeDataImage(part.dataImage);
    const facts = image && await probeImage(memorySource(image)).catch(() => null);
    if (!facts || facts.format === "svg") continue;
    pixels += facts.width * facts.height;
    if (pixels > SVG_LIMITS.embeddedPixels) throw overBudget("embeds too many pixels");
    kept.push(` href="${escapeAttribute(part.dataImage.trim())}"`);
  }
  return kept.join("");
}

function parseParts(text: string): Part[] {
  const writer = new SvgWriter();
  const parser = new SaxesParser({ xmlns: true });
  parser.on("error", (cause) => {
    throw broken("is not well-formed XML", cause);
  });
  parser.on("doctype", (doctype) => {
    Object.assign(parser.ENTITIES, plainEntities(doctype, text));
  });
  parser.on("opentag", (tag) => writer.open(tag));
  parser.on("closetag", () => writer.close());
  parser.on("text", (data) => writer.text(data));
  parser.on("cdata", (data) => writer.text(data));
  parser.write(text).close();
  return writer.finish();
}

/**
 * Entities whose value is plain text, as drawing programs use them for namespaces. Others are left
 * unknown, so that a document that refers to one is not well formed.
 */
function plainEntities(doctype: string, text: string): Record<string, string> {
  if (/<!ENTITY\s+%/.test(doctype)) throw broken("declares parameter entities");
  const entities: Record<string, string> = {};
  let longest = 0;
  const pattern = /<!ENTITY\s+([A-Za-z_:][\w:.-]*)\s+(?:"([^"]*)"|'([^']*)')\s*>/g;
  for (const match of doctype.matchAll(pattern)) {
    const value = match[2] ?? match[3];
    if (/[&<%]/.test(value)) throw broken("declares entities that refer to others");
    if (value.length > SVG_LIMITS.entityChars) throw overBudget("declares long entities");
    entities[match[1]] = value;
    longest = Math.max(longest, value.length);
  }
  const declared = Object.keys(entities).length;
  const references = declared === 0 ? 0 : text.split("&").length - 1;
  if (declared > SVG_LIMITS.entities || references * longest > SVG_LIMITS.outputChars) {
    throw overBudget("uses too many entities");
  }
  return entities;
}

/** Collects what is allowed, and the shape of the document. */
class SvgWriter {
  readonly #parts: Part[] = [];
  readonly #nodes: SvgNode[] = [];
  /** Names of the open elements that are kept. */
  readonly #open: { name: string; node: SvgNode }[] = [];
  /** Depth inside an element that is dropped. */
  #dropped = 0;
  #chars = 0;

  open(tag: SaxesTagNS): void {
    if (this.#dropped > 0 || !allowsElement(tag.local, tag.uri)) {
      this.#dropped++;
      return;
    }
    if (this.#nodes.length >= SVG_LIMITS.elements) throw overBudget("has too many elements");
    if (this.#open.length >= SVG_LIMITS.depth) throw overBudget("is nested too deeply");
    this.#put(`<${tag.local}`);
    if (this.#open.length === 0) this.#put(` xmlns="${SVG_NAMESPACE}"`);
    const node = this.#attributes(tag);
    this.#put(">");
    this.#nodes.push(node);
    this.#open.push({ name: tag.local, node });
  }

  close(): void {
    if (this.#dropped > 0) {
      this.#dropped--;
      return;
    }
    const closed = this.#open.pop();
    if (!closed) return;
    closed.node.end = this.#nodes.length;
    this.#put(`</${closed.name}>`);
  }

  text(data: string): void {
    const parent = this.#open.at(-1)?.name;
    if (this.#dropped > 0 || parent === undefined) return;
    if (parent === "style" && !allowsValue(data)) return;
    this.#put(escapeText(data));
  }

  finish(): Part[] {
    if (this.#parts.length === 0) throw broken("has no root element");
    const drawn = countDrawnElements(this.#nodes, SVG_LIMITS.drawnElements);
    if (drawn > SVG_LIMITS.drawnElements) throw overBudget("draws too many elements");
    return this.#parts;
  }

  #attributes(tag: SaxesTagNS): SvgNode {
    const references: string[] = [];
    let id: string | null = null;
    for (const { local, uri, prefix, value } of Object.values(tag.attributes)) {
      if (prefix === "xmlns" || local === "xmlns") continue;
      // The position of an outermost element means nothing, but here it becomes an inner one.
      if (this.#open.length === 0 && (local === "x" || local === "y")) continue;
      if (local === "href" && (uri === "" || uri === XLINK_NAMESPACE)) {
        const allowed = allowsHref(tag.local, value);
        if (allowed === "image") this.#parts.push({ dataImage: value });
        if (allowed !== "inside") continue;
        references.push(...referencedIds(local, value));
        this.#put(` href="${escapeAttribute(value.trim())}"`);
        continue;
      }
      const space = prefix === "xml" && local === "space";
      if ((uri !== "" && !space) || /^on/i.test(local) || !allowsValue(value)) continue;
      if (local === "id") id = value;
      references.push(...referencedIds(local, value));
      this.#put(` ${space ? "xml:space" : local}="${escapeAttribute(value)}"`);
    }
    return { id, references, repeats: markerRepeats(tag), end: this.#nodes.length + 1 };
  }

  #put(text: string): void {
    this.#chars += text.length;
    if (this.#chars > SVG_LIMITS.outputChars) throw overBudget("is too large");
    this.#parts.push(text);
  }
}

/** A marker is drawn at every vertex; a vertex takes two characters or more. */
function markerRepeats(tag: SaxesTagNS): number {
  const marked = Object.keys(tag.attributes).some((name) => /marker|style|class/.test(name));
  const shape = tag.attributes.d?.value ?? tag.attributes.points?.value ?? "";
  return marked ? Math.max(1, shape.split(/[\s,a-zA-Z]+/).length >> 1) : 1;
}

function escapeText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function escapeAttribute(text: string): string {
  return escapeText(text).replace(/"/g, "&quot;");
}

function broken(what: string, cause?: unknown): AppError {
  return new AppError("image_undecodable", `The SVG ${what}`, { cause });
}

function overBudget(what: string): AppError {
  return new AppError("image_budget_exceeded", `The SVG ${what}`);
}
