/** Why a run could not go on: what happened, and what to type next. */
import * as Schema from "effect/Schema"

import type { GateRecord } from "../store/ledger.ts"
import { minuteOf } from "../store/minute.ts"
import { gateKindNames } from "../store/state-tables.ts"
import { commandLines, gateWords } from "./gate-kinds.ts"

/** The job compiles to another plan than the run began with. */
export class PlanChanged extends Schema.TaggedError<PlanChanged>()("PlanChanged", { run: Schema.String }) {
  override get message(): string {
    return `The job of run ${this.run} compiles to another plan than it began with. Nothing was done: \`runtime resume ${this.run}\` says what changed.`
  }
}

/** The job changed so much that the run can't go on under its new plan. */
export class PlanUnfit extends Schema.TaggedError<PlanUnfit>()("PlanUnfit", {
  run: Schema.String,
  obstacles: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return (
      `Run ${this.run} can't go on under the plan that its job compiles to now: ${this.obstacles.join("; ")}. Nothing was changed. ` +
      `Restore the job and \`runtime resume ${this.run}\`, or start anew with \`runtime run\`: answers to equal requests are reused.`
    )
  }
}

export class RunClosed extends Schema.TaggedError<RunClosed>()("RunClosed", { run: Schema.String }) {
  override get message(): string {
    return `Run ${this.run} is done, and a closed run never changes. See it with \`runtime report ${this.run}\`, or start another with \`runtime run\`.`
  }
}

export class RunNotFound extends Schema.TaggedError<RunNotFound>()("RunNotFound", { run: Schema.String, state: Schema.String }) {
  override get message(): string {
    return `There is no run "${this.run}" in ${this.state}. List them with \`runtime runs\`, or name another folder with --state DIR.`
  }
}

/** Its process ended between naming the run and its first durable row: no parameter of it is known. */
export class RunNotBegun extends Schema.TaggedError<RunNotBegun>()("RunNotBegun", { run: Schema.String }) {
  override get message(): string {
    return `Run ${this.run} was stopped before it had begun: nothing was read, asked or written, and there is nothing to go on from. Start it again with \`runtime run\`.`
  }
}

export class Incomplete extends Schema.TaggedError<Incomplete>()("Incomplete", {
  run: Schema.String,
  manifest: Schema.Finite,
  settled: Schema.Finite,
  gaps: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return (
      `Run ${this.run} does not add up: ${this.manifest} items in the manifest, ${this.settled} with a disposition. Nothing was released. ` +
      `Items: ${this.gaps.slice(0, 5).join(", ")}${this.gaps.length > 5 ? ", …" : ""}. Try \`runtime resume ${this.run}\`, and look with \`runtime trace --id ${this.gaps[0] ?? "ID"}\`.`
    )
  }
}

/** A consumer's files can't be written, though the run is complete: it stays open until they are. */
export class ExportFailed extends Schema.TaggedError<ExportFailed>()("ExportFailed", {
  run: Schema.String,
  /** Null where the job didn't get as far as naming it. */
  folder: Schema.NullOr(Schema.String),
  reason: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    const { run, folder, reason, detail } = this
    const remedy =
      reason === "job"
        ? "mend the job"
        : reason === "full"
          ? "make room there"
          : reason === "read-only"
            ? "give this user write access there"
            : "see to that folder"
    return (
      `Run ${run} is complete, and its export${folder === null ? "" : ` to ${folder}`} could not be written: ${detail}. Nothing is lost, and nothing is asked again: ` +
      `${remedy} and \`runtime resume ${run}\`; where the job was changed to export elsewhere, \`runtime resume ${run} --accept-plan\`.`
    )
  }
}

export class ServicesFailed extends Schema.TaggedError<ServicesFailed>()("ServicesFailed", { job: Schema.String, detail: Schema.String }) {
  override get message(): string {
    return `The services of job "${this.job}" could not be made: ${this.detail}. Nothing was run.`
  }
}

export class EngineMissing extends Schema.TaggedError<EngineMissing>()("EngineMissing", {
  job: Schema.String,
  models: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return (
      `Job "${this.job}" asks ${this.models.join(", ")}, and this version runs embedded models only. Nothing was run. ` +
      `Name a model with local(…), or see the plan with \`runtime plan\`.`
    )
  }
}

/** A run with a budget can't hold it without knowing what its calls cost (case 37). */
export class PriceUnknown extends Schema.TaggedError<PriceUnknown>()("PriceUnknown", {
  job: Schema.String,
  models: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const [first = "my-model"] = this.models
    return (
      `Job "${this.job}" asks ${this.models.join(", ")}, and no price is known of ${this.models.length === 1 ? "it" : "them"}: its budget could not be held. Nothing was run or written. ` +
      `Give what you pay for a million tokens where the model is declared: "${first}" with price: { inputUsd: 0.25, outputUsd: 2 }; a server of your own may cost 0.`
    )
  }
}

/** An answer of an earlier session doesn't fit the schema that its step has now: the next steps can't be given it. */
export class AnswerUnfit extends Schema.TaggedError<AnswerUnfit>()("AnswerUnfit", {
  step: Schema.String,
  itemId: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return (
      `Step "${this.step}" has another output schema than when the run began, and the answer that item ${this.itemId} has there doesn't fit it: ${this.detail}. ` +
      "Everything that is done stays. Give the step its old schema and `runtime resume`, or start anew with `runtime run`."
    )
  }
}

/** An aggregate or a report of the job's failed; every item is safe. */
export class SummaryFailed extends Schema.TaggedError<SummaryFailed>()("SummaryFailed", {
  run: Schema.String,
  step: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Step "${this.step}" of run ${this.run} failed: ${this.detail}. Every answer is safe: mend the step, then \`runtime resume ${this.run} --accept-plan\` goes on there without new calls.`
  }
}

/** A step could not be evaluated on its labelled sample. */
export class EvaluationFailed extends Schema.TaggedError<EvaluationFailed>()("EvaluationFailed", {
  run: Schema.String,
  step: Schema.String,
  /** Without personal data: rows by their place in the sample. */
  detail: Schema.String
}) {
  override get message(): string {
    return `Step "${this.step}" of run ${this.run} could not be evaluated: ${this.detail}. No item was asked. Mend it, then \`runtime resume ${this.run}\`.`
  }
}

/** A provider wouldn't take a batch, or lost it. */
export class BatchRefused extends Schema.TaggedError<BatchRefused>()("BatchRefused", {
  run: Schema.String,
  model: Schema.String,
  account: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return (
      `Run ${this.run} could not hand its batch for ${this.model} to account "${this.account}": ${this.detail}. ` +
      `Everything that is done stays, and no item was given up on. When the cause is gone, \`runtime resume ${this.run}\` goes on.`
    )
  }
}

/** No call of an account can succeed until a person acts. */
export class AccountFault extends Schema.TaggedError<AccountFault>()("AccountFault", {
  run: Schema.String,
  account: Schema.String,
  detail: Schema.String,
  openItems: Schema.Finite
}) {
  override get message(): string {
    return (
      `Run ${this.run} stopped: ${this.detail.replace(/\.$/, "")}. No call of account "${this.account}" can succeed until that is mended, so none was tried again; ` +
      `${this.openItems} items are open and none was given up on. Then \`runtime resume ${this.run}\` goes on from here.`
    )
  }
}

/** An account takes no call in the time that the run has left. */
export class AccountClosed extends Schema.TaggedError<AccountClosed>()("AccountClosed", {
  run: Schema.String,
  account: Schema.String,
  /** UTC, ISO 8601. */
  until: Schema.String,
  openItems: Schema.Finite
}) {
  override get message(): string {
    return (
      `Run ${this.run} stopped: its provider takes no call of account "${this.account}" before ${this.until}, which is behind the run's deadline. ` +
      `${this.openItems} items are open and none was given up on: \`runtime resume ${this.run}\` goes on then, late.`
    )
  }
}

/** The run waits for a person, with everything that is done durable. */
export class WaitsAtGate extends Schema.TaggedError<WaitsAtGate>()("WaitsAtGate", {
  run: Schema.String,
  gate: Schema.String,
  kind: Schema.Literals(gateKindNames),
  /** As the gate's row keeps it. */
  detail: Schema.Unknown,
  /** UTC, ISO 8601; null for never. */
  expiresAt: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const { says, commands } = gateWords(this.gate, this.kind, this.detail)
    const [first = "it needs your word.", ...others] = says
    return [
      `Run ${this.run} waits for you at its ${this.kind} gate: ${first}`,
      ...others,
      ...commandLines(commands),
      ...(this.expiresAt === null ? [] : [`Undecided on ${minuteOf(new Date(this.expiresAt))}, it counts as rejected.`])
    ].join("\n")
  }
}

/** The error of a run that stops at a gate of the ledger's. */
export const waitsAt = ({
  expiresAt,
  ...gate
}: Omit<GateRecord, "openedAt" | "decision" | "addUsd" | "detail"> & { run: string; detail: unknown }) =>
  new WaitsAtGate({ ...gate, expiresAt: expiresAt?.toISOString() ?? null })
