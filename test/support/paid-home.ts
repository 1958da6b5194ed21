/** A working directory for jobs that ask the fake provider, and what both sides say of it afterwards. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { startFakeProvider, type FakeProvider, type FakeProviderOptions } from "./fake-provider/start.ts"
import { makeHome, type FaultHome } from "./fault-home.ts"
import { lastJson, tempFolder, type Ended } from "./run-command.ts"
import { repo } from "./tree.ts"

export const paidJob = join(repo, "test/fault/jobs/paid-job.ts")

/** What `run --json` and `resume --json` print of a run that ended. */
export interface PaidOutcome {
  readonly run: string
  readonly status: string
  readonly delivered: number
  readonly dead: number
  readonly held: number
  readonly spentUsd: number
  /** Null where nobody could tell. */
  readonly estimateUsd: number | null
  /** Where it waits; null once it is done. */
  readonly gate: string | null
  readonly calls: number
  readonly reused: number
  readonly savedUsd: number
  readonly retried: number
  readonly sweeps: number
  readonly alerts: number
}

export interface PaidHome extends AsyncDisposable {
  readonly home: FaultHome
  readonly fake: FakeProvider
  /** Starts `runtime …` with the fake provider's addresses and keys. */
  readonly start: (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => ReturnType<FaultHome["start"]>
}

/** `texts` are the items' texts; equal ones are equal requests. */
export const openPaidHome = async (texts: ReadonlyArray<string>, options: FakeProviderOptions = {}): Promise<PaidHome> => {
  const folder = tempFolder()
  const input = join(folder.path, "items.jsonl")
  writeFileSync(input, texts.map((text, index) => `${JSON.stringify({ id: `k${index}`, text })}\n`).join(""))
  const home = makeHome(folder.path, { input })
  const fake = await startFakeProvider(options)
  return {
    home,
    fake,
    start: (args, env = {}) => home.start(args, { ...fake.env, PAID_SERVER: fake.openaiUrl, ...env }, { timeoutMs: 120_000 }),
    [Symbol.asyncDispose]: async () => {
      await fake.close()
      folder[Symbol.dispose]()
    }
  }
}

/** As many different texts. */
export const mailTexts = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `Mail ${index} is about invoice ${index * 7_919}.`)

/** The outcome a command printed. */
export const outcomeOf = (ended: Ended): PaidOutcome => lastJson(ended) as unknown as PaidOutcome
