/** Runs of the job that asks once an item, through the real command, and what their files say of every item's calls. */
import { join } from "node:path"

import type { Author } from "./fake-provider/answer.ts"
import type { FaultsPatch } from "./fake-provider/faults.ts"
import type { FakeStats } from "./fake-provider/ledger.ts"
import type { SeenRequest } from "./fake-provider/world.ts"
import { openPaidHome, outcomeOf, type PaidHome, type PaidOutcome } from "./paid-home.ts"
import { openFiles, runFiles, runNames, type Ended, type Row } from "./run-command.ts"
import { repo } from "./tree.ts"

export const askJob = join(repo, "test/fault/jobs/ask-job.ts")

/** What a run left of each item, by the author's key. */
export interface AskedItems {
  /** Outcomes of calls, in order. */
  readonly outcomes: (key: string) => ReadonlyArray<string>
  readonly calls: (key: string) => ReadonlyArray<Row>
  /** The code of the dead letter; undefined where the item is none. */
  readonly deadOf: (key: string) => string | undefined
  readonly flagsOf: (key: string) => ReadonlyArray<string>
  readonly problemsOf: (key: string) => ReadonlyArray<Row>
  /** All that the run's calls cost, by its own books. */
  readonly costUsd: number
}

/** Reads the newest run of a state folder. */
export const readItems = async (state: string): Promise<AskedItems> => {
  using files = await openFiles(runFiles(state, runNames(state).at(-1) ?? ""), "read_write")
  const keyed = (table: string, order: string) =>
    files.rows(`select item.item_key as key, each.* from ${table} each join payload.items item on item.seq = each.seq order by ${order}`)
  const calls = await keyed("state.attempts", "each.seq, each.attempt")
  const dead = (await keyed("state.checkpoints", "each.seq")).filter(({ status, code }) => status === "dead" && code !== null)
  const flags = await files.rows("select item.item_key as key, rule from state.flags each join payload.items item on item.seq = each.seq")
  const problems = await keyed("payload.problems", "each.seq, each.attempt")
  const callsOf = (key: string) => calls.filter((row) => row["key"] === key)
  return {
    calls: callsOf,
    outcomes: (key) => callsOf(key).map(({ outcome }) => String(outcome)),
    deadOf: (key) => dead.filter((row) => row["key"] === key).map(({ code }) => String(code))[0],
    flagsOf: (key) => flags.filter((row) => row["key"] === key).map(({ rule }) => String(rule)),
    problemsOf: (key) => problems.filter((row) => row["key"] === key),
    costUsd: calls.reduce((sum, { cost_usd }) => sum + Number(cost_usd), 0)
  }
}

export interface AskRun {
  readonly ended: Ended
  readonly outcome: PaidOutcome
  readonly items: AskedItems
  readonly stats: FakeStats
  readonly requests: ReadonlyArray<SeenRequest>
}

export interface AskRunOptions {
  readonly faults?: FaultsPatch
  readonly answer?: Author
  readonly env?: Readonly<Record<string, string>>
}

/** Runs in a home that is there already; the provider's books start anew. */
export const askIn = async ({ home, fake, start }: PaidHome, env: Readonly<Record<string, string>> = {}): Promise<AskRun> => {
  const ended = await start(["run", askJob], env).ended
  return {
    ended,
    outcome: outcomeOf(ended),
    items: await readItems(home.state),
    stats: fake.stats(),
    requests: [...fake.requests()]
  }
}

/** One run in a home of its own. Items are called `k0`, `k1`, … in the order of their texts. */
export const askOnce = async (texts: ReadonlyArray<string>, { faults = {}, answer, env = {} }: AskRunOptions = {}): Promise<AskRun> => {
  await using paid = await openPaidHome(texts, { faults, keepRequests: 10_000, ...(answer === undefined ? {} : { answer }) })
  return await askIn(paid, env)
}

/** Parsed bodies of the requests whose text holds something, in order. */
export const bodiesOf = ({ requests }: AskRun, text: string): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  requests.filter(({ body }) => body.includes(text)).map(({ body }) => JSON.parse(body))
