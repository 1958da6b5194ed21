/** Begins a linked run: items of a closed run that are taken up again, by a replay or by decisions at review. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { canonicalJson } from "../../dsl/index.ts"
import { makeGraph, modelsOf, isRemote } from "../execute/graph.ts"
import { loadJob } from "../execute/load-job.ts"
import { findRun } from "../execute/resume.ts"
import { refuseUnknownPrices } from "../execute/unknown-price.ts"
import { DecisionRefused, decideItems } from "../store/decide-items.ts"
import type { Correction } from "../store/linked-file.ts"
import { listStopped, type StoppedSelection } from "../store/list-stopped.ts"
import { queryAnalytics } from "../store/open-analytics.ts"
import { quoted } from "../store/duck.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { readThroughput } from "../store/throughput.ts"
import { planOf } from "./compile-plan.ts"
import { formatCount } from "./format.ts"
import { runName } from "./run-name.ts"
import { accountsFor } from "./run-accounts.ts"
import { runToOutcome } from "./run-outcome.ts"
import { decodeRunParams } from "./run-params.ts"
import type { Said } from "./verb.ts"

export interface LinkedRequest {
  readonly folder: StateFolder
  readonly action: "replay" | "accept" | "correct"
  readonly selection: StoppedSelection
  readonly by: string
  readonly text: string | null
  /** Null for the job's own. */
  readonly budgetUsd: number | null
  readonly env: string | null
  readonly correction: Pick<Correction, "step" | "output"> | null
  readonly json: boolean
}

/** Runs it to its end, with today's code; says what it came to and what its origin is now. */
export const runLinked = Effect.fn("Cli.runLinked")(function* (request: LinkedRequest) {
  const { folder, action, selection, by } = request
  const origin = yield* originOf(folder, selection)
  const found = yield* findRun(folder, origin)
  const { job, codeVersion } = yield* loadJob(found.start.jobModule)
  const plan = yield* planOf(job)
  const graph = makeGraph(job)
  yield* refuseUnknownPrices(job, graph)
  const run = yield* runName(plan.job, new Date(yield* Clock.currentTimeMillis))
  const start = {
    ...found.start,
    run,
    origin,
    owner: plan.owner,
    purpose: plan.purpose,
    classification: plan.classification,
    consumers: plan.consumers,
    planDigest: plan.digest,
    plan: canonicalJson(plan),
    budgetUsd: request.budgetUsd ?? plan.budgetUsd,
    estimateUsd: modelsOf(graph).some(isRemote) ? null : 0
  }
  const { params, date } = yield* decodeRunParams(job, plan, start)
  const accounts = yield* accountsFor(folder.run(origin), request.env)
  const items = yield* decideItems(folder, {
    action,
    selection,
    by,
    cause: null,
    reason: null,
    text: request.text,
    linked: {
      start,
      keepsAnswers: action !== "replay",
      correction: request.correction === null ? null : { ...request.correction, by, codeVersion }
    }
  })
  yield* Effect.sync(() => process.stderr.write(`Run ${run} takes up ${formatCount(items)} of the items of ${origin}.\n`))
  const measuredPerMinute = yield* readThroughput(folder.root, plan.job)
  const command = `runtime ${action === "replay" ? "dlq" : "review"} ${action} ${origin}`
  const options = { job, plan, codeVersion, folder, start, params, date, measuredPerMinute, purpose: "work" as const, accounts, command }
  const said = yield* runToOutcome(options, request.json)
  return yield* withOrigin(folder, origin, said)
})

/** The run that first had the items: one, for a linked run has one origin. */
const originOf = Effect.fnUntraced(function* (folder: StateFolder, selection: StoppedSelection) {
  const { items, total } = yield* Effect.scoped(listStopped(folder, selection, 100_000))
  const origins = [...new Set(items.map(({ origin }) => origin))]
  const [origin] = origins
  // Who names a run is told by the decision what is wrong with the items.
  if (origin === undefined && selection.run !== null) return selection.run
  const verbName = selection.view === "dlq" ? "dlq" : "review"
  if (origin === undefined)
    return yield* new DecisionRefused({ problem: "No item fits.", remedy: `See what there is: runtime ${verbName} list` })
  if (origins.length > 1 || items.length < total)
    return yield* new DecisionRefused({
      problem: `The ${formatCount(total)} items are of ${origins.length} runs, and a linked run takes up those of one.`,
      remedy: `Name it: --run ${origins.slice(0, 3).join(", or --run ")}`
    })
  return origin
})

/** What an origin's items are by now, for whoever waited for a linked run. */
const withOrigin = Effect.fnUntraced(function* (folder: StateFolder, origin: string, said: Said) {
  const { rows } = yield* Effect.scoped(queryAnalytics(folder, `from completeness where run = ${quoted(origin)}`))
  const [row] = rows
  if (row === undefined) return said
  const now = Object.fromEntries(ends.map(([name]) => [name, Number(row[`${name}_now`])]))
  const parts = ends.flatMap(([name, words]) => ((now[name] ?? 0) > 0 ? [`${formatCount(now[name] ?? 0)} ${words}`] : []))
  const revision = row["revision"] === null ? "" : ` Outputs are at revision ${String(row["revision"])}.`
  return {
    ...said,
    json: { ...(said.json as object), origin, now, revision: row["revision"] ?? null },
    text: `${said.text}\nRun ${origin} now: ${parts.join(", ")} of ${formatCount(Number(row["manifest"]))}.${revision}`
  } satisfies Said
})

const ends = [
  ["delivered", "delivered"],
  ["review", "in review"],
  ["dead", "dead"],
  ["discarded", "discarded"],
  ["held", "held back"],
  ["skipped", "skipped"]
] as const
