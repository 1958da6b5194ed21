import { describe, expect, it } from "vitest"

import { lastJson, onlyRun, runRuntime, tempFolder } from "../support/run-command.ts"

/** The README's walk-through, word for word: `RUN` and the state folder apart. */
describe("examples/10-dead-letters.ts", () => {
  it("[RTY-3] [RTY-4] [VAL-4] goes from planted faults to everything delivered: list, name the cause, mend, replay, accept", async () => {
    using folder = tempFolder()
    const state = ["--state", `${folder.path}/state`]
    const runtime = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => runRuntime([...args, ...state], { env })

    const first = await runtime(["run", "examples/10-dead-letters.ts"])
    expect(first.code).toBe(3)
    const run = onlyRun(`${folder.path}/state`)
    // Any entry alerts, with what to type.
    expect(first.stderr).toContain(`gave up on 3 items: all of one cause, wrong-schema at amounts. See them: runtime dlq list --run ${run}`)

    const list = await runtime(["dlq", "list"])
    expect(list.stdout).toContain("3 dead letters, of one cause.")
    expect(list.stdout).toContain(
      `3 × wrong-schema at amounts of dead-letters\n  The answer doesn't fit the step's schema: Expected number at ["aud"]`
    )
    const entries = JSON.parse((await runtime(["dlq", "list", "--json"])).stdout) as ReadonlyArray<Record<string, unknown>>
    expect(entries.map(({ key }) => key).toSorted()).toEqual(["R-04", "R-05", "R-08"])

    const shown = lastJson(await runtime(["dlq", "show", run, "R-04", "--json"]))
    expect(shown).toMatchObject({ key: "R-04", status: "open", stops: [{ code: "wrong-schema", attempts: 1 }] })
    expect(JSON.stringify(shown["payload"])).toContain("no rate for NOK")
    expect(shown["lastAttemptAt"]).toMatch(/^\d{4}-/)

    // Without a cause nothing is replayed.
    const early = await runtime(["dlq", "replay", run])
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining(`runtime dlq annotate ${run} --cause SLUG`)])
    expect((await runtime(["dlq", "annotate", run, "--code", "wrong-schema", "--cause", "rate-missing"])).code).toBe(0)

    const replay = await runtime(["dlq", "replay", run, "--cause", "rate-missing"], {
      RATES: "examples/data/10-dead-letters/rates-mended.json"
    })
    expect([replay.code, replay.stdout]).toEqual([
      0,
      expect.stringContaining(`Run ${run} now: 9 delivered, 1 in review of 10. Outputs are at revision 2.`)
    ])

    const unfit = await runtime(["review", "correct", run, "R-06", "--output", '{"aud":"much"}'])
    expect([unfit.code, unfit.stderr]).toEqual([
      2,
      expect.stringMatching(/doesn't fit the output schema of amounts: Expected number at \["aud"\]\. Nothing was changed\./)
    ])
    const accept = lastJson(await runtime(["review", "accept", run, "R-06", "--json"]))
    expect(accept).toMatchObject({ status: "done", delivered: 1, origin: run, now: { delivered: 10, dead: 0, review: 0 }, revision: 3 })
    expect((await runtime(["dlq", "list"])).stdout).toContain("No dead letter waits.")

    const outputs = await runtime(["sql", "select count(*) as items, sum(aud) as aud from outputs_dead_letters_checked", "--json"])
    expect(JSON.parse(outputs.stdout)).toEqual([{ items: 10, aud: 3560.17 }])
    const story = (await runtime(["trace", "R-04"])).stdout
    for (const told of [`Run ${run} `, "annotate by", "rate-missing", `linked to run ${run}`, '{"aud":264.6}'])
      expect(story).toContain(told)
  }, 120_000)
})
