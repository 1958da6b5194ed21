/** The tables that released outputs go to: `outputs` for all jobs, and one with typed columns for each job, step and type of output. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { canonicalJson, type FlatColumn, type Plan } from "../../dsl/index.ts"
import { openDuck } from "./duck.ts"
import { makeFolder, onDisk, putText, type QueryRunner } from "./durable-file.ts"
import type { PublishedTable } from "./lineage-tables.ts"
import { writeEmptySegment } from "./lineage-views.ts"
import { answerColumns } from "./plan-columns.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

type Columns = PublishedTable["columns"]

/** A terminal step's table. */
export interface OutputTable {
  readonly name: string
  readonly step: string
  readonly columns: Columns
  /** The output's fields: where each stands in the JSON, and the column it becomes. */
  readonly fields: ReadonlyArray<FlatColumn>
}

const identity: Columns = [
  ["step", "varchar"],
  ["item_id", "varchar"],
  ["item_key", "varchar"]
]
const origin: Columns = [
  ["confidence", "double"],
  ["model", "varchar"],
  ["model_version", "varchar"],
  ["prompt_version", "varchar"],
  ["code_version", "varchar"],
  ["logical_time", "timestamptz"],
  ["completed_at", "timestamptz"],
  ["plan_digest", "varchar"]
]

/** Columns of `outputs`, after `run` and `job`. */
export const outputColumns: Columns = [...identity, ["output", "json"], ...origin]

/** `analytics/output`: the owner's alone, as the payload is. */
export const outputFolder = ({ analytics }: StateFolder): string => path.join(analytics, "output")

/** Makes the folder, and `outputs` without a row. */
export const prepareOutputs = Effect.fnUntraced(function* (folder: StateFolder) {
  const root = outputFolder(folder)
  const { db } = yield* openDuck({ attach: [], memoryMb: 100 })
  yield* makeFolder(root, 0o700)
  yield* writeEmptySegment(db, path.join(root, "outputs"), outputColumns, 0o700)
}, Effect.scoped)

/**
 * Each step's table, made where it is missing. A step whose columns changed gets a further one (`outputs_<job>_<step>_v2`), so that
 * whoever reads the old one isn't broken; the old type finds the old table again.
 */
export const claimOutputTables = Effect.fnUntraced(function* (folder: StateFolder, plan: Plan, steps: ReadonlyArray<string>) {
  const root = outputFolder(folder)
  const { db } = yield* openDuck({ attach: [], memoryMb: 100 })
  return yield* Effect.forEach(steps, (step) => claimTable(db, root, plan, step))
}, Effect.scoped)

const claimTable = Effect.fnUntraced(function* (db: QueryRunner, root: string, plan: Plan, step: string) {
  const fields = fieldsOf(plan, step)
  const columns = typedColumns(fields)
  const claim: TableClaim = { job: plan.job, step, columns }
  const base = `outputs_${plan.job.replaceAll("-", "_")}_${step}`
  for (let version = 1; ; version++) {
    const name = version === 1 ? base : `${base}_v${version}`
    const standing = (yield* readClaim(path.join(root, name))) ?? (yield* makeTable(db, root, name, claim))
    if (canonicalJson(standing) === canonicalJson(claim)) return { name, step, columns, fields }
  }
})

/** Lineage columns keep their names, and a field of such a name becomes `output_<name>`; only `confidence` is left to the field. */
const fieldsOf = (plan: Plan, step: string): ReadonlyArray<FlatColumn> => {
  const taken = new Set([
    "run",
    "job",
    "revision",
    "by_run",
    ...[...identity, ...origin].map(([name]) => name).filter((name) => name !== "confidence")
  ])
  return answerColumns(plan, step).map((field) => {
    let name = taken.has(field.name.toLowerCase()) ? `output_${field.name}` : field.name
    while (taken.has(name.toLowerCase())) name = `${name}_`
    taken.add(name.toLowerCase())
    return { ...field, name }
  })
}

const typedColumns = (fields: ReadonlyArray<FlatColumn>): Columns => [
  ...identity,
  ...fields.map(({ name, type }) => [name, fieldTypes[type]] as const),
  ...origin.filter(([name]) => fields.every((field) => field.name.toLowerCase() !== name))
]
const fieldTypes = { string: "varchar", number: "double", boolean: "boolean", json: "json" } as const

const TableClaim = Schema.fromJsonString(
  Schema.Struct({ job: Schema.String, step: Schema.String, columns: Schema.Array(Schema.Tuple([Schema.String, Schema.String])) })
)
/** Stands in each table's folder, and says whose it is. */
type TableClaim = typeof TableClaim.Type
const encodeClaim = Schema.encodeSync(TableClaim)
const decodeClaim = Schema.decodeSync(TableClaim)
const claimFile = "columns.json"

/** The folder appears with its claim and its empty segment at once; if another process was faster, its claim stands. */
const makeTable = Effect.fnUntraced(function* (db: QueryRunner, root: string, name: string, claim: TableClaim) {
  const part = path.join(root, `.${name}.${process.pid}`)
  yield* onDisk(part, () => fs.rmSync(part, { recursive: true, force: true }))
  yield* writeEmptySegment(db, part, claim.columns, 0o700)
  yield* putText(path.join(part, claimFile), encodeClaim(claim), 0o600)
  yield* onDisk(part, () => {
    try {
      fs.renameSync(part, path.join(root, name))
    } catch (error) {
      fs.rmSync(part, { recursive: true, force: true })
      if (!(error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST"))) throw error
    }
  })
  return (yield* readClaim(path.join(root, name))) ?? claim
})

const readClaim = (tableFolder: string): Effect.Effect<TableClaim | null, StoreError> =>
  onDisk(tableFolder, () => {
    const file = path.join(tableFolder, claimFile)
    return fs.existsSync(file) ? decodeClaim(fs.readFileSync(file, "utf8")) : null
  })

/** All tables of typed outputs, by name. */
export const readOutputTables = (
  folder: StateFolder
): Effect.Effect<ReadonlyArray<readonly [name: string, columns: Columns]>, StoreError> =>
  Effect.gen(function* () {
    const root = outputFolder(folder)
    const names = yield* onDisk(root, () => (fs.existsSync(root) ? fs.readdirSync(root).filter((name) => name.startsWith("outputs_")) : []))
    const claims = yield* Effect.forEach(names.toSorted(), (name) =>
      Effect.map(readClaim(path.join(root, name)), (claim) => ({ name, claim }))
    )
    return claims.flatMap(({ name, claim }) => (claim === null ? [] : [[name, claim.columns] as const]))
  })
