import type { RunReport } from "../../../runtime/report/run-report.ts"

const started = Date.UTC(2026, 10, 24, 14, 0, 12)

/** A night as it usually is: 6,046 mails over three steps and 30 partitions. Every number follows from the index, none from chance. */
export const sampleReport: RunReport = {
  run: "mail-triage-20261125-2k7q",
  job: "mail-triage",
  owner: "service-desk",
  purpose: "Route correspondence to the right queue before the desk opens",
  classification: "internal",
  consumers: ["ticketing", "weekly-figures"],
  status: "done",
  trial: false,
  logicalTime: "2026-11-24T14:00:00.000Z",
  startedAt: new Date(started).toISOString(),
  endedAt: new Date(started + 2_292_000).toISOString(),
  seconds: 2292,
  sessions: 1,
  planDigest: "5f0c6bb2c1d94e7fa3a7d1e09b8842d7c4f6a1b0e9d85c3b7a6f5e4d3c2b1a09",
  codeVersions: ["b81f90a2"],
  rowsRead: 6093,
  rejected: [
    {
      code: "broken-row",
      rows: 41,
      examples: [
        { file: "inbox/2026-11-24/easy-ham-1.jsonl", line: 118, reason: "Unexpected end of JSON input" },
        { file: "inbox/2026-11-24/easy-ham-1.jsonl", line: 502, reason: 'Expected "," or "}" after a property at column 88' },
        { file: "inbox/2026-11-24/spam-2.jsonl", line: 7, reason: "Not UTF-8: byte 0xA9 at 1,204" }
      ]
    },
    {
      code: "duplicate-key",
      rows: 6,
      examples: [{ file: "inbox/2026-11-24/hard-ham-1.jsonl", line: 31, reason: "Its key is that of easy-ham-2.jsonl:930" }]
    }
  ],
  manifest: 6046,
  dispositions: { delivered: 5731, dead: 71, review: 213, held: 0, skipped: 31 },
  flagged: 118,
  completeness: { holds: true, gaps: [] },
  steps: [
    step("triage/bayes", "infer", "bayes-1", { answered: 4702, deferred: 1313, skipped: 31 }, 6015, 0.9, 2.4, 0, 0, 0),
    step("triage/haiku", "infer", "claude-haiku-4-5", { answered: 1268, dead: 45 }, 1377, 1184, 3120, 1_204_882, 20_655, 1.3082),
    step("trusted", "validate", null, { passed: 5731, review: 213, dead: 26 }, 0, null, null, 0, 0, null)
  ],
  causes: [
    { kind: "review", step: "trusted", code: "rule", rule: "confident", items: 213, example: "9f31c0a2b7d1e4f5a6b7c8d9" },
    { kind: "flag", step: "trusted", code: "rule", rule: "knownSender", items: 118, example: "77aa01e2c4b5d6f7a8b9c0d1" },
    { kind: "dead", step: "triage/haiku", code: "wrong-schema", rule: null, items: 38, example: "0c1d2e3f4a5b6c7d8e9f0a1b" },
    { kind: "dead", step: "trusted", code: "rule", rule: "notEmpty", items: 26, example: "b1c2d3e4f5a6b7c8d9e0f1a2" },
    { kind: "dead", step: "triage/haiku", code: "truncated", rule: null, items: 7, example: "5a6b7c8d9e0f1a2b3c4d5e6f" }
  ],
  slos: [
    { slo: "within-sla", target: 1, alert: null, value: 2292 / 21_600, met: true, alerting: false },
    { slo: "primary-failure-rate", target: 0.02, alert: 0.05, value: 0.0142, met: true, alerting: false },
    { slo: "dead-letter-rate", target: 0.001, alert: 0, value: 71 / 6046, met: false, alerting: true },
    { slo: "cost-overrun", target: 0, alert: null, value: 0, met: true, alerting: false },
    { slo: "pass-rate", target: 0.995, alert: 0.99, value: 0.9923, met: false, alerting: false }
  ],
  quality: [
    {
      step: "triage/bayes",
      judged: 6015,
      passed: 6015,
      review: 0,
      failed: 0,
      flagged: 0,
      repaired: 0,
      passRate: 1,
      meanConfidence: 0.9431
    },
    {
      step: "triage/haiku",
      judged: 1313,
      passed: 1268,
      review: 0,
      failed: 45,
      flagged: 0,
      repaired: 9,
      passRate: 0.9657,
      meanConfidence: 0.781
    },
    {
      step: "trusted",
      judged: 5970,
      passed: 5731,
      review: 213,
      failed: 26,
      flagged: 118,
      repaired: 0,
      passRate: 0.9956,
      meanConfidence: null
    }
  ],
  sla: {
    warnAt: new Date(started + 0.7 * 21_600_000).toISOString(),
    escalateAt: new Date(started + 0.9 * 21_600_000).toISOString(),
    deadline: new Date(started + 21_600_000).toISOString()
  },
  timeline: [
    { at: new Date(started).toISOString(), kind: "began", detail: null },
    { at: new Date(started + 4_000).toISOString(), kind: "sealed", detail: null },
    { at: new Date(started + 1_200_000).toISOString(), kind: "alert", detail: "outage" },
    { at: new Date(started + 2_290_000).toISOString(), kind: "released", detail: null },
    { at: new Date(started + 2_291_000).toISOString(), kind: "exported", detail: null },
    { at: new Date(started + 2_292_000).toISOString(), kind: "ended", detail: "done" }
  ],
  exports: [
    {
      revision: 1,
      step: "trusted",
      format: "parquet",
      rows: 5731,
      bytes: 812_344,
      sha256: "0b6f4f7a90c3d5e18f27a6b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7",
      path: "/srv/exports/mail-triage/mail-triage-20261125-2k7q/revision-1/trusted.parquet"
    }
  ],
  partitions: Array.from({ length: 30 }, (_, index) => ({
    partition: (index * 7) % 30,
    label: null,
    items: 196 + ((index * 11) % 13) + (index < 2 ? 22 : 0),
    weight: 412_000 - index * 1300,
    seconds: 164 - index * 2.4 + (index === 0 ? 88 : 0)
  })),
  partitionCount: 30,
  skew: { items: 1.114, weight: 1.048 },
  throughput: Array.from({ length: 77 }, (_, index) => ({
    at: new Date(started + index * 30_000).toISOString(),
    items: index === 76 ? 41 : index > 38 && index < 43 ? 6 : 62 + ((index * 37) % 41) - (index > 60 ? 18 : 0)
  })),
  throughputBucketSeconds: 30,
  confidence: [
    { step: "triage/bayes", bins: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 96, 104, 121, 118, 140, 152, 187, 395, 811, 3891], none: 0 },
    { step: "triage/haiku", bins: [0, 0, 0, 0, 4, 6, 0, 11, 24, 31, 62, 75, 88, 0, 104, 131, 166, 214, 240, 100], none: 12 }
  ],
  money: { budgetUsd: 40, estimateUsd: 1.62, spentUsd: 1.3082 },
  usage: { calls: 7_420, reused: 31, cacheReadTokens: 88_000, savedUsd: 0.42 },
  retries: { retried: 212, sweeps: 2, queued: 0 },
  alerts: [{ kind: "budget-80", at: "2026-11-02T15:41:07.000Z" }],
  costs: {
    models: [
      {
        step: "triage/haiku",
        model: "claude-haiku-4-5",
        calls: 1_377,
        failed: 45,
        reused: 31,
        inputTokens: 1_204_882,
        cacheReadTokens: 88_000,
        cacheWriteTokens: 4_100,
        outputTokens: 20_655,
        reasoningTokens: 0,
        costUsd: 1.3082
      }
    ],
    failedUsd: 0.0441,
    unpricedCalls: 0,
    savedUsd: { batch: 0.31, caching: 0.08, reuse: 0.03 }
  },
  gates: [],
  summaries: [
    {
      step: "mix",
      values: {
        total: 5731,
        accuracy: 0.971384,
        byTopic: { spam: 1702, list: 2310, personal: 1719 },
        perClass: {
          spam: { precision: 0.9812, recall: 0.9633, support: 1702 },
          list: { precision: 0.9689, recall: 0.9787, support: 2310 },
          personal: { precision: 0.9654, recall: 0.9691, support: 1719 }
        }
      }
    }
  ],
  reports: [
    {
      step: "morning",
      text: `## 5,731 mails sorted

1,702 are **spam**, 2,310 came over a *mailing list*, 1,719 were written to us.

| topic | mails | precision | recall |
|---|---:|---:|---:|
| spam | 1,702 | 98.1 % | 96.3 % |
| list | 2,310 | 96.9 % | 97.9 % |
| personal | 1,719 | 96.5 % | 96.9 % |

- The busiest sender was \`ilug-admin@linux.ie\` with 412 mails.
- Nobody wrote in a language that the model was not tried on.`
    }
  ]
}

/** A run that found nothing: the job has a step, a source and an aggregate, and no items. */
export const emptyReport: RunReport = {
  ...sampleReport,
  run: "mail-triage-20261126-0001",
  endedAt: new Date(started + 400).toISOString(),
  seconds: 0.4,
  rowsRead: 0,
  rejected: [],
  manifest: 0,
  dispositions: { delivered: 0, dead: 0, review: 0, held: 0, skipped: 0 },
  flagged: 0,
  steps: [step("triage/bayes", "infer", "bayes-1", {}, 0, null, null, 0, 0, null)],
  causes: [],
  slos: sampleReport.slos.map((slo) => ({ ...slo, value: null, met: null, alerting: false })),
  quality: [],
  exports: [],
  partitions: [],
  partitionCount: 0,
  skew: { items: null, weight: null },
  throughput: [],
  confidence: [{ step: "triage/bayes", bins: Array.from({ length: 20 }, () => 0), none: 0 }],
  money: { budgetUsd: 40, estimateUsd: 0, spentUsd: 0 },
  usage: { calls: 0, reused: 0, cacheReadTokens: 0, savedUsd: 0 },
  retries: { retried: 0, sweeps: 0, queued: 0 },
  alerts: [],
  costs: { models: [], failedUsd: 0, unpricedCalls: 0, savedUsd: { batch: 0, caching: 0, reuse: 0 } },
  gates: [],
  summaries: [{ step: "mix", values: { total: 0, accuracy: null, byTopic: {} } }],
  reports: [{ step: "morning", text: "0 mails, 0 of them spam." }]
}

/** A run that is done and can't say what became of two items. */
export const lossyReport: RunReport = {
  ...sampleReport,
  dispositions: { ...sampleReport.dispositions, delivered: 5729 },
  completeness: { holds: false, gaps: ["9f31c0a2b7", "77aa01e2c4"] }
}

/** As much as a report may hold. */
export const largeReport: RunReport = {
  ...sampleReport,
  partitions: Array.from({ length: 200 }, (_, index) => ({
    partition: index,
    label: `tier-${index}`,
    items: 900 + index,
    weight: index * 10,
    seconds: 400 - index
  })),
  partitionCount: 1024,
  throughput: Array.from({ length: 120 }, (_, index) => ({
    at: new Date(started + index * 60_000).toISOString(),
    items: 100 + ((index * 31) % 77)
  })),
  throughputBucketSeconds: 60,
  confidence: Array.from({ length: 6 }, (_, index) => ({
    step: `step-${index}`,
    bins: Array.from({ length: 20 }, (_bin, bin) => bin * index + 1),
    none: index
  })),
  causes: Array.from({ length: 40 }, (_, index) => ({
    kind: "flag",
    step: `step-${index}`,
    code: "rule",
    rule: `rule-${index}`,
    items: index + 1,
    example: `item-${index}`
  }))
}

/** Markup, quotes, Markdown, an entity, a mark that turns the direction of text, half a surrogate pair, a control. */
export const hostile = `<script>hacked=1</script>"'><img src=x onerror=hacked=1> [a](javascript:hacked=1) ![b](https://evil.example/c.png) <marquee> &#x202e; \u202e \ud800 \u0000 class="x" font-family:y; {a|b}`

const harmless = new Set(["kind", "slo", "warnAt", "escalateAt", "deadline", "status", "logicalTime", "startedAt", "endedAt", "at"])

/** The sample with every text made hostile, names of statuses and of aggregates too. */
export const hostileReport = spoil(sampleReport) as RunReport

function spoil(value: unknown, key = ""): unknown {
  if (typeof value === "string") return harmless.has(key) ? value : `${value.slice(0, 12)} ${hostile}`
  if (Array.isArray(value)) return value.map((part) => spoil(part, key))
  if (typeof value !== "object" || value === null) return value
  const isOpen = ["statuses", "values", "byTopic", "perClass"].includes(key)
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [isOpen ? `${name} ${hostile}` : name, spoil(part, name)]))
}

function step(
  ...[name, kind, model, statuses, attempts, meanMs, p95Ms, inputTokens, outputTokens, costUsd]: readonly [
    string,
    string,
    string | null,
    Readonly<Record<string, number>>,
    number,
    number | null,
    number | null,
    number,
    number,
    number | null
  ]
): RunReport["steps"][number] {
  return { step: name, kind, model, statuses, attempts, meanMs, p95Ms, inputTokens, outputTokens, costUsd }
}
