import { Budget, type BudgetOptions } from "../core/budget.ts";
import { AppError } from "../errors.ts";
import { toAbortError } from "./body_reader.ts";

/**
 * Creates the budget of bytes that uploads under way may hold together.
 *
 * @throws {AppError} from its `reserve`: `upload_queue_full`, `client_closed_request`.
 */
export function createUploadMemory(
  options: Omit<BudgetOptions, "refuse" | "toAbortError">,
): Budget {
  return new Budget({
    ...options,
    toAbortError,
    refuse: () =>
      new AppError("upload_queue_full", "Too many uploads are under way; try again shortly", {
        retryAfterSeconds: 2,
      }),
  });
}
