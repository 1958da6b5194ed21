/** Runs for the store's tests: a small job's plan, a sealed manifest, and settlements as the item program makes them. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

import {
  canonicalJson,
  compile,
  deadLetter,
  infer,
  job,
  jsonl,
  local,
  partition,
  review,
  usd,
  user,
  validate,
  type Cron,
  type Export,
  type Job,
  type Plan
} from "../../dsl/index.ts"
import { openDuckLedger, type DuckLedger } from "../../runtime/store/ledger-duckdb.ts"
import type { Settlement, StagedItem, Variant } from "../../runtime/store/ledger.ts"
import { openStateFolder, type StateFolder } from "../../runtime/store/state-folder.ts"
import type { StoreError } from "../../runtime/store/store-error.ts"

/** Stands in every key, body and answer: nothing outside the payload may hold it. */
export const secret = "jane.roe@example.org"

export const Triage = Schema.Struct({
  topic: Schema.Literals(["spam", "list", "personal"]),
  confidence: Schema.Finite,
  run: Schema.String,
  detail: Schema.Struct({ urgent: Schema.Boolean }),
  tags: Schema.Array(Schema.String)
})

export const samplePlan = (output: Schema.Codec<object, unknown> = Triage): Plan => compile(sampleJob({}, output))

/** The job behind `samplePlan`, with what else it declares. */
export const sampleJob = (
  changed: { readonly release?: { readonly exports: ReadonlyArray<Export> }; readonly schedule?: Cron } = {},
  output: Schema.Codec<object, unknown> = Triage
): Job => {
  const mails = jsonl("inbox/*.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: (mail) => mail.id })
  const spread = partition(mails)
  const triage = infer(spread, { model: local("bayes", () => ({})), prompt: (mail) => [user`${mail.id}`], output })
  const trusted = validate(triage, {
    known: { pass: () => true, orElse: deadLetter },
    sure: { pass: () => true, orElse: review }
  })
  return job("mail-triage", {
    owner: "service-desk",
    purpose: "Route correspondence",
    classification: "internal",
    consumers: ["ticketing", "archive"],
    budget: usd(40),
    ...changed,
    steps: { mails, spread, triage, trusted }
  })
}

/** An empty state folder that goes with the scope. */
export const tempState: Effect.Effect<StateFolder, StoreError, Scope.Scope> = Effect.flatMap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "nightshift-store-"))),
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  ),
  openStateFolder
)

export interface SampleRun {
  readonly run: string
  readonly items: number
  readonly itemLimit?: number
  readonly plan?: Plan
  readonly codeVersion?: string
}

/** Opens the ledger of a run, new or not; a new one gets its manifest. */
export const openSampleRun = Effect.fnUntraced(function* (folder: StateFolder, options: SampleRun) {
  const plan = options.plan ?? samplePlan()
  const ledger = yield* openDuckLedger({ folder: folder.run(options.run), plan, hashKey: folder.hashKey })
  yield* beginSampleRun(ledger, options, plan)
  return ledger
})

const beginSampleRun = Effect.fnUntraced(function* (
  ledger: DuckLedger,
  { run, items, itemLimit, codeVersion = "code-1" }: SampleRun,
  plan: Plan
) {
  const logicalTime = new Date("2026-11-02T00:00:00Z")
  const start = {
    run,
    job: plan.job,
    owner: plan.owner,
    purpose: plan.purpose,
    classification: plan.classification,
    consumers: plan.consumers,
    logicalTime,
    interval: { start: logicalTime, end: new Date("2026-11-03T00:00:00Z") },
    itemLimit: itemLimit ?? null,
    planDigest: plan.digest,
    plan: canonicalJson(plan),
    budgetUsd: plan.budgetUsd,
    estimateUsd: 0,
    jobModule: "jobs/mail-triage.ts",
    params: "{}"
  }
  const record = yield* ledger.begin(start, { codeVersion, planDigest: plan.digest, pid: process.pid })
  if (record.sealed) return
  for (let from = 0; from < items; from += 1_000) yield* ledger.stage(stagedItems(from, Math.min(items, from + 1_000)), [])
  const twin = { code: "unreadable", reason: `not JSON: ${secret}`, excerpt: secret, key: null, file: `${secret}.jsonl`, line: 3 }
  yield* ledger.stage(items === 0 ? [] : stagedItems(0, 1), [twin])
  yield* ledger.seal((groups) => ({
    spread: "hash",
    labelsArePublic: false,
    groups: groups.map(({ label }) => ({ label, partitions: 4 }))
  }))
})

export const keyOf = (item: number): string => `${secret}-${item}`

const stagedItems = (from: number, to: number): ReadonlyArray<StagedItem> =>
  Array.from({ length: to - from }, (_, index) => {
    const body = JSON.stringify({ id: keyOf(from + index) })
    return {
      key: keyOf(from + index),
      body,
      reference: null,
      bytes: body.length,
      weight: 1,
      label: "",
      file: `${secret}.jsonl`,
      line: from + index + 1
    }
  })

export const sampleVariant = (over: Partial<Variant> = {}): Variant => ({
  step: "triage",
  model: "bayes",
  modelVersion: "fn-1",
  promptVersion: "prompt-1",
  codeVersion: "code-1",
  shape: JSON.stringify([{ role: "user", literals: ["", ""], nested: [] }]),
  ...over
})
const bayes = sampleVariant()

export const sampleOutput = (seq: number): unknown => ({
  topic: ["spam", "list", "personal"][seq % 3],
  confidence: (seq % 100) / 100,
  run: `field-${secret}`,
  detail: { urgent: seq % 2 === 0 },
  tags: ["a", "b"]
})

/** Of ten items, the eighth is dead, the ninth goes to review, the others are delivered; each fifth is flagged, each fifteenth was asked again. */
export const sampleSettlement = (seq: number, itemId: string, variant: Variant = bayes): Settlement => {
  const at = new Date(1_793_580_000_000 + seq)
  const base = { code: null, rule: null, attempts: 1, answerStep: "triage" }
  const kind = seq % 10 === 7 ? "dead" : seq % 10 === 8 ? "review" : null
  const stop =
    kind === null ? [] : [{ kind, step: "trusted", code: "rule", rule: kind === "dead" ? "known" : "sure", attempts: 1 } as const]
  return {
    seq,
    itemId,
    partition: 0,
    worker: 1,
    completedAt: at,
    attempts: [
      {
        variant,
        attempt: 1,
        outcome: "answered",
        requestDigest: "d1",
        startedAt: at,
        ms: 12,
        inputTokens: 10,
        outputTokens: 3,
        tier: "realtime" as const,
        cacheReadTokens: 0,
        cacheWriteTokens: 0,
        reasoningTokens: 0,
        savedUsd: 0,
        costUsd: 0.001,
        confidence: (seq % 100) / 100
      }
    ],
    answers: [{ step: "triage", attempt: 1, variant, output: JSON.stringify(sampleOutput(seq)), raw: null }],
    checkpoints: [
      { ...base, step: "triage", status: "answered", disposition: null },
      kind === null
        ? { ...base, step: "trusted", status: "passed", disposition: "delivered" }
        : { step: "trusted", status: kind, disposition: kind, code: "rule", rule: stop[0]?.rule ?? null, attempts: 1, answerStep: null }
    ],
    problems: kind === null ? [] : [{ step: "trusted", attempt: 1, code: "rule", message: `${secret} breaks a rule`, raw: null }],
    retries: seq % 15 === 0 ? [{ step: "triage", attempt: 1, code: "rule", rule: "again", dueAt: at }] : [],
    stops: stop,
    flags: seq % 5 === 0 ? [{ step: "trusted", rule: "short" }] : [],
    finished: kind ?? "delivered"
  }
}

/** Settles the items `from ≤ seq < to` and waits until they are durable. */
export const settleItems = Effect.fnUntraced(function* (
  ledger: DuckLedger,
  from: number,
  to: number,
  settlementOf: (seq: number, itemId: string) => Settlement = sampleSettlement
) {
  for (let start = from; start < to; start += 2_000) {
    const pending = yield* ledger.pending(start, Math.min(to, start + 2_000) - 1)
    for (const { seq, itemId } of pending) yield* ledger.settle(settlementOf(seq, itemId))
  }
  yield* ledger.flush
})
