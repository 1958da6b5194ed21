/** A job that takes its time, in whichever phase `FAULT_SLOW` names, and notes when each call began. */
import { constants, openSync, readFileSync, writeSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

import { Effect, Schema, Stream } from "effect"
import { aggregate, count, infer, job, local, partition, report, stream, usd, user } from "nightshift"

const input = process.env["FAULT_INPUT"] ?? "items.jsonl"
/** `manifest`, `work` (`walk`, `crawl`: more), `closing`; `stuck`: some calls never come back; `effect`: the model is an Effect that tells of its interruption. */
const slow = process.env["FAULT_SLOW"] ?? ""
const log = openSync(process.env["FAULT_LOG"] ?? "calls.log", constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY)
const note = (...words: ReadonlyArray<string | number>): void => void writeSync(log, `${words.join(" ")}\n`)

const Item = Schema.Struct({ id: Schema.NonEmptyString, n: Schema.Int })
const Label = Schema.Struct({ label: Schema.Literals(["even", "odd"]) })

const rows = (): ReadonlyArray<typeof Item.Encoded> =>
  readFileSync(input, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as typeof Item.Encoded)

const items = stream(
  () =>
    Stream.fromIterable(rows()).pipe(
      Stream.rechunk(1),
      Stream.tap(({ n }) => {
        note("row", n, Date.now())
        return slow === "manifest" ? Effect.sleep(10) : Effect.void
      })
    ),
  { schema: Item, key: ({ id }) => id }
)

const latencyMs = { crawl: 2_000, walk: 500, work: 150, stuck: 150 }[slow] ?? 1
const labelOf = (n: number) => ({ label: n % 2 === 0 ? "even" : "odd" })
const promised = local(
  "model",
  async ({ data }) => {
    const n = Number(data[0])
    note("call", n, Date.now())
    if (slow === "stuck" && n % 50 === 3) await new Promise(() => undefined)
    await sleep(latencyMs)
    return labelOf(n)
  },
  { version: "1" }
)
const effectful = local(
  "model",
  ({ data }) => {
    const n = Number(data[0])
    note("call", n, Date.now())
    return Effect.sleep(150).pipe(
      Effect.as(labelOf(n)),
      Effect.onInterrupt(() => Effect.sync(() => note("stopped", n))),
      Effect.tap(() => Effect.sync(() => note("answered", n)))
    )
  },
  { version: "1" }
)

const labels = infer(partition(items), { model: slow === "effect" ? effectful : promised, output: Label, prompt: ({ n }) => [user`${n}`] })
const total = aggregate(labels, { total: count })
const said = report(total, async (values) => {
  note("report", 0, Date.now())
  await sleep(slow === "closing" ? 5_000 : 1)
  return `${values.total} items`
})

export default job("slow", {
  owner: "test",
  purpose: "Be stopped",
  classification: "public",
  budget: usd(1),
  steps: { items, labels, total, said }
})
