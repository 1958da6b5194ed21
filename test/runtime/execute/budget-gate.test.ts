import { describe, expect, it } from "vitest"

import { budgetGate, suggestedUsd, type BudgetGateDetail } from "../../../runtime/execute/budget-gate.ts"

const gate = (over: Partial<BudgetGateDetail>): BudgetGateDetail => ({
  envelopeUsd: 10,
  spentUsd: 9.9,
  uncertainUsd: 0,
  neededUsd: 0.5,
  items: 1_000,
  openItems: 100,
  ...over
})

describe("the money that a gate asks for", () => {
  it("[CST-2] is what the open items would cost at the price of the finished ones, a tenth more, and room for the last call", () => {
    // 100 items at 1.1 cents and a tenth, $0.50 of room, ten cents left.
    expect(suggestedUsd(gate({}))).toBe(1.7)
    expect(suggestedUsd(gate({ uncertainUsd: 0.1 }))).toBe(1.8)
  })

  it("[CST-2] lets a run through whose next call may cost far more than an item does", () => {
    const few = gate({ envelopeUsd: 0.5, spentUsd: 0.3, neededUsd: 0.25, items: 20, openItems: 10 })
    const headroomUsd = few.envelopeUsd - few.spentUsd + suggestedUsd(few)
    // Before the last item nine are paid for, and its bound must fit.
    expect(headroomUsd - 9 * (few.spentUsd / 10)).toBeGreaterThanOrEqual(few.neededUsd)
  })

  it("[CST-2] is a cent at least, and the room for a call where nothing is finished yet", () => {
    expect(suggestedUsd(gate({ envelopeUsd: 0.001, spentUsd: 0.0009, neededUsd: 0.0002, openItems: 1 }))).toBe(0.01)
    expect(suggestedUsd(gate({ envelopeUsd: 0, spentUsd: 0, neededUsd: 0.29, openItems: 1_000 }))).toBe(0.29)
  })

  it("what another version wrote is no detail", () => {
    expect(budgetGate.read(gate({}))).toEqual(gate({}))
    expect(budgetGate.read({ envelopeUsd: 10 })).toBeNull()
  })
})
