/** The ledger on disk: `state.duckdb` and `payload.duckdb` of one run, held by this process alone. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { CompiledQuery } from "kysely"

import { canonicalJson } from "../../dsl/index.ts"
import {
  clearManifest,
  countLostAnswers,
  findOrInsertRun,
  insertSession,
  readBefore,
  readPartitions,
  readVariants,
  undoHalfCommit
} from "./begin-run.ts"
import { alertsOn } from "./alert-ledger.ts"
import { batchesOn, countBatches } from "./batch-ledger.ts"
import { CommitBatch, Variants } from "./commit-batch.ts"
import { addCosts, noCosts } from "./costs.ts"
import { openDuck, type Duck } from "./duck.ts"
import { endRun, replaceReport, replaceSummary } from "./end-run.ts"
import { GroupCommit } from "./group-commit.ts"
import { addDispositions, countItems, noDispositions } from "./disposition.ts"
import type { LedgerShape, RunRecord } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { migrate } from "./migrate.ts"
import { expireGates, moneyOn } from "./money-ledger.ts"
import { OpenRun, type DuckLedgerOptions, type Exclusively } from "./open-run.ts"
import { payloadMigrations } from "./payload-tables.ts"
import { hasGivenRows } from "./read-given.ts"
import { readCompleteness, readPending } from "./read-ledger.ts"
import { defineAggregateViews, readStepRows, type PastRun } from "./read-step-rows.ts"
import { ManifestStage } from "./stage-manifest.ts"
import { filesOf, makeRunFolder, removeFiles } from "./state-folder.ts"
import { stateMigrations } from "./state-tables.ts"
import { StoreError, storeError } from "./store-error.ts"
import { writeBatch } from "./write-batch.ts"

export type { DuckLedgerOptions } from "./open-run.ts"

/** The ledger, and the open files beneath it for the publisher, which reads what is committed. */
export interface DuckLedger extends LedgerShape {
  readonly duck: Duck<LedgerTables>
  /** Serialises with the ledger's own writes. */
  readonly exclusively: Exclusively
  /** From here on `rows` and `query` give the answers of these runs too: a linked run's earlier ones, whose files are attached. */
  readonly joinPast: (past: ReadonlyArray<PastRun>) => void
}

/** Opens the files; fails with reason `held` while another process has them. */
export const openDuckLedger = Effect.fn("Ledger.open")(function* (
  options: DuckLedgerOptions
): Effect.fn.Return<DuckLedger, StoreError, Scope.Scope> {
  const { folder } = options
  yield* makeRunFolder(folder)
  let isHeld = false
  // Added before the files are opened, so that it comes after they are closed. What another process holds is left alone.
  yield* Effect.addFinalizer(() => (isHeld ? removeFiles(folder.temp, ...filesOf(folder.staging)) : Effect.void))
  const duck: Duck<LedgerTables> = yield* openDuck({
    attach: [
      { name: "state", path: folder.state },
      { name: "payload", path: folder.payload }
    ],
    tempDirectory: folder.temp,
    outwaitsLookers: true,
    ...(options.memoryMb === undefined ? {} : { memoryMb: options.memoryMb })
  })
  isHeld = true
  yield* migrate(duck, "state", folder.state, stateMigrations)
  yield* migrate(duck, "payload", folder.payload, payloadMigrations)
  const one = yield* Semaphore.make(1)
  const run = new OpenRun(options, duck, one.withPermits(1), yield* Effect.scope)
  return {
    duck,
    exclusively: run.exclusively,
    joinPast: (past) => void (run.past = past),
    begin: beginOn(run),
    ...manifestOn(run),
    ...workOn(run),
    ...resultsOn(run),
    ...moneyOn(run),
    ...alertsOn(run),
    batches: batchesOn(run),
    close: closeOn(run)
  }
})

const beginOn = (run: OpenRun): LedgerShape["begin"] =>
  Effect.fn("Ledger.begin")(function* (start, session) {
    const { folder, plan } = run.options
    const { use } = run.duck
    yield* removeFiles(...filesOf(folder.staging))
    const { sealed_at, created_at, item_limit } = yield* use("beginning the run", (db) => findOrInsertRun(db, start))
    const sealed = sealed_at !== null
    if (!sealed) yield* use("clearing a manifest that was never sealed", clearManifest)
    const lastCommit = yield* use("undoing what was half committed", undoHalfCommit)
    yield* refuseOtherPayload(run, lastCommit)
    run.session = yield* use("beginning a session", (db) => insertSession(db, session))
    const now = new Date(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
    yield* use("closing gates that expired", (db) => expireGates(db, now))
    const status = sealed ? "running" : "preparing"
    yield* use("beginning a session", (db) =>
      db.updateTable("state.run").set({ status, plan: start.plan, plan_digest: start.planDigest, failure: null, ended_at: null }).execute()
    )
    run.isFresh = lastCommit === 0
    run.hasGiven = start.origin !== undefined && (yield* use("reading answers that items come with", hasGivenRows))
    run.hasBatches = (yield* use("reading provider batches", countBatches)) > 0
    run.before = yield* use("counting what is done", (db) => readBefore(db, plan))
    yield* startCommits(run, lastCommit)
    const record: RunRecord = { ...start, itemLimit: item_limit, status, sealed, session: run.session, createdAt: created_at }
    return record
  })

/** A payload that was deleted, or came from a backup, would leave the run with checkpoints that stand on nothing. */
const refuseOtherPayload = Effect.fnUntraced(function* (
  { duck, options }: OpenRun,
  lastCommit: number
): Effect.fn.Return<void, StoreError> {
  const lost = yield* duck.use("checking the payload", (db) => countLostAnswers(db, lastCommit))
  const detail = `${lost} answers that the run's checkpoints stand on are not in it`
  if (lost > 0) return yield* new StoreError({ reason: "broken", path: options.folder.payload, detail, holderPid: null })
})

const startCommits = Effect.fnUntraced(function* (run: OpenRun, lastCommit: number): Effect.fn.Return<void, StoreError> {
  const { duck, exclusively, patience, scope } = run
  const variants = new Variants()
  for (const { variant, ...of } of yield* duck.use("reading variants", readVariants)) variants.know(variant, of)
  const open = (number: number): CommitBatch => new CommitBatch(number, run.session, variants)
  const write = (batch: CommitBatch): Effect.Effect<void, StoreError> => exclusively(writeBatch(duck.writer, batch))
  run.commits = yield* Effect.provideService(GroupCommit.make({ open, write, lastCommit, patience }), Scope.Scope, scope)
})

const manifestOn = (run: OpenRun): Pick<LedgerShape, "stage" | "seal" | "partitions" | "lease" | "finish"> => {
  const { duck, options, patience } = run
  const { staging } = options.folder
  let stage: ManifestStage | null = null
  const opened = Effect.suspend(() => {
    if (stage !== null) return Effect.succeed(stage)
    const opening = (stage = new ManifestStage(duck, options.hashKey))
    return Effect.as(
      duck.use("building the manifest", () => opening.open(staging)),
      opening
    )
  })
  return {
    stage: (items, rejections) => Effect.flatMap(opened, (open) => duck.use("building the manifest", () => open.add(items, rejections))),
    seal: Effect.fn("Ledger.seal")(function* (layout) {
      const open = yield* opened
      const summary = yield* duck.use("sealing the manifest", () => open.place(layout))
      stage = null
      run.hasGiven = yield* duck.use("reading answers that items come with", hasGivenRows)
      yield* run.transaction("sealing the manifest", "update state.run set sealed_at = now(), status = 'running'")
      yield* removeFiles(...filesOf(staging))
      run.before = { ...run.before, manifest: summary.items }
      return summary
    }),
    partitions: duck.use("reading partitions", readPartitions),
    lease: (partition, worker) => {
      const leased = `status = 'leased', epoch = epoch + 1, worker = ${worker}, leased_at = coalesce(leased_at, now())`
      return patience.waitOut(
        run.transaction("leasing a partition", `update state.partitions set ${leased} where partition_no = ${partition}`)
      )
    },
    finish: (partition) => {
      const done = run.transaction(
        "finishing a partition",
        `update state.partitions set status = 'done', done_at = now() where partition_no = ${partition}`
      )
      return Effect.andThen(
        Effect.flatMap(run.running, (commits) => commits.flush),
        patience.waitOut(done)
      )
    }
  }
}

const workOn = (run: OpenRun): Pick<LedgerShape, "pending" | "settle" | "flush" | "tally"> => {
  const { duck, options, patience } = run
  return {
    pending: (from, to) =>
      Effect.suspend(() => {
        const isUntouched = run.isFresh && run.commits?.hasSettled(from, to) !== true
        return patience.waitOut(
          duck.use("reading items", (db) =>
            readPending(db, { plan: options.plan, from, to, isFresh: isUntouched, hasBatches: run.hasBatches, hasGiven: run.hasGiven })
          )
        )
      }),
    settle: (settlement) => (run.commits === null ? Effect.andThen(run.running, Effect.void) : run.commits.settle(settlement)),
    flush: Effect.flatMap(run.running, (commits) => commits.flush),
    tally: Effect.sync(() => {
      const { commits, before } = run
      const dispositions = addDispositions(before.dispositions, commits?.dispositions ?? noDispositions)
      const committed = countItems(dispositions)
      return {
        manifest: before.manifest,
        committed,
        inFlight: commits?.uncommitted ?? 0,
        dispositions,
        ...addCosts(before.costs, commits?.costs ?? noCosts),
        trouble: patience.trouble
      }
    })
  }
}

const resultsOn = (run: OpenRun): Pick<LedgerShape, "completeness" | "rows" | "query" | "saveSummary" | "saveReport"> => {
  const { duck, options, patience } = run
  return {
    completeness: patience.waitOut(duck.use("checking completeness", (db) => readCompleteness(db, options.plan))),
    rows: (step) => Stream.fromAsyncIterable(readStepRows(duck.db, step, run.past), (cause) => storeError("reading answers", cause)),
    query: (step, query) =>
      duck.use("running an aggregate's query", async (db) => {
        await defineAggregateViews(db, options.plan, step, run.past)
        // The types proved that `query` builds a select on these two views.
        const built = query(db) as { readonly compile: () => CompiledQuery }
        return (await db.executeQuery(built.compile())).rows
      }),
    saveSummary: (step, values) =>
      patience.waitOut(duck.use("saving an aggregate", (db) => replaceSummary(db, step, canonicalJson(values)))),
    saveReport: (step, text) => patience.waitOut(duck.use("saving a report", (db) => replaceReport(db, step, text)))
  }
}

/** Without patience: a full disk must not keep a process from ending. */
const closeOn = (run: OpenRun): LedgerShape["close"] =>
  Effect.fn("Ledger.close")(function* (status, failure, drawnUsd = null) {
    const { duck, options, patience } = run
    const audit = duck.use("checking completeness", (db) => readCompleteness(db, options.plan))
    const closing = status === "done" ? canonicalJson((yield* patience.once(audit)).dispositions) : null
    const endedAt = new Date(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
    const end = { session: run.session, status, failure, closing, endedAt, drawnUsd }
    yield* patience.once(duck.use("closing the run", (db) => endRun(db, end)))
  })
