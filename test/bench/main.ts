/**
 * Benchmarks: `npm run bench` (a million items, start-up, analyst), `npm run bench -- ten-million`, or one by name.
 * Machines are noisy: each figure stands beside a ceiling measured in the same run.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"

import { benchBatch } from "./batch-run.ts"
import { benchDeadLetters } from "./dead-letters.ts"
import { benchFaulty } from "./faulty-run.ts"
import { benchLargeRun } from "./large-run.ts"
import { benchPaidKill } from "./paid-kill.ts"
import { benchRateLimit } from "./rate-limit-run.ts"
import { benchRealtime } from "./realtime-run.ts"
import { benchRecovery } from "./recovery-run.ts"
import { benchResume } from "./resume-run.ts"
import { benchStartUp } from "./start-up.ts"
import { benchValidate } from "./validate.ts"

const benches: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  "start-up": benchStartUp,
  million: (folder) => benchLargeRun(folder, 1_000_000),
  resume: (folder) => benchResume(folder, 1_000_000),
  recovery: (folder) => benchRecovery(folder, 400_000),
  realtime: (folder) => benchRealtime(folder, 20_000),
  faulty: (folder) => benchFaulty(folder, 5_000),
  "rate-limit": (folder) => benchRateLimit(folder, 900),
  batch: (folder) => benchBatch(folder, 200_000),
  "paid-kill": (folder) => benchPaidKill(folder, 20_000),
  "dead-letters": (folder) => benchDeadLetters(folder, 100_000),
  validate: benchValidate,
  "ten-million": (folder) => benchLargeRun(folder, 10_000_000),
  // For a quick look while working on something.
  small: (folder) => benchLargeRun(folder, 100_000)
}

const chosen = process.argv.slice(2)
for (const name of chosen.length > 0 ? chosen : ["start-up", "million", "resume"]) {
  const bench = benches[name]
  if (bench === undefined) throw new Error(`There is no bench "${name}": ${Object.keys(benches).join(", ")}`)
  const folder = mkdtempSync(path.join(process.env["BENCH_DIR"] ?? tmpdir(), "nightshift-bench-"))
  console.log(`\n## ${name}`)
  try {
    await bench(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
