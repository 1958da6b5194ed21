/** A budget that is too small, through the real command: the run waits, and a person lets it go on or closes it. */
import { describe, expect, it } from "vitest"

import { mailTexts, openPaidHome, outcomeOf, paidJob, type PaidHome } from "../../support/paid-home.ts"
import { lastJson, onlyRun, openFiles, runFiles, startRuntime, type Ended } from "../../support/run-command.ts"

const items = 12
// Long enough for a call's bound to be near its price: with short ones the bound is mostly what a provider may add of its own.
const texts = mailTexts(items).map((text) => `${text} ${"We have not heard from you about this delivery. ".repeat(160)}`)

/** Less than twelve calls cost. */
const budgets = { realtime: 0.0045, batch: 0.0024 } as const
type Tier = keyof typeof budgets

/** A run that waits at its gate, and a shell beside it: `type` is what a person types, without --json. */
const openWaiting = async (tier: Tier) => {
  const paid = await openPaidHome(texts, { faults: { batch: { ms: 10 } } })
  const { fake, home } = paid
  const env = { ...fake.env, PAID_SERVER: fake.openaiUrl, FAULT_INPUT: `${home.path}/items.jsonl`, PAID_TIER: tier }
  const type = (...args: ReadonlyArray<string>): Promise<Ended> =>
    startRuntime([...args, "--state", home.state], { cwd: home.path, env }).ended
  const start = (...args: ReadonlyArray<string>): Promise<Ended> => paid.start(args, { PAID_TIER: tier }).ended
  const ended = await type("run", paidJob, "--budget", String(budgets[tier]))
  const run = onlyRun(home.state)
  return { paid, fake, type, start, ended, run, tier, gate: `${run}.1`, [Symbol.asyncDispose]: () => paid[Symbol.asyncDispose]() }
}

type Waiting = Awaited<ReturnType<typeof openWaiting>>

/** All that a session more would change. */
const traceOf = async ({ home, fake }: PaidHome) => {
  using files = await openFiles({ state: runFiles(home.state, onlyRun(home.state)).state })
  const sessions = await files.rows("select * from state.sessions order by session")
  const gates = await files.rows("select * from state.gates order by gate")
  return { sessions, gates, calls: fake.stats().calls }
}

const errorOf = (ended: Ended): string => (lastJson(ended)["error"] as { readonly message: string }).message
const rowsOf = ({ stdout }: Ended) => JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as ReadonlyArray<Record<string, unknown>>

describe("a run whose budget is too small", { timeout: 60_000 }, () => {
  it("[OPS-5] [CST-2] [OPS-7] cost overrun: waits at its gate with exit code 4, and every verb says so and what to type; a resume changes nothing", async () => {
    await using waiting = await openWaiting("realtime")
    const { paid, ended, run, gate, fake, type, start } = waiting
    expect(ended.code, ended.stderr).toBe(4)
    expect(ended.stdout).toMatch(
      /^Run \S+ waits for you at its budget gate: \$0\.00\d+ of \$0\.0045 are spent, and the next call may cost /
    )
    const goOn = new RegExp(`runtime approve ${gate} --add-usd (\\d+\\.\\d+)\n`)
    expect(ended.stdout).toMatch(goOn)
    expect(ended.stdout).toContain(`runtime reject ${gate}\n`)

    const [listed, ...others] = rowsOf(await start("gates"))
    expect(others).toEqual([])
    expect(listed).toMatchObject({ gate, run, kind: "budget", decision: null, detail: { envelopeUsd: budgets.realtime, items } })
    const { spentUsd, neededUsd, openItems } = (listed ?? {})["detail"] as Record<"spentUsd" | "neededUsd" | "openItems", number>
    expect(spentUsd).toBeCloseTo(fake.stats().paidUsd, 9)
    expect(spentUsd).toBeGreaterThan(0)
    expect(spentUsd + neededUsd).toBeGreaterThan(budgets.realtime)
    expect(openItems).toBe(items - fake.stats().paidCalls)

    const gates = await type("gates")
    expect(gates.stdout).toContain(`${gate} waits since `)
    expect(gates.stdout).toMatch(goOn)
    expect(rowsOf(await start("runs"))).toMatchObject([{ run, status: "waiting", manifest: items, delivered: items - openItems }])
    expect((await type("status")).stdout).toContain(`waits for you at gate ${gate}: runtime gates`)
    expect(lastJson(await start("report", run))).toMatchObject({ status: "waiting", gates: [{ gate, decision: null }] })

    const before = await traceOf(paid)
    const typed = await type("resume", run)
    expect({ code: typed.code, stdout: typed.stdout }).toEqual({ code: 4, stdout: ended.stdout })
    const resumed = await start("resume", run)
    expect(resumed.code).toBe(4)
    expect(lastJson(resumed)).toMatchObject({ run, status: "waiting", gate, reportPath: null })
    expect(await traceOf(paid)).toEqual(before)
  })

  it("[CST-2] goes on to its end with enough money, and only then; it spends no more than it was given", async () => {
    await using waiting = await openWaiting("realtime")
    const { paid, ended, run, gate, start } = waiting
    const before = await traceOf(paid)
    const refusals = [
      [[], /waits for money: \$0\.0\d+ of \$0\.0045 are left, and the next call may cost /],
      [["--add-usd", "-5"], /--add-usd -5 gives gate \S+ nothing/],
      [["--add-usd", "0.0000001"], /--add-usd 1e-7 is too little for gate \S+/]
    ] as const
    for (const [money, problem] of refusals) {
      const refused = await start("approve", gate, ...money)
      expect(refused.code).toBe(2)
      expect(errorOf(refused)).toMatch(problem)
      expect(errorOf(refused)).toContain(`Nothing was changed. Say how much more the run may spend: runtime approve ${gate} --add-usd `)
    }
    expect(await traceOf(paid)).toEqual(before)
    const suggested = await approveSuggested(waiting)
    const decided = rowsOf(await start("gates"))
    expect(decided).toMatchObject([{ gate, decision: "approved", addUsd: suggested, note: "worth it" }])

    const again = await start("approve", gate, "--add-usd", "1")
    expect(again.code).toBe(2)
    expect(errorOf(again)).toMatch(/^Gate \S+ was approved by .+ at 20\d\d-.+ UTC\. Nothing was changed; `runtime report \S+` says what/)
    expect((await start("resume", run)).code).toBe(2)
    expect(rowsOf(await start("gates"))).toEqual(decided)
    expect(ended.code).toBe(4)
  })

  it("[CST-2] [VAL-1] is closed without the rest: what is open is held back without a call, and the run adds up", async () => {
    await using waiting = await openWaiting("realtime")
    const { gate, type, start } = waiting
    await rejectIt(waiting)
    for (const verb of [
      ["reject", gate],
      ["approve", gate, "--add-usd", "1"]
    ]) {
      const again = await start(...verb)
      expect(again.code).toBe(2)
      expect(errorOf(again)).toMatch(/^Gate \S+ was rejected by .+ UTC\. Nothing was changed/)
    }
    expect((await type("gates")).stdout).toMatch(/^No run waits for a person\.\n\n[^]*rejected[^]*too dear/)
    expect((await type("status")).stdout).toBe("Nothing runs or waits. `runtime runs` lists what has.\n")
  })
})

describe("a run whose batches are cut to what its budget has left", { timeout: 60_000 }, () => {
  it("[CST-2] waits once not even one request fits, and goes on with more money", async () => {
    await using waiting = await openWaiting("batch")
    const sizes = waiting.fake.batches().map(({ total }) => total)
    expect(sizes.length).toBeGreaterThan(1)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2)
    await approveSuggested(waiting)
  })

  it("[CST-2] [VAL-1] is closed without the rest, and what its batches answered stays", async () => {
    await using waiting = await openWaiting("batch")
    const answered = waiting.fake.batches().reduce((sum, { completed }) => sum + completed, 0)
    await rejectIt(waiting)
    expect(waiting.fake.stats()).toMatchObject({ paidCalls: answered, batches: { created: waiting.fake.batches().length, cancelled: 0 } })
  })
})

/** Gives what the run asked for, and looks at what came of it. */
const approveSuggested = async ({ fake, ended, gate, tier, start }: Waiting): Promise<number> => {
  expect(ended.code, ended.stderr).toBe(4)
  const suggested = Number(/--add-usd (\S+)/.exec(ended.stdout)?.[1])
  const approved = await start("approve", gate, "--add-usd", String(suggested), "--note", "worth it")
  expect(approved.code, approved.stderr).toBe(0)
  expect(approved.stderr).toContain(`Gate ${gate} is approved: $${suggested} more.`)
  const { status, delivered, spentUsd } = outcomeOf(approved)
  expect({ status, delivered }).toEqual({ status: "done", delivered: items })
  // Control: the budget alone was too small.
  expect(spentUsd).toBeGreaterThan(budgets[tier])
  expect(spentUsd).toBeLessThanOrEqual(budgets[tier] + suggested)
  const { paidUsd, paidTwice, paidCalls } = fake.stats()
  expect({ paidTwice, paidCalls }).toEqual({ paidTwice: 0, paidCalls: items })
  expect(spentUsd).toBeCloseTo(paidUsd, 9)
  return suggested
}

const rejectIt = async ({ fake, ended, run, gate, start }: Waiting): Promise<void> => {
  expect(ended.code, ended.stderr).toBe(4)
  const { paidCalls, paidUsd } = fake.stats()
  expect(paidCalls).toBeGreaterThan(0)
  const rejected = await start("reject", gate, "--note", "too dear")
  // Items that nobody was asked about are open ends.
  expect(rejected.code, rejected.stderr).toBe(3)
  expect(rejected.stderr).toContain(`Gate ${gate} is rejected. Run ${run} holds back what is open, and closes.`)
  expect(outcomeOf(rejected)).toMatchObject({ status: "done", delivered: paidCalls, held: items - paidCalls, dead: 0, gate: null })
  expect(fake.stats().paidCalls).toBe(paidCalls)
  expect(outcomeOf(rejected).spentUsd).toBeCloseTo(paidUsd, 9)
  const report = lastJson(await start("report", run))
  expect(report).toMatchObject({ status: "done", completeness: { holds: true }, gates: [{ gate, decision: "rejected" }] })
}

describe("a gate that isn't there", () => {
  it("[CST-2] is said to be unknown, by approve and reject", async () => {
    await using paid = await openPaidHome([])
    for (const [verb, gate] of [
      ["approve", "paid-20261125-000000-aaaa.1"],
      ["approve", "nonsense"],
      ["reject", "../../etc.1"]
    ] as const) {
      const ended = await paid.start([verb, gate]).ended
      expect(ended.code).toBe(2)
      expect(errorOf(ended)).toContain(`There is no gate "${gate}" in `)
      expect(errorOf(ended)).toContain("`runtime gates`")
    }
  })
})
