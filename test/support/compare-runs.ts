/** Holds a run's files, published tables and released outputs against those of another run of the same input. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { publishedTables } from "../../runtime/store/lineage-tables.ts"
import { openFiles, runFiles, type OpenFiles, type Row } from "./run-command.ts"

export interface FinishedRun {
  readonly state: string
  readonly run: string
}

/** What may differ: times and what counts or names processes and commits. Variants are compared by what they stand for. */
const excluded = new Set(
  (
    "run by_run started_at ended_at created_at sealed_at released_at completed_at stopped_at committed_at leased_at done_at applied_at queued_at due_at ms worker session sessions " +
    "happened_at raised_at commit_no epoch pid variant version code_version"
  ).split(" ")
)
/** Tables of processes, commits and segments: their rows follow the kills, and have checks of their own below. */
const ofProcesses = new Set(["sessions", "commits", "published"])

/** Differing rows by table; empty when the runs are equal. */
export type Differences = Readonly<Record<string, ReadonlyArray<Row>>>

export const compareRuns = async (reference: FinishedRun, seen: FinishedRun): Promise<Differences> => {
  const [one, other] = [runFiles(reference.state, reference.run), runFiles(seen.state, seen.run)]
  using files = await openFiles({ reference_state: one.state, reference_payload: one.payload, state: other.state, payload: other.payload })
  const found: Record<string, ReadonlyArray<Row>> = {}
  const note = (table: string, rows: ReadonlyArray<Row>): void => void (rows.length > 0 && (found[table] = rows))
  for (const table of await tablesOf(files)) note(table.name, await differing(files, contentOf("reference_", table), contentOf("", table)))
  await readViews(files, reference.state, "reference", "output/outputs.sql")
  await readViews(files, seen.state, "seen", "output/outputs.sql")
  for (const view of await viewsOf(files))
    note(`view ${view.name}`, await differing(files, viewContent("reference", view), viewContent("seen", view)))
  await readViews(files, seen.state, "published", "lineage.sql")
  for (const table of publishedTables) {
    // The publisher's own query, over all commits at once: each of its rows must stand in the segments exactly once.
    const columns = table.columns
      .map(([name]) => `"${name}"`)
      .filter((name) => name !== '"version"')
      .join(", ")
    const typed = table.columns.map(([name, type]) => `"${name}"::${type} as "${name}"`).join(", ")
    const whole = `select ${columns} from (select ${typed} from (${table.rows({ from: 0, to: 1_000_000_000 })}))`
    note(`published ${table.name}`, await differing(files, whole, `select ${columns} from memory.published.${table.name}`))
  }
  for (const [name, query] of Object.entries(inOrder)) note(name, await files.rows(query))
  return found
}

interface Table {
  readonly name: string
  readonly columns: ReadonlyArray<string>
}

const tablesOf = async (files: OpenFiles): Promise<ReadonlyArray<Table>> => {
  const rows = await files.rows(`select database_name || '.' || table_name as name, list(column_name order by column_index) as columns
    from duckdb_columns() where database_name in ('state', 'payload') group by all order by all`)
  return rows
    .map((row) => ({ name: String(row["name"]), columns: row["columns"] as ReadonlyArray<string> }))
    .filter(({ name }) => !ofProcesses.has(name.split(".")[1] ?? ""))
}

const contentOf = (prefix: string, { name, columns }: Table): string => {
  // An alert's text names its run; what it says of it is in `detail`.
  const isOwn = (column: string): boolean => excluded.has(column) || (name === "state.alerts" && column === "text")
  const kept = columns.filter((column) => !isOwn(column)).map((column) => `content."${column}"`)
  const times = columns
    .filter((column) => column.endsWith("_at") && excluded.has(column))
    .map((column) => `content."${column}" is null as no_${column}`)
  if (!columns.includes("variant") || name === "state.variants")
    return `select ${[...kept, ...times].join(", ")} from ${prefix}${name} content`
  const variant = ["step", "model", "model_version", "prompt_version"].map((column) => `of.${column} as of_${column}`)
  return `select ${[...kept, ...variant].join(", ")} from ${prefix}${name} content left join ${prefix}state.variants of using (variant)`
}

const readViews = async (files: OpenFiles, state: string, schema: string, file: string): Promise<void> => {
  await files.run(`create schema memory.${schema}`)
  await files.run(`use memory.${schema}`)
  await files.run(readFileSync(join(state, "analytics", file), "utf8"))
  await files.run("use memory.main")
}

const viewsOf = async (files: OpenFiles): Promise<ReadonlyArray<Table>> => {
  const rows = await files.rows(`select table_name as name, list(column_name order by column_index) as columns from duckdb_columns()
    where database_name = 'memory' and schema_name = 'seen' group by all order by all`)
  return rows.map((row) => ({ name: String(row["name"]), columns: row["columns"] as ReadonlyArray<string> }))
}

const viewContent = (schema: string, { name, columns }: Table): string =>
  `select ${columns
    .filter((column) => !excluded.has(column))
    .map((column) => `"${column}"`)
    .join(", ")} from memory.${schema}."${name}"`

/** A few rows that the second side has more often (`extra_times` above 0) or less often than the first. */
const differing = (files: OpenFiles, one: string, other: string): Promise<ReadonlyArray<Row>> =>
  files.rows(
    `select sum(side) as extra_times, * exclude (side) from ((select -1 as side, * from (${one})) union all (select 1 as side, * from (${other}))) group by all having extra_times <> 0 limit 5`
  )

/** Queries that find nothing in a run whose commits and segments are in order. */
const inOrder: Readonly<Record<string, string>> = {
  "commits without gaps":
    "select count(*) as commits, max(commit_no) as last from state.commits having count(*) <> coalesce(max(commit_no), 0) or count(distinct commit_no) <> count(*)",
  "rows of whole commits only":
    "select commit_no from (select commit_no from payload.answers union all select commit_no from payload.problems union all select commit_no from state.attempts) anti join state.commits using (commit_no) limit 3",
  "segments that were begun and not finished": "from state.published where not done",
  "segments without gaps":
    "select table_name, count(*) as segments, max(segment) as last from state.published group by all having count(*) <> max(segment) or count(distinct segment) <> count(*)",
  "segments that overlap":
    "select one.table_name, one.segment from state.published one join state.published other using (table_name) where one.segment < other.segment and one.to_commit >= other.from_commit",
  "sessions of other plans": "select session from state.sessions where plan_digest <> (select plan_digest from state.run)"
}
