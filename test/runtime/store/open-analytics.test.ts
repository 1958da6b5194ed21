import { spawnSync } from "node:child_process"

import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

import { lineageFiles } from "../../../runtime/store/lineage-views.ts"
import { queryAnalytics } from "../../../runtime/store/open-analytics.ts"
import { outputSqlFile } from "../../../runtime/store/output-views.ts"
import { publish } from "../../../runtime/store/publish.ts"
import { release } from "../../../runtime/store/release.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { openSampleRun, samplePlan, settleItems, tempState } from "../../support/store-run.ts"

describe("a query over what was published", () => {
  // Reading changes nothing, so one empty folder serves all of these.
  const scope = Scope.makeUnsafe()
  let folder: StateFolder
  beforeAll(async () => {
    folder = await Effect.runPromise(Effect.provideService(tempState, Scope.Scope, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  it.live("gives plain values under the names of its columns", () =>
    Effect.gen(function* () {
      const query =
        "select 1 as one, 2::hugeint ** 3 as power, 9007199254740993 as large, 1.50::decimal(4, 2) as money, timestamptz '2026-11-02 00:00:00+00' as time, [1, 2] as list, null as none"
      expect(yield* queryAnalytics(folder, query)).toEqual({
        columns: ["one", "power", "large", "money", "time", "list", "none"],
        rows: [
          { one: 1, power: 8, large: "9007199254740993", money: "1.50", time: new Date("2026-11-02T00:00:00Z"), list: [1, 2], none: null }
        ]
      })
    })
  )

  it.live.each([
    "from runs",
    "with x as (from runs) from x",
    "show tables",
    "describe lineage",
    "summarize attempts",
    "values (1)",
    "from outputs"
  ])("reads: %s", (query) =>
    Effect.gen(function* () {
      const folder = yield* tempState
      expect((yield* queryAnalytics(folder, query)).columns.length).toBeGreaterThan(0)
    })
  )

  it.live.each([
    ["drop view runs", "and this is DROP."],
    ["create table x as select 1", "and this is CREATE."],
    ["copy (select 1) to 'x.csv'", "and this is COPY."],
    ["attach 'x.duckdb'", "and this is ATTACH."],
    ["explain analyze select 1", "and this is EXPLAIN."],
    ["select 1; select 2", "and this is more than one."]
  ])("refuses whatever does more than read: %s", ([query, sentence]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(queryAnalytics(folder, query ?? ""))
      expect(error.message).toContain("One statement that reads can be run here: SELECT, FROM, WITH, SHOW, DESCRIBE or SUMMARIZE")
      expect(error.message).toContain(sentence)
    })
  )

  it.live.each([
    ["selec 1", 'Parser Error: syntax error at or near "selec"'],
    ["from nosuch", "Catalog Error: Table with name nosuch does not exist!"],
    ["select nosuch from runs", 'Binder Error: Referenced column "nosuch" not found in FROM clause!'],
    [" ", "There is no statement in it"],
    ["from range(200000)", "It gives more than 100000 rows: add a LIMIT, or open analytics/lineage.duckdb with a DuckDB client"]
  ])("that fails says why in one line, and how to see what there is: %s", ([query, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(queryAnalytics(folder, query ?? ""))
      expect(error.message).toBe(
        `A query failed while it read what runs published; \`runtime sql "show tables"\` lists the tables, \`runtime sql "describe lineage"\` the columns of one. (${reason})`
      )
    })
  )

  it.live("[CRD-6] an old Python client opens the database and the outputs too", (context) =>
    Effect.gen(function* () {
      const python = spawnSync("python3", ["-c", "import duckdb; print(duckdb.__version__)"], { encoding: "utf8" })
      if (python.status !== 0)
        context.skip("python3 has no duckdb: `pip install --target DIR duckdb==1.0.0` and PYTHONPATH=DIR check an old client")
      const folder = yield* tempState
      const ledger = yield* openSampleRun(folder, { run: "r", items: 10 })
      yield* settleItems(ledger, 0, 10)
      yield* release(ledger, folder, samplePlan(), "r")
      yield* publish(ledger, folder, "r")
      const { database } = lineageFiles(folder)
      const script = `
import duckdb, json, sys
c = duckdb.connect(sys.argv[1], read_only=True)
counts = {t: c.sql(f"select count(*) from {t}").fetchone()[0] for (t,) in c.sql("show tables").fetchall()}
d = duckdb.connect()
d.execute(open(sys.argv[2]).read())
for (t,) in d.sql("show tables").fetchall(): counts[t] = d.sql(f"select count(*) from {t}").fetchone()[0]
counts["tags"] = d.sql("select tags->>0 from outputs_mail_triage_trusted limit 1").fetchone()[0]
print(json.dumps(counts))`
      const { stdout, stderr } = spawnSync("python3", ["-c", script, database, outputSqlFile(folder)], { encoding: "utf8" })
      expect(stderr).toBe("")
      expect(JSON.parse(stdout)).toEqual({
        items: 10,
        rejections: 2,
        attempts: 10,
        checkpoints: 20,
        dead_letters: 1,
        reviews: 1,
        retries: 1,
        flags: 2,
        exports: 0,
        steps: 4,
        // Ten items may leave one of the four without any.
        partitions: expect.any(Number),
        runs: 1,
        lineage: 20,
        quality: 2,
        costs: expect.any(Number),
        slo: 5,
        access_log: 0,
        completeness: 0,
        decisions: 0,
        dlq: 1,
        releases: 1,
        review_queue: 1,
        confidence: 2,
        incidents: 0,
        timeline: 3,
        outputs: 8,
        outputs_mail_triage_trusted: 8,
        tags: "a"
      })
    })
  )
})
