/** The two examples that ask providers, run against the fake one: what they come to, and what both sides say was paid. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { canonicalJson } from "../../dsl/index.ts"
import { exampleModules, isPaid, readRun, type RunContent } from "../support/example-run.ts"
import exampleAnswers from "../support/example-answers.ts"
import { startFakeProvider, type FakeProvider } from "../support/fake-provider/start.ts"
import { lastJson, openFiles, runRuntime, tempFolder, type Ended, type Row } from "../support/run-command.ts"
import { repo } from "../support/tree.ts"

const contracts = "examples/contract-risk.ts"
const claims = "examples/claims.ts"

interface PaidRun {
  readonly ended: Ended
  readonly json: Readonly<Record<string, unknown>> & { readonly run: string }
  readonly content: RunContent
  readonly stats: ReturnType<FakeProvider["stats"]>
  readonly payments: ReturnType<FakeProvider["ledger"]>
  readonly requests: ReturnType<FakeProvider["requests"]>
}

const folder = tempFolder()
const state = join(folder.path, "state")
const runs = new Map<string, PaidRun>()
let fake: FakeProvider

const runtime = (args: ReadonlyArray<string>): Promise<Ended> => runRuntime([...args, "--json"], { env: fake.env })

const run = async (example: string, ...args: ReadonlyArray<string>): Promise<PaidRun> => {
  fake.reset()
  const ended = await runtime(["run", example, "--state", state, ...args])
  const json = lastJson(ended)
  if (typeof json["run"] !== "string") throw new Error(ended.stderr)
  return {
    ended,
    json: { ...json, run: json["run"] },
    content: await readRun(state, json["run"]),
    stats: fake.stats(),
    payments: [...fake.ledger()],
    requests: [...fake.requests()]
  }
}

beforeAll(async () => {
  fake = await startFakeProvider({ answer: exampleAnswers, keepRequests: 1_000 })
  for (const example of [contracts, claims]) runs.set(example, await run(example))
}, 60_000)
afterAll(async () => {
  await fake.close()
  folder[Symbol.dispose]()
})

const runOf = (example: string): PaidRun => {
  const found = runs.get(example)
  if (found === undefined) throw new Error(`${example} was not run`)
  return found
}

/** Asks the views that the runs published, as any client of DuckDB does. */
const query = async (text: string): Promise<ReadonlyArray<Row>> => {
  using analytics = await openFiles({})
  for (const script of ["lineage.sql", "output/outputs.sql"]) await analytics.run(readFileSync(join(state, "analytics", script), "utf8"))
  return await analytics.rows(text)
}

/** How each attempt of an item went, in order. */
const attemptsOf = (example: string, key: string) =>
  query(
    `select step, attempt, outcome from attempts where run = '${runOf(example).json.run}' and item_id in
       (select item_id from outputs_${example === claims ? "claims" : "contract_risk"}_trusted where item_key = '${key}') order by started_at, attempt`
  )

it("are all the examples that say so", () => {
  expect(exampleModules().filter(isPaid)).toEqual([claims, contracts])
})

describe.each([contracts, claims])("%s", (example) => {
  it("[CST-3] was told to cost what the provider billed, to the last millionth, and nothing was paid twice", () => {
    const { json, stats } = runOf(example)
    expect(stats.paidUsd).toBeGreaterThan(0.001)
    expect(json["spentUsd"]).toBeCloseTo(stats.paidUsd, 9)
    expect(stats).toMatchObject({ paidTwice: 0, paidExtra: 0, paidItems: stats.paidCalls })
  })

  it("[CST-1] was estimated in the right order of magnitude, and above what it came to", () => {
    const { estimateUsd, spentUsd } = runOf(example).json
    expect(Number(estimateUsd)).toBeGreaterThan(Number(spentUsd))
    expect(Number(estimateUsd)).toBeLessThan(Number(spentUsd) * 15)
  })

  it("[CRD-2] [VAL-1] comes to the golden plan, counts and reports", async () => {
    const { content, ended, json } = runOf(example)
    const { plan, reports } = content
    const names = ["rowsRead", "rejected", "manifest", "delivered", "dead", "review", "held", "skipped", "flagged"]
    const counts = Object.fromEntries(names.map((name) => [name, json[name]]))
    expect(canonicalJson(plan)).not.toContain(repo)
    const golden = { command: example, exitCode: ended.code, counts, reports, plan }
    await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(`golden/${plan.job}.json`)
  })
})

describe("the contracts", () => {
  it("ends with exit code 3: one scan is rejected, one quote is made up for good, and three answers are unsure", () => {
    const { ended, json } = runOf(contracts)
    expect(ended.code).toBe(3)
    expect(json).toMatchObject({ status: "done", rowsRead: 26, rejected: 1, manifest: 25, delivered: 21, review: 3, dead: 1, flagged: 9 })
  })

  it("[EXE-4] asks through the Batch API alone, for half of the list price", () => {
    const { payments, stats } = runOf(contracts)
    expect(payments.map(({ tier }) => tier)).toEqual(payments.map(() => "batch"))
    // One for all, and one for the two that were asked for their quote again.
    expect(stats.batches.created).toBe(2)
    const listUsd = payments.reduce((sum, { tokens }) => sum + (tokens.input * 0.25 + tokens.output * 2) / 1e6, 0)
    expect(stats.paidUsd).toBeCloseTo(listUsd / 2, 9)
  })

  it("[EXE-9] pays once for the contract that stands in the folder twice", async () => {
    const { json, payments } = runOf(contracts)
    // 24 contracts, and two of them once more.
    expect(payments).toHaveLength(26)
    expect(json).toMatchObject({ calls: 26, reused: 1 })
    const twins = await query("select risk, reason from outputs_contract_risk_trusted where item_key like 'gardens%'")
    expect(twins).toHaveLength(2)
    expect(twins[0]).toEqual(twins[1])
  })

  it("[VAL-3] delivers no quote that isn't in its contract; one made up once is mended, one made up twice is given up on", async () => {
    const squeezed = (text: string) => text.replace(/\s+/g, " ")
    const rows = await query("select item_key, evidence from outputs_contract_risk_trusted order by item_key")
    expect(rows).toHaveLength(21)
    for (const { item_key: name, evidence } of rows) {
      const text = squeezed(readFileSync(join(repo, `examples/data/contracts/${String(name)}.txt`), "utf8"))
      expect(text, String(name)).toContain(squeezed(String(evidence)))
    }
    expect(await attemptsOf(contracts, "cloud-backup")).toEqual([
      { step: "risks", attempt: 1, outcome: "answered" },
      { step: "risks", attempt: 2, outcome: "answered" }
    ])
    const dead = await query("select code, rule, count(*) as items from dead_letters where job = 'contract-risk' group by all")
    expect(dead).toEqual([{ code: "rule", rule: "quoted", items: 1 }])
  })

  it("[VAL-4] leaves to a person what the model was less sure of than 0.7, and nothing else", async () => {
    const reviews = await query("select rule, count(*) as items from reviews where job = 'contract-risk' group by all")
    expect(reviews).toEqual([{ rule: "sure", items: 3 }])
    const [least] = await query("select min(confidence) as confidence from outputs_contract_risk_trusted")
    expect(least).toEqual({ confidence: 0.81 })
  })
})

describe("the claims", () => {
  it("ends with exit code 3: two dead letters, and three answers that both models are unsure of", async () => {
    const { ended, json } = runOf(claims)
    expect(ended.code).toBe(3)
    expect(json).toMatchObject({ status: "done", manifest: 40, rejected: 0, delivered: 35, review: 3, dead: 2, flagged: 4 })
    const dead = await query("select rule, count(*) as items from dead_letters where job = 'claims' group by all order by all")
    expect(dead).toEqual([
      { rule: "datesMakeSense", items: 1 },
      { rule: "paysWhatIsOwed", items: 1 }
    ])
  })

  it("[EXE-4] [EXE-10] asks the larger model, in real time as the small one, only what the small one wasn't sure of", async () => {
    const steps = await query(
      "select step, status, count(*) as items from checkpoints where job = 'claims' and step like 'decisions_%' group by all order by all"
    )
    expect(steps).toEqual([
      { step: "decisions_1_claude_haiku_4_5", status: "answered", items: 33 },
      { step: "decisions_1_claude_haiku_4_5", status: "deferred", items: 7 },
      { step: "decisions_2_claude_sonnet_4_5", status: "answered", items: 7 }
    ])
    const { payments, stats } = runOf(claims)
    // 40 claims, and two of them again: a section that isn't there, and money for a claim that is declined.
    expect(Object.entries(stats.models).map(([model, { calls }]) => [model, calls])).toEqual([
      ["claude-haiku-4-5", 42],
      ["claude-sonnet-4-5", 7]
    ])
    expect(payments.every(({ tier }) => tier === "realtime")).toBe(true)
  })

  it("[EXE-8] [CST-4] puts the policy first: each model reads it once in full, and from the cache ever after", () => {
    const { json, payments, requests } = runOf(claims)
    const bodies = requests.map(({ body }) => JSON.parse(body) as { readonly model: string; readonly system: ReadonlyArray<object> })
    for (const model of ["claude-haiku-4-5", "claude-sonnet-4-5"]) {
      const systems = new Set(bodies.filter((body) => body.model === model).map(({ system }) => JSON.stringify(system)))
      expect(systems.size).toBe(1)
      expect(JSON.parse([...systems][0] ?? "[]")).toMatchObject([{ cache_control: { type: "ephemeral" } }])
      const [first, ...others] = payments.filter((payment) => payment.model === model).map(({ tokens }) => tokens)
      expect(first).toMatchObject({ cacheRead: 0 })
      expect(first?.cacheWrite5m).toBeGreaterThan(4_096)
      for (const tokens of others) expect(tokens).toMatchObject({ cacheRead: first?.cacheWrite5m, cacheWrite5m: 0 })
    }
    const read = payments.reduce((sum, { tokens }) => sum + tokens.cacheRead, 0)
    expect(json).toMatchObject({ cacheReadTokens: read })
    // All of it at list price: what isn't paid is what the cache saved.
    const listUsd = payments.reduce(
      (sum, { model, tokens }) => sum + (tokens.input + tokens.output * 5) * (model === "claude-haiku-4-5" ? 1e-6 : 3e-6),
      0
    )
    expect(json["savedUsd"]).toBeCloseTo(listUsd - Number(json["spentUsd"]), 9)
  })

  it("[VAL-3] mends a section that the policy doesn't have, with the model that named it", async () => {
    expect(await attemptsOf(claims, "CL-1035")).toEqual([
      { step: "decisions_1_claude_haiku_4_5", attempt: 1, outcome: "answered" },
      { step: "decisions_1_claude_haiku_4_5", attempt: 2, outcome: "answered" }
    ])
    const sections = new Set(
      [...readFileSync(join(repo, "examples/data/claims/policy.md"), "utf8").matchAll(/^\*\*(\d+\.\d+)/gm)].map(([, section]) => section)
    )
    const cited = await query("select distinct section from outputs_claims_trusted")
    expect(cited.length).toBeGreaterThan(10)
    expect(cited.filter(({ section }) => !sections.has(String(section)))).toEqual([])
  })

  it("[CST-2] waits at a gate when its budget can't pay for the next call, and goes on for what a person adds, paying for nothing twice", async () => {
    const apart = ["--state", join(folder.path, "gate")]
    fake.reset()
    const waiting = await runtime(["run", claims, "--budget", "0.1", ...apart])
    expect(waiting.code, waiting.stderr).toBe(4)
    const { gate, spentUsd } = lastJson(waiting)
    expect(Number(spentUsd)).toBeLessThanOrEqual(0.1)
    const done = await runtime(["approve", String(gate), "--add-usd", "1", ...apart])
    expect(done.code, done.stderr).toBe(3)
    expect(lastJson(done)).toMatchObject({ delivered: 35, review: 3, dead: 2 })
    expect(fake.stats()).toMatchObject({ paidTwice: 0, paidCalls: 49 })
    expect(lastJson(done)["spentUsd"]).toBeCloseTo(fake.stats().paidUsd, 9)
  })

  it("[EXE-9] pays in the next run only for what the last one didn't deliver", async () => {
    const { json, stats } = await run(claims)
    expect(json).toMatchObject({ delivered: 35, review: 3, dead: 2 })
    // The better model about three claims in review, whose cheaper answers stand; and the two dead letters, one of them twice.
    expect(stats.paidCalls).toBe(3 + 1 + 2)
    expect(json["spentUsd"]).toBeCloseTo(stats.paidUsd, 9)
  })
})

it("npm run example:claims brings a provider of its own, and ends as the run ends", () => {
  const npm = spawnSync("npm", ["run", "--silent", "example:claims", "--", "--json", "--state", join(folder.path, "npm")], {
    cwd: repo,
    encoding: "utf8",
    // Keys of the machine stay out of it.
    env: { ...process.env, ANTHROPIC_API_KEY: "not-this-one", ANTHROPIC_BASE_URL: "http://127.0.0.1:9" }
  })
  expect(npm.status, npm.stderr).toBe(3)
  expect(JSON.parse(npm.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ job: "claims", delivered: 35 })
  expect(npm.stderr).toMatch(/The provider's own books: 49 calls for \$0\.0\d+, none paid twice\./)
})
