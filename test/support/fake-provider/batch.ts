/** One provider batch of either vendor: its lines, how far it is, and what came of it. */
import { hashOf } from "./chance.ts"
import type { Faults } from "./faults.ts"
import type { Dialect } from "./question.ts"
import { linesOf, type LineIndex, Spool } from "./spool.ts"

/** A reason why a batch failed as a whole, as OpenAI lists them. */
export interface BatchIssue {
  readonly code: string
  readonly line: number | null
  readonly message: string
  readonly param: string | null
}

export type BatchEnd = "completed" | "expired" | "failed" | "cancelled"

export interface BatchStart {
  readonly id: string
  readonly dialect: Dialect
  /** The lines' bytes; the batch becomes one of their holders. */
  readonly input: Spool
  readonly plan: Faults["batch"]
  /** Known where the request's own body was read element by element. */
  readonly index?: LineIndex
  readonly inputFile: string | null
  readonly metadata: unknown
}

export class Batch {
  readonly id: string
  readonly dialect: Dialect
  readonly plan: Faults["batch"]
  readonly inputFile: string | null
  readonly metadata: unknown
  readonly createdAt = Date.now()
  readonly output = new Spool()
  readonly failures = new Spool()
  readonly customIds = new Set<string>()
  readonly issues: Array<BatchIssue> = []
  phase: "validating" | "live" | "over" = "validating"
  end: BatchEnd | null = null
  endedAt: number | null = null
  cancelAt: number | null = null
  liveAt: number | null = null
  model: string | null = null
  outputFile: string | null = null
  errorFile: string | null = null
  /** Lines looked at by validation, then lines worked on. */
  validated = 0
  done = 0
  completed = 0
  failed = 0
  /** Lines that no file speaks of. */
  missing = 0
  canceled = 0
  expired = 0
  usage = { input: 0, cached: 0, output: 0, reasoning: 0 }
  total = 0
  readonly #input: Spool
  #index: LineIndex | undefined
  #hashes: Float64Array | undefined
  #order: Uint32Array | undefined
  #isReleased = false

  constructor({ id, dialect, input, plan, index, inputFile, metadata }: BatchStart) {
    this.id = id
    this.dialect = dialect
    this.plan = plan
    this.inputFile = inputFile
    this.metadata = metadata
    this.#input = input.hold()
    this.#index = index
  }

  get index(): LineIndex {
    this.#index ??= linesOf(this.#input)
    return this.#index
  }

  get bytes(): number {
    return this.#input.bytes
  }

  /** A quarter of the bytes: what a queue of tokens is charged. */
  get enqueuedTokens(): number {
    return Math.ceil(this.#input.bytes / 4)
  }

  /** The text of a line by its place in the input. */
  line(place: number): string {
    const { offsets, lengths } = this.index
    return this.#input.read(offsets[place] ?? 0, lengths[place] ?? 0).toString()
  }

  /** A line as it is worked on: in an order of the batch's own, so that no client can lean on the input's. */
  nextLine(turn: number): string {
    return this.line(this.#order?.[turn] ?? turn)
  }

  remember(customId: string): boolean {
    if (this.customIds.has(customId)) return false
    this.#hashes ??= new Float64Array(this.index.count)
    this.#hashes[this.customIds.size] = hashOf(`${this.id} ${customId}`)
    this.customIds.add(customId)
    return true
  }

  start(): void {
    const hashes = this.#hashes ?? new Float64Array(0)
    this.#order = Uint32Array.from(hashes.keys()).toSorted((a, b) => (hashes[a] ?? 0) - (hashes[b] ?? 0))
    this.total = hashes.length
    this.customIds.clear()
    this.#hashes = undefined
    this.phase = "live"
    this.liveAt = Date.now()
  }

  over(end: BatchEnd): void {
    this.phase = "over"
    this.end = end
    this.endedAt = Date.now()
    this.release()
  }

  /** What an ended batch no longer needs. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#input.close()
    this.#index = { count: 0, offsets: new Float64Array(0), lengths: new Uint32Array(0) }
    this.#order = undefined
    this.customIds.clear()
  }
}
