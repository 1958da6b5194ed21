/** Manifests and settlements for the tests of ledgers: a job with two ends, and items that go through it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import { canonicalJson, compile, deadLetter, infer, job, jsonl, local, partition, usd, user, validate, type Plan } from "../../dsl/index.ts"
import type { Layout, LedgerShape, PendingItem, RunRecord, RunStart, Settlement, StagedItem, Variant } from "../../runtime/store/ledger.ts"
import type { StoreError } from "../../runtime/store/store-error.ts"

/** `triage` then `trusted`, which is an end, and `gist`, which is the other. */
export const twoEnds: Plan = (() => {
  const mails = jsonl("*.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: (mail) => mail.id })
  const spread = partition(mails)
  const output = Schema.Struct({ topic: Schema.String })
  const model = local("bayes", () => ({ topic: "spam" }))
  const triage = infer(spread, { model, prompt: (mail) => [user`${mail.id}`], output })
  const trusted = validate(triage, { known: { pass: () => true, orElse: deadLetter } })
  const gist = infer(spread, { model, prompt: (mail) => [user`Short: ${mail.id}`], output })
  const of = { owner: "service-desk", purpose: "Route correspondence", classification: "internal" } as const
  return compile(job("two-ends", { ...of, budget: usd(1), steps: { mails, spread, triage, trusted, gist } }))
})()

/** How a run of a plan is begun. */
export const startOf = (plan: Plan, over: Partial<RunStart> = {}): RunStart => {
  const { job, owner, purpose, classification, consumers, digest: planDigest, budgetUsd } = plan
  return {
    run: "r1",
    job,
    owner,
    purpose,
    classification,
    consumers,
    planDigest,
    budgetUsd,
    logicalTime: new Date("2026-11-02T00:00:00Z"),
    interval: { start: new Date("2026-11-02T00:00:00Z"), end: new Date("2026-11-03T00:00:00Z") },
    itemLimit: null,
    plan: canonicalJson(plan),
    estimateUsd: null,
    jobModule: `jobs/${job}.ts`,
    params: "{}",
    ...over
  }
}

export const begin = (
  ledger: LedgerShape,
  over: { readonly itemLimit?: number; readonly codeVersion?: string } = {}
): Effect.Effect<RunRecord, StoreError> =>
  ledger.begin(startOf(twoEnds, { itemLimit: over.itemLimit ?? null }), {
    codeVersion: over.codeVersion ?? "code-1",
    planDigest: twoEnds.digest,
    pid: process.pid
  })

/** Item `n` of an input: its key is `k-n`, its line n + 1. */
export const stagedItem = (n: number, over: Partial<StagedItem> = {}): StagedItem => {
  const key = over.key ?? `k-${n}`
  const body = JSON.stringify({ id: key })
  return { key, body, reference: null, bytes: body.length, weight: 1, label: "", file: "in.jsonl", line: n + 1, ...over }
}

/** `partitions` for each label. */
export const layoutOf =
  (partitions: number, over: Partial<Layout> = {}): Parameters<LedgerShape["seal"]>[0] =>
  (groups) => ({ spread: "hash", labelsArePublic: false, groups: groups.map(({ label }) => ({ label, partitions })), ...over })

/** Begins a run of `items` items with a sealed manifest. */
export const beginSealed = Effect.fnUntraced(function* (ledger: LedgerShape, items: number, partitions = 2) {
  const record = yield* begin(ledger)
  if (record.sealed) return record
  yield* ledger.stage(
    Array.from({ length: items }, (_, n) => stagedItem(n)),
    []
  )
  yield* ledger.seal(layoutOf(partitions))
  return record
})

export const pendingItems = (ledger: LedgerShape): Effect.Effect<ReadonlyArray<PendingItem>, StoreError> => ledger.pending(0, 1_999)

export const variantOf = (step: string, over: Partial<Variant> = {}): Variant => ({
  step,
  model: "bayes",
  modelVersion: "fn-1",
  promptVersion: "p-1",
  codeVersion: "code-1",
  shape: "[]",
  ...over
})
const variants = { triage: variantOf("triage"), gist: variantOf("gist") }

export interface SettledPart {
  /** Steps that answer now; `trusted` ends what `triage` began. */
  readonly steps?: ReadonlyArray<"triage" | "trusted" | "gist">
  readonly isDead?: boolean
  readonly isFlagged?: boolean
  /** Text within each answer. */
  readonly text?: string
  readonly attempt?: number
}

/** What an item's way through some of the steps leaves; all of them by default. */
export const settlementOf = ({ seq, itemId }: Pick<PendingItem, "seq" | "itemId">, part: SettledPart = {}): Settlement => {
  const { steps = ["triage", "trusted", "gist"], isDead = false, isFlagged = false, text = "spam", attempt = 1 } = part
  const asked = steps.filter((step) => step !== "trusted")
  const at = new Date(1_793_580_000_000 + seq)
  const code = isDead ? "rule" : null
  const call = {
    attempt,
    outcome: "answered",
    requestDigest: "d",
    startedAt: at,
    ms: 5,
    inputTokens: 7,
    outputTokens: 2,
    tier: "realtime" as const,
    cacheReadTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    savedUsd: 0,
    costUsd: 0.25,
    confidence: 0.5
  }
  return {
    seq,
    itemId,
    partition: 0,
    worker: 1,
    completedAt: at,
    attempts: asked.map((step) => ({ ...call, variant: variants[step] })),
    answers: asked.map((step) => ({
      step,
      attempt,
      variant: variants[step],
      output: JSON.stringify({ topic: `${text} ${seq}` }),
      raw: null
    })),
    checkpoints: steps.map((step) => ({
      step,
      status: step !== "trusted" ? ("answered" as const) : isDead ? ("dead" as const) : ("passed" as const),
      disposition: step === "triage" ? null : step === "trusted" && isDead ? ("dead" as const) : ("delivered" as const),
      code: step === "trusted" ? code : null,
      rule: step === "trusted" && isDead ? "known" : null,
      attempts: attempt,
      answerStep: step === "trusted" && isDead ? null : step === "gist" ? "gist" : "triage"
    })),
    problems: isDead ? [{ step: "trusted", attempt, code: "rule", message: "not known", raw: null }] : [],
    retries: [],
    stops: isDead ? [{ kind: "dead", step: "trusted", code: "rule", rule: "known", attempts: attempt }] : [],
    flags: isFlagged ? [{ step: "trusted", rule: "short" }] : [],
    finished: steps.length < 3 ? null : isDead ? "dead" : "delivered"
  }
}

/** Settles items and waits until they are durable. */
export const settleAll = Effect.fnUntraced(function* (
  ledger: LedgerShape,
  items: ReadonlyArray<PendingItem>,
  partOf: (item: PendingItem) => SettledPart = () => ({})
) {
  for (const item of items) yield* ledger.settle(settlementOf(item, partOf(item)))
  yield* ledger.flush
})

/** Lets other fibers and DuckDB's promises go on until `condition` holds. */
export const eventually = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(condition, (holds) =>
    holds
      ? Effect.void
      : Effect.andThen(
          Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
          Effect.suspend(() => eventually(condition))
        )
  )

/** All answers that reached a step. */
export const rowsOf = (ledger: LedgerShape, step: string) => Effect.map(Stream.runCollect(ledger.rows(step)), (chunks) => chunks.flat())

/** Their topics. */
export const outputsOf = (ledger: LedgerShape, step: string) =>
  Effect.map(rowsOf(ledger, step), (rows) => rows.map(({ output }) => (JSON.parse(output) as { topic: string }).topic))
