/** Between a run that adds up and whoever reads its outputs: the gates of the release. */
import * as Effect from "effect/Effect"

import type { ExportContext, Job, Plan } from "../../dsl/index.ts"
import type { DuckLedger } from "../store/ledger-duckdb.ts"
import type { Completeness } from "../store/ledger.ts"
import type { Revision } from "../store/revisions.ts"
import { drawSample } from "../store/release-sample.ts"
import { release } from "../store/release.ts"
import type { StateFolder } from "../store/state-folder.ts"
import type { Alerts } from "./alerts.ts"
import { exportRelease } from "./export-release.ts"
import { passRateAllows } from "./pass-rate.ts"
import { waitAtGate } from "./wait-at-gate.ts"

export interface ReleaseOptions {
  readonly job: Job
  readonly plan: Plan
  readonly ledger: DuckLedger
  readonly alerts: Alerts["Service"]
  readonly folder: StateFolder
  readonly context: ExportContext
  /** A trial: never released, so nobody is asked. */
  readonly isTrial: boolean
  readonly dispositions: Completeness["dispositions"]
  /** The run that releases, and the number of the release: from 1; a linked run releases the next one of its origin. */
  readonly by: Revision
  /** What a linked run adds to. */
  readonly after?: NonNullable<Parameters<typeof exportRelease>[0]["after"]>
}

/** Releases and exports the outputs where rate and people allow it; fails where a person must be waited for. */
export const releaseRun = Effect.fn("Run.release")(function* (options: ReleaseOptions) {
  const { plan, ledger, alerts, folder, by, isTrial, dispositions } = options
  if (isTrial) return
  const { run } = by
  if (!(yield* passRateAllows({ ledger, alerts, run, plan, dispositions }))) return
  if (!(yield* sampleAllows(options))) return
  yield* release(ledger, folder, plan, run, by.revision)
  yield* exportRelease(options)
})

/** A high-stakes job's outputs are seen by a person first (GOV-4). Where nothing was delivered there is nothing to see. */
const sampleAllows = Effect.fnUntraced(function* ({ plan, ledger, by: { run }, dispositions }: ReleaseOptions) {
  if (plan.release?.sample === undefined) return true
  const sample = yield* drawSample(ledger, plan.release.sample)
  if (sample === 0) return true
  return (yield* waitAtGate({ ledger, run, kind: "release", detail: { sample, delivered: dispositions.delivered } })) === "approved"
})
