/** `runtime plan JOB` */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import * as path from "node:path"

import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { Job, Plan } from "../../dsl/index.ts"
import type { Graph } from "../execute/graph.ts"
import type { PriceEstimate } from "../execute/price-estimate.ts"
import type { Sample } from "../execute/sample.ts"
import { formatUsd } from "./format.ts"
import { budgetFlag, budgetOf } from "./money-flags.ts"
import { verb, type Said } from "./verb.ts"

const firesShown = 3
/** With `--json`. */
const rejectionsShown = 100

export const plan = verb(
  "plan",
  {
    description:
      "Compile a job and say what a run of it would be: steps, items, partitions, workers, disk, price, next fire times. Lists every fault; runs nothing, writes nothing.",
    examples: [
      ["runtime plan jobs/inbox-triage.ts", "what the next run would be"],
      ["runtime plan jobs/inbox-triage.ts --date 2026-03-01 --mermaid", "of a certain day, with a flowchart for Markdown"]
    ]
  },
  {
    job: Argument.String("job").pipe(Argument.withDescription("the job's module, `path.ts` or `path.ts#export`")),
    date: Flag.String("date").pipe(
      Flag.withDescription("logical date, YYYY-MM-DD (default: the last fire time, or today in UTC)"),
      Flag.optional
    ),
    param: Flag.KeyValuePair("param").pipe(Flag.withDescription("a parameter of the job, name=value; may be repeated"), Flag.optional),
    budget: budgetFlag,
    mermaid: Flag.Boolean("mermaid").pipe(Flag.withDescription("add a Mermaid flowchart of the steps"), Flag.withDefault(false))
  },
  (flags) =>
    Effect.flatMap(budgetOf(flags.budget), (budgetUsd) =>
      planJob({ ...flags, budgetUsd, date: Option.getOrNull(flags.date), params: Option.getOrElse(flags.param, () => ({})) })
    )
)

interface PlanRequest {
  readonly job: string
  readonly date: string | null
  readonly params: Readonly<Record<string, string>>
  readonly state: string
  /** `--budget`; null for the job's own. */
  readonly budgetUsd: number | null
  readonly mermaid: boolean
}

const planJob = Effect.fn("Cli.plan")(function* (request: PlanRequest) {
  const { loadJob } = yield* Effect.promise(() => import("../execute/load-job.ts"))
  const { planOf } = yield* Effect.promise(() => import("./compile-plan.ts"))
  const { makeGraph } = yield* Effect.promise(() => import("../execute/graph.ts"))
  const { estimate } = yield* Effect.promise(() => import("../execute/estimate.ts"))
  const { placeText } = yield* Effect.promise(() => import("../execute/sample.ts"))
  const { freeBytes } = yield* Effect.promise(() => import("../store/disk.ts"))
  const { planText } = yield* Effect.promise(() => import("./plan-text.ts"))
  const { canonicalJson } = yield* Effect.promise(() => import("../../dsl/index.ts"))
  const { mermaid } = yield* Effect.promise(() => import("./plan-graph.ts"))
  const { job, module, codeVersion } = yield* loadJob(request.job)
  const planned = yield* planOf(job)
  const graph = makeGraph(job)
  const seen = yield* lookAtInput({ ...request, declared: job, plan: planned, graph })
  const known = yield* knownOf(request.state, planned.job)
  const figures = estimate({
    plan: planned,
    graph,
    sample: seen.sample,
    prompts: seen.prompts,
    measuredPerMinute: known.measuredPerMinute,
    measuredUsage: known.measuredUsage,
    hashKey: known.hashKey,
    at: new Date(yield* Clock.currentTimeMillis)
  })
  const budgetUsd = request.budgetUsd ?? planned.budgetUsd
  const free = freeBytes(request.state)
  const isTooFull = figures.diskBytes !== null && figures.diskBytes > free
  const view = {
    plan: planned,
    budgetUsd,
    codeVersion,
    estimate: figures,
    rejections: (seen.sample?.rejections ?? []).map((rejection) => ({ ...rejection, at: placeText(rejection.place) })),
    unread: figures.input === null ? seen.unread : null,
    freeBytes: free,
    nextFires: yield* nextFiresOf(planned, figures.seconds),
    warnings: [
      ...seen.warnings,
      ...known.warnings,
      ...(yield* priceWarnings(job, graph)),
      ...budgetWarnings(figures.price, budgetUsd),
      ...(isTooFull
        ? [
            `the disk of ${path.resolve(request.state)} has too little room for a run. Make room, or choose another folder with --state DIR.`
          ]
        : [])
    ],
    mermaid: request.mermaid ? mermaid(planned) : null
  }
  const { rejections, unread, warnings, nextFires } = view
  const json = {
    // In canonical form, so that its digest can be worked out again.
    plan: JSON.parse(canonicalJson(planned)),
    module,
    codeVersion,
    date: seen.date,
    budgetUsd,
    ...figures,
    rejections: rejections.slice(0, rejectionsShown).map(({ code, reason, at }) => ({ code, reason, at })),
    unread,
    freeBytes: free,
    nextFires,
    warnings,
    ...(view.mermaid === null ? {} : { mermaid: view.mermaid })
  }
  return { json, text: planText(view) } satisfies Said
})

/** The rows of the input, as far as a plan looks at them. What can't be read is a warning: a plan is made before the night's files come. */
const lookAtInput = Effect.fnUntraced(function* (
  request: PlanRequest & { readonly declared: Job; readonly plan: Plan; readonly graph: Graph }
) {
  const { declared, graph } = request
  const { logicalTimeFor } = yield* Effect.promise(() => import("./logical-time.ts"))
  const { date, interval } = yield* logicalTimeFor(request.plan, request.date)
  const nothing = { sample: null, prompts: null, date, unread: null, warnings: [] as ReadonlyArray<string> }
  const { format } = graph.source.definition
  if (format === "stream") return { ...nothing, unread: "a stream is read when it runs" }
  const { decodeParams } = yield* Effect.promise(() => import("./job-params.ts"))
  const { sampleSource } = yield* Effect.promise(() => import("../execute/sample.ts"))
  const { buildServices } = yield* Effect.promise(() => import("../execute/services.ts"))
  return yield* Effect.gen(function* () {
    const params = yield* decodeParams(declared, request.params)
    const services = format === "files" ? yield* buildServices(declared) : Context.empty()
    const sample = yield* sampleSource(graph, { date, interval, params }, services)
    const made = yield* lookAtPrompts(declared, graph, sample, format === "files" ? services : null)
    const isEmpty = sample.isWhole && sample.items.length === 0
    return {
      ...nothing,
      sample,
      prompts: made.prompts,
      unread: "no row came within 2 seconds",
      warnings: [...made.warnings, ...(isEmpty ? [`the input has no items on ${date}: a run would be done at once.`] : [])]
    }
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.succeed({ ...nothing, unread: "see the warning below", warnings: [error.message] }))
  )
})

/** A plan may be looked at without a price; a run wouldn't start. */
const priceWarnings = Effect.fnUntraced(function* (job: Job, graph: Graph) {
  const { refuseUnknownPrices } = yield* Effect.promise(() => import("../execute/unknown-price.ts"))
  const refused = yield* Effect.result(refuseUnknownPrices(job, graph))
  return refused._tag === "Failure" ? [`\`runtime run\` would refuse: ${refused.failure.message}`] : []
})

const budgetWarnings = ({ likelyUsd, highUsd }: PriceEstimate, budgetUsd: number): ReadonlyArray<string> =>
  likelyUsd === null || highUsd === null || highUsd <= budgetUsd
    ? []
    : likelyUsd <= budgetUsd
      ? [
          `a run may cost up to ${formatUsd(highUsd)}, and its budget is ${formatUsd(budgetUsd)}: if answers are long it waits at its budget gate until you approve more.`
        ]
      : [
          `the likely price, ${formatUsd(likelyUsd)}, is above the budget of ${formatUsd(budgetUsd)}: a run would wait at its budget gate. ` +
            `Give it room with --budget USD, up to ${formatUsd(highUsd)}, or try fewer items with \`runtime run --limit N\`.`
        ]

/** Prompts are made only to be priced: a job of embedded models needs none, nor the services that they need. */
const lookAtPrompts = Effect.fnUntraced(function* (job: Job, graph: Graph, sample: Sample, services: Context.Context<never> | null) {
  const { buildServices } = yield* Effect.promise(() => import("../execute/services.ts"))
  const { isRemote, modelsOf } = yield* Effect.promise(() => import("../execute/graph.ts"))
  const { measurePrompts } = yield* Effect.promise(() => import("../execute/prompt-sizes.ts"))
  const isPaid = modelsOf(graph).some(isRemote)
  return yield* (services === null && isPaid ? buildServices(job) : Effect.succeed(services ?? Context.empty())).pipe(
    Effect.flatMap((built) => measurePrompts(graph, sample.examples, built)),
    Effect.map((prompts) => ({ prompts, warnings: [] as ReadonlyArray<string> })),
    Effect.catch((error) => Effect.succeed({ prompts: null, warnings: [error.message] }))
  )
})

/** What the state folder knows of the job. Nothing is created: a plan leaves no trace. */
const knownOf = Effect.fnUntraced(function* (state: string, job: string) {
  const anyKey = (key: string): Buffer => createHash("sha256").update(key).digest()
  const nothing = { hashKey: anyKey, measuredPerMinute: null, measuredUsage: null, warnings: [] as ReadonlyArray<string> }
  if (!existsSync(path.join(state, "state.key"))) return nothing
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  return yield* Effect.gen(function* () {
    const { readThroughput } = yield* Effect.promise(() => import("../store/throughput.ts"))
    const { readMeasuredUsage } = yield* Effect.promise(() => import("../store/measured-usage.ts"))
    const folder = yield* openStateFolder(state)
    const measuredPerMinute = yield* readThroughput(folder.root, job)
    return { ...nothing, hashKey: folder.hashKey, measuredPerMinute, measuredUsage: yield* readMeasuredUsage(folder.root, job) }
  }).pipe(Effect.catch((error) => Effect.succeed({ ...nothing, warnings: [error.message] })))
})

/** Each with when a run of that time is computed to be done, and by when it must be, both in UTC (SCH-4). */
const nextFiresOf = Effect.fnUntraced(function* ({ schedule }: Plan, seconds: number | null) {
  if (schedule === null) return []
  const { nextFires } = yield* Effect.promise(() => import("../schedule/fire-times.ts"))
  return nextFires(schedule, new Date(yield* Clock.currentTimeMillis), firesShown).map(({ utc, local, key }) => ({
    utc,
    local,
    key,
    expectedEnd: seconds === null ? null : new Date(Date.parse(utc) + Math.ceil(seconds * 1_000)).toISOString(),
    due: new Date(Date.parse(utc) + schedule.withinMs).toISOString()
  }))
})
