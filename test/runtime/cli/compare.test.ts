import { join } from "node:path"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { lastJson, runNames, runRuntime, tempFolder } from "../../support/run-command.ts"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())
const runtime = (...args: ReadonlyArray<string>) => runRuntime(args, { cwd: folder.path })

const jobText = (answer: string, extra: string) => `
import * as Schema from "effect/Schema"
import { infer, job, jsonl, local, partition, review, usd, user, validate } from "nightshift"
const mails = jsonl("mails.jsonl", { schema: Schema.Struct({ id: Schema.String }), key: ({ id }) => id })
const Output = Schema.Struct({ topic: Schema.Literals(["spam", "ham"]), ${extra}: Schema.Finite })
const triage = infer(partition(mails), {
  model: local("model", ({ messages }) => { const id = String(messages[0]?.data[0]); return { topic: ${answer}, ${extra}: 0.5 } }),
  prompt: ({ id }) => [user\`\${id}\`], output: Output, confidence: (output) => output.${extra}
})
const trusted = validate(triage, { ham: { pass: ({ output }) => output.topic === "ham", orElse: review } })
export default job("triage", { owner: "x", purpose: "y", classification: "internal", budget: usd(1), steps: { mails, triage, trusted } })
`
let runs: ReadonlyArray<string> = []

beforeAll(async () => {
  folder.write("mails.jsonl", Array.from({ length: 12 }, (_, index) => JSON.stringify({ id: `m${10 + index}` })).join("\n"))
  folder.write("before.ts", jobText('id < "m14" ? "spam" : "ham"', "sure"))
  folder.write("after.ts", jobText('"ham"', "certain"))
  for (const job of ["before.ts", "after.ts"]) {
    const { code, stderr } = await runtime("run", job, "--json")
    expect({ code, stderr }).toEqual({ code: job === "before.ts" ? 3 : 0, stderr: expect.anything() })
  }
  runs = runNames(join(folder.path, ".nightshift"))
})

describe("runtime compare", () => {
  it("[OPS-7] says where two runs disagree: by class, by column, with examples, confidence and cost; --json has the same figures", async () => {
    const [a = "", b = ""] = runs
    const { code, stdout } = await runtime("compare", a, b)
    expect(code).toBe(0)
    for (const text of [
      "Items: 12 in both",
      "Ended differently\n  review → delivered: 4",
      "triage: answered 12 in both; 66.6 % of those in both are the same",
      "confidence 0.500 → 0.500 · calls 12 → 12 · cost $0.00 → $0.00",
      "  topic\n    spam → ham: 4",
      "Columns of A alone: sure",
      "Columns of B alone: certain",
      "    m10  topic: spam → ham"
    ])
      expect(stdout).toContain(text)
    expect(lastJson(await runtime("compare", a, b, "--step", "triage", "--json"))).toMatchObject({
      items: { both: 12, onlyA: 0, onlyB: 0 },
      steps: [{ step: "triage", same: 8, columns: [{ name: "topic", same: 8, changes: [{ a: "spam", b: "ham", items: 4 }] }] }]
    })
  })

  it("a run that isn't there, the same run twice and a step that neither has are misuse", async () => {
    const [a = "", b = ""] = runs
    expect(await runtime("compare", a, "../../etc")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There is no run "../../etc"')
    })
    expect(await runtime("compare", a, a)).toMatchObject({ code: 2, stderr: expect.stringContaining("Name two different ones") })
    expect(await runtime("compare", a, b, "--step", "mails")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("mails: answered 0 in both")
    })
    expect(await runtime("compare", a, b, "--step", "nothing")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("neither run has it")
    })
  })
})
