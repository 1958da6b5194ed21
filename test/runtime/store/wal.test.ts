import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import * as DuckDb from "@duckdb/node-api"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { openDuck, type Duck } from "../../../runtime/store/duck.ts"
import { commitRows, killCommitter } from "../../support/commit-process.ts"

interface Tables {
  "state.commits": { number: number; text: string }
}

const folder = mkdtempSync(join(tmpdir(), "nightshift-wal-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const killed = join(folder, "killed.duckdb")

let acknowledged = 0
let log = Buffer.alloc(0)
/** Where each commit of the log ends: after its entry of type 100. */
const ends: Array<number> = []

beforeAll(async () => {
  acknowledged = await killCommitter(killed, 40)
  log = readFileSync(`${killed}.wal`)
  for (let at = 8; at + 16 <= log.length;) {
    const end = at + 16 + Number(log.readBigUInt64LE(at))
    if (log[at + 18] === 100) ends.push(end)
    at = end
  }
})

/** A fresh copy of the killed file with another log. */
const withLog = (name: string, bytes: Buffer): string => {
  const path = join(folder, `${name}.duckdb`)
  for (const suffix of ["", ".wal", ".wal.torn"]) rmSync(`${path}${suffix}`, { force: true })
  copyFileSync(killed, path)
  writeFileSync(`${path}.wal`, bytes)
  return path
}

/** Opens a file as the product does and counts commits: the first is the table's. */
const commitsIn = (path: string): Promise<number> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const duck: Duck<Tables> = yield* openDuck({ attach: [{ name: "state", path }] })
        const rows = yield* duck.use("counting", (db) =>
          db
            .selectFrom("state.commits")
            .select(({ fn }) => ["number", fn.countAll<number>().as("rows")])
            .groupBy("number")
            .orderBy("number")
            .execute()
        )
        expect(rows).toEqual(rows.map((_, index) => ({ number: index + 1, rows: commitRows })))
        return rows.length
      })
    )
  )

/** Whether DuckDB by itself opens the file. */
const opensAlone = async (path: string): Promise<boolean> => {
  const instance = await DuckDb.DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  try {
    await connection.run(`attach '${path}' as state (read_only)`)
    return true
  } catch {
    return false
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

const wholeBefore = (cut: number): number => ends.filter((end) => end <= cut).length - 1

describe("the log of a process that was killed", () => {
  it("[CHK-2] holds every commit that was acknowledged, and at most one more", async () => {
    expect(acknowledged).toBeGreaterThanOrEqual(40)
    const found = await commitsIn(withLog("whole", log))
    expect(found).toBeGreaterThanOrEqual(acknowledged)
    expect(found).toBeLessThanOrEqual(acknowledged + 1)
  })

  it("[CHK-2] opens wherever it is cut, without our help, with every commit that stands before the cut", async () => {
    const from = ends.at(-4) ?? 0
    const near = ends.slice(-3).flatMap((end) => [-21, -20, -5, -1, 0, 1, 8, 15, 16, 17].map((by) => end + by))
    const strided = Array.from({ length: 12 }, (_, index) => from + Math.floor(((log.length - from) * index) / 12))
    const cuts = [...new Set([...near, ...strided])].filter((cut) => cut >= from && cut <= log.length)
    for (const cut of cuts) {
      const path = withLog("cut", log.subarray(0, cut))
      expect(await commitsIn(path), `cut at ${cut}`).toBe(wholeBefore(cut))
      expect(existsSync(`${path}.wal.torn`)).toBe(false)
    }
  })
})

describe("the log after a power loss", () => {
  const tails = {
    "zeros for what was never written": (cut: number) => Buffer.concat([log.subarray(0, cut), Buffer.alloc(log.length - cut)]),
    "zeros beyond its end": (cut: number) => Buffer.concat([log.subarray(0, cut), Buffer.alloc(8_192)]),
    "another file's bytes": (cut: number) => Buffer.concat([log.subarray(0, cut), Buffer.alloc(4_096, "nightshift ")])
  }
  for (const [what, tailed] of Object.entries(tails)) {
    it(`[CHK-2] that ends in ${what} is mended: all commits before stand, and new ones follow`, async () => {
      const last = ends.at(-2) ?? 0
      let refused = 0
      for (const cut of [last, last + 10, last + 16, last + 40, (ends.at(-1) ?? 0) - 1]) {
        const path = withLog("tail", tailed(cut))
        const alone = await opensAlone(path)
        if (!alone) refused++
        expect(await commitsIn(path), `cut at ${cut}`).toBe(wholeBefore(cut))
        expect(existsSync(`${path}.wal.torn`)).toBe(!alone)
        expect(alone || readFileSync(`${path}.wal.torn`).equals(tailed(cut))).toBe(true)
        await Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const duck: Duck<Tables> = yield* openDuck({ attach: [{ name: "state", path }] })
              yield* duck.run("committing", `insert into state.commits select ${wholeBefore(cut) + 1}, 'again' from range(${commitRows})`)
            })
          )
        )
        expect(await commitsIn(path)).toBe(wholeBefore(cut) + 1)
      }
      // Without the mending there was something to mend.
      expect(refused).toBeGreaterThan(0)
    })
  }

  it("[CHK-2] whose pages came in another order loses only the commit that was never acknowledged", async () => {
    const bytes = Buffer.from(log)
    bytes.fill(0, (ends.at(-2) ?? 0) + 16, (ends.at(-2) ?? 0) + 80)
    expect(await commitsIn(withLog("order", bytes.subarray(0, ends.at(-1))))).toBe(ends.length - 2)
  })

  it("[CHK-2] that is damaged before a later commit is refused and left as it is", async () => {
    for (const commit of [2, 20, ends.length - 3]) {
      const bytes = Buffer.from(log)
      bytes[(ends[commit] ?? 0) + 20]! ^= 1
      const path = withLog("damaged", bytes)
      const error = await Effect.runPromise(Effect.flip(Effect.scoped(openDuck({ attach: [{ name: "state", path }] }))))
      expect(error.reason).toBe("broken")
      expect(error.message).toContain(`${path} is damaged`)
      expect(readFileSync(`${path}.wal`)).toEqual(bytes)
      expect(existsSync(`${path}.wal.torn`)).toBe(false)
    }
  })
})
