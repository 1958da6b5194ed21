/** `runtime trace ITEM_KEY` */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"

import { Misuse } from "./misuse.ts"
import { verb } from "./verb.ts"

export const trace = verb(
  "trace",
  {
    description:
      "Everything known of one item, across runs: where it came from, which model and prompt version answered, what the rules said, how it ended.",
    examples: [
      ["runtime trace inbox/2026-03-01/17", "by the author's key"],
      ["runtime trace --id 5f0c2b7a9d1e4c3b8a7f6e5d", "by the item_id that the views show"]
    ]
  },
  {
    item: Argument.String("item").pipe(Argument.withDescription("the item's key, as the job's `key` gives it; its item_id with --id")),
    id: Flag.Boolean("id").pipe(Flag.withDescription("the argument is an item_id"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* ({ item, id, state }) {
    if (id && !/^[0-9a-f]{24}$/.test(item))
      return yield* new Misuse({ problem: `"${item}" is no item_id: those are 24 hex digits.`, remedy: "Drop --id to trace a key." })
    const { openStateFolder } = yield* Effect.promise(() => import("../store/state-folder.ts"))
    const { traceItem } = yield* Effect.promise(() => import("../store/trace-item.ts"))
    const { traceText } = yield* Effect.promise(() => import("./trace-text.ts"))
    const folder = yield* openStateFolder(state)
    const history = yield* traceItem(folder, id ? { itemId: item } : { key: item })
    if (history.runs.length === 0) {
      return yield* new Misuse({
        problem: `No run in ${folder.root} has seen the item ${id ? `with id ${item}` : `"${item}"`}.`,
        remedy: id
          ? "Ids belong to one state folder: name another with --state DIR."
          : "A key is what the job's `key` gives, to the letter; `runtime trace --id ITEM_ID` takes the id that views show."
      })
    }
    return { json: history, text: traceText(history) }
  }, Effect.scoped)
)
