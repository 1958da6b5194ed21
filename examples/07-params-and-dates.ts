/**
 * A source that knows its run: its path is a function of the logical date and of parameters that the job declares.
 * A run of 2 March reads 2 March, whenever it happens; that is what makes yesterday's run repeatable.
 * Run it: npx runtime run examples/07-params-and-dates.ts --date 2026-03-02 --param country=NZ
 */
import { Schema } from "effect"
import {
  aggregate,
  count,
  countBy,
  cron,
  infer,
  job,
  jsonl,
  local,
  partition,
  report,
  system,
  usd,
  user,
  type RunContext
} from "nightshift"

const Headline = Schema.Struct({ id: Schema.NonEmptyString, headline: Schema.String })

// What a person may set with --param. A value that doesn't fit is refused before anything starts.
const Params = Schema.Struct({ country: Schema.optionalKey(Schema.Literals(["AU", "NZ"])) })
type Params = typeof Params.Type

const headlines = jsonl(
  ({ date, params }: RunContext<Params>) => `examples/data/07-params-and-dates/${params.country ?? "AU"}/${date}.jsonl`,
  { schema: Headline, key: (headline) => headline.id }
)

const desks = local("desks", ({ data }) => {
  const text = String(data)
  const isMarkets = /rates|exports|bank/i.test(text)
  const isWeather = /storm|flood|fire/i.test(text)
  return { desk: isMarkets ? "markets" : isWeather ? "weather" : "general" }
})

const routed = infer(partition(headlines), {
  model: desks,
  prompt: ({ headline }) => [system`Which desk takes this headline?`, user`${headline}`],
  output: Schema.Struct({ desk: Schema.Literals(["markets", "weather", "general"]) })
})

const totals = aggregate(routed, { headlines: count, byDesk: countBy(({ output }) => output.desk) })
const summary = report(
  totals,
  ({ headlines, byDesk }) => `${headlines} headlines: ${byDesk.markets} for markets, ${byDesk.weather} for weather.`
)

export default job("params-and-dates", {
  owner: "newsroom",
  purpose: "Route the wire to the desks",
  classification: "public",
  params: Params,
  // The logical date is the day of the fire time in this zone, never in the machine's.
  schedule: cron("30 5 * * *", { timeZone: "Pacific/Auckland", within: "1 hour" }),
  budget: usd(1),
  steps: { headlines, routed, totals, summary }
})
