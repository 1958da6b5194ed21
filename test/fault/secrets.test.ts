/** A provider, and a job, that repeat the key: nobody who looks at a run may find it (SEC-1). */
import { globSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import type { FaultsPatch } from "../support/fake-provider/faults.ts"
import { mailTexts, openPaidHome, outcomeOf } from "../support/paid-home.ts"
import { onlyRun, openFiles, runFiles, until, type Ended } from "../support/run-command.ts"
import { repo } from "../support/tree.ts"

const secret = "sk-test-SECRET/4711+canary_9Zx"
const job = join(repo, "test/fault/jobs/note-job.ts")
const env = { DESK_API_KEY: secret }
const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString("base64")]

const isIn = (text: string): boolean => forms.some((form) => text.includes(form))

/** Files under a folder whose bytes hold the key, tables whose values do (they may be compressed), and what commands wrote that does. */
const leaks = async (folder: string, ended: ReadonlyArray<Ended>): Promise<ReadonlyArray<string>> => {
  const files = globSync("**", { cwd: folder }).filter((file) => statSync(join(folder, file)).isFile())
  return [
    ...files.filter((file) => isIn(readFileSync(join(folder, file), "latin1"))),
    ...(await leakyTables(folder, files)),
    ...ended.flatMap(({ stdout, stderr }) => [...(isIn(stdout) ? ["stdout"] : []), ...(isIn(stderr) ? ["stderr"] : [])])
  ]
}

const leakyTables = async (folder: string, files: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  using open = await openFiles({ ...runFiles(folder, onlyRun(folder)), control: join(folder, "control.duckdb") }, "read_write")
  const tables = await open.rows(
    "select database_name || '.' || table_name as name from duckdb_tables() where database_name in ('state', 'payload', 'control')"
  )
  const places = [
    ...tables.map(({ name }) => String(name)),
    ...files.filter((file) => file.endsWith(".parquet")).map((file) => `read_parquet('${join(folder, file)}')`)
  ]
  const leaky: Array<string> = []
  for (const place of places) if (isIn(JSON.stringify(await open.rows(`from ${place}`)))) leaky.push(place)
  return leaky
}

const valuesIn = async (state: string, query: string): Promise<string> => {
  using files = await openFiles(runFiles(state, onlyRun(state)), "read_write")
  return JSON.stringify(await files.rows(query))
}

/** Texts in which a model gives the key back: as an answer, around one, as one that fits no schema, and escaped. */
const spoken: ReadonlyArray<(key: string) => string> = [
  (key) => JSON.stringify({ note: `Your key is ${key}.` }),
  (key) => `Here you go, ${key}:\n{"note":"n"}`,
  (key) => `{"nothing":"${key}"}`,
  (key) => `no JSON but ${key}`,
  (key) => `{"note":"${[...key].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"}`
]

const answerAt = ({ prompt }: { readonly prompt: string }): string | undefined => {
  const mail = /Mail (\d+) /.exec(prompt)?.[1]
  return mail === undefined ? undefined : spoken[Number(mail) % spoken.length]?.(secret)
}

interface Case {
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  readonly faults: FaultsPatch
  readonly code: number
}

const echo: FaultsPatch = { echoKey: true, markers: { "Mail 1 ": "context" } }

const cases: ReadonlyArray<Case> = [
  { name: "in answers and refusals in real time (OpenAI)", env: {}, faults: echo, code: 3 },
  {
    name: "in answers and refusals in real time (Anthropic)",
    env: { PAID_MODEL: "anthropic" },
    faults: echo,
    code: 3
  },
  { name: "in the answers of a batch (OpenAI)", env: { PAID_TIER: "batch" }, faults: echo, code: 3 },
  {
    name: "in the answers of a batch (Anthropic)",
    env: { PAID_TIER: "batch", PAID_MODEL: "anthropic" },
    faults: { echoKey: true },
    code: 3
  },
  { name: "in the 401 that stops the run (OpenAI)", env: {}, faults: { echoKey: true, keys: ["another"] }, code: 1 },
  {
    name: "in the 401 that stops the run (Anthropic)",
    env: { PAID_MODEL: "anthropic" },
    faults: { echoKey: true, keys: ["another"] },
    code: 1
  }
]

describe("a key that a provider repeats", { timeout: 120_000 }, () => {
  for (const { name, env: own, faults, code } of cases) {
    it(`[SEC-1] [case 60] ${name} is in no file of the state, no report and no output`, async () => {
      await using paid = await openPaidHome(mailTexts(10), { faults, answer: answerAt })
      const { home, start } = paid
      const ended = await start(["run", job], { ...env, ...own }).ended
      expect(ended.code, ended.stderr).toBe(code)
      const looks = [await start(["trace", "k3"], env).ended]
      expect(await leaks(home.state, [ended, ...looks])).toEqual([])
      // Control: what is masked did come.
      const tables = ["select output, raw from payload.answers", "from payload.problems", "from payload.reports"]
      const kept = code === 1 ? [ended.stderr] : [ended.stdout, ...(await Promise.all(tables.map((table) => valuesIn(home.state, table))))]
      expect(kept.filter((text) => !text.includes("***"))).toEqual([])
    })
  }

  it("[SEC-1] control: without its mask, the key would be found", async () => {
    await using paid = await openPaidHome(mailTexts(5), { answer: answerAt })
    const ended = await paid.start(["run", job], { DESK_API_KEY: "some-other-key-0815" }).ended
    expect(ended.code, ended.stderr).toBe(3)
    const found = await leaks(paid.home.state, [ended])
    expect(found).toEqual(expect.arrayContaining(["payload.answers", "payload.problems"]))
  })
})

describe("a key that is rotated", { timeout: 120_000 }, () => {
  for (const tier of ["realtime", "batch"]) {
    it(`[SEC-1] while the run works (${tier}) is read again after the 401, without a restart; neither is found anywhere`, async () => {
      await using paid = await openPaidHome(mailTexts(200), { faults: { keys: [secret], latencyMs: 20, batch: { hold: true } } })
      const { home, fake, start } = paid
      const keyFile = join(home.path, "desk.key")
      writeFileSync(keyFile, `${secret}\n`)
      writeFileSync(join(home.path, "accounts.json"), JSON.stringify({ desk: { keyFile, concurrencyMax: 4 } }))
      const command = start(["run", job], { PAID_TIER: tier })
      await until(() => (tier === "batch" ? fake.stats().batches.created === 1 : fake.stats().paidCalls >= 20))
      const rotated = `${secret}-rotated`
      writeFileSync(keyFile, `${rotated}\n`)
      fake.faults({ keys: [rotated], echoKey: true, batch: { hold: false } })
      const ended = await command.ended
      expect(ended.code, ended.stderr).toBe(0)
      expect(outcomeOf(ended).delivered).toBe(200)
      expect(fake.stats().byStatus[401]).toBeGreaterThan(0)
      expect(await leaks(home.state, [ended])).toEqual([])
    })
  }
})
