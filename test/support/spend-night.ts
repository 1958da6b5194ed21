/** Nights of a run that pays: a provider that bills whoever still listens, calls and batches at random, and processes that die in between. */
import { createHash } from "node:crypto"

import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"

import type { Budget, BudgetOptions, Reservation } from "../../runtime/guard/budget.ts"
import type { LedgerShape, PendingItem, Settlement } from "../../runtime/store/ledger.ts"
import { MemoryLedger } from "../../runtime/store/ledger-memory.ts"
import { MemoryDisk } from "../../runtime/store/memory-disk.ts"
import type { StoreError } from "../../runtime/store/store-error.ts"
import { beginSealed, settlementOf, twoEnds } from "./ledger-run.ts"
import { Luck } from "./luck.ts"

/** Amounts are whole numbers of this, so that sums of them are exact. */
const unitUsd = 1 / 4_096
const sessionsMax = 12
const passesMax = 200

export type Purse = Pick<
  Budget<StoreError>,
  "reserve" | "settle" | "release" | "abandon" | "tryReserveBatch" | "adoptBatch" | "settleBatch" | "snapshot"
>
export type OpenPurse = (options: BudgetOptions<StoreError>) => Effect.Effect<Purse, never, Scope.Scope>

export interface NightOptions {
  readonly seed: number
  readonly items: number
  readonly openPurse: OpenPurse
  /** The most that a call's bound is, in units of 1/4096 of the budget. */
  readonly boundUnitsMax: number
  /** No errors, no kills, no batches. */
  readonly isCalm?: boolean
}

export interface Night {
  readonly end: "done" | "waiting"
  readonly billedUsd: number
  readonly envelopeUsd: number
  /** The most by which the bills ever passed the envelope of that moment. */
  readonly overspentUsd: number
  readonly left: { readonly neededUsd: number; readonly headroomUsd: number } | null
  readonly sessions: number
  readonly kills: number
  readonly open: number
}

/** Plays one night to its end. It needs a test clock that somebody moves. */
export const spendNight = (options: NightOptions): Effect.Effect<Night, StoreError> =>
  Effect.scoped(Effect.flatMap(Effect.scope, (scope) => new World(options, scope).night()))

class World {
  readonly #options: NightOptions
  readonly #scope: Scope.Scope
  readonly #luck: Luck
  readonly #disk = new MemoryDisk()
  readonly #batches = new Map<number, ReadonlyArray<Line>>()
  #billed = 0
  #overspent = 0
  #left: Night["left"] = null

  constructor(options: NightOptions, scope: Scope.Scope) {
    this.#options = options
    this.#scope = scope
    this.#luck = new Luck(options.seed)
  }

  readonly night = Effect.fnUntraced({ self: this }, function* () {
    let kills = 0
    for (let session = 1; session <= sessionsMax; session++) {
      const fate = this.#options.isCalm === true || session > 6 ? "none" : this.#luck.pick(["none", "kill", "kill", "interrupt"] as const)
      const ledger = { open: null as MemoryLedger | null }
      const fiber = yield* Effect.forkChild(this.#session(ledger))
      if (fate !== "none") {
        yield* Effect.raceFirst(Effect.asVoid(Fiber.await(fiber)), Effect.sleep(this.#luck.upTo(6_000)))
        if (fate === "kill") ledger.open?.crash()
        yield* Fiber.interrupt(fiber)
      }
      const exit = yield* Fiber.await(fiber)
      if (Exit.isFailure(exit)) {
        if (fate === "none") return yield* Effect.failCause(exit.cause)
        kills++
        continue
      }
      if (exit.value === "waiting" && this.#options.isCalm !== true && this.#luck.chance(0.3) && this.#approve()) continue
      // Whatever was sent is billed some time.
      yield* Effect.sleep("1 hour")
      const open = [...this.#disk.items.keys()].filter((seq) => this.#disk.historyOf(seq).ends.length === 0).length
      const night: Night = {
        end: exit.value,
        billedUsd: this.#billed,
        envelopeUsd: this.#envelopeUsd,
        overspentUsd: this.#overspent,
        left: this.#left,
        sessions: session,
        kills,
        open
      }
      return night
    }
    return yield* Effect.die(new Error(`seed ${this.#options.seed}: no end after ${sessionsMax} sessions`))
  })

  get #envelopeUsd(): number {
    return this.#disk.money.gates.reduce((sum, { addUsd }) => sum + (addUsd ?? 0), twoEnds.budgetUsd)
  }

  #approve(): boolean {
    const { money } = this.#disk
    const open = money.gates.find(({ decision }) => decision === null)
    if (open === undefined || money.gates.length > 3) return false
    const addUsd = this.#luck.upTo(2_000) * unitUsd
    money.gates = money.gates.map((gate) => (gate === open ? { ...gate, decision: "approved", addUsd } : gate))
    return true
  }

  #bill(usd: number): void {
    this.#billed += usd
    this.#overspent = Math.max(this.#overspent, this.#billed - this.#envelopeUsd)
  }

  /** Billed after a while, whether or not anybody still listens. */
  #billLater(usd: number, ms: number): Effect.Effect<void> {
    const billing = Effect.andThen(
      Effect.sleep(ms),
      Effect.sync(() => this.#bill(usd))
    )
    return Effect.asVoid(Effect.forkIn(billing, this.#scope))
  }

  readonly request = Effect.fnUntraced({ self: this }, function* (boundUsd: number) {
    const { isCalm = false } = this.#options
    const kind = isCalm ? "answered" : this.#luck.pick(["answered", "answered", "answered", "answered", "bad", "limited", "lost"] as const)
    const costUsd = kind === "limited" || (kind === "lost" && this.#luck.chance(0.5)) ? 0 : costOf(this.#luck, boundUsd)
    const ms = this.#luck.upTo(2_000)
    if (costUsd > 0) yield* this.#billLater(costUsd, this.#luck.upTo(ms))
    yield* Effect.sleep(ms)
    return { kind, costUsd }
  })

  createBatch(batch: number, lines: ReadonlyArray<Line>): Effect.Effect<void> {
    this.#batches.set(batch, lines)
    return Effect.forEach(lines, ({ costUsd }) => this.#billLater(costUsd, this.#luck.upTo(3_000)), { discard: true })
  }

  linesOf(batch: number): ReadonlyArray<Line> | null {
    return this.#batches.get(batch) ?? null
  }

  #session(process: { open: MemoryLedger | null }): Effect.Effect<Night["end"], StoreError> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const ledger = yield* MemoryLedger.open({ plan: twoEnds, hashKey, disk: this.#disk })
        process.open = ledger
        yield* beginSealed(ledger, this.#options.items, 1)
        const money = yield* ledger.money
        const grant = (usd: number) =>
          Effect.andThen(
            Effect.sleep(this.#luck.upTo(30)),
            Effect.tap(ledger.grant(usd), () => Effect.sleep(this.#luck.upTo(30)))
          )
        const purse = yield* this.#options.openPurse({ ...money, grant, onWarning: () => Effect.void })
        const worker = new Process(this, this.#luck, ledger, purse, this.#options.boundUnitsMax)
        return yield* worker.work(this.#options.isCalm ?? false).pipe(
          Effect.onExit((exit) =>
            Effect.gen(function* () {
              const status = exit._tag === "Success" ? exit.value : "interrupted"
              yield* Effect.ignore(ledger.flush)
              yield* Effect.ignore(ledger.close(status, null, purse.snapshot().drawnUsd))
            })
          ),
          Effect.tap(() => Effect.sync(() => void (this.#left = worker.left)))
        )
      })
    )
  }
}

interface Line {
  readonly item: PendingItem
  readonly boundUsd: number
  /** 0 for a line that was never worked on. */
  readonly costUsd: number
}

/** One process's work, in the order of calls into its budget and ledger that the product has. */
class Process {
  readonly #world: World
  readonly #luck: Luck
  readonly #ledger: LedgerShape
  readonly #purse: Purse
  readonly #boundUnitsMax: number
  left: Night["left"] = null

  constructor(world: World, luck: Luck, ledger: LedgerShape, purse: Purse, boundUnitsMax: number) {
    this.#boundUnitsMax = boundUnitsMax
    this.#world = world
    this.#luck = luck
    this.#ledger = ledger
    this.#purse = purse
  }

  readonly work = Effect.fnUntraced({ self: this }, function* (isCalm: boolean) {
    const known = (yield* this.#ledger.batches.all).filter(({ status }) => status !== "settled" && status !== "dropped")
    let following = known.map(({ batch, reservedUsd }) => this.#goOn(batch, this.#purse.adoptBatch(reservedUsd)))
    for (let pass = 0; pass < passesMax; pass++) {
      const items = (yield* this.#ledger.pending(0, 1_999)).filter(({ batched }) => batched.size === 0)
      if (items.length === 0 && following.length === 0) return "done" as const
      this.left = null
      const inBatch = isCalm || this.#luck.chance(0.5) ? [] : items.slice(0, this.#luck.upTo(items.length))
      const others = items.slice(inBatch.length)
      const sent = inBatch.length === 0 ? [] : [this.#send(inBatch)]
      const results = yield* Effect.all([Effect.all([...following, ...sent], { concurrency: "unbounded" }), this.#ask(others)], {
        concurrency: "unbounded"
      })
      following = []
      yield* this.#ledger.flush
      const { headroomUsd } = this.#purse.snapshot()
      const left = this.#whatIsLeft()
      if (left !== null && left.neededUsd > headroomUsd && !results[0].some((isThrough) => isThrough)) {
        this.left = { ...left, headroomUsd }
        yield* this.#ledger.openGate("budget", this.left)
        return "waiting" as const
      }
    }
    return yield* Effect.die(new Error(`no end after ${passesMax} passes`))
  })

  /** As the slots left it; the compiler knows only what this function set. */
  #whatIsLeft(): Night["left"] {
    return this.left
  }

  #ask(items: ReadonlyArray<PendingItem>): Effect.Effect<void, StoreError> {
    let next = 0
    const slot = Effect.gen({ self: this }, function* () {
      for (let item = items[next++]; item !== undefined && this.left === null; item = items[next++]) yield* this.#askItem(item)
    })
    const slots = Math.min(items.length, this.#luck.upTo(32))
    return Effect.forEach(Array.from({ length: slots }), () => slot, { concurrency: "unbounded", discard: true })
  }

  readonly #askItem = Effect.fnUntraced({ self: this }, function* (item: PendingItem) {
    for (let attempt = 1; attempt < passesMax && this.left === null; attempt++) {
      const boundUsd = this.#luck.upTo(this.#boundUnitsMax) * unitUsd
      const reserved = yield* Effect.catchTag(this.#purse.reserve(boundUsd), "BudgetSpent", ({ neededUsd }) =>
        Effect.sync(() => {
          this.left = { neededUsd, headroomUsd: 0 }
          return null
        })
      )
      if (reserved === null) return
      const { kind, costUsd } = yield* Effect.onInterrupt(this.#world.request(boundUsd), () =>
        Effect.sync(() => this.#purse.abandon(reserved))
      )
      if (kind === "limited") {
        this.#purse.release(reserved)
        yield* Effect.sleep(this.#luck.upTo(500))
      } else if (kind === "lost") this.#purse.abandon(reserved)
      else {
        this.#purse.settle(reserved, costUsd)
        // Rules take their time, and whoever is stopped here has paid for an answer that no row tells of.
        yield* Effect.sleep(this.#luck.upTo(200))
        yield* this.#ledger.settle(settled(item, { attempt, costUsd, tier: "realtime", isLast: kind === "answered" }))
        if (kind === "answered") return
      }
    }
  })

  readonly #send = Effect.fnUntraced({ self: this }, function* (items: ReadonlyArray<PendingItem>) {
    const lines: Array<Line> = []
    const reservations: Array<Reservation> = []
    for (const item of items) {
      const boundUsd = this.#luck.upTo(this.#boundUnitsMax) * unitUsd
      const reservation = this.#purse.tryReserveBatch(boundUsd)
      if (reservation === null) {
        this.left = { neededUsd: boundUsd, headroomUsd: 0 }
        break
      }
      reservations.push(reservation)
      lines.push({ item, boundUsd, costUsd: this.#luck.chance(0.1) ? 0 : costOf(this.#luck, boundUsd) })
    }
    if (lines.length === 0) return false
    yield* Effect.sleep(this.#luck.upTo(100))
    const batch = (yield* this.#ledger.batches.all).length + 1
    const reservedUsd = lines.reduce((sum, { boundUsd }) => sum + boundUsd, 0)
    yield* this.#ledger.batches.intend(
      {
        batch,
        engine: "openai",
        account: "a",
        group: "g",
        model: "m",
        requests: lines.length,
        bytes: 1,
        reservedUsd,
        providerBatch: null,
        files: [],
        intendedAt: new Date(0)
      },
      lines.map(({ item: { seq } }) => ({ seq, step: "triage", attempt: 1 }))
    )
    for (const reservation of reservations) this.#purse.release(reservation)
    const held = this.#purse.adoptBatch(reservedUsd)
    yield* Effect.sleep(this.#luck.upTo(100))
    yield* this.#world.createBatch(batch, lines)
    return yield* this.#goOn(batch, held)
  })

  readonly #goOn = Effect.fnUntraced({ self: this }, function* (batch: number, held: Reservation) {
    const lines = this.#world.linesOf(batch)
    if (lines === null) {
      yield* this.#ledger.batches.update(batch, { status: "dropped" })
      this.#purse.release(held)
      return true
    }
    yield* this.#ledger.batches.update(batch, { status: "live", providerBatch: `b-${batch}` })
    yield* Effect.sleep(3_001)
    yield* this.#ledger.batches.update(batch, { status: "ingested", outcome: "completed" })
    const pending = new Set((yield* this.#ledger.pending(0, 1_999)).map(({ seq }) => seq))
    for (const { item, boundUsd, costUsd } of lines) {
      if (!pending.has(item.seq)) continue
      this.#purse.settleBatch(held, boundUsd, costUsd)
      if (costUsd > 0) yield* this.#ledger.settle(settled(item, { attempt: 1, costUsd, tier: "batch", isLast: true }))
      if (this.#luck.chance(0.2)) yield* Effect.sleep(this.#luck.upTo(50))
    }
    yield* this.#ledger.flush
    this.#purse.release(held)
    yield* this.#ledger.batches.settle(batch, null)
    return true
  })
}

const settled = (
  item: PendingItem,
  call: { readonly attempt: number; readonly costUsd: number; readonly tier: "realtime" | "batch"; readonly isLast: boolean }
): Settlement => {
  const { attempt, costUsd, tier, isLast } = call
  const whole = settlementOf(item, { attempt })
  const attempts = whole.attempts.slice(0, 1).map((each) => ({ ...each, costUsd, tier }))
  return isLast ? { ...whole, attempts } : { ...whole, attempts, answers: [], checkpoints: [], finished: null }
}

const hashKey = (key: string): Buffer => createHash("sha256").update(key).digest()

/** Of a call: often all of its bound. */
const costOf = (luck: Luck, boundUsd: number): number => (luck.chance(0.3) ? boundUsd : luck.upTo(Math.round(boundUsd / unitUsd)) * unitUsd)
