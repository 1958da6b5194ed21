/** One run, from its job to its report. One scope owns it all: whatever ends it, nothing of it is left behind. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { existsSync } from "node:fs"

import { canonicalJson, type Job, type Plan, type RunContext } from "../../dsl/index.ts"
import { watchPace } from "../guard/progress.ts"
import { CallbackTimeout, callbackTimeoutDefaultMs } from "../provider/callback-timeout.ts"
import { makeItemReader } from "../source/item-reader.ts"
import { noteAccountPlace, type AccountPlace } from "../store/account-place.ts"
import { readSuspicions } from "../store/crash-log.ts"
import { openFlightJournal } from "../store/flight-journal.ts"
import { noteHolder } from "../store/holder.ts"
import { openDuckLedger, type DuckLedger } from "../store/ledger-duckdb.ts"
import { Ledger, type RunRecord, type RunStart } from "../store/ledger.ts"
import { publish, publishLoop } from "../store/publish.ts"
import { isAtProvider } from "../store/read-open-batches.ts"
import { release } from "../store/release.ts"
import { refreshFile, removeFiles, type RunFolder, type StateFolder } from "../store/state-folder.ts"
import type { RunStatus } from "../store/state-tables.ts"
import { agreeToSweeps } from "./agree-to-sweeps.ts"
import { VariantCache } from "./ask.ts"
import { batchNames } from "./batch-names.ts"
import { layoutWorkers, slotsPerWorker, throughputOf, workersNeeded, workersOf } from "./capacity.ts"
import { Dispatcher } from "./dispatcher.ts"
import { directCaller } from "./caller.ts"
import { exportRelease } from "./export-release.ts"
import { makeGraph, modelsOf, type Graph } from "./graph.ts"
import { holdRest, isRejected } from "./hold-rest.ts"
import { buildManifest } from "./manifest.ts"
import { openEngines } from "./open-engines.ts"
import type { PaidRun } from "./paid-run.ts"
import type { Progress } from "./progress.ts"
import { PromptVersions } from "./prompt-version.ts"
import { Incomplete, WaitsAtGate } from "./run-error.ts"
import { RetryQueue } from "./retry-queue.ts"
import { buildServices } from "./services.ts"
import { summarise } from "./summarise.ts"
import { noteAt, threadNote } from "./thread-note.ts"
import { openWatchdog } from "./watchdog.ts"
import { workThrough, type ItemSource } from "./work.ts"

export interface RunOptions {
  readonly job: Job
  readonly plan: Plan
  readonly codeVersion: string
  readonly folder: StateFolder
  readonly start: RunStart
  /** The parameters as the job's schema decoded them. */
  readonly params: unknown
  readonly date: string
  /** One worker's items per minute in the job's last run; null without one. */
  readonly measuredPerMinute: number | null
  /** What was typed, for whoever finds the run held. */
  readonly command: string
  readonly onProgress: (progress: Progress) => Effect.Effect<void>
  /** Whose accounts and keys. */
  readonly accounts: AccountPlace
  /** `cancel`: provider batches are cancelled, what they answered by then is taken and judged, and nothing further is asked. */
  readonly purpose: "work" | "cancel"
  /** Whether a program reads stdout, and is to be told there too when job code ends the process. Default: no. */
  readonly asJson?: boolean
}

/**
 * Runs or resumes. Returns when the run is done, or cancelled where that is its purpose; fails, or is interrupted, with everything durable
 * and resumable.
 */
export const executeRun = Effect.fn("Run.execute")(
  function* (options: RunOptions) {
    const { job, plan, folder, start } = options
    const runFolder = folder.run(start.run)
    const graph = makeGraph(job)
    const services = yield* buildServices(job)
    const engines = yield* openEngines(modelsOf(graph), services, options.accounts)
    const ledger = yield* openDuckLedger({ folder: runFolder, plan, hashKey: folder.hashKey })
    if (engines.remote !== null) yield* noteAccountPlace(runFolder, options.accounts)
    const startedAt = yield* Clock.currentTimeMillis
    yield* noteHolder(runFolder, { pid: process.pid, startedAt: new Date(startedAt).toISOString(), command: options.command })
    const record = yield* ledger.begin(start, { codeVersion: options.codeVersion, planDigest: plan.digest, pid: process.pid })
    const phase = { now: record.sealed ? ("work" as const) : ("manifest" as const), rows: 0, sweep: null, paid: null } as Phase
    yield* Effect.forkScoped(publishLoop(ledger, folder, start.run))
    yield* Effect.forkScoped(tellProgress(options, ledger, runFolder, phase))
    const watch = yield* watchJobCode(options, record.session)
    const environment = { graph, services, engines, ledger, record, phase, options, watch }
    yield* passThrough(environment).pipe(
      Effect.provideService(Ledger, ledger),
      Effect.provideService(CallbackTimeout, plan.callbackTimeoutMs ?? null),
      Effect.onExit((exit) => endSession(options, ledger, phase, exit))
    )
  },
  Effect.scoped,
  Effect.provide(Dispatcher.local)
)

interface Phase {
  now: Progress["phase"]
  rows: number
  /** The sweep that the run is in; null in the primary pass. */
  sweep: Progress["sweep"]
  /** Once the work of a run with remote models began. */
  paid: PaidRun | null
}

interface PassEnvironment {
  readonly graph: Graph
  readonly services: Context.Context<never>
  readonly ledger: DuckLedger
  readonly engines: Effect.Success<ReturnType<typeof openEngines>>
  readonly record: Pick<RunRecord, "sealed" | "itemLimit" | "createdAt">
  readonly phase: Phase
  readonly options: RunOptions
  readonly watch: Effect.Success<ReturnType<typeof watchJobCode>>
}

/** What earlier sessions say of items that end processes, and what tells the next one of this session's. */
const watchJobCode = Effect.fnUntraced(function* ({ plan, folder, start, codeVersion, asJson = false }: RunOptions, session: number) {
  const runFolder = folder.run(start.run)
  const { condemned, suspects } = yield* readSuspicions(runFolder, codeVersion)
  const flights = yield* openFlightJournal(runFolder, { session, codeVersion }, (items) => void (threadNote[noteAt.flights] = items))
  const boundMs = plan.callbackTimeoutMs ?? callbackTimeoutDefaultMs
  yield* openWatchdog({ run: start.run, runFolder, session, codeVersion, boundMs, asJson })
  return { condemned, suspects, flights }
})

/** Manifest, work, completeness, aggregates, release: each is skipped or repeated harmlessly by a resume. Returns what the run is now. */
const passThrough = Effect.fnUntraced(function* (environment: PassEnvironment) {
  const { graph, services, engines, ledger, record, phase, options, watch } = environment
  const { plan, start, folder } = options
  const takesOnly = options.purpose === "cancel"
  const throughput = throughputOf(
    graph.rows.flatMap((node) => (node.kind === "infer" ? node.models.map(({ model }) => model) : [])),
    options.measuredPerMinute
  )
  if (!record.sealed) {
    const context = contextOf(options)
    const onRows = (rows: number) => Effect.sync(() => void (phase.rows = rows))
    const layout = { itemsPerMinute: throughput.itemsPerMinute, workers: layoutWorkers }
    yield* Effect.provideContext(buildManifest({ graph, context, itemLimit: record.itemLimit, layout, onRows }), services)
  }
  phase.now = "work"
  const partitions = yield* ledger.partitions
  const items = partitions.reduce((sum, partition) => sum + partition.items, 0)
  const source = itemSource(graph, services)
  const clock = yield* Clock.Clock
  const isHeld = isRejected(yield* ledger.gates)
  const workers = workersOf(workersNeeded(items, plan, throughput))
  const paid = yield* openPaid(environment, (items / (throughput.itemsPerMinute * workers)) * 60_000)
  const shared = {
    caller: paid?.caller ?? directCaller(engines.provider),
    services,
    versions: new PromptVersions(),
    codeVersion: options.codeVersion,
    now: () => clock.currentTimeMillisUnsafe(),
    variants: new VariantCache(),
    retries: new RetryQueue(),
    flights: watch.flights,
    condemned: watch.condemned
  }
  const slots = paid === null ? slotsPerWorker : Math.max(slotsPerWorker, Math.ceil(paid.slots / workers))
  if (isHeld) yield* holdRest(ledger, graph)
  else
    yield* workThrough({
      run: start.run,
      workers,
      slots,
      environment: { ...shared, graph },
      source,
      rounds: paid?.rounds ?? null,
      takesOnly,
      suspects: watch.suspects,
      beforeSweeps: (failed) => agreeToSweeps({ ledger, run: start.run, plan, isTrial: record.itemLimit !== null }, failed),
      onSweep: (sweep) => void (phase.sweep = sweep)
    })
  if (paid !== null && !isHeld) yield* paid.ended
  if (takesOnly) return "cancelled" satisfies RunStatus
  phase.now = "closing"
  const completeness = yield* ledger.completeness
  if (!completeness.holds) {
    const settled = Object.values(completeness.dispositions).reduce((sum, count) => sum + count, 0)
    return yield* new Incomplete({ run: start.run, manifest: completeness.manifest, settled, gaps: completeness.gaps })
  }
  yield* summarise({ run: start.run, graph, services, source })
  yield* release(ledger, folder, plan, start.run)
  yield* exportRelease({ job: options.job, plan, ledger, folder, revision: 1, context: { ...contextOf(options), run: start.run } })
  yield* removeFiles(folder.run(start.run).crashes)
  return "done" satisfies RunStatus
})

const contextOf = ({ date, start, params }: RunOptions): RunContext => ({ date, interval: start.interval, params })

/** What a run with remote models needs beside its workers; null for one without. */
const openPaid = Effect.fnUntraced(function* ({ graph, engines, ledger, record, phase, options }: PassEnvironment, realtimeMs: number) {
  if (engines.remote === null) return null
  const { plan, folder, start } = options
  const { openPaidRun } = yield* Effect.promise(() => import("./paid-run.ts"))
  const deadline = plan.schedule === null ? null : record.createdAt.getTime() + plan.schedule.withinMs
  const runFolder = folder.run(start.run)
  const { provider, remote } = engines
  return (phase.paid = yield* openPaidRun({
    run: start.run,
    graph,
    plan,
    ledger,
    folder,
    runFolder,
    provider,
    ...remote,
    deadline,
    realtimeMs,
    isCancelling: options.purpose === "cancel"
  }))
})

/** Lets the commit in hand finish, then says how the session ended, and shows it to analysts. */
const endSession = (options: RunOptions, ledger: DuckLedger, { paid }: Phase, exit: Exit.Exit<RunStatus, unknown>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const isCancelled = options.purpose === "cancel" || existsSync(options.folder.run(options.start.run).cancel)
    if (paid !== null) yield* leaveBatches({ run: options.start.run, paid, ledger, isCancelled })
    yield* Effect.timeoutOption(ledger.flush, "10 seconds")
    yield* ledger.close(...statusOf(exit, isCancelled), paid?.budget.snapshot().drawnUsd ?? 0)
    yield* Effect.timeoutOption(publish(ledger, options.folder, options.start.run), "30 seconds")
  }).pipe(
    Effect.catchCause((cause) =>
      Effect.andThen(
        Effect.logWarning(
          `Run ${options.start.run} could not note how it ended; \`runtime resume ${options.start.run}\` goes on from its checkpoints. ${messageOf(cause)}`
        ),
        Effect.logDebug(Cause.pretty(cause))
      )
    )
  )

interface Leaving {
  readonly run: string
  readonly paid: PaidRun
  readonly ledger: DuckLedger
  readonly isCancelled: boolean
}

/** What runs at providers goes on without us, and is billed (case 15): said with what to type, and told to stop where the run is cancelled. */
const leaveBatches = Effect.fnUntraced(function* ({ run, paid, ledger, isCancelled }: Leaving) {
  const known = yield* Effect.timeoutOption(
    Effect.orElseSucceed(ledger.batches.all, () => []),
    "10 seconds"
  )
  const open = Option.getOrElse(known, () => []).filter(isAtProvider)
  if (open.length === 0) return
  if (isCancelled) yield* Effect.timeoutOption(paid.flow.cancelAll, "10 seconds")
  yield* Effect.logWarning(
    isCancelled
      ? `Told to stop at the provider, and billed for what they do until then: ${batchNames(open)}. \`runtime cancel ${run}\` waits for their end and takes what was answered; \`runtime resume ${run}\` takes it and goes on.`
      : `Still at the provider, and billed when done: ${batchNames(open)}. \`runtime resume ${run}\` takes the results and goes on; \`runtime cancel ${run}\` stops them and takes what was answered.`
  )
})

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

const statusOf = (exit: Exit.Exit<RunStatus, unknown>, isCancelled: boolean): [RunStatus, string | null] => {
  if (Exit.isSuccess(exit)) return [exit.value, null]
  if (Cause.hasInterruptsOnly(exit.cause)) return [isCancelled ? "cancelled" : "interrupted", null]
  const error = Cause.squash(exit.cause)
  if (error instanceof WaitsAtGate) return ["waiting", null]
  // Only the kind of the failure: its text may quote an item, and stands in the log.
  return ["failed", typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Defect"]
}

const tellProgress = (options: RunOptions, ledger: DuckLedger, runFolder: RunFolder, phase: Phase): Effect.Effect<never> =>
  watchPace(
    Effect.map(ledger.tally, (tally) => ({ ...tally, total: tally.manifest, done: tally.committed })),
    ({ total: _, done: __, ...tally }, pace) => {
      const progress: Progress = {
        run: options.start.run,
        job: options.start.job,
        phase: phase.now,
        rows: phase.rows,
        sweep: phase.sweep,
        ...tally,
        ...pace
      }
      return Effect.andThen(Effect.ignore(refreshFile(runFolder.progress, canonicalJson(progress))), options.onProgress(progress))
    }
  )

/** Items as the job's callbacks get them: from the payload, or from a large file that must not have changed. */
const itemSource = (graph: Graph, services: Context.Context<never>): ItemSource => {
  const reader = makeItemReader(graph.source.definition)
  return {
    fromBody: reader.fromBody,
    fromReference: (reference) => Effect.provideContext(reader.fromReference(JSON.parse(reference)), services)
  }
}
