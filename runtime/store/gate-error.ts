/** Why nothing was decided at a gate. */
import * as Schema from "effect/Schema"

export class GateNotFound extends Schema.TaggedError<GateNotFound>()("GateNotFound", { gate: Schema.String, state: Schema.String }) {
  override get message(): string {
    return `There is no gate "${this.gate}" in ${this.state}. List them with \`runtime gates\`, or name another folder with --state DIR.`
  }
}

/** It was decided, it expired, or its run ended without it. */
export class GateNotOpen extends Schema.TaggedError<GateNotOpen>()("GateNotOpen", {
  gate: Schema.String,
  run: Schema.String,
  /** The end of the sentence "gate G was …". */
  outcome: Schema.String,
  isRunDone: Schema.Boolean,
  /** Whether the run only comes to its end. */
  isOver: Schema.Boolean
}) {
  override get message(): string {
    const next = this.isRunDone
      ? `\`runtime report ${this.run}\` says what it came to.`
      : this.isOver
        ? `\`runtime resume ${this.run}\` holds back what is open, and closes the run.`
        : `\`runtime resume ${this.run}\` goes on.`
    return `Gate ${this.gate} was ${this.outcome}. Nothing was changed; ${next}`
  }
}

/** A release whose sample a person hasn't accepted, whole. */
export class SampleNotAccepted extends Schema.TaggedError<SampleNotAccepted>()("SampleNotAccepted", {
  gate: Schema.String,
  items: Schema.Finite,
  undecided: Schema.Finite,
  rejected: Schema.Finite
}) {
  override get message(): string {
    const { gate, items, undecided, rejected } = this
    const parts = [
      ...(undecided > 0 ? [`${undecided} ${undecided === 1 ? "is" : "are"} undecided`] : []),
      ...(rejected > 0 ? [`${rejected} ${rejected === 1 ? "is" : "are"} rejected`] : [])
    ]
    return (
      `Gate ${gate} releases only what a person has seen: of the ${items} items of its sample, ${parts.join(" and ")}. Nothing was changed. ` +
      `See them with \`runtime sample list ${gate}\`, accept with \`runtime sample accept ${gate} ITEM\`, or \`runtime reject ${gate}\` and release nothing.`
    )
  }
}

/** Names that no item of the sample has. */
export class SampleItemUnknown extends Schema.TaggedError<SampleItemUnknown>()("SampleItemUnknown", {
  gate: Schema.String,
  items: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `The sample of gate ${this.gate} has no item ${this.items.map((item) => `"${item}"`).join(", ")}. Nothing was changed. \`runtime sample list ${this.gate}\` names them.`
  }
}
