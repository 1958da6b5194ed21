/** `runtime sample list|show|accept|reject GATE ITEM…` */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { ListedSample } from "../store/decide-sample.ts"
import type { SampledItem } from "../store/release-sample.ts"
import type { SampleDecision } from "../store/state-tables.ts"
import { Misuse } from "./misuse.ts"
import { byFlag, noteFlag } from "./decide.ts"
import { osUser } from "./os-user.ts"
import { verb, type CommonFlags, type Said } from "./verb.ts"

const gateArgument = Argument.String("gate").pipe(Argument.withDescription("the release gate's name, as `runtime gates` lists it"))
const itemArguments = Argument.String("item").pipe(
  Argument.withDescription("items of the sample, by number, key or id"),
  Argument.variadic()
)

const list = verb(
  "list",
  {
    description: "List the sample at a release gate, and what was said of each item.",
    examples: [["runtime sample list RUN.1", "what is to be seen"]]
  },
  { gate: gateArgument },
  Effect.fnUntraced(function* ({ gate, state }) {
    const { listSample } = yield* Effect.promise(() => import("../store/decide-sample.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    return yield* listed(yield* listSample(yield* openStateFolder(state), gate))
  })
)

const show = verb(
  "show",
  {
    description: "Show items of the sample: what came in, and what would be released.",
    examples: [["runtime sample show RUN.1 3", "the third item; without one, all of them"]]
  },
  { gate: gateArgument, items: itemArguments },
  Effect.fnUntraced(function* ({ gate, items, state }) {
    const { listSample } = yield* Effect.promise(() => import("../store/decide-sample.ts"))
    const { SampleItemUnknown } = yield* Effect.promise(() => import("../store/gate-error.ts"))
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const sample = yield* listSample(yield* openStateFolder(state), gate)
    const { sampledItem } = yield* Effect.promise(() => import("../store/release-sample.ts"))
    const unknown = items.filter((item) => sampledItem(sample.items, item) === undefined)
    if (unknown.length > 0) return yield* new SampleItemUnknown({ gate, items: unknown })
    const shown = items.length === 0 ? sample.items : items.flatMap((item) => sampledItem(sample.items, item) ?? [])
    return { json: shown.map(jsonOf), text: shown.map(shownText).join("\n\n") } satisfies Said
  })
)

const decision = (name: "accept" | "reject", decided: SampleDecision, description: string) =>
  verb(
    name,
    { description, examples: [[`runtime sample ${name} RUN.1 1 2 3`, "the first three"]] },
    { gate: gateArgument, items: itemArguments, note: noteFlag, by: byFlag },
    (request) => decide(request, decided)
  )

export const sample = Command.make("sample").pipe(
  Command.withDescription("The sample of outputs that a person must accept before a high-stakes run is released."),
  Command.withSubcommands([
    list,
    show,
    decision("accept", "accepted", "Accept items of the sample. Once all are, `runtime approve GATE` releases the run."),
    decision("reject", "rejected", "Reject items of the sample: while one is, the run can't be released.")
  ])
)

interface DecideRequest extends CommonFlags {
  readonly gate: string
  readonly items: ReadonlyArray<string>
  readonly note: Option.Option<string>
  readonly by: Option.Option<string>
}

const decide = Effect.fn("Cli.decideSample")(function* ({ gate, items, note, by, state }: DecideRequest, decided: SampleDecision) {
  const { decideSample } = yield* Effect.promise(() => import("../store/decide-sample.ts"))
  const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
  if (items.length === 0)
    return yield* new Misuse({ problem: "No item was named.", remedy: `Name items by number, key or id: \`runtime sample list ${gate}\`` })
  const verdict = { gate, items, decision: decided, by: Option.getOrElse(by, osUser), note: Option.getOrNull(note) }
  return yield* listed(yield* decideSample(yield* openStateFolder(state), verdict))
})

const listed = Effect.fnUntraced(function* ({ gate, items }: ListedSample) {
  const { textTable } = yield* Effect.promise(() => import("./table.ts"))
  const of = (decided: SampleDecision | null): number => items.filter(({ decision: each }) => each === decided).length
  const rows = items.map((item) => [
    String(item.position),
    item.key,
    item.itemId,
    lowest(item),
    item.flags.join(", "),
    item.decision ?? "",
    item.decidedBy ?? "",
    item.note ?? ""
  ])
  const next =
    gate.decision !== null
      ? `The gate is ${gate.decision}.`
      : of("rejected") > 0
        ? `While one is rejected nothing can be released: runtime reject ${gate.gate}`
        : of(null) > 0
          ? `  see them: runtime sample show ${gate.gate}\n  accept:   runtime sample accept ${gate.gate} ITEM…`
          : `All are accepted: runtime approve ${gate.gate}`
  return {
    json: items.map(jsonOf),
    text: [
      textTable(["#", "key", "id", "confidence", "flags", "verdict", "by", "note"], rows),
      `${of("accepted")} of ${items.length} are accepted, ${of("rejected")} rejected, ${of(null)} undecided.`,
      next
    ].join("\n")
  } satisfies Said
})

const lowest = ({ outputs }: SampledItem): string => {
  const known = outputs.flatMap(({ confidence }) => (confidence === null ? [] : [confidence]))
  return known.length === 0 ? "" : Math.min(...known).toFixed(2)
}

const jsonOf = ({ body, outputs, decidedAt, ...item }: SampledItem) => ({
  ...item,
  item: body === null ? null : (JSON.parse(body) as unknown),
  outputs: outputs.map(({ output, ...of }) => ({ ...of, output: JSON.parse(output) as unknown })),
  decidedAt: decidedAt?.toISOString() ?? null
})

const shownText = ({ position, key, body, reference, outputs, flags, decision: decided, decidedBy }: SampledItem): string =>
  [
    `${position}. ${key}${decided === null ? "" : `: ${decided} by ${decidedBy}`}`,
    body === null ? `  item: ${reference}` : `  item: ${indented(body)}`,
    ...outputs.map(
      ({ step, model, output, confidence }) =>
        `  ${step} (${model}${confidence === null ? "" : `, confidence ${confidence.toFixed(2)}`}): ${indented(output)}`
    ),
    ...(flags.length === 0 ? [] : [`  flags: ${flags.join(", ")}`])
  ].join("\n")

const indented = (json: string): string => JSON.stringify(JSON.parse(json), null, 2).replaceAll("\n", "\n  ")
