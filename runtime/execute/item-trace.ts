/** What came of one item since its last settlement. */
import { worst } from "../store/disposition.ts"
import type { AnswerRecord, AttemptRecord, CheckpointRecord, ProblemRecord, RetryRecord, Settlement, StopRecord } from "../store/ledger.ts"
import { mask } from "../provider/redaction.ts"
import type { Disposition } from "../store/state-tables.ts"

/** Which item, and who works on it. */
export interface ItemPlace {
  readonly seq: number
  readonly itemId: string
  readonly partition: number
  readonly worker: number
}

/** Collects an item's rows until they are settled together. */
export class ItemTrace {
  readonly #place: ItemPlace
  #attempts: Array<AttemptRecord> = []
  #checkpoints: Array<CheckpointRecord> = []
  #answers: Array<AnswerRecord> = []
  #problems: Array<ProblemRecord> = []
  #stops: Array<StopRecord> = []
  #retries: Array<RetryRecord> = []
  #flags: Array<{ readonly step: string; readonly rule: string }> = []
  readonly #dispositions = new Map<string, Disposition>()

  constructor(place: ItemPlace) {
    this.#place = place
  }

  get isEmpty(): boolean {
    return this.#checkpoints.length === 0 && this.#attempts.length === 0
  }

  attempt(record: AttemptRecord): void {
    this.#attempts.push(record)
  }
  answer(record: AnswerRecord): void {
    const { output, raw } = record
    this.#answers.push({ ...record, output: mask(output), raw: raw === null ? null : mask(raw) })
  }
  problem(record: ProblemRecord): void {
    const { message, raw } = record
    this.#problems.push({ ...record, message: mask(message), raw: raw === null ? null : mask(raw) })
  }
  flag(step: string, rule: string): void {
    this.#flags.push({ step, rule })
  }
  stop(record: StopRecord): void {
    this.#stops.push(record)
  }
  /** The step's next try waits for a sweep. */
  retry(record: RetryRecord): void {
    this.#retries.push(record)
  }
  checkpoint(record: Pick<CheckpointRecord, "step" | "status"> & Partial<CheckpointRecord>): void {
    this.#checkpoints.push({ disposition: null, code: null, rule: null, attempts: 0, answerStep: null, ...record })
  }
  /** Where the item ended at a terminal step, now or in an earlier session. */
  ended(step: string, disposition: Disposition): void {
    this.#dispositions.set(step, disposition)
  }

  /** Voids what a second answer will decide again; what was paid and said stays. */
  forget(steps: ReadonlySet<string>): void {
    this.#checkpoints = this.#checkpoints.filter(({ step }) => !steps.has(step))
    this.#flags = this.#flags.filter(({ step }) => !steps.has(step))
    this.#stops = this.#stops.filter(({ step }) => !steps.has(step))
    for (const step of steps) this.#dispositions.delete(step)
  }

  /** Hands over what was collected and starts anew. */
  settlement(completedAt: Date, isLast: boolean): Settlement {
    const settlement = {
      ...this.#place,
      completedAt,
      attempts: this.#attempts,
      checkpoints: this.#checkpoints,
      answers: this.#answers,
      problems: this.#problems,
      stops: this.#stops,
      retries: this.#retries,
      flags: this.#flags,
      finished: isLast ? worst(this.#dispositions.values()) : null
    }
    this.#attempts = []
    this.#checkpoints = []
    this.#answers = []
    this.#problems = []
    this.#stops = []
    this.#retries = []
    this.#flags = []
    return settlement
  }
}
