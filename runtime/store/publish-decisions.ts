/** Shows analysts what was decided and who looked: whatever `control.duckdb` has and their files don't. Runs while the caller holds that file. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"
import { sql, type Kysely } from "kysely"

import type { ControlTables } from "./control.ts"
import { accessLogFile, decisionColumns } from "./decision-views.ts"
import type { Duck } from "./duck.ts"
import { copyTo, makeFolder, onDisk, ownPartOf, putInPlace } from "./durable-file.ts"
import { writeLineageViews } from "./lineage-views.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Entries of the access log that one append takes. */
const entriesMax = 10_000

/** A kill between commit and publishing leaves a gap that the next command closes. */
export const publishDecisions = Effect.fn("Store.publishDecisions")(function* (
  duck: Duck<ControlTables>,
  folder: StateFolder
): Effect.fn.Return<void, StoreError> {
  yield* writeLineageViews(folder)
  yield* publishNewDecisions(duck, folder)
  while ((yield* appendNewEntries(duck, folder)) === entriesMax) continue
})

/** A file a command, named by its last decision. */
const publishNewDecisions = Effect.fnUntraced(function* (duck: Duck<ControlTables>, folder: StateFolder) {
  const place = path.join(folder.analytics, "decisions", "run=control")
  yield* makeFolder(place)
  const published = yield* onDisk(place, () =>
    Math.max(0, ...fs.readdirSync(place).map((name) => Number(/^(\d+)\.parquet$/.exec(name)?.[1] ?? 0)))
  )
  const last = yield* duck.use("reading decisions", async (db) => {
    const { last } = await db
      .selectFrom("control.decisions")
      .select(({ fn }) => fn.max("decision").as("last"))
      .executeTakeFirstOrThrow()
    return last ?? 0
  })
  if (last <= published) return
  const file = path.join(place, `${String(last).padStart(12, "0")}.parquet`)
  const part = ownPartOf(file)
  const columns = decisionColumns.map(([name, type]) => `${name}::${type} as ${name}`)
  yield* copyTo(
    duck.db,
    part,
    `select run, job, ${columns.join(", ")} from control.decisions where decision > ${published} order by decision`
  )
  yield* putInPlace(part, file, 0o644)
})

/** Returns how many were appended. */
const appendNewEntries = Effect.fnUntraced(function* (duck: Duck<ControlTables>, folder: StateFolder) {
  const file = accessLogFile(folder.analytics)
  const last = yield* onDisk(file, () => lastEntry(file))
  const entries = yield* duck.use("reading the access log", (db) =>
    db.selectFrom("control.access_log").selectAll().where("entry", ">", last).orderBy("entry").limit(entriesMax).execute()
  )
  if (entries.length > 0)
    yield* onDisk(file, () => fs.appendFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), { flush: true }))
  return entries.length
})

/** The number in the file's last whole line; what a kill tore off behind it is cut. */
const lastEntry = (file: string): number => {
  const handle = fs.openSync(file, "r+")
  try {
    const { size } = fs.fstatSync(handle)
    const tail = Buffer.alloc(Math.min(size, 4_096))
    fs.readSync(handle, tail, 0, tail.length, size - tail.length)
    const end = tail.lastIndexOf("\n") + 1
    if (end < tail.length) fs.ftruncateSync(handle, size - tail.length + end)
    const entry = tail.subarray(0, end).toString().trimEnd().split("\n").at(-1) ?? ""
    return entry === "" ? 0 : Number((JSON.parse(entry) as { readonly entry: number }).entry)
  } finally {
    fs.closeSync(handle)
  }
}

export interface AccessEntry {
  readonly who: string
  readonly action: ControlTables["control.access_log"]["action"]
  readonly run: string | null
  readonly items: number
  /** Without keys: this is for analysts. */
  readonly selection: string
  /** A slug. */
  readonly reason: string | null
}

/** Adds an entry, within the caller's transaction if there is one. */
export const insertAccess = (db: Kysely<ControlTables>, { who, action, run, items, selection, reason }: AccessEntry, at: Date) =>
  db
    .insertInto("control.access_log")
    .values({
      entry: sql<number>`(select coalesce(max(entry), 0) + 1 from control.access_log)`,
      logged_at: at,
      who,
      action,
      run,
      items,
      selection: selection.slice(0, 500),
      reason
    })
    .execute()
