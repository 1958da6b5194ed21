/** The ledger in memory, with the commits and crashes of the one on disk: thousands of nights are simulated on it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import { canonicalJson, type Plan } from "../../dsl/index.ts"
import { Batch } from "./batch.ts"
import { addCosts, noCosts } from "./costs.ts"
import { GroupCommit } from "./group-commit.ts"
import { addDispositions, countItems, noDispositions, worst } from "./disposition.ts"
import type { LedgerShape, RunRecord } from "./ledger.ts"
import type { Settlement, StagedItem, StagedRejection, StepRow } from "./ledger.ts"
import { auditDisk, MemoryDisk } from "./memory-disk.ts"
import { memoryAlerts } from "./memory-alerts.ts"
import { batchedOf, memoryBatches } from "./memory-batches.ts"
import { memoryMoney } from "./memory-money.ts"
import { Patience } from "./patience.ts"
import { groupsOf, placeItems, type HashedItem } from "./place-items.ts"
import { terminalSteps } from "./plan-columns.ts"
import { itemIdOf } from "./state-folder.ts"
import type { Disposition } from "./state-tables.ts"
import { StoreError } from "./store-error.ts"

export interface MemoryLedgerOptions {
  readonly plan: Plan
  readonly hashKey: (key: string) => Buffer
  /** What earlier sessions left; default: nothing. */
  readonly disk?: MemoryDisk
  /**
   * Asked before each half of each commit. An error fails it there: with reason `full` the commit is tried again as on a disk. `kill`
   * ends the process there, as `crash` does.
   */
  readonly fault?: (commit: number, half: "payload" | "state") => StoreError | "kill" | null
}

/** A process that works on a disk until it dies. */
class MemoryProcess {
  readonly disk: MemoryDisk
  readonly #fault: NonNullable<MemoryLedgerOptions["fault"]>
  isDead = false

  constructor({ disk, fault }: MemoryLedgerOptions) {
    this.disk = disk ?? new MemoryDisk()
    this.#fault = fault ?? (() => null)
  }

  /** Fails once the process is dead. */
  alive<A, E>(work: () => Effect.Effect<A, E>): Effect.Effect<A, E | StoreError> {
    return Effect.suspend((): Effect.Effect<A, E | StoreError> => (this.isDead ? Effect.fail(killed) : work()))
  }

  readonly write = (batch: MemoryBatch): Effect.Effect<void, StoreError> =>
    Effect.andThen(
      this.#writeHalf(batch, "payload", () => {
        this.disk.halfCommit = batch.kept
        batch.isPayloadDone = true
      }),
      this.#writeHalf(batch, "state", () => this.disk.commit(batch.kept))
    )

  #writeHalf(batch: MemoryBatch, half: "payload" | "state", write: () => void): Effect.Effect<void, StoreError> {
    return this.alive(() => {
      if (half === "payload" && batch.isPayloadDone) return Effect.void
      const fault = this.#fault(batch.number, half)
      if (fault === "kill") this.isDead = true
      return fault === null ? Effect.sync(write) : Effect.fail(fault === "kill" ? killed : fault)
    })
  }
}

export class MemoryLedger implements LedgerShape {
  readonly #process: MemoryProcess
  readonly #disk: MemoryDisk
  readonly #hashKey: MemoryLedgerOptions["hashKey"]
  readonly #terminals: number
  readonly #commits: GroupCommit<MemoryBatch>
  readonly #patience: Patience
  #staged: Array<HashedItem> = []
  #rejections: Array<StagedRejection> = []
  #ordinals = new Map<string, number>()
  #before = { dispositions: noDispositions, costs: noCosts }

  /** Opens the disk; at the scope's end what is left is committed, unless the process is dead by then. */
  static readonly open = (options: MemoryLedgerOptions): Effect.Effect<MemoryLedger, never, Scope.Scope> => {
    const process = new MemoryProcess(options)
    const patience = new Patience(() => Effect.void)
    const open = (number: number): MemoryBatch => new MemoryBatch(number)
    const commits = GroupCommit.make({ open, write: process.write, lastCommit: process.disk.commits.length, patience })
    return Effect.map(commits, (started) => new MemoryLedger(options, process, started, patience))
  }

  private constructor(
    { plan, hashKey }: MemoryLedgerOptions,
    process: MemoryProcess,
    commits: GroupCommit<MemoryBatch>,
    patience: Patience
  ) {
    this.#process = process
    this.#disk = process.disk
    this.#hashKey = hashKey
    this.#terminals = terminalSteps(plan).length
    this.#commits = commits
    this.#patience = patience
    const act = <A>(work: () => A) => this.#do(work)
    this.batches = memoryBatches(process.disk, act)
    const money = memoryMoney(() => ({ ...this.#disk.forMoney(), plan, session: this.#disk.sessions.length }), act)
    this.money = money.money
    this.grant = money.grant
    this.openGate = money.openGate
    this.withdrawGate = money.withdrawGate
    this.gates = money.gates
    const told = memoryAlerts(process.disk.told, act)
    this.raiseAlert = told.raiseAlert
    this.alerts = told.alerts
    this.noteEvent = told.noteEvent
    this.events = told.events
  }

  /** Ends the process: what isn't committed is lost, and nothing is written any more. Returns what the disk holds. */
  crash(): MemoryDisk {
    this.#process.isDead = true
    return this.#disk
  }

  #do<A>(work: () => A): Effect.Effect<A, StoreError> {
    return Effect.suspend(() => this.#process.alive(() => Effect.sync(work)))
  }

  readonly begin: LedgerShape["begin"] = (start, session) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      this.#do(() => {
        const disk = this.#disk
        const { itemLimit, createdAt, isSealed } = disk.run ?? { itemLimit: start.itemLimit, createdAt: new Date(now), isSealed: false }
        if (!isSealed) disk.clearManifest()
        disk.halfCommit = []
        disk.sessions.push(session)
        disk.money.expireGates(now)
        const status = isSealed ? "running" : "preparing"
        disk.run = { ...start, itemLimit, status, failure: null, createdAt, isSealed }
        this.#before = this.#countBefore()
        const record: RunRecord = { ...start, itemLimit, status, sealed: isSealed, session: disk.sessions.length, createdAt }
        return record
      })
    )

  readonly stage: LedgerShape["stage"] = (items, rejections) =>
    this.#do(() => {
      for (const item of items) this.#stageOne(item)
      this.#rejections.push(...rejections)
    })

  #stageOne(item: StagedItem): void {
    const first = this.#ordinals.get(item.key)
    if (first === undefined) {
      const hash = this.#hashKey(item.key)
      this.#ordinals.set(item.key, this.#staged.length)
      this.#staged.push({ ...item, itemId: itemIdOf(hash), hash: hash.readUInt32LE(12) })
      return
    }
    const { file, line } = this.#staged[first] ?? item
    const reason = `the key is the same as that of ${file}${line === null ? "" : `:${line}`}, which is kept`
    this.#rejections.push({
      code: "duplicate",
      reason,
      excerpt: (item.body ?? "").slice(0, 200),
      key: item.key,
      file: item.file,
      line: item.line
    })
  }

  readonly seal: LedgerShape["seal"] = (layout) =>
    this.#do(() => {
      const disk = this.#disk
      const { items, partitions } = placeItems(this.#staged, layout(groupsOf(this.#staged)))
      disk.items = items
      disk.partitions = partitions
      disk.rejections = this.#rejections
      if (disk.run !== null) disk.run = { ...disk.run, isSealed: true, status: "running" }
      this.#staged = []
      this.#ordinals = new Map()
      return { items: items.length, rejected: this.#rejections.length, partitions: partitions.length }
    })

  readonly partitions: LedgerShape["partitions"] = this.#do(() =>
    this.#disk.partitions.map(({ epoch: _, worker: __, ...partition }) => partition)
  )

  readonly lease: LedgerShape["lease"] = (partition, worker) =>
    this.#do(() => this.#changePartition(partition, ({ epoch }) => ({ epoch: epoch + 1, worker })))

  readonly finish: LedgerShape["finish"] = (partition) =>
    Effect.andThen(
      this.flush,
      this.#do(() => this.#changePartition(partition, () => ({ isDone: true })))
    )

  #changePartition(
    partition: number,
    change: (before: MemoryDisk["partitions"][number]) => Partial<MemoryDisk["partitions"][number]>
  ): void {
    this.#disk.partitions = this.#disk.partitions.map((each) => (each.partition === partition ? { ...each, ...change(each) } : each))
  }

  readonly pending: LedgerShape["pending"] = (from, to) =>
    this.#do(() =>
      this.#disk.items.slice(from, to + 1).flatMap((item, index) => {
        const seq = from + index
        const left = this.#disk.historyOf(seq).pending(seq, item, this.#terminals)
        return left === null ? [] : [{ ...left, batched: batchedOf(this.#disk.batches, seq) }]
      })
    )

  readonly settle: LedgerShape["settle"] = (settlement) => this.#process.alive(() => this.#commits.settle(settlement))

  readonly flush: LedgerShape["flush"] = Effect.suspend(() => this.#process.alive(() => this.#commits.flush))

  readonly tally: LedgerShape["tally"] = Effect.sync(() => {
    const dispositions = addDispositions(this.#before.dispositions, this.#commits.dispositions)
    const costs = addCosts(this.#before.costs, this.#commits.costs)
    const { uncommitted: inFlight } = this.#commits
    return {
      manifest: this.#disk.items.length,
      committed: countItems(dispositions),
      inFlight,
      dispositions,
      ...costs,
      trouble: this.#patience.trouble
    }
  })

  readonly batches: LedgerShape["batches"]
  readonly money: LedgerShape["money"]
  readonly grant: LedgerShape["grant"]
  readonly openGate: LedgerShape["openGate"]
  readonly withdrawGate: LedgerShape["withdrawGate"]
  readonly gates: LedgerShape["gates"]
  readonly raiseAlert: LedgerShape["raiseAlert"]
  readonly alerts: LedgerShape["alerts"]
  readonly noteEvent: LedgerShape["noteEvent"]
  readonly events: LedgerShape["events"]

  readonly completeness: LedgerShape["completeness"] = this.#do(() => auditDisk(this.#disk, this.#terminals))

  readonly rows: LedgerShape["rows"] = (step) =>
    Stream.fromEffect(
      this.#do((): ReadonlyArray<StepRow> => this.#disk.items.flatMap((item, seq) => this.#disk.historyOf(seq).row(seq, item, step) ?? []))
    )

  readonly query: LedgerShape["query"] = () =>
    Effect.fail(
      new StoreError({ reason: "query", path: "running an aggregate's query", detail: "the ledger in memory has no SQL", holderPid: null })
    )

  readonly saveSummary: LedgerShape["saveSummary"] = (step, values) =>
    this.#do(() => void this.#disk.summaries.set(step, canonicalJson(values)))

  readonly saveReport: LedgerShape["saveReport"] = (step, text) => this.#do(() => void this.#disk.reports.set(step, text))

  readonly close: LedgerShape["close"] = (status, failure, drawnUsd = null) =>
    this.#do(() => {
      if (drawnUsd !== null) this.#disk.settleMoney(drawnUsd)
      if (this.#disk.run !== null) this.#disk.run = { ...this.#disk.run, status, failure }
    })

  #countBefore() {
    const dispositions: Record<Disposition, number> = { ...noDispositions }
    let costs = noCosts
    for (const seq of this.#disk.items.keys()) {
      const history = this.#disk.historyOf(seq)
      costs = addCosts(costs, history.costs)
      if (new Set(history.ends.map(({ step }) => step)).size >= this.#terminals)
        dispositions[worst(history.ends.map(({ disposition }) => disposition))]++
    }
    return { dispositions, costs }
  }
}

class MemoryBatch extends Batch {
  readonly kept: Array<Settlement> = []
  protected override keep(settlement: Settlement): void {
    this.kept.push(settlement)
  }
}

const killed = new StoreError({ reason: "query", path: "working on the run", detail: "the process was killed", holderPid: null })
