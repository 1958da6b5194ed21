/** `dlq show` and `review show`: one stopped item, whole. */
import * as Effect from "effect/Effect"

import { logAccess } from "../store/access-log.ts"
import { listStopped, type StoppedItem, type StoppedSelection } from "../store/list-stopped.ts"
import { openStateFolder } from "../store/state-folder.ts"
import { traceItem, type RunHistory } from "../store/trace-item.ts"
import { formatMinute, formatUsd } from "./format.ts"
import { Misuse } from "./misuse.ts"
import { osUser } from "./os-user.ts"
import { shellWord } from "./stopped-flags.ts"
import { traceText } from "./trace-text.ts"
import type { Said } from "./verb.ts"

export interface ShowRequest {
  readonly state: string
  readonly view: StoppedSelection["view"]
  readonly run: string
  readonly item: string
}

export const showStopped = Effect.fn("Cli.showStopped")(function* ({ state, view, run, item }: ShowRequest) {
  const folder = yield* openStateFolder(state)
  const selection = { view, run, items: [item], job: null, step: null, code: null, rule: null, cause: null, statuses: null }
  const stops = (yield* listStopped(folder, selection, 100)).items.filter((stop) => stop.run === run)
  const [first] = stops
  const verbName = view === "dlq" ? "dlq" : "review"
  if (first === undefined)
    return yield* new Misuse({
      problem: `Run ${run} has no ${view === "dlq" ? "dead letter" : "answer for review"} of an item "${item}".`,
      remedy: `See what there is: runtime ${verbName} list --run ${run}`
    })
  yield* logAccess(folder, { who: osUser(), action: "show", run, items: 1, selection: first.item_id, reason: null })
  const history = yield* traceItem(folder, { itemId: first.item_id })
  const own = history.runs.find((each) => each.run["run"] === run)
  if (own === undefined) return yield* Effect.die(new Error(`The views know a stopped item of run ${run}, and no run of that name`))
  return { json: jsonOf(history.key, own, stops), text: textOf(history.key, own, stops, verbName) } satisfies Said
}, Effect.scoped)

const costOf = ({ attempts }: RunHistory): number => attempts.reduce((sum, row) => sum + Number(row["cost_usd"] ?? 0), 0)

/** When the item was last asked about, or stopped where it never was. */
const lastAttemptOf = ({ attempts }: RunHistory, stops: ReadonlyArray<StoppedItem>): string => {
  const asked = attempts.map((row) => (row["started_at"] as Date).toISOString())
  return [...asked, ...(asked.length > 0 ? [] : stops.map(({ stopped_at }) => stopped_at.toISOString()))].toSorted().at(-1) ?? ""
}

const jsonOf = (key: string | null, history: RunHistory, stops: ReadonlyArray<StoppedItem>) => ({
  run: history.run["run"],
  origin: stops[0]?.origin,
  job: history.run["job"],
  itemId: stops[0]?.item_id,
  key,
  status: stops[0]?.status,
  cause: stops[0]?.cause ?? null,
  linkedRun: stops[0]?.linked_run ?? null,
  stops: stops.map(({ step, code, rule, attempts, stopped_at }) => ({ step, code, rule, attempts, stoppedAt: stopped_at.toISOString() })),
  lastAttemptAt: lastAttemptOf(history, stops),
  costUsd: costOf(history),
  payload: history.payload,
  attempts: history.attempts,
  decisions: history.decisions
})

const textOf = (key: string | null, history: RunHistory, stops: ReadonlyArray<StoppedItem>, verbName: "dlq" | "review"): string => {
  const [first] = stops
  const run = String(history.run["run"])
  const item = shellWord(key ?? first?.item_id ?? "")
  const why = stops.map(
    ({ step, code, rule, attempts }) =>
      `${rule === null ? code : `rule ${rule}`} at ${step} after ${attempts} ${attempts === 1 ? "try" : "tries"}`
  )
  const next =
    first?.status === "open" && verbName === "review"
      ? [
          `  runtime review accept ${run} ${item}`,
          `  runtime review correct ${run} ${item} --output JSON`,
          `  runtime review reject ${run} ${item} --reason TEXT`
        ]
      : first?.status === "open"
        ? [`  runtime dlq annotate ${run} ${item} --cause SLUG`, `  runtime dlq discard ${run} ${item} --reason TEXT`]
        : first?.status === "annotated"
          ? [`  runtime dlq replay ${run} ${item}`]
          : (first?.linked_run ?? null) === null
            ? []
            : [`  runtime status ${first?.linked_run ?? ""}`]
  return [
    `${first?.status ?? ""}${(first?.cause ?? null) === null ? "" : `, cause ${first?.cause ?? ""}`}: ${why.join(", ")}; last tried ${formatMinute(lastAttemptOf(history, stops))} UTC, cost ${formatUsd(costOf(history))}`,
    traceText({ key, itemId: first?.item_id ?? "", runs: [history] }),
    ...(next.length === 0 ? [] : [`Next:\n${next.join("\n")}`])
  ].join("\n\n")
}
