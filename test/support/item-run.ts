/** Takes single items through a job's steps without files: what an item's settlements say. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import { compile, type Job } from "../../dsl/index.ts"
import { VariantCache } from "../../runtime/execute/ask.ts"
import { makeGraph } from "../../runtime/execute/graph.ts"
import { directCaller } from "../../runtime/execute/caller.ts"
import { processItem } from "../../runtime/execute/item.ts"
import { PromptVersions } from "../../runtime/execute/prompt-version.ts"
import { localProvider } from "../../runtime/provider/local.ts"
import { Provider } from "../../runtime/provider/provider.ts"
import type { PriorAnswer, PriorCheckpoint, Settlement } from "../../runtime/store/ledger.ts"

export interface ItemRunOptions {
  readonly job: Job
  readonly item: unknown
  readonly key?: string
  readonly label?: string | null
  readonly checkpoints?: ReadonlyMap<string, PriorCheckpoint>
  readonly refused?: ReadonlyMap<string, PriorAnswer>
  readonly services?: Context.Context<never>
}

/** Every settlement of the item, in order. */
export const runItem = async (options: ItemRunOptions): Promise<ReadonlyArray<Settlement>> => {
  compile(options.job)
  const services = options.services ?? Context.empty()
  const settled: Array<Settlement> = []
  let now = 0
  await Effect.runPromise(
    Effect.gen(function* () {
      const provider = yield* Effect.provide(Provider, localProvider(services))
      const environment = {
        graph: makeGraph(options.job),
        caller: directCaller(provider),
        services,
        versions: new PromptVersions(),
        codeVersion: "code",
        now: () => now++,
        variants: new VariantCache(),
        ledger: { settle: (settlement: Settlement) => Effect.sync(() => void settled.push(settlement)) }
      }
      const place = { seq: 0, itemId: "item", partition: 0, worker: 1, key: options.key ?? "k" }
      yield* processItem(environment, {
        ...place,
        label: options.label ?? null,
        item: options.item,
        checkpoints: options.checkpoints ?? new Map(),
        refused: options.refused ?? new Map()
      })
    })
  )
  return settled
}

/** What a ledger would hand to a resume after these settlements. */
export const checkpointsAfter = (settled: ReadonlyArray<Settlement>): ReadonlyMap<string, PriorCheckpoint> => {
  const answers = settled.flatMap((each) => each.answers)
  return new Map(
    settled
      .flatMap((each) => each.checkpoints)
      .map(({ step, status, code, rule, attempts, answerStep }) => {
        const answer = answers.findLast((each) => each.step === answerStep)
        return [step, { status, code, rule, attempts, answerStep, output: answer?.output ?? null, variant: answer?.variant ?? null }]
      })
  )
}

/** The same of answers that no checkpoint stands on. */
export const refusedAfter = (settled: ReadonlyArray<Settlement>): ReadonlyMap<string, PriorAnswer> => {
  const standing = new Set(settled.flatMap((each) => each.checkpoints.map(({ answerStep }) => answerStep)))
  return new Map(
    settled.flatMap((each) => each.answers).flatMap((answer) => (standing.has(answer.step) ? [] : [[answer.step, answer] as const]))
  )
}

/** `step:status` of each checkpoint, with the disposition where the item ended. */
export const pathOf = (settled: ReadonlyArray<Settlement>): ReadonlyArray<string> =>
  settled.flatMap(({ checkpoints }) =>
    checkpoints.map(({ step, status, disposition }) => `${step}:${status}${disposition === null ? "" : `=${disposition}`}`)
  )
