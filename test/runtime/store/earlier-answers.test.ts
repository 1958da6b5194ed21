import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { recordRun } from "../../../runtime/store/control.ts"
import { openEarlierAnswers } from "../../../runtime/store/earlier-answers.ts"
import type { Settlement } from "../../../runtime/store/ledger.ts"
import { makeRunFolder } from "../../../runtime/store/state-folder.ts"
import { openSampleRun, sampleSettlement, settleItems, tempState } from "../../support/store-run.ts"

const digestOf = (seq: number): string => String(seq).repeat(64)
const at = new Date("2026-11-02T00:00:00Z")

/** Answered at `triage`; below that item 1 got no answer, 2 was refused by a rule, 3 waits for a person, 4 broke at a join's rule. */
const settlementOf = (seq: number, itemId: string): Settlement => {
  const settled = sampleSettlement(0, itemId)
  const [attempt] = settled.attempts
  const [answered, passed] = settled.checkpoints
  if (attempt === undefined || answered === undefined || passed === undefined) throw new Error("The sample has both")
  const stopped = { ...passed, code: "rule", rule: "known" }
  const end = [
    passed,
    { ...passed, status: "dead", disposition: "dead", code: "timeout", answerStep: null } as const,
    { ...stopped, status: "dead", disposition: "dead", answerStep: "triage" } as const,
    { ...stopped, status: "review", disposition: "review", answerStep: "triage" } as const,
    { ...stopped, status: "dead", disposition: "dead", answerStep: "both" } as const
  ][seq]
  return {
    ...settled,
    seq,
    attempts: [{ ...attempt, requestDigest: digestOf(seq) }],
    answers: settled.answers,
    checkpoints: [answered, end ?? passed],
    flags: [],
    finished: end?.disposition ?? "delivered"
  }
}

describe("answers of earlier runs", () => {
  it.live(
    "[EXE-9] [case 58] above a dead letter's fault are as good as delivered ones; those that a rule or a person stopped are none",
    () =>
      Effect.gen(function* () {
        const folder = yield* tempState
        yield* Effect.scoped(
          Effect.gen(function* () {
            const ledger = yield* openSampleRun(folder, { run: "r1", items: 5 })
            yield* settleItems(ledger, 0, 5, settlementOf)
            yield* ledger.close("done", null)
          })
        )
        const row = {
          run: "r1",
          job: "mail-triage",
          job_module: "",
          logical_time: at,
          started_by: "manual",
          trial: false,
          started_at: at,
          ended_at: at,
          sessions: 1
        }
        const counts = { manifest: 5, delivered: 1, dead: 3, review: 1, held: 0, skipped: 0, spent_usd: 0, origin: null }
        yield* recordRun(folder, { ...row, ...counts, status: "done" })
        const runFolder = folder.run("r2")
        yield* makeRunFolder(runFolder)
        const earlier = yield* openEarlierAnswers({ folder, runFolder, job: "mail-triage", steps: ["triage"], origin: "r1" })
        expect([0, 1, 2, 3, 4].map((seq) => earlier?.has(digestOf(seq)))).toEqual([true, true, false, false, false])
        expect((yield* earlier?.find(digestOf(1)) ?? Effect.succeed(null))?.modelVersion).toBe("fn-1")
      }).pipe(Effect.scoped)
  )
})
