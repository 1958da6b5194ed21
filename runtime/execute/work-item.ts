/** What a step is given of an item. */
import type { PriorBatch } from "../store/batch-record.ts"
import type { GivenAnswers, PriorAnswer, PriorCheckpoint, PriorRetry, PriorTries } from "../store/ledger.ts"
import type { ItemPlace } from "./item-trace.ts"

/** An item to work on, decoded, with what earlier sessions left of it. */
export interface WorkItem extends ItemPlace {
  readonly key: string
  readonly label: string | null
  readonly item: unknown
  readonly checkpoints: ReadonlyMap<string, PriorCheckpoint>
  /** Answers that a rule refused in an earlier session, by step: paid for, so the rules see them again and the calls go on counting. */
  readonly refused?: ReadonlyMap<string, PriorAnswer>
  /** Durable calls, by step. */
  readonly tried?: ReadonlyMap<string, PriorTries>
  /** What provider batches have, or had, of the item, by step. */
  readonly batched?: ReadonlyMap<string, PriorBatch>
  /** What is to be asked again, by step. */
  readonly queued?: ReadonlyMap<string, PriorRetry>
  /** Of a linked run: answers that no model is asked for, and rules that a person has answered. */
  readonly given?: GivenAnswers
}
