/** Versions of prompts and digests of requests: what makes an answer traceable and, later, reusable. */
import { hash } from "node:crypto"

import {
  canonicalJson,
  digest,
  modelVersion,
  promptShape,
  type Message,
  type Model,
  type ModelMessage,
  type Shape
} from "../../dsl/index.ts"

export interface PromptVersion {
  readonly version: string
  /** JSON of the literals, with the role of each message. */
  readonly shape: string
}

/**
 * A prompt's version digests its literals, its callback's source text and its output schema. Literals are the same objects at
 * every call of a template, so a version is computed once and found again by the identity of its literals.
 */
export class PromptVersions {
  readonly #ids = new WeakMap<ReadonlyArray<string>, number>()
  #next = 0
  readonly #known = new Map<string, PromptVersion>()
  readonly #models = new WeakMap<Model, string>()

  /** `source` is the plan's digest of the callback and the schema. */
  of(messages: ReadonlyArray<Message>, source: string): PromptVersion {
    const key = `${source} ${messages.map((message) => `${message.role}${this.#id(message.literals)}${this.#nested(message.holes)}`).join(" ")}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const shape = promptShape(messages)
    const version = { version: digest({ source, shape }).slice(0, 12), shape: canonicalJson(shape) }
    this.#known.set(key, version)
    return version
  }

  /** All of a model that can change an answer. What a remote model calls itself is known only afterwards, and isn't in it. */
  ofModel(model: Model): string {
    const known = this.#models.get(model)
    if (known !== undefined) return known
    const { engine, name, baseUrl, api, parameters } = model
    const text = engine === "local" ? `${name} ${modelVersion(model)}` : canonicalJson({ engine, name, baseUrl, api, parameters })
    this.#models.set(model, text)
    return text
  }

  #id(literals: ReadonlyArray<string>): number {
    const known = this.#ids.get(literals)
    if (known !== undefined) return known
    this.#ids.set(literals, ++this.#next)
    return this.#next
  }

  #nested(holes: ReadonlyArray<unknown>): string {
    let text = ""
    for (let index = 0; index < holes.length; index++) {
      const hole = holes[index]
      if (typeof hole === "object" && hole !== null && "shape" in hole && "shown" in hole)
        text += `[${index}:${this.#shape(hole.shape as Shape)}]`
    }
    return text
  }

  #shape({ literals, nested }: Shape): string {
    return `${this.#id(literals)}${nested.map(([index, shape]) => `[${index}:${this.#shape(shape)}]`).join("")}`
  }
}

/** Digests all that can change an answer: the rendered messages, the model and its version, the parameters, the schema. */
export const requestDigest = (messages: ReadonlyArray<ModelMessage>, parameters: string): string => {
  let text = parameters
  for (const { role, text: rendered } of messages) text += `\u0000${role}\u0000${rendered}`
  return hash("sha256", text, "hex").slice(0, 32)
}
