import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { openDuckLedger } from "./runtime/store/ledger-duckdb.ts"
import { openStateFolder } from "./runtime/store/state-folder.ts"
import { begin, layoutOf, settlementOf, stagedItem, twoEnds } from "./test/support/ledger-run.ts"
const n = Number(process.argv[2]), spread = process.argv[3] as "hash" | "weight"
const root = mkdtempSync("/tmp/h-ledger-work/bench-")
let peak = 0; setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss) }, 50).unref()
const lap = (() => { let t = performance.now(); return (w: string) => { const d = performance.now() - t; t = performance.now(); console.log(w, (d / 1000).toFixed(2) + "s", Math.round(n / d * 1000) + "/s", "rss", process.memoryUsage().rss >> 20, "peak", peak >> 20) } })()
await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
  const folder = yield* openStateFolder(root)
  const ledger = yield* openDuckLedger({ folder: folder.run("r1"), plan: twoEnds, hashKey: folder.hashKey })
  yield* begin(ledger); lap("begin")
  for (let f = 0; f < n; f += 2000) yield* ledger.stage(Array.from({ length: Math.min(2000, n - f) }, (_, i) => stagedItem(f + i, { weight: 1 + ((f + i) * 31) % 977 })), [])
  lap("stage")
  console.log(yield* ledger.seal(layoutOf(40, { spread }))); lap("seal")
  if (process.argv[4] !== "nowork") {
    for (let f = 0; f < n; f += 1000) {
      const items = yield* ledger.pending(f, f + 999)
      yield* Effect.forEach(items, (i) => ledger.settle(settlementOf(i)), { concurrency: 32, discard: true })
    }
    yield* ledger.flush; lap("work")
    console.log((yield* ledger.completeness).holds); lap("completeness")
  }
})))
lap("close")
rmSync(root, { recursive: true })
process.exit(0)
