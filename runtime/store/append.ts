/** Rows on their way into a table, kept by column: what DuckDB's appender takes in one call per 2,048 rows. */
import * as DuckDb from "@duckdb/node-api"

const vectorRows = 2_048

/** A table's columns in the order of its definition. */
export interface AppendTarget {
  readonly catalog: string
  readonly table: string
  readonly types: ReadonlyArray<DuckDb.DuckDBType>
}

export const target = (catalog: string, table: string, ...types: ReadonlyArray<DuckDb.DuckDBType>): AppendTarget => ({
  catalog,
  table,
  types
})

/** Collects rows of one table. */
export class RowBuffer {
  readonly target: AppendTarget
  readonly #columns: ReadonlyArray<Array<DuckDb.DuckDBValue>>
  rows = 0

  constructor(of: AppendTarget) {
    this.target = of
    this.#columns = of.types.map(() => [])
  }

  /** One row; integers of BIGINT columns as bigint, instants by `instant`. */
  push(...values: ReadonlyArray<DuckDb.DuckDBValue>): void {
    for (let index = 0; index < this.#columns.length; index++) this.#columns[index]?.push(values[index] ?? null)
    this.rows++
  }

  /** Appends the rows within the connection's transaction. The buffer keeps them, so that a failed transaction can be repeated. */
  async appendTo(connection: DuckDb.DuckDBConnection): Promise<void> {
    if (this.rows === 0) return
    const appender = await connection.createAppender(this.target.table, "main", this.target.catalog)
    try {
      for (let from = 0; from < this.rows; from += vectorRows) {
        const rows = Math.min(vectorRows, this.rows - from)
        const chunk = DuckDb.DuckDBDataChunk.create(this.target.types, rows)
        chunk.setColumns(rows === this.rows ? this.#columns : this.#columns.map((column) => column.slice(from, from + rows)))
        appender.appendDataChunk(chunk)
      }
      appender.flushSync()
    } finally {
      appender.closeSync()
    }
  }
}

/** A TIMESTAMPTZ value. */
export const instant = (at: Date): DuckDb.DuckDBTimestampTZValue => new DuckDb.DuckDBTimestampTZValue(BigInt(at.getTime()) * 1000n)
