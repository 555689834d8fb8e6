import { isContentHash } from "../core/content_hash.ts";
import { makeRoom } from "../core/make_room.ts";
import { AppError } from "../errors.ts";
import type { VariantRequest } from "../variants/variant_request.ts";
import type { VariantService } from "../variants/variant_service.ts";
import { isDecidedByUrl, toDeliveryError } from "./caching.ts";
import { matchesIfNoneMatch } from "./conditional_requests.ts";
import { accessEndsInSeconds, parseDeliveryUrl } from "./delivery_request.ts";
import type { AnswerAtOnce, ImmediateAnswer } from "./fast_lane.ts";
import { replyWithVariant } from "./variant_reply.ts";
import { readVariantWish, type VariantPolicy } from "./variant_wish.ts";

/** What immediate answers are made of: the same as the variant routes. */
export interface ImmediateVariantsOptions extends VariantPolicy {
  readonly service: Pick<VariantService, "deliverAtOnce" | "nameVariant">;
  readonly cacheId: string;
}

/** Most URLs whose meaning is remembered, and most that are refused; half a kilobyte each. */
const MAX_REMEMBERED = 4_096;

/** Longest URL that is remembered, host and query included. */
const MAX_REMEMBERED_LENGTH = 512;

/** Where the path of a URL can begin at the earliest, after `http://`. */
const SCHEME_LENGTH = 7;

/** A path that looks like a variant's: the pattern of the variant routes. */
const VARIANT_PATH = /^\/[0-9A-Fa-f]{64}\/./;

const NEVER = () => false;

/**
 * Answers `GET` of a variant when nothing has to be waited for: what is in memory, 304, and URLs
 * and assets that are refused. All else is left to the variant routes, which use the same parts.
 */
export function createImmediateVariants(options: ImmediateVariantsOptions): AnswerAtOnce {
  const { service, signatures, cacheId } = options;
  // Only what was found in memory is remembered, so that nobody can drive it out with guesses.
  const remembered = new Map<string, VariantRequest>();
  const refused = new Map<string, AppError>();

  function answer(
    { url, target }: { readonly url: string; readonly target: string },
    headers: Headers,
  ): ImmediateAnswer | AppError | null {
    const known = remembered.get(target);
    const wish = known ? null : readVariantWish(parseDeliveryUrl(url), options);
    if (wish && "alias" in wish) return null;
    const access = wish?.access ?? null;
    const request = known ?? {
      hash: wish!.url.hash,
      spec: wish!.spec,
      names: service.nameVariant(wish!.url.hash, wish!.spec),
      signed: access !== null,
      isCurrent: NEVER,
    };
    const ifNoneMatch = headers.get("if-none-match");
    const delivery = service.deliverAtOnce(
      ifNoneMatch === null ? request : {
        ...request,
        isCurrent: (etag, exists) => matchesIfNoneMatch(ifNoneMatch, etag, { exists }),
      },
    );
    if (delivery === null) return null;
    if (delivery instanceof AppError) return delivery;
    // Signatures depend on the time, so what needs one is read anew each time.
    const isPlain = wish !== null && wish.url.query === "" && !signatures.required;
    if (isPlain && delivery.kind === "variant" && isShort(url)) {
      makeRoom(remembered, MAX_REMEMBERED);
      remembered.set(target, request);
    }
    const response = replyWithVariant(delivery, {
      hash: request.hash,
      cacheId,
      accessEndsInSeconds: accessEndsInSeconds(access, signatures, delivery),
      method: "GET",
      ifMatch: headers.get("if-match"),
    });
    return delivery.kind === "variant"
      ? { response, status: 200, bytes: delivery.entry.bytes.byteLength, cache: delivery.tier }
      : { response, status: 304, bytes: 0, cache: null };
  }

  function refuse(thrown: unknown, request: Request, target: string): AppError {
    const hash = target.slice(1, 65);
    const error = toDeliveryError(thrown, {
      isAborted: () => request.signal.aborted,
      hash: isContentHash(hash) ? hash : null,
    });
    if (isDecidedByUrl(error) && isShort(request.url)) {
      makeRoom(refused, MAX_REMEMBERED);
      refused.set(target, error);
    }
    return error;
  }

  return function answerVariantAtOnce(request) {
    if (request.method !== "GET") return null;
    const { url } = request;
    const target = url.slice(url.indexOf("/", SCHEME_LENGTH + 1));
    if (!remembered.has(target)) {
      const refusal = refused.get(target);
      if (refusal) return refusal;
      if (!VARIANT_PATH.test(target)) return null;
    }
    try {
      const answered = answer({ url, target }, request.headers);
      return answered instanceof AppError ? refuse(answered, request, target) : answered;
    } catch (thrown) {
      return refuse(thrown, request, target);
    }
  };
}

/** A part of a string keeps all of it in memory. */
function isShort(url: string): boolean {
  return url.length <= MAX_REMEMBERED_LENGTH;
}
