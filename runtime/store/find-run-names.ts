/** The runs of a state folder, newest name first. */
import { readdirSync } from "node:fs"

import type { StateFolder } from "./state-folder.ts"

export const findRunNames = (folder: StateFolder): ReadonlyArray<string> =>
  readdirSync(folder.runs, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted()
    .toReversed()
