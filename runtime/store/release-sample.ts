/** A sample of delivered items, for a person to see before anything is released (GOV-4): drawn, shown and decided on. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { sql, type Kysely } from "kysely"

import type { DuckLedger } from "./ledger-duckdb.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { SampleDecision } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

type Db = Kysely<LedgerTables>

/**
 * Draws at most `items` delivered items, once in the run's life, and returns how many there are. Strata are the partition's label, whether a rule flagged
 * the item, and the fifth that its lowest confidence falls into: one of each in turn, so that what is rare is seen too. Within a stratum the order is that
 * of the item's keyed hash: random to people, and the same after a restart.
 */
export const drawSample = Effect.fn("Store.drawSample")(function* (
  { duck, exclusively }: Pick<DuckLedger, "duck" | "exclusively">,
  items: number
): Effect.fn.Return<number, StoreError> {
  const drawnAt = new Date(yield* Clock.currentTimeMillis)
  const draw = duck.use("drawing a sample", (db) =>
    db.transaction().execute(async (transaction) => {
      const { sample } = await countRows(transaction)
      if (sample > 0) return sample
      await insertSample(transaction, items, drawnAt)
      return (await countRows(transaction)).sample
    })
  )
  return yield* exclusively(Effect.uninterruptible(draw))
})

const countRows = async (db: Db) =>
  await db
    .selectFrom("state.samples")
    .select(({ fn }) => fn.countAll<number>().as("sample"))
    .executeTakeFirstOrThrow()

const insertSample = async (db: Db, items: number, drawnAt: Date): Promise<void> => {
  await sql`insert into state.samples
    with ended as (
      select seq from state.checkpoints where disposition is not null group by seq
      having bool_and(disposition in ('delivered', 'skipped')) and bool_or(disposition = 'delivered')
    ),
    sure as (select seq, min(confidence) as confidence from state.attempts where outcome = 'answered' group by seq),
    stratum as (
      select item.seq, item.item_id, coalesce(part.label, named.label, '') as label, item.seq in (select seq from state.flags) as is_flagged,
        coalesce(least(floor(confidence * 5), 4), -1) as fifth
      from ended join state.manifest item using (seq) join state.partitions part using (partition_no)
        left join payload.labels named using (partition_no) left join sure using (seq)
    ),
    turns as (select seq, item_id, row_number() over (partition by label, is_flagged, fifth order by item_id) as turn from stratum)
    select row_number() over (order by turn, item_id) as position, seq, item_id, ${drawnAt}::timestamptz as drawn_at
    from turns qualify position <= ${items}`.execute(db)
}

/** How far people are with it. */
export const countSample = async (db: Db) => {
  const { rows } = await sql<{ items: number; undecided: number; rejected: number }>`
    with said as (select seq, arg_max(decision, decided_at) as decision from state.sample_decisions group by seq)
    select count(*) as items, count(*) filter (where decision is null) as undecided, count(*) filter (where decision = 'rejected') as rejected
    from state.samples left join said using (seq)`.execute(db)
  return rows[0] ?? { items: 0, undecided: 0, rejected: 0 }
}

/** One of the sample, as a person sees it. */
export interface SampledItem {
  /** From 1. */
  readonly position: number
  readonly itemId: string
  readonly key: string
  /** JSON text; null where it is large, and `reference` says where it is. */
  readonly body: string | null
  readonly reference: string | null
  readonly outputs: ReadonlyArray<{
    readonly step: string
    readonly model: string
    readonly output: string
    readonly confidence: number | null
  }>
  readonly flags: ReadonlyArray<string>
  readonly decision: SampleDecision | null
  readonly decidedBy: string | null
  readonly decidedAt: Date | null
  readonly note: string | null
}

export const readSample = async (db: Db): Promise<ReadonlyArray<SampledItem>> => {
  const { rows } = await sql<Omit<SampledItem, "outputs" | "flags"> & { outputs: string; flags: string }>`
    with said as (
      select seq, arg_max(decision, decided_at) as decision, arg_max(decided_by, decided_at) as decided_by, max(decided_at) as decided_at
      from state.sample_decisions group by seq
    ),
    noted as (select item_id, noted_at as decided_at, any_value(note) as note from payload.gate_notes where item_id is not null group by all),
    done as (select seq, step, answer_step from state.checkpoints where disposition = 'delivered' and seq in (select seq from state.samples)),
    answer as (
      select seq, step as answer_step, max(attempt) as attempt, arg_max(variant, attempt) as variant, arg_max(output, attempt) as output
      from payload.answers where seq in (select seq from state.samples) group by all
    ),
    output as (
      select seq, to_json(list({ step: done.step, model: model, output: output, confidence: confidence } order by done.step)) as outputs
      from done join answer using (seq, answer_step) left join state.variants using (variant)
        left join (select seq, variant, attempt, max(confidence) as confidence from state.attempts group by all) using (seq, variant, attempt)
      group by seq
    ),
    flagged as (select seq, to_json(list(distinct rule order by rule)) as flags from state.flags group by seq)
    select position, item_id as "itemId", item_key as key, body, reference, coalesce(outputs, '[]')::varchar as outputs, coalesce(flags, '[]')::varchar as flags,
      decision, decided_by as "decidedBy", decided_at as "decidedAt", note
    from state.samples join payload.items using (seq) left join output using (seq) left join flagged using (seq) left join said using (seq)
      left join noted using (item_id, decided_at)
    order by position`.execute(db)
  return rows.map((row) => ({
    ...row,
    // Made by the query above.
    outputs: JSON.parse(row.outputs) as SampledItem["outputs"],
    flags: JSON.parse(row.flags) as ReadonlyArray<string>
  }))
}

/** An item of the sample by key or id; by number too, where no key of the sample is one. */
export const sampledItem = (sample: ReadonlyArray<SampledItem>, named: string): SampledItem | undefined => {
  const areNumbers = sample.some(({ key }) => /^\d+$/.test(key))
  return sample.find(({ position, key, itemId }) => key === named || itemId === named || (!areNumbers && String(position) === named))
}
