/** Which models have a batch tier, and who carries it. */
import * as Effect from "effect/Effect"

import type { Model } from "../../dsl/index.ts"
import type { Accounts } from "./accounts.ts"
import { anthropicBatches } from "./anthropic-batch.ts"
import { BatchProvider, type BatchEngine } from "./batch-provider.ts"
import type { HttpAgent } from "./http.ts"
import { openAiBatches } from "./openai-batch.ts"

/** One engine a model. */
export const batchEngines = (options: {
  readonly agent: HttpAgent
  readonly accounts: Accounts["Service"]
}): Effect.Effect<BatchProvider["Service"]> =>
  Effect.sync(() => {
    const engines = new Map<Model, BatchEngine | null>()
    return BatchProvider.of({
      engineOf: (model) => {
        const known = engines.get(model)
        if (known !== undefined) return known
        const made = makeEngine(options, model)
        engines.set(model, made)
        return made
      }
    })
  })

const makeEngine = ({ agent, accounts }: Parameters<typeof batchEngines>[0], model: Model): BatchEngine | null => {
  if (model.engine === "openai") return openAiBatches({ accounts, model })
  return model.engine === "anthropic" ? anthropicBatches(agent, { accounts, model }) : null
}
