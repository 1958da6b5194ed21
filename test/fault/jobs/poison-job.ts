/** A job with one item, `n = 7`, that does to the process what `FAULT_POISON` says: in a step's function, `FAULT_AT`. Each call is noted before. */
import { constants, openSync, writeSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"

import { Effect, Schema } from "effect"
import { aggregate, count, deadLetter, flag, infer, job, jsonl, local, partition, report, usd, user, validate, when } from "nightshift"

const poison = process.env["FAULT_POISON"] ?? ""
const at = process.env["FAULT_AT"] ?? "rule"
const log = openSync(process.env["FAULT_LOG"] ?? "calls.log", constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY)
const note = (...words: ReadonlyArray<string | number>): void => void writeSync(log, `${words.join(" ")}\n`)

const deeds: Readonly<Record<string, () => unknown>> = {
  hang: () => {
    for (;;);
  },
  wait: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  exit: () => process.exit(0),
  abort: () => process.abort(),
  throwLater: () => setTimeout(() => JSON.parse("{"), 1),
  never: () => new Promise(() => undefined),
  neverEffect: () => Effect.never,
  /** Behind an answer, where no callback is known to have the thread. */
  hangLater: async () => {
    await sleep(1)
    for (;;);
  }
}
/** Does the deed for the poisonous item, at the place that is asked for. */
const act = <A>(place: string, n: number, well: A): A => {
  if (n === 7) note("poison", place)
  // The deed's value is what the callback answers with: each place that is tested may wait.
  return n === 7 && place === at && poison !== "" ? (deeds[poison]?.() as A) : well
}

const Item = Schema.Struct({ id: Schema.NonEmptyString, n: Schema.Int })
const Label = Schema.Struct({ label: Schema.String })
const items = jsonl(() => process.env["FAULT_INPUT"] ?? "items.jsonl", { schema: Item, key: ({ id, n }) => act("key", n, id) })
const parts = partition(items)
const model = local(
  "small",
  async ({ data }) => {
    const n = Number(data[0])
    note("call", n)
    // Enough for all slots to be taken when the poisonous item's turn comes.
    await sleep(n === 7 ? 5 : 30)
    return act("answer", n, { label: n % 2 === 0 ? "even" : "odd" })
  },
  { version: "1" }
)
const quick = local("quick", ({ data }) => act("model", Number(data[0]), { label: "quick" }), { version: "1" })

const labels = infer(
  when(parts, ({ n }) => act("when", n, true)),
  { model, output: Label, prompt: ({ n }) => act("prompt", n, [user`${n}`] as const) }
)
const checked = validate(labels, {
  first: { pass: ({ item }) => item.n !== 9, orElse: deadLetter },
  second: { pass: ({ item }) => act("rule", item.n, true), orElse: flag }
})
const second = infer(checked, { model: quick, output: Label, prompt: ({ item }) => [user`${item.n}`] })
const total = aggregate(second, { total: count })
const said = report(total, (values) => act("report", Number(process.env["FAULT_REPORT"] ?? 0), `${values.total} items`))

export default job("poison", {
  owner: "test",
  purpose: "Be ended by its own code",
  classification: "public",
  budget: usd(1),
  callbackTimeout: "1 second",
  passRateMin: 0,
  steps: { items, parts, labels, checked, second, total, said }
})
