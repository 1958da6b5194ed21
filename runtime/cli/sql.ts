/** `runtime sql [QUERY]` */
import * as Argument from "effect/cli/Argument"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { verb } from "./verb.ts"

export const sql = verb(
  "sql",
  {
    description:
      "Query what runs published, with DuckDB's SQL: runs, partitions, items, checkpoints, attempts, dead_letters, reviews, flags, lineage, outputs. Live, and never in a run's way.",
    examples: [
      ["runtime sql", "lists the views"],
      [
        'runtime sql "select disposition, count(*) from checkpoints where disposition is not null group by all"',
        "what became of the items"
      ],
      ['runtime sql "from lineage limit 5" --json', "rows as one JSON array"]
    ]
  },
  {
    query: Argument.String("query").pipe(
      Argument.withDescription("one statement that reads; without one, the views are listed"),
      Argument.optional
    )
  },
  Effect.fnUntraced(function* ({ query, state }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { queryAnalytics } = yield* Effect.promise(() => import("../store/open-analytics.ts"))
    const { textTable } = yield* Effect.promise(() => import("./table.ts"))
    const folder = yield* openStateFolder(state)
    const { columns, rows } = yield* queryAnalytics(
      folder,
      Option.getOrElse(query, () => "show tables")
    )
    const cells = rows.slice(0, rowsShown).map((row) => columns.map((column) => cellText(row[column])))
    const more = rows.length > rowsShown ? `\n${rowsShown} of ${rows.length} rows; --json gives all.` : ""
    return { json: rows, text: `${textTable(columns, cells)}${more}` }
  })
)

const rowsShown = 200

const cellText = (value: unknown): string =>
  value === null || value === undefined
    ? ""
    : value instanceof Date
      ? value.toISOString().replace("T", " ").replace(".000Z", "Z")
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value)
