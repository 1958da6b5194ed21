import { join } from "node:path"

import { afterAll, describe, expect, it } from "vitest"

import { lastJson, openFiles, runFiles, runRuntime, tempFolder, type Ended, type Row } from "../support/run-command.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

interface JobText {
  /** The body of the module between the imports and the job. */
  readonly steps: string
  readonly names: string
  readonly more?: string
}

const jobText = ({ steps, names, more = "" }: JobText): string => `
import { Effect, Layer, Schema } from "effect"
import { aggregate, count, csv, deadLetter, files, infer, job, jsonl, local, mean, openai, partition, report, review, stream, usd, user, validate, when } from "nightshift"
const Item = Schema.Struct({ id: Schema.NonEmptyString, text: Schema.String })
const model = local("length", ({ data }) => ({ length: String(data[0]).length, score: 0.5 }), { version: "1" })
const Length = Schema.Struct({ length: Schema.Int, score: Schema.Finite })
const prompt = (item) => [user\`\${item.text}\`]
${steps}
export default job("bad-input", { owner: "test", purpose: "Be wrong", classification: "public", budget: usd(1), steps: { ${names} } ${more} })
`

/** An honest job over whatever `source` is. */
const over = (source: string): string =>
  jobText({
    steps: `
const items = ${source}
const lengths = infer(partition(items), { model, prompt, output: Length, confidence: (output) => output.score })
const total = aggregate(lengths, { total: count, score: mean(({ output }) => output.score) })
const said = report(total, (values) => \`\${values.total} items, score \${values.score ?? "none"}\`)`,
    names: "items, lengths, total, said"
  })

let cases = 0
/** A job module in a folder of its own, and a way to type commands there. */
const jobOf = (text: string, files: Readonly<Record<string, string | Uint8Array>> = {}) => {
  const home = `case-${++cases}`
  folder.write(`${home}/job.ts`, text)
  for (const [name, content] of Object.entries(files)) folder.write(`${home}/${name}`, content)
  const cwd = join(folder.path, home)
  const type = (...args: ReadonlyArray<string>): Promise<Ended> => runRuntime([...args, "--state", "state"], { cwd })
  return { cwd, state: join(cwd, "state"), type, run: () => type("run", "job.ts", "--json") }
}

/** No stack trace, and nothing blamed on nightshift. */
const expectCalm = ({ stdout, stderr }: Ended): void => {
  expect(`${stdout}\n${stderr}`).not.toMatch(/^\s+at [^[]|\\n\s+at |defect/m)
}

const expectDone = (ended: Ended, code: number, totals: Row): Row => {
  expectCalm(ended)
  const json = lastJson(ended)
  expect({ code: ended.code, ...json }, ended.stderr).toMatchObject({ code, status: "done", ...totals })
  const [rowsRead, rejected, manifest] = ["rowsRead", "rejected", "manifest"].map((name) => Number(json[name]))
  expect(rowsRead).toBe(Number(rejected) + Number(manifest))
  const ends = ["delivered", "dead", "review", "held", "skipped"].map((name) => Number(json[name]))
  expect(ends.reduce((sum, count) => sum + count, 0)).toBe(manifest)
  return json
}

const expectRefused = (ended: Ended, code: number, ...says: ReadonlyArray<string | RegExp>): void => {
  expectCalm(ended)
  expect(ended.code, ended.stderr).toBe(code)
  for (const said of says) expect(ended.stderr).toMatch(said)
  expect(lastJson(ended)).toEqual({ error: expect.objectContaining({ tag: expect.any(String), message: expect.any(String) }) })
}

/** Why each rejected row was set aside, as `file:line code`. */
const rejectedOf = async (state: string, run: unknown): Promise<ReadonlyArray<Row>> => {
  using files = await openFiles(runFiles(state, String(run)))
  return await files.rows(
    "select file || coalesce(':' || line, '') as at, code, reason from payload.rejected_rows join state.rejections using (rejection) order by line"
  )
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`
const good = (id: string): string => line({ id, text: `The text of ${id}` })

describe("rows that can't be items", { timeout: 60_000 }, () => {
  it("[PAR-1] [case 2] [case 29] of JSON Lines: each is named with file and line, and the others go on", async () => {
    const bytes = Buffer.concat([
      Buffer.from(`\ufeff${good("first")}`),
      Buffer.from(good("k1") + good("k1")),
      Buffer.from('{ "id": "broken", \n'),
      Buffer.from('{ "id": "nan", "text": NaN }\n'),
      Buffer.from('{ "id": "latin", "text": "caf\xe9" }\n', "latin1"),
      Buffer.from(line({ id: "separators", text: "one\u2028two\u2029three" }).replaceAll("\\u2028", "\u2028")),
      Buffer.from(line({ id: "mail", text: "a line of a mail\n".repeat(18_000) })),
      Buffer.from("\n[]\n"),
      Buffer.from(line({ id: "", text: "no key" })),
      Buffer.from(line({ id: 7 })),
      Buffer.from('{ "id": "last", "text": "no line ending" }')
    ])
    const job = jobOf(over('jsonl("rows.jsonl", { schema: Item, key: (item) => item.id })'), { "rows.jsonl": bytes })
    const { run } = expectDone(await job.run(), 0, { rowsRead: 12, rejected: 7, manifest: 5, delivered: 5 })
    const rows = await rejectedOf(job.state, run)
    expect(rows.map((row) => `${String(row["at"])} ${String(row["code"])}`)).toEqual([
      "rows.jsonl:3 duplicate",
      "rows.jsonl:4 unreadable",
      "rows.jsonl:5 unreadable",
      "rows.jsonl:6 encoding",
      "rows.jsonl:10 schema",
      "rows.jsonl:11 schema",
      "rows.jsonl:12 schema"
    ])
    expect(rows[0]?.["reason"]).toContain("rows.jsonl:2")
    const told = await job.type("report", String(run), "--json")
    expect(JSON.parse(told.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      rejected: expect.arrayContaining([expect.objectContaining({ code: "encoding", rows: 1 })])
    })
    using files = await openFiles(runFiles(job.state, String(run)))
    const kept = await files.rows(
      "select item_key, body->>'$.text' as text, (output->>'$.length')::integer as length from payload.items join payload.answers using (seq)"
    )
    const textOf = (key: string) => kept.find((row) => row["item_key"] === key)
    expect(textOf("separators")).toEqual({ item_key: "separators", text: "one\u2028two\u2029three", length: 13 })
    expect(textOf("mail")).toMatchObject({ length: 17 * 18_000 })
  })

  it("[case 32] [case 33] of CSV: a BOM is no part of the first column, NaN is null with a warning, a row of another width is set aside", async () => {
    const text = "\ufeffid,text\r\na,one\r\nb,NaN\r\nc,three,too many\r\na,again\r\n"
    const schema = "Schema.Struct({ id: Schema.NonEmptyString, text: Schema.NullOr(Schema.String) })"
    const job = jobOf(over(`csv("rows.csv", { schema: ${schema}, key: (item) => item.id })`), { "rows.csv": text })
    const ended = await job.run()
    const { run } = expectDone(ended, 0, { rowsRead: 4, rejected: 2, manifest: 2, delivered: 2 })
    expect(ended.stderr).toContain("rows.csv:3: the cell NaN in column")
    expect((await rejectedOf(job.state, run)).map((row) => `${String(row["at"])} ${String(row["code"])}`)).toEqual([
      "rows.csv:4 unreadable",
      "rows.csv:5 duplicate"
    ])
  })

  it("of a schema that fits none of them: nothing is delivered, and the text says so", async () => {
    const job = jobOf(
      over('jsonl("rows.jsonl", { schema: Schema.Struct({ name: Schema.String, text: Schema.String }), key: (item) => item.name })'),
      { "rows.jsonl": good("a") + good("b") }
    )
    const ended = await job.type("run", "job.ts")
    expectCalm(ended)
    expect(ended.stdout).toContain("0 items")
    expect(ended.stdout).toContain("2 rows of the input were rejected")
  })

  it.each(["by", "weight"])("that key or %s throws on: set aside with what it threw", async (option) => {
    const steps = `
const on = (id, value) => (item) => { if (item.id === id) throw new Error("can't take " + id); return value(item) }
const items = jsonl("rows.jsonl", { schema: Item, key: on("key", (item) => item.id) })
const parts = partition(items, { ${option}: on("part", (item) => ${option === "by" ? "item.id" : "item.id.length"}) })
const lengths = infer(parts, { model, prompt, output: Length })`
    const job = jobOf(jobText({ steps, names: "items, parts, lengths" }), { "rows.jsonl": good("key") + good("part") + good("fine") })
    const { run } = expectDone(await job.run(), 0, { rowsRead: 3, rejected: 2, manifest: 1, delivered: 1 })
    const rows = await rejectedOf(job.state, run)
    expect(rows.map((row) => `${String(row["at"])} ${String(row["code"])}`)).toEqual(["rows.jsonl:1 key", "rows.jsonl:2 partition"])
    for (const row of rows) expect(row["reason"]).toContain("can't take")
  })

  it("[PAR-4] as files: one that parse refuses and one that isn't text are set aside by name, a mail of 300 kB goes through", async () => {
    const source = `files("mails/*.txt", { schema: Item, parse: (file) => { const text = file.text(); if (text === "") throw new Error("an empty mail"); return { id: file.path, text } } })`
    const job = jobOf(over(source), {
      "mails/a.txt": "short",
      "mails/b.txt": "",
      "mails/c.txt": Buffer.from([0x68, 0xff, 0xfe]),
      "mails/d.txt": "x".repeat(300_000)
    })
    const { run } = expectDone(await job.run(), 0, { rowsRead: 4, rejected: 2, manifest: 2, delivered: 2 })
    const rows = await rejectedOf(job.state, run)
    expect(rows.map((row) => `${String(row["at"])} ${String(row["code"])}`).toSorted()).toEqual([
      "mails/b.txt parse",
      "mails/c.txt encoding"
    ])
  })
})

describe("an input without rows", { timeout: 60_000 }, () => {
  it.each([
    ["an empty file", 'jsonl("rows", { schema: Item, key: (item) => item.id })', ""],
    ["a CSV of a header alone", 'csv("rows", { schema: Item, key: (item) => item.id })', "id,text\n"]
  ])("[case 19] %s: a run of zero items is done, and its report says 0 and never NaN", async (_, source, content) => {
    const job = jobOf(over(source), { rows: content })
    const { run } = expectDone(await job.run(), 0, { rowsRead: 0, manifest: 0, delivered: 0 })
    using files = await openFiles(runFiles(job.state, String(run)))
    expect(await files.rows("select report from payload.reports")).toEqual([{ report: "0 items, score none" }])
    const page = await job.type("report", String(run), "--json")
    expect(page.stdout).not.toContain("NaN")
  })

  it("[case 19] a `when` that drops all: every item is skipped, and the run is done", async () => {
    const steps = `
const items = jsonl("rows.jsonl", { schema: Item, key: (item) => item.id })
const lengths = infer(when(partition(items), () => false), { model, prompt, output: Length })
const total = aggregate(lengths, { total: count, score: mean(({ output }) => output.score) })
const said = report(total, (values) => JSON.stringify(values))`
    const job = jobOf(jobText({ steps, names: "items, lengths, total, said" }), { "rows.jsonl": good("a") + good("b") })
    const { run } = expectDone(await job.run(), 0, { manifest: 2, skipped: 2, delivered: 0 })
    using files = await openFiles(runFiles(job.state, String(run)))
    expect(await files.rows("select report from payload.reports")).toEqual([{ report: '{"total":0,"score":null}' }])
  })

  it.each([
    [
      "a file that isn't there",
      'jsonl("absent.jsonl", { schema: Item, key: (item) => item.id })',
      /^absent\.jsonl does not exist \(looked from .*runtime run/
    ],
    [
      "a glob that matches nothing",
      'jsonl("inbox/*.jsonl", { schema: Item, key: (item) => item.id })',
      /^No file matches inbox\/\*\.jsonl/
    ],
    ["a folder instead of files", 'jsonl("folder", { schema: Item, key: (item) => item.id })', /^folder is a directory.*Write a glob/],
    ["a location that throws", 'jsonl(() => { throw new Error("no such day") }, { schema: Item, key: (item) => item.id })', /no such day/],
    ["a stream that fails", 'stream(() => { throw new Error("no such queue") }, { schema: Item, key: (item) => item.id })', /no such queue/]
  ])("%s: says what was looked for and where, before anything is asked", async (_, source, says) => {
    const job = jobOf(over(source), { "folder/a.txt": "" })
    expectRefused(await job.run(), 1, new RegExp(says.source, "m"))
  })
})

describe("callbacks that throw on an item", { timeout: 60_000 }, () => {
  it("[VAL-1] prompt, model, accept, when, rule and confidence: that item becomes a dead letter that says which, the others go on", async () => {
    const steps = `
const on = (id, item) => { if (item.id === id) throw new Error("can't take " + id) }
const items = jsonl("rows.jsonl", { schema: Item, key: (item) => item.id })
const parts = when(partition(items), (item) => { on("when", item); return true })
const cheap = local("cheap", ({ data }) => { if (data[0] === "model") throw new Error("down"); if (data[0] === "text") return "not JSON"; if (data[0] === "shape") return { wrong: 1 }; return { length: 1, score: 0.5 } }, { version: "1" })
const lengths = infer(parts, { model: [cheap, model], accept: ({ item }) => { on("accept", item); return true }, prompt: (item) => { on("prompt", item); return [user\`\${item.id}\`] },
  output: Length, confidence: () => 0.5 })
const sure = infer(lengths, { model, prompt: ({ item }) => [user\`\${item.id}\`], output: Length, confidence: (output) => { if (output.length === "confidence".length) throw new Error("can't take it"); return 1 } })
const checked = validate(sure, { fine: { pass: ({ item }) => { on("rule", item); return true }, orElse: review }, slow: { pass: async ({ item }) => on("promise", item) ?? true, orElse: review } })`
    const ids = ["when", "prompt", "model", "text", "shape", "accept", "confidence", "rule", "promise", "fine"]
    const job = jobOf(jobText({ steps, names: "items, parts, lengths, sure, checked" }), { "rows.jsonl": ids.map(good).join("") })
    const { run } = expectDone(await job.run(), 3, { manifest: ids.length, dead: ids.length - 1, delivered: 1 })
    using files = await openFiles(runFiles(job.state, String(run)))
    const dead = await files.rows(
      "select item_key, step, code, rule from state.dead_letters join payload.items using (seq) order by item_key"
    )
    expect(
      Object.fromEntries(dead.map((row) => [row["item_key"], `${String(row["step"])} ${String(row["code"])} ${String(row["rule"])}`]))
    ).toEqual({
      when: "parts when-failed null",
      prompt: "lengths_1_cheap prompt-failed null",
      model: "lengths_1_cheap model-failed null",
      text: "lengths_1_cheap not-json null",
      shape: "lengths_1_cheap wrong-schema null",
      accept: "lengths_1_cheap accept-failed null",
      confidence: "sure confidence-failed null",
      rule: "checked rule-failed fine",
      promise: "checked rule-failed slow"
    })
    const problems = await files.rows(
      "select item_key, any_value(message) as message from payload.problems join payload.items using (seq) group by all"
    )
    expect(problems).toHaveLength(ids.length - 1)
    for (const row of problems) expect(String(row["message"])).not.toMatch(/\n\s+at [^[]/)
  })
})

describe("callbacks that throw at the end", { timeout: 60_000 }, () => {
  const steps = (reducer: string, text: string): string => `
const items = jsonl("rows.jsonl", { schema: Item, key: (item) => item.id })
const lengths = infer(partition(items), { model, prompt, output: Length })
const total = aggregate(lengths, { total: count, score: mean(${reducer}) })
const said = report(total, ${text})`
  const names = "items, lengths, total, said"
  const throws = '() => { throw new Error("can\'t count") }'

  it.each([
    ["a reducer", steps(throws, '() => "fine"'), "total"],
    ["a report", steps("({ output }) => output.score", throws), "said"],
    ["a report that is async", steps("({ output }) => output.score", `async ${throws}`), "said"],
    [
      "a query",
      steps("({ output }) => output.score", '() => "fine"').replace(/aggregate\(lengths, .*\)$/m, `aggregate(lengths, ${throws})`),
      "total"
    ]
  ])(
    "[VAL-6] %s: the step is named, every answer is safe, and once mended a resume goes on there without a call",
    async (_, text, step) => {
      const job = jobOf(jobText({ steps: text, names }), { "rows.jsonl": good("a") + good("b") })
      const failed = await job.run()
      expectRefused(failed, 1, `Step "${step}" of run`, "can't count", "--accept-plan")
      const run = /run (bad-input-[a-z0-9-]+)/.exec(failed.stderr)?.[1] ?? ""
      folder.write(
        `${job.cwd.slice(folder.path.length + 1)}/job.ts`,
        jobText({ steps: steps("({ output }) => output.score", '() => "fine"'), names })
      )
      expectDone(await job.type("resume", run, "--accept-plan", "--json"), 0, { manifest: 2, delivered: 2 })
      using files = await openFiles(runFiles(job.state, run))
      expect(await files.rows("select count(*) as calls, max(session) as session from state.attempts")).toEqual([{ calls: 2, session: 1 }])
    }
  )
})

describe("a module that gives no job", { timeout: 60_000 }, () => {
  const whole = over('jsonl("rows.jsonl", { schema: Item, key: (item) => item.id })')

  it.each<readonly [what: string, text: string, says: ReadonlyArray<string | RegExp>]>([
    ["that has a syntax error", whole.replace("const model", "const const model"), [/job\.ts/, /doesn't load/]],
    ["that throws while it loads", whole.replace("const model", 'JSON.parse("{")\nconst model'), [/job\.ts:5/]],
    ["that imports what isn't there", `import { x } from "./absent.ts"\n${whole}`, [/absent\.ts/]],
    ["that exports no job", "export const x = 1\n", [/exports no job/, /export default job/]],
    ["whose default is no job", "export default { kind: 'job' }\n", [/no job/, /export default job/]],
    [
      "that exports several",
      `${whole.replaceAll("export default job(", "export const one = job(")}\nexport const two = one === null ? one : job("other", { ...one.options, steps: one.steps })\n`,
      [/exports 2 jobs/, /job\.ts#one/]
    ]
  ])("%s: says so, and where or what to write", async (_, text, says) => {
    const job = jobOf(text, { "rows.jsonl": good("a") })
    expectRefused(await job.run(), 2, /^job\.ts gives no job: /, ...says)
  })

  it("named by a path that isn't there, or an export that isn't: says what is", async () => {
    const job = jobOf(whole, { "rows.jsonl": good("a") })
    expectRefused(await job.type("run", "jobs.ts", "--json"), 2, /jobs\.ts gives no job: there is no such file in /)
    expectRefused(await job.type("run", "job.ts#other", "--json"), 2, /its export "other" is no job\. It exports default/)
  })
})

describe("a job that can't be run here", { timeout: 60_000 }, () => {
  const steps = (model: string): string => `
const items = jsonl("rows.jsonl", { schema: Item, key: (item) => item.id })
const lengths = infer(partition(items), { model: ${model}, prompt, output: Length, maxTokens: 10 })`

  it("[SEC-1] because a key is missing: names account, model and what to type, writes no run, and `plan` still works", async () => {
    const job = jobOf(jobText({ steps: steps('openai("gpt-5-mini", { account: "desk" })'), names: "items, lengths" }), {
      "rows.jsonl": good("a")
    })
    expectRefused(await job.run(), 1, /Nothing was run or paid for/, /gpt-5-mini/, /export DESK_API_KEY=/)
    expect((await job.type("runs", "--json")).stdout.trim()).toBe("[]")
    expect((await job.type("plan", "job.ts", "--json")).code).toBe(0)
  })

  it("because it doesn't compile: lists every fault with its remedy", async () => {
    const job = jobOf(jobText({ steps: steps('local("", () => 1)'), names: "items, lengths", more: ', owner: "", consumers: [""]' }), {
      "rows.jsonl": good("a")
    })
    const ended = await job.run()
    expectRefused(ended, 1, /does not compile/, /→ /)
  })

  it("because its services can't be made: says why", async () => {
    const job = jobOf(
      jobText({
        steps: steps("model"),
        names: "items, lengths",
        more: ', services: Layer.effectDiscard(Effect.fail(new Error("no such directory service")))'
      }),
      { "rows.jsonl": good("a") }
    )
    expectRefused(await job.run(), 1, /services of job "bad-input" could not be made: no such directory service/)
  })

  it("because a run of that name isn't there, or is done: says so", async () => {
    const job = jobOf(over('jsonl("rows.jsonl", { schema: Item, key: (item) => item.id })'), { "rows.jsonl": good("a") })
    const { run } = expectDone(await job.run(), 0, { delivered: 1 })
    expectRefused(await job.type("resume", "no-such-run", "--json"), 2, /There is no run "no-such-run"/, /runtime runs/)
    expectRefused(await job.type("resume", String(run), "--json"), 2, /is done, and a closed run never changes/)
    expectRefused(await job.type("cancel", String(run), "--json"), 2, /isn't running/)
  })
})
