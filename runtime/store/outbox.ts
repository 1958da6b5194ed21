/** The outbox: messages to channels, durable until they arrive or are a day old. */
import * as Effect from "effect/Effect"
import type { Kysely } from "kysely"

import type { AccountPlace } from "./account-place.ts"
import { withControl, type ControlTables } from "./control.ts"
import type { StateFolder } from "./state-folder.ts"
import type { StoreError } from "./store-error.ts"

/** Who tries to deliver a message has so long; then another may. */
const leaseMs = 30_000
/** Between a message's first tries; doubles up to the bound. */
const pauseMsFirst = 5_000
const pauseMsMax = 900_000
/** After so long nobody needs to hear it any more. */
const ageMsMax = 86_400_000
/** A round's messages at most: the rest are due in the next. */
const dueMax = 20

export interface NewMessage {
  readonly channel: string
  readonly run: string
  readonly job: string
  /** With run and channel: one message for ever. */
  readonly kind: string
  readonly message: unknown
}

export interface DueMessage {
  readonly key: string
  readonly channel: string
  readonly run: string
  readonly message: unknown
}

/** How a try ended; `problem` is null where the message arrived. */
export interface Delivery {
  readonly key: string
  readonly problem: string | null
}

export interface OutboxRound {
  readonly place: AccountPlace
  /** Whose messages can be delivered here. */
  readonly channels: ReadonlyArray<string>
  readonly put: ReadonlyArray<NewMessage>
  readonly delivered: ReadonlyArray<Delivery>
  /** Whether to take what is due. */
  readonly takes: boolean
  readonly now: Date
}

export interface OutboxState {
  /** Taken: nobody else tries them for half a minute. */
  readonly due: ReadonlyArray<DueMessage>
  /** When the next one of these channels is due; null where none is left. */
  readonly nextAt: Date | null
}

/** Puts what is new, notes what became of earlier tries, and takes what is due: one opening of the file. */
export const passOutbox = (folder: StateFolder, round: OutboxRound): Effect.Effect<OutboxState, StoreError> =>
  withControl(folder, "passOutbox", (duck) =>
    duck.use("passing the outbox", (db) => db.transaction().execute((transaction) => pass(transaction, round)))
  )

const pass = async (db: Kysely<ControlTables>, round: OutboxRound): Promise<OutboxState> => {
  for (const message of round.put) await putOne(db, message, round)
  for (const delivery of round.delivered) await noteOne(db, delivery, round.now)
  const due = round.takes ? await takeDue(db, round) : []
  const next = await waiting(db, round)
    .select(({ fn }) => fn.min("next_at").as("at"))
    .executeTakeFirst()
  return { due, nextAt: next?.at ?? null }
}

const putOne = async (db: Kysely<ControlTables>, { channel, run, job, kind, message }: NewMessage, { place, now }: OutboxRound) => {
  const key = `${run} ${kind} ${channel}`
  const known = await db.selectFrom("control.outbox").select("dedupe_key").where("dedupe_key", "=", key).executeTakeFirst()
  if (known !== undefined) return
  const row = { dedupe_key: key, channel, place: placeOf(place), run, job, message: JSON.stringify(message), created_at: now }
  await db
    .insertInto("control.outbox")
    .values({ ...row, tries: 0, next_at: now, sent_at: null, problem: null })
    .execute()
}

const noteOne = async (db: Kysely<ControlTables>, { key, problem }: Delivery, now: Date): Promise<void> => {
  const row = await db.selectFrom("control.outbox").select(["tries", "created_at"]).where("dedupe_key", "=", key).executeTakeFirst()
  if (row === undefined) return
  const isOld = now.getTime() - row.created_at.getTime() >= ageMsMax
  const next = new Date(now.getTime() + Math.min(pauseMsMax, pauseMsFirst * 2 ** Math.min(row.tries - 1, 16)))
  await db
    .updateTable("control.outbox")
    .set(problem === null ? { sent_at: now, next_at: null, problem } : { next_at: isOld ? null : next, problem })
    .where("dedupe_key", "=", key)
    .execute()
}

const takeDue = async (db: Kysely<ControlTables>, round: OutboxRound): Promise<ReadonlyArray<DueMessage>> => {
  const rows = await waiting(db, round)
    .select(["dedupe_key", "channel", "run", "message", "tries"])
    .where("next_at", "<=", round.now)
    .orderBy("created_at")
    .limit(dueMax)
    .execute()
  for (const { dedupe_key, tries } of rows)
    await db
      .updateTable("control.outbox")
      .set({ tries: tries + 1, next_at: new Date(round.now.getTime() + leaseMs) })
      .where("dedupe_key", "=", dedupe_key)
      .execute()
  return rows.map(({ dedupe_key, channel, run, message }) => ({ key: dedupe_key, channel, run, message: JSON.parse(message) as unknown }))
}

const waiting = (db: Kysely<ControlTables>, { place, channels }: OutboxRound) =>
  db
    .selectFrom("control.outbox")
    .where("place", "=", placeOf(place))
    .where("channel", "in", [...channels, ""])
    .where("next_at", "is not", null)

const placeOf = ({ env, folder }: AccountPlace): string => JSON.stringify({ env, folder })

/** A channel's messages that didn't arrive: on their way, or given up after a day. */
export interface UndeliveredMessages {
  readonly channel: string
  readonly place: AccountPlace
  readonly waiting: number
  readonly givenUp: number
  readonly problem: string | null
}

export const listUndelivered = (folder: StateFolder): Effect.Effect<ReadonlyArray<UndeliveredMessages>, StoreError> =>
  withControl(folder, "listUndelivered", (duck) =>
    duck.use("looking at the outbox", async (db) => {
      const rows = await db
        .selectFrom("control.outbox")
        .select(["channel", "place", "next_at", "problem"])
        .where("sent_at", "is", null)
        .orderBy("created_at")
        .execute()
      return [...Map.groupBy(rows, ({ channel, place }) => `${place} ${channel}`).values()].flatMap((of) => {
        const last = of.at(-1)
        if (last === undefined) return []
        const waiting = of.filter(({ next_at }) => next_at !== null).length
        // Written by `placeOf`.
        const place = JSON.parse(last.place) as AccountPlace
        return [{ channel: last.channel, place, waiting, givenUp: of.length - waiting, problem: last.problem }]
      })
    })
  )
