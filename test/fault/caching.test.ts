/** Prompt caches of providers, through the real command: what stands first, what was read and written there, and what it cost (EXE-8). */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { describe, expect, it } from "vitest"

import { askIn, bodiesOf, type AskRun } from "../support/ask-run.ts"
import { openPaidHome } from "../support/paid-home.ts"

const texts = ["mail one", "mail two", "mail three", "mail four"]

/** Bodies up to where the item's own text begins. */
const prefixes = ({ requests }: AskRun): ReadonlyArray<string> => requests.map(({ body }) => body.slice(0, body.indexOf("mail ")))

/** One call at a time: each but the first can find what the one before it wrote. `words` are those of the invariant instruction. */
const run = async (model: string, words: number): Promise<AskRun> => {
  await using paid = await openPaidHome(texts, { keepRequests: 100 })
  writeFileSync(join(paid.home.path, "accounts.json"), JSON.stringify({ desk: { concurrencyMax: 1 } }))
  const asked = await askIn(paid, { PAID_MODEL: model, ASK_HANDBOOK: String(words) })
  expect(asked.ended.code, asked.ended.stderr).toBe(0)
  return asked
}

const tokens = (asked: AskRun, name: string): ReadonlyArray<number> =>
  texts.flatMap((_, n) => asked.items.calls(`k${n}`).map((call) => Number(call[name])))

describe("an instruction that is the same for all items", { timeout: 120_000 }, () => {
  it.each(["responses", "chat", "anthropic"])(
    "[EXE-8] [case 34] stands before what is the item's own; hits of the provider's cache are counted and costed (%s)",
    async (model) => {
      const asked = await run(model, 1_500)
      expect(new Set(prefixes(asked)).size).toBe(1)
      expect(prefixes(asked)[0]).toContain("Every note is short.")
      const [first = 0, ...rest] = tokens(asked, "cache_read_tokens")
      expect(first).toBe(0)
      for (const read of rest) expect(read).toBeGreaterThan(5_000)
      const [written = 0, ...further] = tokens(asked, "cache_write_tokens")
      // Only Anthropic bills what is written.
      expect([written > 5_000, ...further]).toEqual([model === "anthropic", 0, 0, 0])
      // One normal form: what was read from the cache is part of the input, whichever dialect counted it.
      expect(Math.max(...tokens(asked, "input_tokens")) - Math.min(...tokens(asked, "input_tokens"))).toBeLessThan(10)
      expect(asked.outcome.spentUsd).toBeCloseTo(asked.stats.paidUsd, 9)
      expect(asked.outcome.savedUsd).toBeGreaterThan(0)
    }
  )

  it("[EXE-8] control: one that is too short to be cached isn't marked, and nothing is read", async () => {
    const asked = await run("anthropic", 10)
    expect(bodiesOf(asked, "cache_control")).toEqual([])
    expect(tokens(asked, "cache_read_tokens")).toEqual([0, 0, 0, 0])
    expect(asked.outcome.spentUsd).toBeCloseTo(asked.stats.paidUsd, 9)
  })
})
