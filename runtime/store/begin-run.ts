/** How a session begins on a run's files: the run's row, what a kill left half-done, what is done already. */
import { sql, type Kysely } from "kysely"

import type { Plan } from "../../dsl/index.ts"
import { noCosts, type Costs } from "./costs.ts"
import type { PartitionRecord, RunStart, SessionStart, Variant } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { terminalSteps } from "./plan-columns.ts"
import { countDispositions } from "./read-ledger.ts"

type Db = Kysely<LedgerTables>

/** The run's row; its first session inserts it. */
export const findOrInsertRun = async (db: Db, start: RunStart) => {
  const rows = db.selectFrom("state.run").selectAll()
  const found = await rows.executeTakeFirst()
  if (found !== undefined) return found
  await insertRun(db, start)
  return rows.executeTakeFirstOrThrow()
}

const insertRun = async (db: Db, start: RunStart): Promise<void> => {
  // The run's row comes last: without it the run has not begun, and whatever a kill left before it is written again.
  await db.deleteFrom("payload.params").execute()
  await db.insertInto("payload.params").values({ params: start.params }).execute()
  await db
    .insertInto("state.run")
    .values({
      run: start.run,
      job: start.job,
      owner: start.owner,
      purpose: start.purpose,
      classification: start.classification,
      consumers: JSON.stringify(start.consumers),
      logical_time: start.logicalTime,
      interval_start: start.interval.start,
      interval_end: start.interval.end,
      item_limit: start.itemLimit,
      status: "preparing",
      failure: null,
      plan_digest: start.planDigest,
      plan: start.plan,
      budget_usd: start.budgetUsd,
      estimate_usd: start.estimateUsd,
      spent_usd: 0,
      job_module: start.jobModule,
      created_at: sql<Date>`now()`,
      sealed_at: null,
      ended_at: null,
      released_at: null,
      closing: null,
      origin: start.origin ?? null,
      revision: null
    })
    .execute()
}

/** A manifest that was never sealed cost nothing: it is built anew. */
export const clearManifest = async (db: Db): Promise<void> => {
  for (const table of [
    "state.manifest",
    "state.rejections",
    "state.partitions",
    "payload.items",
    "payload.rejected_rows",
    "payload.given",
    "payload.waived",
    "payload.labels"
  ] as const) {
    await db.deleteFrom(table).execute()
  }
}

/** The payload is committed first, so a kill between the two leaves rows that no checkpoint claims. Returns the last whole commit. */
export const undoHalfCommit = async (db: Db): Promise<number> => {
  const { last } = await db
    .selectFrom("state.commits")
    .select(({ fn }) => fn.max("commit_no").as("last"))
    .executeTakeFirstOrThrow()
  const whole = last ?? 0
  await db.deleteFrom("payload.answers").where("commit_no", ">", whole).execute()
  await db.deleteFrom("payload.problems").where("commit_no", ">", whole).execute()
  return whole
}

export const insertSession = async (db: Db, { codeVersion, planDigest, pid }: SessionStart): Promise<number> => {
  const { last } = await db
    .selectFrom("state.sessions")
    .select(({ fn }) => fn.max("session").as("last"))
    .executeTakeFirstOrThrow()
  const session = (last ?? 0) + 1
  await db
    .insertInto("state.sessions")
    .values({ session, code_version: codeVersion, plan_digest: planDigest, pid, started_at: sql<Date>`now()`, ended_at: null })
    .execute()
  return session
}

export const readVariants = async (db: Db): Promise<ReadonlyArray<Omit<Variant, "shape"> & { readonly variant: number }>> =>
  db
    .selectFrom("state.variants")
    .select(["variant", "step", "model", "model_version as modelVersion", "prompt_version as promptVersion", "code_version as codeVersion"])
    .execute()

/** Answers of the last commit that its checkpoints stand on and the payload lacks: then the payload isn't the file it was. */
export const countLostAnswers = async (db: Db, commit: number): Promise<number> => {
  const { rows } = await sql<{ lost: number }>`select count(*) as lost from state.checkpoints done
    anti join payload.answers answer on answer.seq = done.seq and answer.step = done.answer_step
    where commit_no = ${commit} and answer_step is not null`.execute(db)
  return rows[0]?.lost ?? 0
}

/** What earlier sessions made durable. */
export const readBefore = async (db: Db, plan: Plan) => {
  const { manifest } = await db
    .selectFrom("state.manifest")
    .select(({ fn }) => fn.countAll<number>().as("manifest"))
    .executeTakeFirstOrThrow()
  return { manifest, dispositions: await countDispositions(db, terminalSteps(plan).length), costs: await readCosts(db) }
}

/** What durable attempts came to. */
export const readCosts = async (db: Db): Promise<Costs> => {
  const { rows } = await sql<Costs>`select coalesce(sum(cost_usd), 0) as "spentUsd", count(*) filter (tier <> 'reused') as calls,
    count(*) filter (tier = 'reused') as reused, coalesce(sum(cache_read_tokens), 0)::bigint as "cacheReadTokens",
    coalesce(sum(saved_usd), 0) as "savedUsd" from state.attempts`.execute(db)
  return rows[0] ?? noCosts
}

export const readPartitions = async (db: Db): Promise<ReadonlyArray<PartitionRecord>> => {
  const rows = await db
    .selectFrom("state.partitions as place")
    .leftJoin("payload.labels as named", "named.partition_no", "place.partition_no")
    .select([
      "place.partition_no as partition",
      "named.label",
      "place.first_seq as firstSeq",
      "place.last_seq as lastSeq",
      "place.items",
      "place.weight",
      "place.bytes",
      "place.status"
    ])
    .orderBy("place.partition_no")
    .execute()
  return rows.map(({ status, ...row }) => ({ ...row, isDone: status === "done" }))
}
