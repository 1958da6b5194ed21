/** What the desk may say: one article a topic, read when a run starts. */
import { readFile } from "node:fs/promises"

import { Context, Effect, Layer, Schema } from "effect"

const Articles = Schema.fromJsonString(Schema.Record(Schema.String, Schema.NonEmptyString))

/** Gives the article of a topic; empty where there is none. */
export class Handbook extends Context.Service<Handbook, { readonly articleOn: (topic: string) => string }>()("jobs/Handbook") {
  static readonly fromFile = (path: string): Layer.Layer<Handbook, unknown> =>
    Layer.effect(
      Handbook,
      Effect.gen(function* () {
        const articles = yield* Schema.decodeEffect(Articles)(yield* Effect.tryPromise(() => readFile(path, "utf8")))
        return { articleOn: (topic) => articles[topic] ?? "" }
      })
    )
}
