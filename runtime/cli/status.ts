/** `runtime status [RUN]` */
import * as Clock from "effect/Clock"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"

import type { RunNow } from "../store/read-run-status.ts"
import { etaText } from "./eta-text.ts"
import { formatCount, formatMinute, formatSeconds, formatUsd } from "./format.ts"
import { verb } from "./verb.ts"

const lookEvery = "1 second"

export const status = verb(
  "status",
  {
    description: "What runs are doing now: progress, pace, dispositions, who works on them. Never waits for a run and never disturbs it.",
    examples: [
      ["runtime status", "every run that isn't done"],
      ["runtime status mail-triage-20261125-013000-7f3k --watch", "one run, redrawn every second until it ends"]
    ]
  },
  {
    run: Argument.String("run").pipe(Argument.withDescription("the run's name; without one, all that aren't done"), Argument.optional),
    watch: Flag.Boolean("watch").pipe(Flag.withDescription("look again every second until nothing runs"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* ({ run, watch, state, json }) {
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { readRunStatus } = yield* Effect.promise(() => import("../store/read-run-status.ts"))
    const { findRunNames } = yield* Effect.promise(() => import("../store/find-run-names.ts"))
    const { RunNotFound } = yield* Effect.promise(() => import("../execute/run-error.ts"))
    const folder = yield* openStateFolder(state)
    const look = Effect.gen(function* () {
      const names = Option.isSome(run) ? [run.value] : findRunNames(folder)
      const found = yield* Effect.forEach(names, (name) => readRunStatus(folder.run(name), name), { concurrency: 1 })
      return found.flatMap((seen) => (seen !== null && (Option.isSome(run) || seen.status !== "done") ? [seen] : []))
    })
    const textOf = (seen: ReadonlyArray<RunNow>) =>
      Effect.map(Clock.currentTimeMillis, (now) => seen.map((each) => statusText(each, new Date(now))).join("\n"))
    const show = (seen: ReadonlyArray<RunNow>) => Effect.map(textOf(seen), (text) => void process.stderr.write(`${text}\n`))
    const untilEnded = look.pipe(
      Effect.tap((seen) => (json ? Effect.void : show(seen))),
      Effect.repeat({ schedule: Schedule.spaced(lookEvery), until: (seen) => !seen.some((each) => each.status === "running") })
    )
    const seen = yield* watch ? untilEnded : look
    if (Option.isSome(run) && seen.length === 0) return yield* new RunNotFound({ run: run.value, state: folder.root })
    return {
      json: Option.isSome(run) ? seen[0] : seen,
      text: seen.length === 0 ? "Nothing runs or waits. `runtime runs` lists what has." : yield* textOf(seen)
    }
  })
)

const statusText = (now: RunNow, at: Date): string => {
  const eta = now.status === "running" ? etaText(now, at) : dueText(now.deadline, at)
  const { run, status: is, phase, manifest, committed, dispositions, spentUsd, perSecond, remainingSeconds, trouble, holder } = now
  const pace = perSecond === null ? "" : ` at ${formatCount(perSecond)}/s`
  const left = remainingSeconds === null ? "" : `, ${formatSeconds(remainingSeconds)} left`
  const ended = Object.entries(dispositions).flatMap(([disposition, items]) => (items > 0 ? [`${disposition} ${formatCount(items)}`] : []))
  const next =
    is === "waiting" && now.gate !== null
      ? `\n  waits for you at gate ${now.gate}: runtime gates`
      : is === "waiting" || is === "crashed" || is === "interrupted" || is === "cancelled" || is === "failed"
        ? `\n  go on: runtime resume ${run}`
        : ""
  return (
    [
      `${run}: ${is}${phase === null || is !== "running" ? "" : ` (${phase})`}, ${formatCount(committed)} of ${formatCount(manifest)} items${pace}${left}`,
      ...(ended.length > 0 ? [`  ${ended.join(" · ")} · spent ${formatUsd(spentUsd)}`] : []),
      ...(eta === null || is === "done" ? [] : [`  ${eta}`]),
      ...(holder === null ? [] : [`  process ${holder.pid} since ${holder.startedAt}: ${holder.command}`]),
      ...(trouble === null ? [] : [`  waiting: ${trouble}`])
    ].join("\n") + next
  )
}

/** Of a run that nobody works on: its time goes on. */
const dueText = (deadline: string | null, at: Date): string | null =>
  deadline === null
    ? null
    : `due ${formatMinute(deadline)} UTC${deadline <= at.toISOString() ? ", which has passed" : ""}, and nobody works on it`
