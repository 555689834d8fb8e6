/**
 * What the table of operations is made of.
 *
 * @module
 */
import type { Scope } from "../../core/principal.ts";
import type { ErrorCode } from "../../errors.ts";
import type { HeaderName, ParameterName } from "./parameters.ts";

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>;

/** Representations by media type. */
export type Content = Readonly<Record<string, Schema>>;

/** An answer that is no problem document. */
export interface Answer {
  readonly description: string;
  /** Absent where there is no body. */
  readonly content?: Content;
  readonly headers?: readonly HeaderName[];
}

/** Groups of operations, in the order in which the document shows them. */
export const TAGS = {
  delivery: "Variants and originals: public unless the asset or the deployment says otherwise",
  assets: "What a tenant has uploaded",
  resumable: "Resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload)",
  direct: "Uploads that go straight to the bucket by signed URLs",
  administration: "For operators",
  service: "The service itself",
} as const;

/** One method of one resource. */
export interface Operation {
  readonly method: "get" | "head" | "post" | "put" | "patch" | "delete" | "options";
  /** With parameters in braces. Parameters of one name mean the same everywhere. */
  readonly path: string;
  /** Unique; what generated clients call it. */
  readonly id: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  readonly description?: string;
  /** The scope that the key must have; null where none is asked for. */
  readonly scope: Scope | null;
  /** Of the query and the header; those of the path follow from it. */
  readonly parameters?: readonly ParameterName[];
  /** The bodies that are taken; the request needs one unless `bodyOptional`. */
  readonly body?: Content;
  readonly bodyOptional?: boolean;
  readonly answers: Readonly<Record<number, Answer>>;
  /** What may go wrong besides what may with every operation; the status follows from the code. */
  readonly problems: readonly ErrorCode[];
}
