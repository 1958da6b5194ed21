/** Two runs side by side: which items both answered, and where the answers differ. Reads both runs' files, writes nothing. */
import * as Effect from "effect/Effect"
import { sql, type Kysely } from "kysely"

import type { FlatColumn, Plan } from "../../dsl/index.ts"
import { openDuck, quoted, type Duck } from "./duck.ts"
import { answerColumns } from "./plan-columns.ts"
import { columnList } from "./read-ledger.ts"
import type { RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** A number of each run. */
export interface Pair<A> {
  readonly a: A
  readonly b: A
}

export interface Overlap {
  readonly both: number
  readonly onlyA: number
  readonly onlyB: number
}

export interface Change {
  readonly a: string | null
  readonly b: string | null
  readonly items: number
}

export interface ColumnComparison {
  readonly name: string
  /** Items whose value is the same in both runs. */
  readonly same: number
  /** From what to what, most frequent first, at most 20; empty for a column of more than 20 values. */
  readonly changes: ReadonlyArray<Change>
  /** Numbers only: the mean of B − A. */
  readonly meanDifference: number | null
}

export interface StepComparison {
  readonly step: string
  readonly answers: Overlap
  /** Items answered in both runs with all common columns equal. */
  readonly same: number
  readonly columns: ReadonlyArray<ColumnComparison>
  /** Columns of one run alone, or of another type in the other. */
  readonly columnsOnly: Pair<ReadonlyArray<string>>
  /** Means over items answered in both; null without any. */
  readonly confidence: Pair<number | null>
  readonly calls: Pair<number>
  /** Null where a call has no known price. */
  readonly costUsd: Pair<number | null>
  readonly examples: ReadonlyArray<{
    readonly key: string
    readonly differs: ReadonlyArray<{ readonly column: string } & Pair<string | null>>
  }>
}

export interface ComparedRun {
  readonly run: string
  readonly job: string
  readonly status: string
  readonly planDigest: string
  readonly spentUsd: number
}

export interface RunComparison {
  readonly runs: Pair<ComparedRun>
  /** By item key. */
  readonly items: Overlap
  /** Of items in both runs, their worst dispositions where they differ. */
  readonly dispositions: ReadonlyArray<Change>
  readonly steps: ReadonlyArray<StepComparison>
  /** Steps with answers that only one of the plans has. */
  readonly stepsOnly: Pair<ReadonlyArray<string>>
}

export interface CompareOptions {
  readonly a: RunFolder
  readonly b: RunFolder
  /** All steps that ask a model, in both plans, when null. */
  readonly step: string | null
  /** Where DuckDB may spill: the caller removes it. */
  readonly tempDirectory: string
}

type Side = "a" | "b"
type Db = Kysely<unknown>

const changesMax = 20
const examplesMax = 20
/** A column of more values isn't one of classes. */
const classesMax = 20

/** Fails with reason `held` while a process works on one of them. */
export const compareRuns = ({ a, b, step, tempDirectory }: CompareOptions): Effect.Effect<RunComparison, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const duck: Duck<unknown> = yield* openDuck({
        attach: [
          { name: "a_state", path: a.state, readOnly: true },
          { name: "a_payload", path: a.payload, readOnly: true },
          { name: "b_state", path: b.state, readOnly: true },
          { name: "b_payload", path: b.payload, readOnly: true }
        ],
        tempDirectory
      })
      return yield* duck.use("comparing the runs", (db) => compare(db, step))
    })
  )

const compare = async (db: Db, step: string | null): Promise<RunComparison> => {
  const [a, b] = [await readRun(db, "a"), await readRun(db, "b")]
  const asked = ({ plan }: { readonly plan: Plan }): ReadonlyArray<string> =>
    (step === null ? plan.steps.filter(({ kind }) => kind === "infer") : plan.steps.filter(({ name }) => name === step)).map(
      ({ name }) => name
    )
  const [ofA, ofB] = [asked(a), asked(b)]
  const steps: Array<StepComparison> = []
  for (const name of ofA.filter((each) => ofB.includes(each))) steps.push(await compareStep(db, name, { a: a.plan, b: b.plan }))
  return {
    runs: { a: a.run, b: b.run },
    items: await overlap(db, sql`a_payload.items`, sql`b_payload.items`),
    dispositions: await readDispositions(db),
    steps,
    stepsOnly: { a: ofA.filter((each) => !ofB.includes(each)), b: ofB.filter((each) => !ofA.includes(each)) }
  }
}

const readRun = async (db: Db, side: Side) => {
  const { rows } = await sql<{ run: string; job: string; status: string; plan_digest: string; plan: string; spent_usd: number }>`
    select run, job, status, plan_digest, plan, spent_usd from ${sql.raw(side)}_state.run`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error("One of the runs has no manifest yet")
  // Written by `compile`, in this state's own format.
  const plan = JSON.parse(row.plan) as Plan
  return { plan, run: { run: row.run, job: row.job, status: row.status, planDigest: row.plan_digest, spentUsd: row.spent_usd } }
}

const overlap = async (db: Db, a: ReturnType<typeof sql>, b: ReturnType<typeof sql>): Promise<Overlap> => {
  const { rows } = await sql<Overlap>`select count(*) filter (a.item_key is not null and b.item_key is not null) as both,
      count(*) filter (b.item_key is null) as "onlyA", count(*) filter (a.item_key is null) as "onlyB"
    from (select item_key from ${a}) a full join (select item_key from ${b}) b on a.item_key = b.item_key`.execute(db)
  return rows[0] ?? { both: 0, onlyA: 0, onlyB: 0 }
}

const readDispositions = async (db: Db): Promise<ReadonlyArray<Change>> => {
  const worst = (
    side: Side
  ): string => `select item_key, arg_max(disposition, case disposition when 'dead' then 4 when 'review' then 3 when 'held' then 2 when 'skipped' then 1 else 0 end) as disposition
    from ${side}_state.checkpoints join ${side}_payload.items using (seq) where disposition is not null group by item_key`
  const { rows } =
    await sql<Change>`select a.disposition as a, b.disposition as b, count(*) as items from (${sql.raw(worst("a"))}) a join (${sql.raw(worst("b"))}) b using (item_key)
    where a.disposition <> b.disposition group by all order by items desc, a, b`.execute(db)
  return rows
}

const compareStep = async (db: Db, step: string, plans: Pair<Plan>): Promise<StepComparison> => {
  const [ofA, ofB] = [answerColumns(plans.a, step), answerColumns(plans.b, step)]
  const isSame = (left: FlatColumn) => (right: FlatColumn) => left.name === right.name && left.type === right.type
  const common = ofA.filter((column) => ofB.some(isSame(column)))
  const only = (columns: ReadonlyArray<FlatColumn>): ReadonlyArray<string> =>
    columns.filter((column) => !common.some(isSame(column))).map(({ name }) => name)
  await makeAnswers(db, "a", step, common)
  await makeAnswers(db, "b", step, common)
  await makePairs(db, common.length)
  const columns: Array<ColumnComparison> = []
  for (const [index, column] of common.entries()) columns.push(await compareColumn(db, index, column))
  const all = await sql<{ same: number; a: number | null; b: number | null }>`
    select count(*) filter (not differs) as same, avg(confidence_a) as a, avg(confidence_b) as b from memory.main.pairs`.execute(db)
  const { same = 0, a = null, b = null } = all.rows[0] ?? {}
  const [callsA, callsB] = [await readCalls(db, "a", plans.a, step), await readCalls(db, "b", plans.b, step)]
  return {
    step,
    answers: await overlap(db, sql`memory.main.answers_a`, sql`memory.main.answers_b`),
    same,
    columns,
    columnsOnly: { a: only(ofA), b: only(ofB) },
    confidence: { a, b },
    calls: { a: callsA.calls, b: callsB.calls },
    costUsd: { a: callsA.costUsd, b: callsB.costUsd },
    examples: await readExamples(db, common)
  }
}

/** One row an item that the step let through: its last answer, with each common column as `c0`, `c1`, … */
const makeAnswers = async (db: Db, side: Side, step: string, columns: ReadonlyArray<FlatColumn>): Promise<void> => {
  const list = columnList(
    columns.map((column, index) => ({ ...column, name: `c${index}` })),
    "answer.output"
  )
  await sql
    .raw(
      `create or replace table memory.main.answers_${side} as
      select item.item_key, asked.confidence${list}
      from ${side}_state.checkpoints done
      join ${side}_payload.answers answer on answer.seq = done.seq and answer.step = done.answer_step
      join ${side}_payload.items item on item.seq = done.seq
      left join ${side}_state.attempts asked on asked.seq = answer.seq and asked.variant = answer.variant and asked.attempt = answer.attempt
      where done.step = ${quoted(step)} and done.status in ('answered', 'passed')
      qualify row_number() over (partition by done.seq order by answer.attempt desc, answer.commit_no desc) = 1`
    )
    .execute(db)
}

const makePairs = async (db: Db, columns: number): Promise<void> => {
  const each = (of: (index: number) => string, between: string): string =>
    Array.from({ length: columns }, (_, index) => of(index)).join(between)
  const differs = columns === 0 ? "false" : each((index) => `a.c${index} is distinct from b.c${index}`, " or ")
  await sql
    .raw(
      `create or replace table memory.main.pairs as
      select a.item_key, a.confidence as confidence_a, b.confidence as confidence_b, ${differs} as differs${each((index) => `, a.c${index} as c${index}_a, b.c${index} as c${index}_b`, "")}
      from memory.main.answers_a a join memory.main.answers_b b using (item_key)`
    )
    .execute(db)
}

const compareColumn = async (db: Db, index: number, { name, type }: FlatColumn): Promise<ColumnComparison> => {
  const [a, b] = [sql.raw(`c${index}_a`), sql.raw(`c${index}_b`)]
  const difference = type === "number" ? sql`avg(${b} - ${a})` : sql`null::double`
  const counted = await sql<{ same: number; difference: number | null }>`
    select count(*) filter (${a} is not distinct from ${b}) as same, ${difference} as difference from memory.main.pairs`.execute(db)
  const { same = 0, difference: meanDifference = null } = counted.rows[0] ?? {}
  const isOfClasses = (type === "string" || type === "boolean") && (await countClasses(db, index)) <= classesMax
  const changes = isOfClasses
    ? await sql<Change>`select ${a}::varchar as a, ${b}::varchar as b, count(*) as items from memory.main.pairs where ${a} is distinct from ${b}
        group by all order by items desc, a, b limit ${changesMax}`.execute(db)
    : { rows: [] }
  return { name, same, changes: changes.rows, meanDifference }
}

const countClasses = async (db: Db, index: number): Promise<number> => {
  const { rows } = await sql<{ classes: number }>`select count(*) as classes from
    (select distinct ${sql.raw(`c${index}_a`)} from memory.main.pairs union select distinct ${sql.raw(`c${index}_b`)} from memory.main.pairs)`.execute(
    db
  )
  return rows[0]?.classes ?? 0
}

/** Calls of the step's models; of a step without models, those of nobody. */
const readCalls = async (db: Db, side: Side, plan: Plan, step: string) => {
  const planned = plan.steps.find(({ name }) => name === step)
  const names = planned?.kind === "infer" ? planned.models.map((model) => quoted(model.step)) : []
  if (names.length === 0) return { calls: 0, costUsd: 0 }
  const { rows } = await sql<{ calls: number; cost: number | null; unpriced: number }>`
    select count(*) as calls, sum(cost_usd) as cost, count(*) filter (cost_usd is null) as unpriced
    from ${sql.raw(side)}_state.attempts join ${sql.raw(side)}_state.variants using (variant) where step in (${sql.raw(names.join(", "))})`.execute(
    db
  )
  const { calls = 0, cost = null, unpriced = 0 } = rows[0] ?? {}
  return { calls, costUsd: unpriced > 0 ? null : (cost ?? 0) }
}

const readExamples = async (db: Db, columns: ReadonlyArray<FlatColumn>): Promise<StepComparison["examples"]> => {
  const { rows } = await sql<
    Readonly<Record<string, unknown>>
  >`select * from memory.main.pairs where differs order by item_key limit ${examplesMax}`.execute(db)
  const textOf = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))
  return rows.map((row) => ({
    key: String(row["item_key"]),
    differs: columns.flatMap(({ name }, index) => {
      const [a, b] = [textOf(row[`c${index}_a`]), textOf(row[`c${index}_b`])]
      return a === b ? [] : [{ column: name, a, b }]
    })
  }))
}
