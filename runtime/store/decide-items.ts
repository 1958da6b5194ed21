/** Decisions about stopped items: checked and written in one go, while this process alone has `control.duckdb`. */
import { existsSync } from "node:fs"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { sql, type Kysely } from "kysely"

import { withControl, type ControlTables, type DecisionAction } from "./control.ts"
import type { Duck } from "./duck.ts"
import { lineageSql } from "./lineage-views.ts"
import { dropLinkedRun, writeLinkedFile, type LinkedRun } from "./linked-file.ts"
import { chosenBy, itemIdsOf, selectionText, type StoppedItem, type StoppedSelection } from "./list-stopped.ts"
import { addNote } from "./notes.ts"
import { insertAccess, publishDecisions } from "./publish-decisions.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

export interface DecideRequest {
  readonly action: DecisionAction
  readonly selection: StoppedSelection
  readonly by: string
  /** `annotate`: a slug. */
  readonly cause: string | null
  /** Why, for the access log: a slug. */
  readonly reason: string | null
  /** Why, in words: goes to the runs' notes. */
  readonly text: string | null
  /** `replay`, `accept`, `correct`: the run that takes the items up again; it is ready to begin when this returns. */
  readonly linked: LinkedRun | null
}

/** Nothing was changed. */
export class DecisionRefused extends Schema.TaggedError<DecisionRefused>()("DecisionRefused", {
  problem: Schema.String,
  remedy: Schema.String
}) {
  override get message(): string {
    return `${this.problem} Nothing was changed. ${this.remedy}`
  }
}

/** Returns how many items were decided about. */
export const decideItems = Effect.fn("Store.decideItems")(function* (
  folder: StateFolder,
  request: DecideRequest
): Effect.fn.Return<number, StoreError | DecisionRefused> {
  const at = new Date(yield* Clock.currentTimeMillis)
  return yield* withControl(folder, "decideItems", (duck) => decide(duck, folder, request, at), 300)
})

const chosen = "memory.main.chosen"

const decide = Effect.fnUntraced(function* (duck: Duck<ControlTables>, folder: StateFolder, request: DecideRequest, at: Date) {
  const { selection, linked, by, action, reason } = request
  yield* publishDecisions(duck, folder)
  yield* duck.run(
    "reading the lineage views",
    lineageSql(folder, ["runs", "checkpoints", "dead_letters", "reviews", "decisions", selection.view])
  )
  yield* duck.use("choosing items", (db) =>
    sql`create or replace table ${sql.raw(chosen)} as select * from ${sql.raw(selection.view)} where ${chosenBy(folder, selection)}`.execute(
      db
    )
  )
  yield* refuseUnfit(duck, folder, request)
  const runs = yield* duck.use("choosing items", async (db) =>
    (await sql<{ run: string }>`select distinct run from ${sql.raw(chosen)} order by run`.execute(db)).rows.map(({ run }) => run)
  )
  if (linked !== null)
    yield* Effect.tapError(writeLinkedFile(duck, folder, { table: chosen, runs }, linked), () =>
      Effect.ignore(dropLinkedRun(folder.run(linked.start.run)))
    )
  const { first, items } = yield* duck.use("choosing items", readNumbers)
  if (request.text !== null)
    for (const run of runs) yield* addNote(folder.run(run), { firstDecision: first, lastDecision: first + items - 1, text: request.text })
  const entry = { who: by, action, run: runs.length === 1 ? (runs[0] ?? null) : null, items, selection: selectionText(selection), reason }
  yield* duck.use("deciding about items", (db) =>
    db.transaction().execute(async (transaction) => {
      await insertDecisions(transaction, request, at, first)
      await insertAccess(transaction, entry, at)
    })
  )
  yield* publishDecisions(duck, folder)
  return items
})

/** The number of the next decision, and how many items were chosen. */
const readNumbers = async (db: Kysely<ControlTables>) => {
  const { rows } = await sql<{
    first: number
    items: number
  }>`select (select coalesce(max(decision), 0) + 1 from control.decisions) as first,
    (select count(*) from (select distinct run, item_id from ${sql.raw(chosen)})) as items`.execute(db)
  return rows[0] ?? { first: 1, items: 0 }
}

/** An item that was stopped on two branches is decided about once. */
const insertDecisions = (db: Kysely<ControlTables>, { action, by, cause, linked }: DecideRequest, at: Date, first: number) =>
  sql`insert into control.decisions (decision, decided_at, decided_by, action, run, job, item_id, cause, linked_run)
    select ${first} + row_number() over (order by run, item_id) - 1, ${at}, ${by}, ${action}, run, job, item_id, ${cause}, ${linked?.start.run ?? null}
    from (select distinct run, job, item_id from ${sql.raw(chosen)})`.execute(db)

const refuseUnfit = Effect.fnUntraced(function* (duck: Duck<ControlTables>, folder: StateFolder, request: DecideRequest) {
  const { selection, action, linked } = request
  const noun = selection.view === "dlq" ? "dead letter" : "review"
  const rows = yield* duck.use("choosing items", async (db) => {
    // An example each of what there is: a hundred thousand chosen items need not be looked at one by one.
    const found = await sql<Pick<StoppedItem, "run" | "status" | "linked_run" | "decided_by" | "item_id"> & { items: number }>`
      select run, status, any_value(linked_run) as linked_run, any_value(decided_by) as decided_by, any_value(item_id) as item_id, count(*) as items
      from ${sql.raw(chosen)} group by run, status order by run, status`.execute(db)
    return found.rows
  })
  for (const item of selection.items ?? []) yield* refuseAbsent(duck, folder, selection, item)
  if (rows.length === 0)
    return yield* new DecisionRefused({
      problem: `No ${noun} fits ${selectionText(selection)}.`,
      remedy: `See what there is: runtime ${selection.view === "dlq" ? "dlq" : "review"} list`
    })
  const unfit = rows.find(({ status }) => !allowed[action].includes(status))
  if (unfit !== undefined) return yield* refusalOf(request, unfit)
  if (linked === null) return
  for (const { run, item_id } of rows) {
    if (!existsSync(folder.run(run).payload))
      return yield* new DecisionRefused({
        problem: `The content of run ${run} was destroyed by retention, item ${item_id} with it: it can't be taken up again.`,
        remedy: "Run the job anew on its source: runtime run JOB"
      })
    const { status } = yield* duck.use(
      "looking at a run",
      async (db) => (await sql<{ status: string }>`select status from runs where run = ${run}`.execute(db)).rows[0] ?? { status: "running" }
    )
    if (status !== "done")
      return yield* new DecisionRefused({
        problem: `Run ${run} isn't closed (${status}), and its items are its own until then.`,
        remedy: `See runtime status ${run}, then type this again.`
      })
  }
})

/** What an item must be for it, in the view's words. */
const allowed: Readonly<Record<DecisionAction, ReadonlyArray<string>>> = {
  annotate: ["open", "annotated"],
  discard: ["open", "annotated"],
  replay: ["annotated"],
  accept: ["open"],
  correct: ["open"],
  reject: ["open"]
}

type Unfit = Pick<StoppedItem, "run" | "status" | "linked_run" | "decided_by" | "item_id"> & { readonly items: number }

const refusalOf = (
  { action, selection }: DecideRequest,
  { run, status, linked_run, decided_by, item_id, items }: Unfit
): DecisionRefused => {
  const which = items === 1 ? `Item ${item_id} of run ${run}` : `${items} of the chosen items of run ${run}, ${item_id} among them,`
  const [is, has] = items === 1 ? ["is", "has"] : ["are", "have"]
  if (action === "replay" && status === "open")
    return new DecisionRefused({
      problem: `${which} ${has} no root cause yet, and a replay needs one.`,
      remedy: `Say what it was, then replay: runtime dlq annotate ${run}${selection.items === null ? "" : ` ${item_id}`} --cause SLUG`
    })
  if (linked_run !== null)
    return new DecisionRefused({
      problem: `${which} ${is} ${status} already, in run ${linked_run}.`,
      remedy: `What became of it: runtime status ${linked_run}, or runtime dlq list --run ${linked_run}`
    })
  return new DecisionRefused({
    problem: `${which} ${is} ${status} already, by ${decided_by ?? "somebody"}, and that stands.`,
    remedy: `runtime trace --id ${item_id} tells its story.`
  })
}

/** An item that a person names must be there, or they are told what became of it. */
const refuseAbsent = Effect.fnUntraced(function* (
  duck: Duck<ControlTables>,
  folder: StateFolder,
  selection: StoppedSelection,
  item: string
) {
  const ids = itemIdsOf(folder, item)
  const { ends, isChosen } = yield* duck.use("choosing items", async (db) => {
    const found = await sql`select 1 from ${sql.raw(chosen)} where item_id in (${sql.join(ids)}) limit 1`.execute(db)
    if (found.rows.length > 0) return { ends: [], isChosen: true }
    const ofRun = selection.run === null ? sql`true` : sql`run = ${selection.run}`
    const { rows } = await sql<{ run: string; disposition: string }>`
      select run, disposition from checkpoints where item_id in (${sql.join(ids)}) and disposition is not null and ${ofRun} order by completed_at desc`.execute(
      db
    )
    return { ends: rows, isChosen: false }
  })
  if (isChosen) return
  const [last] = ends
  const noun = selection.view === "dlq" ? "dead letter" : "review"
  const next = `runtime ${selection.view === "dlq" ? "dlq" : "review"} list${selection.run === null ? "" : ` --run ${selection.run}`}`
  return yield* new DecisionRefused(
    last === undefined
      ? {
          problem: `There is no item "${item}"${selection.run === null ? "" : ` in run ${selection.run}`}.`,
          remedy: `See what there is: ${next}`
        }
      : last.disposition === "delivered"
        ? {
            problem: `Item "${item}" of run ${last.run} was delivered and released: there is nothing to decide about it.`,
            remedy: `runtime trace --id ${ids.at(-1)} tells its story.`
          }
        : {
            problem: `Item "${item}" of run ${last.run} is no ${noun} of this selection: it ended as ${last.disposition}.`,
            remedy: `See what there is: ${next}`
          }
  )
})
