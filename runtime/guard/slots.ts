/** How many calls may be in flight at once: found by trying, as TCP finds a link's width. */

const concurrencyFirst = 16
/** After a pause that leaves the limit in doubt. */
const concurrencyAgain = 4
/** Above the threshold the limit grows by one in the first round trip, and by this share more in each that follows. */
const stepGrowth = 0.25

export class Slots {
  readonly #max: number
  #limit: number
  /** Up to here the limit doubles a round trip, above it grows with care. */
  #threshold: number
  #step = 1
  #inFlight = 0
  /** Of these: calls that hang. They say nothing of the limit, and only the maximum counts them. */
  #hanging = 0
  /** The most that were in flight in this round trip, and how many calls are left of it. */
  #peak = 0
  #roundLeft: number

  constructor(max: number) {
    this.#max = Math.max(1, max)
    this.#limit = Math.min(concurrencyFirst, this.#max)
    this.#threshold = this.#max
    this.#roundLeft = this.limit
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  get isFree(): boolean {
    return this.#inFlight - this.#hanging < this.limit && this.#inFlight < this.#max
  }

  take(): void {
    this.#inFlight++
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight
  }

  free(): void {
    this.#inFlight--
    if (--this.#roundLeft > 0) return
    this.#roundLeft = this.limit
    this.#peak = this.#inFlight
  }

  /** A call that is in flight hangs. */
  hang(): void {
    this.#hanging++
  }

  /** One that hung is about to be freed. */
  unhang(): void {
    this.#hanging--
  }

  /** After a success, before its slot is freed. A limit that isn't used says nothing of a higher one. */
  widen(): void {
    if (this.#peak * 2 < this.#limit) return
    if (this.#limit < this.#threshold) {
      this.#limit = Math.min(this.#threshold, this.#limit + 1)
      return
    }
    this.#limit = Math.min(this.#max, this.#limit + this.#step / this.#limit)
    this.#step *= 1 + stepGrowth / this.#limit
  }

  /** At most once a round trip: calls that were sent before the last halving don't ask for another. */
  halve(): void {
    this.#limit = Math.max(1, this.#limit / 2)
    this.#threshold = this.#limit
    this.#step = 1
  }

  /** After a pause, where nothing else paces: the limit is found again from the start, quickly up to where it was. */
  restart(): void {
    this.#threshold = this.#limit
    this.#limit = Math.min(this.#limit, concurrencyAgain)
  }
}
