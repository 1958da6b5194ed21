/** A process that commits to a DuckDB file as fast as it can, until it is killed: each number it sends was acknowledged. */
import { fork } from "node:child_process"
import { once } from "node:events"

import * as Effect from "effect/Effect"

import { openDuck, type Duck } from "../../runtime/store/duck.ts"

/** Rows of each commit. */
export const commitRows = 20

/** Kills a committing process as soon as `acknowledged` commits were; returns the last number that it sent. */
export const killCommitter = async (path: string, acknowledged: number): Promise<number> => {
  const child = fork(import.meta.filename, [path])
  let last = 0
  child.on("message", (number) => {
    last = Number(number)
    if (last >= acknowledged) child.kill("SIGKILL")
  })
  await once(child, "close")
  return last
}

if (process.argv[1] === import.meta.filename) {
  const [path = ""] = process.argv.slice(2)
  process.on("disconnect", () => process.exit())
  const commitForever = Effect.gen(function* () {
    const duck: Duck<object> = yield* openDuck({ attach: [{ name: "state", path }] })
    yield* duck.run("preparing", "create table state.commits (number bigint not null, text varchar not null)")
    for (let number = 1; ; number++) {
      yield* duck.run(
        "committing",
        "begin",
        `insert into state.commits select ${number}, 'row ' || range from range(${commitRows})`,
        "commit"
      )
      process.send?.(number)
    }
  })
  await Effect.runPromise(Effect.scoped(commitForever))
}
