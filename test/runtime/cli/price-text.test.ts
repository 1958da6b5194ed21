import { describe, expect, it } from "vitest"

import { openai } from "../../../dsl/index.ts"
import { priceLine, priceSection } from "../../../runtime/cli/price-text.ts"
import type { InputEstimate } from "../../../runtime/execute/estimate.ts"
import type { ModelEstimate, PriceEstimate } from "../../../runtime/execute/price-estimate.ts"

const model: ModelEstimate = {
  step: "labels",
  model: openai("gpt-5-mini", { account: "a" }).name,
  tier: "batch",
  requests: 6_046,
  isUpTo: false,
  inputTokens: 4_379_000,
  outputTokens: 192_000,
  input: "sampled",
  output: "assumed",
  lowUsd: 1.1,
  likelyUsd: 1.5,
  highUsd: 2
}
const price: PriceEstimate = { lowUsd: 1.1, likelyUsd: 1.5, highUsd: 2, models: [model], unpriced: [], sampled: 60, unknown: [] }
const unpriced = { ...price, lowUsd: null, likelyUsd: null, highUsd: null }
const input: InputEstimate = { precision: "exact", items: 6_046, rejected: 0, rowsRead: 6_046, bytes: 1 }

describe("the price of a run in words", () => {
  it("[CST-1] is a likely figure between two others, and at least that where not all rows were read", () => {
    expect(priceLine(price, input)).toBe("about $1.50; from $1.10 to $2.00, without retries")
    expect(priceLine(price, { ...input, precision: "at least" })).toBe("at least $1.50; from $1.10 to $2.00, without retries")
  })

  it("[CST-1] says why there is none", () => {
    expect(priceLine({ ...price, models: [], likelyUsd: 0, lowUsd: 0, highUsd: 0 }, { ...input, items: 0 })).toBe(
      "$0.00: there are no items"
    )
    expect(priceLine({ ...price, models: [], likelyUsd: 0, lowUsd: 0, highUsd: 0 }, input)).toBe("$0.00: every model is embedded")
    expect(priceLine({ ...unpriced, unpriced: ["own", "other"] }, input)).toBe("unknown: no price is known of own, other")
    expect(priceLine({ ...unpriced, unknown: ["the prompt of labels fails: no id"] }, input)).toBe(
      "unknown: the prompt of labels fails: no id"
    )
  })

  it("[CST-1] has a table of the models, with what its figures rest on", () => {
    const [section = ""] = priceSection(price)
    expect(section).toMatch(/labels +│ gpt-5-mini │ batch │ 6,046 +│ 4,379,000 │ 192,000 +│ \$1\.50 +│ \$2\.00/)
    expect(section).toContain("Tokens in: counted over the prompts of 60 items.")
    expect(section).toContain("half of maxTokens is assumed")
    expect(section).not.toContain("Measured by the job's last run")
    expect(priceSection({ ...price, models: [] })).toEqual([])
  })

  it("[CST-1] says up to, unknown and measured where it is so", () => {
    const open: ModelEstimate = { ...model, isUpTo: true, input: "unknown", output: "measured", likelyUsd: null, highUsd: null }
    const [section = ""] = priceSection({ ...unpriced, models: [open] })
    expect(section).toMatch(/up to 6,046 │ unknown +│ 192,000 +│ unknown │ unknown/)
    expect(section).toContain("Measured by the job's last run")
    expect(section).toContain("Up to: what a cascade passes on")
    expect(section).not.toContain("is assumed")
  })
})
