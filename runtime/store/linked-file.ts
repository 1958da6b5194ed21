/**
 * What a linked run begins with, in a file of its own until its manifest is sealed: the items, copied from the runs that have them, the
 * answers they come with, and how the run was begun. So it can be killed at any point and go on, and no closed run is touched.
 */
import { existsSync, rmSync } from "node:fs"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { sql, type Kysely } from "kysely"

import { canonicalJson } from "../../dsl/index.ts"
import { openDuck, quoted, type Duck } from "./duck.ts"
import { onDisk, ownPartOf, putInPlace } from "./durable-file.ts"
import type { DuckLedger } from "./ledger-duckdb.ts"
import type { RunStart } from "./ledger.ts"
import { filesOf, makeRunFolder, removeFiles, type RunFolder, type StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** An answer that a person gave in place of a model's. */
export interface Correction {
  /** The infer whose answer it stands for. */
  readonly step: string
  /** JSON text, as the step's schema encodes it. */
  readonly output: string
  readonly by: string
  readonly codeVersion: string
}

export interface LinkedRun {
  readonly start: RunStart
  /** Whether items keep their origin's answers, and the rules that stopped them are answered: decisions at review, not a replay. */
  readonly keepsAnswers: boolean
  readonly correction: Correction | null
}

const given = "item_key, step, output, model, model_version, prompt_version, code_version, attempt"

/** Copies the items of the table `chosen` (run, seq, step) out of the payloads of their runs, which no process may hold. */
export const writeLinkedFile = Effect.fn("Store.writeLinkedFile")(function* (
  duck: Pick<Duck<unknown>, "run">,
  folder: StateFolder,
  { table, runs }: { readonly table: string; readonly runs: ReadonlyArray<string> },
  linked: LinkedRun
): Effect.fn.Return<void, StoreError> {
  const { start, correction } = linked
  const doing = "copying items into a linked run"
  const files = folder.run(start.run)
  yield* makeRunFolder(files)
  const part = ownPartOf(files.linked)
  yield* duck.run(
    doing,
    `attach ${quoted(part)} as linked`,
    `create table linked.start (start varchar)`,
    `create table linked.items (ordinal bigint, item_key varchar, body varchar, reference varchar, file varchar, line bigint)`,
    `create table linked.given (item_key varchar, step varchar, output varchar, model varchar, model_version varchar, prompt_version varchar, code_version varchar,
      attempt integer)`,
    `create table linked.waived (item_key varchar, step varchar)`,
    `insert into linked.start values (${quoted(canonicalJson(encodeStart(start)))})`
  )
  for (const run of runs)
    yield* copyRun(duck, folder.run(run), `(select seq, step from ${table} where run = ${quoted(run)})`, linked.keepsAnswers)
  if (correction !== null) yield* duck.run(doing, ...correctionOf(correction))
  yield* duck.run(doing, "checkpoint linked", "detach linked")
  yield* putInPlace(part, files.linked, 0o600)
})

const copyRun = Effect.fnUntraced(function* (
  { run }: Pick<Duck<unknown>, "run">,
  { state, payload }: RunFolder,
  chosen: string,
  keepsAnswers: boolean
) {
  const doing = "copying items into a linked run"
  yield* run(doing, `attach ${quoted(state)} as old_state (read_only)`)
  yield* run(doing, `attach ${quoted(payload)} as old_payload (read_only)`)
  yield* run(
    doing,
    `insert into linked.items select (select count(*) from linked.items) + row_number() over (order by seq) - 1, item_key, body, reference, file, line
      from old_payload.items semi join ${chosen} using (seq) order by seq`
  )
  if (keepsAnswers)
    yield* run(
      doing,
      `insert into linked.given (${given})
        select item_key, done.step, arg_max(output, attempt), arg_max(model, attempt), arg_max(model_version, attempt), arg_max(prompt_version, attempt),
          arg_max(code_version, attempt), max(attempt)
        from old_payload.items item semi join ${chosen} using (seq)
        join old_state.checkpoints done on done.seq = item.seq and done.status in ('answered', 'review')
        join old_payload.answers answer on answer.seq = done.seq and answer.step = done.answer_step
        join old_state.variants of on of.variant = answer.variant
        group by item_key, done.step`,
      `insert into linked.waived select item_key, chosen.step from old_payload.items join ${chosen} chosen using (seq)`
    )
  yield* run(doing, "detach old_state", "detach old_payload")
})

/** Of a decision about one item. */
const correctionOf = ({ step, output, by, codeVersion }: Correction): ReadonlyArray<string> => [
  `delete from linked.given where step = ${quoted(step)}`,
  `insert into linked.given (${given})
    select item_key, ${quoted(step)}, ${quoted(output)}, ${quoted(`person:${by}`)}, 'person', 'none', ${quoted(codeVersion)}, 1 from linked.items`
]

interface LinkedTables {
  "linked.start": { start: string }
  "linked.items": {
    ordinal: number
    item_key: string
    body: string | null
    reference: string | null
    file: string
    line: number | null
  }
}

export type LinkedItem = Omit<LinkedTables["linked.items"], "ordinal">

/** Items read at once: at most 1 MB each, and mostly far less. */
const sliceItems = 200

/** The items in their order, a slice at a time, and puts what they come with into the run's payload. Before the manifest is sealed. */
export const takeLinked = Effect.fn("Store.takeLinked")(function* (
  { duck, exclusively }: DuckLedger,
  { linked }: RunFolder,
  take: (items: ReadonlyArray<LinkedItem>) => Effect.Effect<void, StoreError>
): Effect.fn.Return<void, StoreError, Scope.Scope> {
  const file: Duck<LinkedTables> = yield* openDuck({ attach: [{ name: "linked", path: linked, readOnly: true }], memoryMb: 100 })
  for (let from = 0; ; from += sliceItems) {
    const items = yield* file.use("reading the items of a linked run", (db) => readSlice(db, from))
    if (items.length === 0) break
    yield* take(items)
  }
  for (const table of ["given", "waived"] as const) {
    const rows = yield* file.use(
      "reading the answers of a linked run",
      async (db) => (await sql<Record<string, string | number>>`select * from ${sql.raw(`linked.${table}`)}`.execute(db)).rows
    )
    for (let from = 0; from < rows.length; from += sliceItems) {
      const values = rows.slice(from, from + sliceItems).map((row) => sql`(${sql.join(Object.values(row))})`)
      yield* exclusively(
        duck.use("taking the answers of a linked run", (db) =>
          sql`insert into ${sql.raw(`payload.${table}`)} values ${sql.join(values)}`.execute(db)
        )
      )
    }
  }
})

const readSlice = (db: Kysely<LinkedTables>, from: number): Promise<ReadonlyArray<LinkedItem>> =>
  db
    .selectFrom("linked.items")
    .select(["item_key", "body", "reference", "file", "line"])
    .where("ordinal", ">=", from)
    .where("ordinal", "<", from + sliceItems)
    .orderBy("ordinal")
    .execute()

/** Once the manifest is sealed the run has it all. */
export const dropLinked = ({ linked }: RunFolder): Effect.Effect<void> => removeFiles(...filesOf(linked))

/** How a linked run was begun, where its process died before its first row; null without such a file. */
export const readLinkedStart = Effect.fn("Store.readLinkedStart")(function* ({
  linked
}: RunFolder): Effect.fn.Return<RunStart | null, StoreError> {
  if (!existsSync(linked)) return null
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const file: Duck<LinkedTables> = yield* openDuck({ attach: [{ name: "linked", path: linked, readOnly: true }], memoryMb: 100 })
      return yield* file.use("reading how a linked run was begun", async (db) =>
        decodeStart((await db.selectFrom("linked.start").select("start").executeTakeFirstOrThrow()).start)
      )
    })
  )
})

/** A linked run that was never decided for: nothing refers to it. */
export const dropLinkedRun = ({ root }: RunFolder): Effect.Effect<void, StoreError> =>
  onDisk(root, () => rmSync(root, { recursive: true, force: true }))

const Start = Schema.Struct({
  run: Schema.String,
  job: Schema.String,
  owner: Schema.String,
  purpose: Schema.String,
  classification: Schema.String,
  consumers: Schema.Array(Schema.String),
  logicalTime: Schema.DateFromString,
  interval: Schema.Struct({ start: Schema.DateFromString, end: Schema.DateFromString }),
  itemLimit: Schema.NullOr(Schema.Finite),
  planDigest: Schema.String,
  plan: Schema.String,
  budgetUsd: Schema.Finite,
  estimateUsd: Schema.NullOr(Schema.Finite),
  jobModule: Schema.String,
  params: Schema.String,
  origin: Schema.optionalKey(Schema.String)
})
const encodeStart = Schema.encodeSync(Start)
const decodeStart = Schema.decodeSync(Schema.fromJsonString(Start))
