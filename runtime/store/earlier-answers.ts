/** Answers of closed runs by the digest of their request: what a later run need not pay for again (EXE-9). */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import * as path from "node:path"

import { listRuns } from "./control.ts"
import { openDuck, quoted, type Duck } from "./duck.ts"
import { filesOf, removeFiles, type RunFolder, type StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** An answer that was delivered. */
export interface EarlierAnswer {
  /** JSON text, as the step's schema encodes it. */
  readonly output: string
  readonly modelVersion: string
  /** What it cost then; null where no price was known. */
  readonly costUsd: number | null
}

export interface EarlierAnswers {
  /** At once, and with few false hits: whether it is worth a look. */
  readonly has: (digest: string) => boolean
  /** Null where none stands. Looks of the same moment share one query. */
  readonly find: (digest: string) => Effect.Effect<EarlierAnswer | null, StoreError>
}

/** Runs of the job that are looked at, newest first. */
const runsMax = 10
/** Runs listed to find them. */
const listedMax = 10_000
/** Answers that are taken over, newest first: 8 bytes of memory each, the rest on disk. */
const answersMax = 5_000_000

interface ReuseTables {
  "reuse.answers": { digest: string; output: string; model_version: string; cost_usd: number | null }
}

export interface EarlierAnswersOptions {
  readonly folder: StateFolder
  /** Of the run that asks; a copy of the answers stands in its folder while it runs. */
  readonly runFolder: RunFolder
  readonly job: string
  /** Checkpointed steps whose answers may be used again. */
  readonly steps: ReadonlyArray<string>
  /** Of a linked run: its origin, which is looked at however many runs there were since. */
  readonly origin: string | null
}

/** Copies what may be used again out of the job's last closed runs; null where there is nothing. A run that somebody holds is left out. */
export const openEarlierAnswers = Effect.fn("EarlierAnswers.open")(function* ({
  folder,
  runFolder,
  job,
  steps,
  origin
}: EarlierAnswersOptions): Effect.fn.Return<EarlierAnswers | null, StoreError, Scope.Scope> {
  const closed = (yield* listRuns(folder, listedMax)).filter((row) => row.job === job && row.status === "done")
  const family = closed.filter((row) => origin !== null && (row.run === origin || row.origin === origin))
  const sources = [...new Set([...family, ...closed].slice(0, family.length + runsMax))]
    .map(({ run }) => folder.run(run))
    .filter(({ state, payload }) => existsSync(state) && existsSync(payload))
  if (sources.length === 0) return null
  const file = path.join(runFolder.root, "reuse.duckdb")
  yield* removeFiles(...filesOf(file))
  yield* Effect.addFinalizer(() => removeFiles(...filesOf(file)))
  const duck: Duck<ReuseTables> = yield* openDuck({ attach: [{ name: "reuse", path: file }], tempDirectory: runFolder.temp, memoryMb: 100 })
  yield* duck.run(
    "looking for earlier answers",
    "create table reuse.found (digest varchar, output varchar, model_version varchar, cost_usd double, run integer)"
  )
  for (const [index, source] of sources.entries())
    yield* Effect.catch(copyFrom(duck, source, steps, index), (error) =>
      Effect.logInfo(`Answers of the run in ${source.root} aren't used again: ${error.message}`)
    )
  yield* duck.run(
    "looking for earlier answers",
    // The newest answer of each request, in the digests' order: a look then touches few rows.
    `create table reuse.answers as select digest, arg_min(output, run) as output, arg_min(model_version, run) as model_version,
      arg_min(cost_usd, run) as cost_usd from (select * from reuse.found order by run limit ${answersMax}) group by digest order by digest`,
    "drop table reuse.found"
  )
  const digests = yield* readDigests(duck)
  return digests.length === 0 ? null : { has: (digest) => contains(digests, prefixOf(digest)), find: finderOf(duck) }
})

const copyFrom = (duck: Duck<ReuseTables>, { state, payload }: RunFolder, steps: ReadonlyArray<string>, index: number) => {
  const doing = "looking for earlier answers"
  const asked = steps.map(quoted).join(", ")
  const attached = duck.run(
    doing,
    `attach ${quoted(state)} as old_state (read_only)`,
    `attach ${quoted(payload)} as old_payload (read_only)`
  )
  const copied = duck.run(
    doing,
    // Of an item that was stopped, what stands above the stop is as good as any: its own step and rules had passed it. A refused answer of a join
    // is of several steps, and none of them is trusted then. Of an item that was asked more than once only the last answer passed its rules; it goes by the request that the item began with.
    `insert into reuse.found
      with retried as (
        select call.seq, variant.step, max(call.attempt) as last, arg_min(call.request_digest, call.attempt) as request_digest,
          count(distinct (variant.model, variant.prompt_version, variant.code_version)) = 1 as is_one_request
        from old_state.attempts call join old_state.variants variant using (variant)
        semi join (select seq from old_state.attempts where attempt > 1) again on again.seq = call.seq
        group by all),
      fine as (select seq from old_state.checkpoints where disposition is not null group by seq having bool_and(disposition in ('delivered', 'skipped'))),
      refused as (select seq, answer_step as step from old_state.checkpoints where status in ('dead', 'review') and answer_step is not null),
      valid as (
        select seq, variant.step from fine, (select distinct step from old_state.variants) variant
        union all
        select seq, step from old_state.checkpoints anti join fine using (seq) anti join refused using (seq, step)
        anti join (select seq from refused where step not in (${asked})) joined using (seq) where status in ('answered', 'deferred'))
      select coalesce(retried.request_digest, call.request_digest), answer.output, variant.model_version,
        coalesce(nullif(call.cost_usd, 0), call.saved_usd, 0), ${index}
      from old_state.attempts call join old_state.variants variant using (variant)
      join old_payload.answers answer on answer.seq = call.seq and answer.step = variant.step and answer.attempt = call.attempt
      left join retried on retried.seq = call.seq and retried.step = variant.step
      semi join valid on valid.seq = call.seq and valid.step = variant.step
      where call.outcome = 'answered' and variant.step in (${asked})
        and call.attempt = coalesce(retried.last, call.attempt) and coalesce(retried.is_one_request, true)`
  )
  const detached = Effect.forEach(["old_state", "old_payload"], (name) => Effect.ignore(duck.run(doing, `detach ${name}`)), {
    discard: true
  })
  return Effect.ensuring(Effect.andThen(attached, copied), detached)
}

/** The first 64 bits of a digest. */
const prefixOf = (digest: string): bigint => BigInt(`0x${digest.slice(0, 16)}`)

const readDigests = (duck: Duck<ReuseTables>): Effect.Effect<BigUint64Array, StoreError> =>
  duck.use("looking for earlier answers", async (db) => {
    const { count } = await db
      .selectFrom("reuse.answers")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .executeTakeFirstOrThrow()
    const digests = new BigUint64Array(count)
    const read = await duck.instance.connect()
    try {
      const result = await read.stream("select digest from reuse.answers order by digest")
      let at = 0
      for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk())
        for (const digest of chunk.getColumnVector(0).toArray()) digests[at++] = prefixOf(String(digest))
    } finally {
      read.closeSync()
    }
    return digests
  })

/** Binary search. */
const contains = (sorted: BigUint64Array, wanted: bigint): boolean => {
  let low = 0
  let high = sorted.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = sorted[middle] ?? 0n
    if (found === wanted) return true
    if (found < wanted) low = middle + 1
    else high = middle - 1
  }
  return false
}

/** Looks that come while a query is under way are answered by the next one together. */
const finderOf = (duck: Duck<ReuseTables>): EarlierAnswers["find"] => {
  let waiting = new Set<string>()
  let next: Promise<ReadonlyMap<string, EarlierAnswer>> | null = null
  let running: Promise<unknown> = Promise.resolve()
  const look = async (): Promise<ReadonlyMap<string, EarlierAnswer>> => {
    await running
    const digests = [...waiting]
    waiting = new Set()
    next = null
    const rows = duck.db
      .selectFrom("reuse.answers")
      .where("digest", "in", digests)
      .select(["digest", "output", "model_version as modelVersion", "cost_usd as costUsd"])
      .execute()
    running = rows.catch(() => undefined)
    return new Map((await rows).map(({ digest, ...answer }) => [digest, answer]))
  }
  return (digest) =>
    duck.use("looking for an earlier answer", async () => {
      waiting.add(digest)
      next ??= look()
      return (await next).get(digest) ?? null
    })
}
