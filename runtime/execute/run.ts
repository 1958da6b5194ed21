/** One run, from its job to its report. One scope owns it all: whatever ends it, nothing of it is left behind. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

import { canonicalJson, type Job, type Model, type Plan, type RunContext } from "../../dsl/index.ts"
import type { Capacity } from "../guard/capacity.ts"
import { watchPace } from "../guard/progress.ts"
import { CallbackTimeout } from "../provider/callback-timeout.ts"
import { Projector, type Deadline, type Look } from "../guard/sla.ts"
import { makeItemReader } from "../source/item-reader.ts"
import { noteAccountPlace, type AccountPlace } from "../store/account-place.ts"
import { noteHolder } from "../store/holder.ts"
import { openDuckLedger, type DuckLedger } from "../store/ledger-duckdb.ts"
import { Ledger, type RunRecord, type RunStart, type Tally } from "../store/ledger.ts"
import { publishLoop } from "../store/publish.ts"
import { takeRevision } from "../store/revisions.ts"
import { refreshFile, removeFiles, type RunFolder, type StateFolder } from "../store/state-folder.ts"
import type { RunStatus } from "../store/state-tables.ts"
import { agreeToSweeps } from "./agree-to-sweeps.ts"
import { alertDeadLetters } from "./alert-dead-letters.ts"
import { Alerts } from "./alerts.ts"
import { VariantCache } from "./ask.ts"
import { crewOf, layoutWorkers, slotsPerWorker, throughputOf, workersNeeded, workersOf } from "./capacity.ts"
import { Dispatcher } from "./dispatcher.ts"
import { directCaller } from "./caller.ts"
import { openNotifier } from "./notifier.ts"
import { openChannels } from "./open-channels.ts"
import { makeGraph, modelsOf, type Graph } from "./graph.ts"
import { endSession } from "./end-session.ts"
import { evaluateSteps } from "./evaluate.ts"
import { holdRest, isRejected } from "./hold-rest.ts"
import { buildManifest } from "./manifest.ts"
import { openEngines } from "./open-engines.ts"
import type { PaidRun } from "./paid-run.ts"
import { etaOf, type Progress } from "./progress.ts"
import { PromptVersions } from "./prompt-version.ts"
import { buildLinkedManifest } from "./linked-manifest.ts"
import { Incomplete, WaitsAtGate } from "./run-error.ts"
import { releaseRun } from "./release-run.ts"
import { RetryQueue } from "./retry-queue.ts"
import { buildServices } from "./services.ts"
import { watchSla } from "./sla.ts"
import { summarise } from "./summarise.ts"
import { waitingItems } from "./waiting-items.ts"
import { watchJobCode, type JobCodeWatch } from "./watch-job-code.ts"
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
    const channels = yield* openChannels(plan, options.accounts)
    const ledger = yield* openDuckLedger({ folder: runFolder, plan, hashKey: folder.hashKey })
    const isTold = channels.operators.length + channels.consumers.length > 0
    if (engines.remote !== null || isTold) yield* noteAccountPlace(runFolder, options.accounts)
    const startedAt = yield* Clock.currentTimeMillis
    yield* noteHolder(runFolder, { pid: process.pid, startedAt: new Date(startedAt).toISOString(), command: options.command })
    const record = yield* ledger.begin(start, { codeVersion: options.codeVersion, planDigest: plan.digest, pid: process.pid })
    const deadline = deadlineOf(options, record)
    const phase: Phase = {
      now: record.sealed ? "work" : "manifest",
      rows: 0,
      sweep: null,
      paid: null,
      deadline,
      projector: new Projector(deadline),
      waiting: [],
      capacity: null,
      retries: new RetryQueue()
    }
    yield* Effect.forkScoped(publishLoop(ledger, folder, start.run))
    yield* Effect.forkScoped(tellProgress(options, ledger, runFolder, phase))
    const tell = yield* openNotifier({ folder, run: start.run, job: start.job, place: options.accounts, ...channels, ledger })
    const alerts = Alerts.on(ledger, tell)
    const { codeVersion, asJson = false } = options
    const watch = yield* watchJobCode(plan, { run: start.run, runFolder, session: record.session, codeVersion, asJson })
    const environment = { graph, services, engines, ledger, alerts, record, phase, options, watch }
    // The deadline is watched no longer than the work goes on: nothing is late that has ended. What the work opened lives on until the session has ended.
    const whole = yield* Effect.scope
    const work = Effect.provideService(passThrough(environment), Scope.Scope, whole)
    yield* Effect.scoped(Effect.andThen(watchDeadline(environment), work)).pipe(
      Effect.tapError((error) => (error instanceof WaitsAtGate ? tellGate(alerts, start.job, error) : Effect.void)),
      Effect.provideService(Ledger, ledger),
      Effect.provideService(Alerts, alerts),
      Effect.provideService(CallbackTimeout, plan.callbackTimeoutMs ?? null),
      Effect.onExit((exit) =>
        endSession({ run: start.run, folder, ledger, paid: phase.paid, isCancelling: options.purpose === "cancel" }, exit)
      )
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
  /** Null without one, and for trials. */
  readonly deadline: Deadline | null
  readonly projector: Projector
  /** What waited when it was last looked at. */
  waiting: Look["waiting"]
  /** While items are worked on. */
  capacity: Capacity | null
  readonly retries: RetryQueue
}

interface PassEnvironment {
  readonly graph: Graph
  readonly services: Context.Context<never>
  readonly ledger: DuckLedger
  readonly alerts: Alerts["Service"]
  readonly engines: Effect.Success<ReturnType<typeof openEngines>>
  readonly record: Pick<RunRecord, "sealed" | "itemLimit" | "createdAt">
  readonly phase: Phase
  readonly options: RunOptions
  readonly watch: JobCodeWatch
}

/** Manifest, work, completeness, aggregates, release: each is skipped or repeated harmlessly by a resume. Returns what the run is now. */
const passThrough = Effect.fnUntraced(function* (environment: PassEnvironment) {
  const { graph, services, engines, ledger, alerts, record, phase, options, watch } = environment
  const { plan, start, folder } = options
  const takesOnly = options.purpose === "cancel"
  const throughput = throughputOf(askedFirst(graph), options.measuredPerMinute)
  if (!record.sealed) {
    const context = contextOf(options)
    const onRows = (rows: number) => Effect.sync(() => void (phase.rows = rows))
    const layout = { itemsPerMinute: throughput.itemsPerMinute, workers: layoutWorkers }
    yield* start.origin === undefined
      ? Effect.provideContext(buildManifest({ graph, context, itemLimit: record.itemLimit, layout, onRows }), services)
      : buildLinkedManifest({ ledger, folder: folder.run(start.run), graph, source: itemSource(graph, services), layout })
  }
  phase.now = "work"
  const partitions = yield* ledger.partitions
  const items = partitions.reduce((sum, partition) => sum + partition.items, 0)
  const source = itemSource(graph, services)
  const clock = yield* Clock.Clock
  const isHeld = isRejected(yield* ledger.gates)
  const needed = workersNeeded(items, plan, throughput)
  const paid = yield* openPaid(environment, (items / (throughput.itemsPerMinute * workersOf(needed))) * 60_000)
  const { workers, capacity } = crewOf(needed, phase.deadline)
  phase.capacity = capacity
  const shared = {
    caller: paid?.caller ?? directCaller(engines.provider),
    services,
    versions: new PromptVersions(),
    codeVersion: options.codeVersion,
    now: () => clock.currentTimeMillisUnsafe(),
    variants: new VariantCache(),
    retries: phase.retries,
    flights: watch.flights,
    condemned: watch.condemned
  }
  const slots = paid === null ? slotsPerWorker : Math.max(slotsPerWorker, Math.ceil(paid.slots / workers))
  const isNew = !isHeld && !takesOnly && record.itemLimit === null && partitions.some(({ isDone }) => !isDone)
  if (isNew) {
    yield* evaluateSteps({ run: start.run, job: plan.job, graph, environment: shared, ledger, folder, context: contextOf(options) })
    // What stopped it stops the run before anything else is asked.
    if (paid !== null) yield* paid.ended
  }
  if (isHeld) yield* holdRest(ledger, graph)
  else
    yield* workThrough({
      run: start.run,
      workers,
      slots,
      capacity,
      environment: { ...shared, graph },
      source,
      rounds: paid?.rounds ?? null,
      takesOnly,
      suspects: watch.suspects,
      beforeSweeps: (failed) => agreeToSweeps({ ledger, alerts, run: start.run, plan, isTrial: record.itemLimit !== null }, failed),
      onSweep: (sweep) => void (phase.sweep = sweep)
    })
  if (paid !== null && !isHeld) yield* paid.ended
  phase.capacity = null
  if (takesOnly) return "cancelled" satisfies RunStatus
  yield* closeRun(environment, source)
  yield* removeFiles(folder.run(start.run).crashes)
  return "done" satisfies RunStatus
})

/** Completeness, aggregates, release: a linked run closes as the next revision of its origin. */
const closeRun = Effect.fnUntraced(function* (environment: PassEnvironment, source: ItemSource) {
  const { graph, services, ledger, alerts, record, phase, options } = environment
  const { job, plan, start, folder } = options
  phase.now = "closing"
  const completeness = yield* ledger.completeness
  if (!completeness.holds) {
    const settled = Object.values(completeness.dispositions).reduce((sum, count) => sum + count, 0)
    return yield* new Incomplete({ run: start.run, manifest: completeness.manifest, settled, gaps: completeness.gaps })
  }
  yield* alertDeadLetters({ alerts, ledger }, start.run, completeness.dispositions.dead)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const { run, origin } = start
      const turn = origin === undefined ? undefined : yield* takeRevision(ledger, folder, { run, origin })
      yield* summarise({ run, graph, services, source })
      if (turn === null) return
      const by = { run, revision: turn?.revision ?? 1 }
      const { dispositions } = completeness
      const context = { ...contextOf(options), run: origin ?? run }
      const after = turn === undefined ? {} : { after: turn }
      yield* releaseRun({ job, plan, ledger, alerts, folder, by, context, isTrial: record.itemLimit !== null, dispositions, ...after })
    })
  )
})

/** Whoever typed the command reads it as the outcome. */
const tellGate = ({ raise }: Alerts["Service"], job: string, { run, gate, kind, message }: WaitsAtGate) =>
  raise({
    kind: `gate ${gate}`,
    severity: "warning",
    text: message,
    detail: { gate, kind },
    toConsumers: `The outputs of job ${job} wait for a person's decision (${kind}, run ${run}).`,
    isLogged: false
  })

/** Models that items are asked of unless a partition's override says otherwise. */
const askedFirst = (graph: Graph): ReadonlyArray<Model> =>
  graph.rows.flatMap((node) => (node.kind === "infer" ? node.models.map(({ model }) => model) : []))

const contextOf = ({ date, start, params }: RunOptions): RunContext => ({ date, interval: start.interval, params })

/** A trial, a run that mends another and a cancellation have none. */
const deadlineOf = (
  { plan, purpose, start }: RunOptions,
  { itemLimit, createdAt }: Pick<RunRecord, "itemLimit" | "createdAt">
): Deadline | null =>
  plan.schedule === null || itemLimit !== null || start.origin !== undefined || purpose === "cancel"
    ? null
    : { startedAt: createdAt.getTime(), at: createdAt.getTime() + plan.schedule.withinMs }

const watchDeadline = Effect.fnUntraced(function* ({ ledger, alerts, phase, options }: PassEnvironment) {
  const { deadline, projector } = phase
  if (deadline === null) return
  const look = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    phase.waiting = yield* waitingItems(ledger, phase.retries, phase.paid !== null, now)
    return lookOf(yield* ledger.tally, phase, now)
  })
  const { run, job } = options.start
  const isHeldBack = (): boolean => phase.paid?.isHeldBack() ?? false
  yield* Effect.forkScoped(watchSla({ run, job, deadline, projector, ledger, alerts, capacity: () => phase.capacity, look, isHeldBack }))
})

const lookOf = ({ manifest, committed }: Pick<Tally, "manifest" | "committed">, { now: phase, waiting }: Phase, now: number): Look => ({
  now,
  total: phase === "manifest" ? null : manifest,
  done: committed,
  waiting
})

/** What a run with remote models needs beside its workers; null for one without. */
const openPaid = Effect.fnUntraced(function* (
  { graph, engines, ledger, alerts, record, phase, options }: PassEnvironment,
  realtimeMs: number
) {
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
    alerts,
    folder,
    runFolder,
    provider,
    ...remote,
    deadline,
    realtimeMs,
    isCancelling: options.purpose === "cancel",
    origin: start.origin ?? null
  }))
})

const tellProgress = (options: RunOptions, ledger: DuckLedger, runFolder: RunFolder, phase: Phase): Effect.Effect<never> =>
  watchPace(
    Effect.map(ledger.tally, (tally) => ({ ...tally, total: tally.manifest, done: tally.committed })),
    ({ total: _, done: __, ...tally }, pace, now) => {
      const look = lookOf(tally, phase, now)
      phase.projector.see(look)
      const progress: Progress = {
        run: options.start.run,
        job: options.start.job,
        phase: phase.now,
        rows: phase.rows,
        sweep: phase.sweep,
        ...tally,
        ...pace,
        ...etaOf(phase.deadline, phase.projector, look),
        workers: phase.capacity === null || phase.deadline === null ? null : phase.capacity.target
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
