/** Publishes a run's metadata while it runs: analysts read Parquet, and never a file that a run has open. */
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { sql, type Kysely } from "kysely"

import type { DuckLedger } from "./ledger-duckdb.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { publishedTables, typedRows, type PublishedTable } from "./lineage-tables.ts"
import { writeLineageViews } from "./lineage-views.ts"
import { ensureOutputViews } from "./output-views.ts"
import { intendSegments, lastSegments, segmentPath, unfinishedSegments, writeSegments, type Segment, type SegmentFile } from "./segment.ts"
import { removeStaleParts } from "./stale-parts.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Between two rounds: with a round's own time, an analyst is less than ten seconds behind. */
const every = "5 seconds"
/** Bounds the last round of an interrupted run; a resume publishes what it left. */
const lastRoundMax = "10 seconds"
/** Settlements a segment at most: bounds the memory of a round, and how long it can't be interrupted. */
const settlementsMax = 50_000
/** The same for rows of the manifest, which are narrower. */
const itemsMax = 200_000

/**
 * Publishes all that is committed and wasn't published yet. Interruption waits for the segments in hand. Calls on one ledger take turns.
 */
export const publish = Effect.fn("Store.publish")(function* (
  ledger: DuckLedger,
  folder: StateFolder,
  run: string
): Effect.fn.Return<void, StoreError> {
  yield* turnOf(ledger).withPermits(1)(
    Effect.gen(function* () {
      yield* writeLineageViews(folder)
      yield* ensureOutputViews(folder)
      while (yield* Effect.uninterruptible(publishRound(ledger, folder, run))) yield* Effect.yieldNow
    })
  )
})

/**
 * Publishes every five seconds until it is interrupted, and then once more. Trouble is logged and tried again in the next round: a run
 * doesn't stop because its analysts can't be served. Fork it in the ledger's scope or one inside it.
 */
export const publishLoop = (ledger: DuckLedger, folder: StateFolder, run: string): Effect.Effect<never> => {
  let told = ""
  const round = publish(ledger, folder, run).pipe(
    Effect.tap(() => Effect.sync(() => void (told = ""))),
    Effect.catch((error) => {
      const isNews = error.message !== told
      told = error.message
      return isNews ? Effect.logWarning(`Analysts don't see the newest rows of run ${run}: ${error.message}`) : Effect.void
    })
  )
  const rounds = Effect.repeat(round, Schedule.spaced(every))
  return Effect.ignore(removeStaleParts(folder)).pipe(
    Effect.andThen(rounds),
    Effect.andThen(Effect.never),
    Effect.onInterrupt(() => Effect.timeoutOption(Effect.interruptible(round), lastRoundMax))
  )
}

const turns = new WeakMap<DuckLedger, Semaphore.Semaphore>()
const turnOf = (ledger: DuckLedger): Semaphore.Semaphore => {
  const turn = turns.get(ledger) ?? Semaphore.makeUnsafe(1)
  turns.set(ledger, turn)
  return turn
}

/** At most one segment a table. Returns whether more may be left. */
const publishRound = Effect.fnUntraced(function* (ledger: DuckLedger, folder: StateFolder, run: string) {
  const { duck } = ledger
  const fileOf = (segment: Segment): SegmentFile => {
    const table = tableOf(segment.table)
    return {
      path: segmentPath(path.join(folder.analytics, table.name), run, segment.segment),
      query: segmentQuery(table, segment),
      mode: 0o644
    }
  }
  // Before the last commit is looked up: whatever a run or partition has done by now is within the commits that follow.
  yield* duck.use("reading runs and partitions", (db) => eachOf(changing, (table) => noteState(db, table)))
  const begun = (yield* unfinishedSegments(ledger)).filter(({ table }) => publishedTables.some(({ name }) => name === table))
  if (begun.length > 0) {
    yield* writeSegments(ledger, begun, fileOf)
    return true
  }
  const last = yield* lastSegments(ledger)
  const grown = yield* duck.use("looking for new rows", (db) => nextSegments(db, last))
  const changed = grown.isPartial ? [] : yield* duck.use("looking for changed rows", (db) => nextVersions(db, last))
  const segments = [...grown.segments, ...changed]
  if (segments.length === 0) return false
  yield* intendSegments(ledger, segments)
  yield* writeSegments(ledger, segments, fileOf)
  yield* duck.use("remembering what was published", (db) => eachOf(changed, ({ table }) => rememberState(db, tableOf(table))))
  return grown.isPartial
})

type Db = Kysely<LedgerTables>
type LastSegments = ReadonlyMap<string, { readonly segment: number; readonly to: number }>

const growing = publishedTables.filter(({ cut }) => cut !== null)
const changing = publishedTables.filter(({ cut }) => cut === null)

const tableOf = (name: string): PublishedTable => {
  const found = publishedTables.find((table) => table.name === name)
  if (found === undefined) throw new Error(`No published table is called ${name}`)
  return found
}

const eachOf = async <A>(all: ReadonlyArray<A>, run: (one: A) => Promise<unknown>): Promise<void> => {
  for (const one of all) await run(one)
}

/** The rows after a table's last segment, as far as one segment goes. */
const nextSegments = async (
  db: Db,
  last: LastSegments
): Promise<{ readonly segments: ReadonlyArray<Segment>; readonly isPartial: boolean }> => {
  const segments: Array<Segment> = []
  const ends = await readEnds(db)
  let isPartial = false
  for (const { name, cut, of } of growing) {
    const end = ends[cut ?? "seq"]
    const before = last.get(name)
    const { rows } = await sql<{
      first: number | null
    }>`select min(${sql.ref(cut ?? "seq")}) as first from ${sql.raw(of)} where ${sql.ref(cut ?? "seq")} between ${
      before === undefined ? 0 : before.to + 1
    } and ${end}`.execute(db)
    const from = rows[0]?.first ?? null
    if (from === null) continue
    const to = cut === "commit_no" ? await commitAfter(db, from, end) : Math.min(end, from + itemsMax - 1)
    segments.push({ table: name, segment: (before?.segment ?? 0) + 1, from, to })
    isPartial ||= to < end
  }
  return { segments, isPartial }
}

/** Up to where rows are final: the last whole commit, and the manifest's end once it is sealed. */
const readEnds = async (db: Db) => {
  const { commit } = await db
    .selectFrom("state.commits")
    .select(({ fn }) => fn.max("commit_no").as("commit"))
    .executeTakeFirstOrThrow()
  const { sealed_at } = await db.selectFrom("state.run").select("sealed_at").executeTakeFirstOrThrow()
  const { seq } = await db
    .selectFrom("state.manifest")
    .select(({ fn }) => fn.max("seq").as("seq"))
    .executeTakeFirstOrThrow()
  const { rejection } = await db
    .selectFrom("state.rejections")
    .select(({ fn }) => fn.max("rejection").as("rejection"))
    .executeTakeFirstOrThrow()
  const isSealed = sealed_at !== null
  return { commit_no: commit ?? 0, seq: isSealed ? (seq ?? -1) : -1, rejection: isSealed ? (rejection ?? -1) : -1 }
}

/** The last commit of a segment that begins with `from`: one at least. */
const commitAfter = async (db: Db, from: number, end: number): Promise<number> => {
  const { rows } = await sql<{ to: number | null }>`select max(commit_no) as to from (
      select commit_no, sum(items) over (order by commit_no) as total from state.commits where commit_no between ${from} and ${end}
    ) where total <= ${settlementsMax}`.execute(db)
  return rows[0]?.to ?? from
}

/** Tables whose rows change: what they were when this process last published them stands in memory beside what they are. */
const nowOf = ({ name }: PublishedTable): string => `memory.main.${name}_now`
const seenOf = ({ name }: PublishedTable): string => `memory.main.${name}_published`
const newOf = (table: PublishedTable): string => `from ${nowOf(table)} except from ${seenOf(table)}`

const noteState = async (db: Db, table: PublishedTable): Promise<void> => {
  const rows = typedRows(table.columns, table.rows({ from: 0, to: 0 }))
  await sql.raw(`create or replace table ${nowOf(table)} as ${rows}`).execute(db)
  await sql.raw(`create table if not exists ${seenOf(table)} as from ${nowOf(table)} limit 0`).execute(db)
}

const rememberState = (db: Db, table: PublishedTable): Promise<unknown> =>
  sql.raw(`create or replace table ${seenOf(table)} as from ${nowOf(table)}`).execute(db)

/** A new process publishes every row once more: the newest version of a row counts, so that does no harm. */
const nextVersions = async (db: Db, last: LastSegments): Promise<ReadonlyArray<Segment>> => {
  const segments: Array<Segment> = []
  for (const table of changing) {
    const { rows } = await sql<{ changed: number }>`select count(*) as changed from (${sql.raw(newOf(table))})`.execute(db)
    const segment = (last.get(table.name)?.segment ?? 0) + 1
    if ((rows[0]?.changed ?? 0) > 0) segments.push({ table: table.name, segment, from: segment, to: segment })
  }
  return segments
}

const segmentQuery = (table: PublishedTable, segment: Segment): string =>
  table.cut === null
    ? `select * replace (${segment.segment}::integer as version) from (${newOf(table)})`
    : typedRows(table.columns, table.rows(segment))
