/** Answers that reached a step, for aggregates: of this run, and of a linked run's earlier ones, each item as its newest run has it. */
import { sql, type Kysely } from "kysely"

import type { Plan } from "../../dsl/index.ts"
import { quoted } from "./duck.ts"
import type { StepRow } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { answerColumns, itemColumns } from "./plan-columns.ts"
import { asOneText, columnList } from "./read-ledger.ts"
import { firstSlice, nextSlice } from "./slice-size.ts"

type Db = Kysely<LedgerTables>

/** An earlier run's files, attached to read, by the names that queries know them by. */
export interface PastRun {
  readonly state: string
  readonly payload: string
}

const own: PastRun = { state: "state", payload: "payload" }

/** A condition on `column`: no newer run has taken the item up. Names are ours, so they may stand in SQL as they are. */
const isNewestIn = (newer: ReadonlyArray<PastRun>, itemId: string): string =>
  newer.map(({ state }) => ` and ${itemId} not in (select item_id from ${state}.manifest)`).join("")

/** Answers that reached `step`, run by run from the oldest, a slice of a manifest at a time. */
export async function* readStepRows(db: Db, step: string, past: ReadonlyArray<PastRun>): AsyncGenerator<ReadonlyArray<StepRow>> {
  const runs = [...past, own]
  for (const [index, run] of runs.entries()) yield* readRunRows(db, step, run, runs.slice(index + 1))
}

async function* readRunRows(db: Db, step: string, run: PastRun, newer: ReadonlyArray<PastRun>): AsyncGenerator<ReadonlyArray<StepRow>> {
  const { rows: ends } = await sql<{ last: number | null }>`select max(seq) as last from ${sql.raw(run.state)}.manifest`.execute(db)
  const last = ends[0]?.last ?? -1
  let slice = firstSlice
  for (let from = 0; from <= last;) {
    const to = from + slice - 1
    const within = (table: string): string => `${table}.seq between ${from} and ${to}`
    const query = sql<StepRow>`select done.seq, item.item_key as key, item.body, item.reference, answer.output, variant.model, answer.attempt
      from ${sql.raw(run.state)}.checkpoints done
      join ${sql.raw(run.payload)}.answers answer on answer.seq = done.seq and answer.step = done.answer_step
      join ${sql.raw(run.payload)}.items item on item.seq = done.seq
      join ${sql.raw(run.state)}.variants variant on variant.variant = answer.variant
      where done.step = ${step} and done.status in ('answered', 'passed') and ${sql.raw(["done", "answer", "item"].map(within).join(" and "))}
        ${sql.raw(isNewestIn(newer, "done.item_id"))}`
    const rows = await asOneText(db, query)
    yield lastOfEach(rows)
    from = to + 1
    slice = nextSlice(
      slice,
      rows.reduce((bytes, { output, body }) => bytes + output.length + (body?.length ?? 0), 0)
    )
  }
}

/** A step asked again keeps its earlier answers; the last one counts. */
const lastOfEach = (rows: ReadonlyArray<StepRow>): ReadonlyArray<StepRow> => rows.filter((row, index) => rows[index + 1]?.seq !== row.seq)

/** Makes the tables `rows` and `items` that an aggregate's query reads: one column a field of the output, and of the item. */
export const defineAggregateViews = async (db: Db, plan: Plan, step: string, past: ReadonlyArray<PastRun>): Promise<void> => {
  const runs = [...past, own]
  const each = (query: (run: PastRun, newer: ReadonlyArray<PastRun>) => string) =>
    sql.raw(runs.map((run, index) => `(${query(run, runs.slice(index + 1))})`).join(" union all "))
  const answers = each(
    ({ state, payload }, newer) => `
    select item.item_key${columnList(answerColumns(plan, step), "answer.output")}
    from ${state}.checkpoints done
    join ${payload}.answers answer on answer.seq = done.seq and answer.step = done.answer_step
    join ${payload}.items item on item.seq = done.seq
    where done.step = ${quoted(step)} and done.status in ('answered', 'passed')${isNewestIn(newer, "done.item_id")}
    qualify row_number() over (partition by done.seq order by answer.attempt desc) = 1`
  )
  await sql`create or replace view memory.main.rows as ${answers}`.execute(db)
  const fields = itemColumns(plan).filter(({ name }) => name !== "item_key")
  const items = each(
    ({ state, payload }, newer) =>
      `select item_key${columnList(fields, "body")} from ${payload}.items item${
        newer.length === 0 ? "" : ` join ${state}.manifest listed on listed.seq = item.seq where true${isNewestIn(newer, "listed.item_id")}`
      }`
  )
  await sql`create or replace view memory.main.items as ${items}`.execute(db)
}
