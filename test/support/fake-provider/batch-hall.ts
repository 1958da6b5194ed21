/** All batches, and the one pump that works on them in small slices, so that a large batch never holds up a call. */
import { Batch, type BatchStart, type BatchEnd } from "./batch.ts"
import { parseLine, workLine } from "./batch-line.ts"
import { writeRest, writeWorked } from "./batch-results.ts"
import { validateLine, validateWhole } from "./batch-rules.ts"
import type { Vendor } from "./problem.ts"
import type { World } from "./world.ts"

/** A slice of work. */
const sliceMs = 6
/** How often live batches are looked at where nothing is due. */
const tickMs = 10
/** Of a batch's time: the rest is spent on finalizing. */
const workShare = 0.9
/** Batches of at most so many lines are worked on while somebody asks for them, so that their state is true to the moment. */
const smallLines = 500
const smallBytes = 2 ** 21

export class BatchHall {
  readonly #world: World
  readonly batches = new Map<string, Batch>()
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined

  constructor(world: World) {
    this.#world = world
  }

  create(start: Omit<BatchStart, "id" | "plan">): Batch {
    const id = this.#world.newId(start.dialect.vendor === "openai" ? "batch_" : "msgbatch_")
    const batch = new Batch({ ...start, id, plan: this.#world.box.steady.batch })
    this.#world.ledger.batchesCreated++
    this.batches.set(id, batch)
    this.#schedule()
    return batch
  }

  /** Why the queue has no room for the batch, or undefined. */
  queueProblem(batch: Pick<Batch, "id" | "model" | "enqueuedTokens">, vendor: Vendor): string | undefined {
    const { enqueuedTokens, enqueuedBatches } = this.#world.box.steady.limits
    const live = [...this.batches.values()].filter(
      (other) => other.id !== batch.id && other.phase === "live" && other.dialect.vendor === vendor
    )
    if (enqueuedBatches > 0 && live.length >= enqueuedBatches) return `Limit: ${enqueuedBatches} batches`
    const tokens = live.reduce((sum, other) => sum + (other.model === batch.model ? other.enqueuedTokens : 0), batch.enqueuedTokens)
    return enqueuedTokens > 0 && tokens > enqueuedTokens ? `Limit: ${enqueuedTokens.toLocaleString("en-US")} enqueued tokens` : undefined
  }

  /** By id, as it is this moment. */
  get(id: string, vendor: Vendor): Batch | undefined {
    const batch = this.batches.get(id)
    if (batch === undefined || batch.dialect.vendor !== vendor) return undefined
    this.settle(batch)
    return batch
  }

  /** Newest first. */
  list(vendor: Vendor): ReadonlyArray<Batch> {
    return [...this.batches.values()].filter((batch) => batch.dialect.vendor === vendor).toReversed()
  }

  settle(batch: Batch): void {
    if (batch.phase === "over" || batch.bytes > smallBytes || batch.index.count > smallLines) return
    this.#advance(batch, Infinity)
  }

  cancel(batch: Batch): void {
    if (batch.phase === "over" || batch.cancelAt !== null) return
    batch.cancelAt = Date.now()
    this.#world.ledger.batchesCancelled++
    this.#schedule()
  }

  remove(id: string): void {
    const batch = this.batches.get(id)
    batch?.release()
    batch?.output.close()
    if (this.batches.delete(id)) this.#world.ledger.batchesDeleted++
  }

  close(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    for (const batch of this.batches.values()) {
      batch.release()
      if (batch.dialect.vendor === "anthropic") batch.output.close()
    }
    this.batches.clear()
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, tickMs).unref()
  }

  #pump(): void {
    this.#immediate = undefined
    const until = performance.now() + sliceMs
    let isLive = false
    let isDue = false
    for (const batch of this.batches.values()) {
      if (batch.phase === "over") continue
      if (performance.now() >= until) isDue = true
      else if (this.#advance(batch, until)) isDue = true
      isLive = true
    }
    if (isDue) this.#immediate ??= setImmediate(() => this.#pump())
    else if (isLive) this.#schedule()
  }

  /** Works until the deadline; true where more is due at once. */
  #advance(batch: Batch, until: number): boolean {
    if (batch.phase === "validating" && !this.#validate(batch, until)) return batch.phase === "validating"
    if (batch.phase !== "live") return false
    const now = Date.now()
    const target = this.#target(batch, now)
    while (batch.done < target) {
      // A look at the clock costs as much as a short line.
      if (batch.done % 16 === 0 && performance.now() >= until) return true
      this.#work(batch)
    }
    const end = this.#end(batch, now)
    if (end !== undefined) this.#finish(batch, end)
    return false
  }

  /** True once the batch is live. */
  #validate(batch: Batch, until: number): boolean {
    const { count } = batch.index
    while (batch.validated < count) {
      if (batch.validated % 16 === 0 && performance.now() >= until) return false
      validateLine(batch, batch.line(batch.validated), batch.validated + 1)
      batch.validated++
    }
    const queue = this.queueProblem(batch, batch.dialect.vendor)
    validateWhole(batch, queue)
    if (batch.issues.length > 0) {
      batch.total = 0
      batch.over("failed")
      return false
    }
    batch.start()
    return true
  }

  /** How many lines should have been worked on by now. */
  #target(batch: Batch, now: number): number {
    const { plan, total, createdAt, cancelAt, done } = batch
    const share = plan.ms === 0 ? 1 : Math.min(1, ((cancelAt ?? now) - createdAt) / (plan.ms * workShare))
    const isHeld = this.#world.box.steady.batch.hold
    if (plan.processed >= 0 && (isHeld || cancelAt !== null || plan.outcome !== "completed")) return Math.min(total, plan.processed)
    if (cancelAt !== null) return done
    return isHeld ? 0 : Math.floor(total * share)
  }

  #end(batch: Batch, now: number): BatchEnd | undefined {
    const { plan, cancelAt, createdAt } = batch
    if (cancelAt !== null) return now >= cancelAt + plan.cancelMs ? "cancelled" : undefined
    if (this.#world.box.steady.batch.hold) return undefined
    return now >= createdAt + plan.ms ? plan.outcome : undefined
  }

  #work(batch: Batch): void {
    const turn = batch.done++
    if (turn < batch.plan.missing) {
      batch.missing++
      return
    }
    const line = parseLine(batch.nextLine(turn))
    if (line !== undefined) writeWorked(this.#world, batch, workLine(this.#world, batch, line))
  }

  #finish(batch: Batch, end: BatchEnd): void {
    writeRest(this.#world, batch, end)
    if (end === "failed") {
      batch.issues.push({ code: batch.plan.failCode, line: null, message: "The batch failed while it was worked on.", param: null })
    }
    batch.over(end)
  }
}
