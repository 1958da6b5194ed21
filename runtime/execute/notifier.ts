/** Passes a run's alerts on: opens incidents, and tells channels by way of the outbox. A fiber beside the work, which waits for nobody. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

import type { Channel } from "../notify/channel.ts"
import type { Message } from "../notify/message.ts"
import { mask } from "../provider/redaction.ts"
import type { AccountPlace } from "../store/account-place.ts"
import type { LedgerShape } from "../store/ledger.ts"
import { openIncident } from "../store/incidents.ts"
import { passOutbox, type Delivery, type DueMessage, type NewMessage } from "../store/outbox.ts"
import type { StateFolder } from "../store/state-folder.ts"
import type { StoreError } from "../store/store-error.ts"
import type { TellAlert } from "./alerts.ts"

/** Alerts that wait while `control.duckdb` can't be written: there are not so many kinds, and the ledger keeps them all. */
const raisedMax = 200
const sendingMax = 4
/** Between two tries to write while the file can't be. */
const troubleMs = 15_000
/** A run that ends doesn't wait longer for channels: a later command delivers the rest. */
const lastRoundMax = "3 seconds"

export interface NotifierOptions {
  readonly folder: StateFolder
  readonly run: string
  readonly job: string
  readonly place: AccountPlace
  /** Those that the job names. */
  readonly operators: ReadonlyArray<Channel>
  /** Those that are called as a consumer of the job. */
  readonly consumers: ReadonlyArray<Channel>
  /** What earlier sessions raised, and may not have passed on. */
  readonly ledger: Pick<LedgerShape, "alerts">
}

type Raised = Parameters<TellAlert>[0]

/** Its fiber lives as long as the scope; at the end it has three seconds more. */
export const openNotifier = Effect.fn("Run.openNotifier")(function* (
  options: NotifierOptions
): Effect.fn.Return<TellAlert, never, Scope.Scope> {
  const notifier = new Notifier(options, yield* Queue.sliding<"look">(1))
  const earlier = yield* Effect.orElseSucceed(options.ledger.alerts, () => [])
  for (const { words, ...alert } of earlier) if (words !== null) notifier.tell({ ...alert, detail: JSON.parse(alert.detail), words })
  // Added before the fiber starts, so that it runs after the fiber has ended.
  yield* Effect.addFinalizer(() => Effect.asVoid(Effect.timeoutOption(Effect.interruptible(notifier.lastRound), lastRoundMax)))
  yield* Effect.forkScoped(notifier.rounds)
  return notifier.tell
})

class Notifier {
  readonly #options: NotifierOptions
  readonly #wake: Queue.Queue<"look">
  readonly #channels: ReadonlyMap<string, Channel>
  #raised: ReadonlyArray<Raised> = []
  #delivered: ReadonlyArray<Delivery> = []
  #nextAt: number | null = 0
  #told = ""

  constructor(options: NotifierOptions, wake: Queue.Queue<"look">) {
    this.#options = options
    this.#wake = wake
    this.#channels = new Map([...options.operators, ...options.consumers].map((channel) => [channel.name, channel]))
    // An earlier run's messages may wait for these channels.
    if (this.#channels.size === 0) this.#nextAt = null
  }

  readonly tell: TellAlert = (raised) => {
    this.#raised = [...this.#raised, raised].slice(-raisedMax)
    Queue.offerUnsafe(this.#wake, "look")
  }

  readonly rounds: Effect.Effect<never> = Effect.forever(
    Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      const isDue = this.#nextAt !== null && this.#nextAt <= now
      if (this.#raised.length > 0 || this.#delivered.length > 0 || isDue) yield* this.#round
      const waitMs = this.#nextAt === null ? null : Math.max(100, this.#nextAt - (yield* Clock.currentTimeMillis))
      const woken = Queue.take(this.#wake)
      yield* waitMs === null ? woken : Effect.timeoutOption(woken, waitMs)
    })
  )

  readonly lastRound: Effect.Effect<void> = Effect.suspend(() =>
    this.#raised.length > 0 || this.#delivered.length > 0 ? Effect.andThen(this.#round, this.#round) : Effect.void
  )

  /** Whatever can't be written now is kept, and tried again. */
  readonly #round: Effect.Effect<void> = Effect.suspend(() =>
    Effect.catch(this.#pass(this.#raised, this.#delivered), (error) => this.#inTrouble(error))
  )

  #pass(raised: ReadonlyArray<Raised>, delivered: ReadonlyArray<Delivery>): Effect.Effect<void, StoreError> {
    const { folder, place } = this.#options
    return Effect.gen({ self: this }, function* () {
      const put: Array<NewMessage> = []
      for (const alert of raised) {
        const incident = alert.words.opensIncident ? yield* openIncident(folder, incidentOf(this.#options, alert)) : null
        put.push(...this.#messagesOf(alert, incident))
      }
      if (this.#channels.size > 0) {
        const now = new Date(yield* Clock.currentTimeMillis)
        const round = { place, channels: [...this.#channels.keys()], put, delivered, takes: true, now }
        const { due, nextAt } = yield* passOutbox(folder, round)
        this.#nextAt = nextAt?.getTime() ?? null
        this.#settled(raised, delivered)
        yield* this.#deliver(due)
      } else {
        this.#nextAt = null
        this.#settled(raised, delivered)
      }
      this.#told = ""
    })
  }

  /** They are durable where they belong. What was raised meanwhile stays. */
  #settled(raised: ReadonlyArray<Raised>, delivered: ReadonlyArray<Delivery>): void {
    this.#raised = this.#raised.filter((alert) => !raised.includes(alert))
    this.#delivered = this.#delivered.filter((delivery) => !delivered.includes(delivery))
  }

  #deliver(due: ReadonlyArray<DueMessage>): Effect.Effect<void> {
    return Effect.forEach(
      due,
      ({ key, channel, message }) =>
        Effect.map(sendOne(this.#channels.get(channel), message), (problem) => {
          this.#delivered = [...this.#delivered, { key, problem }]
          Queue.offerUnsafe(this.#wake, "look")
        }),
      { concurrency: sendingMax, discard: true }
    )
  }

  #messagesOf(alert: Raised, incident: string | null): ReadonlyArray<NewMessage> {
    const { run, job, operators, consumers } = this.#options
    const { kind, words, raisedAt, detail } = alert
    const base = { severity: words.severity, job, run, kind, at: raisedAt.toISOString() }
    const toOperators: Message = {
      ...base,
      audience: "operators",
      text: mask(words.text),
      incident,
      detail,
      commands: [`runtime status ${run}`, ...(incident === null ? [] : [`runtime incidents ack ${incident}`])]
    }
    const { consumersText } = words
    const toConsumers: Message | null =
      consumersText === null
        ? null
        : { ...base, audience: "consumers", text: mask(consumersText), incident: null, detail: null, commands: [] }
    return [
      ...operators.map(({ name }) => ({ channel: name, run, job, kind, message: toOperators })),
      // Who is both hears it once, as an operator.
      ...(toConsumers === null ? [] : consumers.filter(({ name }) => !operators.some((operator) => operator.name === name))).map(
        ({ name }) => ({ channel: name, run, job, kind, message: toConsumers })
      )
    ]
  }

  #inTrouble(error: StoreError): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      this.#nextAt = now + troubleMs
      const isNews = this.#told !== error.message
      this.#told = error.message
      return isNews ? Effect.logWarning(`Incidents and channels wait: ${error.message}`) : Effect.void
    })
  }
}

/** Why it didn't arrive; null where it did. Nothing that a channel does goes further than here. */
export const sendOne = (channel: Channel | undefined, message: unknown): Effect.Effect<string | null> =>
  channel === undefined
    ? Effect.succeed("the channel is gone")
    : // Written by `#messagesOf`, of this version or an earlier one.
      channel.send(message as Message).pipe(
        Effect.as(null),
        Effect.catch(({ detail }) => Effect.succeed(mask(detail))),
        Effect.catchDefect(() => Effect.succeed("it failed in a way that nobody expected"))
      )

const incidentOf = ({ run, job }: NotifierOptions, { kind, words, detail, raisedAt }: Raised) => ({
  run,
  job,
  kind,
  severity: words.severity,
  text: mask(words.text),
  detail,
  openedAt: raisedAt
})
