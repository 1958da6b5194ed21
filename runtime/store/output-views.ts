/** The views over released outputs, in a file of their own: who may read outputs is decided apart from who may read lineage. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"

import { identifier } from "./duck.ts"
import { onDisk, putText } from "./durable-file.ts"
import type { PublishedTable } from "./lineage-tables.ts"
import { readSegments } from "./lineage-views.ts"
import { outputColumns, outputFolder, prepareOutputs, readOutputTables } from "./output-tables.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** What a client runs to see outputs. Its owner alone may read it, and the files that it names. */
export const outputSqlFile = (folder: StateFolder): string => path.join(outputFolder(folder), "outputs.sql")

/** Sees to it that the view `outputs` is there, though nothing was released yet. Afterwards it is one look. */
export const ensureOutputViews = (folder: StateFolder): Effect.Effect<void, StoreError> =>
  Effect.flatMap(
    onDisk(outputSqlFile(folder), () => fs.existsSync(outputSqlFile(folder))),
    (isThere) => (isThere ? Effect.void : writeOutputViews(folder))
  )

/** Brings `outputs.sql` up to date with the tables that are there. */
export const writeOutputViews = Effect.fnUntraced(function* (folder: StateFolder): Effect.fn.Return<void, StoreError> {
  const file = outputSqlFile(folder)
  yield* prepareOutputs(folder)
  // Two runs may end at once: whoever writes last looks again whether the other's table is there.
  for (;;) {
    const text = yield* outputSql(folder)
    if (yield* onDisk(file, () => fs.existsSync(file) && fs.readFileSync(file, "utf8") === text)) return
    yield* putText(file, text, 0o600)
  }
})

const outputSql = (folder: StateFolder): Effect.Effect<string, StoreError> =>
  Effect.map(readOutputTables(folder), (tables) => {
    // What a linked run delivers is its origin's: an item is delivered once, by whichever run did, and the revision says since when.
    const released = `(select run, coalesce(max(origin), run) as origin, coalesce(max(revision), 1) as revision
    from (${readSegments(path.join(folder.analytics, "runs"), "run, origin, revision, released_at")}) where released_at is not null group by run)`
    const view = (name: string, columns: PublishedTable["columns"]): string =>
      `create or replace view ${identifier(name)} as
  select origin as run, output.* exclude (run), revision, output.run as by_run
  from (${readSegments(path.join(outputFolder(folder), name), viewColumns(columns))}) output join ${released} released on released.run = output.run;\n`
    return `-- What nightshift's runs delivered: rows of released runs, and only those.\n${view("outputs", outputColumns)}${tables.map(([name, columns]) => view(name, columns)).join("")}`
  })

const viewColumns = (columns: PublishedTable["columns"]): string =>
  [
    "run",
    "job",
    ...columns.map(([name, type]) => (type === "json" ? `${identifier(name)}::json as ${identifier(name)}` : identifier(name)))
  ].join(", ")
