/**
 * Answers what needs no waiting, in front of the application.
 *
 * A warm hit costs less than finding its way through the application: routing, a context per
 * request, and a promise per middleware. What is answered here is answered by the same parts as
 * there, and is counted and logged the same.
 *
 * @module
 */
import { AppError } from "../errors.ts";
import {
  chooseRequestId,
  isRequestId,
  type RequestContextOptions,
  roundDuration,
} from "./middleware/request_context.ts";
import { statusOf } from "./problem.ts";

/** An answer to a request for a variant, with what is counted and logged of it. */
export interface ImmediateAnswer {
  readonly response: Response;
  readonly status: number;
  /** Length of the body. */
  readonly bytes: number;
  /** Value of `X-Cache`; null when there is none. */
  readonly cache: string | null;
}

/**
 * Answers a `GET` of a variant without waiting; null when that cannot be done, or it is something
 * else, and nothing was done yet. Refuses with an error that is returned, as exceptions are dear.
 */
export type AnswerAtOnce = (request: Request) => ImmediateAnswer | AppError | null;

/** What an answer has where something is written about it. */
interface Written {
  readonly requestId?: string;
  readonly code?: string;
}

/** What the lane needs. */
export interface FastLaneOptions extends RequestContextOptions {
  readonly answerAtOnce: AnswerAtOnce;
  /** Makes an answer of a failure, and counts it. */
  readonly answerFailure: (
    thrown: unknown,
    request: { readonly requestId: string; readonly method: string },
  ) => { readonly error: AppError; readonly response: Response };
}

/**
 * Creates the lane: a function that returns null for what the application has to answer.
 *
 * Requests get an id where something is written under it: in the access log, or in a problem
 * document. Without either an answer carries the id that the client sent, if any: a new one would
 * lead nowhere, and cost a twentieth of a warm hit.
 */
export function createFastLane(options: FastLaneOptions): (request: Request) => Response | null {
  const { newId, nowMs, accessLog, onAnswered, answerAtOnce, answerFailure } = options;

  function fail(thrown: unknown, request: Request): ImmediateAnswer & Written {
    const requestId = chooseRequestId(request.headers.get("x-request-id"), newId);
    const { error, response } = answerFailure(thrown, { requestId, method: "GET" });
    const status = statusOf(error.kind);
    return { response, status, bytes: 0, cache: null, code: error.code, requestId };
  }

  function complete(answer: ImmediateAnswer, request: Request): ImmediateAnswer & Written {
    const proposed = request.headers.get("x-request-id");
    if (!accessLog && !isRequestId(proposed)) return answer;
    const requestId = chooseRequestId(proposed, newId);
    answer.response.headers.set("x-request-id", requestId);
    return { ...answer, requestId };
  }

  function answer(request: Request): ImmediateAnswer & Written | null {
    try {
      const answered = answerAtOnce(request);
      if (answered === null) return null;
      if (answered instanceof AppError) return fail(answered, request);
      return complete(answered, request);
    } catch (thrown) {
      return fail(thrown, request);
    }
  }

  return function answerFast(request) {
    const startedAt = accessLog ? nowMs() : 0;
    const answered = answer(request);
    if (answered === null) return null;
    const { response, status, bytes, cache, code, requestId } = answered;
    onAnswered?.({ route: "variant", status, bytes });
    accessLog?.({
      requestId,
      method: "GET",
      path: pathOf(request.url),
      status,
      durationMs: roundDuration(nowMs() - startedAt),
      bytes,
      ...(cache === null ? {} : { cache }),
      ...(code === undefined ? {} : { code }),
    });
    return response;
  };
}

/** The path as it was sent. The query is never logged: it may carry a signature. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}
