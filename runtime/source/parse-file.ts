/** Runs the job's `parse` on one file, whether it returns a value, a Promise or an Effect. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import type { SourceDefinition, SourceFile } from "../../dsl/index.ts"
import { attempt } from "./make-row.ts"
import { firstLine } from "./source-error.ts"
import type { RejectionCode } from "./source-item.ts"
import { encodingReason, InvalidUtf8, textOf } from "./utf8.ts"

/** Why a file can't be an item. */
export interface FileFault {
  readonly code: RejectionCode
  readonly reason: string
}

/** Gives the item as the JSON text that the manifest keeps. Fails with what is wrong with the file; a bug in `parse` counts as that. */
export type FileParser<R> = (relative: string, bytes: Buffer) => Effect.Effect<string, FileFault, R>

/** `R` is what the parser's Effects need: the compiler has checked it against the job, where the source's type is known. */
export const makeFileParser = <R>(definition: SourceDefinition): FileParser<R> => {
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(definition.schema), { errors: "all" })
  return Effect.fnUntraced(function* (relative: string, bytes: Buffer) {
    const item = yield* Effect.catchCause(parse<R>(definition, { path: relative, bytes, text: () => strictText(bytes) }), (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.fail(faultOf(Cause.squash(cause)))
    )
    const json = attempt(() => encode(item))
    if (Result.isFailure(json))
      return yield* Effect.fail<FileFault>({ code: "schema", reason: `parse returned an item that doesn't fit: ${json.failure}` })
    return JSON.stringify(json.success)
  })
}

const parse = <R>(definition: SourceDefinition, file: SourceFile): Effect.Effect<unknown, unknown, R> =>
  Effect.suspend(() => {
    const parsed = definition.parse?.(file)
    // The cast: `Eventually` has forgotten which services; see makeFileParser.
    if (Effect.isEffect(parsed)) return parsed as Effect.Effect<unknown, unknown, R>
    return isPromise(parsed) ? Effect.promise(() => Promise.resolve(parsed)) : Effect.succeed(parsed)
  })

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** A BOM is dropped. */
const strictText = (bytes: Buffer): string => {
  const text = textOf(bytes)
  if (text === null) throw new InvalidUtf8(encodingReason(bytes, "file"))
  return text.startsWith("\ufeff") ? text.slice(1) : text
}

const faultOf = (thrown: unknown): FileFault => {
  // A parser may wrap what `text()` throws.
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    if (error instanceof InvalidUtf8) return { code: "encoding", reason: error.message }
  }
  return { code: "parse", reason: `parse failed: ${firstLine(thrown)}` }
}
