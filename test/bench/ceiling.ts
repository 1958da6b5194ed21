/** What the machine can do at best right now: the same rows through DuckDB's appender with nothing around it. */
import { createReadStream } from "node:fs"
import * as path from "node:path"
import { createInterface } from "node:readline"

import * as DuckDb from "@duckdb/node-api"

const groupRows = 500
const { BIGINT, DOUBLE, INTEGER, VARCHAR } = DuckDb

/** Lines read, parsed and appended to one table: the floor of any manifest. Items a second. */
export const manifestCeiling = async (input: string, folder: string, items: number): Promise<number> => {
  const connection = await open(path.join(folder, "ceiling-manifest.duckdb"), "items (seq bigint, item_key varchar, body varchar)")
  const began = performance.now()
  let seq = 0
  let rows: Array<[bigint, string, string]> = []
  await connection.run("begin")
  for await (const line of createInterface({ input: createReadStream(input) })) {
    const { id } = JSON.parse(line) as { id: string }
    rows.push([BigInt(seq++), id, line])
    if (rows.length < 2_000) continue
    await append(connection, "items", [BIGINT, VARCHAR, VARCHAR], rows)
    rows = []
    if (seq >= items) break
  }
  await append(connection, "items", [BIGINT, VARCHAR, VARCHAR], rows)
  await connection.run("commit")
  return seq / ((performance.now() - began) / 1_000)
}

/** Groups of 500 small rows into two files, one durable commit each: the floor of any checkpointed pass. Items a second. */
export const commitCeiling = async (folder: string, items: number): Promise<number> => {
  const payload = await open(path.join(folder, "ceiling-payload.duckdb"), "rows (seq bigint, step varchar, output varchar)")
  const state = await open(
    path.join(folder, "ceiling-state.duckdb"),
    "rows (seq bigint, item_id varchar, step varchar, worker integer, confidence double)"
  )
  const began = performance.now()
  for (let from = 0; from < items; from += groupRows) {
    const seqs = Array.from({ length: groupRows }, (_, index) => BigInt(from + index))
    await payload.run("begin")
    await append(
      payload,
      "rows",
      [BIGINT, VARCHAR, VARCHAR],
      seqs.map((seq) => [seq, "labels", '{"label":"short","score":0.5}'])
    )
    await payload.run("commit")
    await state.run("begin")
    await append(
      state,
      "rows",
      [BIGINT, VARCHAR, VARCHAR, INTEGER, DOUBLE],
      seqs.map((seq) => [seq, seq.toString(16).padStart(24, "0"), "labels", 1, 0.5])
    )
    await state.run("commit")
  }
  return items / ((performance.now() - began) / 1_000)
}

const open = async (file: string, table: string): Promise<DuckDb.DuckDBConnection> => {
  const connection = await (await DuckDb.DuckDBInstance.create(file, { memory_limit: "400MB", threads: "2" })).connect()
  await connection.run(`create table ${table}`)
  return connection
}

export const append = async (
  connection: DuckDb.DuckDBConnection,
  table: string,
  types: ReadonlyArray<DuckDb.DuckDBType>,
  rows: ReadonlyArray<ReadonlyArray<DuckDb.DuckDBValue>>
): Promise<void> => {
  if (rows.length === 0) return
  const appender = await connection.createAppender(table)
  const chunk = DuckDb.DuckDBDataChunk.create(types, rows.length)
  chunk.setRows(rows)
  appender.appendDataChunk(chunk)
  appender.closeSync()
}
