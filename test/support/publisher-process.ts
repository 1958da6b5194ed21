/** A run in a process of its own that publishes all the while, to be killed: `node publisher-process.ts STATE RUN ITEMS`. */
import * as Effect from "effect/Effect"

import { publish } from "../../runtime/store/publish.ts"
import { SegmentPoint } from "../../runtime/store/segment.ts"
import { openStateFolder } from "../../runtime/store/state-folder.ts"
import { openSampleRun, settleItems } from "./store-run.ts"

const [root = "", run = "", items = "0"] = process.argv.slice(2)
const sliceItems = 60
const tell = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

const work = Effect.gen(function* () {
  const folder = yield* openStateFolder(root)
  const ledger = yield* openSampleRun(folder, { run, items: Number(items) })
  for (let from = 0; from < Number(items); from += sliceItems) {
    yield* settleItems(ledger, from, from + sliceItems)
    yield* Effect.all([publish(ledger, folder, run), settleItems(ledger, from + sliceItems, from + 2 * sliceItems)], { concurrency: 2 })
    yield* tell(`settled ${from}`)
  }
  yield* publish(ledger, folder, run)
})

await Effect.runPromise(Effect.scoped(Effect.provideService(work, SegmentPoint, (point, table) => tell(`${table} ${point}`))))
