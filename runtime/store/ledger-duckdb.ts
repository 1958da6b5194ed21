/** The ledger on disk: `state.duckdb` and `payload.duckdb` of one run, held by this process alone. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { sql, type CompiledQuery } from "kysely"

import { canonicalJson, type Plan } from "../../dsl/index.ts"
import { clearManifest, insertRun, insertSession, readBefore, readPartitions, readVariants, undoHalfCommit } from "./begin-run.ts"
import { Variants } from "./commit-batch.ts"
import { openDuck, type Duck } from "./duck.ts"
import { GroupCommit } from "./group-commit.ts"
import { Ledger, noDispositions, type LedgerShape, type RunRecord } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { migrate } from "./migrate.ts"
import { payloadMigrations } from "./payload-tables.ts"
import { defineAggregateViews, readCompleteness, readPending, readStepRows } from "./read-ledger.ts"
import { ManifestStage } from "./stage-manifest.ts"
import { makeRunFolder, removeFiles, type RunFolder } from "./state-folder.ts"
import { stateMigrations, type Disposition } from "./state-tables.ts"
import { storeError, type StoreError } from "./store-error.ts"

export interface DuckLedgerOptions {
  readonly folder: RunFolder
  readonly plan: Plan
  readonly hashKey: (key: string) => Buffer
  readonly memoryMb?: number
}

/** The ledger, and the open files beneath it for the publisher, which reads what is committed. */
export interface DuckLedger extends LedgerShape {
  readonly duck: Duck<LedgerTables>
  /** Serialises with the ledger's own writes. */
  readonly exclusively: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Opens the files; fails with reason `held` while another process has them. */
export const openDuckLedger = Effect.fn("Ledger.open")(function* (options: DuckLedgerOptions): Effect.fn.Return<DuckLedger, StoreError, Scope.Scope> {
  const { folder } = options
  yield* makeRunFolder(folder)
  const duck: Duck<LedgerTables> = yield* openDuck({
    attach: [
      { name: "state", path: folder.state },
      { name: "payload", path: folder.payload }
    ],
    tempDirectory: folder.temp,
    ...(options.memoryMb === undefined ? {} : { memoryMb: options.memoryMb })
  })
  yield* Effect.addFinalizer(() => removeFiles(folder.temp, folder.staging, `${folder.staging}.wal`))
  yield* migrate(duck, "state", folder.state, stateMigrations)
  yield* migrate(duck, "payload", folder.payload, payloadMigrations)
  const one = yield* Semaphore.make(1)
  return yield* makeLedger(options, duck, one.withPermits(1))
})

export const duckLedgerLayer = (options: DuckLedgerOptions): Layer.Layer<Ledger, StoreError> => Layer.effect(Ledger, openDuckLedger(options))

const makeLedger = Effect.fnUntraced(function* (options: DuckLedgerOptions, duck: Duck<LedgerTables>, exclusively: DuckLedger["exclusively"]) {
  const { folder, plan, hashKey } = options
  const scope = yield* Effect.scope
  const { use } = duck
  let commits: GroupCommit | undefined
  let stage: ManifestStage | undefined
  let isFresh = true
  const before = { manifest: 0, dispositions: { ...noDispositions }, spentUsd: 0 }
  const session = { number: 0 }

  /** One short transaction of the ledger's own, between two group commits. */
  const transaction = (doing: string, ...statements: ReadonlyArray<string | CompiledQuery>) =>
    exclusively(Effect.uninterruptible(duck.run(doing, "begin", ...statements, "commit"))).pipe(
      Effect.tapError(() => Effect.ignore(duck.run("rolling back", "rollback")))
    )
  const running = Effect.suspend(() => (commits === undefined ? Effect.die(new Error("The ledger has not begun a run")) : Effect.succeed(commits)))
  const staging = Effect.suspend(() => {
    if (stage !== undefined) return Effect.succeed(stage)
    const opened = (stage = new ManifestStage(duck, hashKey))
    return Effect.as(use("building the manifest", () => opened.open(folder.staging)), opened)
  })

  const begin: LedgerShape["begin"] = Effect.fn("Ledger.begin")(function* (start, sessionStart) {
    yield* removeFiles(folder.staging, `${folder.staging}.wal`)
    const existing = yield* use("reading the run", (db) => db.selectFrom("state.run").selectAll().executeTakeFirst())
    if (existing === undefined) yield* use("beginning the run", (db) => insertRun(db, start))
    const sealed = existing !== undefined && existing.sealed_at !== null
    if (!sealed) yield* use("clearing a manifest that was never sealed", clearManifest)
    const last = yield* use("undoing what was half committed", undoHalfCommit)
    session.number = yield* use("beginning a session", (db) => insertSession(db, sessionStart))
    yield* use("beginning a session", (db) => db.updateTable("state.run").set({ status: sealed ? "running" : "preparing", plan: start.plan, plan_digest: start.planDigest, failure: null, ended_at: null }).execute())
    const variants = new Variants()
    for (const { variant, ...of } of yield* use("reading variants", readVariants)) variants.know(variant, of)
    isFresh = last === 0
    Object.assign(before, yield* use("counting what is done", (db) => readBefore(db, plan)))
    commits = yield* GroupCommit.make({ writer: duck.writer, session: session.number, lastCommit: last, variants, exclusively }).pipe(
      Effect.provideService(Scope.Scope, scope)
    )
    const createdAt = existing?.created_at ?? (yield* use("reading the run", (db) => db.selectFrom("state.run").select("created_at").executeTakeFirstOrThrow())).created_at
    const itemLimit = existing === undefined ? start.itemLimit : existing.item_limit
    const record: RunRecord = { ...start, itemLimit, status: sealed ? "running" : "preparing", sealed, session: session.number, createdAt }
    return record
  })

  const ledger: DuckLedger = {
    duck,
    exclusively,
    begin,
    stage: (items, rejections) => Effect.flatMap(staging, (open) => use("building the manifest", () => open.add(items, rejections))),
    seal: Effect.fn("Ledger.seal")(function* (layout) {
      const open = yield* staging
      const summary = yield* use("sealing the manifest", () => open.place(layout))
      stage = undefined
      yield* transaction("sealing the manifest", "update state.run set sealed_at = now(), status = 'running'")
      yield* removeFiles(folder.staging, `${folder.staging}.wal`)
      before.manifest = summary.items
      return summary
    }),
    partitions: use("reading partitions", readPartitions),
    lease: (partition, worker) =>
      transaction(
        "leasing a partition",
        `update state.partitions set status = 'leased', epoch = epoch + 1, worker = ${worker}, leased_at = coalesce(leased_at, now()) where partition_no = ${partition}`
      ),
    finish: (partition) =>
      Effect.andThen(
        Effect.flatMap(running, (open) => open.flush),
        transaction("finishing a partition", `update state.partitions set status = 'done', done_at = now() where partition_no = ${partition}`)
      ),
    pending: (from, to) => use("reading items", (db) => readPending(db, plan, from, to, isFresh)),
    settle: (settlement) => (commits === undefined ? Effect.andThen(running, Effect.void) : commits.settle(settlement)),
    flush: Effect.flatMap(running, (open) => open.flush),
    tally: Effect.sync(() => {
      const dispositions = { ...before.dispositions }
      for (const [disposition, items] of Object.entries(commits?.dispositions ?? {})) dispositions[disposition as Disposition] += items
      const committed = Object.values(dispositions).reduce((sum, items) => sum + items, 0)
      return {
        manifest: before.manifest,
        committed,
        inFlight: commits?.uncommitted ?? 0,
        dispositions,
        spentUsd: before.spentUsd + (commits?.spentUsd ?? 0),
        trouble: commits?.trouble ?? null
      }
    }),
    completeness: use("checking completeness", (db) => readCompleteness(db, plan)),
    rows: (step) => Stream.fromAsyncIterable(readStepRows(duck.db, step), (cause) => storeError("reading answers", cause)),
    query: (step, query) =>
      use("running an aggregate's query", async (db) => {
        await defineAggregateViews(db, plan, step)
        // The types proved that `query` builds a select on these two views.
        const built = query(db) as { readonly compile: () => CompiledQuery }
        return (await db.executeQuery(built.compile())).rows
      }),
    saveSummary: (step, values) =>
      use("saving an aggregate", async (db) => {
        await db.deleteFrom("payload.summaries").where("step", "=", step).execute()
        await db.insertInto("payload.summaries").values({ step, summary: canonicalJson(values) }).execute()
      }),
    saveReport: (step, text) =>
      use("saving a report", async (db) => {
        await db.deleteFrom("payload.reports").where("step", "=", step).execute()
        await db.insertInto("payload.reports").values({ step, report: text }).execute()
      }),
    close: Effect.fn("Ledger.close")(function* (status, failure) {
      const closing = status === "done" ? yield* ledger.completeness : null
      const ended = new Date(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
      yield* use("closing the run", (db) =>
        db
          .updateTable("state.run")
          .set({
            status,
            failure,
            ended_at: ended,
            spent_usd: sql<number>`(select coalesce(sum(cost_usd), 0) from state.attempts)`,
            ...(closing === null ? {} : { closing: canonicalJson(closing.dispositions) })
          })
          .execute()
      )
      yield* use("closing the session", (db) => db.updateTable("state.sessions").set({ ended_at: ended }).where("session", "=", session.number).execute())
    })
  }
  return ledger
})
