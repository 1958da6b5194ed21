/** Keys and error texts of stopped items: payload, so whoever asks is in the access log first. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import { sql } from "kysely"

import { isHeld, openDuck, type Duck } from "./duck.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Why an item's content isn't shown: a process has its run's files, or retention destroyed them. */
export type Unread = { readonly state: "held"; readonly holderPid: number | null } | { readonly state: "gone" }

export type StoppedText =
  | Unread
  | {
      readonly state: "read"
      readonly key: string
      /** What went wrong, of the last try at the step. */
      readonly message: string | null
    }

type Wanted = { readonly run: string; readonly seq: number; readonly step: string }

/** Runs whose files are opened for one list: each costs some milliseconds. */
const runsMax = 20

/** By `textKey`. Of runs beyond the first twenty nothing is read. */
export const readStoppedTexts = Effect.fn("Store.readStoppedTexts")(function* (
  folder: StateFolder,
  wanted: ReadonlyArray<Wanted>
): Effect.fn.Return<ReadonlyMap<string, StoppedText>, StoreError> {
  const byRun = Map.groupBy(wanted, ({ run }) => run)
  const texts = new Map<string, StoppedText>()
  for (const [run, ofRun] of [...byRun].slice(0, runsMax)) {
    const unread = (text: Unread) => Effect.sync(() => ofRun.forEach((item) => texts.set(textKey(item), text)))
    yield* existsSync(folder.run(run).payload)
      ? readRun(folder, run, ofRun, texts).pipe(Effect.catchIf(isHeld, ({ holderPid }) => unread({ state: "held", holderPid })))
      : unread({ state: "gone" })
  }
  return texts
})

export const textKey = ({ run, seq, step }: Wanted): string => `${run} ${seq} ${step}`

const readRun = Effect.fnUntraced(function* (
  folder: StateFolder,
  run: string,
  wanted: ReadonlyArray<Wanted>,
  texts: Map<string, StoppedText>
) {
  const { payload, temp } = folder.run(run)
  const duck: Duck<LedgerTables> = yield* openDuck({ attach: [{ name: "payload", path: payload, readOnly: true }], tempDirectory: temp })
  yield* duck.use("reading stopped items", async (db) => {
    const seqs = sql.join([...new Set(wanted.map(({ seq }) => seq))])
    const keys = await sql<{ seq: number; key: string }>`select seq, item_key as key from payload.items where seq in (${seqs})`.execute(db)
    const problems = await sql<{ seq: number; step: string; message: string }>`
      select seq, step, arg_max(message, (commit_no, attempt)) as message from payload.problems where seq in (${seqs}) group by all`.execute(
      db
    )
    const keyOf = new Map(keys.rows.map(({ seq, key }) => [seq, key]))
    const messageOf = new Map(problems.rows.map(({ seq, step, message }) => [`${seq} ${step}`, message]))
    for (const item of wanted) {
      const key = keyOf.get(item.seq)
      if (key !== undefined) texts.set(textKey(item), { state: "read", key, message: messageOf.get(`${item.seq} ${item.step}`) ?? null })
    }
  })
}, Effect.scoped)
