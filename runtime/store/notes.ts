/** What people wrote when they decided about items: free text, so it stands with the run's payload and goes with it. */
import * as fs from "node:fs"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { onDisk } from "./durable-file.ts"
import type { RunFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

const Note = Schema.Struct({
  /** Decisions of `control.duckdb`, both ends included. */
  firstDecision: Schema.Finite,
  lastDecision: Schema.Finite,
  text: Schema.String
})
export type Note = typeof Note.Type
const decodeNote = Schema.decodeUnknownOption(Schema.fromJsonString(Note))

/** Written before the decisions that it belongs to: one that nothing refers to does no harm. */
export const addNote = ({ notes }: RunFolder, note: Note): Effect.Effect<void, StoreError> =>
  onDisk(notes, () => fs.appendFileSync(notes, `${JSON.stringify(note)}\n`, { mode: 0o600, flush: true }))

export const readNotes = ({ notes }: RunFolder): Effect.Effect<ReadonlyArray<Note>, StoreError> =>
  onDisk(notes, () =>
    fs.existsSync(notes)
      ? fs
          .readFileSync(notes, "utf8")
          .split("\n")
          .flatMap((line) => {
            const note = decodeNote(line)
            return note._tag === "Some" ? [note.value] : []
          })
      : []
  )
