/** A run in a process of its own that publishes all the while, to be killed. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"

import * as Effect from "effect/Effect"

import { publish } from "../../runtime/store/publish.ts"
import { SegmentPoint } from "../../runtime/store/segment.ts"
import { openStateFolder } from "../../runtime/store/state-folder.ts"
import { openSampleRun, settleItems } from "./store-run.ts"

export interface PublisherEnd {
  readonly code: number | null
  readonly signal: string | null
}

/** Works on the run, and kills the process after it told of so many steps; how far it has come by then is left to chance. */
export const publishUntilKilled = async (
  root: string,
  run: string,
  { items, steps }: { readonly items: number; readonly steps: number }
): Promise<PublisherEnd> => {
  const child = spawn(process.execPath, [import.meta.filename, root, run, String(items)], { stdio: ["ignore", "pipe", "inherit"] })
  const ended = once(child, "exit")
  let seen = 0
  for await (const _ of createInterface(child.stdout)) if (++seen === steps) child.kill("SIGKILL")
  const [code, signal] = (await ended) as [number | null, string | null]
  return { code, signal }
}

const sliceItems = 60
const tell = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

const work = (root: string, run: string, items: number) =>
  Effect.gen(function* () {
    const folder = yield* openStateFolder(root)
    const ledger = yield* openSampleRun(folder, { run, items })
    for (let from = 0; from < items; from += sliceItems) {
      yield* settleItems(ledger, from, from + sliceItems)
      yield* Effect.all([publish(ledger, folder, run), settleItems(ledger, from + sliceItems, from + 2 * sliceItems)], { concurrency: 2 })
      yield* tell(`settled ${from}`)
    }
    yield* publish(ledger, folder, run)
  })

if (process.argv[1] === import.meta.filename) {
  const [root = "", run = "", items = "0"] = process.argv.slice(2)
  const telling = Effect.provideService(work(root, run, Number(items)), SegmentPoint, (point, table) => tell(`${table} ${point}`))
  await Effect.runPromise(Effect.scoped(telling))
}
