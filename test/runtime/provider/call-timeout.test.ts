import { expect, it } from "vitest"

import { callTimeoutMs } from "../../../runtime/provider/call-timeout.ts"

const hosted = { engine: "openai", timeoutMs: 600_000, isTimeoutOwn: false } as const

it("[EXE-4] a call may take as long as its answer could at a slow pace, ten minutes at most, or what the account says", () => {
  expect(callTimeoutMs(hosted, 64)).toBe(66_400)
  expect(callTimeoutMs(hosted, 4_096)).toBe(469_600)
  expect(callTimeoutMs(hosted, 100_000)).toBe(600_000)
  expect(callTimeoutMs(hosted, null)).toBe(600_000)
  expect(callTimeoutMs({ ...hosted, engine: "openai-compatible" }, 64)).toBe(600_000)
  expect(callTimeoutMs({ ...hosted, timeoutMs: 900_000, isTimeoutOwn: true }, 64)).toBe(900_000)
})
