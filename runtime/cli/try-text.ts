/** What `try` saw, as a person reads it. */
import type { Tried, TriedCall, TriedRule } from "../execute/try-item.ts"
import { formatCount, formatUsd } from "./format.ts"

interface TriedView extends Tried {
  readonly key: string
  readonly at: string
}

/** A longer message is cut here; `--json` has all of it. */
const charactersMax = 4_000

export const tryText = (view: TriedView): string => {
  const { key, at, label, events, steps, problems, disposition } = view
  const ends = steps.filter((step) => step.disposition !== null)
  return [
    `Item ${key} (${at})${label === null ? "" : `, partition "${label}"`}`,
    ...blocksOf(events),
    ...(problems.length === 0 ? [] : [problems.map(({ step, code, message }) => `${step}: ${code}\n  ${message}`).join("\n")]),
    ...(ends.length === 0
      ? []
      : [
          ends
            .map(
              ({ step, disposition: end, rule, code }) =>
                `${step}: ${ended(end)}${rule !== null ? ` by rule "${rule}"` : code === null ? "" : ` (${code})`}`
            )
            .join("\n")
        ]),
    disposition === null ? "The item went no further than this." : `The item would be ${ended(disposition)}. Nothing was written.`
  ].join("\n\n")
}

const ended = (disposition: string | null): string => dispositions[disposition ?? ""] ?? String(disposition)
const dispositions: Readonly<Record<string, string>> = {
  delivered: "delivered",
  dead: "a dead letter",
  review: "in review",
  held: "held back",
  skipped: "skipped"
}

/** The rules of a step are one block. */
const blocksOf = (events: ReadonlyArray<TriedCall | TriedRule>): ReadonlyArray<string> => {
  const blocks: Array<string> = []
  let step: string | null = null
  for (const event of events) {
    if (event.kind === "call") blocks.push(callText(event))
    else if (step === event.step) blocks.push(`${blocks.pop()}\n${ruleText(event)}`)
    else blocks.push(`${event.step}\n${ruleText(event)}`)
    step = event.kind === "rule" ? event.step : null
  }
  return blocks
}

const ruleText = ({ rule, passed, orElse, problem }: TriedRule): string =>
  `  ${passed ? "passed " : "refused"}  ${rule}${passed ? "" : ` → ${verdicts[orElse]}`}${problem === null ? "" : `: it threw ${problem}`}`

const verdicts = { deadLetter: "dead letter", review: "review", flag: "flag, and on", retry: "ask again" } as const

const callText = (call: TriedCall): string => {
  const { step, model, modelVersion, attempt, messages, promptVersion, requestDigest, raw, output, problem, outcome } = call
  const answer = output === null ? [] : [`  answer      ${JSON.stringify(output)}`]
  const isNews = raw !== null && (output === null || raw !== JSON.stringify(output))
  return [
    `${step}  asks ${model} ${modelVersion}, attempt ${attempt}`,
    `  request     ${requestDigest}`,
    `  prompt      version ${promptVersion}`,
    ...messages.map(({ role, text }) => boxed(role, text)),
    ...(isNews ? [`  it said     ${cut(raw)}`] : []),
    ...answer,
    `  ${outcome === "answered" ? "answered   " : outcome.padEnd(11)} ${measures(call)}`,
    ...(problem === null ? [] : [`  ${problem}`])
  ].join("\n")
}

const measures = ({ ms, confidence, inputTokens, outputTokens, costUsd }: TriedCall): string =>
  [
    `in ${formatCount(ms)} ms`,
    ...(confidence === null ? [] : [`confidence ${confidence}`]),
    ...(inputTokens + outputTokens === 0 ? [] : [`${formatCount(inputTokens)} tokens in, ${formatCount(outputTokens)} out`]),
    costUsd === null ? "price unknown" : formatUsd(costUsd)
  ].join(", ")

const boxed = (role: string, text: string): string => `  ┌ ${role}\n${cut(text).replaceAll(/^/gm, "  │ ")}`

const cut = (text: string): string =>
  text.length <= charactersMax
    ? text
    : `${text.slice(0, charactersMax)}\n… and ${formatCount(text.length - charactersMax)} more characters, all of them with --json`
