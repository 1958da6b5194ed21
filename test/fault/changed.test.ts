import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, describe, expect, it } from "vitest"

import { makeHome, type FaultHome } from "../support/fault-home.ts"
import { lastJson, onlyRun, openFiles, runFiles, tempFolder, until } from "../support/run-command.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const items = 300

interface JobText {
  readonly comment?: string
  readonly prompt?: string
  readonly output?: string
  readonly answer?: string
}

/** A job module as an author's editor would change it. */
const jobText = ({
  comment = "",
  prompt = "How long is it?",
  output = "label: Schema.String",
  answer = "label: `${String(data[0]).length}`"
}: JobText): string => `
import { appendFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { Schema } from "effect"
import { aggregate, count, infer, job, jsonl, local, partition, system, usd, user } from "nightshift"
${comment}
const items = jsonl(process.env.FAULT_INPUT, { schema: Schema.Struct({ id: Schema.String, text: Schema.String }), key: (item) => item.id })
let calls = 0
const ask = (data) => ({ ${answer} })
const model = local("counter", async ({ data }) => {
  appendFileSync(process.env.FAULT_LOG, "call 1\\n")
  await sleep(Number(process.env.FAULT_LATENCY ?? 1) * (calls++ % 5))
  return ask(data)
}, { version: "1" })
const labels = infer(partition(items), { model, output: Schema.Struct({ ${output} }), prompt: (item) => [system\`${prompt}\`, user\`\${item.text}\`] })
const second = infer(labels, { model, output: Schema.Struct({ label: Schema.String }), prompt: ({ output }) => [user\`\${output.label}\`] })
const total = aggregate(second, { total: count })
export default job("changing", { owner: "test", purpose: "Change", classification: "public", budget: usd(1), steps: { items, labels, second, total } })
`

const textOf = (n: number): string => "x".repeat(n % 40)
const inputText = (text: (n: number) => string, count = items): string =>
  Array.from({ length: count }, (_, n) => `${JSON.stringify({ id: `item-${n}`, text: text(n) })}\n`).join("")

interface Killed {
  readonly home: FaultHome
  readonly run: string
  readonly input: string
  readonly write: (text: JobText) => void
}

/** A run of such a job, killed after so many calls. */
const killed = async (name: string, calls: number, input: string): Promise<Killed> => {
  const file = folder.write(`${name}/items.jsonl`, input)
  const home = makeHome(join(folder.path, name), { input: file })
  const job = join(home.path, "job.ts")
  const write = (text: JobText): void => writeFileSync(job, jobText(text))
  write({})
  const command = home.start(["run", job, "--date", "2026-03-01"], { FAULT_LATENCY: "100" })
  await until(() => home.noted("call").length >= calls)
  command.kill("SIGKILL")
  await command.ended
  return { home, run: onlyRun(home.state), input: file, write }
}

const answersOf = async (home: FaultHome, run: string) => {
  using files = await openFiles(runFiles(home.state, run))
  return await files.rows("select item_key, output from payload.answers join payload.items using (seq) where step = 'labels' order by all")
}

describe("a job that changed between kill and resume", { timeout: 120_000 }, () => {
  it("[GOV-1] [CRD-2] another prompt: waits at a gate that says what changed, nothing is asked; approved, new rows carry the new versions", async () => {
    const { home, run, write } = await killed("prompt", 150, inputText(textOf))
    const calls = home.noted("call").length
    write({ prompt: "How many characters has it?" })
    const waits = await home.start(["resume", run]).ended
    expect(waits.code, waits.stderr).toBe(4)
    expect(lastJson(waits)).toMatchObject({ run, status: "waiting", gate: `${run}.1` })
    const [listed] = JSON.parse((await home.start(["gates"]).ended).stdout)
    expect(listed).toMatchObject({
      kind: "plan-changed",
      decision: null,
      detail: { changes: [{ step: "labels", what: ["prompt"] }], items }
    })
    expect(home.noted("call")).toHaveLength(calls)
    const ended = await home.start(["approve", `${run}.1`]).ended
    expect(ended.stderr).toContain(`Run ${run} goes on under another plan`)
    expect(ended.code, ended.stderr).toBe(0)
    using files = await openFiles(runFiles(home.state, run))
    const versions =
      await files.rows(`select session, count(distinct prompt_version) as prompts, any_value(prompt_version) as prompt, any_value(plan_digest) as plan
      from state.attempts join state.variants using (variant) join state.sessions using (session) where step = 'labels' group by session order by session`)
    expect(versions).toMatchObject([{ session: 1, prompts: 1 }, { prompts: 1 }])
    expect(versions[1]?.["prompt"]).not.toBe(versions[0]?.["prompt"])
    expect(versions[1]?.["plan"]).not.toBe(versions[0]?.["plan"])
    expect(await files.rows("select count(*) as rows, count(distinct seq) as items from state.checkpoints")).toEqual([
      { rows: 2 * items, items }
    ])
  })

  it("[CRD-2] another prompt, not wanted: restored, the job goes on as if nothing had been; rejected, the rest is held back under the old plan", async () => {
    const { home, run, write } = await killed("unwanted", 150, inputText(textOf))
    write({ prompt: "How many characters has it?" })
    expect((await home.start(["resume", run]).ended).code).toBe(4)
    const before = home.noted("call").length
    const rejected = await home.start(["reject", `${run}.1`]).ended
    expect(rejected.code, rejected.stderr).toBe(3)
    expect(home.noted("call")).toHaveLength(before)
    const { delivered, held } = lastJson(rejected) as { delivered: number; held: number }
    expect(delivered + held).toBe(items)
    expect(held).toBeGreaterThan(0)
    using files = await openFiles(runFiles(home.state, run))
    expect(await files.rows("select count(distinct plan_digest) as plans from state.sessions")).toEqual([{ plans: 1 }])

    const other = await killed("restored", 150, inputText(textOf))
    other.write({ prompt: "How many characters has it?" })
    expect((await other.home.start(["resume", other.run]).ended).code).toBe(4)
    other.write({})
    const restored = await other.home.start(["resume", other.run]).ended
    expect(restored.code, restored.stderr).toBe(0)
    const gates = JSON.parse((await other.home.start(["gates"]).ended).stdout)
    expect(gates).toMatchObject([{ kind: "plan-changed", decision: "withdrawn" }])
  })

  it("[GOV-1] code that the plan doesn't see: goes on without asking, and each row says which code made it", async () => {
    const { home, run, write } = await killed("code", 150, inputText(textOf))
    write({ comment: "// Reviewed on a Monday." })
    const ended = await home.start(["resume", run]).ended
    expect(ended.code, ended.stderr).toBe(0)
    using files = await openFiles(runFiles(home.state, run))
    const said = await files.rows("select session, code_version from state.sessions order by session")
    expect(new Set(said.map((row) => row["code_version"])).size).toBe(2)
    const used = await files.rows(
      "select distinct session, code_version from state.attempts join state.variants using (variant) order by session"
    )
    expect(used).toEqual(said)
    const query = (table: string) =>
      home.start(["sql", `select distinct code_version from ${table} where run = '${run}' order by all`]).ended
    const codes = said
      .map((row) => ({ code_version: row["code_version"] }))
      .toSorted((a, b) => (String(a.code_version) < String(b.code_version) ? -1 : 1))
    for (const table of ["lineage", "outputs", "attempts"]) expect(JSON.parse((await query(table)).stdout)).toEqual(codes)
  })

  it("another output schema, accepted: what the run has no longer fits, and it says so instead of breaking", async () => {
    const { home, run, write } = await killed("schema", 150, inputText(textOf))
    write({ output: "label: Schema.String, words: Schema.Int", answer: "words: 1, label: `${String(data[0]).length}`" })
    const ended = await home.start(["resume", run, "--accept-plan"]).ended
    expect(ended.stderr).not.toMatch(/^\s+at |\\n\s+at |defect/m)
    expect(ended.code, ended.stderr).toBe(1)
    expect(ended.stderr).toMatch(/Step "labels" has another output schema .* item [0-9a-f]{24} .*"words"/)
    write({})
    const restored = await home.start(["resume", run, "--accept-plan"]).ended
    expect(restored.code, restored.stderr).toBe(0)
    expect(lastJson(restored)).toMatchObject({ delivered: items })
  })

  it("a job that no longer loads: says so, and the run stays as it is", async () => {
    const { home, run } = await killed("gone", 100, inputText(textOf))
    const job = join(home.path, "job.ts")
    renameSync(job, `${job}.away`)
    const refused = await home.start(["resume", run]).ended
    expect(refused.code, refused.stderr).toBe(2)
    expect(refused.stderr).toContain("job.ts")
    expect(refused.stderr).not.toMatch(/^\s+at /m)
    renameSync(`${job}.away`, job)
    expect((await home.start(["resume", run]).ended).code).toBe(0)
  })
})

describe("an input that changed after the manifest was sealed", { timeout: 120_000 }, () => {
  it.each([
    ["is gone", (file: string) => renameSync(file, `${file}.away`)],
    [
      "holds other rows",
      (file: string) =>
        writeFileSync(
          file,
          inputText((n) => `other ${n}`)
        )
    ],
    ["was emptied", (file: string) => writeFileSync(file, "")]
  ])("[PAR-5] it %s: a resume reads what the run began with", async (what, change) => {
    const { home, run, input } = await killed(what.replaceAll(" ", "-"), 100, inputText(textOf))
    change(input)
    const ended = await home.start(["resume", run]).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(lastJson(ended)).toMatchObject({ manifest: items, delivered: items })
    const expected = Array.from({ length: items }, (_, n) => ({
      item_key: `item-${n}`,
      output: JSON.stringify({ label: String(textOf(n).length) })
    }))
    expect(await answersOf(home, run)).toEqual(expected.toSorted((a, b) => (a.item_key < b.item_key ? -1 : 1)))
  })

  const large = (n: number): string => String(n % 10).repeat(1_100_000)
  it("[PAR-5] a file with bodies over 1 MB, which are only referenced: refused, naming the file; restored, it goes on", async () => {
    const { home, run, input } = await killed("large", 1, inputText(large, 8))
    {
      using files = await openFiles(runFiles(home.state, run), "read_write")
      expect(await files.rows("select count(*) as items from payload.items where reference is not null")).toEqual([{ items: 8 }])
    }
    const kept = readFileSync(input)
    const changed = Buffer.from(kept)
    changed[changed.length - 100] = "z".charCodeAt(0)
    writeFileSync(input, changed)
    const refused = await home.start(["resume", run]).ended
    expect(refused.code, refused.stderr).toBe(1)
    expect(refused.stderr).toContain(`${input} has changed since the run's manifest was made`)
    expect(refused.stderr).toContain("runtime resume")
    expect(refused.stderr).not.toMatch(/^\s+at |\\n\s+at /m)
    writeFileSync(input, kept)
    const ended = await home.start(["resume", run]).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(await answersOf(home, run)).toHaveLength(8)
  })
})
