import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { canonicalJson } from "../../dsl/index.ts"
import { measure, type Outcome } from "../../examples/mail/measure.ts"
import {
  commandsOf,
  exampleModules,
  isPaid,
  jobsOf,
  readRun,
  runAll,
  runtimeSql,
  type ExampleRun,
  type RunContent
} from "../support/example-run.ts"
import { repo } from "../support/tree.ts"

const modules = exampleModules()
// The others are run in paid-examples.test.ts.
const commands = modules.filter((module) => !isPaid(module)).flatMap(commandsOf)
// The only one whose figures belong to a corpus and a trained model: they are held to bounds instead of a golden file.
const mailExample = "examples/mail-triage.ts"

let state: string
const runs = new Map<string, ExampleRun>()
const contents = new Map<string, RunContent>()

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "nightshift-examples-"))
  // The long one first, so that the short ones run beside it.
  const longestFirst = commands.toSorted((a, b) => Number(b.reference === mailExample) - Number(a.reference === mailExample))
  for (const run of await runAll(longestFirst, state, 2)) {
    runs.set(run.reference, run)
    if (run.exitCode === 0 || run.exitCode === 3) contents.set(run.reference, await readRun(state, run.json.run))
  }
}, 600_000)
afterAll(() => rmSync(state, { recursive: true, force: true }))

const runOf = (reference: string): ExampleRun => {
  const run = runs.get(reference)
  if (run === undefined) throw new Error(`${reference} was not run`)
  return run
}
const contentOf = (reference: string): RunContent => {
  const content = contents.get(reference)
  if (content === undefined) throw new Error(`${reference} was not done: ${runOf(reference).stderr}`)
  return content
}
const number = (run: ExampleRun, field: string): number => Number(run.json[field])
const dispositions = ["delivered", "dead", "review", "held", "skipped"]

describe("the repo", () => {
  it("[CRD-8] has its jobs, examples, DSL, runtime and tests at the top", () => {
    const top = readdirSync(repo)
    for (const name of ["dsl", "runtime", "jobs", "examples", "test", "package.json", "tsconfig.json", "README.md"])
      expect(top).toContain(name)
  })

  it.each(modules)("[CRD-1] %s exports jobs, and its comments say how to run each", async (module) => {
    const jobs = await jobsOf(module)
    expect(jobs.size).toBeGreaterThan(0)
    expect(
      commandsOf(module)
        .map(({ reference }) => reference)
        .toSorted()
    ).toEqual([...jobs.keys()].toSorted())
  })

  it("gives each job a name of its own", async () => {
    const names = (await Promise.all(modules.map(jobsOf))).flatMap((jobs) => [...jobs.values()].map(({ name }) => name))
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted())
  })
})

describe.each(commands)("$reference", ({ reference }) => {
  it("ends done, with exit code 3 if something waits for a person and 0 otherwise", () => {
    const { exitCode, json, stderr } = runOf(reference)
    expect(json, stderr).toMatchObject({ status: "done", trial: false, spentUsd: 0 })
    expect(exitCode).toBe(number(runOf(reference), "dead") + number(runOf(reference), "review") > 0 ? 3 : 0)
  })

  it("[VAL-1] rows read = manifest + rejected, and manifest = delivered + dead + review + held + skipped", () => {
    const run = runOf(reference)
    expect(number(run, "manifest")).toBeGreaterThan(0)
    expect(number(run, "rowsRead")).toBe(number(run, "manifest") + number(run, "rejected"))
    expect(number(run, "manifest")).toBe(dispositions.reduce((sum, disposition) => sum + number(run, disposition), 0))
  })

  it("[CRD-2] froze a plan with a digest, which is data alone and names no folder of this machine", () => {
    const { plan } = contentOf(reference)
    expect(plan.digest).toMatch(/^[0-9a-f]{32}$/)
    expect(JSON.parse(canonicalJson(plan))).toEqual(plan)
    expect(canonicalJson(plan)).not.toContain(repo)
  })

  // A change here is a change of the job: a run begun under the old plan won't resume without asking. `vitest -u` accepts it.
  it("[CRD-2] comes to the golden plan, counts and reports", async () => {
    const { args, exitCode, json } = runOf(reference)
    const { plan, reports } = contentOf(reference)
    const counts = Object.fromEntries(["rowsRead", "rejected", "manifest", ...dispositions, "flagged"].map((name) => [name, json[name]]))
    const golden = { command: [reference, ...args].join(" "), ...(reference === mailExample ? {} : { exitCode, counts, reports }), plan }
    await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(`golden/${plan.job}.json`)
  })
})

it("has no golden file of a job that is gone", async () => {
  const paid = (await Promise.all(modules.filter(isPaid).map(jobsOf))).flatMap((jobs) => [...jobs.values()].map(({ name }) => name))
  const jobs = new Set([...[...contents.values()].map(({ plan }) => plan.job), ...paid].map((job) => `${job}.json`))
  const golden = join(import.meta.dirname, "golden")
  expect((existsSync(golden) ? readdirSync(golden) : []).filter((file) => !jobs.has(file))).toEqual([])
})

describe("runtime sql", () => {
  it("[VAL-1] counts for every run what `run --json` said, over the checkpoints and over the runs", async () => {
    // An item with several ends counts once, as its worst.
    const counted = await runtimeSql(
      `with ends as (
        select run, seq, min(list_position(['dead', 'review', 'held', 'skipped', 'delivered'], disposition)) as worst
        from checkpoints where disposition is not null group by all
      ), counted as (
        select run, count(*) filter (worst = 1) as dead, count(*) filter (worst = 2) as review, count(*) filter (worst = 3) as held,
          count(*) filter (worst = 4) as skipped, count(*) filter (worst = 5) as delivered
        from ends group by all
      ) select * from counted`,
      state
    )
    const fields = ["delivered", "dead", "review", "held", "skipped"].join(", ")
    const closed = await runtimeSql(`select run, manifest, rejected, ${fields} from runs`, state)
    expect(counted).toHaveLength(commands.length)
    for (const { json } of runs.values()) {
      const { run, manifest, rejected, delivered, dead, review, held, skipped } = json
      const said = { run, delivered, dead, review, held, skipped }
      expect(counted.find((row) => row["run"] === run)).toEqual(said)
      expect(closed.find((row) => row["run"] === run)).toEqual({ ...said, manifest, rejected })
    }
  })

  it("[EXE-10] shows of a cascade one step a model, the second with just what the first left to it", async () => {
    const steps = await runtimeSql(
      "select step, status, count(*) as items from checkpoints where job = 'cascade' and step like 'categories_%' group by all order by all",
      state
    )
    expect(steps).toEqual([
      { step: "categories_1_merchants", status: "answered", items: 8 },
      { step: "categories_1_merchants", status: "deferred", items: 8 },
      { step: "categories_2_vocabulary", status: "answered", items: 8 }
    ])
    const calls = await runtimeSql("select model, count(*) as calls from attempts where job = 'cascade' group by all order by all", state)
    expect(calls).toEqual([
      { model: "merchants", calls: 16 },
      { model: "vocabulary", calls: 8 }
    ])
  })

  it("[PAR-2] shows that the items of a label went to its own model, with its own prompt", async () => {
    const calls = await runtimeSql(
      "select model, prompt_version, count(*) as items from attempts where job = 'by-type' group by all order by model",
      state
    )
    const [notice, opening, total] = calls
    expect(calls.map(({ model, items }) => [model, items])).toEqual([
      ["notice", 3],
      ["opening", 4],
      ["total", 5]
    ])
    expect(total?.["prompt_version"]).toBe(opening?.["prompt_version"])
    expect(notice?.["prompt_version"]).not.toBe(opening?.["prompt_version"])
    const tiers = await runtimeSql(
      "select label, sum(items)::int as items from partitions where job = 'by-size' group by all order by all",
      state
    )
    expect(tiers).toEqual([
      { label: "long", items: 3 },
      { label: "short", items: 9 }
    ])
  })
})

describe("the mail example", () => {
  type Outcomes = Readonly<Partial<Record<Outcome, number>>>
  interface Values {
    readonly allAnswers: { readonly outcomes: Outcomes; readonly byModel: Readonly<Record<string, number>> }
    readonly trustedAnswers: { readonly outcomes: Outcomes; readonly byTopic: Readonly<Record<string, number>> }
    readonly lostMail: ReadonlyArray<{ readonly subject: string; readonly confidence: number }>
  }
  // What the job's aggregates are, by its own types.
  const values = () => contentOf(mailExample).summaries as unknown as Values

  it("reads 6,046 mails, gives up on the 11 without text and leaves between 1 and 10 % to a person", () => {
    const { json } = runOf(mailExample)
    expect(json).toMatchObject({ rowsRead: 6_046, rejected: 0, manifest: 6_046, dead: 11, held: 0, skipped: 0 })
    expect(number(runOf(mailExample), "review") / 6_046).toBeGreaterThan(0.01)
    expect(number(runOf(mailExample), "review") / 6_046).toBeLessThan(0.1)
    expect(number(runOf(mailExample), "flagged")).toBeGreaterThan(0)
  })

  it("is right in 97 of 100 answers to mails that it didn't learn from, and in 98.5 of those that no person sees", () => {
    const all = measure(values().allAnswers.outcomes)
    const trusted = measure(values().trustedAnswers.outcomes)
    expect(all.judged).toBe(4_237)
    expect(all.accuracy).toBeGreaterThan(0.97)
    expect(trusted.accuracy).toBeGreaterThan(0.985)
    for (const share of [all.spam.precision, all.spam.recall, all.ham.precision, all.ham.recall]) expect(share).toBeGreaterThan(0.95)
  })

  it("shows accuracy, precision and recall a topic as a table in its report", () => {
    expect(contentOf(mailExample).reports["morning"]).toMatch(
      /accuracy \d\d\.\d %\.\n\n\| topic \| precision \| recall \|\n.*\n\| spam \| \d/
    )
  })

  it("[EXE-10] asked the second model only for what the first wasn't sure of", async () => {
    const steps = await runtimeSql(
      "select step, status, count(*) as items from checkpoints where job = 'mail-triage' and step like 'triage_%' group by all order by all",
      state
    )
    const { envelope, content } = values().allAnswers.byModel
    expect(steps).toEqual([
      { step: "triage_1_envelope", status: "answered", items: envelope },
      { step: "triage_1_envelope", status: "deferred", items: content },
      { step: "triage_2_content", status: "answered", items: content }
    ])
    expect(envelope).toBeGreaterThan(content ?? Number.POSITIVE_INFINITY)
  })

  it("[VAL-6] reports what SQL counts over its released outputs", async () => {
    const topics = await runtimeSql("select topic, count(*) as mails from outputs_mail_triage_trusted group by all order by all", state)
    const { byTopic } = values().trustedAnswers
    expect(topics).toEqual([
      { topic: "ham", mails: byTopic["ham"] },
      { topic: "spam", mails: byTopic["spam"] }
    ])
    expect(contentOf(mailExample).reports["morning"]).toContain(`${byTopic["spam"]} spam and ${byTopic["ham"]} ham`)
    const [surest] = await runtimeSql("select max(confidence) as confidence from outputs_mail_triage_trusted where topic = 'spam'", state)
    expect(values().lostMail).toHaveLength(5)
    expect(values().lostMail[0]?.confidence).toBeLessThanOrEqual(Number(surest?.["confidence"]))
  })
})
