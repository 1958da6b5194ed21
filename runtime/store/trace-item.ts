/** Everything known of one item, over all runs of a state folder (GOV-8): where it went, what was asked, what was answered. */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { sql, type Kysely } from "kysely"

import { isHeld, openDuck, type Duck } from "./duck.ts"
import type { LedgerTables } from "./ledger-tables.ts"
import { readNotes, type Note } from "./notes.ts"
import { openAnalytics } from "./open-analytics.ts"
import { itemIdOf, type RunFolder, type StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

type Row = Readonly<Record<string, unknown>>

/** What is kept of an item's content. */
export interface ItemPayload {
  /** Null where the run only set rows of this key aside. */
  readonly item: {
    readonly key: string
    readonly file: string
    readonly line: number | null
    /** JSON text; null where `reference` (JSON of a path and digest) stands for a large body. */
    readonly body: string | null
    readonly reference: string | null
  } | null
  readonly answers: ReadonlyArray<{
    readonly step: string
    readonly attempt: number
    readonly model: string | null
    readonly promptVersion: string | null
    /** JSON text. */
    readonly output: string
    readonly raw: string | null
  }>
  /** What went wrong, in words. */
  readonly problems: ReadonlyArray<{
    readonly step: string
    readonly attempt: number
    readonly code: string
    readonly message: string
    readonly raw: string | null
  }>
  /** The literals of each prompt that it was shown in: JSON of the prompt's shape. */
  readonly prompts: ReadonlyArray<{ readonly step: string; readonly promptVersion: string; readonly shape: string }>
  /** Rows of this key that were set aside, such as duplicates. */
  readonly rejected: ReadonlyArray<{
    readonly file: string
    readonly line: number | null
    readonly reason: string
    readonly excerpt: string
  }>
}

/** `held`: a process works on the run, so its content can't be read now. `gone`: retention destroyed it. */
export type PayloadHistory =
  | ({ readonly state: "read" } & ItemPayload)
  | { readonly state: "held"; readonly holderPid: number | null }
  | { readonly state: "gone" }

/** What one run did with the item. Rows are those of the published tables and views, by their columns. */
export interface RunHistory {
  readonly run: Row
  /** Null where the run only set rows of this key aside. */
  readonly item: Row | null
  readonly checkpoints: ReadonlyArray<Row>
  readonly attempts: ReadonlyArray<Row>
  readonly deadLetters: ReadonlyArray<Row>
  readonly reviews: ReadonlyArray<Row>
  readonly flags: ReadonlyArray<Row>
  readonly rejections: ReadonlyArray<Row>
  /** What people decided about it there, oldest first; `note` is what they wrote, as long as it is kept. */
  readonly decisions: ReadonlyArray<Row>
  readonly payload: PayloadHistory
}

export interface ItemHistory {
  /** The author's key; null where only the id was given and no payload could be read. */
  readonly key: string | null
  /** What it is called outside payloads. */
  readonly itemId: string
  /** Oldest first. */
  readonly runs: ReadonlyArray<RunHistory>
}

/** Traces the item that an author's `key` names, or that views know by `itemId`. An item that no run has seen gives an empty list. */
export const traceItem = Effect.fn("Store.traceItem")(function* (
  folder: StateFolder,
  subject: { readonly key: string } | { readonly itemId: string }
): Effect.fn.Return<ItemHistory, StoreError, Scope.Scope> {
  const itemId = "itemId" in subject ? subject.itemId : itemIdOf(folder.hashKey(subject.key))
  const { use } = yield* openAnalytics(folder)
  const published = yield* use("reading what was published of the item", async (db) => {
    const rowsOf = async (view: string, order: string): Promise<ReadonlyArray<Row>> =>
      (await sql<Row>`select * from ${sql.ref(view)} where item_id = ${itemId} order by ${sql.raw(order)}`.execute(db)).rows
    const rows = {
      items: await rowsOf("items", "run"),
      rejections: await rowsOf("rejections", "run, rejection"),
      checkpoints: await rowsOf("checkpoints", "commit_no, completed_at, step"),
      attempts: await rowsOf("attempts", "started_at, step, attempt"),
      deadLetters: await rowsOf("dead_letters", "stopped_at, step"),
      reviews: await rowsOf("reviews", "stopped_at, step"),
      flags: await rowsOf("flags", "step, rule"),
      decisions: await rowsOf("decisions", "decision")
    }
    const names = [...new Set([...rows.items, ...rows.rejections].map((row) => String(row["run"])))]
    const runs =
      names.length === 0 ? [] : (await sql<Row>`select * from runs where run in (${sql.join(names)}) order by created_at`.execute(db)).rows
    return { ...rows, runs }
  })
  const runs = yield* Effect.forEach(published.runs, (run) =>
    Effect.gen(function* () {
      const ofRun = (rows: ReadonlyArray<Row>) => rows.filter((row) => row["run"] === run["run"])
      const item = ofRun(published.items)[0] ?? null
      return {
        run,
        item,
        checkpoints: ofRun(published.checkpoints),
        attempts: ofRun(published.attempts),
        deadLetters: ofRun(published.deadLetters),
        reviews: ofRun(published.reviews),
        flags: ofRun(published.flags),
        rejections: ofRun(published.rejections),
        decisions: withNotes(ofRun(published.decisions), yield* readNotes(folder.run(String(run["run"])))),
        payload: yield* readPayload(folder.run(String(run["run"])), itemId, item === null ? null : Number(item["seq"]))
      }
    })
  )
  const named = runs.flatMap(({ payload }) => (payload.state === "read" && payload.item !== null ? [payload.item.key] : []))
  return { key: "key" in subject ? subject.key : (named[0] ?? null), itemId, runs }
}, Effect.scoped)

const withNotes = (decisions: ReadonlyArray<Row>, notes: ReadonlyArray<Note>): ReadonlyArray<Row> =>
  decisions.map((row) => {
    const number = Number(row["decision"])
    const note = notes.find(({ firstDecision, lastDecision }) => firstDecision <= number && number <= lastDecision)
    return { ...row, note: note?.text ?? null }
  })

const readPayload = (folder: RunFolder, itemId: string, seq: number | null): Effect.Effect<PayloadHistory, StoreError> =>
  existsSync(folder.payload) && existsSync(folder.state)
    ? readFiles(folder, itemId, seq).pipe(
        Effect.catchIf(isHeld, ({ holderPid }) => Effect.succeed<PayloadHistory>({ state: "held", holderPid }))
      )
    : Effect.succeed({ state: "gone" })

const readFiles = Effect.fnUntraced(function* (
  folder: RunFolder,
  itemId: string,
  seq: number | null
): Effect.fn.Return<PayloadHistory, StoreError, Scope.Scope> {
  const duck: Duck<LedgerTables> = yield* openDuck({
    attach: [
      { name: "state", path: folder.state, readOnly: true },
      { name: "payload", path: folder.payload, readOnly: true }
    ],
    memoryMb: 200
  })
  return yield* duck.use("reading an item's content", async (db) => {
    const rejected = await db
      .selectFrom("payload.rejected_rows as row")
      .innerJoin("state.rejections as rejection", "rejection.rejection", "row.rejection")
      .where("rejection.item_id", "=", itemId)
      .select(["row.file", "row.line", "row.reason", "row.excerpt"])
      .orderBy("row.rejection")
      .execute()
    return { state: "read" as const, rejected, ...(await readItem(db, seq)) }
  })
}, Effect.scoped)

const readItem = async (db: Kysely<LedgerTables>, seq: number | null): Promise<Omit<ItemPayload, "rejected">> => {
  if (seq === null) return { item: null, answers: [], problems: [], prompts: [] }
  const item = await db
    .selectFrom("payload.items")
    .where("seq", "=", seq)
    .select(["item_key as key", "file", "line", "body", "reference"])
    .executeTakeFirst()
  const answers = await db
    .selectFrom("payload.answers as answer")
    .leftJoin("state.variants as variant", "variant.variant", "answer.variant")
    .where("answer.seq", "=", seq)
    .select(["answer.step", "answer.attempt", "variant.model", "variant.prompt_version as promptVersion", "answer.output", "answer.raw"])
    .orderBy("answer.commit_no")
    .orderBy("answer.attempt")
    .execute()
  const problems = await db
    .selectFrom("payload.problems")
    .where("seq", "=", seq)
    .select(["step", "attempt", "code", "message", "raw"])
    .orderBy("commit_no")
    .orderBy("attempt")
    .execute()
  const prompts = await db
    .selectFrom("state.prompts as prompt")
    .innerJoin("state.variants as variant", (join) =>
      join.onRef("variant.prompt_version", "=", "prompt.prompt_version").onRef("variant.step", "=", "prompt.step")
    )
    .innerJoin("state.attempts as attempt", "attempt.variant", "variant.variant")
    .where("attempt.seq", "=", seq)
    .select(["prompt.step", "prompt.prompt_version as promptVersion", "prompt.shape"])
    .distinct()
    .orderBy("prompt.step")
    .orderBy("prompt.prompt_version")
    .execute()
  return { item: item ?? null, answers, problems, prompts }
}
