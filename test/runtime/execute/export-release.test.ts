import { createHash } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import { compile, cron, toCsv, toJsonl, toParquet, type Job } from "../../../dsl/index.ts"
import { exportRelease } from "../../../runtime/execute/export-release.ts"
import { ExportFailed } from "../../../runtime/execute/run-error.ts"
import { openDuck } from "../../../runtime/store/duck.ts"
import { ExportPoint } from "../../../runtime/store/export.ts"
import { publish } from "../../../runtime/store/publish.ts"
import { queryAnalytics } from "../../../runtime/store/open-analytics.ts"
import { release } from "../../../runtime/store/release.ts"
import type { Revision } from "../../../runtime/store/revisions.ts"
import type { StateFolder } from "../../../runtime/store/state-folder.ts"
import { openSampleRun, sampleJob, sampleSettlement, secret, settleItems, tempState } from "../../support/store-run.ts"

const run = "2026-11-02-a"
const all = (out: string) => ({ exports: [toParquet(out), toJsonl(out), toCsv(out)] })

interface Exporting {
  readonly items?: number
  readonly itemLimit?: number
  readonly revision?: number
  readonly settlementOf?: typeof sampleSettlement
  readonly isReleased?: boolean
  /** The run's own, where it is linked to another. */
  readonly name?: string
  readonly earlier?: ReadonlyArray<Revision>
  readonly isPublished?: boolean
}

/** Settles, releases and exports a run, or what is left of it. */
const exportRun = (folder: StateFolder, job: Job, options: Exporting = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const {
        items = 100,
        itemLimit,
        revision = 1,
        settlementOf = sampleSettlement,
        isReleased = true,
        isPublished = false,
        name = run,
        earlier = []
      } = options
      const plan = compile(job)
      const ledger = yield* openSampleRun(folder, { run: name, items, plan, ...(itemLimit === undefined ? {} : { itemLimit }) })
      yield* settleItems(ledger, 0, items, settlementOf)
      if (isReleased) yield* release(ledger, folder, plan, name)
      const interval = { start: new Date("2026-11-02T00:00:00Z"), end: new Date("2026-11-03T00:00:00Z") }
      const context = { run, date: "2026-11-02", interval, params: { region: "eu", person: secret } }
      yield* exportRelease({
        job,
        plan,
        ledger,
        folder,
        by: { run: name, revision },
        context,
        ...(earlier.length === 0 ? {} : { after: { earlier, states: [] } })
      })
      if (isPublished) yield* publish(ledger, folder, name)
    })
  )

const placeOf = (out: string, revision = 1) => join(out, run, `revision-${revision}`)
const names = ["_SUCCESS", "_manifest.json", "trusted.csv", "trusted.jsonl", "trusted.parquet"]
const jsonAt = (...parts: ReadonlyArray<string>) => JSON.parse(readFileSync(join(...parts), "utf8"))
const query = (text: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const duck = yield* openDuck({ attach: [] })
      return yield* Effect.promise(async () => (await duck.writer.runAndReadAll(text)).getRowObjectsJson())
    })
  )

describe("an export", () => {
  it.live("holds the delivered rows as outputs has them, in each format, and a manifest with every file's digest", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const out = join(folder.root, "out")
      yield* exportRun(folder, sampleJob({ release: all(out) }), { isPublished: true })
      const place = placeOf(out)
      expect(readdirSync(place).toSorted()).toEqual(names)
      const columns =
        "run, job, step, item_id, item_key, topic, confidence, output_run, detail_urgent, model, model_version, prompt_version, code_version, plan_digest"
      const { rows: outputs } = yield* queryAnalytics(folder, `select ${columns} from outputs_mail_triage_trusted order by item_key`)
      expect(outputs).toHaveLength(80)
      for (const file of ["read_parquet('trusted.parquet')", "read_json('trusted.jsonl')", "read_csv('trusted.csv')"]) {
        const rows = yield* query(`select ${columns} from ${file.replace("'", `'${place}/`)} order by item_key`)
        expect(rows, file).toEqual(outputs)
      }
      const [line = ""] = readFileSync(join(place, "trusted.jsonl"), "utf8").split("\n")
      expect(JSON.parse(line)).toMatchObject({ tags: expect.any(Array), logical_time: "2026-11-02T00:00:00.000Z" })
      const manifest = jsonAt(place, "_manifest.json")
      expect(manifest).toMatchObject({
        format: 1,
        run,
        revision: 1,
        job: "mail-triage",
        date: "2026-11-02",
        consumers: ["archive", "ticketing"]
      })
      expect(manifest.files.map(({ file }: { file: string }) => file)).toEqual(["trusted.parquet", "trusted.jsonl", "trusted.csv"])
      for (const { file, rows, bytes, sha256, schema } of manifest.files) {
        const content = readFileSync(join(place, file))
        expect({ rows, bytes, sha256 }).toEqual({
          rows: 80,
          bytes: content.length,
          sha256: createHash("sha256").update(content).digest("hex")
        })
        expect(schema).toContainEqual({ name: "detail_urgent", type: "boolean" })
        expect(statSync(join(place, file)).mode & 0o777).toBe(0o640)
      }
    })
  )

  it.live("[SLA-3] tells consumers in its marker that items are missing, and which", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const out = join(folder.root, "out")
      yield* exportRun(folder, sampleJob({ release: { exports: [toCsv(out)] } }))
      const told = jsonAt(placeOf(out), "_SUCCESS")
      expect(told).toMatchObject({
        run,
        partial: true,
        late: false,
        items: { manifest: 100, delivered: 80, dead: 10, review: 10, held: 0, skipped: 0, rejected: 2 }
      })
      const manifest = readFileSync(join(placeOf(out), "_manifest.json"))
      expect(told.manifest.sha256).toBe(createHash("sha256").update(manifest).digest("hex"))
      // The control: with everything delivered it's whole.
      const whole = yield* tempState
      const good = (_: number, itemId: string) => sampleSettlement(1, itemId)
      const settle = (seq: number, itemId: string) => ({ ...good(seq, itemId), seq })
      yield* exportRun(whole, sampleJob({ release: { exports: [toCsv(join(whole.root, "out"))] } }), { items: 10, settlementOf: settle })
      expect(jsonAt(placeOf(join(whole.root, "out")), "_SUCCESS")).toMatchObject({ partial: false, items: { manifest: 10, delivered: 10 } })
    })
  )

  it.live("[SLA-3] tells consumers that it is late, and by how much", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const [slow, quick] = [join(folder.root, "slow"), join(folder.root, "quick")]
      const within = (span: "1 millis" | "6 hours", to: string) =>
        sampleJob({ schedule: cron("0 1 * * *", { timeZone: "UTC", within: span }), release: { exports: [toCsv(to)] } })
      yield* exportRun(folder, within("1 millis", slow))
      expect(jsonAt(placeOf(slow), "_SUCCESS")).toMatchObject({ late: true, deadline: expect.any(String) })
      yield* exportRun(folder, within("6 hours", quick))
      expect(jsonAt(placeOf(quick), "_SUCCESS")).toMatchObject({ late: false, lateSeconds: 0 })
    })
  )

  it.live("goes where a function of date, run and parameters says", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const to = toJsonl<{ region: string }>(({ date, run: name, params }) => join(folder.root, params.region, date, name))
      yield* exportRun(folder, sampleJob({ release: { exports: [to as never] } }))
      expect(existsSync(join(placeOf(join(folder.root, "eu", "2026-11-02", run)), "_SUCCESS"))).toBe(true)
    })
  )

  it.live("is written of no trial, and of nothing before its release", () =>
    Effect.gen(function* () {
      const [trial, waiting, control] = [yield* tempState, yield* tempState, yield* tempState]
      const jobFor = (folder: StateFolder) => sampleJob({ release: all(join(folder.root, "out")) })
      yield* exportRun(trial, jobFor(trial), { itemLimit: 100 })
      yield* exportRun(waiting, jobFor(waiting), { isReleased: false })
      yield* exportRun(control, jobFor(control))
      expect([trial, waiting, control].map(({ root }) => existsSync(join(root, "out")))).toEqual([false, false, true])
    })
  )

  it.live("[case 19] of a run of no items is there, with columns and without a row", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const out = join(folder.root, "out")
      yield* exportRun(folder, sampleJob({ release: all(out) }), { items: 0 })
      expect(readFileSync(join(placeOf(out), "trusted.csv"), "utf8")).toMatch(/^run,job,step,item_id,item_key,topic,[a-z_,]+\n$/)
      expect(jsonAt(placeOf(out), "_manifest.json").files.map(({ rows }: { rows: number }) => rows)).toEqual([0, 0, 0])
    })
  )

  it.live("of a further revision stands beside the first, which stays as it was", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const out = join(folder.root, "out")
      const job = sampleJob({ release: all(out) })
      yield* exportRun(folder, job)
      const before = readdirSync(placeOf(out)).map((name) => statSync(join(placeOf(out), name)).ino)
      yield* exportRun(folder, job, { revision: 2 })
      expect(readdirSync(placeOf(out, 2)).toSorted()).toEqual(names)
      expect(jsonAt(placeOf(out, 2), "_SUCCESS")).toMatchObject({ revision: 2 })
      expect(readdirSync(placeOf(out)).map((name) => statSync(join(placeOf(out), name)).ino)).toEqual(before)
    })
  )

  it.live("of a further revision holds the rows of all runs that make it up, each once", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const out = join(folder.root, "out")
      const job = sampleJob({ release: { exports: [toCsv(out)] } })
      yield* exportRun(folder, job)
      yield* exportRun(folder, job, { name: "linked", items: 10, revision: 2, earlier: [{ run, revision: 1 }] })
      const counted = yield* query(
        `select run, revision, by_run, count(*) as rows, count(distinct item_id) as items from read_csv('${placeOf(out, 2)}/trusted.csv') group by all order by all`
      )
      expect(counted).toEqual([
        { run, revision: "1", by_run: run, rows: "80", items: "80" },
        { run, revision: "2", by_run: "linked", rows: "8", items: "8" }
      ])
    })
  )

  it.live("[CHK-3] is written down with its digests, and with its path in the payload alone", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const to = toCsv<{ person: string }>(({ params }) => join(folder.root, params.person))
      const job = sampleJob({ release: { exports: [to as never] } })
      yield* exportRun(folder, job)
      yield* exportRun(folder, job, { isPublished: true })
      const { rows } = yield* queryAnalytics(folder, "select * exclude (run, exported_at, sha256, bytes, version) from exports")
      expect(rows).toEqual([{ job: "mail-triage", export_no: 1, revision: 1, step: "trusted", format: "csv", rows: 80 }])
      expect(readFileSync(folder.run(run).state).includes(secret)).toBe(false)
      expect(readFileSync(folder.run(run).payload).includes(secret)).toBe(true)
    })
  )
})

describe("an export that was killed", () => {
  const points = ["written", "placed", "described", "marked"] as const

  it.live.each(points)("when a file was %s is whole once it is repeated, and no reader saw half of it", (point) =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const out = join(folder.root, "out")
      const job = sampleJob({ release: all(out) })
      const dying = (at: string, file: string) =>
        at === point && (file.endsWith(".jsonl") || !file.includes("trusted")) ? Effect.die("killed") : Effect.void
      const exit = yield* Effect.exit(Effect.provideService(exportRun(folder, job), ExportPoint, dying))
      expect(Exit.isFailure(exit)).toBe(true)
      const place = placeOf(out)
      const visible = () => readdirSync(place).filter((name) => !name.startsWith("."))
      const left = { written: ["trusted.parquet"], placed: ["trusted.jsonl", "trusted.parquet"], described: names.slice(1), marked: names }
      expect(visible().toSorted()).toEqual(left[point])
      const kept = statSync(join(place, "trusted.parquet")).ino
      yield* exportRun(folder, job, { isPublished: true })
      expect(readdirSync(place).toSorted()).toEqual(names)
      expect(statSync(join(place, "trusted.parquet")).ino).toBe(kept)
      const [counted] = yield* query(
        `select (select count(distinct item_id) from '${place}/*.parquet') as p, (select count(*) from read_json('${place}/*.jsonl')) as j, (select count(*) from read_csv('${place}/*.csv')) as c`
      )
      expect(counted).toEqual({ p: "80", j: "80", c: "80" })
      const { rows } = yield* queryAnalytics(folder, "select export_no, rows from exports order by export_no")
      expect(rows).toEqual([1, 2, 3].map((export_no) => ({ export_no, rows: 80 })))
    })
  )
})

describe("an export that can't be written", () => {
  it.live("says where, why and what to type, and is written once it can be", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const blocked = join(folder.root, "blocked")
      writeFileSync(blocked, "a file where the folder should be")
      const job = sampleJob({ release: { exports: [toCsv(blocked)] } })
      const error = yield* Effect.flip(exportRun(folder, job))
      expect(error).toBeInstanceOf(ExportFailed)
      expect(error.message).toContain(`Run ${run} is complete, and its export to ${blocked} could not be written: `)
      expect(error.message).toContain(`\`runtime resume ${run}\``)
      const elsewhere = join(folder.root, "elsewhere")
      yield* exportRun(folder, sampleJob({ release: { exports: [toCsv(elsewhere)] } }))
      expect(readdirSync(placeOf(elsewhere))).toContain("_SUCCESS")
    })
  )

  // Root writes where it likes.
  it.live.skipIf(process.getuid?.() === 0)("because its folder is read-only asks for access", () =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const shut = join(folder.root, "shut")
      mkdirSync(shut)
      chmodSync(shut, 0o500)
      const error = yield* Effect.flip(exportRun(folder, sampleJob({ release: { exports: [toCsv(shut)] } })))
      expect(error.message).toContain("give this user write access there")
    })
  )

  const throwing = (): string => {
    throw new Error("no such region")
  }
  it.live.each([
    { what: "throws", place: throwing, says: "no such region" },
    { what: "names nothing", place: (): string => " ", says: "names no folder" }
  ])("because the job's function $what is the job's to mend", ({ place, says }) =>
    Effect.gen(function* () {
      const folder = yield* tempState
      const error = yield* Effect.flip(exportRun(folder, sampleJob({ release: { exports: [toCsv(place)] } })))
      expect(error.message).toContain(says)
      expect(error.message).toContain("mend the job")
    })
  )
})
