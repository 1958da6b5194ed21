/** What a person must look at, as `control.duckdb` keeps it, and as analysts see it. No personal data. */
import type { ColumnType } from "kysely"

import type { Severity } from "./alert-record.ts"
import type { PublishedTable } from "./lineage-tables.ts"

type Instant = ColumnType<Date, Date, Date>

export interface IncidentTables {
  "control.incidents": {
    /** `inc-12` */
    incident: string
    /** One incident a key, open or closed: the run and the kind of alert. */
    dedupe_key: string
    run: string
    job: string
    kind: string
    severity: Severity
    text: string
    /** JSON. */
    detail: string
    opened_at: Instant
    acked_by: string | null
    acked_at: Instant | null
    closed_by: string | null
    closed_at: Instant | null
    /** Grows with each change. */
    version: number
    /** The version that analysts were shown. */
    published: number
  }
}

export const incidentStatements: ReadonlyArray<string> = [
  `create table control.incidents (incident varchar not null, dedupe_key varchar not null, run varchar not null, job varchar not null, kind varchar not null,
    severity varchar not null, text varchar not null, detail varchar not null, opened_at timestamptz not null, acked_by varchar, acked_at timestamptz,
    closed_by varchar, closed_at timestamptz, version integer not null, published integer not null)`
]

/** Its segments are one row each, written by whoever changed it. */
export const publishedIncidents: PublishedTable = {
  name: "incidents",
  columns: [
    ["incident", "varchar"],
    ["kind", "varchar"],
    ["severity", "varchar"],
    ["text", "varchar"],
    ["detail", "varchar"],
    ["opened_at", "timestamptz"],
    ["acked_by", "varchar"],
    ["acked_at", "timestamptz"],
    ["closed_by", "varchar"],
    ["closed_at", "timestamptz"],
    ["version", "integer"]
  ],
  cut: null,
  key: ["incident"],
  of: "control.incidents",
  rows: () => "select * from control.incidents where version > published"
}
