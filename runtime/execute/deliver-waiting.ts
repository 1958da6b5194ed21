/** Delivers what earlier runs couldn't: called by commands that people type anyway. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import { findChannels } from "../provider/find-channels.ts"
import { listUndelivered, passOutbox, type UndeliveredMessages } from "../store/outbox.ts"
import type { StateFolder } from "../store/state-folder.ts"
import { sendOne } from "./notifier.ts"

/** Nobody waits longer for a channel than that. */
const triesFor = "3 seconds"

/** Tries what is due, once, and says what is left. Never fails: a channel's trouble is not the command's. */
export const deliverWaiting = (folder: StateFolder): Effect.Effect<ReadonlyArray<UndeliveredMessages>> =>
  Effect.gen(function* () {
    const before = yield* listUndelivered(folder)
    const open = before.filter(({ waiting }) => waiting > 0)
    if (open.length === 0) return before
    const tries = Effect.forEach(open, (messages) => deliverTo(folder, messages), { concurrency: 4, discard: true })
    yield* Effect.timeoutOption(tries, triesFor)
    return yield* listUndelivered(folder)
  }).pipe(Effect.catch((error) => Effect.as(Effect.logWarning(`What waits for channels couldn't be looked at: ${error.message}`), [])))

const deliverTo = (folder: StateFolder, { channel: name, place }: UndeliveredMessages) =>
  Effect.gen(function* () {
    const { openPost } = yield* Effect.promise(() => import("../notify/post.ts"))
    const { openChannel } = yield* Effect.promise(() => import("../notify/open-channel.ts"))
    const [declared] = yield* findChannels({ names: [name], consumers: [], ...place })
    if (declared === undefined) return
    const channel = openChannel(declared, yield* openPost)
    const round = { place, channels: [name], put: [] }
    const { due } = yield* passOutbox(folder, { ...round, delivered: [], takes: true, now: new Date(yield* Clock.currentTimeMillis) })
    const delivered = yield* Effect.forEach(due, ({ key, message }) =>
      Effect.map(sendOne(channel, message), (problem) => ({ key, problem }))
    )
    yield* passOutbox(folder, { ...round, delivered, takes: false, now: new Date(yield* Clock.currentTimeMillis) })
  }).pipe(Effect.scoped, Effect.ignore)
