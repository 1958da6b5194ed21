/** `payload.duckdb`: all that may be personal. Retention unlinks this one file. */

import type { ColumnType } from "kysely"

export interface PayloadTables {
  "payload.items": {
    seq: number
    item_key: string
    /** JSON text; null where `reference` stands for it. */
    body: string | null
    /** JSON of a `BodyReference`. */
    reference: string | null
    file: string
    line: number | null
  }
  "payload.rejected_rows": {
    rejection: number
    file: string
    line: number | null
    item_key: string | null
    reason: string
    excerpt: string
  }
  /** One row an answer that was decoded: the last of a step counts. */
  "payload.answers": {
    seq: number
    step: string
    attempt: number
    /** Of `state.variants`: which model and versions gave it. */
    variant: number
    /** JSON text of the output. */
    output: string
    /** What the model said, where it differs from `output`. */
    raw: string | null
    commit_no: number
  }
  /** What went wrong with one attempt or rule, in words. */
  "payload.problems": {
    seq: number
    step: string
    attempt: number
    code: string
    message: string
    raw: string | null
    commit_no: number
  }
  /** Lines of a provider batch's results as they came, until their items are settled. */
  "payload.replies": {
    batch: number
    seq: number
    step: string
    attempt: number
    body: string
  }
  /** Of a linked run: answers that items come with, so that no model is asked for them. */
  "payload.given": {
    item_key: string
    /** The infer that gave the answer, or was to give it. */
    step: string
    /** JSON text. */
    output: string
    /** `person:<who>` of a correction. */
    model: string
    model_version: string
    prompt_version: string
    code_version: string
    attempt: number
  }
  /** Of a linked run: the validate whose `review` rules a person has answered for an item. */
  "payload.waived": { item_key: string; step: string }
  /** What people wrote when they decided: at a gate, or, with `item_id`, of an item of its sample. */
  "payload.gate_notes": { gate: string; item_id: string | null; noted_at: ColumnType<Date, Date, Date>; note: string }
  "payload.labels": { partition_no: number; label: string }
  "payload.params": { params: string }
  /** Values of aggregates, as JSON. */
  "payload.summaries": { step: string; summary: string }
  /** Texts of report steps. */
  "payload.reports": { step: string; report: string }
  /** Where the files of `state.exports` went: a parameter may be part of a path. */
  "payload.exports": { export_no: number; revision: number; path: string }
  "payload.migrations": { version: number; applied_at: Date }
}

/** Forward only, never edited. */
export const payloadMigrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `create table payload.items (seq bigint not null, item_key varchar not null, body varchar, reference varchar, file varchar not null, line bigint)`,
    `create table payload.rejected_rows (rejection bigint not null, file varchar not null, line bigint, item_key varchar, reason varchar not null, excerpt varchar not null)`,
    `create table payload.answers (seq bigint not null, step varchar not null, attempt integer not null, variant integer not null, output varchar not null, raw varchar, commit_no bigint not null)`,
    `create table payload.problems (seq bigint not null, step varchar not null, attempt integer not null, code varchar not null, message varchar not null, raw varchar, commit_no bigint not null)`,
    `create table payload.labels (partition_no integer not null, label varchar not null)`,
    `create table payload.params (params varchar not null)`,
    `create table payload.summaries (step varchar not null, summary varchar not null)`,
    `create table payload.reports (step varchar not null, report varchar not null)`
  ],
  [
    `create table payload.replies (batch integer not null, seq bigint not null, step varchar not null, attempt integer not null, body varchar not null)`
  ],
  [
    `create table payload.exports (export_no integer not null, revision integer not null, path varchar not null)`,
    `create table payload.given (item_key varchar not null, step varchar not null, output varchar not null, model varchar not null, model_version varchar not null,
      prompt_version varchar not null, code_version varchar not null, attempt integer not null)`,
    `create table payload.waived (item_key varchar not null, step varchar not null)`,
    `create table payload.gate_notes (gate varchar not null, item_id varchar, noted_at timestamptz not null, note varchar not null)`
  ]
]
