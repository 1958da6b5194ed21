/** A clock and a scheduler of their own: a night takes as long as its work, whatever it sleeps, and is the same each time. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"

interface Sleeper {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

/** Nothing runs, and nobody sleeps: whoever waits would wait for ever. */
export class Stuck extends Error {}

export class VirtualTime {
  #now = 0
  #order = 0
  #ready: Array<() => void> = []
  readonly #sleepers: Array<Sleeper> = []
  /** Fibers' turns so far. */
  turns = 0

  get now(): number {
    return this.#now
  }

  readonly #scheduler = new Scheduler.MixedScheduler("async", (task) => {
    this.#ready.push(task)
    return () => {
      this.#ready = this.#ready.filter((each) => each !== task)
    }
  })

  readonly #clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => this.#now,
    currentTimeMillis: Effect.sync(() => this.#now),
    currentTimeNanosUnsafe: () => BigInt(Math.floor(this.#now * 1_000)) * 1_000n,
    currentTimeNanos: Effect.sync(() => BigInt(Math.floor(this.#now * 1_000)) * 1_000n),
    monotonicTimeNanosUnsafe: () => BigInt(Math.floor(this.#now * 1_000)) * 1_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.floor(this.#now * 1_000)) * 1_000n),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const sleeper = { at: this.#now + Math.max(0, Duration.toMillis(duration)), order: this.#order++, wake: () => resume(Effect.void) }
        this.#push(sleeper)
        return Effect.sync(() => this.#remove(sleeper))
      })
  }

  /** Runs to the end; `untilMs` and `turnsMax` bound a night that has none. */
  run<A, E>(
    effect: Effect.Effect<A, E>,
    { seed, untilMs, turnsMax }: { readonly seed: number; readonly untilMs: number; readonly turnsMax: number }
  ) {
    const fiber = Effect.runFork(
      effect.pipe(
        Random.withSeed(String(seed)),
        Effect.provideService(Clock.Clock, this.#clock),
        Effect.provideService(Scheduler.Scheduler, this.#scheduler)
      ),
      { scheduler: this.#scheduler }
    )
    for (;;) {
      for (let next = this.#ready.shift(); next !== undefined; next = this.#ready.shift()) {
        next()
        if (++this.turns > turnsMax) throw new Stuck(`no end after ${turnsMax} turns`)
      }
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return exit
      const first = this.#pop()
      if (first === undefined) throw new Stuck("nothing runs, and nobody sleeps")
      if (first.at > untilMs) throw new Stuck(`no end after ${Math.round(untilMs / 3_600_000)} hours`)
      this.#now = first.at
      first.wake()
    }
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#sleepers
    heap.push(sleeper)
    for (let at = heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1
      if (!isBefore(heap[at], heap[parent])) break
      this.#swap(at, parent)
      at = parent
    }
  }

  #pop(): Sleeper | undefined {
    const heap = this.#sleepers
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    heap[0] = last
    for (let at = 0; ;) {
      const left = 2 * at + 1
      const least = isBefore(heap[left + 1], heap[left]) ? left + 1 : left
      if (!isBefore(heap[least], heap[at])) return first
      this.#swap(at, least)
      at = least
    }
  }

  /** Rare: an interrupted sleep. Its place in the heap stays, and wakes nobody. */
  #remove(sleeper: Sleeper): void {
    const at = this.#sleepers.indexOf(sleeper)
    if (at >= 0) this.#sleepers[at] = { ...sleeper, wake: () => undefined }
  }

  #swap(a: number, b: number): void {
    const heap = this.#sleepers
    const one = heap[a]
    const other = heap[b]
    if (one === undefined || other === undefined) return
    heap[a] = other
    heap[b] = one
  }
}

const isBefore = (a: Sleeper | undefined, b: Sleeper | undefined): boolean =>
  a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order))
