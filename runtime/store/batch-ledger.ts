/** Provider batches of a run on disk: who is in which, how far it is, and its results until they are settled. */
import * as DuckDb from "@duckdb/node-api"
import * as Effect from "effect/Effect"
import { sql, type Kysely } from "kysely"

import { RowBuffer, target } from "./append.ts"
import type { BatchLedger, BatchMember, BatchRecord, PriorBatch } from "./batch-record.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { OpenRun } from "./open-run.ts"
import { storeError, type StoreError } from "./store-error.ts"

type Db = Kysely<LedgerTables>

const { BIGINT, INTEGER, VARCHAR } = DuckDb
const members = target("state", "batch_requests", INTEGER, BIGINT, VARCHAR, INTEGER)

/** A batch's results on their way in: in memory, and beyond its bound in the run's folder of temporary files. */
const incomingOf = (batch: number): string => `replies_${batch}`

// oxlint-disable-next-line max-lines-per-function -- one small function a promise of the ledger, in its order
export const batchesOn = (run: OpenRun): BatchLedger => {
  const { duck, patience } = run
  const incoming = new Set<number>()
  const onWriter = (doing: string, work: (writer: DuckDb.DuckDBConnection) => Promise<unknown>): Effect.Effect<void, StoreError> =>
    patience.waitOut(
      run.exclusively(
        Effect.uninterruptible(
          Effect.asVoid(Effect.tryPromise({ try: () => work(duck.writer), catch: (cause) => storeError(doing, cause) }))
        )
      )
    )
  const write = (doing: string, work: (db: Db) => Promise<unknown>): Effect.Effect<void, StoreError> =>
    patience.waitOut(run.exclusively(Effect.asVoid(Effect.uninterruptible(duck.use(doing, work)))))
  return {
    all: duck.use("reading provider batches", readBatches),
    intend: (batch, requests) =>
      Effect.andThen(
        Effect.sync(() => void (run.hasBatches = true)),
        onWriter("noting a provider batch", (writer) => writeIntent(writer, batch, requests))
      ),
    update: Effect.fnUntraced(function* (batch, { status, providerBatch, files, outcome }) {
      const isIngested = status === "ingested" && incoming.has(batch)
      if (isIngested) yield* onWriter("ingesting a provider batch", (writer) => keepIncoming(writer, batch))
      yield* write("noting a provider batch", (db) =>
        db
          .updateTable("state.batches")
          .set({
            ...(status === undefined ? {} : { status, ...instantOf(status) }),
            ...(providerBatch === undefined ? {} : { provider_batch: providerBatch }),
            ...(files === undefined ? {} : { files: JSON.stringify(files) }),
            ...(outcome === undefined ? {} : { outcome })
          })
          .where("batch", "=", batch)
          .execute()
      )
      if (!isIngested) return
      incoming.delete(batch)
      yield* onWriter("ingesting a provider batch", (writer) => writer.run(`drop table if exists memory.main.${incomingOf(batch)}`))
    }),
    clearReplies: (batch) =>
      Effect.andThen(
        onWriter("ingesting a provider batch", (writer) =>
          writer.run(`create or replace table memory.main.${incomingOf(batch)} as from payload.replies limit 0`)
        ),
        Effect.sync(() => void incoming.add(batch))
      ),
    addReplies: (batch, lines) => onWriter("ingesting a provider batch", (writer) => appendReplies(writer, batch, lines)),
    spans: (batch) =>
      duck.use("reading provider batches", async (db) => {
        const { rows } = await sql<{ partition: number; firstSeq: number; lastSeq: number }>`
          select place.partition_no as partition, min(seq) as "firstSeq", max(seq) as "lastSeq"
          from state.batch_requests asked join state.partitions place on asked.seq between place.first_seq and place.last_seq
          where asked.batch = ${batch} group by place.partition_no order by place.partition_no`.execute(db)
        return rows
      }),
    oneMember: (batch) =>
      duck.use(
        "reading provider batches",
        async (db) =>
          (await db
            .selectFrom("state.batch_requests")
            .select(["seq", "step", "attempt"])
            .where("batch", "=", batch)
            .limit(1)
            .executeTakeFirst()) ?? null
      ),
    settle: (batch, removedAt) =>
      write("settling a provider batch", async (db) => {
        // The state first: replies without a batch that wants them are only bytes.
        await db.updateTable("state.batches").set({ status: "settled", removed_at: removedAt }).where("batch", "=", batch).execute()
        await db.deleteFrom("payload.replies").where("batch", "=", batch).execute()
      })
  }
}

/** When a batch got to a status, by our own clock. */
const instantOf = (status: BatchRecord["status"]) => {
  const now = sql<Date>`now()`
  if (status === "live") return { created_at: now }
  if (status === "ended") return { ended_at: now }
  return status === "ingested" ? { ingested_at: now } : {}
}

/** All of a run, oldest first. */
export const readBatches = async (db: Db): Promise<ReadonlyArray<BatchRecord>> => {
  const rows = await db.selectFrom("state.batches").selectAll().orderBy("batch").execute()
  return rows.map((row) => ({
    batch: row.batch,
    status: row.status,
    engine: row.engine,
    account: row.account,
    group: row.batch_group,
    model: row.model,
    requests: row.requests,
    bytes: row.bytes,
    reservedUsd: row.reserved_usd,
    providerBatch: row.provider_batch,
    files: JSON.parse(row.files) as ReadonlyArray<string>,
    outcome: row.outcome,
    intendedAt: row.intended_at
  }))
}

const inTransaction = async (writer: DuckDb.DuckDBConnection, work: () => Promise<void>): Promise<void> => {
  await writer.run("begin")
  try {
    await work()
    await writer.run("commit")
  } catch (error) {
    await writer.run("rollback").catch(() => undefined)
    throw error
  }
}

const writeIntent = (
  writer: DuckDb.DuckDBConnection,
  batch: Parameters<BatchLedger["intend"]>[0],
  requests: ReadonlyArray<BatchMember>
): Promise<void> =>
  inTransaction(writer, async () => {
    const rows = new RowBuffer(members)
    for (const { seq, step, attempt } of requests) rows.push(batch.batch, BigInt(seq), step, attempt)
    // A repeated commit may find its rows durable already.
    await writer.run(`delete from state.batch_requests where batch = ${batch.batch}`)
    await writer.run(`delete from state.batches where batch = ${batch.batch}`)
    await rows.appendTo(writer)
    await writer.run(
      `insert into state.batches values ($1, 'intended', $2, $3, $4, $5, $6, $7, $8, $9, $10, null, $11::timestamptz, null, null, null, null)`,
      [
        batch.batch,
        batch.engine,
        batch.account,
        batch.group,
        batch.model,
        batch.requests,
        batch.bytes,
        batch.reservedUsd,
        batch.providerBatch,
        JSON.stringify(batch.files),
        batch.intendedAt.toISOString()
      ]
    )
  })

const appendReplies = (
  writer: DuckDb.DuckDBConnection,
  batch: number,
  lines: ReadonlyArray<BatchMember & { readonly body: string }>
): Promise<void> =>
  inTransaction(writer, async () => {
    const rows = new RowBuffer(target("memory", incomingOf(batch), INTEGER, BIGINT, VARCHAR, INTEGER, VARCHAR))
    for (const { seq, step, attempt, body } of lines) rows.push(batch, BigInt(seq), step, attempt, body)
    await rows.appendTo(writer)
  })

/** Providers answer in any order: in the items' own a slice of them lies together, where else each slice would read the whole table. */
const keepIncoming = (writer: DuckDb.DuckDBConnection, batch: number): Promise<void> =>
  inTransaction(writer, async () => {
    await writer.run(`delete from payload.replies where batch = ${batch}`)
    await writer.run(`insert into payload.replies from memory.main.${incomingOf(batch)} order by seq, step, attempt`)
  })

/** Provider batches that the run ever intended. */
export const countBatches = async (db: Db): Promise<number> => {
  const { batches } = await db
    .selectFrom("state.batches")
    .select(({ fn }) => fn.countAll<number>().as("batches"))
    .executeTakeFirstOrThrow()
  return batches
}

/** What provider batches have, or had, of the items of a range: by seq and step, the last attempt. */
export const readBatched = async (db: Db, from: number, to: number): Promise<ReadonlyMap<number, ReadonlyMap<string, PriorBatch>>> => {
  const { rows } = await sql<{
    rows: string
  }>`select coalesce(to_json(list(each order by each.seq, each.attempt, each.batch)), '[]')::varchar as rows from (
    select asked.seq, asked.step, asked.attempt, asked.batch, asked.status in ('intended', 'live', 'ended') as "isLive", asked.outcome, asked.earlier, reply.body
    from (
      select *, count(*) over (partition by seq, step, attempt, requests order by batch) - 1 as earlier
      from state.batch_requests join state.batches using (batch) where seq between ${from} and ${to} and status <> 'dropped'
    ) asked
    left join payload.replies reply on reply.batch = asked.batch and reply.seq = asked.seq and reply.step = asked.step and reply.attempt = asked.attempt
      and reply.seq between ${from} and ${to}
    where asked.status in ('intended', 'live', 'ended', 'ingested')) each`.execute(db)
  const bySeq = new Map<number, Map<string, PriorBatch>>()
  // DuckDB wrote it from the columns above.
  for (const { seq, step, ...batched } of JSON.parse(rows[0]?.rows ?? "[]") as ReadonlyArray<
    PriorBatch & { readonly seq: number; readonly step: string }
  >) {
    const found = bySeq.get(seq) ?? new Map<string, PriorBatch>()
    bySeq.set(seq, found.set(step, batched))
  }
  return bySeq
}
