/** Counts of items by where they ended. */
import type { Disposition } from "./state-tables.ts"

/** Adds counts of two parts of a run. */
export const addDispositions = (
  a: Readonly<Record<Disposition, number>>,
  b: Readonly<Record<Disposition, number>>
): Record<Disposition, number> => ({
  delivered: a.delivered + b.delivered,
  skipped: a.skipped + b.skipped,
  held: a.held + b.held,
  review: a.review + b.review,
  dead: a.dead + b.dead
})

/** Items of all dispositions together. */
export const countItems = ({ delivered, skipped, held, review, dead }: Readonly<Record<Disposition, number>>): number =>
  delivered + skipped + held + review + dead

/** The worst of several dispositions: dead, then review, held, skipped, delivered. */
export const worst = (dispositions: Iterable<Disposition>): Disposition => {
  let found: Disposition = "delivered"
  for (const disposition of dispositions) if (severity[disposition] > severity[found]) found = disposition
  return found
}

const severity: Readonly<Record<Disposition, number>> = { delivered: 0, skipped: 1, held: 2, review: 3, dead: 4 }

/** No item yet of any disposition. */
export const noDispositions: Readonly<Record<Disposition, number>> = { delivered: 0, skipped: 0, held: 0, review: 0, dead: 0 }
