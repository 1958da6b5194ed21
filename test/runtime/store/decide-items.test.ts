import { readFileSync, rmSync } from "node:fs"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { logAccess } from "../../../runtime/store/access-log.ts"
import { listStopped } from "../../../runtime/store/list-stopped.ts"
import { publish } from "../../../runtime/store/publish.ts"
import { accessLogFile } from "../../../runtime/store/decision-views.ts"
import { release } from "../../../runtime/store/release.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { traceItem } from "../../../runtime/store/trace-item.ts"
import { decide, rowsOf, selection, startOf, World } from "../../support/linked-job.ts"
import { keyOf, openSampleRun, samplePlan, secret, settleItems, tempState } from "../../support/store-run.ts"

const run = "2026-11-02-a"
const items = 100

/** Of a hundred items ten are dead, ten in review, eighty delivered. */
const closedRun = (folder: StateFolder) =>
  Effect.scoped(
    Effect.gen(function* () {
      const ledger = yield* openSampleRun(folder, { run, items })
      yield* settleItems(ledger, 0, items)
      yield* release(ledger, folder, samplePlan(), run)
      yield* ledger.close("done", null)
      yield* publish(ledger, folder, run)
    })
  )

const state = (folder: StateFolder) =>
  Effect.all({
    decisions: rowsOf(folder, "select count(*) as n from decisions"),
    dlq: rowsOf(folder, "select status, count(*) as n from dlq group by all order by all"),
    review: rowsOf(folder, "select status, count(*) as n from review_queue group by all order by all")
  })

const keyOfA = (folder: StateFolder, disposition: string) =>
  Effect.gen(function* () {
    const [row] = yield* rowsOf(folder, `select item_id from checkpoints where disposition = '${disposition}' order by seq limit 1`)
    return String(row?.["item_id"])
  })

describe("dead letters", () => {
  it.live("[RTY-4] are listed by cause of failure, largest first, with what filters leave", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* closedRun(folder)
      const list = yield* Effect.scoped(listStopped(folder, selection({ run, statuses: ["open"] }), 3))
      expect(list).toMatchObject({
        total: 10,
        groupsInAll: 1,
        groups: [{ step: "trusted", code: "rule", rule: "known", items: 10, unannotated: 10 }]
      })
      expect(list.items).toHaveLength(3)
      expect((yield* Effect.scoped(listStopped(folder, selection({ rule: "another" }), 3))).total).toBe(0)
      expect((yield* Effect.scoped(listStopped(folder, selection({ view: "review_queue", rule: "sure" }), 3))).total).toBe(10)
    })
  )

  it.live("[RTY-4] get a cause, and can be discarded; what is decided stands, and one decision leaves the others as they were", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* closedRun(folder)
      const one = yield* keyOfA(folder, "dead")
      expect(yield* decide(folder, "discard", { run, items: [one] }, { text: `empty, says ${secret}` })).toBe(1)
      expect(yield* decide(folder, "annotate", { run, statuses: ["open"] })).toBe(9)
      expect((yield* state(folder)).dlq).toEqual([
        { status: "annotated", n: 9 },
        { status: "discarded", n: 1 }
      ])
      const refused = yield* Effect.flip(decide(folder, "discard", { run, items: [one] }))
      expect(refused.message).toMatch(/is discarded already, by tess, and that stands\. Nothing was changed\./)
      expect((yield* Effect.flip(decide(folder, "annotate", { run, items: [one] }))).message).toMatch(/Nothing was changed/)
      expect((yield* state(folder)).decisions).toEqual([{ n: 10 }])
      expect(yield* rowsOf(folder, "select dead, dead_now, discarded_now, holds_now from completeness")).toEqual([
        { dead: 10, dead_now: 9, discarded_now: 1, holds_now: true }
      ])
    })
  )

  it.live(
    "[RTY-4] without a cause aren't replayed, and what isn't there or was released isn't either: a clear error, an unchanged state",
    () =>
      Effect.gen(function* () {
        const folder = yield* tempState
        yield* closedRun(folder)
        const before = yield* state(folder)
        const linked = { linked: { start: startOf(folder, new World(), "r2", run), keepsAnswers: false, correction: null } }
        const refuse = (chosen: Parameters<typeof decide>[2]) =>
          Effect.map(Effect.flip(decide(folder, "replay", chosen, linked)), ({ message }) => message)
        expect(yield* refuse({ run })).toMatch(
          /10 of the chosen items .* no root cause yet.*runtime dlq annotate 2026-11-02-a --cause SLUG/s
        )
        expect(yield* refuse({ run, items: [yield* keyOfA(folder, "delivered")] })).toMatch(
          /was delivered and released: there is nothing to decide/
        )
        expect(yield* refuse({ run, items: ["nobody"] })).toMatch(/There is no item "nobody" in run 2026-11-02-a/)
        expect(yield* refuse({ run, code: "timeout" })).toMatch(/No dead letter fits --run 2026-11-02-a --code timeout/)
        expect(yield* state(folder)).toEqual(before)

        yield* decide(folder, "annotate", { run })
        rmSync(folder.run(run).payload)
        expect(yield* refuse({ run })).toMatch(/was destroyed by retention/)
        expect((yield* state(folder)).dlq).toEqual([{ status: "annotated", n: 10 }])
      })
  )

  it.live("[RTY-4] of a review that is unknown or decided: a clear error, an unchanged state", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* closedRun(folder)
      const one = yield* keyOfA(folder, "review")
      yield* decide(folder, "reject", { view: "review_queue", items: [one] })
      const before = yield* state(folder)
      expect((yield* Effect.flip(decide(folder, "reject", { view: "review_queue", items: [one] }))).message).toMatch(
        /is rejected already, by tess/
      )
      expect((yield* Effect.flip(decide(folder, "reject", { view: "review_queue", items: ["nobody"] }))).message).toMatch(
        /There is no item "nobody"/
      )
      expect(yield* state(folder)).toEqual(before)
      expect(before.review).toEqual([
        { status: "open", n: 9 },
        { status: "rejected", n: 1 }
      ])
    })
  )

  it.live("[RTY-4] [SEC-6] every look and decision is in the access log with who and why, and no personal data leaves the payload", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* closedRun(folder)
      yield* logAccess(folder, { who: "ann", action: "show", run, items: 1, selection: "one", reason: null })
      yield* decide(folder, "annotate", { run, items: [keyOf(7)] }, { reason: "mended", text: `${secret} called` }).pipe(Effect.ignore)
      const dead = yield* keyOfA(folder, "dead")
      yield* decide(folder, "annotate", { run, items: [dead] }, { reason: "mended", text: `${secret} called` })
      const log = yield* rowsOf(folder, "select who, action, run, items, reason from access_log order by entry")
      expect(log.at(0)).toEqual({ who: "ann", action: "show", run, items: 1, reason: null })
      expect(log.at(-1)).toEqual({ who: "tess", action: "annotate", run, items: 1, reason: "mended" })
      for (const file of [folder.control, accessLogFile(folder.analytics)]) expect(readFileSync(file).includes(secret)).toBe(false)
      expect(JSON.stringify(yield* rowsOf(folder, "from decisions"))).not.toContain(secret)
      // The control: what a person wrote is kept with the payload, and shown with the item.
      expect(readFileSync(folder.run(run).notes, "utf8")).toContain(secret)
      const history = yield* Effect.scoped(traceItem(folder, { itemId: dead }))
      expect(history.runs[0]?.decisions).toMatchObject([{ action: "annotate", cause: "mended", note: `${secret} called` }])
    })
  )
})
