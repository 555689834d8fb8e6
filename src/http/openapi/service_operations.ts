import type { ErrorCode } from "../../errors.ts";
import type { Operation } from "./operation.ts";
import { ref } from "./schemas.ts";

const JSON_TYPE = "application/json";

const JSON_PROBLEMS: readonly ErrorCode[] = [
  "invalid_request",
  "incomplete_body",
  "body_timeout",
  "body_too_large",
];

/** For operators, and about the service itself. */
export const SERVICE_OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/admin/purge",
    id: "purge",
    tag: "administration",
    summary: "Remove everything made from a hash or tag from every cache",
    scope: "admin",
    body: { [JSON_TYPE]: ref("PurgeRequest") },
    answers: {
      200: { description: "All of it is done", content: { [JSON_TYPE]: ref("PurgeReceipt") } },
      202: {
        description: "Some of it is still to be tried",
        content: { [JSON_TYPE]: ref("PurgeReceipt") },
      },
    },
    problems: JSON_PROBLEMS,
  },
  {
    method: "post",
    path: "/v1/admin/reconcile",
    id: "startReconciliation",
    tag: "administration",
    summary: "Compare the catalog with the bucket",
    scope: "admin",
    body: { [JSON_TYPE]: ref("ReconcileRequest") },
    bodyOptional: true,
    answers: {
      202: {
        description: "Begun, or gone on with",
        content: { [JSON_TYPE]: ref("ReconcileStart") },
        headers: ["Location"],
      },
    },
    problems: [...JSON_PROBLEMS, "state_conflict"],
  },
  {
    method: "get",
    path: "/v1/admin/reconcile/{run}",
    id: "getReconciliation",
    tag: "administration",
    summary: "How a run goes",
    scope: "admin",
    answers: { 200: { description: "It", content: { [JSON_TYPE]: ref("ReconcileRun") } } },
    problems: ["invalid_id", "run_not_found"],
  },
  {
    method: "get",
    path: "/v1/admin/cost",
    id: "getCosts",
    tag: "administration",
    summary: "What a month costs",
    scope: "admin",
    parameters: ["days", "profile"],
    answers: { 200: { description: "The report", content: { [JSON_TYPE]: ref("CostReport") } } },
    problems: ["invalid_request"],
  },
  {
    method: "get",
    path: "/healthz",
    id: "getLiveness",
    tag: "service",
    summary: "The process is alive",
    scope: null,
    answers: { 200: { description: "Alive", content: { [JSON_TYPE]: ref("Alive") } } },
    problems: [],
  },
  {
    method: "get",
    path: "/readyz",
    id: "getReadiness",
    tag: "service",
    summary: "Whether it can do its work, by dependency",
    scope: null,
    answers: {
      200: { description: "Ready", content: { [JSON_TYPE]: ref("Readiness") } },
      503: { description: "Not ready", content: { [JSON_TYPE]: ref("Readiness") } },
    },
    problems: [],
  },
  {
    method: "get",
    path: "/metrics",
    id: "getMetrics",
    tag: "service",
    summary: "The instruments as Prometheus text",
    scope: null,
    answers: {
      200: { description: "All of them", content: { "text/plain": { type: "string" } } },
    },
    problems: [],
  },
  {
    method: "get",
    path: "/openapi.json",
    id: "getDescription",
    tag: "service",
    summary: "This document",
    scope: null,
    parameters: ["If-None-Match"],
    answers: {
      200: {
        description: "OpenAPI 3.1",
        content: { [JSON_TYPE]: { type: "object" } },
        headers: ["ETag", "Cache-Control"],
      },
      304: { description: "The client has it", headers: ["ETag"] },
    },
    problems: [],
  },
];
