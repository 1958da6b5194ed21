/** Whom a job tells: found before anything is spent. */
import * as Effect from "effect/Effect"

import type { Plan } from "../../dsl/index.ts"
import { findChannels } from "../provider/find-channels.ts"
import type { AccountPlace } from "../store/account-place.ts"

/** The channels that the job names, and those that are called as its consumers. Fails for a name that nobody declared. */
export const openChannels = Effect.fn("Run.openChannels")(function* ({ notify = [], consumers }: Plan, place: AccountPlace) {
  const found = yield* findChannels({ names: notify, consumers, ...place })
  // A run that tells nobody loads none of it.
  if (found.length === 0) return { operators: [], consumers: [] }
  const { openPost } = yield* Effect.promise(() => import("../notify/post.ts"))
  const { openChannel } = yield* Effect.promise(() => import("../notify/open-channel.ts"))
  const post = yield* openPost
  const channels = found.map((channel) => openChannel(channel, post))
  return {
    operators: channels.filter(({ name }) => notify.includes(name)),
    consumers: channels.filter(({ name }) => consumers.includes(name))
  }
})
