/** Opens DuckDB: the one place in the product that does, so that no other handle of ours drops a live file's lock. */
import { existsSync } from "node:fs"

import * as DuckDb from "@duckdb/node-api"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Kysely, type CompiledQuery } from "kysely"

import { duckDialect } from "./dialect.ts"
import { queriesOfCaller, RunningQueries, stopQueries, type Interruptible } from "./stop-queries.ts"
import { StoreError, storeError } from "./store-error.ts"
import { mendWal } from "./wal.ts"

/** A file to attach, and the name that queries know it by. */
export interface Attachment {
  readonly name: string
  readonly path: string
  readonly readOnly?: boolean
}

export interface DuckOptions {
  readonly attach: ReadonlyArray<Attachment>
  /** Where DuckDB may spill; removed by the owner of the folder. Default: nowhere. */
  readonly tempDirectory?: string
  /** In MB; default 200. */
  readonly memoryMb?: number
  /** Whether to wait two seconds for a file that another process holds: a command that only looks at a run lets go of it by then. */
  readonly outwaitsLookers?: boolean
}

/** An open DuckDB instance with its attached files. All of it closes with the scope. */
export interface Duck<Tables> {
  readonly instance: DuckDb.DuckDBInstance
  /** For writes in transactions: nothing else runs on it. */
  readonly writer: DuckDb.DuckDBConnection
  readonly db: Kysely<Tables>
  /**
   * Runs a promise of Kysely's or DuckDB's; `doing` ends the sentence "a query failed while …". Interruption stops Kysely's query and
   * waits for the promise: a connection that is closed under a query never comes back.
   */
  readonly use: <A>(doing: string, query: (db: Kysely<Tables>) => Promise<A>) => Effect.Effect<A, StoreError>
  /** Runs statements one after the other on the writer, outside a transaction unless they say so. */
  readonly run: (doing: string, ...statements: ReadonlyArray<string | CompiledQuery>) => Effect.Effect<void, StoreError>
  /** Opens an attached file again that DuckDB let go of. Fails with reason `held` while a query still reads the old one. */
  readonly reattach: (name: string) => Effect.Effect<void, StoreError>
}

/** Opens an in-memory instance and attaches files to it: one memory limit, and joins across files. */
export const openDuck = Effect.fn("Duck.open")(function* <Tables>(
  options: DuckOptions
): Effect.fn.Return<Duck<Tables>, StoreError, Scope.Scope> {
  const settings: Record<string, string> = {
    memory_limit: `${options.memoryMb ?? 200}MB`,
    threads: "2",
    preserve_insertion_order: "true",
    ...(options.tempDirectory === undefined ? {} : { temp_directory: options.tempDirectory })
  }
  const instance = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () => DuckDb.DuckDBInstance.create(":memory:", settings),
      catch: (cause) => storeError("opening DuckDB", cause)
    }),
    (open) => Effect.sync(() => open.closeSync())
  )
  const writer = yield* Effect.acquireRelease(
    Effect.tryPromise({ try: () => instance.connect(), catch: (cause) => storeError("connecting to DuckDB", cause) }),
    (open) => Effect.sync(() => open.closeSync())
  )
  yield* runOn(writer, "setting up DuckDB", ["set TimeZone = 'UTC'", "set checkpoint_threshold = '64MB'"])
  for (const attachment of options.attach) {
    const attached = attach(writer, attachment)
    yield* options.outwaitsLookers === true
      ? Effect.retry(attached, { while: isHeld, schedule: Schedule.spaced("200 millis"), times: 10 })
      : attached
  }
  const running = new RunningQueries()
  const db = yield* Effect.acquireRelease(
    Effect.sync(() => new Kysely<Tables>({ dialect: duckDialect(instance, running) })),
    (open) =>
      Effect.andThen(
        running.close,
        Effect.promise(() => open.destroy())
      )
  )
  return {
    instance,
    writer,
    db,
    use: (doing, query) => settled(doing, () => query(db)),
    run: (doing, ...statements) => runOn(writer, doing, statements),
    reattach: (name) =>
      Effect.andThen(
        // It may be gone already; and as it goes it may fail to write a checkpoint once more.
        Effect.ignore(runOn(writer, `detaching ${name}`, [`detach ${name}`])),
        Effect.forEach(
          options.attach.filter((attachment) => attachment.name === name),
          (attachment) => attach(writer, attachment),
          { discard: true }
        )
      )
  }
})

/** An interruption asks the promise's queries to stop, and waits until they have. */
const settled = <A>(doing: string, query: () => Promise<A>): Effect.Effect<A, StoreError> =>
  Effect.callback<A, StoreError>((resume) => {
    const queries = new Set<Interruptible>()
    let isDone = false
    const end = (result: Effect.Effect<A, StoreError>): void => {
      isDone = true
      resume(result)
    }
    void queriesOfCaller
      .run(queries, async () => query())
      .then(
        (value) => end(Effect.succeed(value)),
        (cause: unknown) => end(Effect.fail(storeError(doing, cause)))
      )
    return stopQueries(queries, () => isDone)
  })

const attach = (writer: DuckDb.DuckDBConnection, { name, path, readOnly }: Attachment): Effect.Effect<void, StoreError> => {
  const statement = `attach ${quoted(path)} as ${name}${readOnly ? " (read_only)" : ""}`
  const once = runOn(writer, path, [statement])
  const isMendable = ({ reason }: StoreError): boolean => reason === "broken" && !readOnly && existsSync(`${path}.wal`)
  return Effect.catchIf(once, isMendable, (error) => Effect.andThen(mendWal(path, error), once))
}

const runOn = (
  connection: DuckDb.DuckDBConnection,
  doing: string,
  statements: ReadonlyArray<string | CompiledQuery>
): Effect.Effect<void, StoreError> =>
  settled(doing, async () => {
    for (const statement of statements) {
      if (typeof statement === "string") await connection.run(statement)
      else await connection.run(statement.sql, [...statement.parameters] as Array<DuckDb.DuckDBValue>)
    }
  })

/** A string literal of SQL. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** An identifier of SQL. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Whether an error means that another process has the file open. */
export const isHeld = (error: unknown): error is StoreError => error instanceof StoreError && error.reason === "held"
