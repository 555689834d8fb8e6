import type { ErrorCode } from "../../errors.ts";
import { TUS_CONTENT_TYPE } from "../tus_headers.ts";
import { BODY_PROBLEMS, uploaded } from "./asset_operations.ts";
import type { HeaderName } from "./parameters.ts";
import type { Answer, Operation } from "./operation.ts";
import { ref } from "./schemas.ts";

const JSON_TYPE = "application/json";
const CHUNK = { [TUS_CONTENT_TYPE]: {} };
const FINISHED: readonly HeaderName[] = ["Facet-Asset-Id", "Facet-Content-Hash"];

const SERVER: Answer = {
  description: "What is spoken",
  headers: [
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
  ],
};

const ACCEPTED: Answer = {
  description: "Stored; with the last byte the upload is an asset",
  headers: ["Tus-Resumable", "Upload-Offset", "Upload-Expires", ...FINISHED],
};

const FIND: readonly ErrorCode[] = ["upload_not_found", "upload_expired"];

const APPEND: readonly ErrorCode[] = [
  ...FIND,
  ...BODY_PROBLEMS,
  "unsupported_tus_version",
  "unsupported_content_type",
  "upload_offset_conflict",
  "checksum_mismatch",
];

/** Resumable uploads, and uploads straight to the bucket. */
export const UPLOAD_OPERATIONS: readonly Operation[] = [
  {
    method: "options",
    path: "/v1/uploads",
    id: "describeTusServer",
    tag: "resumable",
    summary: "What is spoken of tus",
    scope: null,
    answers: { 204: SERVER },
    problems: [],
  },
  {
    method: "post",
    path: "/v1/uploads",
    id: "createUpload",
    tag: "resumable",
    summary: "Begin a resumable upload, with its first bytes if there is a body",
    scope: "upload",
    parameters: ["Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Checksum"],
    body: CHUNK,
    bodyOptional: true,
    answers: {
      201: { ...ACCEPTED, headers: ["Location", ...ACCEPTED.headers ?? []] },
    },
    problems: [...BODY_PROBLEMS, "unsupported_tus_version", "checksum_mismatch"],
  },
  {
    method: "options",
    path: "/v1/uploads/{uploadId}",
    id: "describeTusServerAtUpload",
    tag: "resumable",
    summary: "What is spoken of tus",
    scope: null,
    answers: { 204: SERVER },
    problems: [],
  },
  {
    method: "head",
    path: "/v1/uploads/{uploadId}",
    id: "getUploadOffset",
    tag: "resumable",
    summary: "Where the upload continues",
    scope: "upload",
    parameters: ["Tus-Resumable"],
    answers: {
      200: {
        description: "The offset",
        headers: [
          "Tus-Resumable",
          "Upload-Offset",
          "Upload-Length",
          "Upload-Metadata",
          "Upload-Expires",
          ...FINISHED,
        ],
      },
    },
    problems: [...FIND, "unsupported_tus_version"],
  },
  {
    method: "get",
    path: "/v1/uploads/{uploadId}",
    id: "getUpload",
    tag: "resumable",
    summary: "How far it is, and what it has become",
    scope: "upload",
    answers: { 200: { description: "It", content: { [JSON_TYPE]: ref("ResumableUpload") } } },
    problems: FIND,
  },
  {
    method: "patch",
    path: "/v1/uploads/{uploadId}",
    id: "appendToUpload",
    tag: "resumable",
    summary: "Send what comes next",
    scope: "upload",
    parameters: ["Tus-Resumable", "Upload-Offset", "Upload-Checksum"],
    body: CHUNK,
    answers: { 204: ACCEPTED },
    problems: APPEND,
  },
  {
    method: "post",
    path: "/v1/uploads/{uploadId}",
    id: "overrideUploadMethod",
    tag: "resumable",
    summary: "PATCH or DELETE for clients that cannot send them",
    scope: "upload",
    parameters: ["Tus-Resumable", "X-HTTP-Method-Override", "Upload-Checksum"],
    body: CHUNK,
    bodyOptional: true,
    answers: { 204: ACCEPTED },
    problems: APPEND,
  },
  {
    method: "delete",
    path: "/v1/uploads/{uploadId}",
    id: "terminateUpload",
    tag: "resumable",
    summary: "Give it up; nothing is kept",
    scope: "upload",
    parameters: ["Tus-Resumable"],
    answers: { 204: { description: "Gone", headers: ["Tus-Resumable"] } },
    problems: [...FIND, "state_conflict", "unsupported_tus_version"],
  },
  {
    method: "post",
    path: "/v1/uploads/direct",
    id: "planDirectUpload",
    tag: "direct",
    summary: "Signed URLs for sending bytes to the bucket",
    scope: "upload",
    body: { [JSON_TYPE]: ref("DirectRequest") },
    answers: {
      201: {
        description: "What to send where",
        content: { [JSON_TYPE]: ref("DirectPlan") },
        headers: ["Location"],
      },
    },
    problems: [
      "invalid_request",
      "invalid_hash",
      "empty_body",
      "incomplete_body",
      "body_timeout",
      "body_too_large",
      "daily_bytes_exceeded",
      "storage_error",
      "storage_unavailable",
      "storage_timeout",
    ],
  },
  {
    method: "get",
    path: "/v1/uploads/direct/{uploadId}",
    id: "getDirectUpload",
    tag: "direct",
    summary: "What it has become",
    scope: "upload",
    answers: { 200: { description: "It", content: { [JSON_TYPE]: ref("DirectUpload") } } },
    problems: FIND,
  },
  {
    method: "delete",
    path: "/v1/uploads/direct/{uploadId}",
    id: "abortDirectUpload",
    tag: "direct",
    summary: "Give it up; nothing is kept",
    scope: "upload",
    answers: { 204: { description: "Gone" } },
    problems: [...FIND, "state_conflict"],
  },
  {
    method: "post",
    path: "/v1/uploads/direct/{uploadId}/complete",
    id: "completeDirectUpload",
    tag: "direct",
    summary: "Make an asset of what lies in the bucket",
    description: "Its size and hash are found out by reading it; a client's word counts nothing.",
    scope: "upload",
    answers: { 200: uploaded("Known to this caller"), 201: uploaded("New to this caller") },
    problems: [
      ...FIND,
      "upload_incomplete",
      "state_conflict",
      "asset_not_found",
      "digest_mismatch",
      "incomplete_body",
      "empty_body",
      "body_too_large",
      "storage_error",
      "object_mismatch",
      "storage_unavailable",
      "storage_timeout",
      "storage_full",
    ],
  },
  {
    method: "put",
    path: "/v1/uploads/direct/bytes",
    id: "putDirectBytes",
    tag: "direct",
    summary: "Where objects are on disk: takes the bytes that a bucket would",
    description: "The signature in the URL is the permission.",
    scope: null,
    parameters: ["signature"],
    body: { "*/*": {} },
    answers: { 200: { description: "Stored", headers: ["ETag"] } },
    problems: [
      "unauthorized",
      "invalid_request",
      "invalid_header",
      "incomplete_body",
      "body_timeout",
      "body_too_large",
      "object_mismatch",
      "upload_queue_full",
      "storage_error",
      "storage_full",
    ],
  },
];
