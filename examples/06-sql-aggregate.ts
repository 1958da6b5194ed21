/**
 * An aggregate in SQL: a callback on a read-only Kysely, in which `rows` are the answers and `items` what they are about.
 * A field within a field is a column joined by _ (rating.food is rating_food); a wrong table, column or comparison doesn't compile.
 * Run it: npx runtime run examples/06-sql-aggregate.ts
 */
import { Schema } from "effect"
import { aggregate, infer, job, jsonl, local, partition, report, system, usd, user } from "nightshift"

const Visit = Schema.Struct({ id: Schema.NonEmptyString, city: Schema.String, month: Schema.String, text: Schema.String })
const Opinion = Schema.Struct({
  rating: Schema.Struct({ food: Schema.Finite, service: Schema.Finite }),
  wouldReturn: Schema.Boolean
})

const critic = local("critic", ({ data }) => {
  const text = String(data).toLowerCase()
  const stars = (good: RegExp, bad: RegExp) => 3 + (good.test(text) ? 2 : 0) - (bad.test(text) ? 2 : 0)
  return {
    rating: { food: stars(/superb|fresh/, /cold|stale/), service: stars(/kind|quick/, /slow|rude/) },
    wouldReturn: /return/.test(text)
  }
})

const visits = jsonl("examples/data/06-sql-aggregate.jsonl", { schema: Visit, key: (visit) => visit.id })

const opinions = infer(partition(visits), {
  model: critic,
  prompt: (visit) => [system`Rate food and service from 1 to 5.`, user`${visit.text}`],
  output: Opinion
})

// Order by something unique in the end, so that the same answers always give the same rows.
const cities = aggregate(opinions, (db) =>
  db
    .selectFrom("rows")
    .innerJoin("items", "items.item_key", "rows.item_key")
    .select(({ fn }) => [
      "city",
      fn.countAll<number>().as("visits"),
      fn.avg<number>("rating_food").as("food"),
      fn.avg<number>("rating_service").as("service")
    ])
    .groupBy("city")
    .orderBy("food", "desc")
    .orderBy("city")
)

const table = report(cities, (rows) =>
  [
    "| city | visits | food | service |",
    "| --- | ---: | ---: | ---: |",
    ...rows.map(({ city, visits, food, service }) => `| ${city} | ${visits} | ${food.toFixed(1)} | ${service.toFixed(1)} |`)
  ].join("\n")
)

export default job("sql-aggregate", {
  owner: "food-guide",
  purpose: "Rank cities by what visitors write",
  classification: "public",
  budget: usd(1),
  steps: { visits, opinions, cities, table }
})
