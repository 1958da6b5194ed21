import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { afterEach, beforeEach } from "vitest"

import { definitionOf, type Source, type SourceDefinition } from "../../../dsl/index.ts"
import { readSource } from "../../../runtime/source/read-source.ts"
import { SourceError } from "../../../runtime/source/source-error.ts"
import type { SourceItem, SourceRow } from "../../../runtime/source/source-item.ts"
import { Row, rowKey, run } from "./row.ts"

export { run } from "./row.ts"

export const options = { schema: Row, key: rowKey }

/** Gives each test of a file an empty working directory. */
export const useFolder = (): void => {
  const home = process.cwd()
  beforeEach(() => process.chdir(fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "source-test-")))))
  afterEach(() => {
    const folder = process.cwd()
    process.chdir(home)
    fs.rmSync(folder, { recursive: true, force: true })
  })
}

/** Writes a file below the working directory, with its folders. */
export const write = (file: string, content: string | Uint8Array): void => {
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
  fs.writeFileSync(file, content)
}

export const sourceOf = (source: Source<unknown, unknown>): SourceDefinition => {
  const definition = definitionOf(source)
  if (definition.kind !== "source") throw new Error("not a source")
  return definition
}

/** What the source hands on, at most `limit` times. */
export const portions = (source: Source<unknown, unknown>, limit = Infinity) =>
  Effect.runPromise(Stream.runCollect(Stream.take(readSource(sourceOf(source), run), limit)))

export const rows = async (source: Source<unknown, unknown>): Promise<ReadonlyArray<SourceRow>> => (await portions(source)).flat()

export const items = async (source: Source<unknown, unknown>): Promise<ReadonlyArray<SourceItem>> => {
  const all = await rows(source)
  return all.map((row) => {
    if (row.kind === "rejected") throw new Error(`${row.place.file}:${row.place.line} ${row.code}: ${row.reason}`)
    return row
  })
}

/** What is wrong with the rows, as `file:line code: reason`; an item is its key. */
export const verdicts = async (source: Source<unknown, unknown>): Promise<ReadonlyArray<string>> =>
  (await rows(source)).map((row) => (row.kind === "item" ? row.key : `${row.place.file}:${row.place.line} ${row.code}: ${row.reason}`))

/** The error that stops a source. */
export const failure = (source: Source<unknown, unknown>): Promise<SourceError> =>
  Effect.runPromise(Effect.flip(Stream.runDrain(readSource(sourceOf(source), run))))
