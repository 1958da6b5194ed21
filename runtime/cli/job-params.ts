/** `--param name=value` as the job's schema wants it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Job } from "../../dsl/index.ts"
import { Misuse } from "./misuse.ts"

/** Values come as text: as such first, then as JSON, so that `--param count=5` fits a number. `{}` for a job without parameters. */
export const decodeParams = Effect.fnUntraced(function* (job: Job, texts: Readonly<Record<string, string>>) {
  const schema = job.options.params
  if (schema === undefined) {
    const [name] = Object.keys(texts)
    if (name === undefined) return {}
    return yield* new Misuse({
      problem: `Job "${job.name}" takes no parameters, so --param ${name} means nothing to it.`,
      remedy: "Drop it, or declare `params` in the job."
    })
  }
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(schema), { errors: "all" })
  const asJson = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, jsonOrText(text)]))
  return yield* decode(texts).pipe(
    Effect.catch(() => decode(asJson)),
    Effect.mapError(
      (error) =>
        new Misuse({
          problem: `The parameters don't fit job "${job.name}": ${error.message.replaceAll("\n", " ")}.`,
          remedy: "Set each with --param name=value."
        })
    )
  )
})

const jsonOrText = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
