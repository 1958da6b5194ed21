/** The tables of a run's files as one database for Kysely. */
import type { PayloadTables } from "./payload-tables.ts"
import type { StateTables } from "./state-tables.ts"

export interface LedgerTables extends StateTables, PayloadTables {
  /** Lives only while a manifest is built. */
  "staging.raw": { ordinal: number; label: string; weight: number }
}
