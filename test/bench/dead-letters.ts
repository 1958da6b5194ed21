/** How long a person waits for the list of very many dead letters. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"

import * as Effect from "effect/Effect"

import { publish } from "../../runtime/store/publish.ts"
import { openStateFolder } from "../../runtime/store/state-folder.ts"
import { openSampleRun, sampleSettlement, settleItems } from "../support/store-run.ts"
import { repo } from "../support/tree.ts"
import { line } from "./bench-line.ts"

/** One run whose items are all dead; `runtime dlq list` as a process of its own, the best of three. */
export const benchDeadLetters = async (folder: string, items: number): Promise<void> => {
  const run = "dead-run"
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const state = yield* openStateFolder(folder)
        const ledger = yield* openSampleRun(state, { run, items })
        // The eighth of the sample's ten is the dead one.
        yield* settleItems(ledger, 0, items, (seq, itemId) => ({ ...sampleSettlement(7, itemId), seq }))
        yield* ledger.close("done", null)
        yield* publish(ledger, state, run)
      })
    )
  )
  for (const [name, args] of [
    ["dlq list", ["dlq", "list"]],
    ["dlq list --json", ["dlq", "list", "--json"]]
  ] as const) {
    const seconds = [1, 2, 3].map(() => {
      const began = performance.now()
      const { status, stderr } = spawnSync(process.execPath, [join(repo, "bin/runtime.js"), ...args, "--state", folder], {
        encoding: "utf8"
      })
      if (status !== 0) throw new Error(stderr)
      return (performance.now() - began) / 1_000
    })
    const best = Math.min(...seconds)
    line(`${name} of ${items.toLocaleString("en-US")}`, `${best.toFixed(2)} s`, "≤ 1 s", best <= 1)
  }
}
