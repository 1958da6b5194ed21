/** Everything a new run is begun with, checked before anything is written. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { canonicalJson } from "../../dsl/index.ts"
import { makeGraph } from "../execute/graph.ts"
import { loadJob } from "../execute/load-job.ts"
import { priceRun } from "../execute/price-run.ts"
import type { RunOptions } from "../execute/run.ts"
import { refuseUnknownPrices } from "../execute/unknown-price.ts"
import { readMeasuredUsage } from "../store/measured-usage.ts"
import { openStateFolder } from "../store/state-folder.ts"
import { readThroughput } from "../store/throughput.ts"
import { planOf } from "./compile-plan.ts"
import { decodeParams } from "./job-params.ts"
import { logicalTimeFor } from "./logical-time.ts"
import { runName } from "./run-name.ts"

export interface RunRequest {
  readonly reference: string
  readonly date: string | null
  readonly params: Readonly<Record<string, string>>
  readonly itemLimit: number | null
  readonly state: string
  /** `--budget`; null for the job's own. */
  readonly budgetUsd: number | null
  /** `--env`: which accounts and keys. */
  readonly env: string | null
}

export const prepareRun = Effect.fn("Cli.prepareRun")(function* (request: RunRequest) {
  const { job, module, codeVersion } = yield* loadJob(request.reference)
  const plan = yield* planOf(job)
  const now = new Date(yield* Clock.currentTimeMillis)
  const logical = yield* logicalTimeFor(plan, request.date)
  const params = yield* decodeParams(job, request.params)
  const graph = makeGraph(job)
  yield* refuseUnknownPrices(job, graph)
  const folder = yield* openStateFolder(request.state)
  const measuredPerMinute = yield* readThroughput(folder.root, plan.job)
  const estimateUsd = yield* priceRun({
    job,
    plan,
    graph,
    context: { date: logical.date, interval: logical.interval, params },
    itemLimit: request.itemLimit,
    measuredPerMinute,
    measuredUsage: yield* readMeasuredUsage(folder.root, plan.job)
  })
  const run = yield* runName(plan.job, now)
  const options: Omit<RunOptions, "onProgress" | "command"> = {
    job,
    plan,
    codeVersion,
    folder,
    params,
    purpose: "work",
    accounts: { env: request.env, folder: process.cwd() },
    date: logical.date,
    measuredPerMinute,
    start: {
      run,
      job: plan.job,
      owner: plan.owner,
      purpose: plan.purpose,
      classification: plan.classification,
      consumers: plan.consumers,
      logicalTime: logical.logicalTime,
      interval: logical.interval,
      itemLimit: request.itemLimit,
      planDigest: plan.digest,
      plan: canonicalJson(plan),
      budgetUsd: request.budgetUsd ?? plan.budgetUsd,
      estimateUsd,
      jobModule: module,
      params: canonicalJson(job.options.params === undefined ? {} : Schema.encodeSync(Schema.toCodecJson(job.options.params))(params))
    }
  }
  return options
})
