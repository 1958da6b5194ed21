/** Items that were stopped, dead or for a person: read from what runs published, so that it is quick and in no run's way. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { sql, type Kysely, type RawBuilder } from "kysely"

import { openDuck } from "./duck.ts"
import { lineageSql, writeLineageViews } from "./lineage-views.ts"
import { itemIdOf, type StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

export type LetterStatus = "open" | "annotated" | "discarded" | "replayed"
export type ReviewStatus = "open" | "accepted" | "corrected" | "rejected"

/** Which of them; null leaves a filter out. */
export interface StoppedSelection {
  readonly view: "dlq" | "review_queue"
  readonly job: string | null
  /** A run's own items, and those of its linked runs. */
  readonly run: string | null
  readonly step: string | null
  readonly code: string | null
  readonly rule: string | null
  readonly cause: string | null
  readonly statuses: ReadonlyArray<LetterStatus | ReviewStatus> | null
  /** Keys or ids; null for all. */
  readonly items: ReadonlyArray<string> | null
}

/** A row of the view `dlq` or `review_queue`. */
export interface StoppedItem {
  readonly run: string
  /** The run that first had the item: `run` itself, unless that is a linked one. */
  readonly origin: string
  readonly job: string
  readonly item_id: string
  readonly seq: number
  readonly step: string
  readonly code: string
  readonly rule: string | null
  readonly attempts: number
  readonly stopped_at: Date
  readonly cause: string | null
  readonly status: LetterStatus | ReviewStatus
  readonly linked_run: string | null
  readonly decided_by: string | null
}

/** Items with one cause of failure. */
export interface StoppedGroup {
  readonly job: string
  readonly step: string
  readonly code: string
  readonly rule: string | null
  readonly items: number
  readonly unannotated: number
  /** The newest of them. */
  readonly example: { readonly run: string; readonly item_id: string; readonly seq: number; readonly step: string }
}

export interface StoppedList {
  readonly total: number
  /** Largest first, at most ten. */
  readonly groups: ReadonlyArray<StoppedGroup>
  readonly groupsInAll: number
  /** Newest first, at most `limit`. */
  readonly items: ReadonlyArray<StoppedItem>
  /** How many more the same filters find with another status. */
  readonly others: ReadonlyArray<{ readonly status: string; readonly items: number }>
}

const groupsMax = 10
const stoppedTable = { dlq: "dead_letters", review_queue: "reviews" } as const

export const listStopped = Effect.fn("Store.listStopped")(function* (
  folder: StateFolder,
  selection: StoppedSelection,
  limit: number
): Effect.fn.Return<StoppedList, StoreError, Scope.Scope> {
  yield* writeLineageViews(folder)
  const { run, use } = yield* openDuck({ attach: [], memoryMb: 1_000 })
  // Each view that is made looks at its files: only those that are read.
  yield* run(
    "reading the lineage views",
    lineageSql(folder, ["runs", "checkpoints", "decisions", stoppedTable[selection.view], selection.view, "reviews"])
  )
  return yield* use("listing stopped items", async (db) => {
    const where = chosenBy(folder, { ...selection, statuses: null })
    // The views join decisions and runs to every row: once is enough.
    const columns = sql.raw(`run, origin, job, item_id, seq, step, code, rule, attempts, stopped_at, status, linked_run, decided_by,
      ${selection.view === "dlq" ? "cause" : "null::varchar as cause"}`)
    await sql`create or replace table memory.main.found as select ${columns} from ${sql.raw(selection.view)} where ${where}`.execute(db)
    const isMeant = selection.statuses === null ? sql`true` : sql`status in (${sql.join(selection.statuses)})`
    const counted = await sql<{ status: string; items: number; isMeant: boolean }>`
      select status, count(*) as items, any_value(${isMeant}) as "isMeant" from found group by status order by status`.execute(db)
    return {
      total: counted.rows.reduce((sum, { items, isMeant }) => (isMeant ? sum + items : sum), 0),
      others: counted.rows.flatMap(({ status, items, isMeant }) => (isMeant ? [] : [{ status, items }])),
      ...(await readGroups(db, isMeant)),
      items: (
        await sql<StoppedItem>`select * from found where ${isMeant} order by stopped_at desc, run desc, seq limit ${limit}`.execute(db)
      ).rows
    }
  })
}, Effect.scoped)

const readGroups = async (db: Kysely<unknown>, isMeant: RawBuilder<unknown>): Promise<Pick<StoppedList, "groups" | "groupsInAll">> => {
  const { rows } = await sql<Omit<StoppedGroup, "example"> & StoppedGroup["example"] & { readonly groups: number }>`
    select job, step, code, rule, count(*) as items, count(*) filter (status = 'open') as unannotated, arg_max(run, stopped_at) as run,
      arg_max(item_id, stopped_at) as item_id, arg_max(seq, stopped_at) as seq, count(*) over () as groups
    from found where ${isMeant} group by all order by items desc, job, step, code, rule limit ${groupsMax}`.execute(db)
  return {
    groupsInAll: rows[0]?.groups ?? 0,
    groups: rows.map(({ run, item_id, seq, groups: _, ...group }) => ({ ...group, example: { run, item_id, seq, step: group.step } }))
  }
}

/** The condition of a selection, for a query over its view. */
export const chosenBy = (folder: StateFolder, selection: StoppedSelection): RawBuilder<boolean> => {
  const { view, job, run, step, code, rule, cause, statuses, items } = selection
  const conditions = [
    ...(job === null ? [] : [sql`job = ${job}`]),
    ...(run === null ? [] : [sql`(run = ${run} or origin = ${run})`]),
    ...(step === null ? [] : [sql`step = ${step}`]),
    ...(code === null ? [] : [sql`code = ${code}`]),
    ...(rule === null ? [] : [sql`rule = ${rule}`]),
    ...(cause === null || view !== "dlq" ? [] : [sql`cause = ${cause}`]),
    ...(statuses === null ? [] : [sql`status in (${sql.join(statuses)})`]),
    ...(items === null ? [] : [sql`item_id in (${sql.join(items.flatMap((item) => itemIdsOf(folder, item)))})`])
  ]
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` and `)}`
}

/** What an item that a person names may be called: its id, if it looks like one, and that of the key. */
export const itemIdsOf = (folder: StateFolder, item: string): ReadonlyArray<string> => [
  itemIdOf(folder.hashKey(item)),
  ...(/^[0-9a-f]{24}$/.test(item) ? [item] : [])
]

/** How a selection reads in the access log: filters by their values, items by their number. */
export const selectionText = ({ job, run, step, code, rule, cause, statuses, items }: StoppedSelection): string =>
  [
    ...Object.entries({ job, run, step, code, rule, cause }).flatMap(([name, value]) => (value === null ? [] : [`--${name} ${value}`])),
    ...(statuses === null ? [] : [`--status ${statuses.join(",")}`]),
    ...(items === null ? [] : [`${items.length} named`])
  ].join(" ") || "all"
