/** Releases a run's outputs: the rows of delivered items, where those who may read outputs find them. */
import * as path from "node:path"

import * as Effect from "effect/Effect"
import { sql, type Kysely } from "kysely"

import type { Plan } from "../../dsl/index.ts"
import { identifier, quoted } from "./duck.ts"
import type { DuckLedger } from "./ledger-duckdb.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { typedRows } from "./lineage-tables.ts"
import { claimOutputTables, outputColumns, outputFolder, type OutputTable } from "./output-tables.ts"
import { writeOutputViews } from "./output-views.ts"
import { terminalSteps } from "./plan-columns.ts"
import { columnList } from "./read-ledger.ts"
import {
  intendSegments,
  lastSegments,
  segmentPath,
  unfinishedSegments,
  writeSegments,
  writeState,
  type Segment,
  type SegmentFile
} from "./segment.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Items a file at most, and bytes of outputs (one item's may be more): bounds the memory of a slice. */
const sliceItemsMax = 50_000
const sliceBytesMax = 16_000_000
/** The first file's items at most; each next may have ten times as many. */
const firstSliceItems = 1_000
const releaseMb = 400

/**
 * Writes the outputs of every delivered item at each terminal step, and marks the run released: only then the views show them. Call it
 * once the completeness of the run holds. `revision` counts the releases of one origin: 1 is its own. A trial (`item_limit`) is never released. Repeated after a kill it goes on where it was.
 */
export const release = Effect.fn("Store.release")(function* (
  ledger: DuckLedger,
  folder: StateFolder,
  plan: Plan,
  run: string,
  revision = 1
): Effect.fn.Return<void, StoreError> {
  const { duck } = ledger
  const { item_limit, released_at } = yield* duck.use("reading the run", (db) =>
    db.selectFrom("state.run").select(["item_limit", "released_at"]).executeTakeFirstOrThrow()
  )
  if (item_limit !== null || released_at !== null) return
  // A Parquet writer holds a slice's outputs several times over, and the work, which needed the memory before, is done.
  yield* duck.use("making room for the release", (db) => sql.raw(`set memory_limit = '${releaseMb}MB'`).execute(db))
  const terminals = terminalSteps(plan)
  const tables = yield* claimOutputTables(folder, plan, terminals)
  yield* writeOutputViews(folder)
  const releasing = { ledger, folder, run, terminals, tables }
  let items = firstSliceItems
  while (items > 0) {
    const released: number = yield* Effect.uninterruptible(releaseSlice(releasing, items))
    items = Math.min(sliceItemsMax, released * 10)
    yield* Effect.yieldNow
  }
  yield* duck.use("releasing", (db) => sql.raw(`drop table if exists ${slice}`).execute(db))
  yield* writeState(ledger, `update state.run set released_at = now(), revision = ${revision}`)
})

interface Releasing {
  readonly ledger: DuckLedger
  readonly folder: StateFolder
  readonly run: string
  readonly terminals: ReadonlyArray<string>
  readonly tables: ReadonlyArray<OutputTable>
}

/** One slice of the manifest, at most `items` long, into one segment of `outputs` and one of each typed table. Returns its items; 0 at the end. */
const releaseSlice = Effect.fnUntraced(function* ({ ledger, folder, run, terminals, tables }: Releasing, items: number) {
  const { duck } = ledger
  const names = ["outputs", ...tables.map(({ name }) => name)]
  const begun = (yield* unfinishedSegments(ledger)).filter(({ table }) => names.includes(table))
  const last = yield* lastSegments(ledger)
  const end = yield* duck.use(
    "reading the manifest",
    async (db) =>
      (
        await db
          .selectFrom("state.manifest")
          .select(({ fn }) => fn.max("seq").as("seq"))
          .executeTakeFirstOrThrow()
      ).seq ?? -1
  )
  const from = (last.get("outputs")?.to ?? -1) + 1
  if (begun.length === 0 && from > end) return 0
  const to = yield* duck.use("measuring outputs", (db) => sliceEnd(db, from, Math.min(end, from + items - 1)))
  const segments: ReadonlyArray<Segment> =
    begun.length > 0 ? begun : names.map((table) => ({ table, segment: (last.get(table)?.segment ?? 0) + 1, from, to }))
  const [{ from: low, to: high } = { from, to }] = segments
  yield* duck.use("reading outputs", (db) => gatherSlice(db, terminals, low, high))
  if (begun.length === 0) yield* intendSegments(ledger, segments)
  yield* writeSegments(ledger, segments, (segment): SegmentFile => {
    const typed = tables.find(({ name }) => name === segment.table)
    const query =
      typed === undefined ? typedRows(outputColumns, `from ${slice} order by seq, step`) : typedRows(typed.columns, typedSlice(typed))
    return { path: segmentPath(path.join(outputFolder(folder), segment.table), run, segment.segment), query, mode: 0o600 }
  })
  return high - low + 1
})

const slice = "memory.main.released"

const typedSlice = ({ step, columns, fields }: OutputTable): string => {
  const own = new Set(fields.map(({ name }) => name))
  const others = columns.flatMap(([name]) => (own.has(name) ? [] : [identifier(name)]))
  return `select ${others.join(", ")}${columnList(fields, "output")} from ${slice} slice where slice.step = ${quoted(step)}`
}

/**
 * The released rows of a range of the manifest, as a table in memory. What a person must see first keeps all of the item's outputs back;
 * a step that a `when` skipped does not.
 */
const gatherSlice = async (db: Kysely<LedgerTables>, terminals: ReadonlyArray<string>, from: number, to: number): Promise<void> => {
  const within = sql.raw(`seq between ${from} and ${to}`)
  const steps = sql.raw(terminals.map(quoted).join(", "))
  await sql`create or replace table ${sql.raw(slice)} as
    with stopped as (select seq from state.checkpoints where ${within} and disposition in ('dead', 'review', 'held')),
    done as materialized (
      select seq, item_id, step, answer_step, completed_at, session from state.checkpoints
      where ${within} and step in (${steps}) and disposition = 'delivered' and seq not in (from stopped)
    ),
    answer as (
      select seq, step as answer_step, max(attempt) as attempt, arg_max(variant, attempt) as variant, arg_max(output, attempt) as output
      from payload.answers where ${within} and step in (select answer_step from done) group by all
    ),
    call as (select seq, variant, attempt, max(confidence) as confidence from state.attempts where ${within} group by all)
    select seq, done.step, item_id, item_key, output, confidence, model, model_version, prompt_version,
      coalesce(of.code_version, sessions.code_version) as code_version, (select logical_time from state.run) as logical_time, completed_at, plan_digest
    from done join (select seq, item_key from payload.items where ${within}) using (seq)
      left join answer using (seq, answer_step) left join call using (seq, variant, attempt)
      left join state.variants of using (variant) left join state.sessions sessions using (session)
    order by seq, done.step`.execute(db)
}

/** The last seq of a slice that begins with `from` and goes no further than `to`. */
const sliceEnd = async (db: Kysely<LedgerTables>, from: number, to: number): Promise<number> => {
  const { rows } = await sql<{ over: number | null }>`select min(seq) as over from (
      select seq, sum(strlen(output)) over (order by seq) as bytes from payload.answers where seq between ${from} and ${to}
    ) where bytes > ${sliceBytesMax}`.execute(db)
  const over = rows[0]?.over ?? null
  return over === null ? to : Math.max(from, over - 1)
}
