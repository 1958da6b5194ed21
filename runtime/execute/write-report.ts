/** Writes a closed run's completion report: the page, and the data that it draws. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import type { RunReport } from "../report/run-report.ts"
import { openDuck, type Duck } from "../store/duck.ts"
import type { LedgerTables } from "../store/ledger-tables.ts"
import { migrate } from "../store/migrate.ts"
import { payloadMigrations } from "../store/payload-tables.ts"
import { readRunReport } from "../store/read-run-report.ts"
import { replaceFile, type StateFolder } from "../store/state-folder.ts"
import { stateMigrations } from "../store/state-tables.ts"
import type { StoreError } from "../store/store-error.ts"

/** Reads the run's files, which no process may hold. Those of an older version get this one's tables first. */
export const readReport = (folder: StateFolder, run: string, plan: Plan): Effect.Effect<RunReport, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const files = folder.run(run)
      const duck: Duck<LedgerTables> = yield* openDuck({
        attach: [
          { name: "state", path: files.state },
          { name: "payload", path: files.payload }
        ],
        tempDirectory: files.temp
      })
      yield* migrate(duck, "state", files.state, stateMigrations)
      yield* migrate(duck, "payload", files.payload, payloadMigrations)
      const now = new Date(yield* Clock.currentTimeMillis)
      return yield* duck.use("reading the run's report", (db) => readRunReport(db, plan, now))
    })
  )

/** Reads the run's files and replaces `report.html`. */
export const writeReport = Effect.fn("Report.write")(function* (folder: StateFolder, run: string, plan: Plan) {
  const files = folder.run(run)
  const report = yield* readReport(folder, run, plan)
  const { renderPage } = yield* Effect.promise(() => import("../report/page.ts"))
  yield* replaceFile(files.report, renderPage(report, plan.schedule === null ? {} : { timeZone: plan.schedule.timeZone }))
  return { report, path: files.report }
})
