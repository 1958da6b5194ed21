/** Exports: a release's rows as files for downstream. They appear whole, under a marker that is written last, and never change. */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CompiledQuery, sql } from "kysely"

import type { ExportFormat, Plan } from "../../dsl/index.ts"
import { identifier, quoted } from "./duck.ts"
import { makeFolder, onDisk, partOf, putInPlace, putText } from "./durable-file.ts"
import type { DuckLedger } from "./ledger-duckdb.ts"
import { literalGlob } from "./lineage-views.ts"
import { claimOutputTables, outputFolder, type OutputTable } from "./output-tables.ts"
import type { Revision } from "./revisions.ts"
import type { StateFolder } from "./state-folder.ts"
import { storeError, StoreError } from "./store-error.ts"

/** The group of the folder's owner may read what consumers are given; what lies beneath the state folder stays the owner's alone. */
const fileMode = 0o640
const folderMode = 0o750

const ExportedFile = Schema.Struct({
  /** Within the export's folder. */
  file: Schema.String,
  step: Schema.String,
  format: Schema.Literals(["parquet", "jsonl", "csv"]),
  rows: Schema.Finite,
  bytes: Schema.Finite,
  sha256: Schema.String,
  schema: Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String }))
})
export type ExportedFile = typeof ExportedFile.Type

const decodeManifest = Schema.decodeSync(Schema.fromJsonString(Schema.Struct({ files: Schema.Array(ExportedFile) })))

/** Files that go to one folder. */
export interface ExportOrder {
  readonly run: string
  /** From 1: a later release of the same run goes beside the earlier ones. */
  readonly revision: number
  /** The releases whose rows make it up: the run's own, and for a further revision those of runs that were linked to it. */
  readonly parts: ReadonlyArray<Revision>
  /** Absolute: the folder that the job names. */
  readonly folder: string
  readonly files: ReadonlyArray<{ readonly step: string; readonly format: ExportFormat }>
  /** What consumers are told of the release: stands in the manifest and in the marker. */
  readonly notice: Readonly<Record<string, unknown>>
}

/** Where an export stands, and what is in it. */
export interface Exported {
  /** Absolute, ending in `<run>/revision-<n>`. */
  readonly folder: string
  readonly files: ReadonlyArray<ExportedFile>
}

const manifestFile = "_manifest.json"
/** Written last: below it everything is whole. */
const markerFile = "_SUCCESS"

/** Called between the steps of an export: a test dies here. */
export const ExportPoint = Context.Reference<(point: "written" | "placed" | "described" | "marked", file: string) => Effect.Effect<void>>(
  "nightshift/ExportPoint",
  { defaultValue: () => () => Effect.void }
)

/**
 * Writes an export, or what is left of it after a kill; one that has its marker is left as it is. The run must be released: its rows are
 * taken from the segments that analysts read.
 */
export const writeExport = Effect.fn("Store.export")(function* (
  ledger: DuckLedger,
  state: StateFolder,
  plan: Plan,
  order: ExportOrder
): Effect.fn.Return<Exported, StoreError> {
  const { run, revision, notice } = order
  // Not `run=…/revision=…`: readers that take folders for columns would lay those over the rows' own.
  const folder = path.join(order.folder, run, `revision-${revision}`)
  const manifest = path.join(folder, manifestFile)
  const marker = path.join(folder, markerFile)
  const standing = yield* onDisk(manifest, () => (fs.existsSync(marker) ? decodeManifest(fs.readFileSync(manifest, "utf8")) : null))
  if (standing !== null) return { folder, files: standing.files }
  const pass = yield* ExportPoint
  yield* makeFolder(folder, folderMode)
  const tables = yield* claimOutputTables(state, plan, [...new Set(order.files.map(({ step }) => step))])
  const files = yield* Effect.forEach(order.files, ({ step, format }) => {
    const table = tables.find((one) => one.step === step)
    if (table === undefined) return Effect.die(new Error(`Step ${step} has a table of outputs`))
    return writeFile({ ledger, state, run, parts: order.parts, table }, path.join(folder, `${step}.${format}`), format)
  })
  const description = `${JSON.stringify({ format: 1, run, revision, ...notice, files }, null, 2)}\n`
  yield* putText(manifest, description, fileMode)
  yield* pass("described", manifest)
  const told = {
    run,
    revision,
    ...notice,
    manifest: { file: manifestFile, sha256: createHash("sha256").update(description).digest("hex") }
  }
  yield* putText(marker, `${JSON.stringify(told, null, 2)}\n`, fileMode)
  yield* pass("marked", marker)
  return { folder, files }
})

interface Exporting {
  readonly ledger: DuckLedger
  readonly state: StateFolder
  readonly run: string
  readonly parts: ReadonlyArray<Revision>
  readonly table: OutputTable
}

const writeFile = Effect.fnUntraced(function* (exporting: Exporting, file: string, format: ExportFormat) {
  const { duck } = exporting.ledger
  const { step, name } = exporting.table
  const pass = yield* ExportPoint
  const from = segmentsOf(exporting, name)
  const rows = yield* duck.use("counting the rows of an export", async (db) => countRows(db, from, segmentsOf(exporting, "outputs"), step))
  if (rows.typed !== rows.released) {
    const detail = `${name} has ${rows.typed} rows of the run, and ${rows.released} were released at ${step}`
    return yield* new StoreError({ reason: "broken", path: path.join(outputFolder(exporting.state), name), detail, holderPid: null })
  }
  // One that has its name is whole.
  if (!(yield* onDisk(file, () => fs.existsSync(file)))) {
    const part = partOf(file)
    const values = schemaOf(exporting).map((column) => valueOf(exporting, column.name, column.type, format))
    const query = `select ${values.join(", ")} ${from}`
    yield* duck
      .use(file, (db) => db.executeQuery(CompiledQuery.raw(`copy (${query}) to ${quoted(part)} (${copyOptions[format]})`)))
      .pipe(Effect.onError(() => Effect.sync(() => fs.rmSync(part, { force: true }))))
    yield* pass("written", file)
    yield* putInPlace(part, file, fileMode)
    yield* pass("placed", file)
  }
  const schema = schemaOf(exporting)
  const { bytes, sha256 } = yield* digestOf(file)
  return { file: path.basename(file), step, format, rows: rows.typed, bytes, sha256, schema } satisfies ExportedFile
})

/** As the views of outputs have them: an answer belongs to the run that was released, and says by which one it was made, and since when. */
const schemaOf = ({ table }: Exporting) =>
  [["run", "varchar"], ["job", "varchar"], ...table.columns, ["revision", "integer"], ["by_run", "varchar"]].map(
    ([name = "", type = ""]) => ({ name, type })
  )

type Db = DuckLedger["duck"]["db"]

const countRows = async (db: Db, typed: string, outputs: string, step: string) => {
  const { rows } = await sql<{ typed: number; released: number }>`select (select count(*) ${sql.raw(typed)}) as typed,
    (select count(*) ${sql.raw(outputs)} where step = ${step}) as released`.execute(db)
  return rows[0] ?? { typed: 0, released: 0 }
}

/** A run without items has no segment: the one that every table has, without a row, tells the columns. */
const segmentsOf = ({ state, parts }: Exporting, table: string): string => {
  const root = path.join(outputFolder(state), table)
  const folders = ["schema", ...parts.map(({ run }) => run)]
    .map((run) => path.join(root, `run=${run}`))
    .filter((folder) => fs.existsSync(folder))
  const globs = folders.map((folder) => quoted(path.join(literalGlob(folder), "*.parquet")))
  return `from read_parquet([${globs.join(", ")}], union_by_name = true, hive_partitioning = false)`
}

const copyOptions: Readonly<Record<ExportFormat, string>> = {
  parquet: "format parquet, compression zstd, row_group_size 20480",
  jsonl: "format json",
  csv: "format csv, header true"
}

/** Text formats have no instants, and neither has a word for NaN that every reader takes (case 32). */
const valueOf = ({ run, parts }: Exporting, column: string, type: string, format: ExportFormat): string => {
  const name = identifier(column)
  if (column === "run") return `${quoted(run)} as run`
  if (column === "by_run") return "run as by_run"
  if (column === "revision")
    return `(case run ${parts.map((part) => `when ${quoted(part.run)} then ${part.revision}`).join(" ")} end)::integer as revision`
  if (format === "parquet") return name
  if (type === "timestamptz") return `strftime(make_timestamp(epoch_us(${name})), '%Y-%m-%dT%H:%M:%S.%gZ') as ${name}`
  if (type === "double") return `case when isfinite(${name}) then ${name} end as ${name}`
  return type === "json" && format === "jsonl" ? `${name}::json as ${name}` : name
}

const digestOf = (file: string): Effect.Effect<{ readonly bytes: number; readonly sha256: string }, StoreError> =>
  Effect.tryPromise({
    try: async () => {
      const hash = createHash("sha256")
      let bytes = 0
      for await (const block of fs.createReadStream(file)) {
        hash.update(block as Buffer)
        bytes += (block as Buffer).length
      }
      return { bytes, sha256: hash.digest("hex") }
    },
    catch: (cause) => storeError(file, cause)
  })

/** Writes down what was exported, paths in the payload and digests in the state; repeated, it says the same. */
export const recordExports = (
  { duck, exclusively }: DuckLedger,
  revision: number,
  exported: ReadonlyArray<Exported>,
  at: Date
): Effect.Effect<void, StoreError> => {
  const all = exported
    .flatMap(({ folder, files }) => files.map((file) => ({ ...file, path: path.join(folder, file.file) })))
    .map((file, index) => ({ ...file, export_no: index + 1 }))
  return exclusively(
    duck.use("writing down what was exported", async (db) => {
      await db.deleteFrom("payload.exports").where("revision", "=", revision).execute()
      for (const { export_no, path: place } of all)
        await db.insertInto("payload.exports").values({ export_no, revision, path: place }).execute()
      await db.deleteFrom("state.exports").where("revision", "=", revision).execute()
      for (const { export_no, step, format, rows, bytes, sha256 } of all)
        await db.insertInto("state.exports").values({ export_no, revision, step, format, rows, bytes, sha256, exported_at: at }).execute()
    })
  )
}
