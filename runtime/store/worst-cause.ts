/** What most of a run's dead letters have in common. */
import type { DuckLedger } from "./ledger-duckdb.ts"

/** Null where there is none. */
export const readWorstCause = ({ duck }: Pick<DuckLedger, "duck">) =>
  duck.use(
    "reading dead letters",
    async (db) =>
      (await db
        .selectFrom("state.dead_letters")
        .select(({ fn }) => ["step", "code", "rule", fn.countAll<number>().as("items")])
        .groupBy(["step", "code", "rule"])
        .orderBy("items", "desc")
        .orderBy("step")
        .limit(1)
        .executeTakeFirst()) ?? null
  )
