/** What one group commit writes: settlements turned into columns. */
import * as DuckDb from "@duckdb/node-api"

import { instant, RowBuffer, target } from "./append.ts"
import { Batch } from "./batch.ts"
import type { Settlement, Variant } from "./ledger.ts"

const { BIGINT, DOUBLE, INTEGER, TIMESTAMPTZ, VARCHAR } = DuckDb

const stopped = [BIGINT, VARCHAR, VARCHAR, INTEGER, VARCHAR, VARCHAR, INTEGER, TIMESTAMPTZ, BIGINT] as const
const targets = {
  answers: target("payload", "answers", BIGINT, VARCHAR, INTEGER, INTEGER, VARCHAR, VARCHAR, BIGINT),
  problems: target("payload", "problems", BIGINT, VARCHAR, INTEGER, VARCHAR, VARCHAR, VARCHAR, BIGINT),
  attempts: target(
    "state",
    "attempts",
    BIGINT,
    VARCHAR,
    INTEGER,
    INTEGER,
    VARCHAR,
    VARCHAR,
    TIMESTAMPTZ,
    INTEGER,
    BIGINT,
    BIGINT,
    DOUBLE,
    DOUBLE,
    INTEGER,
    BIGINT,
    BIGINT,
    BIGINT,
    BIGINT,
    VARCHAR,
    DOUBLE
  ),
  checkpoints: target(
    "state",
    "checkpoints",
    BIGINT,
    VARCHAR,
    VARCHAR,
    INTEGER,
    INTEGER,
    VARCHAR,
    VARCHAR,
    VARCHAR,
    VARCHAR,
    INTEGER,
    VARCHAR,
    TIMESTAMPTZ,
    INTEGER,
    BIGINT
  ),
  deadLetters: target("state", "dead_letters", ...stopped),
  reviews: target("state", "reviews", ...stopped),
  retries: target("state", "retries", BIGINT, VARCHAR, VARCHAR, INTEGER, VARCHAR, VARCHAR, TIMESTAMPTZ, TIMESTAMPTZ, BIGINT),
  flags: target("state", "flags", BIGINT, VARCHAR, VARCHAR, VARCHAR, BIGINT),
  variants: target("state", "variants", INTEGER, VARCHAR, VARCHAR, VARCHAR, VARCHAR, VARCHAR),
  prompts: target("state", "prompts", VARCHAR, VARCHAR, VARCHAR)
}

/** Gives each variant its number; new ones are written with the batch that first uses them. */
export class Variants {
  readonly #byValue = new Map<Variant, number>()
  readonly #byKey = new Map<string, number>()
  readonly #prompts = new Set<string>()

  /** Tells of a variant that the file has already. */
  know(number: number, variant: Omit<Variant, "shape">): void {
    this.#byKey.set(keyOf(variant), number)
    this.#prompts.add(promptKeyOf(variant))
  }

  numberOf(variant: Variant, batch: CommitBatch): number {
    const known = this.#byValue.get(variant)
    if (known !== undefined) return known
    const key = keyOf(variant)
    const number = this.#byKey.get(key) ?? this.#byKey.size + 1
    if (!this.#byKey.has(key))
      batch.variants.push(number, variant.step, variant.model, variant.modelVersion, variant.promptVersion, variant.codeVersion)
    if (!this.#prompts.has(promptKeyOf(variant))) batch.prompts.push(variant.promptVersion, variant.step, variant.shape)
    this.#byKey.set(key, number)
    this.#prompts.add(promptKeyOf(variant))
    this.#byValue.set(variant, number)
    return number
  }
}

const keyOf = ({ step, model, modelVersion, promptVersion, codeVersion }: Omit<Variant, "shape">): string =>
  JSON.stringify([step, model, modelVersion, promptVersion, codeVersion])
const promptKeyOf = ({ step, promptVersion }: Omit<Variant, "shape">): string => JSON.stringify([step, promptVersion])

/** A batch's rows by table. */
export class CommitBatch extends Batch {
  readonly #session: number
  readonly #variantNumbers: Variants
  readonly answers = new RowBuffer(targets.answers)
  readonly problems = new RowBuffer(targets.problems)
  readonly attempts = new RowBuffer(targets.attempts)
  readonly checkpoints = new RowBuffer(targets.checkpoints)
  readonly deadLetters = new RowBuffer(targets.deadLetters)
  readonly reviews = new RowBuffer(targets.reviews)
  readonly retries = new RowBuffer(targets.retries)
  readonly flags = new RowBuffer(targets.flags)
  readonly variants = new RowBuffer(targets.variants)
  readonly prompts = new RowBuffer(targets.prompts)

  constructor(number: number, session: number, variants: Variants) {
    super(number)
    this.#session = session
    this.#variantNumbers = variants
  }

  protected override keep(settlement: Settlement): void {
    const seq = BigInt(settlement.seq)
    const commit = BigInt(this.number)
    const at = instant(settlement.completedAt)
    const numberOf = (variant: Variant): number => this.#variantNumbers.numberOf(variant, this)
    const { itemId, partition, worker } = settlement
    for (const { step, attempt, variant, output, raw } of settlement.answers)
      this.answers.push(seq, step, attempt, numberOf(variant), output, raw, commit)
    for (const { step, attempt, code, message, raw } of settlement.problems)
      this.problems.push(seq, step, attempt, code, message, raw, commit)
    for (const call of settlement.attempts) {
      this.attempts.push(
        seq,
        itemId,
        call.attempt,
        numberOf(call.variant),
        call.outcome,
        call.requestDigest,
        instant(call.startedAt),
        call.ms,
        BigInt(call.inputTokens),
        BigInt(call.outputTokens),
        call.costUsd,
        call.confidence,
        this.#session,
        commit,
        BigInt(call.cacheReadTokens),
        BigInt(call.cacheWriteTokens),
        BigInt(call.reasoningTokens),
        call.tier,
        call.savedUsd
      )
    }
    for (const { step, status, disposition, code, rule, attempts, answerStep } of settlement.checkpoints) {
      this.checkpoints.push(
        seq,
        itemId,
        step,
        partition,
        worker,
        status,
        disposition,
        code,
        rule,
        attempts,
        answerStep,
        at,
        this.#session,
        commit
      )
    }
    for (const { kind, step, code, rule, attempts } of settlement.stops) {
      const rows = kind === "dead" ? this.deadLetters : this.reviews
      rows.push(seq, itemId, step, partition, code, rule, attempts, at, commit)
    }
    for (const { step, attempt, code, rule, dueAt } of settlement.retries)
      this.retries.push(seq, itemId, step, attempt, code, rule, at, instant(dueAt), commit)
    for (const { step, rule } of settlement.flags) this.flags.push(seq, itemId, step, rule, commit)
  }

  /** The tables of each file, in writing order. */
  get payloadRows(): ReadonlyArray<RowBuffer> {
    return [this.answers, this.problems]
  }
  get stateRows(): ReadonlyArray<RowBuffer> {
    return [this.variants, this.prompts, this.attempts, this.checkpoints, this.deadLetters, this.reviews, this.retries, this.flags]
  }
}
