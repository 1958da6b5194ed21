import { describe, expect, it } from "vitest"

import type { RunReport } from "../../../runtime/report/run-report.ts"
import { clockOf } from "../../../runtime/report/text.ts"
import { nextSteps, verdictOf } from "../../../runtime/report/verdict.ts"
import { emptyReport, lossyReport, sampleReport } from "./sample-report.ts"

const perfect: RunReport = {
  ...sampleReport,
  rejected: [],
  rowsRead: 6046,
  flagged: 0,
  dispositions: { delivered: 6046, dead: 0, review: 0, held: 0, skipped: 0 }
}

const clock = clockOf("UTC")

describe("the verdict", () => {
  it.each<readonly [string, RunReport, string, string, string]>([
    ["a perfect run", perfect, "good", "Done", "6,046 items, all delivered"],
    [
      "a run with open ends",
      sampleReport,
      "open",
      "Done, 284 to look at",
      "6,046 items: 5,731 delivered, 213 wait for review, 71 dead letters, 31 skipped"
    ],
    [
      "a run that lost items",
      lossyReport,
      "bad",
      "Done, incomplete",
      "6,046 items: 5,729 delivered, 213 wait for review, 71 dead letters, 31 skipped, 2 unaccounted for"
    ],
    ["a failed run", { ...perfect, status: "failed" }, "bad", "Failed", "6,046 items, all delivered"],
    ["an empty run", emptyReport, "good", "Done", "0 items: nothing came in"],
    ["a run that hasn't read anything yet", { ...emptyReport, status: "running" }, "open", "Running", "0 items so far"],
    [
      "a run of one",
      { ...perfect, manifest: 1, rowsRead: 1, dispositions: { delivered: 0, dead: 1, review: 0, held: 0, skipped: 0 } },
      "open",
      "Done, 1 to look at",
      "1 item: 1 dead letter"
    ]
  ])("[OPS-4] says of %s what a person would", (_, report, tone, status, headline) => {
    expect(verdictOf(report, clock)).toMatchObject({ tone, status, headline })
  })

  it("[OPS-4] adds what is easily overlooked", () => {
    expect(verdictOf({ ...sampleReport, sessions: 3 }, clock).details).toEqual([
      "Ended 24 Nov 2026, 14:38 after 38 min 12 s of work; $1.31 spent of $40.00.",
      "47 rows could not be used and were set aside.",
      "118 items carry an advisory flag.",
      "212 items failed at first and were asked again, in 2 sweeps.",
      "It took 3 processes: the run was resumed.",
      "Every row read is accounted for."
    ])
  })
})

describe("a run with a gate", () => {
  const gate = { gate: `${perfect.run}.1`, kind: "budget", decision: null, addUsd: null } as const

  it("[CST-2] [OPS-4] waits, and says what to type", () => {
    const waiting: RunReport = { ...perfect, status: "waiting", endedAt: null, gates: [gate] }
    expect(verdictOf(waiting, clock)).toMatchObject({ tone: "open", status: "Waiting at a gate" })
    expect(nextSteps(waiting).map(({ command }) => command)).toEqual(["runtime gates", `runtime reject ${gate.gate}`])
  })

  it("[CST-2] [OPS-4] was given more, or closed early: it says so", () => {
    const approved: RunReport = { ...perfect, gates: [{ ...gate, decision: "approved", addUsd: 20 }] }
    expect(verdictOf(approved, clock).details[0]).toContain("of $60.00.")
    const rejected: RunReport = { ...perfect, gates: [{ ...gate, decision: "rejected" }] }
    const closed = `A person closed it early, at gate ${gate.gate}: what was open was held back without a call.`
    expect(verdictOf(rejected, clock).details).toContain(closed)
    expect(verdictOf(approved, clock).details).not.toContain(closed)
  })
})

describe("what to type next", () => {
  it("[OPS-4] is nothing where nothing is open", () => {
    expect(nextSteps(perfect)).toEqual([])
  })

  it.each(["preparing", "running", "interrupted", "cancelled", "failed", "done"])("[OPS-4] names only verbs that exist: %s", (status) => {
    for (const { command } of nextSteps({ ...lossyReport, status })) expect(command).toMatch(/^runtime (resume|trace|sql|status) /)
  })

  it("[OPS-4] begins with resuming where a run stopped", () => {
    expect(nextSteps({ ...sampleReport, status: "failed" })[0]?.command).toBe(`runtime resume ${sampleReport.run}`)
  })
})
