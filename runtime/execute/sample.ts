/** Looks at a job's input before anything is spent: the first rows of it, placed as the manifest would place them. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { PartitionDefinition, RunContext } from "../../dsl/index.ts"
import { countRows } from "../source/count-rows.ts"
import { readSource } from "../source/read-source.ts"
import type { SourceError } from "../source/source-error.ts"
import type { Place, SourceItem, SourceRow } from "../source/source-item.ts"
import type { Graph } from "./graph.ts"
import { placeOf } from "./layout.ts"

/** More rows than this aren't read for a plan. */
const rowsMax = 20_000
/** Nor is it read for longer, and not counted for longer either. */
const readFor = "2 seconds"
/** Items whose prompts are rendered for the price: spread evenly over the rows read. */
const examplesMax = 200

export interface SampledItem {
  readonly key: string
  readonly label: string
  readonly weight: number
  /** What the payload keeps of it: 0 where only a reference is kept. */
  readonly bytes: number
}

/** One of the items itself. */
export interface SampledExample {
  readonly item: unknown
  readonly label: string
}

export interface SampledRejection {
  readonly code: string
  readonly reason: string
  readonly place: Place
}

export interface Sample {
  readonly items: ReadonlyArray<SampledItem>
  /** 200 of them at most. */
  readonly examples: ReadonlyArray<SampledExample>
  readonly rejections: ReadonlyArray<SampledRejection>
  /** All rows of the input; equal to the rows read when the input was read to its end, null where that can't be told. */
  readonly rowsTotal: number | null
  readonly isWhole: boolean
}

export interface SampleLimits {
  readonly rowsMax: number
  readonly readFor: Duration.Input
}

/** Reads at most 20,000 rows, for 2 seconds at most, unless told less; a rest is counted or reckoned by bytes, for as long again. */
export const sampleSource = Effect.fn("Plan.sample")(function* (
  graph: Graph,
  context: RunContext,
  services: Context.Context<never>,
  limits: SampleLimits = { rowsMax, readFor }
): Effect.fn.Return<Sample, SourceError> {
  const { definition } = graph.source
  const reading = new Reading(graph.partition.definition, limits.rowsMax)
  const ended = yield* readSource(definition, context).pipe(
    Stream.takeUntil((rows) => reading.add(rows)),
    Stream.runDrain,
    Effect.timeoutOption(limits.readFor),
    Effect.provideContext(services)
  )
  const { rows, last } = reading
  if (ended._tag === "Some" && !reading.isFull) return { ...reading.sample, rowsTotal: rows, isWhole: true }
  const counted = yield* countRows(definition, context, last === null ? null : { rows, place: last }).pipe(
    Effect.timeoutOption(limits.readFor),
    Effect.catch(() => Effect.succeedNone)
  )
  return { ...reading.sample, rowsTotal: counted._tag === "Some" ? counted.value : null, isWhole: false }
})

class Reading {
  readonly #definition: PartitionDefinition
  readonly #rowsMax: number
  readonly #items: Array<SampledItem> = []
  #examples: Array<SampledExample> = []
  #stride = 1
  readonly #rejections: Array<SampledRejection> = []
  readonly #places = new Map<string, Place>()
  rows = 0
  last: Place | null = null

  constructor(definition: PartitionDefinition, rowsMost: number) {
    this.#definition = definition
    this.#rowsMax = rowsMost
  }

  get isFull(): boolean {
    return this.rows > this.#rowsMax
  }

  get sample() {
    return { items: this.#items, examples: this.#examples, rejections: this.#rejections }
  }

  /** Returns whether that is enough. */
  add(rows: ReadonlyArray<SourceRow>): boolean {
    for (const row of rows) {
      if (row.kind === "rejected") this.#rejections.push({ code: row.code, reason: row.reason, place: row.place })
      else this.#addItem(row)
    }
    this.rows += rows.length
    this.last = rows.at(-1)?.place ?? this.last
    return this.isFull
  }

  #addItem({ key, item, bytes, reference, place }: SourceItem): void {
    const twin = this.#places.get(key)
    if (twin !== undefined) {
      this.#rejections.push({ code: "duplicate", reason: `the key is the same as that of ${placeText(twin)}, which is kept`, place })
      return
    }
    this.#places.set(key, place)
    try {
      const placed = placeOf(this.#definition, item, bytes)
      if (this.#items.length % this.#stride === 0) this.#keep({ item, label: placed.label })
      this.#items.push({ key, ...placed, bytes: reference === null ? bytes : 0 })
    } catch (cause) {
      this.#rejections.push({
        code: "partition",
        reason: `the partition step failed: ${cause instanceof Error ? cause.message : String(cause)}`,
        place
      })
    }
  }

  /** Once there are too many, every other one goes, and from then on half as many come. */
  #keep(example: SampledExample): void {
    this.#examples.push(example)
    if (this.#examples.length <= examplesMax) return
    this.#examples = this.#examples.filter((_, index) => index % 2 === 0)
    this.#stride *= 2
  }
}

/** file:line, as editors open it. */
export const placeText = ({ file, line }: Place): string => (line === null ? file : `${file}:${line}`)
