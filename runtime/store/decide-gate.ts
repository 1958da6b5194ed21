/** Gates of runs: which wait for a person, and what the person says. A decision is a row in the run's own file, written while no process works on it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { findRunNames } from "./find-run-names.ts"
import { GateNotFound, GateNotOpen, SampleNotAccepted } from "./gate-error.ts"
import { countsAsNo, isOverdue } from "./gate-expiry.ts"
import type { Money } from "./ledger.ts"
import { minuteOf } from "./minute.ts"
import { readMoney } from "./money-ledger.ts"
import { countSample } from "./release-sample.ts"
import { atRest, type RunAtRest } from "./run-at-rest.ts"
import type { StateFolder } from "./state-folder.ts"
import type { GateDecision, GateKind, RunStatus } from "./state-tables.ts"
import type { StoreError } from "./store-error.ts"

/** A gate as people see it. */
export interface ListedGate {
  /** `<run>.<number>` */
  readonly gate: string
  readonly run: string
  readonly runStatus: RunStatus
  readonly kind: GateKind
  readonly detail: unknown
  readonly openedAt: Date
  /** When it counts as rejected if nobody has decided; null for never. */
  readonly expiresAt: Date | null
  readonly decision: GateDecision | null
  readonly decidedAt: Date | null
  readonly decidedBy: string | null
  readonly addUsd: number | null
  readonly note: string | null
}

export interface ListedGates {
  /** Of runs that no process works on, newest run first. */
  readonly gates: ReadonlyArray<ListedGate>
  /** Runs whose file could not be looked at. */
  readonly skipped: ReadonlyArray<{ readonly run: string; readonly why: string }>
}

export interface Decision {
  readonly gate: string
  readonly decision: Extract<GateDecision, "approved" | "rejected">
  readonly by: string
  readonly addUsd: number | null
  readonly note: string | null
}

/** All gates that any run ever had. Never waits for a run's process, never disturbs it. */
export const listGates = Effect.fn("Store.listGates")(function* (folder: StateFolder): Effect.fn.Return<ListedGates> {
  const gates: Array<ListedGate> = []
  const skipped: Array<ListedGates["skipped"][number]> = []
  for (const run of findRunNames(folder)) {
    const found = yield* Effect.result(looking(folder, run, readListed))
    if (found._tag === "Success") gates.push(...(found.success ?? []))
    else skipped.push({ run, why: found.failure.reason === "held" ? "a process works on it" : found.failure.message })
  }
  return { gates, skipped }
})

/** The gates of one run, oldest first. */
export const listRunGates = Effect.fn("Store.listRunGates")(function* (
  folder: StateFolder,
  run: string
): Effect.fn.Return<ReadonlyArray<ListedGate>, StoreError> {
  return (yield* looking(folder, run, readListed)) ?? []
})

/** A gate, and the money of its run as it stands. */
export const findGate = Effect.fn("Store.findGate")(function* (
  folder: StateFolder,
  gate: string
): Effect.fn.Return<{ readonly gate: ListedGate; readonly money: Money }, StoreError | GateNotFound> {
  const found = yield* looking(folder, runOf(gate), async (files) => {
    const listed = (await readListed(files)).find((each) => each.gate === gate)
    return listed === undefined ? null : { gate: listed, money: await readMoney(files.db, allSessions) }
  })
  return found ?? (yield* new GateNotFound({ gate, state: folder.root }))
})

/**
 * Writes what was decided. Fails with reason `held` while a process works on the run, with `GateNotOpen` where there is nothing to decide, and with
 * `SampleNotAccepted` where a release is approved that nobody has looked at.
 */
export const decideGate = Effect.fn("Store.decideGate")(function* (
  folder: StateFolder,
  decision: Decision
): Effect.fn.Return<ListedGate, StoreError | GateNotFound | GateNotOpen | SampleNotAccepted> {
  const { gate } = decision
  const decidedAt = new Date(yield* Clock.currentTimeMillis)
  const found = yield* atRest({
    folder,
    run: runOf(gate),
    doing: "deciding at a gate",
    writes: true,
    work: (files) => decideOn(files, decision, decidedAt)
  })
  if (found === null || found.before === undefined) return yield* new GateNotFound({ gate, state: folder.root })
  if (found.after !== undefined) return found.after
  if (found.sample !== undefined) return yield* new SampleNotAccepted({ gate, ...found.sample })
  return yield* gateNotOpen(found.before, decidedAt.getTime())
})

/** `after` is missing where nothing was written. */
const decideOn = async (files: RunAtRest, { gate, decision, by, addUsd, note }: Decision, decidedAt: Date) => {
  const { db, has } = files
  const before = (await readListed(files)).find((each) => each.gate === gate)
  if (before === undefined || !isOpen(before, decidedAt.getTime())) return { before }
  const sample = before.kind === "release" && decision === "approved" ? await countSample(db) : undefined
  if (sample !== undefined && sample.undecided + sample.rejected > 0) return { before, sample }
  // A person's words are payload, and there before the decision that they explain.
  if (note !== null && has("payload.gate_notes"))
    await db.insertInto("payload.gate_notes").values({ gate, item_id: null, noted_at: decidedAt, note }).execute()
  await db
    .updateTable("state.gates")
    .set({ decision, decided_at: decidedAt, decided_by: by, add_usd: addUsd })
    .where("gate", "=", gate)
    .execute()
  return { before, after: (await readListed(files)).find((each) => each.gate === gate) }
}

/** Whether a person may decide at it. */
export const isOpen = (gate: ListedGate, now: number): boolean =>
  gate.decision === null && gate.runStatus !== "done" && !isOverdue(gate, now)

/** Why nobody may. */
export const gateNotOpen = (gate: ListedGate, now: number): GateNotOpen => {
  const { run, runStatus, decision } = gate
  const isOver = isOverdue(gate, now) || countsAsNo(decision)
  return new GateNotOpen({ gate: gate.gate, run, outcome: outcomeOf(gate, now), isRunDone: runStatus === "done", isOver })
}

const outcomeOf = (gate: ListedGate, now: number): string => {
  const { decision, decidedBy, decidedAt, expiresAt } = gate
  if (isOverdue(gate, now) || decision === "expired") return `not decided by ${minuteOf(expiresAt)}, which counts as rejected`
  if (decision === null) return "never decided, and its run is done"
  if (decision === "withdrawn") return `withdrawn at ${minuteOf(decidedAt)}: what it asked no longer arises`
  return `${decision} by ${decidedBy} at ${minuteOf(decidedAt)}`
}

const allSessions = 2_147_483_647

/** `<run>.<number>`; of anything else a run that isn't there. */
const runOf = (gate: string): string => /^([A-Za-z0-9_-][A-Za-z0-9._-]*)\.\d+$/.exec(gate)?.[1] ?? ""

/** Null where there is no such run, or its file is older than gates. */
const looking = <A>(folder: StateFolder, run: string, work: (run: RunAtRest) => Promise<A>): Effect.Effect<A | null, StoreError> =>
  atRest({
    folder,
    run,
    doing: "looking at gates",
    writes: false,
    work: async (files) => (files.has("state.gates") ? await work(files) : null)
  })

const readListed = async ({ db, has }: RunAtRest): Promise<ReadonlyArray<ListedGate>> => {
  const run = await db.selectFrom("state.run").select(["run", "status"]).executeTakeFirst()
  if (run === undefined) return []
  const rows = await db.selectFrom("state.gates").selectAll().orderBy("opened_at").orderBy("gate").execute()
  const notes = has("payload.gate_notes")
    ? await db.selectFrom("payload.gate_notes").select(["gate", "note", "noted_at"]).where("item_id", "is", null).execute()
    : []
  return rows.map((row) => ({
    gate: row.gate,
    run: run.run,
    runStatus: run.status,
    kind: row.kind,
    detail: JSON.parse(row.detail) as unknown,
    openedAt: row.opened_at,
    // Files of older versions lack the column.
    expiresAt: row.expires_at ?? null,
    decision: row.decision,
    decidedAt: row.decided_at,
    decidedBy: row.decided_by,
    addUsd: row.add_usd,
    note: notes.find(({ gate, noted_at }) => gate === row.gate && noted_at.getTime() === row.decided_at?.getTime())?.note ?? row.note
  }))
}
