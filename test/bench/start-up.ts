/** What a person waits for before anything happens. */
import { spawnSync } from "node:child_process"
import * as path from "node:path"

import { launcher, median, root } from "./run-process.ts"

const tries = 9

export const benchStartUp = async (folder: string): Promise<void> => {
  const time = (...args: ReadonlyArray<string>): number =>
    median(
      Array.from({ length: tries }, () => {
        const began = performance.now()
        const { status, stderr } = spawnSync(process.execPath, args, { cwd: root })
        if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr.toString()}`)
        return performance.now() - began
      })
    )
  const job = path.join(root, "examples/01-first-job.ts")
  const bare = time("-e", "0")
  const help = time(launcher, "--help")
  const plan = time(launcher, "plan", job, "--state", path.join(folder, "state"))
  const line = (name: string, ms: number, goal: string): void =>
    console.log(`${name.padEnd(34)} ${`${(ms / 1_000).toFixed(2)} s (${(ms / bare).toFixed(1)} × node -e 0)`.padEnd(44)} ${goal}`)
  line("node -e 0", bare, "")
  line("runtime --help", help, "≤ 0.4 s")
  line("runtime plan, a small job", plan, "≤ 0.7 s")
}
