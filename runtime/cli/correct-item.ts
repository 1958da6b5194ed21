/** `runtime review correct`: a person's answer, held against schema and rules before anything is written. */
import { readFileSync } from "node:fs"

import * as Effect from "effect/Effect"

import { checkCorrection } from "../execute/check-correction.ts"
import { loadJob } from "../execute/load-job.ts"
import { findRun } from "../execute/resume.ts"
import { logAccess } from "../store/access-log.ts"
import { listStopped, type StoppedSelection } from "../store/list-stopped.ts"
import { openStateFolder } from "../store/state-folder.ts"
import { traceItem } from "../store/trace-item.ts"
import { planOf } from "./compile-plan.ts"
import { runLinked } from "./linked-run.ts"
import { Misuse } from "./misuse.ts"

export interface CorrectRequest {
  readonly run: string
  readonly item: string
  /** JSON, or `@file`. */
  readonly output: string
  readonly step: string | null
  readonly by: string
  readonly budgetUsd: number | null
  readonly env: string | null
  readonly state: string
  readonly json: boolean
}

export const correctItem = Effect.fn("Cli.correctItem")(function* (request: CorrectRequest) {
  const { run, item, by, budgetUsd, env, json } = request
  const folder = yield* openStateFolder(request.state)
  const selection: StoppedSelection = {
    view: "review_queue",
    run,
    items: [item],
    step: request.step,
    job: null,
    code: null,
    rule: null,
    cause: null,
    statuses: null
  }
  const stops = (yield* Effect.scoped(listStopped(folder, selection, 100))).items.filter((stop) => stop.run === run)
  const [stop] = stops
  if (stops.length > 1)
    return yield* new Misuse({
      problem: `Item "${item}" waits at ${stops.map(({ step }) => step).join(" and ")}.`,
      remedy: `Say which answer is yours: --step ${stop?.step ?? "STEP"}`
    })
  // What isn't there, or is decided, the decision itself refuses, in its words.
  const correction = stop === undefined || stop.status !== "open" ? { step: "", output: "null" } : yield* checked(request, stop)
  return yield* runLinked({ folder, action: "correct", selection, by, text: null, budgetUsd, env, correction, json })
})

const checked = Effect.fnUntraced(function* (
  request: CorrectRequest,
  stop: { readonly run: string; readonly origin: string; readonly item_id: string; readonly step: string }
) {
  const folder = yield* openStateFolder(request.state)
  const output = yield* parsedOutput(request.output)
  const { start } = yield* findRun(folder, stop.origin)
  const { job } = yield* loadJob(start.jobModule)
  yield* planOf(job)
  yield* logAccess(folder, { who: request.by, action: "show", run: stop.run, items: 1, selection: stop.item_id, reason: null })
  const history = yield* Effect.scoped(traceItem(folder, { itemId: stop.item_id }))
  const payload = history.runs.find((each) => each.run["run"] === stop.run)?.payload
  if (payload?.state !== "read" || payload.item === null)
    return yield* new Misuse({
      problem: `The content of run ${stop.run} ${payload?.state === "held" ? "is in use by a process now" : "was destroyed by retention"}: a correction can't be held against its rules. Nothing was changed.`,
      remedy: payload?.state === "held" ? "Type this again when it is done." : "Run the job anew on its source."
    })
  const found = yield* checkCorrection({
    job,
    stop: stop.step,
    key: payload.item.key,
    body: payload.item.body,
    reference: payload.item.reference,
    output,
    by: request.by
  })
  if ("problem" in found)
    return yield* new Misuse({
      problem: `The correction can't stand: ${found.problem} Nothing was changed.`,
      remedy: `Mend it and type this again; runtime review show ${stop.run} ${request.item} shows the item.`
    })
  return found
})

const parsedOutput = (text: string): Effect.Effect<unknown, Misuse> =>
  Effect.try({
    try: (): unknown => JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text),
    catch: (cause) =>
      new Misuse({
        problem: `--output gives no JSON: ${cause instanceof Error ? cause.message : String(cause)}. Nothing was changed.`,
        remedy: `Quote it for the shell: --output '{"field":"value"}', or write it to a file: --output @answer.json`
      })
  })
