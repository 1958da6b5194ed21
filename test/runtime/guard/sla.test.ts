import { describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import {
  isMissed,
  markAt,
  msToNextMark,
  Projector,
  workersWanted,
  type Deadline,
  type Look,
  type Waiting
} from "../../../runtime/guard/sla.ts"

const hour = 3_600_000
const deadline: Deadline = { startedAt: 0, at: hour }

const look = (now: number, done: number, over: Partial<Look> = {}): Look => ({ now, total: 1_000, done, waiting: [], ...over })

/** Looks at a run at the projector's own pace until `now`, of which `doneAt` says how far it is. */
const watched = (until: number, doneAt: (now: number) => number, over: Partial<Look> = {}) => {
  const projector = new Projector(deadline)
  for (let now = 0; now <= until; now += projector.intervalMs) projector.see(look(now, Math.floor(doneAt(now)), over))
  return { projector, projection: projector.project(look(until, Math.floor(doneAt(until)), over)) }
}

describe("the projected end of a run", () => {
  it("[SLA-1] follows from a steady pace, and its bounds hold it", () => {
    // One item every four seconds: a thousand take 4,000 s.
    const { projection } = watched(600_000, (now) => now / 4_000)
    expect(projection.etaAt).toBeGreaterThan(3_900_000)
    expect(projection.etaAt).toBeLessThan(4_100_000)
    expect(projection.etaLow).toBeLessThan(projection.etaAt!)
    expect(projection.etaHigh).toBeGreaterThan(projection.etaAt!)
    expect(isMissed(projection, deadline)).toBe(true)
    expect(isMissed(watched(600_000, (now) => now / 3_000).projection, deadline)).toBe(false)
  })

  it("[SLA-1] is unknown before anything is done, and is now when all is", () => {
    const unknown = { etaAt: null, etaLow: null, etaHigh: null }
    expect(watched(600_000, () => 0).projection).toEqual(unknown)
    expect(watched(600_000, (now) => now, { total: null }).projection).toEqual(unknown)
    expect(new Projector(deadline).project(look(5, 1_000))).toEqual({ etaAt: 5, etaLow: 5, etaHigh: 5 })
  })

  it("[SLA-1] waits for retries until they are due, and for provider batches within their bounds", () => {
    const batch: Waiting = { items: 500, low: 2 * hour, at: 3 * hour, high: 24 * hour, isWorked: false }
    const retries: Waiting = { items: 100, low: 2 * hour, at: 2 * hour, high: 2 * hour, isWorked: true }
    const pace = (now: number) => now / 1_000
    expect(watched(400_000, pace, { waiting: [batch] }).projection).toEqual({ etaAt: 3 * hour, etaLow: 2 * hour, etaHigh: 24 * hour })
    const { etaAt } = watched(400_000, pace, { waiting: [retries] }).projection
    expect(etaAt).toBeGreaterThan(2 * hour + 90_000)
    expect(etaAt).toBeLessThan(2 * hour + 110_000)
  })

  it("[SLA-1] a change of capacity makes the pace since then count, as soon as it shows one", () => {
    const projector = new Projector(deadline)
    const see = (from: number, to: number, doneAt: (now: number) => number) => {
      for (let now = from; now < to; now += projector.intervalMs) projector.see(look(now, Math.floor(doneAt(now))))
    }
    see(0, 400_000, (now) => now / 10_000)
    projector.restart()
    expect(projector.isSure).toBe(false)
    see(400_000, 600_000, (now) => 40 + (now - 400_000) / 2_000)
    expect(projector.isSure).toBe(true)
    const { etaAt } = projector.project(look(600_000, 140))
    expect(etaAt).toBeGreaterThan(600_000 + 1_500_000)
    expect(etaAt).toBeLessThan(600_000 + 2_100_000)
  })

  it.prop(
    "[SLA-1] over random paces: bounds are in order, none lies in the past, and more done means no later an end",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))).check(Schema.isMinLength(2), Schema.isMaxLength(80))],
    ([steps]) => {
      const projector = new Projector(deadline)
      let done = 0
      for (const [index, step] of steps.entries()) {
        done = Math.min(1_000, done + step)
        const now = index * projector.intervalMs
        projector.see(look(now, done))
        const { etaAt, etaLow, etaHigh } = projector.project(look(now, done))
        if (etaAt === null) {
          expect(etaHigh).toBeNull()
          continue
        }
        expect(etaAt).toBeGreaterThanOrEqual(now)
        expect(etaLow).toBeLessThanOrEqual(etaAt)
        if (etaHigh !== null) expect(etaHigh).toBeGreaterThanOrEqual(etaAt)
        expect(projector.project(look(now, done, { total: 1_100 })).etaAt).toBeGreaterThanOrEqual(etaAt)
      }
    }
  )
})

describe("the marks of a deadline", () => {
  it("[SLA-2] are at 70 %, 90 % and all of the time since the run was created", () => {
    expect([0, 0.69, 0.7, 0.89, 0.9, 0.99, 1, 5].map((share) => markAt(deadline, share * hour))).toEqual([
      null,
      null,
      "sla-70",
      "sla-70",
      "sla-90",
      "sla-90",
      "sla-breach",
      "sla-breach"
    ])
    expect([0, 0.7, 0.95, 1].map((share) => msToNextMark(deadline, share * hour))).toEqual([
      0.7 * hour,
      expect.closeTo(0.2 * hour),
      expect.closeTo(0.05 * hour),
      Number.POSITIVE_INFINITY
    ])
  })

  it("[EXE-2] workers are added by what is lacking, at most twofold, and never where the end is in time", () => {
    expect(workersWanted(4, 0.9 * hour, deadline, 0)).toBe(4)
    expect(workersWanted(4, 0.95 * hour, deadline, 0)).toBe(5)
    expect(workersWanted(4, 1.5 * hour, deadline, 0)).toBe(7)
    expect(workersWanted(4, 9 * hour, deadline, 0)).toBe(8)
    expect(workersWanted(4, null, deadline, 0)).toBe(8)
    expect(workersWanted(4, 3 * hour, deadline, 2 * hour)).toBe(8)
  })
})
