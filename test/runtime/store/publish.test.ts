import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import { publishedTables } from "../../../runtime/store/lineage-tables.ts"
import { lineageFiles, writeLineageViews } from "../../../runtime/store/lineage-views.ts"
import { queryAnalytics } from "../../../runtime/store/open-analytics.ts"
import { publish, publishLoop } from "../../../runtime/store/publish.ts"
import { SegmentPoint } from "../../../runtime/store/segment.ts"
import { openStateFolder, type StateFolder } from "../../../runtime/store/state-folder.ts"
import { startAnalyst } from "../../support/analyst-process.ts"
import { publishUntilKilled } from "../../support/publisher-process.ts"
import { openSampleRun, sampleSettlement, sampleVariant, secret, settleItems, tempState } from "../../support/store-run.ts"

const items = 300
const run = "2026-11-02-a"

/** Each table's rows, and how many of them are distinct. */
const countAll = (folder: StateFolder) =>
  Effect.gen(function* () {
    // A run's moments are as many as its processes.
    const counted = publishedTables.filter(({ name }) => name !== "timeline")
    const query = counted.map(
      ({ name }) =>
        `select '${name}' as view, (select count(*) from ${name}) as n, (select count(*) from (select distinct * from ${name})) as d`
    )
    const { rows } = yield* queryAnalytics(folder, query.join(" union all "))
    return Object.fromEntries(rows.map(({ view, n, d }) => [view, n === d ? n : `${String(n)} rows, ${String(d)} of them distinct`]))
  })

/** What the views hold once every item of a run is settled and published. */
const complete = {
  items,
  rejections: 2,
  attempts: items,
  checkpoints: 2 * items,
  dead_letters: 30,
  reviews: 30,
  retries: 20,
  flags: 60,
  exports: 0,
  steps: 4,
  partitions: 4,
  runs: 1
}

const one = (folder: StateFolder, query: string) => Effect.map(queryAnalytics(folder, query), ({ rows }) => rows[0] ?? {})

describe("what analysts see", () => {
  it.live("[CRD-6] before the first run every view is there, with its columns and no rows", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      for (const view of [...publishedTables.map(({ name }) => name), "lineage"]) {
        const { rows } = yield* queryAnalytics(folder, `select * from ${view}`)
        expect(rows, view).toEqual([])
      }
      const { rows } = yield* queryAnalytics(folder, "select column_name from (describe lineage)")
      expect(rows.map((row) => row["column_name"])).toEqual(
        expect.arrayContaining(["run", "job", "item_id", "model_version", "prompt_version", "code_version", "consumers"])
      )
    })
  )

  it.live("[CRD-6] a run in progress: each round adds what was committed since, and a round without news writes no file", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const ledger = yield* openSampleRun(folder, { run, items })
      yield* publish(ledger, folder, run)
      expect(
        yield* one(
          folder,
          "select count(*) as n, (select count(*) from checkpoints) as done, (select status from runs) as status from items"
        )
      ).toEqual({ n: items, done: 0, status: "running" })
      yield* settleItems(ledger, 0, 100)
      yield* publish(ledger, folder, run)
      expect(yield* one(folder, "select count(*) as n, count(distinct item_id) as items from checkpoints")).toEqual({ n: 200, items: 100 })
      const files = readdirSync(join(folder.analytics, "checkpoints", `run=${run}`))
      yield* publish(ledger, folder, run)
      expect(readdirSync(join(folder.analytics, "checkpoints", `run=${run}`))).toEqual(files)
      yield* settleItems(ledger, 100, items)
      yield* publish(ledger, folder, run)
      expect(yield* countAll(folder)).toEqual(complete)
    })
  )

  it.live("of a partition or run that changed, the newest version counts", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const ledger = yield* openSampleRun(folder, { run, items })
      yield* publish(ledger, folder, run)
      yield* ledger.lease(1, 7)
      yield* publish(ledger, folder, run)
      expect(yield* one(folder, "select status, worker, epoch from partitions where partition_no = 1")).toEqual({
        status: "leased",
        worker: 7,
        epoch: 1
      })
      yield* settleItems(ledger, 0, items)
      yield* ledger.finish(1)
      yield* ledger.close("done", null)
      yield* publish(ledger, folder, run)
      expect(yield* one(folder, "select status from partitions where partition_no = 1")).toEqual({ status: "done" })
      expect(
        yield* one(folder, "select status, manifest, rejected, delivered, dead, review, held, skipped, spent_usd > 0.29 as paid from runs")
      ).toEqual({
        status: "done",
        manifest: items,
        rejected: 2,
        delivered: 240,
        dead: 30,
        review: 30,
        held: 0,
        skipped: 0,
        paid: true
      })
      expect(yield* one(folder, "select count(*) as partitions, count(*) filter (status = 'waiting') as waiting from partitions")).toEqual({
        partitions: 4,
        waiting: 3
      })
    })
  )

  it.live("[GOV-1] lineage leads from the source over model and prompt to the consumers, one row an answer and a row an item's end", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const ledger = yield* openSampleRun(folder, { run, items })
      yield* settleItems(ledger, 0, items)
      yield* publish(ledger, folder, run)
      const query = `select run, job, source, source_format, source_location, step, model, model_version, prompt_version, code_version, status, disposition, answer_step,
        consumers, owner, classification, count(*) as n from lineage where disposition = 'delivered' group by all`
      const { rows } = yield* queryAnalytics(folder, query)
      expect(rows).toEqual([
        {
          run,
          job: "mail-triage",
          source: "mails",
          source_format: "jsonl",
          source_location: "inbox/*.jsonl",
          step: "trusted",
          model: "bayes",
          model_version: "fn-1",
          prompt_version: "prompt-1",
          code_version: "code-1",
          status: "passed",
          disposition: "delivered",
          answer_step: "triage",
          consumers: expect.arrayContaining(["ticketing", "archive"]),
          owner: "service-desk",
          classification: "internal",
          n: 240
        }
      ])
      expect(
        yield* one(
          folder,
          "select count(*) as n, count(*) filter (disposition is not null) as ended, count(*) filter (status = 'answered') as answers from lineage"
        )
      ).toEqual({
        n: 2 * items,
        ended: items,
        answers: items
      })
    })
  )

  it.live("a checkpoint made after a resume carries the versions of the answer that an earlier session paid for", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const first = { ...sampleSettlement(1, ""), finished: null }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const ledger = yield* openSampleRun(folder, { run, items: 10 })
          yield* settleItems(ledger, 1, 2, (_, itemId) => ({ ...first, itemId, checkpoints: first.checkpoints.slice(0, 1) }))
          yield* publish(ledger, folder, run)
        })
      )
      const ledger = yield* openSampleRun(folder, { run, items: 10, codeVersion: "code-2" })
      yield* settleItems(ledger, 1, 2, (_, itemId) => ({
        ...sampleSettlement(1, itemId),
        attempts: [],
        answers: [],
        checkpoints: first.checkpoints.slice(1),
        flags: []
      }))
      yield* settleItems(ledger, 2, 3, (seq, itemId) => sampleSettlement(seq, itemId, sampleVariant({ codeVersion: "code-2" })))
      yield* publish(ledger, folder, run)
      const { rows } = yield* queryAnalytics(
        folder,
        "select seq, step, session, model, prompt_version, code_version from checkpoints order by seq, step"
      )
      expect(rows).toEqual([
        { seq: 1, step: "triage", session: 1, model: "bayes", prompt_version: "prompt-1", code_version: "code-1" },
        { seq: 1, step: "trusted", session: 2, model: "bayes", prompt_version: "prompt-1", code_version: "code-1" },
        { seq: 2, step: "triage", session: 2, model: "bayes", prompt_version: "prompt-1", code_version: "code-2" },
        { seq: 2, step: "trusted", session: 2, model: "bayes", prompt_version: "prompt-1", code_version: "code-2" }
      ])
    })
  )

  it.live("[CHK-3] no published row holds a key, a body, an answer or an error's text", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const ledger = yield* openSampleRun(folder, { run, items: 100 })
      yield* settleItems(ledger, 0, 100)
      yield* publish(ledger, folder, run)
      for (const { name } of publishedTables) {
        const found = yield* one(
          folder,
          `select count(*) as rows, count(*) filter (contains(to_json(t)::text, '${secret}')) as telling from ${name} t`
        )
        expect(found, name).toEqual({ rows: expect.any(Number), telling: 0 })
        // What is exported comes after the release: its own test looks at that.
        if (name !== "exports") expect(found["rows"], name).toBeGreaterThan(0)
      }
    })
  )

  it.live("a state folder may be called anything", () =>
    Effect.gen(function* () {
      const { root } = yield* tempState
      const folder = yield* openStateFolder(join(root, "it's [a] *state* folder"))
      const ledger = yield* openSampleRun(folder, { run, items: 10 })
      yield* publish(ledger, folder, run)
      expect(yield* one(folder, "select count(*) as n from items")).toEqual({ n: 10 })
    })
  )

  it.live("a run of more rows than a segment holds is published in several, in one call", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const many = 55_000
      const ledger = yield* openSampleRun(folder, { run, items: many })
      yield* settleItems(ledger, 0, many)
      yield* publish(ledger, folder, run)
      expect(readdirSync(join(folder.analytics, "attempts", `run=${run}`)).length).toBeGreaterThan(1)
      expect(yield* one(folder, "select count(*) as n, count(distinct item_id) as items, max(seq) as last from attempts")).toEqual({
        n: many,
        items: many,
        last: many - 1
      })
    })
  )
})

describe("the publishing loop", () => {
  it.live("publishes once more when it is interrupted", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* Effect.scoped(
        Effect.gen(function* () {
          const ledger = yield* openSampleRun(folder, { run, items })
          yield* Effect.forkScoped(publishLoop(ledger, folder, run))
          yield* settleItems(ledger, 0, items)
        })
      )
      expect(yield* countAll(folder)).toEqual(complete)
    })
  )

  it.live("a folder that can't be written fails the round, and the next one makes up for it", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const ledger = yield* openSampleRun(folder, { run, items })
      yield* publish(ledger, folder, run)
      const blocked = join(folder.analytics, "checkpoints", `run=${run}`)
      writeFileSync(blocked, "in the way")
      yield* settleItems(ledger, 0, items)
      expect((yield* Effect.flip(publish(ledger, folder, run)))._tag).toBe("StoreError")
      rmSync(blocked)
      yield* publish(ledger, folder, run)
      expect(yield* countAll(folder)).toEqual(complete)
    })
  )
})

describe("a publisher that dies", () => {
  const points = ["intended", "written", "placed", "marked"] as const
  const tables = ["items", "checkpoints", "runs"]
  const deaths = points.flatMap((point) => tables.map((table) => ({ point, table })))

  it.live.each(deaths)("[CRD-6] after a segment of $table was $point: every row once", ({ point, table }) =>
    Effect.gen(function* () {
      const folder = yield* tempState
      // The manifest is published once; of the others, the second segment is the one that dies.
      let passing = table === "items" ? 1 : 2
      const dying = (at: string, of: string): Effect.Effect<void> =>
        Effect.suspend(() => (at === point && of === table && --passing === 0 ? Effect.die("killed") : Effect.void))
      const firstLife = Effect.scoped(
        Effect.gen(function* () {
          const ledger = yield* openSampleRun(folder, { run, items })
          yield* publish(ledger, folder, run)
          yield* settleItems(ledger, 0, 100)
          yield* ledger.lease(0, 1)
          yield* publish(ledger, folder, run)
          yield* settleItems(ledger, 100, 200)
          yield* ledger.close("interrupted", null)
          yield* publish(ledger, folder, run)
        })
      )
      const exit = yield* Effect.exit(Effect.provideService(firstLife, SegmentPoint, dying))
      expect(Exit.isFailure(exit)).toBe(true)
      const ledger = yield* openSampleRun(folder, { run, items })
      yield* settleItems(ledger, 0, items)
      yield* publish(ledger, folder, run)
      expect(yield* countAll(folder)).toEqual(complete)
      expect(
        yield* ledger.duck.use("looking", (db) => db.selectFrom("state.published").where("done", "=", false).selectAll().execute())
      ).toEqual([])
    })
  )

  it.live("[CRD-6] killed with SIGKILL again and again: every row once", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      for (const steps of [2, 12, 40]) {
        expect(yield* Effect.promise(() => publishUntilKilled(folder.root, run, { items, steps }))).toEqual({
          code: null,
          signal: "SIGKILL"
        })
      }
      expect(existsSync(join(folder.analytics, "items", `run=${run}`))).toBe(true)
      const unharmed = { items, steps: Number.POSITIVE_INFINITY }
      expect(yield* Effect.promise(() => publishUntilKilled(folder.root, run, unharmed))).toEqual({ code: 0, signal: null })
      expect(yield* countAll(folder)).toEqual(complete)
    })
  )
})

describe("a second client", () => {
  it.live("[CRD-6] in another process queries all views through a whole run: no error, and no count ever falls", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* writeLineageViews(folder)
      const analyst = startAnalyst(lineageFiles(folder).database)
      const ledger = yield* openSampleRun(folder, { run, items })
      for (let from = 0; from < items; from += 30) {
        yield* settleItems(ledger, from, from + 30)
        yield* ledger.lease(from % 4, 1)
        yield* publish(ledger, folder, run)
        if (from % 60 === 0) yield* Effect.promise(() => analyst.look())
      }
      yield* ledger.close("done", null)
      yield* publish(ledger, folder, run)
      yield* Effect.promise(() => analyst.look())
      const sight = yield* Effect.promise(() => analyst.stop())
      expect(sight.errors).toEqual([])
      expect(sight.fell).toEqual([])
      expect(sight.counts).toEqual({ ...complete, lineage: 2 * items })
    })
  )

  it.live("opens a database that nobody can write, written once", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* writeLineageViews(folder)
      const { database, sql } = lineageFiles(folder)
      const { mtimeMs, mode } = statSync(database)
      expect(mode & 0o777).toBe(0o444)
      expect(readFileSync(sql, "utf8")).toContain(join(folder.analytics, "checkpoints"))
      yield* writeLineageViews(folder)
      expect(statSync(database).mtimeMs).toBe(mtimeMs)
      expect(readdirSync(folder.analytics).filter((name) => name.startsWith("."))).toEqual([])
    })
  )
})
