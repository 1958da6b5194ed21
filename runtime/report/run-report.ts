/** Everything that the completion report says, as data: `runtime report --json` prints it, the page draws it. */

import type { CostReport } from "./cost-report.ts"

/** Items of the manifest by what became of them. */
export interface Dispositions {
  readonly delivered: number
  readonly dead: number
  readonly review: number
  readonly held: number
  readonly skipped: number
}

export interface StepReport {
  /** The checkpointed step; each model of a cascade is one. */
  readonly step: string
  readonly kind: string
  readonly model: string | null
  /** Checkpoints by status: answered, passed, deferred (left to the next model), dead, review, held, skipped. */
  readonly statuses: Readonly<Record<string, number>>
  readonly attempts: number
  /** Of the calls; null where none was made. */
  readonly meanMs: number | null
  readonly p95Ms: number | null
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costUsd: number | null
}

/** What stopped or marked items, grouped: what a person needs first. */
export interface CauseReport {
  readonly kind: "dead" | "review" | "flag"
  readonly step: string
  /** An error code such as `wrong-schema`, or `rule`. */
  readonly code: string
  readonly rule: string | null
  readonly items: number
  /** The item id of one of them, to begin with. */
  readonly example: string
}

/** A service level of the batch-processing pattern, and how the run did. */
export interface SloReport {
  readonly slo: "within-sla" | "primary-failure-rate" | "dead-letter-rate" | "cost-overrun" | "pass-rate"
  readonly target: number
  /** Beyond it somebody must look. */
  readonly alert: number | null
  /** A share of 1; null where nothing can be said. */
  readonly value: number | null
  readonly met: boolean | null
  readonly alerting: boolean
}

/** Answers that were looked at, at one infer or validate; each model of a cascade is one too. */
export interface QualityReport {
  readonly step: string
  readonly judged: number
  readonly passed: number
  readonly review: number
  readonly failed: number
  readonly flagged: number
  readonly repaired: number
  /** What didn't fail, of what was looked at. */
  readonly passRate: number | null
  readonly meanConfidence: number | null
}

/** A moment of the run. `detail` names what of: a gate's or an alert's kind. */
export interface TimelineEvent {
  readonly at: string
  readonly kind:
    | "began"
    | "sealed"
    | "resumed"
    | "pause"
    | "unpause"
    | "capacity"
    | "alert"
    | "gate-opened"
    | "gate-approved"
    | "gate-rejected"
    | "gate-expired"
    | "gate-withdrawn"
    | "released"
    | "exported"
    | "ended"
  readonly detail: string | null
}

export interface ExportReport {
  readonly revision: number
  readonly step: string
  readonly format: string
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  /** Absolute. */
  readonly path: string
}

export interface PartitionReport {
  readonly partition: number
  /** The tier or field value; null for hash and weight. */
  readonly label: string | null
  readonly items: number
  readonly weight: number
  /** From first lease to done; null while not done. */
  readonly seconds: number | null
}

export interface GateReport {
  /** `<run>.<number>` */
  readonly gate: string
  readonly kind: string
  /** `expired`: nobody decided in time. `withdrawn`: what it asked no longer arises. */
  readonly decision: "approved" | "rejected" | "expired" | "withdrawn" | null
  /** What was added to the budget there. */
  readonly addUsd: number | null
}

export interface RunReport {
  readonly run: string
  readonly job: string
  readonly owner: string
  readonly purpose: string
  readonly classification: string
  readonly consumers: ReadonlyArray<string>
  readonly status: string
  /** A run of `--limit`: never released. */
  readonly trial: boolean
  /** ISO instants. */
  readonly logicalTime: string
  readonly startedAt: string
  readonly endedAt: string | null
  /** Wall time over all its processes, without the pauses between them. */
  readonly seconds: number
  /** Processes that worked on it: 1 for an undisturbed run. */
  readonly sessions: number
  readonly planDigest: string
  readonly codeVersions: ReadonlyArray<string>
  readonly rowsRead: number
  readonly rejected: ReadonlyArray<{
    readonly code: string
    readonly rows: number
    /** At most five, with file and line. */
    readonly examples: ReadonlyArray<{ readonly file: string; readonly line: number | null; readonly reason: string }>
  }>
  readonly manifest: number
  readonly dispositions: Dispositions
  readonly flagged: number
  /** VAL-1: whether both equations hold, and the items that break them (at most 100 item ids). */
  readonly completeness: { readonly holds: boolean; readonly gaps: ReadonlyArray<string> }
  readonly steps: ReadonlyArray<StepReport>
  readonly causes: ReadonlyArray<CauseReport>
  readonly slos: ReadonlyArray<SloReport>
  readonly quality: ReadonlyArray<QualityReport>
  /** When the run is due and when people are told of it, at 70 % and 90 % of its time; null for a trial and without a schedule. */
  readonly sla: { readonly warnAt: string; readonly escalateAt: string; readonly deadline: string } | null
  /** In order. */
  readonly timeline: ReadonlyArray<TimelineEvent>
  /** Files that were written for consumers. */
  readonly exports: ReadonlyArray<ExportReport>
  /** At most 200 partitions, the slowest first; `partitionCount` counts all. */
  readonly partitions: ReadonlyArray<PartitionReport>
  readonly partitionCount: number
  /** Largest over mean, by items and by weight: 1 is perfectly even; null without partitions. */
  readonly skew: { readonly items: number | null; readonly weight: number | null }
  /** Items finished per bucket of time, at most 120 buckets; `at` is the ISO start of each. */
  readonly throughput: ReadonlyArray<{ readonly at: string; readonly items: number }>
  readonly throughputBucketSeconds: number
  /** Answers by confidence in 20 bins of 0.05, per checkpointed step that declares one; `none` counts answers without. */
  readonly confidence: ReadonlyArray<{ readonly step: string; readonly bins: ReadonlyArray<number>; readonly none: number }>
  readonly money: { readonly budgetUsd: number; readonly estimateUsd: number | null; readonly spentUsd: number }
  /** Calls sent, answers reused instead, tokens read from providers' caches, and what batch tier, caches and reuse took off the full price. */
  readonly usage: { readonly calls: number; readonly reused: number; readonly cacheReadTokens: number; readonly savedUsd: number }
  /** Items that were asked again after the primary pass, how many sweeps that took, and what still waits for one. */
  readonly retries: { readonly retried: number; readonly sweeps: number; readonly queued: number }
  /** What people were told of the run, in order; `kind` is raised once a run. */
  readonly alerts: ReadonlyArray<{ readonly kind: string; readonly at: string }>
  /** Of paid calls, by model. */
  readonly costs: CostReport
  /** Where the run waited, or waits, for a person; `decision` is null while it does. */
  readonly gates: ReadonlyArray<GateReport>
  readonly summaries: ReadonlyArray<{ readonly step: string; readonly values: unknown }>
  /** The job's own reports: plain text or Markdown. */
  readonly reports: ReadonlyArray<{ readonly step: string; readonly text: string }>
}
