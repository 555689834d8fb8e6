import { createHmac } from "node:crypto";
import type { DeliveryOutcome, Webhook } from "../../costs/ports.ts";

/** How to reach a webhook. */
export interface SignedWebhookOptions {
  readonly url: string;
  /** Signs each message; null leaves it unsigned, as Slack expects it. */
  readonly secret: string | null;
  readonly nowSeconds: () => number;
  /** @default {10_000} */
  readonly timeoutMs?: number;
}

/** Answers that say that nothing was taken: it may be sent again. */
const REFUSED: ReadonlySet<number> = new Set([408, 425, 429, 500, 503]);

/**
 * Posts Slack's `{"text":…}`. With a secret, `X-Facet-Signature: t={seconds},v1={hex}` carries the
 * HMAC-SHA256 of `{seconds}.{body}`, so that a receiver can check both origin and age;
 * `Idempotency-Key` names the message.
 */
export function createSignedWebhook(options: SignedWebhookOptions): Webhook {
  const { url, secret, nowSeconds, timeoutMs = 10_000 } = options;
  return {
    async post({ id, text }) {
      const body = JSON.stringify({ text });
      const headers = new Headers({ "content-type": "application/json", "idempotency-key": id });
      if (secret !== null) {
        headers.set("x-facet-signature", signMessage(body, secret, Math.floor(nowSeconds())));
      }
      try {
        const signal = AbortSignal.timeout(timeoutMs);
        // A redirect that is followed turns into a GET without the message, and looks like success.
        const redirect = "manual";
        const response = await fetch(url, { method: "POST", body, headers, signal, redirect });
        await response.body?.cancel();
        if (response.ok) return "delivered";
        return response.status < 500 || REFUSED.has(response.status) ? "refused" : "unknown";
      } catch (error) {
        return toOutcome(error);
      }
    },
  };
}

/** The value of `X-Facet-Signature`. */
export function signMessage(body: string, secret: string, seconds: number): string {
  const digest = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${digest}`;
}

/** Only a connection that never came about is known to have carried nothing. */
function toOutcome(error: unknown): DeliveryOutcome {
  const text = error instanceof Error ? `${error.message} ${error.cause ?? ""}` : String(error);
  return /\(Connect\)|connection refused|dns error|failed to lookup/i.test(text)
    ? "refused"
    : "unknown";
}
