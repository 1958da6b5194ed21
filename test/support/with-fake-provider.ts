/**
 * `node test/support/with-fake-provider.ts run examples/claims.ts`: any command of `runtime`, with a provider that runs on this machine
 * instead of those on the internet. Keys, accounts and the usual state folder are left alone: an answer that was made up must
 * never be reused where a real one was asked for.
 */
import { spawn } from "node:child_process"
import { join } from "node:path"

import exampleAnswers from "./example-answers.ts"
import { startFakeProvider } from "./fake-provider/start.ts"
import { repo } from "./tree.ts"

/** Verbs that look for keys: under this name no accounts.json or .env of the folder is read. */
const asking = new Set(["run", "resume", "try", "approve", "reject"])
const environment = "fake-provider"
const state = ".nightshift-fake"

const args = process.argv.slice(2)
const has = (flag: string): boolean => args.some((arg) => arg === flag || arg.startsWith(`${flag}=`))
const asks = asking.has(args[0] ?? "") && !args.includes("--help")
const more = [...(has("--state") ? [] : ["--state", state]), ...(asks && !has("--env") ? ["--env", environment] : [])]

const fake = await startFakeProvider({ answer: exampleAnswers, faults: { latencyMs: 40, batch: { ms: 800 } } })
if (asks)
  process.stderr.write(
    "A provider on this machine answers: what it says is made up, and nothing is paid.\n" +
      "Where a text below says `runtime …`, type `npm run fake -- …`.\n"
  )

const child = spawn(process.execPath, [join(repo, "bin/runtime.js"), ...args, ...more], {
  env: { ...process.env, ...fake.env },
  stdio: "inherit"
})
// A terminal gives Ctrl-C to the command too, which then ends in its own time; other signals reach only this process.
process.on("SIGINT", () => undefined)
const stop = () => void child.kill("SIGTERM")
process.on("SIGTERM", stop)

child.on("close", (code, signal) => {
  const { paidCalls, paidUsd, paidTwice } = fake.stats()
  if (paidCalls > 0)
    process.stderr.write(
      `The provider's own books: ${paidCalls} calls for $${paidUsd.toFixed(6)}, ${paidTwice === 0 ? "none paid twice" : `${paidTwice} paid twice`}.\n`
    )
  process.exitCode = code ?? 1
  void fake.close().then(() => {
    if (signal === null) return
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
})
