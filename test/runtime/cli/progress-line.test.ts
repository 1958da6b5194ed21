/** What `--json` says while a run waits: once that it waits, and once that it goes on. */
import * as Effect from "effect/Effect"
import { afterEach, expect, it, vi } from "vitest"

import { makeProgress } from "../../../runtime/cli/progress-line.ts"
import type { Progress } from "../../../runtime/execute/progress.ts"

const seen = (trouble: string | null): Progress => ({
  run: "r",
  job: "j",
  phase: "work",
  rows: 0,
  sweep: null,
  manifest: 10,
  committed: 4,
  dispositions: { delivered: 4, dead: 0, review: 0, held: 0, skipped: 0 },
  spentUsd: 0,
  calls: 0,
  reused: 0,
  cacheReadTokens: 0,
  savedUsd: 0,
  inFlight: 0,
  perSecond: null,
  remainingSeconds: null,
  deadline: null,
  etaAt: null,
  etaLow: null,
  etaHigh: null,
  workers: null,
  trouble
})

const said = async (troubles: ReadonlyArray<string | null>, end: Effect.Effect<void, string>): Promise<ReadonlyArray<string>> => {
  const lines: Array<string> = []
  vi.spyOn(process.stderr, "write").mockImplementation((text) => lines.push(String(text)) > 0)
  const all = Effect.gen(function* () {
    const tell = yield* makeProgress(true)
    for (const trouble of troubles) yield* tell(seen(trouble))
    yield* end
  })
  await Effect.runPromise(Effect.exit(Effect.scoped(all)))
  return lines
}
afterEach(() => void vi.restoreAllMocks())

const full = "the disk is full"

it("[CHK-4] a run that waited says that it goes on, even where it is done before its next look at itself", async () => {
  expect(await said([null, full, full, null], Effect.void)).toEqual([`r waits: ${full}\n`, "r goes on.\n"])
  expect(await said([full], Effect.void)).toEqual([`r waits: ${full}\n`, "r goes on.\n"])
})

it("[CHK-4] a run that ended while it waited doesn't say so, and one that never waited says nothing", async () => {
  expect(await said([full], Effect.fail("stopped"))).toEqual([`r waits: ${full}\n`])
  expect(await said([null, null], Effect.void)).toEqual([])
})
