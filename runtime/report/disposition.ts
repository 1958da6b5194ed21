/** What became of a run's items, in numbers, words and colours: one order everywhere. */
import type { Dispositions, RunReport } from "./run-report.ts"

/** One of the dispositions, or the items that have none. */
export interface Outcome {
  readonly name: keyof Dispositions | "unfinished" | "lost"
  readonly items: number
  /** What is said after the number: 213 wait for review, 1 dead letter. */
  readonly word: string
  /** A variable of the style sheet; its swatch is the class of the same name. */
  readonly color: string
}

/** Every disposition, 0 or not; items without one only where there are some. */
export const outcomesOf = (report: RunReport): ReadonlyArray<Outcome> => {
  const open = openItems(report)
  const named = order.map((name) => outcome(name, report.dispositions[name]))
  // A run that is done has decided about every item: one without a disposition is lost.
  return open === 0 ? named : [...named, outcome(report.status === "done" ? "lost" : "unfinished", open)]
}

/** Items that have a disposition. */
export const settledItems = ({ dispositions }: RunReport): number => order.reduce((sum, name) => sum + dispositions[name], 0)

const openItems = (report: RunReport): number => Math.max(0, report.manifest - settledItems(report))

const order = ["delivered", "review", "dead", "held", "skipped"] as const

const outcome = (name: Outcome["name"], items: number): Outcome => {
  const [one, many = one] = words[name]
  return { name, items, word: items === 1 ? one : many, color: `var(--${name})` }
}

const words: Readonly<Record<Outcome["name"], readonly [one: string, many?: string]>> = {
  delivered: ["delivered"],
  review: ["waits for review", "wait for review"],
  dead: ["dead letter", "dead letters"],
  held: ["held back"],
  skipped: ["skipped"],
  unfinished: ["not finished"],
  lost: ["unaccounted for"]
}
