/**
 * Assembles the HTTP application from route groups.
 *
 * @module
 */
import { Hono } from "hono";
import { AppError } from "../errors.ts";
import { describeError, type Logger } from "../telemetry/logger.ts";
import { createDeliveryRouter } from "./delivery_router.ts";
import { type AnswerAtOnce, createFastLane, type FastLaneOptions } from "./fast_lane.ts";
import type { HttpEnv } from "./http_env.ts";
import { limitHeaders } from "./middleware/header_limit.ts";
import { lingeringClose } from "./middleware/request_body.ts";
import { requestContext, type RequestContextOptions } from "./middleware/request_context.ts";
import { answerOtherMethods } from "./other_methods.ts";
import { buildProblemResponse, isReported, toAppError } from "./problem.ts";

/** What the HTTP application is made of. */
export interface HttpAppOptions extends RequestContextOptions {
  /** Route groups, each mounted at the root, in order of precedence. */
  readonly routes: readonly Hono<HttpEnv>[];
  readonly logger: Logger;
  /** Bytes of all header fields of a request that changes something. @default {32768} */
  readonly maxHeaderBytes?: number | undefined;
  /** Answers in front of the routes what needs no waiting. */
  readonly answerAtOnce?: AnswerAtOnce | undefined;
  /** Called once for every problem answered, with its kind, for metrics. */
  readonly onProblem?: (error: AppError) => void;
}

/** Builds the application. Serve it with `app.fetch`, test it with `app.request`. */
export function createHttpApp(options: HttpAppOptions): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>({ router: createDeliveryRouter() });
  app.use(requestContext(options));
  app.use(lingeringClose());
  app.use(limitHeaders(options.maxHeaderBytes));
  for (const group of options.routes) app.route("/", group);
  answerOtherMethods(app);
  app.notFound((c) => {
    const error = new AppError("route_not_found", "There is nothing at this path");
    c.set("logFields", { ...c.get("logFields"), code: error.code });
    return buildProblemResponse(error, {
      requestId: c.get("requestId"),
      method: c.req.method,
    });
  });
  const answerFailure: FastLaneOptions["answerFailure"] = (thrown, request) => {
    const error = toAppError(thrown);
    options.onProblem?.(error);
    if (isReported(error.kind)) logFailure(options.logger, error, request.requestId);
    return { error, response: buildProblemResponse(error, request) };
  };
  app.onError((thrown, c) => {
    const request = { requestId: c.get("requestId"), method: c.req.method };
    const { error, response } = answerFailure(thrown, request);
    c.set("logFields", { ...c.get("logFields"), code: error.code });
    return response;
  });
  if (options.answerAtOnce) {
    const answerFast = createFastLane({
      ...options,
      answerAtOnce: options.answerAtOnce,
      answerFailure,
    });
    const answerByRoutes = app.fetch;
    app.fetch = (request, ...rest) => answerFast(request) ?? answerByRoutes(request, ...rest);
  }
  return app;
}

function logFailure(logger: Logger, error: AppError, requestId: string): void {
  logger.log("error", "request failed", {
    requestId,
    kind: error.kind,
    code: error.code,
    error: describeError(error.cause ?? error),
  });
}
