import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"

import { appendLine, readSuspicions } from "../../../runtime/store/crash-log.ts"
import { openFlightJournal, type FlightJournal } from "../../../runtime/store/flight-journal.ts"
import { openStateFolder, type RunFolder } from "../../../runtime/store/state-folder.ts"

const root = mkdtempSync(join(tmpdir(), "nightshift-crash-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const state = Effect.runSync(openStateFolder(root))
const folderOf = (name: string): RunFolder => {
  const folder = state.run(name)
  mkdirSync(folder.root, { recursive: true })
  return folder
}

/** A session in whose middle the process is gone: what its journal said then stays. */
const crash = async (folder: RunFolder, session: number, work: (journal: FlightJournal) => void, codeVersion = "v1"): Promise<void> => {
  let left = Buffer.alloc(0)
  await Effect.runPromise(
    openFlightJournal(folder, { session, codeVersion }, () => undefined).pipe(
      Effect.map((journal) => {
        work(journal)
        left = readFileSync(folder.flights)
      }),
      Effect.scoped
    )
  )
  writeFileSync(folder.flights, left)
}
const suspicions = (folder: RunFolder, codeVersion = "v1") => Effect.runPromise(readSuspicions(folder, codeVersion))
const enter =
  (...seqs: ReadonlyArray<number>) =>
  (journal: FlightJournal): void =>
    seqs.forEach((seq) => journal.enter(seq))

describe("items in job code when a process ended", () => {
  it("[OPS-5] are suspects after the second crash that they have in common, and given up after the third", async () => {
    const folder = folderOf("three")
    await crash(folder, 1, enter(1, 2, 3))
    expect(await suspicions(folder)).toEqual({ condemned: new Map(), suspects: [] })
    await crash(folder, 2, enter(2, 3, 4))
    expect((await suspicions(folder)).suspects).toEqual([2, 3])
    await crash(folder, 3, enter(3))
    const { condemned, suspects } = await suspicions(folder)
    expect([...condemned]).toEqual([[3, { code: "crashed", step: null, callback: null }]])
    // Item 2 was there each time, and so was the culprit.
    expect(suspects).toEqual([])
  })

  it("[OPS-5] say nothing where the culprit is known, and the culprit is given up at once", async () => {
    const folder = folderOf("known")
    for (const session of [1, 2]) {
      await crash(folder, session, enter(1, 2, 7 + session))
      appendLine(folder.crashes, { session, codeVersion: "v1", kind: "hung", seq: 7 + session, step: "checked", callback: 'rule "short"' })
    }
    const { condemned, suspects } = await suspicions(folder)
    expect([...condemned.keys()]).toEqual([8, 9])
    expect(condemned.get(8)).toEqual({ code: "hung", step: "checked", callback: 'rule "short"' })
    expect(suspects).toEqual([])
  })

  it("[OPS-5] are given another chance by other code", async () => {
    const folder = folderOf("mended")
    appendLine(folder.crashes, { session: 1, codeVersion: "v1", kind: "exited", seq: 7, step: "checked", callback: "prompt" })
    expect([...(await suspicions(folder)).condemned.keys()]).toEqual([7])
    expect([...(await suspicions(folder, "v2")).condemned.keys()]).toEqual([])
  })

  it("[OPS-6] are not blamed for a restart of the machine", async () => {
    const folder = folderOf("restart")
    for (const session of [1, 2]) {
      await crash(folder, session, enter(1))
      const bytes = readFileSync(folder.flights)
      bytes.write('"machine":"another', bytes.indexOf('"machine":"'))
      writeFileSync(folder.flights, bytes)
      expect((await suspicions(folder)).suspects).toEqual([])
    }
    await crash(folder, 3, enter(1))
    await suspicions(folder)
    await crash(folder, 4, enter(1))
    expect((await suspicions(folder)).suspects, "control: the same, on one machine").toEqual([1])
  })

  it("are those that hadn't left, in whichever slot; a settled one only until the next takes its place", async () => {
    const folder = folderOf("slots")
    let suspects: ReadonlyArray<number> = []
    for (const session of [1, 2]) {
      await crash(folder, session, (journal) => {
        enter(10, 11, 12, 13)(journal)
        journal.leave(10)
        journal.finish(11)
        journal.enter(14)
        journal.enter(14)
        journal.leave(12)
        journal.finish(99)
      })
      suspects = (await suspicions(folder)).suspects
    }
    expect(suspects.toSorted()).toEqual([13, 14])
  })

  it("are forgotten with a session that ended as it should, and a torn line or a strange journal says nothing", async () => {
    const folder = folderOf("clean")
    await Effect.runPromise(
      Effect.scoped(
        Effect.map(
          openFlightJournal(folder, { session: 1, codeVersion: "v1" }, () => undefined),
          enter(1)
        )
      )
    )
    expect(existsSync(folder.flights)).toBe(false)
    appendFileSync(folder.crashes, '{"session":1,"codeVersion":"v1","kind":"hung","se')
    writeFileSync(folder.flights, "garbage")
    expect(await suspicions(folder)).toEqual({ condemned: new Map(), suspects: [] })
  })

  it("one crash is counted once, however often the next session begins anew", async () => {
    const folder = folderOf("again")
    await crash(folder, 1, enter(1))
    const left = readFileSync(folder.flights)
    await suspicions(folder)
    writeFileSync(folder.flights, left)
    expect((await suspicions(folder)).suspects).toEqual([])
  })
})
