/** Runs and linked runs in this process: a small job on real files, whose model and rules a test may mend between them. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import {
  aggregate,
  canonicalJson,
  compile,
  count,
  deadLetter,
  infer,
  job,
  jsonl,
  local,
  partition,
  report,
  review,
  sum,
  usd,
  user,
  validate
} from "../../dsl/index.ts"
import { executeRun } from "../../runtime/execute/run.ts"
import { decideItems, type DecideRequest } from "../../runtime/store/decide-items.ts"
import type { RunStart } from "../../runtime/store/ledger.ts"
import type { StoppedSelection } from "../../runtime/store/list-stopped.ts"
import { queryAnalytics } from "../../runtime/store/open-analytics.ts"
import type { StateFolder } from "../../runtime/store/state-folder.ts"

/** What a test mends, and what it counts. */
export class World {
  /** Items whose first step answers what doesn't fit. */
  broken = new Set<string>()
  /** Items that the second step answers with what doesn't fit. */
  brokenBelow = new Set<string>()
  /** Items whose answer is over the bound of the review rule. */
  large = new Set<string>()
  /** Items that the first step is less sure of than it asks for. */
  unsure = new Set<string>()
  readonly calls: Array<string> = []
}

/** Ten items; two steps, a rule between them that sends large answers to a person; an aggregate of each kind over the end. */
const linkedJob = (folder: StateFolder, world: World) => {
  const file = join(folder.root, "items.jsonl")
  writeFileSync(file, Array.from({ length: 10 }, (_, index) => `${JSON.stringify({ id: `k${index}`, size: index })}\n`).join(""))
  const idOf = (data: ReadonlyArray<unknown>): string => String(data[0])
  const first = local("first", ({ data }) => {
    const id = idOf(data)
    world.calls.push(`first ${id}`)
    return { size: world.broken.has(id) ? "many" : world.large.has(id) ? 1_000 : world.unsure.has(id) ? 0.5 : Number(id.slice(1)) }
  })
  const second = local("second", ({ data }) => {
    const id = idOf(data)
    world.calls.push(`second ${id}`)
    return { word: world.brokenBelow.has(id) ? 5 : `word ${String(data[1])}` }
  })
  const items = jsonl(file, { schema: Schema.Struct({ id: Schema.String, size: Schema.Finite }), key: ({ id }) => id })
  const sizes = infer(partition(items), {
    model: first,
    prompt: ({ id }) => [user`${id}`],
    output: Schema.Struct({ size: Schema.Finite }),
    confidence: ({ size }) => (size === 0.5 ? 0.1 : 1),
    confidenceMin: 0.5,
    retriesMax: 0
  })
  const checked = validate(sizes, {
    notNegative: { pass: ({ output }) => output.size >= 0, orElse: deadLetter },
    usual: { pass: ({ output }) => output.size < 100, orElse: review }
  })
  const words = infer(checked, {
    model: second,
    prompt: ({ item, output }) => [user`${item.id} ${output.size}`],
    output: Schema.Struct({ word: Schema.String }),
    retriesMax: 0
  })
  const totals = aggregate(checked, { items: count, size: sum(({ output }) => output.size) })
  const table = aggregate(words, (db) => db.selectFrom("rows").select(["item_key", "word"]).orderBy("item_key"))
  const said = report(totals, ({ items, size }) => `${items} items of ${size}`)
  return job("linked-job", {
    owner: "tests",
    purpose: "Try linked runs",
    classification: "internal",
    budget: usd(1),
    steps: { items, sizes, checked, words, totals, table, said }
  })
}

/** How a run of the job begins. */
export const startOf = (folder: StateFolder, world: World, run: string, origin?: string): RunStart => {
  const plan = compile(linkedJob(folder, world))
  const logicalTime = new Date("2026-11-02T00:00:00Z")
  return {
    run,
    job: plan.job,
    owner: plan.owner,
    purpose: plan.purpose,
    classification: plan.classification,
    consumers: [],
    logicalTime,
    interval: { start: logicalTime, end: new Date("2026-11-03T00:00:00Z") },
    itemLimit: null,
    planDigest: plan.digest,
    plan: canonicalJson(plan),
    budgetUsd: plan.budgetUsd,
    estimateUsd: 0,
    jobModule: "jobs/linked-job.ts",
    params: "{}",
    ...(origin === undefined ? {} : { origin })
  }
}

/** Runs, or goes on with, what `start` says. */
export const execute = (folder: StateFolder, world: World, start: RunStart) => {
  const made = linkedJob(folder, world)
  return executeRun({
    job: made,
    plan: compile(made),
    codeVersion: "code-1",
    folder,
    start,
    params: {},
    date: "2026-11-02",
    measuredPerMinute: null,
    command: "test",
    onProgress: () => Effect.void,
    accounts: { env: null, folder: folder.root },
    purpose: "work"
  })
}

export const selection = (over: Partial<StoppedSelection>): StoppedSelection => ({
  view: "dlq",
  job: null,
  run: null,
  step: null,
  code: null,
  rule: null,
  cause: null,
  statuses: null,
  items: null,
  ...over
})

export const decide = (
  folder: StateFolder,
  action: DecideRequest["action"],
  chosen: Partial<StoppedSelection>,
  over: Partial<DecideRequest> = {}
) =>
  decideItems(folder, {
    action,
    selection: selection(chosen),
    by: "tess",
    cause: action === "annotate" ? "mended" : null,
    reason: null,
    text: null,
    linked: null,
    ...over
  })

/** Decides for a linked run, and runs it. */
export const runLinkedOf = Effect.fnUntraced(function* (
  folder: StateFolder,
  world: World,
  request: {
    readonly action: "replay" | "accept" | "correct"
    readonly chosen: Partial<StoppedSelection>
    readonly run: string
    readonly origin: string
    readonly output?: unknown
  }
) {
  const start = startOf(folder, world, request.run, request.origin)
  const correction =
    request.output === undefined ? null : { step: "sizes", output: JSON.stringify(request.output), by: "tess", codeVersion: "code-1" }
  yield* decide(folder, request.action, request.chosen, { linked: { start, keepsAnswers: request.action !== "replay", correction } })
  yield* execute(folder, world, start)
})

export const rowsOf = (folder: StateFolder, query: string) => Effect.scoped(Effect.map(queryAnalytics(folder, query), ({ rows }) => rows))
