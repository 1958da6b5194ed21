/** What the items of a linked run come with. */
import type { Kysely } from "kysely"

import type { GivenAnswers, PriorAnswer } from "./ledger.ts"
import type { LedgerTables } from "./ledger-tables.ts"

export const hasGivenRows = async (db: Kysely<LedgerTables>): Promise<boolean> =>
  (await db.selectFrom("payload.given").select("item_key").limit(1).execute()).length > 0 ||
  (await db.selectFrom("payload.waived").select("item_key").limit(1).execute()).length > 0

/** Of a range of the manifest, by key. */
export const readGiven = async (db: Kysely<LedgerTables>, from: number, to: number): Promise<ReadonlyMap<string, GivenAnswers>> => {
  const answers = await db
    .selectFrom("payload.given as given")
    .innerJoin("payload.items as item", "item.item_key", "given.item_key")
    .where("item.seq", ">=", from)
    .where("item.seq", "<=", to)
    .selectAll("given")
    .execute()
  const waived = await db
    .selectFrom("payload.waived as waived")
    .innerJoin("payload.items as item", "item.item_key", "waived.item_key")
    .where("item.seq", ">=", from)
    .where("item.seq", "<=", to)
    .selectAll("waived")
    .execute()
  const byKey = new Map<string, { readonly answers: Map<string, PriorAnswer>; readonly waived: Set<string> }>()
  const of = (key: string) => {
    const found = byKey.get(key) ?? { answers: new Map<string, PriorAnswer>(), waived: new Set<string>() }
    byKey.set(key, found)
    return found
  }
  for (const { item_key, step, attempt, output, model, ...versions } of answers)
    of(item_key).answers.set(step, {
      attempt,
      output,
      variant: {
        step,
        model,
        modelVersion: versions.model_version,
        promptVersion: versions.prompt_version,
        codeVersion: versions.code_version,
        shape: "[]"
      }
    })
  for (const { item_key, step } of waived) of(item_key).waived.add(step)
  return byKey
}
