/** How fast requests may go where nothing but refusals tells: slower after each, then back up to that pace, then carefully beyond it. */
import { Meter } from "./meter.ts"

/** A refusal takes this share of the pace away. */
const cutShare = 0.1
/**
 * The pace at which the refusal came is reached again after so long; after as long again it's as much above it. Longer each time that
 * a refusal comes where the last one came: then the limit is found, and looking for it costs refusals.
 */
const recoveryMsMin = 10_000
const recoveryMsMax = 60_000
/** Two refusals came at the same pace when they are no further apart than this. */
const samePace = 1.25
/** What was answered of late is taken for the limit when the pace is more than so much above it. */
const answeredSlack = 1.1
const memorySeconds = 60
/** Between two cuts so many answers come, or so much time passes: less shows nothing of a rate. */
const answersMin = 10
const lookMsMin = 1_000
const lookMsMax = 20_000
const perMsMin = 1 / 10_000
/** A limit that is cut to what it lets through refuses little. So many cuts in a row that left this share refused were in vain. */
const refusedShareMin = 0.2
const cutsInVain = 4
const truceMs = 300_000

export class LearntPace {
  /** Per ms; Infinity while no refusal has taught anything. */
  #plateau = Number.POSITIVE_INFINITY
  #recoveryMs = recoveryMsMin
  /** Of the last cut; before it, of the first request. */
  #since: number | null = null
  #answersSince = 0
  #refusalsSince = 0
  readonly #answered = new Meter(memorySeconds)
  /** The pace before the first of several cuts in vain. */
  #trial: { readonly perMs: number; cuts: number } | null = null
  #truceUntil = 0

  /** Cubic in time, as TCP's CUBIC: steep where it's known to be safe, flat around the last known bound, steep again far beyond it. */
  perMs(now: number): number {
    if (this.#plateau === Number.POSITIVE_INFINITY) return this.#plateau
    const fromPlateau = (now - (this.#since ?? now)) / this.#recoveryMs - 1
    return this.#plateau * (1 + cutShare * fromPlateau ** 3)
  }

  sent(now: number): void {
    this.#since ??= now
  }

  answered(now: number): void {
    this.#answersSince++
    this.#answered.add(now)
  }

  /** A request was refused; `perMsKnown` is the pace that other sources ask for. Returns whether going slower may help. */
  refused(perMsKnown: number, now: number): boolean {
    this.#refusalsSince++
    const lookMs = now - (this.#since ?? now)
    if (now < this.#truceUntil || lookMs < lookMsMin || this.#answersSince === 0) return false
    if (this.#answersSince < answersMin && lookMs < lookMsMax) return true
    const isRecent = lookMs < memorySeconds * 1_000
    const answeredPerMs = isRecent ? this.#answersSince / lookMs : this.#answered.sum(now) / (memorySeconds * 1_000)
    this.#cut(Math.max(perMsMin, Math.min(perMsKnown, this.perMs(now), answeredPerMs * answeredSlack)), now)
    return true
  }

  #cut(perMs: number, now: number): void {
    const before = this.perMs(now)
    const isFound = perMs < this.#plateau * samePace && perMs * samePace > this.#plateau
    this.#recoveryMs = isFound ? Math.min(recoveryMsMax, this.#recoveryMs * 2) : recoveryMsMin
    this.#plateau = this.#isInVain(before === Number.POSITIVE_INFINITY ? perMs : before) ? this.#giveUp(now) : perMs
    this.#since = now
    this.#answersSince = 0
    this.#refusalsSince = 0
  }

  /**
   * Where refusals have nothing to do with the pace (a fault of the provider's, others' use), slower only means later: after some cuts in
   * vain the pace is as it was, and no more cuts are made for a while. Retry-After and back-off go on spacing the calls.
   */
  #isInVain(perMsBefore: number): boolean {
    const isMuchRefused = this.#refusalsSince > (this.#answersSince + this.#refusalsSince) * refusedShareMin
    if (isMuchRefused) this.#trial ??= { perMs: perMsBefore, cuts: 0 }
    else this.#trial = null
    if (this.#trial !== null) this.#trial.cuts++
    return this.#trial !== null && this.#trial.cuts > cutsInVain
  }

  #giveUp(now: number): number {
    const before = this.#trial?.perMs ?? this.#plateau
    this.#trial = null
    this.#truceUntil = now + truceMs
    this.#recoveryMs = truceMs
    return before
  }
}
