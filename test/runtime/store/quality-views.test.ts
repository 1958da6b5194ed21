import { DuckDBInstance } from "@duckdb/node-api"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { compile, cron } from "../../../dsl/index.ts"
import { lineageFiles } from "../../../runtime/store/lineage-views.ts"
import { publish } from "../../../runtime/store/publish.ts"
import { readRunReport } from "../../../runtime/store/read-run-report.ts"
import { isAlerting, isMet, slos } from "../../../runtime/store/slo.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { openSampleRun, sampleJob, sampleSettlement, settleItems, tempState } from "../../support/store-run.ts"

const run = "2026-11-02-a"
const schedule = cron("0 1 * * *", { timeZone: "UTC", within: "6 hours" })
const plan = compile(sampleJob({ schedule }))

/** As an analyst does: another client, on the file that holds the views. */
const ask = (folder: StateFolder, query: string) =>
  Effect.promise(async () => {
    const instance = await DuckDBInstance.create(lineageFiles(folder).database, { access_mode: "READ_ONLY" })
    const connection = await instance.connect()
    try {
      return (await connection.runAndReadAll(query)).getRowObjectsJS()
    } finally {
      connection.closeSync()
      instance.closeSync()
    }
  })

/** A run of 100 items: two of ten end badly, one in five carries a flag, every 15th waits for a sweep, and the first call of every 25th failed. */
const finishedRun = Effect.gen(function* () {
  const folder = yield* tempState
  const report = yield* Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* openSampleRun(folder, { run, items: 100, plan })
      yield* settleItems(ledger, 0, 100, (seq, itemId) => {
        const settled = sampleSettlement(seq, itemId)
        const [last] = settled.attempts
        if (seq % 25 !== 0 || last === undefined) return settled
        return {
          ...settled,
          attempts: [
            { ...last, outcome: "timeout", confidence: null },
            { ...last, attempt: 2 }
          ]
        }
      })
      yield* ledger.close("done", null)
      yield* publish(ledger, folder, run)
      return yield* ledger.duck.use("reading", (db) => readRunReport(db, plan, new Date()))
    })
  )
  return { folder, report }
})

describe("views of quality", () => {
  it.live("[OPS-1] are there for any client, and say of the service levels what the report says", () =>
    Effect.gen(function* () {
      const { folder, report } = yield* finishedRun
      const rows = yield* ask(folder, `select slo, target, alert, value, met, alerting from slo where run = '${run}'`)
      const bySlo = Object.fromEntries(rows.map(({ slo, ...row }) => [slo, row]))
      for (const { slo, value, ...rest } of report.slos)
        expect(bySlo[slo], slo).toEqual({ ...rest, value: value === null ? null : expect.closeTo(value, 3) })
      expect(
        report.slos.map(({ slo, value, met, alerting }) => [slo, value === null ? null : Number(value.toFixed(2)), met, alerting])
      ).toEqual([
        ["within-sla", expect.any(Number), true, false],
        ["primary-failure-rate", 0.09, false, true],
        ["dead-letter-rate", 0.1, false, true],
        ["cost-overrun", 0, true, false],
        ["pass-rate", 0.9, false, true]
      ])
    })
  )

  it.live("[VAL-2] [OPS-1] count answers by step: passed, for review, failed, flagged, repaired", () =>
    Effect.gen(function* () {
      const { folder, report } = yield* finishedRun
      const rows = yield* ask(folder, `select * exclude (run, job, kind) from quality where run = '${run}' order by step`)
      const of = (step: string) => report.quality.find((one) => one.step === step)
      expect(rows).toMatchObject([
        { step: "triage", judged: 100n, passed: 100n, review: 0n, failed: 0n, flagged: 0n, repaired: 0n, pass_rate: 1 },
        { step: "trusted", judged: 100n, passed: 80n, review: 10n, failed: 10n, flagged: 20n, repaired: 0n, pass_rate: 0.9 }
      ])
      expect(of("triage")).toMatchObject({ judged: 100, passed: 100, flagged: 0, repaired: 0, passRate: 1 })
      expect(of("triage")?.meanConfidence).toBeCloseTo(0.495, 6)
      expect(rows[0]?.["mean_confidence"]).toBeCloseTo(0.495, 6)
      expect(of("trusted")).toMatchObject({
        judged: 100,
        passed: 80,
        review: 10,
        failed: 10,
        flagged: 20,
        passRate: 0.9,
        meanConfidence: null
      })
    })
  )

  it.live("[CST-3] add up costs by step, partition, model and month to what the attempts cost", () =>
    Effect.gen(function* () {
      const { folder, report } = yield* finishedRun
      const [row] = yield* ask(
        folder,
        `select sum(cost_usd) as usd, sum(calls) as calls, sum(failed) as failed, count(distinct partition_no) as partitions, min(month)::varchar as month,
          (select sum(cost_usd) from attempts) as all_usd from costs where run = '${run}'`
      )
      expect(row).toMatchObject({ calls: 104n, failed: 4n, partitions: 4n, month: expect.stringMatching(/^\d{4}-\d\d-01$/) })
      expect(row?.["usd"]).toBeCloseTo(report.money.spentUsd, 9)
      expect(row?.["usd"]).toBeCloseTo(Number(row?.["all_usd"]), 9)
    })
  )

  it.live("[OPS-4] an answer without a confidence stands in no bin of the report's histogram", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const ledger = yield* openSampleRun(folder, { run, items: 20, plan })
      yield* settleItems(ledger, 0, 20, (seq, itemId) => {
        const settled = sampleSettlement(seq, itemId)
        return { ...settled, attempts: settled.attempts.map((one) => ({ ...one, confidence: seq % 2 === 0 ? 1 : null })) }
      })
      const { confidence } = yield* ledger.duck.use("reading", (db) => readRunReport(db, plan, new Date()))
      expect(confidence.map(({ bins, none }) => [bins.at(-1), bins.reduce((sum, items) => sum + items, 0), none])).toEqual([[10, 10, 10]])
    })
  )

  it.live("[OPS-4] the report names each cause with its first item, and the run's moments in order", () =>
    Effect.gen(function* () {
      const { folder, report } = yield* finishedRun
      const [first] = yield* ask(folder, "select item_id from dead_letters order by seq limit 1")
      expect(report.causes.find(({ kind }) => kind === "dead")).toMatchObject({ rule: "known", items: 10, example: first?.["item_id"] })
      expect(report.timeline.map(({ kind }) => kind)).toEqual(["began", "sealed", "ended"])
      const { warnAt, escalateAt, deadline } = report.sla ?? { warnAt: "", escalateAt: "", deadline: "" }
      const hours = [warnAt, escalateAt, deadline].map((at) => (Date.parse(at) - Date.parse(report.startedAt)) / 3_600_000)
      expect(hours).toEqual([4.2, 5.4, 6].map((hour) => expect.closeTo(hour, 6)))
    })
  )
})

describe("a service level", () => {
  it.each([
    ["primary-failure-rate", 0.0199, true, false],
    ["primary-failure-rate", 0.02, false, false],
    ["primary-failure-rate", 0.051, false, true],
    ["dead-letter-rate", 0, true, false],
    // Any dead letter alerts, however few they are.
    ["dead-letter-rate", 0.0005, true, true],
    ["cost-overrun", 0, true, false],
    ["cost-overrun", 0.001, false, true],
    ["within-sla", 1, true, false],
    ["within-sla", 1.01, false, true],
    ["pass-rate", 0.996, true, false],
    ["pass-rate", 0.992, false, false],
    ["pass-rate", 0.989, false, true],
    ["pass-rate", null, null, false]
  ] as const)("[OPS-1] %s of %s: met %s, alerting %s", (name, value, met, alerting) => {
    const slo = slos.find((one) => one.slo === name)
    if (slo === undefined) throw new Error(name)
    expect([isMet(slo, value), isAlerting(slo, value)]).toEqual([met, alerting])
  })
})
