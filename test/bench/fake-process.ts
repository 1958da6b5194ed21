/** The fake provider in a process of its own, as a provider is. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as path from "node:path"
import { createInterface } from "node:readline"

import { request } from "undici"

import type { Faults, FaultsPatch } from "../support/fake-provider/faults.ts"
import type { FakeStats } from "../support/fake-provider/ledger.ts"
import { root } from "./run-process.ts"

const main = path.join(root, "test/support/fake-provider/main.ts")

export interface FakeProcess extends AsyncDisposable {
  readonly openaiUrl: string
  /** For the process of a run. */
  readonly env: Readonly<Record<string, string>>
  readonly stats: () => Promise<FakeStats>
  /** When each paid request was, in epoch ms. */
  readonly paidAt: () => Promise<ReadonlyArray<number>>
  /** Every batch: how many of its lines are worked on. */
  readonly batches: () => Promise<ReadonlyArray<{ readonly total: number; readonly completed: number }>>
  /** Changes what it does wrong until the next reset, and says what is in force. */
  readonly faults: (patch?: FaultsPatch) => Promise<Faults>
  /** Empties the books; what it was told to do wrong when it was started stays in force. */
  readonly reset: () => Promise<void>
}

/** `flags` as `main.ts --help` has them. */
export const startFake = async (flags: ReadonlyArray<string>): Promise<FakeProcess> => {
  const child = spawn(process.execPath, [main, ...flags], { cwd: root, stdio: ["ignore", "pipe", "inherit"] })
  const [line] = await once(createInterface({ input: child.stdout }), "line")
  const { port, openaiUrl, anthropicUrl } = JSON.parse(String(line)) as { port: number; openaiUrl: string; anthropicUrl: string }
  const ask = async (path: string, method: "GET" | "POST" = "GET", body = ""): Promise<unknown> => {
    const reply = await request(`http://127.0.0.1:${port}/${path}`, { method, ...(method === "POST" ? { body } : {}) })
    return reply.body.json()
  }
  const faults = await ask("__faults")
  return {
    openaiUrl,
    env: {
      BENCH_SERVER: openaiUrl,
      OPENAI_BASE_URL: openaiUrl,
      OPENAI_API_KEY: "bench-key-of-openai",
      ANTHROPIC_BASE_URL: anthropicUrl,
      ANTHROPIC_API_KEY: "bench-key-of-anthropic"
    },
    // The fake's own books, by its own types.
    stats: async () => (await ask("__stats")) as FakeStats,
    paidAt: async () => ((await ask("__ledger")) as ReadonlyArray<{ readonly at: number }>).map(({ at }) => at),
    batches: async () => (await ask("__batches")) as ReadonlyArray<{ readonly total: number; readonly completed: number }>,
    faults: async (patch = {}) => (await ask("__faults", "POST", JSON.stringify(patch))) as Faults,
    reset: async () => void (await ask("__reset", "POST", JSON.stringify(faults))),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return
      child.kill("SIGTERM")
      await once(child, "exit")
    }
  }
}
