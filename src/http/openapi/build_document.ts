import { ERROR_CODES, type ErrorCode } from "../../errors.ts";
import { statusOf } from "../problem.ts";
import { ASSET_OPERATIONS } from "./asset_operations.ts";
import { DELIVERY_OPERATIONS } from "./delivery_operations.ts";
import { type Answer, type Operation, TAGS } from "./operation.ts";
import { HEADERS, type ParameterName, PARAMETERS } from "./parameters.ts";
import { ref, SCHEMAS } from "./schemas.ts";
import { SERVICE_OPERATIONS } from "./service_operations.ts";
import { UPLOAD_OPERATIONS } from "./upload_operations.ts";

/** Everything that the service answers. */
export const OPERATIONS: readonly Operation[] = [
  ...DELIVERY_OPERATIONS,
  ...ASSET_OPERATIONS,
  ...UPLOAD_OPERATIONS,
  ...SERVICE_OPERATIONS,
];

/** With a key, and with anything that looks into the catalog. */
const KEY_PROBLEMS: readonly ErrorCode[] = ["unauthorized", "missing_scope", "catalog_unavailable"];

/** An OpenAPI document, as far as its readers here need to know it. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [member: string]: unknown;
}

/**
 * Builds the OpenAPI 3.1 document of {@linkcode OPERATIONS}. `HEAD` is added to every `GET` that has
 * no operation for it.
 */
export function buildOpenApiDocument(): OpenApiDocument {
  return {
    openapi: "3.1.1",
    info: {
      title: "Facet",
      version: "1.0.0",
      summary: "Content-addressed assets, and image variants on demand",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: buildPaths(),
    components: {
      schemas: SCHEMAS,
      parameters: Object.fromEntries(
        Object.entries(PARAMETERS).map(([name, parameter]) => [name, { name, ...parameter }]),
      ),
      headers: HEADERS,
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key, with scopes" },
      },
    },
  };
}

function buildPaths(): OpenApiDocument["paths"] {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    const item = paths[operation.path] ??= { parameters: listPathParameters(operation.path) };
    item[operation.method] = buildOperation(operation);
  }
  for (const operation of OPERATIONS) {
    if (operation.method === "get") paths[operation.path].head ??= buildHead(operation);
  }
  return paths;
}

function listPathParameters(path: string): unknown[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => refTo("parameters", name));
}

function buildOperation(operation: Operation): Record<string, unknown> {
  const { id, tag, summary, description, scope, parameters, body } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description ? { description } : {}),
    ...(scope ? { security: [{ key: [scope] }] } : {}),
    ...(parameters
      ? { parameters: parameters.map((name: ParameterName) => refTo("parameters", name)) }
      : {}),
    ...(body
      ? { requestBody: { required: !operation.bodyOptional, content: toContent(body) } }
      : {}),
    responses: { ...buildAnswers(operation), ...buildProblems(operation) },
  };
}

/** The same as `GET`, but for the bodies. */
function buildHead(get: Operation): Record<string, unknown> {
  const { responses, ...rest } = buildOperation(get);
  const bare = Object.entries(responses as Record<string, object>)
    .map(([status, response]) => [status, { ...response, content: undefined }]);
  return {
    ...rest,
    operationId: `head${get.id.replace(/^(get|list)/, "")}`,
    responses: JSON.parse(JSON.stringify(Object.fromEntries(bare))),
  };
}

function buildAnswers({ answers }: Operation): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [status, buildAnswer(answer)]),
  );
}

function buildAnswer({ description, content, headers }: Answer): Record<string, unknown> {
  return {
    description,
    ...(headers
      ? { headers: Object.fromEntries(headers.map((name) => [name, refTo("headers", name)])) }
      : {}),
    ...(content ? { content: toContent(content) } : {}),
  };
}

/** Problems by status, with the codes that it may have. */
function buildProblems(operation: Operation): Record<string, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of listProblems(operation)) {
    const status = statusOf(ERROR_CODES[code]);
    byStatus.set(status, [...byStatus.get(status) ?? [], code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [status, {
      description: codes.map((code) => `\`${code}\``).join(", "),
      content: { "application/problem+json": { schema: ref("Problem") } },
    }]),
  );
}

/** The problems of an operation, with those that all operations of its sort have. */
export function listProblems({ method, scope, tag, problems }: Operation): ReadonlySet<ErrorCode> {
  const changes = !["get", "head", "options"].includes(method);
  return new Set<ErrorCode>([
    ...problems,
    ...(scope === null ? [] : KEY_PROBLEMS),
    ...(tag === "delivery" && method === "get" ? ["catalog_unavailable"] as const : []),
    ...(changes ? ["headers_too_large"] as const : []),
    ...(method === "options" || tag === "service" ? [] : ["internal_error"] as const),
  ]);
}

function toContent(content: NonNullable<Answer["content"]>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }]));
}

function refTo(section: "parameters" | "headers", name: string): { readonly $ref: string } {
  return { $ref: `#/components/${section}/${name}` };
}
