/** Exports what a run released to its consumers, and tells them whether it is all, and in time (SLA-3). */
import * as path from "node:path"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { ExportContext, ExportFormat, Job, Plan } from "../../dsl/index.ts"
import { recordExports, writeExport, type ExportOrder } from "../store/export.ts"
import type { DuckLedger } from "../store/ledger-duckdb.ts"
import { terminalSteps } from "../store/plan-columns.ts"
import { readRelease, type ReleaseFacts } from "../store/read-release.ts"
import type { Revision } from "../store/revisions.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { callPlain } from "./callback.ts"
import { ExportFailed } from "./run-error.ts"

interface Release {
  readonly job: Job
  readonly plan: Plan
  readonly ledger: DuckLedger
  readonly folder: StateFolder
  readonly context: ExportContext
  /** Which release of the context's run this is, and by which run: each has files of its own. */
  readonly by: Revision
  /** Where a linked run adds to its origin's release: the releases before, and their states as the ledger has them attached. */
  readonly after?: { readonly earlier: ReadonlyArray<Revision>; readonly states: ReadonlyArray<string> }
}

/** Writes every export that the job declares. Of a trial nothing; repeated after a kill or an error, what is missing. */
export const exportRelease = Effect.fn("Run.export")(function* ({ job, plan, ledger, folder, context, by, after }: Release) {
  const exports = job.options.release?.exports ?? []
  if (exports.length === 0) return
  const facts = yield* readRelease(ledger, plan, after?.states)
  if (facts.isTrial || facts.releasedAt === null) return
  const { run } = context
  const { revision } = by
  const parts = [...(after?.earlier ?? []), by]
  const terminals = terminalSteps(plan)
  const files: Array<{ readonly folder: string; readonly step: string; readonly format: ExportFormat }> = []
  for (const { format, folder: place, step } of exports) {
    const named = yield* Effect.mapError(
      callPlain({ seq: null, step: "job", callback: `export as ${format}` }, () => (typeof place === "function" ? place(context) : place)),
      ({ message }) => new ExportFailed({ run, folder: null, reason: "job", detail: message })
    )
    if (typeof named !== "string" || named.trim() === "")
      return yield* new ExportFailed({ run, folder: null, reason: "job", detail: `The job's export as ${format} names no folder` })
    const steps = step === null ? terminals : [job.names.get(step) ?? ""]
    files.push(...steps.map((name) => ({ folder: path.resolve(named), step: name, format })))
  }
  const now = new Date(yield* Clock.currentTimeMillis)
  const notice = noticeOf(plan, facts, context, now)
  const exported = yield* Effect.forEach(
    Map.groupBy(files, (file) => file.folder),
    ([to, all]) => {
      const order: ExportOrder = { run, revision, parts, folder: to, files: distinct(all), notice }
      return Effect.mapError(
        writeExport(ledger, folder, plan, order),
        ({ reason, detail }) => new ExportFailed({ run, folder: to, reason, detail })
      )
    }
  )
  yield* recordExports(ledger, revision, exported, now)
})

/** Two functions may name one folder: a file is written once. */
const distinct = (files: ReadonlyArray<{ readonly step: string; readonly format: ExportFormat }>): ExportOrder["files"] => [
  ...new Map(files.map(({ step, format }) => [`${step}.${format}`, { step, format }])).values()
]

/** Items that nobody delivered make a release partial; a `when` that skipped some doesn't. */
const noticeOf = (plan: Plan, facts: ReleaseFacts, { date }: ExportContext, now: Date) => {
  const { counts, createdAt, alerts } = facts
  const deadline = plan.schedule === null ? null : new Date(createdAt.getTime() + plan.schedule.withinMs)
  const lateMs = deadline === null ? 0 : Math.max(0, now.getTime() - deadline.getTime())
  return {
    job: plan.job,
    date,
    classification: plan.classification,
    consumers: plan.consumers,
    planDigest: plan.digest,
    createdAt: now.toISOString(),
    partial: counts.dead + counts.review + counts.held > 0,
    items: counts,
    late: lateMs > 0,
    deadline: deadline?.toISOString() ?? null,
    lateSeconds: Math.round(lateMs / 1_000),
    // What people were told while it ran, such as an outage of the provider.
    alerts: alerts.map(({ kind, at }) => ({ kind, at: at.toISOString() }))
  }
}
