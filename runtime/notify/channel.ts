/** Where people are told: the form that e-mail will join. */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Message } from "./message.ts"

/** It didn't arrive, as far as is known; it's tried again. The address is never named. */
export class NotDelivered extends Schema.TaggedError<NotDelivered>()("NotDelivered", { detail: Schema.String }) {
  override get message(): string {
    return this.detail
  }
}

export interface Channel {
  /** As the job and the accounts file have it. */
  readonly name: string
  /** Tries once, in bounded time and memory. A message may arrive twice where its answer was lost: its `run` and `kind` tell. */
  readonly send: (message: Message) => Effect.Effect<void, NotDelivered>
}
