/** How an item leaves a step, and what an earlier session's checkpoint says of it. */
import type { Answer } from "../../dsl/index.ts"
import type { PriorCheckpoint, Variant } from "../store/ledger.ts"
import type { Disposition } from "../store/state-tables.ts"
import type { InferNode } from "./graph.ts"

/** How an item left a step, in this pass or before. */
export type Outcome =
  | { readonly kind: "item" }
  | {
      readonly kind: "answer"
      readonly answer: Answer<unknown, unknown>
      readonly json: string
      readonly answerStep: string
      readonly variant: Variant | null
      readonly modelIndex: number
      /** Of the request that equal ones share the answer of; null where none does. */
      readonly digest: string | null
      /** Of an earlier pass: what a rule says of it is known to the retry queue. */
      readonly isPrior: boolean
      /** Whether the item came with it: what a person answered for stops it no more. */
      readonly isGiven: boolean
    }
  | { readonly kind: "stopped"; readonly disposition: Exclude<Disposition, "delivered"> }
  /** No answer in this pass: what comes after it waits too. */
  | { readonly kind: "parked" }

/** With an answer. */
export type Answered = Extract<Outcome, { kind: "answer" }>

/** A stored answer by the schema that its step has now, which may be another than the one it was stored under. */
export const decoded = (node: InferNode, json: string): { readonly value: unknown } | { readonly misfit: string } => {
  try {
    return { value: node.decode(JSON.parse(json)) }
  } catch (cause) {
    return { misfit: (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s*\n\s*/g, " ") }
  }
}

/** What a step that reads it is given. */
export const rowOf = (input: Outcome, item: unknown): unknown => (input.kind === "answer" ? input.answer : item)

/** Whether the item went on from there. */
export const isOnPath = ({ status }: PriorCheckpoint): boolean => status === "answered" || status === "passed"

/** How one that didn't go on ended. */
export const dispositionOf = ({ status }: PriorCheckpoint): Exclude<Disposition, "delivered"> =>
  status === "review" || status === "held" || status === "skipped" ? status : "dead"
