/** Kysely over DuckDB: PostgreSQL's grammar, DuckDB's connection. Our own, because kysely-duckdb 0.4 doesn't import on kysely 0.29. */
import * as DuckDb from "@duckdb/node-api"
import {
  CompiledQuery,
  PostgresAdapter,
  PostgresQueryCompiler,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  type TableMetadata,
  type TransactionSettings
} from "kysely"

import { RunningQueries } from "./stop-queries.ts"

/** A DuckDB value as plain JavaScript: bigint only beyond 2^53, timestamps as `Date`, decimals and dates as text. */
export const toPlain = (value: unknown): unknown => {
  if (value === null || value === undefined) return null
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (typeof value !== "object") return value
  if (value instanceof DuckDb.DuckDBTimestampValue || value instanceof DuckDb.DuckDBTimestampTZValue)
    return new Date(Number(value.micros / 1000n))
  if (value instanceof DuckDb.DuckDBBlobValue) return value.bytes
  if (value instanceof DuckDb.DuckDBListValue || value instanceof DuckDb.DuckDBArrayValue) return value.items.map(toPlain)
  if (value instanceof DuckDb.DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, entry]) => [name, toPlain(entry)]))
  if (value instanceof DuckDb.DuckDBMapValue)
    return Object.fromEntries(value.entries.map(({ key, value: entry }) => [String(toPlain(key)), toPlain(entry)]))
  return String(value)
}

interface Bound {
  readonly values: Array<DuckDb.DuckDBValue>
  readonly types: Array<DuckDb.DuckDBType | undefined>
}

/** A bigint binds as HUGEINT by itself, which a BIGINT column's zone maps can't use; a Date must say its zone. */
const bind = (parameters: ReadonlyArray<unknown>): Bound => {
  const bound: Bound = { values: [], types: [] }
  for (const parameter of parameters) {
    const [value, type] = bindOne(parameter)
    bound.values.push(value)
    bound.types.push(type)
  }
  return bound
}

const bindOne = (parameter: unknown): readonly [DuckDb.DuckDBValue, DuckDb.DuckDBType | undefined] => {
  if (parameter === undefined || parameter === null) return [null, undefined]
  if (typeof parameter === "bigint") return [parameter, DuckDb.BIGINT]
  if (typeof parameter === "number")
    return Number.isSafeInteger(parameter) ? [BigInt(parameter), DuckDb.BIGINT] : [parameter, DuckDb.DOUBLE]
  if (parameter instanceof Date) return [DuckDb.timestampTZValue(BigInt(parameter.getTime()) * 1000n), DuckDb.TIMESTAMPTZ]
  if (typeof parameter === "string" || typeof parameter === "boolean") return [parameter, undefined]
  return [JSON.stringify(parameter), undefined]
}

const writes: ReadonlySet<DuckDb.StatementType> = new Set([
  DuckDb.StatementType.INSERT,
  DuckDb.StatementType.UPDATE,
  DuckDb.StatementType.DELETE,
  DuckDb.StatementType.COPY
])

class Connection implements DatabaseConnection {
  readonly duck: DuckDb.DuckDBConnection
  readonly #running: RunningQueries
  constructor(duck: DuckDb.DuckDBConnection, running: RunningQueries) {
    this.duck = duck
    this.#running = running
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { values, types } = bind(parameters)
    // `types` may hold undefined, which means "infer": the declaration leaves that out for arrays.
    const result = await this.#running.run(this.duck, () => this.duck.runAndReadAll(sql, values, types as Array<DuckDb.DuckDBType>))
    const counts = writes.has(result.statementType) && !/\breturning\b/i.test(sql)
    if (counts) return { rows: [], numAffectedRows: BigInt(result.rowsChanged) }
    return { rows: rowsOf(result.deduplicatedColumnNames(), result.getRows()) }
  }

  async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    const { values, types } = bind(parameters)
    const result = await this.#running.run(this.duck, () => this.duck.stream(sql, values, types as Array<DuckDb.DuckDBType>))
    const names = result.deduplicatedColumnNames()
    for (;;) {
      const rows = await this.#running.run(this.duck, () => result.fetchChunk())
      if (rows === null || rows.rowCount === 0) return
      yield { rows: rowsOf<R>(names, rows.getRows()) }
    }
  }
}

/** The one place where rows get the type that Kysely's builder proved for them. */
const rowsOf = <R>(names: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<DuckDb.DuckDBValue>>): Array<R> =>
  rows.map((row) => Object.fromEntries(names.map((name, index) => [name, toPlain(row[index])])) as R)

class DuckDriver implements Driver {
  readonly #instance: DuckDb.DuckDBInstance
  readonly #running: RunningQueries
  readonly #idle: Array<Connection> = []
  readonly #all = new Set<Connection>()
  constructor(instance: DuckDb.DuckDBInstance, running: RunningQueries) {
    this.#instance = instance
    this.#running = running
  }
  async init(): Promise<void> {}
  async acquireConnection(): Promise<Connection> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    const duck = await this.#running.run({ interrupt: () => undefined }, () => this.#instance.connect())
    const connection = new Connection(duck, this.#running)
    this.#all.add(connection)
    return connection
  }
  async releaseConnection(connection: Connection): Promise<void> {
    this.#idle.push(connection)
  }
  async beginTransaction({ duck }: Connection, settings: TransactionSettings): Promise<void> {
    if (settings.isolationLevel !== undefined && settings.isolationLevel !== "snapshot") throw new Error("DuckDB isolates by snapshot only")
    await duck.run("begin")
  }
  async commitTransaction({ duck }: Connection): Promise<void> {
    await duck.run("commit")
  }
  async rollbackTransaction({ duck }: Connection): Promise<void> {
    await duck.run("rollback")
  }
  async destroy(): Promise<void> {
    for (const { duck } of this.#all) duck.closeSync()
    this.#all.clear()
    this.#idle.length = 0
  }
}

class Adapter extends PostgresAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

class Introspector implements DatabaseIntrospector {
  readonly #db: Kysely<unknown>
  constructor(db: Kysely<unknown>) {
    this.#db = db
  }
  async getSchemas() {
    return [{ name: "main" }]
  }
  async getTables(): Promise<Array<TableMetadata>> {
    const { rows } = await this.#db.executeQuery<{ schema: string; name: string; kind: string }>(
      CompiledQuery.raw("select table_schema as schema, table_name as name, table_type as kind from information_schema.tables order by all")
    )
    return rows.map(({ schema, name, kind }) => ({ schema, name, isView: kind === "VIEW", isForeign: false, columns: [] }))
  }
}

/** A Kysely dialect over one open DuckDB instance, which stays the caller's to close. Close `running` before the Kysely instance. */
export const duckDialect = (instance: DuckDb.DuckDBInstance, running: RunningQueries = new RunningQueries()): Dialect => ({
  createAdapter: () => new Adapter(),
  createDriver: () => new DuckDriver(instance, running),
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createIntrospector: (db) => new Introspector(db)
})
