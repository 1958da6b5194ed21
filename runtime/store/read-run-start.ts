/** Reads what a run began with from its files, while no process works on it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { openDuck, type Duck } from "./duck.ts"
import type { RunStart } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { RunFolder } from "./state-folder.ts"
import type { RunStatus } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

const Consumers = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Schema.String)))

/** Null where the files hold no run yet. Fails with reason `held` while a process works on it. */
export const readRunStart = (
  folder: RunFolder
): Effect.Effect<{ readonly start: RunStart; readonly status: RunStatus } | null, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const duck: Duck<LedgerTables> = yield* openDuck({
        attach: [
          { name: "state", path: folder.state },
          { name: "payload", path: folder.payload }
        ],
        memoryMb: 100
      })
      return yield* duck.use("reading the run", async (db) => {
        const row = await db.selectFrom("state.run").selectAll().executeTakeFirst()
        const params = await db.selectFrom("payload.params").selectAll().executeTakeFirst()
        if (row === undefined || params === undefined) return null
        const start: RunStart = {
          run: row.run,
          job: row.job,
          owner: row.owner,
          purpose: row.purpose,
          classification: row.classification,
          consumers: Consumers(row.consumers),
          logicalTime: row.logical_time,
          interval: { start: row.interval_start, end: row.interval_end },
          itemLimit: row.item_limit,
          planDigest: row.plan_digest,
          plan: row.plan,
          budgetUsd: row.budget_usd,
          estimateUsd: row.estimate_usd,
          jobModule: row.job_module,
          params: params.params
        }
        return { start, status: row.status }
      })
    })
  )
