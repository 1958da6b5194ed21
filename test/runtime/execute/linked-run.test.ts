import { existsSync, readFileSync } from "node:fs"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { findRun } from "../../../runtime/execute/resume.ts"
import { openFiles, runFiles } from "../../support/run-command.ts"
import { decide, execute, rowsOf, runLinkedOf, startOf, World } from "../../support/linked-job.ts"
import { tempState } from "../../support/store-run.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"

const origin = "linked-job-1"

const outputs = (folder: StateFolder) =>
  rowsOf(folder, "select item_key, output->>'$.word' as word, run, revision, by_run from outputs order by item_key")
const completeness = (folder: StateFolder) => Effect.map(rowsOf(folder, `from completeness where run = '${origin}'`), ([row]) => row)

/** What a run's aggregates and reports came to. */
const summaries = (folder: StateFolder, run: string) =>
  Effect.promise(async () => {
    using files = await openFiles(runFiles(folder.root, run))
    const [totals] = await files.rows("select summary from payload.summaries where step = 'totals'")
    const [table] = await files.rows("select summary from payload.summaries where step = 'table'")
    const [said] = await files.rows("select report from payload.reports")
    return {
      totals: JSON.parse(String(totals?.["summary"])) as unknown,
      words: (JSON.parse(String(table?.["summary"])) as ReadonlyArray<{ readonly item_key: string }>).map(({ item_key }) => item_key),
      said: said?.["report"]
    }
  })

const all = Array.from({ length: 10 }, (_, index) => `k${index}`)

describe("a replay", () => {
  it.live("[RTY-4] [case 58] of the one failed of ten items makes one call, and then all ten are delivered, as a second revision", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.broken.add("k3")
      yield* execute(folder, world, startOf(folder, world, origin))
      const before = readFileSync(folder.run(origin).state)
      expect(yield* outputs(folder)).toHaveLength(9)
      expect(yield* summaries(folder, origin)).toMatchObject({ totals: { items: 9, size: 42 }, said: "9 items of 42" })

      yield* decide(folder, "annotate", { run: origin })
      world.broken.clear()
      world.calls.length = 0
      yield* runLinkedOf(folder, world, { action: "replay", chosen: { run: origin }, run: "linked-job-2", origin })

      expect(world.calls.filter((call) => call.startsWith("first"))).toEqual(["first k3"])
      const rows = yield* outputs(folder)
      expect(rows.map((row) => [row["item_key"], row["run"], row["revision"]])).toEqual(
        all.map((key) => [key, origin, key === "k3" ? 2 : 1])
      )
      expect(rows.find((row) => row["item_key"] === "k3")).toMatchObject({ by_run: "linked-job-2" })
      expect(yield* summaries(folder, "linked-job-2")).toEqual({ totals: { items: 10, size: 45 }, words: all, said: "10 items of 45" })
      // A closed run never changes.
      expect(readFileSync(folder.run(origin).state).equals(before)).toBe(true)
      expect(yield* completeness(folder)).toMatchObject({
        delivered: 9,
        dead: 1,
        holds: true,
        delivered_now: 10,
        dead_now: 0,
        holds_now: true,
        revision: 2
      })
      expect(yield* rowsOf(folder, "select run, revision, by_run, items from releases order by revision")).toEqual([
        { run: origin, revision: 1, by_run: origin, items: 9 },
        { run: origin, revision: 2, by_run: "linked-job-2", items: 1 }
      ])
      expect(yield* rowsOf(folder, "select count(distinct item_id) as ids from items where seq = 0 or run = 'linked-job-2'")).toEqual([
        { ids: 2 }
      ])
    })
  )

  it.live("[RTY-4] [case 20] that fails again leaves a dead letter of its own, to be annotated and replayed once more", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.brokenBelow.add("k5")
      yield* execute(folder, world, startOf(folder, world, origin))
      yield* decide(folder, "annotate", { run: origin })
      yield* runLinkedOf(folder, world, { action: "replay", chosen: { run: origin }, run: "linked-job-2", origin })
      expect(yield* rowsOf(folder, "select run, origin, status from dlq order by run")).toEqual([
        { run: origin, origin, status: "replayed" },
        { run: "linked-job-2", origin, status: "open" }
      ])
      expect(yield* completeness(folder)).toMatchObject({ dead_now: 1, delivered_now: 9, holds_now: true })
      // An aggregate above the fault counts the item once, as its newest run has it.
      expect(yield* summaries(folder, "linked-job-2")).toMatchObject({ totals: { items: 10, size: 45 } })

      world.brokenBelow.clear()
      yield* decide(folder, "annotate", { run: "linked-job-2" })
      yield* runLinkedOf(folder, world, { action: "replay", chosen: { run: origin, statuses: ["annotated"] }, run: "linked-job-3", origin })
      expect(yield* completeness(folder)).toMatchObject({ dead_now: 0, delivered_now: 10, holds_now: true, revision: 3 })
      expect(yield* outputs(folder)).toHaveLength(10)
      expect(yield* summaries(folder, "linked-job-3")).toMatchObject({ totals: { items: 10, size: 45 }, words: all })
    })
  )
})

describe("a linked run that is cut off", () => {
  it.live("[CHK-2] before its first row is begun again from what was decided, and a second one can't take its items", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.broken.add("k3")
      yield* execute(folder, world, startOf(folder, world, origin))
      yield* decide(folder, "annotate", { run: origin })
      const start = startOf(folder, world, "linked-job-2", origin)
      yield* decide(folder, "replay", { run: origin }, { linked: { start, keepsAnswers: false, correction: null } })

      const other = { linked: { start: startOf(folder, world, "linked-job-3", origin), keepsAnswers: false, correction: null } }
      const refused = yield* Effect.flip(decide(folder, "replay", { run: origin }, other))
      expect(refused.message).toMatch(/is replayed already, in run linked-job-2\. Nothing was changed\./)
      expect(existsSync(folder.run("linked-job-3").root)).toBe(false)

      const found = yield* findRun(folder, "linked-job-2")
      expect(found).toEqual({ start, status: "preparing", isSealed: false })
      world.broken.clear()
      yield* execute(folder, world, found.start)
      expect(yield* completeness(folder)).toMatchObject({ delivered_now: 10, holds_now: true })
      // Its items are in its own payload now.
      expect(existsSync(folder.run("linked-job-2").linked)).toBe(false)
    })
  )

  it.live("after its release keeps the revision that it began", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.broken.add("k3")
      yield* execute(folder, world, startOf(folder, world, origin))
      yield* decide(folder, "annotate", { run: origin })
      world.broken.clear()
      yield* runLinkedOf(folder, world, { action: "replay", chosen: { run: origin }, run: "linked-job-2", origin })
      // As a kill between the release and the run's last row leaves it.
      yield* Effect.promise(async () => {
        using files = await openFiles(runFiles(folder.root, "linked-job-2"), "read_write")
        await files.run("update state.run set status = 'running', ended_at = null")
      })
      yield* execute(folder, world, startOf(folder, world, "linked-job-2", origin))
      expect(yield* rowsOf(folder, "select by_run, revision from releases order by revision")).toEqual([
        { by_run: origin, revision: 1 },
        { by_run: "linked-job-2", revision: 2 }
      ])
    })
  )
})

describe("a decision at review", () => {
  it.live("[VAL-4] accepted, the answer goes on as it is behind the rule that stopped it, and only the steps below are asked", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.large.add("k2")
      yield* execute(folder, world, startOf(folder, world, origin))
      expect(yield* completeness(folder)).toMatchObject({ review: 1, delivered: 9 })
      world.calls.length = 0
      yield* runLinkedOf(folder, world, {
        action: "accept",
        chosen: { view: "review_queue", run: origin, items: ["k2"] },
        run: "linked-job-2",
        origin
      })
      expect(world.calls).toEqual(["second k2"])
      expect((yield* outputs(folder)).find((row) => row["item_key"] === "k2")).toMatchObject({ word: "word 1000", revision: 2 })
      expect(yield* completeness(folder)).toMatchObject({ review: 1, review_now: 0, delivered_now: 10, holds_now: true })
      expect(
        yield* rowsOf(folder, "select step, model, model_version from lineage where run = 'linked-job-2' and step = 'sizes'")
      ).toMatchObject([{ step: "sizes", model: "first" }])
    })
  )

  it.live("[VAL-4] an answer below the confidence asked for is accepted or corrected like one that a rule stopped", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.unsure.add("k2").add("k6")
      yield* execute(folder, world, startOf(folder, world, origin))
      expect(yield* rowsOf(folder, "select step, code, status from review_queue")).toEqual([
        { step: "sizes", code: "low-confidence", status: "open" },
        { step: "sizes", code: "low-confidence", status: "open" }
      ])
      const chosen = (key: string) => ({ view: "review_queue", run: origin, items: [key] }) as const
      yield* runLinkedOf(folder, world, { action: "accept", chosen: chosen("k2"), run: "linked-job-2", origin })
      yield* runLinkedOf(folder, world, { action: "correct", chosen: chosen("k6"), run: "linked-job-3", origin, output: { size: 9 } })
      expect(yield* completeness(folder)).toMatchObject({ review: 2, review_now: 0, delivered_now: 10, holds_now: true, revision: 3 })
      const rows = yield* outputs(folder)
      expect([rows[2]?.["word"], rows[6]?.["word"]]).toEqual(["word 0.5", "word 9"])
    })
  )

  it.live("[VAL-4] corrected, the person is the answer's model, for aggregates too", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.large.add("k2")
      yield* execute(folder, world, startOf(folder, world, origin))
      world.calls.length = 0
      yield* runLinkedOf(folder, world, {
        action: "correct",
        chosen: { view: "review_queue", run: origin, items: ["k2"] },
        run: "linked-job-2",
        origin,
        output: { size: 7 }
      })
      expect(world.calls).toEqual(["second k2"])
      expect(yield* summaries(folder, "linked-job-2")).toMatchObject({ totals: { items: 10, size: 50 } })
      expect(yield* rowsOf(folder, "select model from lineage where run = 'linked-job-2' and step = 'sizes'")).toEqual([
        { model: "person:tess" }
      ])
    })
  )

  it.live("[VAL-4] rejected, the item is a dead letter at once, which can be annotated and replayed like any other", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const world = new World()
      world.large.add("k2")
      yield* execute(folder, world, startOf(folder, world, origin))
      yield* decide(folder, "reject", { view: "review_queue", items: ["k2"] }, { text: "far too large" })
      expect(yield* rowsOf(folder, "select code, rule, status from dlq")).toEqual([{ code: "rejected", rule: "usual", status: "open" }])
      expect(yield* completeness(folder)).toMatchObject({ review: 1, dead: 0, review_now: 0, dead_now: 1, holds_now: true })
      world.large.clear()
      yield* decide(folder, "annotate", { items: ["k2"] })
      yield* runLinkedOf(folder, world, { action: "replay", chosen: { items: ["k2"] }, run: "linked-job-2", origin })
      expect(yield* completeness(folder)).toMatchObject({ dead_now: 0, delivered_now: 10, holds_now: true })
    })
  )
})
