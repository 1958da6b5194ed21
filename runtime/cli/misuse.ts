/** A command line that can't be meant. */
import * as Schema from "effect/Schema"

export class Misuse extends Schema.TaggedError<Misuse>()("Misuse", { problem: Schema.String, remedy: Schema.String }) {
  override get message(): string {
    return `${this.problem} ${this.remedy}`
  }
}
