import { existsSync } from "node:fs"
import { join } from "node:path"

import { afterAll, describe, expect, it } from "vitest"

import { digest } from "../../../dsl/index.ts"
import { lastJson, runRuntime, tempFolder } from "../../support/run-command.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const plan = (...args: ReadonlyArray<string>) => runRuntime(["plan", ...args], { cwd: folder.path })

const head = `
import * as Schema from "effect/Schema"
import { aggregate, count, cron, deadLetter, infer, job, jsonl, local, openai, partition, report, review, stream, usd, user, validate } from "nightshift"
const Ticket = Schema.Struct({ id: Schema.String, country: Schema.String })
const Topic = Schema.Struct({ topic: Schema.String })
const about = { owner: "service-desk", purpose: "Route tickets", classification: "internal", consumers: ["ticketing"], budget: usd(40) } as const
const tickets = jsonl(({ date }) => \`inbox/\${date}/*.jsonl\`, { schema: Ticket, key: ({ id }) => id })
const byCountry = partition(tickets, { by: ({ country }) => country, itemsMax: 2 })
const ask = { prompt: ({ id }: { id: string }) => [user\`\${id}\`] as const, output: Topic }
const triage = infer(byCountry, { ...ask, model: local("words", () => ({ topic: "a" }), { itemsPerMinute: 60 }) })
const trusted = validate(triage, { known: { pass: () => true, orElse: review } })
`
folder.write(
  "jobs/nightly.ts",
  `${head}
export default job("nightly", { ...about, schedule: cron("0 1 * * *", { timeZone: "Australia/Sydney", within: "1 minute" }), steps: { tickets, byCountry, triage, trusted } })`
)
const rows = ["a AU", "b AU", "c AU", "d NZ"].map((row) => JSON.stringify({ id: row[0], country: row.slice(2) }))
folder.write("inbox/2026-11-20/tickets.jsonl", `${[...rows, rows[0], "not json"].join("\n")}\n`)

describe("runtime plan", () => {
  it("[CRD-2] [EXE-1] [PAR-3] says what a run would be: steps, items, rejected rows, partitions, workers, disk, price, fire times", async () => {
    const { code, stdout, stderr } = await plan("jobs/nightly.ts", "--date", "2026-11-20", "--mermaid")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const lines = stdout.split("\n").map((line) => line.trim())
    for (const line of [
      "owner           service-desk",
      "consumers       ticketing",
      "budget          $40.00 a run",
      "deadline        1 min 00 s after each fire time",
      "items           4",
      "rejected rows   2 (1 duplicate, 1 unreadable)",
      "inbox/2026-11-20/tickets.jsonl:5: the key is the same as that of inbox/2026-11-20/tickets.jsonl:1, which is kept",
      // 4 items in 60 s at one a second, × 1.25.
      "workers         at least 1 to meet the deadline; a run starts with 1, and gets more where it lags behind; 60 items a minute for each, as the model declares",
      "duration        about 4.0 s with 1 worker",
      "price           $0.00: every model is embedded",
      "│ AU    │ 3     │ 2          │",
      "│ NZ    │ 1     │ 1          │",
      "Next fire times of 0 1 * * *",
      "flowchart TD"
    ])
      expect(lines).toContain(line)
    expect(stdout).toMatch(/partitions {6}[23], by a field; the largest has \d\.\d\d × the mean items and \d\.\d\d × the mean weight/)
    expect(stdout).toMatch(/01:00 \+1[01]:00 │ \d{4}-\d\d-\d\d 1[45]:00/)
  })

  it("[OPS-7] with --json its one line has the canonical plan, whose digest can be worked out again, and the figures beside it", async () => {
    const ended = await plan("jobs/nightly.ts", "--date", "2026-11-20", "--json")
    expect(ended.stdout.trimEnd().split("\n")).toHaveLength(1)
    const { plan: planned, ...figures } = lastJson(ended) as {
      plan: { digest: string; steps: ReadonlyArray<{ name: string }> } & Record<string, unknown>
    }
    const { digest: ownDigest, ...rest } = planned
    expect(digest({ ...rest, steps: planned.steps.toSorted((a, b) => (a.name < b.name ? -1 : 1)) })).toBe(ownDigest)
    expect(figures).toMatchObject({
      date: "2026-11-20",
      module: join(folder.path, "jobs/nightly.ts"),
      input: { precision: "exact", items: 4, rejected: 2, rowsRead: 6 },
      partitions: {
        strategy: "by",
        labels: [
          { label: "AU", items: 3, partitions: 2 },
          { label: "NZ", items: 1, partitions: 1 }
        ]
      },
      throughput: { itemsPerMinute: 60, source: "declared" },
      workers: { minimum: 1, start: 1 },
      seconds: 4,
      priceUsd: 0,
      nextFires: [{ utc: expect.stringMatching(/Z$/) }, {}, {}],
      warnings: []
    })
  })

  it("a plan leaves no trace: no state folder, no file", async () => {
    await plan("jobs/nightly.ts", "--date", "2026-11-20")
    expect(existsSync(join(folder.path, ".nightshift"))).toBe(false)
  })

  it("[case 63] an input that isn't there yet is a warning, and the plan is made", async () => {
    const { code, stdout } = await plan("jobs/nightly.ts", "--date", "2026-11-21")
    expect(code).toBe(0)
    expect(stdout).toContain("items           unknown: see the warning below")
    expect(stdout).toContain("Warning: No file matches inbox/2026-11-21/*.jsonl")
  })

  it("a stream isn't read, and a model without a price has none", async () => {
    folder.write(
      "jobs/stream.ts",
      `${head}
import * as Stream from "effect/Stream"
const fed = partition(stream(() => Stream.sync(() => { throw new Error("read") }), { schema: Ticket, key: ({ id }) => id }))
const far = infer(fed, { ...ask, model: openai("dear", { account: "main" }), maxTokens: 9 })
export default job("fed", { ...about, steps: { fed, far } })`
    )
    const ended = await plan("jobs/stream.ts", "--json")
    expect(lastJson(ended)).toMatchObject({
      input: null,
      partitions: null,
      diskBytes: null,
      priceUsd: null,
      unread: "a stream is read when it runs",
      nextFires: []
    })
  })

  it("[CRD-2] a job with faults says all of them at once, each with its step and remedy, and exits 1", async () => {
    folder.write(
      "jobs/faulty.ts",
      `${head}
const twice = infer(byCountry, { ...ask, model: openai("dear", { account: "main" }), temperature: 3 })
export default job("Faulty!", { ...about, schedule: cron("0 25 * * *", { timeZone: "Sydney", within: "1 hour" }), steps: { byCountry, twice } })`
    )
    const ended = await plan("jobs/faulty.ts", "--json")
    expect(ended.code).toBe(1)
    const { faults } = (lastJson(ended) as { error: { faults: ReadonlyArray<{ step: string; problem: string; remedy: string }> } }).error
    expect(faults.map(({ step }) => step)).toEqual(["job", "twice", "twice", "job", "job"])
    for (const { problem, remedy } of faults) {
      expect(ended.stderr).toContain(problem)
      expect(ended.stderr).toContain(remedy)
    }
  })

  it("a date that does not exist is misuse, a parameter that nobody asked for a warning", async () => {
    const wrongDate = await plan("jobs/nightly.ts", "--date", "2026-02-30")
    expect(wrongDate).toMatchObject({ code: 2, stderr: expect.stringContaining("2026-02-30") })
    const wrongParam = await plan("jobs/nightly.ts", "--date", "2026-11-20", "--param", "size=3")
    expect(wrongParam.stdout).toContain('Warning: Job "nightly" takes no parameters')
  })
})
