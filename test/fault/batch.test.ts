/** Provider batches killed at every step of their way: nothing is created twice, paid twice or lost. */
import { readdirSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import type { FaultsPatch } from "../support/fake-provider/faults.ts"
import type { FakeProvider } from "../support/fake-provider/start.ts"
import { mailTexts, openPaidHome, outcomeOf, paidJob, type PaidHome } from "../support/paid-home.ts"
import { until } from "../support/run-command.ts"

const items = 300

interface Step {
  readonly name: string
  readonly models: ReadonlyArray<"responses" | "anthropic">
  /** Makes the process stay at this step. */
  readonly stay: FaultsPatch
  readonly isThere: (fake: FakeProvider, home: PaidHome) => boolean
  readonly goOn: FaultsPatch
}

const steps: ReadonlyArray<Step> = [
  {
    name: "intent: while its file is uploaded",
    models: ["responses"],
    stay: { uploadBytesPerSecond: 2_000 },
    isThere: (_, { home }) => spoolOf(home.state) > 0,
    goOn: { uploadBytesPerSecond: 0 }
  },
  {
    name: "upload: its file is there, and the answer never came",
    models: ["responses"],
    stay: { chores: { upload: ["hang"] } },
    isThere: (fake) => fake.stats().files.uploaded === 1,
    goOn: { chores: { upload: [] } }
  },
  {
    name: "create: it is there, and the answer never came",
    models: ["responses", "anthropic"],
    stay: { chores: { create: ["hang"] } },
    isThere: (fake) => fake.stats().batches.created === 1,
    goOn: { chores: { create: [] } }
  },
  {
    name: "poll: while it runs",
    models: ["responses", "anthropic"],
    stay: { batch: { hold: true }, chores: { retrieve: ["ok", "hang"] } },
    isThere: (fake) => fake.faults().chores.retrieve.length === 0,
    goOn: { batch: { hold: false } }
  },
  {
    name: "download: its results were asked for, and cut off midway",
    models: ["responses", "anthropic"],
    stay: { chores: { content: ["hang"] } },
    isThere: (fake) => fake.faults().chores.content.length === 0,
    goOn: { chores: { content: [] } }
  },
  {
    name: "ingest: its results are judged, and its files are being deleted",
    models: ["responses", "anthropic"],
    stay: { chores: { delete: ["hang"] } },
    isThere: (fake) => fake.stats().files.deleted + fake.stats().batches.deleted > 0,
    goOn: { chores: { delete: [] } }
  }
]

const spoolOf = (state: string): number => {
  try {
    return readdirSync(join(state, "runs")).flatMap((run) => readdirSync(join(state, "runs", run, "spool"))).length
  } catch {
    return 0
  }
}

const runOf = (state: string): string => {
  const [run, ...others] = readdirSync(join(state, "runs"))
  if (run === undefined || others.length > 0) throw new Error("One run was started")
  return run
}

describe("a provider batch, killed with SIGKILL and resumed", { timeout: 180_000 }, () => {
  for (const { name, models, stay, isThere, goOn } of steps) {
    for (const model of models) {
      it(`[EXE-5] [CHK-2] [case 13] at ${name} (${model}): one batch is created, all of it is delivered, and nothing is paid twice`, async () => {
        await using paid = await openPaidHome(mailTexts(items), { faults: stay })
        const { fake, home, start } = paid
        const env = { PAID_TIER: "batch", PAID_MODEL: model }
        const killed = start(["run", paidJob], env)
        await until(() => isThere(fake, paid))
        killed.kill("SIGKILL")
        await killed.ended
        fake.faults(goOn)
        const ended = await start(["resume", runOf(home.state)], env).ended
        expect(ended.code, ended.stderr).toBe(0)
        const { delivered, spentUsd } = outcomeOf(ended)
        expect(delivered).toBe(items)
        const { batches, files, paidTwice, paidCalls, paidUsd } = fake.stats()
        expect({ created: batches.created, paidTwice, paidCalls }).toEqual({ created: 1, paidTwice: 0, paidCalls: items })
        expect(spentUsd).toBeCloseTo(paidUsd, 9)
        // Nothing of the items is left at the provider, nor on its way there.
        expect(model === "anthropic" ? batches.deleted : files.deleted).toBeGreaterThanOrEqual(model === "anthropic" ? 1 : files.uploaded)
        expect(readdirSync(join(home.state, "runs", runOf(home.state)))).not.toContain("spool")
      })
    }
  }
})

describe("a creation whose answer is lost", { timeout: 180_000 }, () => {
  for (const fault of ["drop", "late-500"] as const) {
    for (const model of ["responses", "anthropic"]) {
      it(`[EXE-5] [case 14] (${fault}, ${model}) is found, and no second batch is made`, async () => {
        await using paid = await openPaidHome(mailTexts(items), { faults: { chores: { create: [fault] }, batch: { ms: 500 } } })
        const ended = await paid.start(["run", paidJob], { PAID_TIER: "batch", PAID_MODEL: model }).ended
        expect(ended.code, ended.stderr).toBe(0)
        const { batches, paidTwice, paidCalls } = paid.fake.stats()
        expect({ created: batches.created, paidTwice, paidCalls }).toEqual({ created: 1, paidTwice: 0, paidCalls: items })
      })
    }
  }

  it("[EXE-5] and that made nothing is repeated", async () => {
    await using paid = await openPaidHome(mailTexts(items), { faults: { chores: { create: ["refuse-503"] } } })
    const ended = await paid.start(["run", paidJob], { PAID_TIER: "batch" }).ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(paid.fake.stats().batches.created).toBe(1)
  })
})

describe("results of a batch", { timeout: 180_000 }, () => {
  const run = async (faults: FaultsPatch, model = "responses") => {
    const paid = await openPaidHome(mailTexts(items), { faults })
    const ended = await paid.start(["run", paidJob], { PAID_TIER: "batch", PAID_MODEL: model }).ended
    const stats = paid.fake.stats()
    await paid.fake.close()
    expect(ended.code, ended.stderr).toBe(0)
    return { ...outcomeOf(ended), stats }
  }

  it("[EXE-5] that are cut off on the way down are read again from the start", async () => {
    const { delivered, stats } = await run({ chores: { content: ["cut"] } })
    expect(delivered).toBe(items)
    expect(stats.paidTwice).toBe(0)
  })

  it("[case 7] that lack a line: the item is found by its key and asked again", async () => {
    await using paid = await openPaidHome(mailTexts(items), { faults: { batch: { missing: 1 } } })
    const command = paid.start(["run", paidJob], { PAID_TIER: "batch" })
    await until(() => paid.fake.stats().batches.created === 1)
    paid.fake.faults({ batch: { missing: 0 } })
    const ended = await command.ended
    expect(ended.code, ended.stderr).toBe(0)
    expect(outcomeOf(ended).delivered).toBe(items)
    expect(paid.fake.stats().batches.created).toBe(2)
  })

  it("[case 6] of an expired batch are kept; only the rest goes again", async () => {
    const paid = await openPaidHome(mailTexts(items), { faults: { batch: { outcome: "expired", processed: 100 } } })
    const command = paid.start(["run", paidJob], { PAID_TIER: "batch" })
    await until(() => paid.fake.stats().batches.created === 1)
    paid.fake.faults({ batch: { outcome: "completed", processed: -1 } })
    const ended = await command.ended
    const { paidTwice, paidCalls, batches } = paid.fake.stats()
    await paid.fake.close()
    expect(ended.code, ended.stderr).toBe(0)
    expect(outcomeOf(ended).delivered).toBe(items)
    expect({ paidTwice, paidCalls, created: batches.created }).toEqual({ paidTwice: 0, paidCalls: items, created: 2 })
  })

  it("[EXE-5] that no batch ever gets to are given up after the third: the run ends, and says why", async () => {
    await using paid = await openPaidHome(mailTexts(items), { faults: { batch: { outcome: "expired", processed: 0 } } })
    const ended = await paid.start(["run", paidJob], { PAID_TIER: "batch" }).ended
    expect(ended.code, ended.stderr).toBe(3)
    expect(outcomeOf(ended)).toMatchObject({ delivered: 0, dead: items, spentUsd: 0 })
    expect(paid.fake.stats().batches.created).toBe(3)
  })

  it("[case 9] of a batch that found the provider's queue full: it waits for its turn, and no item fails", async () => {
    const { delivered, stats } = await run({ limits: { enqueuedBatches: 1 }, batch: { ms: 300 } })
    expect(delivered).toBe(items)
    expect(stats.paidTwice).toBe(0)
  })
})
