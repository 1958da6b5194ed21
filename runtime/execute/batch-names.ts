/** Provider batches in words, for whoever must decide what becomes of them. */
import { dollars } from "../report/text.ts"
import type { BatchRecord } from "../store/batch-record.ts"

export const batchNames = (batches: ReadonlyArray<BatchRecord>): string =>
  batches
    .map(({ providerBatch, engine, account, requests, reservedUsd }) => {
      const name = providerBatch ?? "one that was being handed over, and may not exist"
      return `${name} (${engine}, account "${account}", ${requests} requests, at most ${dollars(reservedUsd)})`
    })
    .join("; ")
