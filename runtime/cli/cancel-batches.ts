/** Cancels what a run at rest left at providers: stops it there, waits for its end, and takes what was answered, for that is paid (case 15). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { Job } from "../../dsl/index.ts"
import { batchNames } from "../execute/batch-names.ts"
import { loadJob } from "../execute/load-job.ts"
import { findRun, resumeUnder } from "../execute/resume.ts"
import { executeRun } from "../execute/run.ts"
import { PlanChanged } from "../execute/run-error.ts"
import { stopBatches } from "../execute/stop-batches.ts"
import type { AccountPlace } from "../store/account-place.ts"
import type { BatchRecord } from "../store/batch-record.ts"
import { recordRun } from "../store/control.ts"
import { isAtProvider, isOpenBatch, readRunBatches } from "../store/read-open-batches.ts"
import { readRunStatus, type RunNow } from "../store/read-run-status.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { formatCount, formatUsd } from "./format.ts"
import { Misuse } from "./misuse.ts"
import { decodeRunParams } from "./run-params.ts"
import { accountsFor } from "./run-accounts.ts"
import { indexRow, stoppedRow } from "./run-outcome.ts"
import type { Said } from "./verb.ts"

export interface CancelRequest {
  readonly folder: StateFolder
  readonly run: string
  /** The run as it was found. */
  readonly now: RunNow
  /** Null for the one that the run began with. */
  readonly env: string | null
  /** How long the provider's end is waited for. */
  readonly waitSeconds: number
}

/** Fails with `Misuse` where nothing of the run is at a provider. */
export const cancelBatches = Effect.fn("Cli.cancelBatches")(function* (request: CancelRequest) {
  const { folder, run, now, env } = request
  const files = folder.run(run)
  const open = (yield* readRunBatches(files)).filter(isOpenBatch)
  if (open.length === 0 || now.status === "done")
    return yield* new Misuse({
      problem: `Run ${run} isn't running: it is ${now.status}, and nothing of it is at a provider.`,
      remedy: "Nothing was changed."
    })
  const found = yield* findRun(folder, run)
  const { job, codeVersion } = yield* loadJob(found.start.jobModule)
  const accounts = yield* accountsFor(files, env)
  const resumed = yield* Effect.result(resumeUnder(found, job))
  if (resumed._tag === "Failure")
    return resumed.failure instanceof PlanChanged ? yield* onlyStop(run, job, open, accounts) : yield* Effect.fail(resumed.failure)
  const { start, plan } = resumed.success
  const startedAt = new Date(yield* Clock.currentTimeMillis)
  const { params, date } = yield* decodeRunParams(job, plan, start)
  yield* Effect.sync(() =>
    process.stderr.write(`Cancelling at the provider: ${batchNames(open)}. Waiting ${request.waitSeconds} s at most.\n`)
  )
  const work = executeRun({
    job,
    plan,
    codeVersion,
    folder,
    start,
    params,
    date,
    measuredPerMinute: null,
    purpose: "cancel",
    accounts,
    command: `runtime cancel ${run}`,
    onProgress: () => Effect.void
  })
  const noteEnd = Effect.gen(function* () {
    const after = (yield* readRunStatus(files, run)) ?? now
    yield* recordRun(folder, stoppedRow(indexRow({ start }, startedAt), after, new Date(yield* Clock.currentTimeMillis)))
  })
  const isEnded = Option.isSome(
    yield* Effect.ensuring(Effect.timeoutOption(work, `${request.waitSeconds} seconds`), Effect.ignore(noteEnd))
  )
  const after = (yield* readRunStatus(files, run)) ?? now
  return outcomeOf({ ...request, open, after, isEnded, batches: yield* readRunBatches(files) })
})

interface Outcome extends CancelRequest {
  readonly open: ReadonlyArray<BatchRecord>
  readonly batches: ReadonlyArray<BatchRecord>
  readonly after: RunNow
  readonly isEnded: boolean
}

const outcomeOf = ({ run, now, after, open, batches, isEnded, waitSeconds }: Outcome): Said => {
  const ended = batches.filter(({ batch }) => open.some((each) => each.batch === batch))
  const left = ended.filter(isAtProvider)
  const fates = ended.map(({ providerBatch, outcome, status }) =>
    status === "dropped" ? "one was never created" : `${providerBatch} ended as ${outcome ?? "unknown"}`
  )
  const items = after.committed - now.committed
  const text = [
    isEnded
      ? `Run ${run} is ${after.status}. At the provider: ${fates.join("; ")}.`
      : `Run ${run} is ${after.status}. After ${waitSeconds} s this is still stopping at the provider: ${batchNames(left)}. Type \`runtime cancel ${run}\` again, or \`runtime resume ${run}\`.`,
    `What was answered is paid for and kept: ${formatCount(items)} more items are done, for ${formatUsd(Math.max(0, after.spentUsd - now.spentUsd))}.`,
    `${formatCount(after.committed)} of ${formatCount(after.manifest)} items are done; \`runtime resume ${run}\` asks the rest anew.`
  ].join("\n")
  return { json: { ...after, batches: ended.map(jsonOf) }, text }
}

/** The job has another plan now: what was answered can't be judged without a person's word. */
const onlyStop = Effect.fnUntraced(function* (run: string, job: Job, open: ReadonlyArray<BatchRecord>, accounts: AccountPlace) {
  const stopped = yield* stopBatches(job, open.filter(isAtProvider), accounts)
  const faults = stopped.flatMap(({ batch, fault }) => (fault === null ? [] : [`${batchNames([batch])}: ${fault}`]))
  const text = [
    `The job compiles to another plan than run ${run} began with, so its answers can't be taken now.`,
    ...(stopped.some(({ fault }) => fault === null)
      ? ["Its batches were told to stop at the provider, and what is done by then is billed."]
      : []),
    ...(faults.length > 0 ? [`Not stopped: ${faults.join("; ")}.`] : []),
    `Restore the job and \`runtime cancel ${run}\` again, or take the answers and go on under the new plan: \`runtime resume ${run} --accept-plan\`.`
  ].join("\n")
  return { json: { run, batches: open.map(jsonOf), faults }, text, exitCode: 1 } satisfies Said
})

/** A batch for programs. */
export const jsonOf = ({ batch, providerBatch, engine, account, requests, status, outcome }: BatchRecord) => ({
  batch,
  providerBatch,
  engine,
  account,
  requests,
  status,
  outcome
})
