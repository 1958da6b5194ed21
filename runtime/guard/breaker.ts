/** Stops calling a provider that is down, and finds out by single calls when it's back (EXE-7). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"

import { Alarm } from "./alarm.ts"
import { Meter } from "./meter.ts"
import { SteadyTime } from "./steady-time.ts"
import { WaitingLine } from "./waiting-line.ts"

/** `probing`: open, and one call is on its way to see whether the provider is back. */
export type BreakerState = "closed" | "open" | "probing"

/**
 * How a call ended, as far as the provider's health is concerned.
 * - `ok`: it answered, be it that the request is wrong or that the answer is no JSON.
 * - `outage`: overload, 5xx, no answer in time, no connection.
 * - `other`: it's there, but that says nothing of its health: a rate limit. Opens nothing, ends no row of outages; of a probe it's good news.
 * - `interrupted`: given up by the caller before there was an answer, or before it was sent.
 */
export type CallHealth = "ok" | "outage" | "other" | "interrupted"

/** The right to one call; the caller gives it back with the call's outcome. */
export interface Turn {
  /** Under which opening or closing it was given. */
  readonly epoch: number
  readonly isProbe: boolean
}

export interface BreakerOptions {
  /** Told of every change, one after the other; of changes that come while it's busy only of the last. `since` is epoch ms of the first failure. */
  readonly onChange?: ((state: BreakerState, since: number) => Effect.Effect<void>) | undefined
}

/** Opens at so many outages in a row, however far apart … */
const outagesInRow = 10
/** … or when of so many calls within the window this share met one. */
const callsMin = 20
const outageShare = 0.5
const windowSeconds = 30
/** The first probe comes after this; with each that fails the pause doubles, up to the bound, of which jitter takes up to a half. */
const pauseMsFirst = 5_000
const pauseMsMax = 60_000
/** A provider that was up for less than this is in the same trouble still: the pauses go on where they were. */
const calmMs = 60_000
/** A probe that is not heard of for so long doesn't keep another one back. */
const probeMsMax = 60_000

export class Breaker {
  readonly #time: SteadyTime
  readonly #random: () => number
  readonly #changes: Queue.Queue<BreakerState>
  readonly #line = new WaitingLine<null, Turn>((turn) => this.record(turn, "interrupted"))
  readonly #calls = new Meter(windowSeconds)
  readonly #outages = new Meter(windowSeconds)
  #alarm: Alarm | null = null
  #state: BreakerState = "closed"
  #turn: Turn = { epoch: 0, isProbe: false }
  #row = 0
  #troubleAt = 0
  #closedAt = Number.NEGATIVE_INFINITY
  #failedProbes = 0
  #probe: Turn | null = null
  /** When the next probe may go: after the pause, or when the one that is on its way is taken for lost. */
  #probeAt = 0

  /** Its timer and its notices live as long as the scope. */
  static readonly make = ({ onChange }: BreakerOptions): Effect.Effect<Breaker, never, Scope.Scope> =>
    Effect.gen(function* () {
      const random = yield* Random.Random
      const changes = yield* Queue.sliding<BreakerState>(1)
      const breaker = new Breaker(new SteadyTime(yield* Clock.Clock), () => random.nextDoubleUnsafe(), changes)
      breaker.#alarm = yield* Alarm.make(breaker.#time, () => breaker.#pump())
      if (onChange !== undefined) yield* Effect.forkScoped(breaker.#tell(onChange))
      return breaker
    })

  private constructor(time: SteadyTime, random: () => number, changes: Queue.Queue<BreakerState>) {
    this.#time = time
    this.#random = random
    this.#changes = changes
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether calls are held back. */
  get isOpen(): boolean {
    return this.#state !== "closed"
  }

  /** Epoch ms of the first failure of the trouble at hand; null while all is well. */
  get downSince(): number | null {
    return this.isOpen ? this.#time.epochOf(this.#troubleAt) : null
  }

  /** Whether a call that got this turn fell into an outage, even one that is over: its failure then costs no retry. */
  hasOpenedSince(turn: Turn): boolean {
    return this.isOpen || !this.isCurrent(turn)
  }

  /** Whether the call may still be made: look again after a wait for something else, and if not, pass anew. A turn of before needs no `record`. */
  isCurrent(turn: Turn): boolean {
    return turn.epoch === this.#turn.epoch
  }

  /**
   * Returns at once while closed, else when it closes, or with the turn of the one probe. The wait can be interrupted even in the
   * acquisition of `Effect.acquireUseRelease`. Every turn must come back by `record`.
   */
  readonly pass: Effect.Effect<Turn> = Effect.suspend(() =>
    this.#state === "closed" ? Effect.succeed(this.#turn) : this.#line.wait(null, () => this.#pump())
  )

  /** Counts a call's outcome. What was sent before the last change says nothing any more. */
  record(turn: Turn, health: CallHealth): void {
    if (!this.isCurrent(turn)) return
    if (turn.isProbe) this.#probed(turn, health)
    else if (this.#state === "closed" && (health === "ok" || health === "outage")) this.#count(health)
  }

  #count(health: "ok" | "outage"): void {
    const now = this.#time.now()
    this.#calls.add(now)
    if (health === "ok") {
      this.#row = 0
      return
    }
    if (this.#row === 0 && this.#outages.sum(now) === 0) this.#troubleAt = now
    this.#row++
    this.#outages.add(now)
    const calls = this.#calls.sum(now)
    if (this.#row < outagesInRow && (calls < callsMin || this.#outages.sum(now) < calls * outageShare)) return
    if (now - this.#closedAt >= calmMs) this.#failedProbes = 0
    this.#turn = { epoch: this.#turn.epoch + 1, isProbe: false }
    this.#pause(now)
  }

  #probed(turn: Turn, health: CallHealth): void {
    if (health === "ok" || health === "other") return this.#close()
    // A probe that was taken for lost can bring good news, but no bad ones: another is on its way.
    if (turn !== this.#probe) return
    const now = this.#time.now()
    if (health === "outage") {
      this.#failedProbes++
      return this.#pause(now)
    }
    this.#probe = null
    this.#probeAt = now
    this.#become("open")
    this.#pump()
  }

  #pause(now: number): void {
    const bound = Math.min(pauseMsMax, pauseMsFirst * 2 ** Math.min(this.#failedProbes, 16))
    this.#probe = null
    this.#probeAt = now + (this.#failedProbes === 0 ? bound : bound * (1 - this.#random() / 2))
    this.#become("open")
    this.#pump()
  }

  #close(): void {
    this.#probe = null
    this.#row = 0
    this.#calls.clear()
    this.#outages.clear()
    this.#closedAt = this.#time.now()
    this.#turn = { epoch: this.#turn.epoch + 1, isProbe: false }
    this.#become("closed")
    this.#pump()
  }

  /** Those who are let through run at once, and may open it again. */
  #pump(): void {
    while (this.#state === "closed" && this.#line.length > 0) this.#line.grantFirst(this.#turn)
    if (this.#state === "closed" || this.#line.length === 0) return
    const now = this.#time.now()
    if (now >= this.#probeAt) {
      const probe = { epoch: this.#turn.epoch, isProbe: true }
      this.#probe = probe
      this.#probeAt = now + probeMsMax
      this.#become("probing")
      this.#line.grantFirst(probe)
    }
    if (this.isOpen && this.#line.length > 0) this.#alarm?.ringAt(this.#probeAt)
  }

  #become(state: BreakerState): void {
    if (state === this.#state) return
    this.#state = state
    Queue.offerUnsafe(this.#changes, state)
  }

  #tell(onChange: (state: BreakerState, since: number) => Effect.Effect<void>): Effect.Effect<never> {
    let told: BreakerState = "closed"
    return Effect.forever(
      Effect.flatMap(Queue.take(this.#changes), (state) => {
        if (state === told) return Effect.void
        told = state
        return onChange(state, this.#time.epochOf(this.#troubleAt))
      })
    )
  }
}
