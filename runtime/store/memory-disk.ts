/** A run's files in memory: they hold what is committed and nothing else, so they are what a crash leaves. */
import { costsOf, isAccountedFor, type Costs } from "./costs.ts"
import { noDispositions, worst } from "./disposition.ts"
import {
  cutOffOutcomes,
  type AnswerRecord,
  type Completeness,
  type PendingItem,
  type PriorAnswer,
  type PriorCheckpoint,
  type PriorRetry,
  type PriorTries
} from "./ledger.ts"
import type {
  CheckpointRecord,
  PartitionRecord,
  RunStart,
  SessionStart,
  Settlement,
  StagedItem,
  StagedRejection,
  StepRow,
  Variant
} from "./ledger.ts"
import { DiskAlerts } from "./memory-alerts.ts"
import type { DiskBatches } from "./memory-batches.ts"
import { DiskMoney, type MoneyOnDisk } from "./memory-money.ts"
import type { Disposition, RunStatus } from "./state-tables.ts"

export interface DiskRun extends RunStart {
  readonly status: RunStatus
  readonly failure: string | null
  readonly createdAt: Date
  readonly isSealed: boolean
}

export interface DiskItem extends StagedItem {
  readonly itemId: string
}

export interface DiskPartition extends PartitionRecord {
  readonly epoch: number
  readonly worker: number | null
}

export class MemoryDisk {
  run: DiskRun | null = null
  readonly sessions: Array<SessionStart> = []
  /** By `seq`. */
  items: ReadonlyArray<DiskItem> = []
  rejections: ReadonlyArray<StagedRejection> = []
  partitions: Array<DiskPartition> = []
  /** Whole commits: the first has number 1. */
  readonly commits: Array<ReadonlyArray<Settlement>> = []
  /** The payload's half of the next commit, where a kill came before the state's. */
  halfCommit: ReadonlyArray<Settlement> = []
  readonly batches: DiskBatches = new Map()
  readonly money = new DiskMoney()
  readonly told = new DiskAlerts()
  readonly summaries = new Map<string, string>()
  readonly reports = new Map<string, string>()
  readonly #paid: Array<{ readonly session: number; readonly usd: number; readonly isRealtime: boolean }> = []
  readonly #histories = new Map<number, Array<Settlement>>()

  /** Makes a commit whole. */
  commit(settlements: ReadonlyArray<Settlement>): void {
    this.commits.push(settlements)
    this.halfCommit = []
    const session = this.sessions.length
    for (const { costUsd, tier } of settlements.flatMap(({ attempts }) => attempts))
      if (costUsd !== null && costUsd !== 0) this.#paid.push({ session, usd: costUsd, isRealtime: tier === "realtime" })
    for (const settlement of settlements) {
      const history = this.#histories.get(settlement.seq)
      if (history === undefined) this.#histories.set(settlement.seq, [settlement])
      else history.push(settlement)
    }
  }

  /** A manifest that was never sealed is built anew. */
  clearManifest(): void {
    this.items = []
    this.rejections = []
    this.partitions = []
  }

  forMoney(): Omit<MoneyOnDisk, "session" | "plan"> {
    const { money, batches, run } = this
    return { money, batches, run, spentUsd: (session) => this.#spentUsd(session) }
  }

  /** Costs of committed attempts: of all, or of the calls in real time of one session. */
  #spentUsd(session: number | null): number {
    return this.#paid.reduce((sum, paid) => sum + (session === null || (paid.session === session && paid.isRealtime) ? paid.usd : 0), 0)
  }

  /** The session ended by itself: what it drew and no attempt tells of stays uncertain. */
  settleMoney(drawnUsd: number): void {
    const session = this.sessions.length
    if (this.money.grants.has(session))
      this.money.grants.set(session, { grantedUsd: drawnUsd, isSettled: isAccountedFor(drawnUsd, this.#spentUsd(session)) })
  }

  /** What was committed of an item. */
  historyOf(seq: number): ItemHistory {
    return new ItemHistory(this.#histories.get(seq) ?? [])
  }
}

/** The settlements of one item, oldest first. */
export class ItemHistory {
  readonly #settlements: ReadonlyArray<Settlement>

  constructor(settlements: ReadonlyArray<Settlement>) {
    this.#settlements = settlements
  }

  get checkpoints(): ReadonlyArray<CheckpointRecord> {
    return this.#settlements.flatMap(({ checkpoints }) => checkpoints)
  }

  /** Steps where the item ended, once a row. */
  get ends(): ReadonlyArray<{ readonly step: string; readonly disposition: Disposition }> {
    return this.checkpoints.flatMap(({ step, disposition }) => (disposition === null ? [] : [{ step, disposition }]))
  }

  get isFlagged(): boolean {
    return this.#settlements.some(({ flags }) => flags.length > 0)
  }

  get costs(): Costs {
    return costsOf(this.#settlements.flatMap(({ attempts }) => attempts))
  }

  /** The last answer of each step. */
  get answers(): ReadonlyMap<string, AnswerRecord> {
    const last = new Map<string, AnswerRecord>()
    for (const answer of this.#settlements.flatMap(({ answers }) => answers)) {
      if ((last.get(answer.step)?.attempt ?? 0) <= answer.attempt) last.set(answer.step, answer)
    }
    return last
  }

  /** Null for an item that ended at all of `terminals` steps. */
  pending(seq: number, { itemId, key, body, reference }: DiskItem, terminals: number): Omit<PendingItem, "batched"> | null {
    if (new Set(this.ends.map(({ step }) => step)).size >= terminals) return null
    const { answers } = this
    const checkpoints = new Map<string, PriorCheckpoint>()
    for (const { step, status, code, rule, attempts, answerStep } of this.checkpoints) {
      const answer = answerStep === null ? undefined : answers.get(answerStep)
      checkpoints.set(step, {
        status,
        code,
        rule,
        attempts,
        answerStep,
        output: answer?.output ?? null,
        variant: withoutShape(answer?.variant)
      })
    }
    const stoodOn = new Set(this.checkpoints.map(({ answerStep }) => answerStep))
    const refused = new Map<string, PriorAnswer>()
    for (const [step, { attempt, output, variant }] of answers)
      if (!stoodOn.has(step)) refused.set(step, { attempt, output, variant: withoutShape(variant) })
    const tried = new Map<string, PriorTries>()
    for (const { variant, attempt, outcome } of this.#settlements.flatMap(({ attempts }) => attempts)) {
      const { last, cutOff } = tried.get(variant.step) ?? { last: 0, cutOff: 0 }
      tried.set(variant.step, { last: Math.max(attempt, last), cutOff: cutOff + (cutOffOutcomes.includes(outcome) ? 1 : 0) })
    }
    return { seq, itemId, key, body, reference, checkpoints, refused, tried, queued: this.#queued(tried) }
  }

  #queued(tried: ReadonlyMap<string, PriorTries>): ReadonlyMap<string, PriorRetry> {
    const queued = new Map<string, PriorRetry>()
    const problems = this.#settlements.flatMap((each) => each.problems)
    for (const { step, attempt, code, dueAt } of this.#settlements.flatMap(({ retries }) => retries)) {
      if ((tried.get(step)?.last ?? 0) > attempt) continue
      const said = problems.find((problem) => problem.step === step && problem.attempt === attempt)
      const problem = said === undefined || said.raw === null ? null : { message: said.message, raw: said.raw }
      queued.set(step, { attempt, code, dueAt: dueAt.getTime(), problem })
    }
    return queued
  }

  /** The answer that reached a step; null where none did. */
  row(seq: number, { key, body, reference }: DiskItem, step: string): StepRow | null {
    const reached = this.checkpoints.findLast((each) => each.step === step && (each.status === "answered" || each.status === "passed"))
    const answer = reached === undefined ? undefined : this.answers.get(reached.answerStep ?? "")
    return answer === undefined
      ? null
      : { seq, key, body, reference, output: answer.output, model: answer.variant.model, attempt: answer.attempt }
  }
}

/** As the files give it back: the shape stands in the prompts' own table. */
const withoutShape = (variant: Variant | undefined): Variant | null => (variant === undefined ? null : { ...variant, shape: "" })

const gapsMax = 100

/** Holds the equations of VAL-1 against what is committed. */
export const auditDisk = (disk: MemoryDisk, terminals: number): Completeness => {
  const dispositions: Record<Disposition, number> = { ...noDispositions }
  const gaps: Array<string> = []
  let flagged = 0
  for (const [seq, { itemId }] of disk.items.entries()) {
    const history = disk.historyOf(seq)
    const { ends } = history
    if (ends.length > 0) dispositions[worst(ends.map(({ disposition }) => disposition))]++
    if (ends.length !== terminals || new Set(ends.map(({ step }) => step)).size !== terminals) gaps.push(itemId)
    if (history.isFlagged) flagged++
  }
  const manifest = disk.items.length
  const rejected = disk.rejections.length
  const settled = Object.values(dispositions).reduce((sum, items) => sum + items, 0)
  const holds = gaps.length === 0 && settled === manifest
  return { rowsRead: manifest + rejected, rejected, manifest, dispositions, flagged, gaps: gaps.slice(0, gapsMax), holds }
}
