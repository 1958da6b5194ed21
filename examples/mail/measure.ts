/** How good were the answers? From counts of what was said of what, which an aggregate keeps, to the figures of a report. */
import type { Topic } from "./parse-mail.ts"
import { isTraining } from "./spam-filter.ts"

/** `ham as spam` is good mail taken for spam. A mail that the filters learned from proves nothing, so it counts apart. */
export type Outcome = `${Topic} as ${Topic}` | "learned"

/** The key to count by. */
export const outcomeOf = ({ item, output }: { item: { id: string; truth: Topic }; output: { topic: Topic } }): Outcome =>
  isTraining(item.id) ? "learned" : `${item.truth} as ${output.topic}`

export interface Quality {
  /** Of the mails said to be of this topic, the share that is; null if there was none. */
  readonly precision: number | null
  /** Of the mails of this topic, the share that was found; null if there was none. */
  readonly recall: number | null
}

/** Shares are from 0 to 1. */
export interface Measures extends Readonly<Record<Topic, Quality>> {
  /** How many mails the shares are of. */
  readonly judged: number
  readonly accuracy: number | null
}

export const measure = (counts: Readonly<Partial<Record<Outcome, number>>>): Measures => {
  const count = (...outcomes: ReadonlyArray<Outcome>) => outcomes.reduce((sum, outcome) => sum + (counts[outcome] ?? 0), 0)
  const quality = (topic: Topic, other: Topic): Quality => {
    const right = count(`${topic} as ${topic}`)
    return { precision: share(right, right + count(`${other} as ${topic}`)), recall: share(right, right + count(`${topic} as ${other}`)) }
  }
  const right = count("spam as spam", "ham as ham")
  const judged = right + count("spam as ham", "ham as spam")
  return { judged, accuracy: share(right, judged), spam: quality("spam", "ham"), ham: quality("ham", "spam") }
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)

/** The measures as Markdown: a sentence that says what they are of, and a table. */
export const measuresTable = (counts: Parameters<typeof measure>[0]): string => {
  const { judged, accuracy, spam, ham } = measure(counts)
  return [
    `Held against the labels of the ${judged} mails that the models had not learned from: accuracy ${percent(accuracy)}.`,
    "",
    "| topic | precision | recall |",
    "| --- | ---: | ---: |",
    `| spam | ${percent(spam.precision)} | ${percent(spam.recall)} |`,
    `| ham | ${percent(ham.precision)} | ${percent(ham.recall)} |`
  ].join("\n")
}

const percent = (part: number | null): string => (part === null ? "–" : `${(part * 100).toFixed(1)} %`)
