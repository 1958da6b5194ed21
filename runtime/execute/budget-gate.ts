/** What a run says when its money is spent, and what it asks for. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Kept with the gate; without personal data. */
export const BudgetGateDetail = Schema.Struct({
  envelopeUsd: Schema.Finite,
  spentUsd: Schema.Finite,
  /** What a kill or an interruption left unclear: it counts as spent. */
  uncertainUsd: Schema.Finite,
  /** The most that the next call, or batch, may cost. */
  neededUsd: Schema.Finite,
  items: Schema.Finite,
  openItems: Schema.Finite
})
export type BudgetGateDetail = typeof BudgetGateDetail.Type

/** A gate's detail as its file has it; null where another version wrote something else. */
export const readBudgetGate = (detail: unknown): BudgetGateDetail | null => Option.getOrNull(decodeDetail(detail))
const decodeDetail = Schema.decodeUnknownOption(BudgetGateDetail)

/** Open items cost about what finished ones did. */
const margin = 1.1

/** What would bring the run to its end, going by what its finished items cost, with room for the bound of the last call: rounded up to two digits, a cent at least. */
export const suggestedUsd = ({ envelopeUsd, spentUsd, uncertainUsd, neededUsd, items, openItems }: BudgetGateDetail): number => {
  const done = items - openItems
  const restUsd = done > 0 ? (spentUsd / done) * openItems * margin : envelopeUsd
  const missingUsd = restUsd + neededUsd - Math.max(0, envelopeUsd - spentUsd - uncertainUsd)
  return roundedUp(Math.max(missingUsd, neededUsd, 0.01))
}

/** What to type at the gate, a line each. */
export const gateCommands = (gate: string, detail: BudgetGateDetail): ReadonlyArray<string> => [
  `  go on:              runtime approve ${gate} --add-usd ${suggestedUsd(detail)}`,
  `  close without them: runtime reject ${gate}`
]

const roundedUp = (usd: number): number => {
  const step = 10 ** (Math.floor(Math.log10(usd)) - 1)
  // A billionth below, so that 0.29 stays 0.29 in binary; the precision takes what the multiplication adds.
  return Number((Math.ceil(usd / step - 1e-9) * step).toPrecision(2))
}
