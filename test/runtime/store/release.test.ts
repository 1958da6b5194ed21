import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

import type { DuckLedger } from "../../../runtime/store/ledger-duckdb.ts"
import { queryAnalytics } from "../../../runtime/store/open-analytics.ts"
import { outputFolder } from "../../../runtime/store/output-tables.ts"
import { publish } from "../../../runtime/store/publish.ts"
import { release } from "../../../runtime/store/release.ts"
import { SegmentPoint } from "../../../runtime/store/segment.ts"
import { itemIdOf, type StateFolder } from "../../../runtime/store/state-folder.ts"
import {
  openSampleRun,
  sampleOutput,
  samplePlan,
  sampleSettlement,
  secret,
  settleItems,
  tempState,
  type SampleRun
} from "../../support/store-run.ts"

const items = 100
const run = "2026-11-02-a"
const plan = samplePlan()

const rowsOf = (folder: StateFolder, query: string) => Effect.map(queryAnalytics(folder, query), ({ rows }) => rows)
const outputs = "select count(*) as n, count(distinct item_id) as items from outputs"

/** Settles, releases and publishes a whole run. */
const releaseRun = Effect.fnUntraced(function* (folder: StateFolder, options: SampleRun, settlementOf = sampleSettlement) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* openSampleRun(folder, options)
      yield* settleItems(ledger, 0, options.items, settlementOf)
      yield* release(ledger, folder, options.plan ?? plan, options.run)
      yield* ledger.close("done", null)
      yield* publish(ledger, folder, options.run)
    })
  )
})

describe("a release", () => {
  it.live("[GOV-1] holds the delivered items, each with its run, item, model, prompt and code version", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* releaseRun(folder, { run, items })
      expect(yield* rowsOf(folder, outputs)).toEqual([{ n: 80, items: 80 }])
      const [row] = yield* rowsOf(folder, "select * from outputs order by item_key limit 1")
      const [{ seq } = {}] = yield* rowsOf(folder, `select seq from items where item_id = '${String(row?.["item_id"])}'`)
      expect(row).toEqual({
        run,
        job: "mail-triage",
        step: "trusted",
        item_id: itemIdOf(folder.hashKey(String(row?.["item_key"]))),
        item_key: expect.stringContaining(secret),
        output: JSON.stringify(sampleOutput(Number(seq))),
        confidence: (Number(seq) % 100) / 100,
        model: "bayes",
        model_version: "fn-1",
        prompt_version: "prompt-1",
        code_version: "code-1",
        logical_time: new Date("2026-11-02T00:00:00Z"),
        completed_at: expect.any(Date),
        plan_digest: plan.digest,
        revision: 1,
        by_run: run
      })
      const kept = yield* rowsOf(
        folder,
        "select count(*) as n from outputs join lineage using (run, item_id) where lineage.disposition <> 'delivered'"
      )
      expect(kept).toEqual([{ n: 0 }])
    })
  )

  it.live("has a column a field of the output, beside the lineage", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* releaseRun(folder, { run, items })
      const columns = yield* rowsOf(folder, "select column_name as name, column_type as type from (describe outputs_mail_triage_trusted)")
      expect(columns.map(({ name, type }) => `${String(name)} ${String(type)}`)).toEqual([
        "run VARCHAR",
        "job VARCHAR",
        "step VARCHAR",
        "item_id VARCHAR",
        "item_key VARCHAR",
        "topic VARCHAR",
        "confidence DOUBLE",
        "output_run VARCHAR",
        "detail_urgent BOOLEAN",
        "tags JSON",
        "model VARCHAR",
        "model_version VARCHAR",
        "prompt_version VARCHAR",
        "code_version VARCHAR",
        "logical_time TIMESTAMP WITH TIME ZONE",
        "completed_at TIMESTAMP WITH TIME ZONE",
        "plan_digest VARCHAR",
        "revision INTEGER",
        "by_run VARCHAR"
      ])
      const differing = `select count(*) as n, count(*) filter (typed.topic <> (plain.output->>'$.topic') or typed.detail_urgent <> (plain.output->>'$.detail.urgent')::boolean
        or typed.tags::text <> (plain.output->'$.tags')::text or typed.confidence <> (plain.output->>'$.confidence')::double or typed.run <> '${run}') as differing
        from outputs_mail_triage_trusted typed join outputs plain using (run, item_id)`
      expect(yield* rowsOf(folder, differing)).toEqual([{ n: 80, differing: 0 }])
    })
  )

  it.live("of a trial never happens", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* releaseRun(folder, { run: "trial", items, itemLimit: items })
      expect(yield* rowsOf(folder, "select count(*) as n, count(released_at) as released from runs")).toEqual([{ n: 1, released: 0 }])
      // The control: without a limit the same run is released.
      yield* releaseRun(folder, { run, items })
      expect(yield* rowsOf(folder, "select distinct run from outputs")).toEqual([{ run }])
    })
  )

  it.live("can't be seen before it is whole", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const halfway = (point: string, table: string) => (point === "placed" && table === "outputs" ? Effect.die("killed") : Effect.void)
      const exit = yield* Effect.exit(Effect.provideService(releaseRun(folder, { run, items }), SegmentPoint, halfway))
      expect(Exit.isFailure(exit)).toBe(true)
      expect(readdirSync(join(outputFolder(folder), "outputs", `run=${run}`))).toEqual(["000001.parquet"])
      expect(yield* rowsOf(folder, outputs)).toEqual([{ n: 0, items: 0 }])
    })
  )

  it.live.each(["intended", "written", "placed", "marked"])(
    "that died when a segment was %s gives the same rows once when it is repeated",
    (point) =>
      Effect.gen(function* () {
        const folder = yield* tempState
        const typed = "outputs_mail_triage_trusted"
        const dying = (at: string, table: string) => (at === point && table === typed ? Effect.die("killed") : Effect.void)
        expect(Exit.isFailure(yield* Effect.exit(Effect.provideService(releaseRun(folder, { run, items }), SegmentPoint, dying)))).toBe(
          true
        )
        yield* releaseRun(folder, { run, items })
        yield* releaseRun(folder, { run, items })
        expect(yield* rowsOf(folder, outputs)).toEqual([{ n: 80, items: 80 }])
        expect(yield* rowsOf(folder, `select count(*) as n, count(distinct item_id) as items from ${typed}`)).toEqual([
          { n: 80, items: 80 }
        ])
      })
  )

  it.live("of more items than a file holds gives all of them, in several files", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      // Large outputs make small slices.
      const long = "x".repeat(70_000)
      const wordy = (seq: number, itemId: string) => {
        const { answers, ...rest } = sampleSettlement(seq, itemId)
        return { ...rest, answers: answers.map((answer) => ({ ...answer, output: JSON.stringify({ topic: long }) })) }
      }
      yield* releaseRun(folder, { run, items: 600 }, wordy)
      expect(readdirSync(join(outputFolder(folder), "outputs", `run=${run}`))).toEqual([
        "000001.parquet",
        "000002.parquet",
        "000003.parquet"
      ])
      expect(
        yield* rowsOf(
          folder,
          "select count(*) as n, count(distinct item_id) as items, min(length(topic)) as length from outputs_mail_triage_trusted"
        )
      ).toEqual([{ n: 480, items: 480, length: long.length }])
    })
  )

  it.live("is the owner's alone", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* releaseRun(folder, { run, items })
      const root = outputFolder(folder)
      expect(statSync(root).mode & 0o777).toBe(0o700)
      for (const file of [
        "outputs.sql",
        `outputs/run=${run}/000001.parquet`,
        `outputs_mail_triage_trusted/run=${run}/000001.parquet`,
        "outputs/run=schema/000014.parquet"
      ]) {
        expect(statSync(join(root, file)).mode & 0o777, file).toBe(0o600)
      }
    })
  )

  it.live("of a changed type of output goes to a table of its own, and the old one stays as it was", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const changed = samplePlan(Schema.Struct({ topic: Schema.String, urgency: Schema.Finite }))
      yield* releaseRun(folder, { run: "a", items: 10 })
      yield* releaseRun(folder, { run: "b", items: 10, plan: changed })
      yield* releaseRun(folder, { run: "c", items: 10 })
      expect(yield* rowsOf(folder, "select run, count(tags) as tags from outputs_mail_triage_trusted group by run order by run")).toEqual([
        { run: "a", tags: 8 },
        { run: "c", tags: 8 }
      ])
      expect(
        yield* rowsOf(
          folder,
          "select run, count(topic) as topics, count(urgency) as urgencies from outputs_mail_triage_trusted_v2 group by run"
        )
      ).toEqual([{ run: "b", topics: 8, urgencies: 0 }])
      expect(yield* rowsOf(folder, "select count(distinct run) as runs from outputs")).toEqual([{ runs: 3 }])
    })
  )
})

describe("an item of several terminal steps", () => {
  /** A further terminal step beside `trusted`: as the plan of a job with two branches has it. */
  const branched = { ...plan, steps: plan.steps.flatMap((step) => (step.name === "trusted" ? [step, { ...step, name: "other" }] : [step])) }
  const settle = (ledger: DuckLedger, disposition: "skipped" | "dead") =>
    settleItems(ledger, 0, 1, (seq, itemId) => {
      const { checkpoints, ...rest } = sampleSettlement(seq, itemId)
      return {
        ...rest,
        checkpoints: [
          ...checkpoints,
          { step: "other", status: disposition, disposition, code: null, rule: null, attempts: 0, answerStep: null }
        ]
      }
    })
  const releasedOf = Effect.fnUntraced(function* (disposition: "skipped" | "dead") {
    const folder = yield* tempState
    const ledger = yield* openSampleRun(folder, { run, items: 1, plan: branched })
    yield* settle(ledger, disposition)
    yield* release(ledger, folder, branched, run)
    yield* publish(ledger, folder, run)
    return yield* rowsOf(folder, "select step from outputs")
  })

  it.live("that a `when` kept from one of them is released at the other", () =>
    Effect.gen(function* () {
      expect(yield* releasedOf("skipped")).toEqual([{ step: "trusted" }])
    })
  )

  it.live("that is dead at one of them is released at none", () =>
    Effect.gen(function* () {
      expect(yield* releasedOf("dead")).toEqual([])
    })
  )
})
