/** Messages on their way to channels, as `control.duckdb` keeps them until they arrive. No URL stands in it. */
import type { ColumnType } from "kysely"

type Instant = ColumnType<Date, Date, Date>

export interface OutboxTables {
  "control.outbox": {
    /** Run, kind and channel: one message each, for ever. */
    dedupe_key: string
    channel: string
    /** JSON of an `AccountPlace`: an environment's messages go to its own channels. */
    place: string
    run: string
    job: string
    /** JSON of what is told; a channel puts it into its own form. */
    message: string
    created_at: Instant
    tries: number
    /** Not before; null once it's sent or given up. */
    next_at: Instant | null
    sent_at: Instant | null
    /** Why the last try failed; never the address. */
    problem: string | null
  }
}

export const outboxStatements: ReadonlyArray<string> = [
  `create table control.outbox (dedupe_key varchar not null, channel varchar not null, place varchar not null, run varchar not null,
    job varchar not null, message varchar not null, created_at timestamptz not null, tries integer not null, next_at timestamptz, sent_at timestamptz,
    problem varchar)`
]
