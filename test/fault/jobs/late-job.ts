/** A job that is sure to miss its deadline: items of a fifth of a second, and one second for all. */
import { setTimeout as sleep } from "node:timers/promises"

import { Schema, Stream } from "effect"
import { cron, infer, job, local, partition, stream, usd, user } from "nightshift"

const Item = Schema.Struct({ id: Schema.NonEmptyString })
const items = stream(() => Stream.fromIterable(Array.from({ length: 400 }, (_, n) => ({ id: `k${n}` }))), {
  schema: Item,
  key: ({ id }) => id
})
const spread = partition(items, { itemsMax: 20 })
const slow = local(
  "slow",
  async () => {
    await sleep(200)
    return { label: "a" }
  },
  { version: "1", itemsPerMinute: 60_000 }
)
const labels = infer(spread, { model: slow, prompt: ({ id }) => [user`${id}`], output: Schema.Struct({ label: Schema.String }) })

export default job("late", {
  owner: "night-desk",
  purpose: "A test of deadlines",
  classification: "internal",
  consumers: ["ticketing"],
  notify: ["ops"],
  budget: usd(1),
  schedule: cron("0 1 * * *", { timeZone: "UTC", within: "1 second" }),
  steps: { items, spread, labels }
})
