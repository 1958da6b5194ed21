import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { sql, type Kysely } from "kysely"

import { openDuckLedger, type DuckLedger } from "../../../runtime/store/ledger-duckdb.ts"
import type { LedgerShape, PendingItem } from "../../../runtime/store/ledger.ts"
import { openStateFolder, type RunFolder, type StateFolder } from "../../../runtime/store/state-folder.ts"
import { mountSmall } from "../../support/fault-home.ts"
import { holdRun } from "../../support/hold-run.ts"
import {
  begin,
  beginSealed,
  eventually,
  layoutOf,
  pendingItems,
  settleAll,
  settlementOf,
  stagedItem,
  twoEnds
} from "../../support/ledger-run.ts"
import { tempState } from "../../support/store-run.ts"

const run = "r1"
const open = (folder: StateFolder) => openDuckLedger({ folder: folder.run(run), plan: twoEnds, hashKey: folder.hashKey })

/** Lets promises and DuckDB go on for a moment. */
const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** One process's work on the run. */
const session = <A, E>(folder: StateFolder, work: (ledger: DuckLedger) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(open(folder), work))

const count = (ledger: DuckLedger, from: string) =>
  ledger.duck.use("counting", async (db) => {
    const { rows } = await sql<{ rows: number }>`select count(*) as rows from ${sql.raw(from)}`.execute(db)
    return rows[0]?.rows
  })

describe("metadata", () => {
  const marker = "Jane-Roe-1970"

  /** Puts the marker wherever an author's data goes. */
  const writePersonalData = Effect.fnUntraced(function* (ledger: DuckLedger) {
    yield* begin(ledger)
    const item = (n: number) => stagedItem(n, { key: `${marker}-${n}`, label: `${marker}-label`, file: `${marker}.jsonl` })
    const reason = { code: "unreadable", reason: `not JSON: ${marker}`, excerpt: marker, key: marker, file: `${marker}.jsonl`, line: 1 }
    yield* ledger.stage([item(0), item(1), item(2), item(1)], [reason])
    yield* ledger.seal(layoutOf(2))
    for (const pending of yield* pendingItems(ledger)) {
      const settlement = settlementOf(pending, { text: marker, isDead: pending.seq === 1, isFlagged: true })
      const answers = settlement.answers.map((answer) => ({ ...answer, raw: marker }))
      yield* ledger.settle({
        ...settlement,
        answers,
        problems: settlement.problems.map((problem) => ({ ...problem, message: marker, raw: marker }))
      })
    }
    yield* ledger.flush
    yield* ledger.saveSummary("mix", { [marker]: marker })
    yield* ledger.saveReport("morning", marker)
  })

  const bytesOf = (folder: RunFolder, name: "state" | "payload"): Buffer =>
    Buffer.concat(
      readdirSync(folder.root)
        .filter((file) => file.startsWith(`${name}.duckdb`))
        .map((file) => readFileSync(join(folder.root, file)))
    )

  it.effect(
    "[CHK-3] holds no key, body, answer, error text or file name: neither its log, nor the file after a checkpoint, nor any of its values",
    () =>
      Effect.gen(function* () {
        const folder = yield* tempState
        const { root } = folder.run(run)
        const runFolder = folder.run(run)
        yield* session(folder, (ledger) =>
          Effect.gen(function* () {
            yield* writePersonalData(ledger)
            // The log holds values as they are; the file may hold them compressed, so its values are looked through as well.
            expect(readdirSync(root)).toContain("state.duckdb.wal")
            expect(bytesOf(runFolder, "state").includes(marker)).toBe(false)
            expect(bytesOf(runFolder, "payload").includes(marker)).toBe(true)
            expect(yield* tablesWith(ledger, "state", marker)).toEqual([])
            expect(yield* tablesWith(ledger, "payload", marker)).toEqual([
              "answers",
              "items",
              "labels",
              "problems",
              "rejected_rows",
              "reports",
              "summaries"
            ])
          })
        )
        expect(readdirSync(root)).not.toContain("state.duckdb.wal")
        expect(bytesOf(runFolder, "state").includes(marker)).toBe(false)
      })
  )
})

/** Tables of a file with a value that contains the marker. */
const tablesWith = (ledger: DuckLedger, file: string, marker: string) =>
  ledger.duck.use("looking for personal data", async (db) => {
    const { rows } = await sql<{
      name: string
    }>`select table_name as name from duckdb_tables() where database_name = ${file} order by all`.execute(db)
    const found: Array<string> = []
    for (const { name } of rows) {
      const { rows: hits } = await sql<{
        hits: number
      }>`select count(*) as hits from ${sql.table(`${file}.${name}`)} each where contains(to_json(each)::varchar, ${marker})`.execute(db)
      if ((hits[0]?.hits ?? 0) > 0) found.push(name)
    }
    return found
  })

describe("two processes on one run", () => {
  it.live("[CHK-5] the second is told who holds it and leaves every file alone; when the first was killed it takes over", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const { staging, temp, state } = folder.run(run)
      const child = yield* holdRun(folder.root, run)
      writeFileSync(staging, "the first process's")
      writeFileSync(temp, "the first process's")
      const error = yield* Effect.flip(Effect.scoped(open(folder)))
      expect(error).toMatchObject({ reason: "held", path: state, holderPid: child.pid })
      expect(error.message).toContain(`${state} is in use by process ${child.pid}. Nothing was changed`)
      expect([readFileSync(staging, "utf8"), readFileSync(temp, "utf8")]).toEqual(["the first process's", "the first process's"])
      child.kill("SIGKILL")
      yield* Effect.promise(() => new Promise((resolve) => child.once("exit", resolve)))
      expect((yield* session(folder, (ledger) => begin(ledger))).session).toBe(2)
      expect([existsSync(staging), existsSync(temp)]).toEqual([false, false])
    })
  )
})

describe("a state folder without room", () => {
  /** Everything within a file system of its own; `skip` says aloud that none can be mounted. */
  const mounted = (context: { readonly skip: (note: string) => never }, megabytes: number) =>
    Effect.gen(function* () {
      const root = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "nightshift-full-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
      )
      const disk = yield* Effect.acquireRelease(
        Effect.sync(() => mountSmall(root, megabytes)),
        (made) => Effect.sync(() => made?.[Symbol.dispose]())
      )
      if (disk === null) return context.skip("no file system can be mounted here")
      return { disk, folder: yield* openStateFolder(root) }
    })

  /** Moves the clock on until the ledger's work goes on or `condition` holds, and says which troubles were told. */
  const passTime = (ledger: LedgerShape, condition: () => boolean) =>
    Effect.gen(function* () {
      const told = new Set<string>()
      for (let turns = 0; turns < 400 && !condition(); turns++) {
        yield* TestClock.adjust("10 seconds")
        yield* turn
        const { trouble } = yield* ledger.tally
        if (trouble !== null) told.add(trouble)
      }
      return [...told].join("\n")
    })

  const big = { text: "x".repeat(2_000) }

  it.effect("[CHK-4] commits wait and say so, go on when there is room, and lose nothing", (context) =>
    Effect.gen(function* () {
      const { disk, folder } = yield* mounted(context, 16)
      yield* session(folder, (ledger) =>
        Effect.gen(function* () {
          yield* beginSealed(ledger, 300, 1)
          const items = yield* pendingItems(ledger)
          yield* settleAll(ledger, items.slice(0, 100), () => big)
          disk.fill()
          const settling = yield* Effect.forkChild(settleAll(ledger, items.slice(100), () => big))
          const finishing = yield* Effect.forkChild(ledger.finish(0))
          yield* eventually(Effect.map(ledger.tally, ({ trouble }) => trouble !== null))
          expect(yield* passTime(ledger, () => false)).toMatch(
            /The disk that holds .* is full\. Nothing that was committed is lost: make room/
          )
          expect((yield* ledger.tally).committed).toBe(100)
          disk.makeRoom()
          yield* passTime(ledger, () => settling.pollUnsafe() !== undefined && finishing.pollUnsafe() !== undefined)
          yield* Fiber.join(settling)
          yield* Fiber.join(finishing)
          expect(yield* ledger.tally).toMatchObject({ committed: 300, inFlight: 0, trouble: null })
        })
      )
      yield* session(folder, (ledger) =>
        Effect.gen(function* () {
          yield* begin(ledger)
          expect(yield* ledger.completeness).toMatchObject({ manifest: 300, gaps: [], holds: true })
          expect((yield* ledger.partitions).map(({ isDone }) => isDone)).toEqual([true])
        })
      )
    })
  )

  it.effect(
    "[CHK-4] a checkpoint that fails makes DuckDB let go of the file: it is opened again, and no commit is lost or repeated",
    (context) =>
      Effect.gen(function* () {
        const { disk, folder } = yield* mounted(context, 16)
        yield* session(folder, (ledger) =>
          Effect.gen(function* () {
            yield* beginSealed(ledger, 1_000, 1)
            // Each commit is followed by a checkpoint, which needs more room than the commit's log.
            yield* ledger.duck.run("setting up", "set checkpoint_threshold = '1KB'")
            const items = yield* pendingItems(ledger)
            yield* settleAll(ledger, items.slice(0, 300), () => big)
            disk.fill()
            const filler = join(folder.root, "filler")
            truncateSync(filler, statSync(filler).size - 600_000)
            let isSettled = false
            const settleRest = Effect.gen(function* () {
              for (let from = 300; from < 1_000; from += 50) yield* settleAll(ledger, items.slice(from, from + 50), () => big)
              isSettled = true
            })
            const settling = yield* Effect.forkChild(settleRest)
            yield* eventually(Effect.map(ledger.tally, ({ trouble }) => trouble !== null))
            const told = yield* passTime(ledger, () => isSettled)
            expect(told).toMatch(/Checkpoint failed for database|has been invalidated/)
            expect(isSettled).toBe(false)
            disk.makeRoom()
            yield* passTime(ledger, () => settling.pollUnsafe() !== undefined)
            yield* Fiber.join(settling)
            expect(yield* ledger.tally).toMatchObject({ committed: 1_000, trouble: null })
          })
        )
        yield* session(folder, (ledger) =>
          Effect.gen(function* () {
            yield* begin(ledger)
            expect(yield* ledger.completeness).toMatchObject({ manifest: 1_000, holds: true })
            for (const table of ["state.attempts", "payload.answers"]) expect(yield* count(ledger, table)).toBe(2_000)
          })
        )
      })
  )

  it.effect("a state folder that can't be written is named, with what to do", (context) =>
    Effect.gen(function* () {
      const { disk, folder } = yield* mounted(context, 8)
      expect(disk.remount("ro")).toBe(true)
      const error = yield* Effect.flip(Effect.scoped(open(folder)))
      expect(error.reason).toBe("read-only")
      expect(error.message).toContain(
        `${folder.run(run).root} can't be written. Give this user write access, or choose another folder with --state DIR.`
      )
    })
  )
})

describe("an interrupted process", () => {
  it.live("[CRD-3] stops a query that would last for ever, and closes", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* session(folder, (ledger) =>
        Effect.gen(function* () {
          yield* beginSealed(ledger, 10)
          const endless = ledger.duck.use("counting", (db) => sql`select count(*) from range(1000000000000) a`.execute(db))
          const both = yield* Effect.forkChild(Effect.all([endless, ledger.query("gist", (db) => crossJoin(db))], { concurrency: 2 }))
          yield* turn
          yield* Fiber.interrupt(both)
          yield* ledger.close("interrupted", null)
        })
      )
    })
  )

  it.live("[CRD-3] doesn't hang on a query that nobody waits for any more", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      for (const startsFirst of [true, false]) {
        let ended = "running"
        yield* session(folder, ({ duck }) =>
          Effect.gen(function* () {
            void sql`select count(*) from range(1000000000000) a`.execute(duck.db).catch(() => (ended = "stopped"))
            if (startsFirst) yield* turn
          })
        )
        yield* eventually(Effect.sync(() => ended === "stopped"))
      }
    })
  )

  it.live("[PAR-1] in the middle of a manifest leaves nothing of it", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const scope = yield* Scope.make()
      const ledger = yield* Scope.provide(open(folder), scope)
      yield* begin(ledger)
      yield* ledger.stage(
        Array.from({ length: 20_000 }, (_, n) => stagedItem(n)),
        []
      )
      const sealing = yield* Effect.forkChild(ledger.seal(layoutOf(50)))
      yield* turn
      yield* Fiber.interrupt(sealing)
      yield* Scope.close(scope, Exit.void)
      expect(readdirSync(folder.run(run).root).toSorted()).toEqual(["payload.duckdb", "state.duckdb"])
      yield* session(folder, (next) =>
        Effect.gen(function* () {
          expect((yield* begin(next)).sealed).toBe(false)
          for (const table of ["state.manifest", "state.partitions", "payload.items"]) expect(yield* count(next, table)).toBe(0)
        })
      )
    })
  )
})

/** Far more rows than anyone waits for. */
const crossJoin = (db: unknown) => {
  const one = sql`(select range as n from range(1000000))`
  return { compile: () => sql`select count(*) from ${one} a, ${one} b where hash(a.n + b.n) % 7 = 3`.compile(db as Kysely<object>) }
}

describe("what a process finds", () => {
  it.effect("[CHK-2] a payload that lacks what checkpoints stand on is refused, and nothing is paid again", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const { payload } = folder.run(run)
      yield* session(folder, (ledger) =>
        Effect.gen(function* () {
          yield* beginSealed(ledger, 5)
          yield* settleAll(ledger, yield* pendingItems(ledger))
        })
      )
      rmSync(payload)
      const error = yield* Effect.flip(session(folder, (ledger) => begin(ledger)))
      expect(error).toMatchObject({
        reason: "broken",
        path: payload,
        detail: "15 answers that the run's checkpoints stand on are not in it"
      })
    })
  )

  it.effect("of a kill within its first steps is done again, once", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* session(folder, ({ duck }) => duck.run("writing what a kill leaves", `insert into payload.params values ('{"old":1}')`))
      yield* session(folder, (ledger) =>
        Effect.gen(function* () {
          yield* begin(ledger)
          expect(yield* count(ledger, "payload.params where params = '{}'")).toBe(1)
          expect(yield* count(ledger, "payload.params")).toBe(1)
          expect(yield* count(ledger, "state.run")).toBe(1)
        })
      )
    })
  )

  it.effect("of a kill while a manifest was built is removed, with the logs beside it", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const { root, staging } = folder.run(run)
      yield* session(folder, (ledger) => begin(ledger))
      for (const suffix of ["", ".wal", ".wal.checkpoint", ".wal.recovery"]) writeFileSync(`${staging}${suffix}`, "half a file")
      yield* session(folder, (ledger) =>
        Effect.gen(function* () {
          yield* beginSealed(ledger, 3)
          expect(readdirSync(root).filter((file) => file.startsWith("staging"))).toEqual([])
        })
      )
    })
  )
})

describe("an aggregate's query", () => {
  it.effect("[CRD-4] reads the answers of a step and the items, by the columns of their schemas", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      yield* session(folder, (ledger) =>
        Effect.gen(function* () {
          yield* beginSealed(ledger, 4)
          yield* settleAll(ledger, yield* pendingItems(ledger), ({ seq }: PendingItem) => ({ isDead: seq === 2 }))
          type Tables = { rows: { item_key: string; topic: string }; items: { item_key: string; id: string } }
          const query = (db: unknown) =>
            (db as Kysely<Tables>)
              .selectFrom("rows")
              .innerJoin("items", "items.item_key", "rows.item_key")
              .select(["rows.topic", "items.id"])
              .orderBy("topic")
          const rows = yield* ledger.query("trusted", query)
          expect(rows.map((row) => (row as { topic: string }).topic)).toEqual(["spam 0", "spam 1", "spam 3"])
          expect(rows).toHaveLength(3)
        })
      )
    })
  )
})
