import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { removeStaleParts } from "../../../runtime/store/stale-parts.ts"
import { tempState } from "../../support/store-run.ts"

describe("parts of processes that are no more", () => {
  it.live("[CRD-3] go, and nothing else does: not those of live ones, no file that has its name", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const { pid: dead } = spawnSync(process.execPath, ["-e", "0"])
      const stale = [
        "items/run=schema/.000014.parquet.part.PID",
        ".lineage.duckdb.part.PID",
        ".lineage.duckdb.part.PID.wal",
        "output/.outputs_job_step.PID"
      ]
      const kept = [
        ...stale.map((name) => name.replace("PID", String(process.ppid))),
        ...stale.map((name) => name.replace("PID", String(process.pid))),
        "items/run=schema/000014.parquet",
        "items/run=a/.000001.parquet.part",
        "lineage.sql"
      ]
      const write = (name: string): string => {
        const file = join(folder.analytics, name)
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, "")
        return file
      }
      const [gone, standing] = [stale.map((name) => write(name.replace("PID", String(dead)))), kept.map(write)]
      yield* removeStaleParts(folder)
      expect(gone.filter((file) => existsSync(file))).toEqual([])
      expect(standing.filter((file) => !existsSync(file))).toEqual([])
    })
  )
})
