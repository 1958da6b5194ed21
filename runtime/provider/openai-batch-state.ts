/** What OpenAI says of a batch, in our words. */
import type { Batch, BatchError } from "openai/resources/batches"

import type { Model } from "../../dsl/index.ts"
import type { BatchState } from "./batch-provider.ts"
import { refusalOf } from "./http-reason.ts"
import { providerError, type ProviderError } from "./provider-error.ts"

const ended: ReadonlySet<Batch["status"]> = new Set(["completed", "failed", "expired", "cancelled"])

/** A file that isn't there is null, undefined or an empty text. */
export const openAiBatchState = (
  model: Model,
  { id, status, output_file_id, error_file_id, request_counts, errors }: Batch
): BatchState => ({
  providerBatch: id,
  status: ended.has(status) ? "ended" : "live",
  outcome: status,
  failure: status === "failed" ? failureOf(model, errors?.data ?? []) : null,
  completed: request_counts?.completed ?? 0,
  failed: request_counts?.failed ?? 0,
  files: [output_file_id, error_file_id].flatMap((file) => (file === undefined || file === null || file === "" ? [] : [file]))
})

/** Of a whole batch: an account's fault before a full queue (case 9) before what is wrong with the file. */
const failureOf = ({ name, account }: Model, errors: ReadonlyArray<BatchError>): ProviderError => {
  const failures = errors.map((error) => {
    const refusal = refusalOf(null, { error })
    const place = error.line === null || error.line === undefined ? "" : `line ${error.line}: `
    return providerError({ model: name, account, reason: refusal.reason, detail: `${place}${refusal.detail}` })
  })
  const found =
    failures.find(({ consequence }) => consequence === "stop") ?? failures.find(({ consequence }) => consequence === "wait") ?? failures[0]
  return found ?? providerError({ model: name, account, reason: "server-error", detail: "the batch failed, and nothing says why" })
}
