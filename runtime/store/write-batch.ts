/** Writes a group commit: one transaction in each file, the payload's first. */
import type * as DuckDb from "@duckdb/node-api"
import * as Effect from "effect/Effect"

import type { RowBuffer } from "./append.ts"
import type { CommitBatch } from "./commit-batch.ts"
import { storeError, type StoreError } from "./store-error.ts"

/** Makes a batch durable: the payload's half, then the state's. Nothing else may use `writer` meanwhile. */
export const writeBatch = (writer: DuckDb.DuckDBConnection, batch: CommitBatch): Effect.Effect<void, StoreError> =>
  Effect.uninterruptible(
    Effect.tryPromise({ try: () => writeHalves(writer, batch), catch: (cause) => storeError("committing results", cause) })
  )

const writeHalves = async (writer: DuckDb.DuckDBConnection, batch: CommitBatch): Promise<void> => {
  const { number, settlements, payloadRows, stateRows } = batch
  const isRepeated = batch.tries++ > 0
  if (!batch.isPayloadDone) {
    const inPayload = `select 1 from payload.answers where commit_no = ${number} union all select 1 from payload.problems where commit_no = ${number} limit 1`
    if (payloadRows.some(({ rows }) => rows > 0) && !(isRepeated && (await finds(writer, inPayload))))
      await inTransaction(writer, payloadRows)
    batch.isPayloadDone = true
  }
  if (isRepeated && (await finds(writer, `select 1 from state.commits where commit_no = ${number}`))) return
  await inTransaction(writer, stateRows, `insert into state.commits values (${number}, now(), ${settlements})`)
}

/** A commit may be durable although it failed: when DuckDB can't write the checkpoint that it does after it. */
const finds = async (writer: DuckDb.DuckDBConnection, query: string): Promise<boolean> =>
  (await writer.runAndReadAll(query)).currentRowCount > 0

const inTransaction = async (
  writer: DuckDb.DuckDBConnection,
  tables: ReadonlyArray<RowBuffer>,
  ...statements: ReadonlyArray<string>
): Promise<void> => {
  await writer.run("begin")
  try {
    for (const rows of tables) await rows.appendTo(writer)
    for (const statement of statements) await writer.run(statement)
    await writer.run("commit")
  } catch (error) {
    await writer.run("rollback").catch(() => undefined)
    throw error
  }
}
