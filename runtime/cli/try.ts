/** `runtime try JOB` */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { Graph } from "../execute/graph.ts"
import { formatCount } from "./format.ts"
import { Misuse } from "./misuse.ts"
import { envFlag } from "./money-flags.ts"
import { verb, type Said } from "./verb.ts"

export const tryVerb = verb(
  "try",
  {
    description:
      "Take one item through the steps and show it all: the rendered prompts, the answers, the rules' verdicts. Asks the models, writes nothing.",
    examples: [
      ["runtime try jobs/inbox-triage.ts", "the first item"],
      ["runtime try jobs/inbox-triage.ts --date 2026-03-02 --item mail-17 --step triage", "one item, as far as one step"]
    ]
  },
  {
    job: Argument.String("job").pipe(Argument.withDescription("the job's module, `path.ts` or `path.ts#export`")),
    item: Flag.String("item").pipe(
      Flag.withDescription("the item's key (default: the first item)"),
      Flag.withMetavar("KEY"),
      Flag.optional
    ),
    step: Flag.String("step").pipe(Flag.withDescription("go no further than this step, and show only it"), Flag.optional),
    date: Flag.String("date").pipe(
      Flag.withDescription("logical date, YYYY-MM-DD (default: the last fire time, or today in UTC)"),
      Flag.optional
    ),
    param: Flag.KeyValuePair("param").pipe(Flag.withDescription("a parameter of the job, name=value; may be repeated"), Flag.optional),
    env: envFlag
  },
  ({ job, item, step, date, param, env }) =>
    tryJob({
      job,
      item: Option.getOrNull(item),
      step: Option.getOrNull(step),
      date: Option.getOrNull(date),
      params: Option.getOrElse(param, () => ({})),
      env: Option.getOrNull(env)
    })
)

interface TryRequest {
  readonly job: string
  readonly item: string | null
  readonly step: string | null
  readonly date: string | null
  readonly params: Readonly<Record<string, string>>
  readonly env: string | null
}

const tryJob = Effect.fn("Cli.try")(function* (request: TryRequest) {
  const { loadJob } = yield* Effect.promise(() => import("../execute/load-job.ts"))
  const { planOf } = yield* Effect.promise(() => import("./compile-plan.ts"))
  const { makeGraph, modelsOf } = yield* Effect.promise(() => import("../execute/graph.ts"))
  const { logicalTimeFor } = yield* Effect.promise(() => import("./logical-time.ts"))
  const { decodeParams } = yield* Effect.promise(() => import("./job-params.ts"))
  const { buildServices } = yield* Effect.promise(() => import("../execute/services.ts"))
  const { openEngines } = yield* Effect.promise(() => import("../execute/open-engines.ts"))
  const { findItem } = yield* Effect.promise(() => import("../execute/find-item.ts"))
  const { placeText } = yield* Effect.promise(() => import("../execute/sample.ts"))
  const { stepNames, tryItem } = yield* Effect.promise(() => import("../execute/try-item.ts"))
  const { tryText } = yield* Effect.promise(() => import("./try-text.ts"))
  const { job, codeVersion } = yield* loadJob(request.job)
  const plan = yield* planOf(job)
  const graph = yield* asFarAs(makeGraph(job), request.step)
  const { date, interval } = yield* logicalTimeFor(plan, request.date)
  const params = yield* decodeParams(job, request.params)
  const services = yield* buildServices(job)
  const { provider } = yield* openEngines(modelsOf(graph), services, { env: request.env, folder: process.cwd() })
  const found = yield* findItem(graph, { date, interval, params }, services, request.item)
  if (found.kind === "missing") return yield* missing(request, found)
  const tried = yield* tryItem({ graph, services, provider, codeVersion, item: found.item })
  const shown =
    request.step === null ? null : new Set(graph.rows.filter((node) => stepNames(node).includes(request.step ?? "")).flatMap(stepNames))
  const view = {
    key: found.item.key,
    at: placeText(found.item.place),
    date,
    ...tried,
    events: shown === null ? tried.events : tried.events.filter(({ step }) => shown.has(step))
  }
  return { json: { job: plan.job, ...view }, text: tryText(view) } satisfies Said
}, Effect.scoped)

const asFarAs = Effect.fnUntraced(function* (graph: Graph, step: string | null) {
  const { stepNames, stepsUpTo } = yield* Effect.promise(() => import("../execute/try-item.ts"))
  if (step === null) return graph
  const names = graph.rows.flatMap(stepNames)
  if (names.includes(step)) return stepsUpTo(graph, step)
  return yield* new Misuse({ problem: `--step ${step}: no step of that name takes items.`, remedy: `Name one of ${names.join(", ")}.` })
})

const missing = (
  { item, job }: TryRequest,
  found: { readonly items: number; readonly rejected: number; readonly nearest: ReadonlyArray<string> }
) => {
  const rejected =
    found.rejected === 0
      ? ""
      : ` ${formatCount(found.rejected)} ${found.rejected === 1 ? "row was" : "rows were"} rejected: \`runtime plan ${job}\` says why.`
  if (item === null || found.items === 0)
    return new Misuse({ problem: `The input has no items.${rejected}`, remedy: "Put rows there, or name another day with --date." })
  return new Misuse({
    problem: `None of the ${formatCount(found.items)} items has the key "${item}".${rejected}`,
    remedy: `The nearest keys: ${found.nearest.map((key) => JSON.stringify(key)).join(", ")}.`
  })
}
