/** `dlq list` and `review list`: what waits, by cause first, then one by one, and what to type next. */
import * as Effect from "effect/Effect"

import { logAccess } from "../store/access-log.ts"
import {
  listStopped,
  selectionText,
  type StoppedGroup,
  type StoppedItem,
  type StoppedList,
  type StoppedSelection
} from "../store/list-stopped.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { readStoppedTexts, textKey, type StoppedText } from "../store/stopped-texts.ts"
import { formatCount, formatMinute } from "./format.ts"
import { osUser } from "./os-user.ts"
import { shellWord } from "./stopped-flags.ts"
import { textTable } from "./table.ts"
import type { Said } from "./verb.ts"

const shownDefault = { people: 20, programs: 1_000 } as const

type Texts = ReadonlyMap<string, StoppedText>

export const listForPerson = Effect.fn("Cli.listStopped")(function* (
  folder: StateFolder,
  selection: StoppedSelection,
  limit: number | null,
  asJson: boolean
) {
  const shown = limit ?? (asJson ? shownDefault.programs : shownDefault.people)
  const list = yield* listStopped(folder, selection, Math.max(0, shown))
  const action = { who: osUser(), action: "list", run: selection.run, selection: selectionText(selection), reason: null } as const
  // Keys and error texts are payload: who sees them is on record.
  if (list.items.length > 0) yield* logAccess(folder, { ...action, items: list.items.length })
  const texts = yield* readStoppedTexts(folder, [...list.items, ...(asJson ? [] : list.groups.map(({ example }) => example))])
  if (asJson && list.items.length < list.total)
    yield* Effect.sync(() => process.stderr.write(`${list.items.length} of ${list.total}: --limit ${list.total} gives all.\n`))
  return { json: list.items.map((item) => jsonOf(item, texts)), text: asJson ? "" : listText(selection, list, texts) } satisfies Said
}, Effect.scoped)

const jsonOf = (item: StoppedItem, texts: Texts) => {
  const text = texts.get(textKey(item))
  return {
    run: item.run,
    origin: item.origin,
    job: item.job,
    itemId: item.item_id,
    /** Null where the content can't be read now, was destroyed, or is of a run beyond the first twenty of the list. */
    key: text?.state === "read" ? text.key : null,
    step: item.step,
    code: item.code,
    rule: item.rule,
    message: text?.state === "read" ? text.message : null,
    attempts: item.attempts,
    stoppedAt: item.stopped_at.toISOString(),
    status: item.status,
    cause: item.cause,
    linkedRun: item.linked_run
  }
}

const listText = (selection: StoppedSelection, list: StoppedList, texts: Texts): string => {
  const words = selection.view === "dlq" ? (["dead letter", "dead letters"] as const) : (["answer", "answers"] as const)
  const noun = (items: number): string => `${formatCount(items)} ${items === 1 ? words[0] : words[1]}`
  const verbName = selection.view === "dlq" ? "dlq" : "review"
  const others = list.others.map(({ status, items }) => `${formatCount(items)} ${status}: --status ${status}`).join(" · ")
  if (list.total === 0)
    return [
      `${selection.view === "dlq" ? "No dead letter waits" : "No answer waits for review"}${filtersOf(selection)}.`,
      ...(others === "" ? [] : [others])
    ].join("\n")
  const waits = selection.view === "dlq" ? "" : " for review"
  const [largest] = list.groups
  const isCommon = largest !== undefined && largest.items > 1
  const head =
    largest === undefined || list.groupsInAll === 1
      ? `${noun(list.total)}${waits}, of one cause.`
      : `${noun(list.total)}${waits}, of ${list.groupsInAll} causes.${isCommon ? ` ${formatCount(largest.items)} of ${formatCount(list.total)} are the same: ${causeOf(largest)}.` : ""}`
  const more =
    list.groupsInAll > list.groups.length ? [`… and ${list.groupsInAll - list.groups.length} rarer causes; filters show them.`] : []
  return [
    head,
    ...list.groups.map((group) => groupText(selection, group, texts)),
    ...more,
    `\nNewest${list.items.length < list.total ? `, ${list.items.length} of ${formatCount(list.total)} (--limit N shows more)` : ""}:`,
    textTable(
      ["run", "item", "step", "why", "tries", "at", "status"],
      list.items.map((item) => rowOf(item, texts))
    ),
    ...(others === "" ? [] : [others]),
    `One of them: runtime ${verbName} show RUN ITEM`
  ].join("\n")
}

const filtersOf = (selection: StoppedSelection): string => {
  const filters = selectionText({ ...selection, statuses: null })
  return filters === "all" ? "" : ` (${filters})`
}

const causeOf = ({ step, code, rule, job }: StoppedGroup): string => `${rule === null ? code : `rule ${rule}`} at ${step} of ${job}`

const groupText = (selection: StoppedSelection, group: StoppedGroup, texts: Texts): string => {
  const { run, seq, item_id } = group.example
  const text = texts.get(textKey({ run, seq, step: group.step }))
  const verbName = selection.view === "dlq" ? "dlq" : "review"
  const item = text?.state === "read" ? text.key : item_id
  return [
    `\n${formatCount(group.items)} × ${causeOf(group)}`,
    ...(text?.state === "read" && text.message !== null ? [`  ${shortened(text.message)}`] : []),
    ...(text !== undefined && text.state !== "read" ? [`  ${whyUnread(text)}`] : []),
    `  e.g.  runtime ${verbName} show ${run} ${shellWord(item)}`,
    `  next  ${nextOf(selection, group, item)}`
  ].join("\n")
}

const nextOf = (selection: StoppedSelection, group: StoppedGroup, item: string): string => {
  const of = selection.run === null ? `--job ${group.job}` : selection.run
  if (selection.view === "review_queue")
    return `runtime review accept ${group.example.run} ${shellWord(item)}   (or reject --reason, or correct --output)`
  const same = `--step ${group.step} --code ${group.code}${group.rule === null ? "" : ` --rule ${group.rule}`}`
  if (group.unannotated > 0) return `runtime dlq annotate ${of} ${same} --cause SLUG`
  return `runtime dlq replay ${selection.run ?? `--run ${group.example.run}`} ${same}   (once it is mended)`
}

const whyUnread = (text: Exclude<StoppedText, { state: "read" }>): string =>
  text.state === "gone"
    ? "Its content was destroyed by retention."
    : `Its content can't be read now: ${text.holderPid === null ? "a process" : `process ${text.holderPid}`} works on the run.`

const rowOf = (item: StoppedItem, texts: Texts): ReadonlyArray<string> => {
  const text = texts.get(textKey(item))
  return [
    item.run,
    text?.state === "read" ? shortened(text.key, 40) : item.item_id,
    item.step,
    item.rule === null ? item.code : `rule ${item.rule}`,
    String(item.attempts),
    formatMinute(item.stopped_at.toISOString()),
    `${item.status}${item.cause === null ? "" : `: ${item.cause}`}${item.linked_run === null ? "" : ` in ${item.linked_run}`}`
  ]
}

const shortened = (text: string, most = 160): string => {
  const line = text.replaceAll(/\s+/g, " ")
  return line.length <= most ? line : `${line.slice(0, most)}…`
}
