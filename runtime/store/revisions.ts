/**
 * Revisions of a closed run's outputs. The run itself never changes: each linked run of it that ends adds what it delivered, under the next
 * number. They close one at a time, so that each one's aggregates stand on everything before it.
 */
import { existsSync } from "node:fs"

import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { sql } from "kysely"

import { isHeld, openDuck, quoted, type Duck } from "./duck.ts"
import type { DuckLedger } from "./ledger-duckdb.ts"
import type { PastRun } from "./read-step-rows.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

interface RevisionTables {
  "revisions.runs": { revision: number; run: string }
}

/** A release of an origin: which run made it. */
export interface Revision {
  readonly run: string
  readonly revision: number
}

/** A linked run's turn to close. */
interface Turn {
  readonly revision: number
  /** The origin's own release, and those before this one. */
  readonly earlier: ReadonlyArray<Revision>
  /** The names under which the states of the runs before are attached, oldest first. */
  readonly states: ReadonlyArray<string>
}

/** Another linked run of the same origin, or somebody who looks at a file, is done by then. */
const patience = { while: isHeld, schedule: Schedule.spaced("200 millis"), times: 300 }

/**
 * Takes the turn of a linked run to close, until the scope ends: the ledger's answers are those of its origin and of all linked runs that closed before,
 * each item as its newest run has it. Returns which revision its release makes, after which; null where the origin was never released, as a trial isn't.
 */
export const takeRevision = Effect.fn("Store.takeRevision")(function* (
  ledger: DuckLedger,
  folder: StateFolder,
  { run, origin }: { readonly run: string; readonly origin: string }
): Effect.fn.Return<Turn | null, StoreError, Scope.Scope> {
  const { revisions } = folder.run(origin)
  const duck: Duck<RevisionTables> = yield* Effect.retry(
    openDuck({ attach: [{ name: "revisions", path: revisions }], memoryMb: 50 }),
    patience
  )
  yield* duck.run("reading revisions", "create table if not exists revisions.runs (revision integer not null, run varchar not null)")
  const known = yield* duck.use("reading revisions", (db) => db.selectFrom("revisions.runs").selectAll().orderBy("revision").execute())
  const before = known.filter((each) => each.run !== run)
  const states = yield* attachPast(ledger, folder, [origin, ...before.map((each) => each.run)])
  if (!(yield* isReleased(ledger))) return null
  const own = known.find((each) => each.run === run)?.revision
  const earlier = [{ run: origin, revision: 1 }, ...before]
  if (own !== undefined) return { revision: own, earlier: earlier.filter((each) => each.revision < own), states }
  const revision = known.reduce((last, each) => Math.max(last, each.revision), 1) + 1
  yield* duck.use("numbering a revision", (db) => db.insertInto("revisions.runs").values({ revision, run }).execute())
  return { revision, earlier, states }
})

/** Of the origin, which is attached first. */
const isReleased = ({ duck }: DuckLedger): Effect.Effect<boolean, StoreError> =>
  duck.use("reading the origin", async (db) => {
    const { rows } = await sql<{ released: boolean }>`select released_at is not null as released from past0_state.run`.execute(db)
    return rows[0]?.released === true
  })

const attachPast = Effect.fnUntraced(function* (ledger: DuckLedger, folder: StateFolder, runs: ReadonlyArray<string>) {
  const { duck, exclusively } = ledger
  const past: Array<PastRun> = []
  for (const [index, run] of runs.entries()) {
    const { state, payload } = folder.run(run)
    if (index > 0 && !existsSync(payload)) {
      yield* Effect.logWarning(`The content of run ${run} was destroyed: aggregates are computed without the items that it delivered.`)
      continue
    }
    for (const [kind, file] of Object.entries({ state, payload })) {
      const name = `past${index}_${kind}`
      yield* Effect.acquireRelease(
        Effect.retry(exclusively(duck.run(file, `attach ${quoted(file)} as ${name} (read_only)`)), patience),
        () => Effect.ignore(exclusively(duck.run("letting go of earlier runs", `detach ${name}`)))
      )
    }
    past.push({ state: `past${index}_state`, payload: `past${index}_payload` })
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => ledger.joinPast(past)),
    () => Effect.sync(() => ledger.joinPast([]))
  )
  return past.map(({ state }) => state)
})
