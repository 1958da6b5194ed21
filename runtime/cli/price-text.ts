/** What a run is expected to cost, as a person reads it. */
import type { InputEstimate } from "../execute/estimate.ts"
import type { ModelEstimate, PriceEstimate } from "../execute/price-estimate.ts"
import { formatCount, formatUsd } from "./format.ts"
import { textTable } from "./table.ts"

/** In one line. */
export const priceLine = (price: PriceEstimate, input: InputEstimate | null): string => {
  const { lowUsd, likelyUsd, highUsd, models, unpriced, unknown } = price
  if (likelyUsd === null || lowUsd === null || highUsd === null) {
    const noPrice = unpriced.length === 0 ? [] : [`no price is known of ${unpriced.join(", ")}`]
    return `unknown: ${[...noPrice, ...unknown].join("; ")}`
  }
  if (models.length === 0) return `${formatUsd(likelyUsd)}: ${input?.items === 0 ? "there are no items" : "every model is embedded"}`
  const precision = input?.precision === "at least" ? "at least" : "about"
  return `${precision} ${formatUsd(likelyUsd)}; from ${formatUsd(lowUsd)} to ${formatUsd(highUsd)}, without retries`
}

/** A table of the models and what its figures rest on; empty for a job of embedded models. */
export const priceSection = ({ models, sampled }: PriceEstimate): ReadonlyArray<string> => {
  if (models.length === 0) return []
  const table = textTable(
    ["step", "model", "tier", "requests", "tokens in", "tokens out", "likely", "at most"],
    models.map((model) => [
      model.step,
      model.model,
      model.tier,
      `${model.isUpTo ? "up to " : ""}${formatCount(model.requests)}`,
      model.input === "unknown" ? "unknown" : formatCount(model.inputTokens),
      formatCount(model.outputTokens),
      model.likelyUsd === null ? "unknown" : formatUsd(model.likelyUsd),
      model.highUsd === null ? "unknown" : formatUsd(model.highUsd)
    ])
  )
  return [`Price\n${[table, ...notesOf(models, sampled)].join("\n").replaceAll(/^/gm, "  ")}`]
}

const notesOf = (models: ReadonlyArray<ModelEstimate>, sampled: number): ReadonlyArray<string> => {
  const note = (of: (model: ModelEstimate) => boolean, text: string): ReadonlyArray<string> => (models.some(of) ? [text] : [])
  return [
    ...note(({ input }) => input === "sampled", `Tokens in: counted over the prompts of ${formatCount(sampled)} items.`),
    ...note(({ input }) => input === "reckoned", "Tokens in of a prompt that reads answers: reckoned from the first step's."),
    ...note(
      ({ input, output }) => input === "measured" || output === "measured",
      "Measured by the job's last run: tokens out, what was passed on, and what the provider's cache saved."
    ),
    ...note(({ output }) => output === "assumed", "Tokens out: half of maxTokens is assumed; a run, or a trial with --limit, measures it."),
    ...note(({ isUpTo }) => isUpTo, "Up to: what a cascade passes on, or a filter lets through, is decided by answers."),
    `What ${models.some(({ output }) => output === "assumed") ? "the provider's cache saves is taken off the lowest price only; what " : ""}equal inputs save isn't taken off.`
  ]
}
