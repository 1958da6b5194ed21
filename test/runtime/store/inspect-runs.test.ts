import { mkdirSync, rmSync, writeFileSync } from "node:fs"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { inspectLeftovers } from "../../../runtime/store/inspect-files.ts"
import { inspectControl, inspectRuns } from "../../../runtime/store/inspect-runs.ts"
import type { RunStatus } from "../../../runtime/store/state-tables.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { holdRun } from "../../support/hold-run.ts"
import { openSampleRun, tempState } from "../../support/store-run.ts"

const endedRun = (folder: StateFolder, run: string, status: RunStatus | null) =>
  Effect.scoped(
    Effect.flatMap(openSampleRun(folder, { run, items: 1 }), (ledger) => (status === null ? Effect.void : ledger.close(status, null)))
  )

const textOf = ({
  findings
}: {
  readonly findings: ReadonlyArray<{ readonly subject: string; readonly level: string; readonly remedy: string | null }>
}) => findings.slice(1).map(({ subject, level, remedy }) => `${level} ${subject}: ${remedy}`)

describe("a look at every run", () => {
  it.live("[CHK-1] tells a crashed run from one that works and from those that ended, and says how to go on", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* endedRun(folder, "crashed", null)
      yield* endedRun(folder, "done", "done")
      yield* endedRun(folder, "interrupted", "interrupted")
      yield* holdRun(folder.root, "working")
      const inspected = yield* inspectRuns(folder)
      expect([...inspected.held]).toEqual(["working"])
      expect(inspected.findings[0]?.text).toBe("4: 1 held, 1 interrupted, 1 done, 1 crashed; `runtime resume` goes on with interrupted")
      expect(textOf(inspected)).toEqual(["warn crashed: runtime resume crashed"])
    })
  )

  it.effect("[OPS-6] a run without files, without its payload, without its state, and with a damaged file are four different things", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      for (const run of ["damaged", "purged", "lost"]) yield* endedRun(folder, run, "done")
      mkdirSync(folder.run("empty").root)
      rmSync(folder.run("lost").state)
      rmSync(folder.run("purged").payload)
      writeFileSync(folder.run("damaged").payload, "no database")
      const inspected = yield* inspectRuns(folder)
      expect(inspected.findings.slice(1).map(({ level, subject }) => `${level} ${subject}`)).toEqual([
        "warn purged",
        "fail lost",
        "warn empty",
        "fail damaged"
      ])
      expect(inspected.findings.at(-1)?.text).toContain("payload.duckdb is damaged")
    })
  )

  it.effect("an index that isn't there yet is fine, and a damaged one fails", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      expect(yield* inspectControl(folder)).toMatchObject({ level: "ok" })
      writeFileSync(folder.control, "no database")
      expect(yield* inspectControl(folder)).toMatchObject({ level: "fail", remedy: expect.stringContaining("mv ") })
    })
  )

  it.effect("files of a run that works aren't left over, those of others are", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      for (const run of ["mine", "other"]) {
        mkdirSync(folder.run(run).root)
        writeFileSync(folder.run(run).holder, "{}")
      }
      expect(inspectLeftovers(folder, new Set(["mine"]))[0]?.text).toBe(`1 files of processes that died: ${folder.run("other").holder}`)
      writeFileSync(`${folder.run("mine").state}.wal.torn`, "")
      expect(inspectLeftovers(folder, new Set(["mine"])).map(({ subject }) => subject)).toEqual(["left-overs", "torn logs"])
    })
  )
})
