/** What a run's files say: pending items, rows for aggregates, completeness. Read-only. */
import { sql, type Expression, type Kysely } from "kysely"

import type { FlatColumn, Plan } from "../../dsl/index.ts"
import { readBatched } from "./batch-ledger.ts"
import type { PriorBatch } from "./batch-record.ts"
import { identifier, quoted } from "./duck.ts"
import { readGiven } from "./read-given.ts"
import { noDispositions } from "./disposition.ts"
import {
  cutOffOutcomes,
  type Completeness,
  type GivenAnswers,
  type PendingItem,
  type PriorAnswer,
  type PriorCheckpoint,
  type PriorRetry,
  type PriorTries,
  type Variant
} from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { terminalSteps } from "./plan-columns.ts"
import type { Disposition } from "./state-tables.ts"

type Db = Kysely<LedgerTables>

export interface PendingQuery {
  readonly plan: Plan
  readonly from: number
  readonly to: number
  /** Saves the look at checkpoints that can't be there. */
  readonly isFresh: boolean
  readonly hasBatches: boolean
  readonly hasGiven: boolean
}

/** Items of a range that lack a disposition at some terminal step. */
export const readPending = async (
  db: Db,
  { plan, from, to, isFresh, hasBatches, hasGiven }: PendingQuery
): Promise<ReadonlyArray<PendingItem>> => {
  const items = await asOneText(
    db,
    db
      .selectFrom("payload.items as item")
      .innerJoin("state.manifest as listed", "listed.seq", "item.seq")
      .where("item.seq", ">=", from)
      .where("item.seq", "<=", to)
      .where("listed.seq", ">=", from)
      .where("listed.seq", "<=", to)
      .select(["item.seq", "listed.item_id as itemId", "item.item_key as key", "item.body", "item.reference"])
  )
  const batched = hasBatches ? await readBatched(db, from, to) : noneBatched
  const given = hasGiven ? await readGiven(db, from, to) : noneGiven
  const broughtBy = ({ seq, key }: { readonly seq: number; readonly key: string }) => {
    const own = given.get(key)
    return { batched: batched.get(seq) ?? noBatches, ...(own === undefined ? {} : { given: own }) }
  }
  if (isFresh)
    return items.map((item) => ({
      ...item,
      checkpoints: noCheckpoints,
      refused: noAnswers,
      tried: noTries,
      queued: noRetries,
      ...broughtBy(item)
    }))
  const prior = await readCheckpoints(db, from, to)
  const refused = await readRefused(db, from, to)
  const tried = await readTried(db, from, to)
  const queued = await readQueued(db, from, to, tried)
  const terminals = terminalSteps(plan).length
  return items.flatMap((item) => {
    const found = prior.get(item.seq)
    const left = {
      checkpoints: found?.checkpoints ?? noCheckpoints,
      refused: refused.get(item.seq) ?? noAnswers,
      tried: tried.get(item.seq) ?? noTries,
      queued: queued.get(item.seq) ?? noRetries,
      ...broughtBy(item)
    }
    return found !== undefined && found.terminals >= terminals ? [] : [{ ...item, ...left }]
  })
}

/**
 * The rows of a query that gives a `seq` and plain values, in the order of seqs and attempts. Each string of a result costs a call into DuckDB, so the many
 * short ones of a slice come as one JSON text: a third of the time.
 */
export const asOneText = async <R extends { readonly seq: number; readonly attempt?: number }>(
  db: Db,
  query: Expression<R>
): Promise<ReadonlyArray<R>> => {
  const { rows } = await sql<{ rows: string }>`select coalesce(to_json(list(each)), '[]')::varchar as rows from (${query}) each`.execute(db)
  // DuckDB wrote it from the columns that the builder proved.
  const parsed = JSON.parse(rows[0]?.rows ?? "[]") as Array<R>
  return parsed.toSorted((a, b) => a.seq - b.seq || (a.attempt ?? 0) - (b.attempt ?? 0))
}

const noCheckpoints: ReadonlyMap<string, PriorCheckpoint> = new Map()
const noAnswers: ReadonlyMap<string, PriorAnswer> = new Map()
const noTries: ReadonlyMap<string, PriorTries> = new Map()
const noRetries: ReadonlyMap<string, PriorRetry> = new Map()
const noBatches: ReadonlyMap<string, PriorBatch> = new Map()
const noneGiven: ReadonlyMap<string, GivenAnswers> = new Map()
const noneBatched: ReadonlyMap<number, ReadonlyMap<string, PriorBatch>> = new Map()

/** Answers that no checkpoint stands on. */
const readRefused = async (db: Db, from: number, to: number): Promise<ReadonlyMap<number, ReadonlyMap<string, PriorAnswer>>> => {
  const rows = await db
    .selectFrom("payload.answers as answer")
    .leftJoin("state.checkpoints as done", (join) =>
      join
        .onRef("done.seq", "=", "answer.seq")
        .onRef("done.answer_step", "=", "answer.step")
        .on("done.seq", ">=", from)
        .on("done.seq", "<=", to)
    )
    .leftJoin("state.variants as variant", "variant.variant", "answer.variant")
    .where("answer.seq", ">=", from)
    .where("answer.seq", "<=", to)
    .where("done.seq", "is", null)
    .select([
      "answer.seq",
      "answer.step",
      "answer.attempt",
      "answer.output",
      "variant.step as asked",
      "variant.model",
      "variant.model_version as modelVersion"
    ])
    .select(["variant.prompt_version as promptVersion", "variant.code_version as codeVersion"])
    .orderBy("answer.attempt")
    .execute()
  const bySeq = new Map<number, Map<string, PriorAnswer>>()
  for (const { seq, step, attempt, output, ...of } of rows) {
    const found = bySeq.get(seq) ?? new Map<string, PriorAnswer>()
    bySeq.set(seq, found.set(step, { attempt, output, variant: variantOf(of) }))
  }
  return bySeq
}

/** The last durable attempt of each step that has any. */
const readTried = async (db: Db, from: number, to: number): Promise<ReadonlyMap<number, ReadonlyMap<string, PriorTries>>> => {
  const rows = await db
    .selectFrom("state.attempts as call")
    .innerJoin("state.variants as variant", "variant.variant", "call.variant")
    .where("call.seq", ">=", from)
    .where("call.seq", "<=", to)
    .groupBy(["call.seq", "variant.step"])
    .select(({ fn }) => [
      "call.seq",
      "variant.step",
      fn.max("call.attempt").as("last"),
      fn.countAll<number>().filterWhere("call.outcome", "in", cutOffOutcomes).as("cutOff")
    ])
    .execute()
  const bySeq = new Map<number, Map<string, PriorTries>>()
  for (const { seq, step, ...tries } of rows) {
    const found = bySeq.get(seq) ?? new Map<string, PriorTries>()
    bySeq.set(seq, found.set(step, tries))
  }
  return bySeq
}

/** Steps whose last durable attempt is to be made again, with what was wrong with its answer. */
const readQueued = async (
  db: Db,
  from: number,
  to: number,
  tried: ReadonlyMap<number, ReadonlyMap<string, PriorTries>>
): Promise<ReadonlyMap<number, ReadonlyMap<string, PriorRetry>>> => {
  const rows = await db
    .selectFrom("state.retries as retry")
    .leftJoin("payload.problems as problem", (join) =>
      join
        .onRef("problem.seq", "=", "retry.seq")
        .onRef("problem.step", "=", "retry.step")
        .onRef("problem.attempt", "=", "retry.attempt")
        .on("problem.seq", ">=", from)
        .on("problem.seq", "<=", to)
    )
    .where("retry.seq", ">=", from)
    .where("retry.seq", "<=", to)
    .select(["retry.seq", "retry.step", "retry.attempt", "retry.code", "retry.due_at", "problem.message", "problem.raw"])
    .orderBy("retry.attempt")
    .execute()
  const bySeq = new Map<number, Map<string, PriorRetry>>()
  for (const { seq, step, attempt, code, due_at, message, raw } of rows) {
    // It was asked again since.
    if ((tried.get(seq)?.get(step)?.last ?? 0) > attempt) continue
    const found = bySeq.get(seq) ?? new Map<string, PriorRetry>()
    const problem = message === null || raw === null ? null : { message, raw }
    bySeq.set(seq, found.set(step, { attempt, code, dueAt: due_at.getTime(), problem }))
  }
  return bySeq
}

const readCheckpoints = async (db: Db, from: number, to: number) => {
  const rows = await db
    .selectFrom("state.checkpoints as done")
    .leftJoin("payload.answers as answer", (join) =>
      join
        .onRef("answer.seq", "=", "done.seq")
        .onRef("answer.step", "=", "done.answer_step")
        .on("answer.seq", ">=", from)
        .on("answer.seq", "<=", to)
    )
    .leftJoin("state.variants as variant", "variant.variant", "answer.variant")
    .where("done.seq", ">=", from)
    .where("done.seq", "<=", to)
    .select([
      "done.seq",
      "done.step",
      "done.status",
      "done.disposition",
      "done.code",
      "done.rule",
      "done.attempts",
      "done.answer_step as answerStep"
    ])
    .select(["answer.output", "variant.step as asked", "variant.model", "variant.model_version as modelVersion"])
    .select(["variant.prompt_version as promptVersion", "variant.code_version as codeVersion"])
    .orderBy("done.seq")
    .orderBy("answer.attempt")
    .execute()
  const bySeq = new Map<number, { checkpoints: Map<string, PriorCheckpoint>; terminals: number }>()
  for (const { seq, step, disposition, status, code, rule, attempts, answerStep, output, ...of } of rows) {
    const found = bySeq.get(seq) ?? { checkpoints: new Map<string, PriorCheckpoint>(), terminals: 0 }
    bySeq.set(seq, found)
    if (disposition !== null && !found.checkpoints.has(step)) found.terminals++
    found.checkpoints.set(step, { status, code, rule, attempts, answerStep, output, variant: variantOf(of) })
  }
  return bySeq
}

/** A left join gives all of a variant's columns or none. */
const variantOf = (row: {
  readonly [K in "asked" | "model" | "modelVersion" | "promptVersion" | "codeVersion"]: string | null
}): Variant | null => {
  const { asked: step, model, modelVersion, promptVersion, codeVersion } = row
  if (step === null || model === null || modelVersion === null || promptVersion === null || codeVersion === null) return null
  return { step, model, modelVersion, promptVersion, codeVersion, shape: "" }
}

/** `, json → typed column` for each flat column. */
export const columnList = (columns: ReadonlyArray<FlatColumn>, json: string): string =>
  columns.map((column) => `, ${columnExpression(column, json)} as ${identifier(column.name)}`).join("")

const columnExpression = ({ path, type }: FlatColumn, json: string): string => {
  const at = quoted(`$${path.map((part) => `."${part.replaceAll('"', '\\"')}"`).join("")}`)
  const types = { string: "varchar", number: "double", boolean: "boolean", json: "json" } as const
  return type === "json"
    ? `nullif(json_extract(${json}, ${at})::varchar, 'null')::json`
    : `try_cast(json_extract_string(${json}, ${at}) as ${types[type]})`
}

/** Items a completeness query looks at in one go: bounds the memory of its grouping. */
const auditItems = 1_000_000

/** Items that have a disposition at each of `terminals` steps, by their worst. */
export const countDispositions = async (db: Db, terminals: number): Promise<Record<Disposition, number>> => {
  const dispositions: Record<Disposition, number> = { ...noDispositions }
  const { last } = await db
    .selectFrom("state.manifest")
    .select(({ fn }) => fn.max("seq").as("last"))
    .executeTakeFirstOrThrow()
  for (let from = 0; from <= (last ?? -1); from += auditItems) {
    const counted = await sql<{
      worst: number
      items: number
    }>`select worst, count(*) as items from ${endedIn(from)} where steps >= ${terminals} group by worst`.execute(db)
    for (const { worst, items } of counted.rows) dispositions[byBadness[worst] ?? "dead"] += items
  }
  return dispositions
}

/** Items of one slice that ended at a terminal step. */
const endedIn = (from: number) => sql`(select seq, count(*) as rows, count(distinct step) as steps,
    max(case disposition when 'dead' then 4 when 'review' then 3 when 'held' then 2 when 'skipped' then 1 else 0 end) as worst
  from state.checkpoints where disposition is not null and seq between ${from} and ${from + auditItems - 1} group by seq)`

/** Holds the equations of VAL-1 against the tables. */
export const readCompleteness = async (db: Db, plan: Plan): Promise<Completeness> => {
  const one = <A>(rows: ReadonlyArray<A>): A => rows[0] as A
  const terminals = terminalSteps(plan)
  const { manifest, last } = await db
    .selectFrom("state.manifest")
    .select(({ fn }) => [fn.countAll<number>().as("manifest"), fn.max("seq").as("last")])
    .executeTakeFirstOrThrow()
  const { rejected } = await db
    .selectFrom("state.rejections")
    .select(({ fn }) => fn.countAll<number>().as("rejected"))
    .executeTakeFirstOrThrow()
  const dispositions: Record<Disposition, number> = { ...noDispositions }
  const gaps: Array<string> = []
  for (let from = 0; from <= (last ?? -1); from += auditItems) {
    const ended = endedIn(from)
    const counted = await sql<{ worst: number; items: number }>`select worst, count(*) as items from ${ended} group by worst`.execute(db)
    for (const { worst, items } of counted.rows) dispositions[byBadness[worst] ?? "dead"] += items
    if (gaps.length >= gapsMax) continue
    const found = await sql<{ item_id: string }>`select item_id from state.manifest left join ${ended} ended using (seq)
      where seq between ${from} and ${from + auditItems - 1} and (ended.seq is null or rows <> ${terminals.length} or steps <> ${terminals.length}) order by seq limit ${gapsMax}`.execute(
      db
    )
    gaps.push(...found.rows.map(({ item_id }) => item_id))
  }
  const { flagged } = one((await sql<{ flagged: number }>`select count(distinct seq) as flagged from state.flags`.execute(db)).rows)
  const settled = Object.values(dispositions).reduce((sum, items) => sum + items, 0)
  const holds = gaps.length === 0 && settled === manifest
  return { rowsRead: manifest + rejected, rejected, manifest, dispositions, flagged, gaps: gaps.slice(0, gapsMax), holds }
}

const gapsMax = 100
const byBadness: ReadonlyArray<Disposition> = ["delivered", "skipped", "held", "review", "dead"]
