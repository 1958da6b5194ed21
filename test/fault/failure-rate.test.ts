import { describe, expect, it } from "vitest"

import { askJob } from "../support/ask-run.ts"
import { openPaidHome, outcomeOf } from "../support/paid-home.ts"

const texts = (good: number, bad: number): ReadonlyArray<string> => [
  ...Array.from({ length: good }, (_, n) => `a good mail ${n}.`),
  ...Array.from({ length: bad }, (_, n) => `a bad mail ${n}.`)
]
const faults = { markers: { "a bad mail": "500" } } as const
const env = { ASK_RETRIES: "1" }

describe("a primary pass in which too much failed", { timeout: 120_000 }, () => {
  it("[OPS-5] [RTY-2] [RTY-5] retry amplification: stops at a gate before anything is asked again; approved, the sweep asks each once more, and no more", async () => {
    await using paid = await openPaidHome(texts(94, 6), { faults })
    const first = await paid.start(["run", askJob], env).ended
    expect(first.code, first.stderr).toBe(4)
    const { run, gate, sweeps, alerts } = outcomeOf(first)
    // The rate, and the gate.
    expect([sweeps, alerts, paid.fake.stats().calls]).toEqual([0, 2, 100])
    const shown = await paid.start(["gates"]).ended
    expect(JSON.parse(shown.stdout)).toMatchObject([
      { gate, kind: "failure-rate", detail: { items: 100, failed: 6, rateMax: 0.05, byCode: [{ code: "server-error", count: 6 }] } }
    ])
    expect(first.stderr).toContain("6 % of the items")
    // A resume alone changes nothing, and asks nobody.
    const again = await paid.start(["resume", run], env).ended
    expect(again.code, again.stderr).toBe(4)
    expect(paid.fake.stats().calls).toBe(100)
    const approved = await paid.start(["approve", gate ?? "", "--note", "their outage is over"], env).ended
    expect(approved.code, approved.stderr).toBe(3)
    expect(outcomeOf(approved)).toMatchObject({ delivered: 94, dead: 6, retried: 6, sweeps: 1, gate: null })
    expect(paid.fake.stats().calls).toBe(106)
  })

  it("[RTY-2] rejected, what failed is held back without another call, and the run closes", async () => {
    await using paid = await openPaidHome(texts(94, 6), { faults })
    const { gate } = outcomeOf(await paid.start(["run", askJob], env).ended)
    const rejected = await paid.start(["reject", gate ?? ""], env).ended
    expect(rejected.code, rejected.stderr).toBe(3)
    expect(outcomeOf(rejected)).toMatchObject({ delivered: 94, dead: 0, held: 6, status: "done" })
    expect(paid.fake.stats().calls).toBe(100)
  })

  it("[RTY-2] at 5 % it goes on by itself", async () => {
    await using paid = await openPaidHome(texts(95, 5), { faults })
    const ended = await paid.start(["run", askJob], env).ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(outcomeOf(ended)).toMatchObject({ delivered: 95, dead: 5, retried: 5, sweeps: 1, alerts: 1, gate: null })
  })
})
