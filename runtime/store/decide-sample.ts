/** What a person sees and says of the sample at a release gate. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { findGate, gateNotOpen, isOpen, type ListedGate } from "./decide-gate.ts"
import { GateNotFound, SampleItemUnknown, type GateNotOpen } from "./gate-error.ts"
import { readSample, sampledItem, type SampledItem } from "./release-sample.ts"
import { atRest, type RunAtRest } from "./run-at-rest.ts"
import type { StateFolder } from "./state-folder.ts"
import type { SampleDecision } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

export interface ListedSample {
  readonly gate: ListedGate
  readonly items: ReadonlyArray<SampledItem>
}

/** The sample of a release gate, decided or not. */
export const listSample = Effect.fn("Store.listSample")(function* (
  folder: StateFolder,
  gate: string
): Effect.fn.Return<ListedSample, StoreError | GateNotFound> {
  const found = yield* findReleaseGate(folder, gate)
  const work = ({ db, has }: RunAtRest) => (has("payload.items") ? readSample(db) : Promise.resolve([]))
  return { gate: found, items: (yield* atRest({ folder, run: found.run, doing: "reading the sample", writes: false, work })) ?? [] }
})

export interface SampleVerdict {
  readonly gate: string
  /** As `sampledItem` finds them. */
  readonly items: ReadonlyArray<string>
  readonly decision: SampleDecision
  readonly by: string
  readonly note: string | null
}

/** Writes a verdict on items of the sample: every one is kept, the last one counts. Nothing is written where one of them is unknown, or the gate is not open. */
export const decideSample = Effect.fn("Store.decideSample")(function* (
  folder: StateFolder,
  verdict: SampleVerdict
): Effect.fn.Return<ListedSample, StoreError | GateNotFound | GateNotOpen | SampleItemUnknown> {
  const gate = yield* findReleaseGate(folder, verdict.gate)
  const at = new Date(yield* Clock.currentTimeMillis)
  if (!isOpen(gate, at.getTime())) return yield* gateNotOpen(gate, at.getTime())
  const written = yield* atRest({
    folder,
    run: gate.run,
    doing: "deciding on the sample",
    writes: true,
    work: (files) => writeVerdict(files, verdict, at)
  })
  if (written !== null && "unknown" in written) return yield* new SampleItemUnknown({ gate: verdict.gate, items: written.unknown })
  return { gate, items: written?.items ?? [] }
})

const findReleaseGate = Effect.fnUntraced(function* (folder: StateFolder, gate: string) {
  const found = yield* findGate(folder, gate)
  return found.gate.kind === "release"
    ? found.gate
    : yield* new GateNotFound({ gate: `${gate}" with a sample to see, of kind "release`, state: folder.root })
})

const writeVerdict = async ({ db }: RunAtRest, { gate, items, decision, by, note }: SampleVerdict, at: Date) => {
  const sample = await readSample(db)
  const chosen = items.map((named) => sampledItem(sample, named))
  const unknown = items.filter((_, index) => chosen[index] === undefined)
  if (unknown.length > 0) return { unknown }
  const ids = [...new Set(chosen.flatMap((item) => (item === undefined ? [] : [item.itemId])))]
  if (ids.length === 0) return { items: sample }
  const rows = await db.selectFrom("state.samples").select(["seq", "item_id"]).where("item_id", "in", ids).execute()
  // A person's words are payload, and there before the verdict that they explain.
  if (note !== null)
    await db
      .insertInto("payload.gate_notes")
      .values(ids.map((item_id) => ({ gate, item_id, noted_at: at, note })))
      .execute()
  await db
    .insertInto("state.sample_decisions")
    .values(rows.map((row) => ({ ...row, decision, decided_at: at, decided_by: by })))
    .execute()
  return { items: await readSample(db) }
}
