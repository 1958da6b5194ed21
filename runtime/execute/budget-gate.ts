/** What a run says when its money is spent, and what it asks for. */
import * as Schema from "effect/Schema"

import { count, dollars } from "../report/text.ts"
import { approveOrReject, gateKind } from "./gate-kind.ts"

const BudgetGateDetail = Schema.Struct({
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

/** The run's money is spent: it goes on with more. */
export const budgetGate = gateKind({
  detail: BudgetGateDetail,
  takesUsd: true,
  says: ({ envelopeUsd, spentUsd, uncertainUsd, neededUsd, items, openItems }) => {
    const uncertain = uncertainUsd > 0 ? `, ${dollars(uncertainUsd)} more may be, as calls were cut off` : ""
    return [
      `${dollars(spentUsd)} of ${dollars(envelopeUsd)} are spent${uncertain}, and the next call may cost ${dollars(neededUsd)}.`,
      `${count(items - openItems)} of ${count(items)} items are done and stay so; ${count(openItems)} are open.`
    ]
  },
  commands: (gate, detail) =>
    approveOrReject(gate, { approve: "go on", reject: "close without them" }, ` --add-usd ${suggestedUsd(detail)}`)
})

/** Open items cost about what finished ones did. */
const margin = 1.1

/** What would bring the run to its end, going by what its finished items cost, with room for the bound of the last call: rounded up to two digits, a cent at least. */
export const suggestedUsd = ({ envelopeUsd, spentUsd, uncertainUsd, neededUsd, items, openItems }: BudgetGateDetail): number => {
  const done = items - openItems
  const restUsd = done > 0 ? (spentUsd / done) * openItems * margin : envelopeUsd
  const missingUsd = restUsd + neededUsd - Math.max(0, envelopeUsd - spentUsd - uncertainUsd)
  return roundedUp(Math.max(missingUsd, neededUsd, 0.01))
}

const roundedUp = (usd: number): number => {
  const step = 10 ** (Math.floor(Math.log10(usd)) - 1)
  // A billionth below, so that 0.29 stays 0.29 in binary; the precision takes what the multiplication adds.
  return Number((Math.ceil(usd / step - 1e-9) * step).toPrecision(2))
}
