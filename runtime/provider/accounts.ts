/** Accounts by name: keys, addresses and limits, looked up before anything is spent, and keys again when they are rejected (SEC-1). */
import * as path from "node:path"

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"

import type { Model } from "../../dsl/index.ts"
import { readAccountFile, type AccountEntry, type AccountFile } from "./account-file.ts"
import { baseUrlOf } from "./base-url.ts"
import { readEnvironment, type Environment, type Variables } from "./environment.ts"
import { findKey } from "./find-key.ts"
import { mask } from "./redaction.ts"

/** As of now: a later `of` of the same model may have another key. */
export interface Account {
  readonly name: string
  readonly engine: Model["engine"]
  /** Without a slash at its end; OpenAI's ends in its version, as in its SDK. */
  readonly baseUrl: string
  /** Null where the server wants none. */
  readonly key: Redacted.Redacted<string> | null
  /** Of one call at most; ten minutes, as in the SDKs, unless the account says otherwise. */
  readonly timeoutMs: number
  /** Whether the account says it: then it isn't shortened for short answers. */
  readonly isTimeoutOwn: boolean
}

export interface AccountLimits {
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly concurrencyMax: number | undefined
}

export class Accounts extends Context.Service<
  Accounts,
  {
    /** What the accounts file declares; nothing for an embedded model. */
    readonly limitsOf: (model: Model) => AccountLimits
    /** A look into a map. Throws for a model that `openAccounts` wasn't given. */
    readonly of: (model: Model) => Account
    /** Looks for the key again after a 401 on `rejected`: whether there is another one now. Those who ask at the same time share one look. */
    readonly reread: (model: Model, rejected: Redacted.Redacted<string>) => Effect.Effect<boolean>
  }
>()("nightshift/Accounts") {}

/** Accounts that can't be used, all of them, each with where its key was looked for and what to type. */
export class AccountsError extends Schema.TaggedError<AccountsError>()("AccountsError", { faults: Schema.Array(Schema.String) }) {
  override get message(): string {
    const [first = "", ...others] = this.faults
    if (others.length === 0) return `Nothing was run or paid for: ${first}.`
    return `Nothing was run or paid for; ${this.faults.length} things stand in the way:\n${this.faults.map((fault) => `  - ${fault}.`).join("\n")}`
  }
}

export interface AccountsOptions {
  /** Of one job; embedded ones are passed over. */
  readonly models: ReadonlyArray<Model>
  /** The named environment of `--env`: `accounts.<env>.json` and `.env.<env>` instead of the plain ones. */
  readonly env: string | null
  /** Where the accounts file and `.env` are. */
  readonly folder: string
  /** Default: the process's own. */
  readonly variables?: Variables
}

const timeoutMsDefault = 600_000
/** Keys that are looked up at once: commands of a secret manager, mostly. */
const lookupsMax = 4

/** Finds every account's key and address, or fails with all that is missing. */
export const openAccounts = Effect.fn("Accounts.open")(function* ({ models, env, folder, variables = process.env }: AccountsOptions) {
  if (env !== null && !/^[A-Za-z0-9_-]+$/.test(env))
    return yield* new AccountsError({ faults: ["--env takes a name of letters, digits, - and _, such as --env staging"] })
  const file = readAccountFile(path.resolve(folder, env === null ? "accounts.json" : `accounts.${env}.json`))
  const readVariables = () => readEnvironment(path.resolve(folder), env, variables)
  const environment = readVariables()
  if (Result.isFailure(file) || Result.isFailure(environment))
    return yield* new AccountsError({
      faults: [...(Result.isFailure(file) ? file.failure : []), ...(Result.isFailure(environment) ? [environment.failure] : [])]
    })
  const holders = holdersOf(models, file.success, folder)
  const keyFaults = yield* Effect.forEach(
    holders,
    (holder) => Effect.map(holder.read(environment.success), (key) => (Result.isFailure(key) ? [`${holder.title}: ${key.failure}`] : [])),
    { concurrency: lookupsMax }
  )
  const slots = holders.flatMap((holder) => holder.models.map((model) => slotOf(model, holder, file.success, environment.success)))
  const urlFaults = new Set(
    slots.flatMap(({ holder, baseUrl }) => (Result.isFailure(baseUrl) ? [`${holder.title}: ${baseUrl.failure}`] : []))
  )
  const faults = [...keyFaults.flat(), ...urlFaults]
  if (faults.length > 0) return yield* new AccountsError({ faults: faults.map(mask) })
  return serviceOf(slots, readVariables)
})

/** One account of one provider: it has one key, however many models use it. */
interface Holder {
  readonly title: string
  readonly models: ReadonlyArray<Model>
  readonly lock: Semaphore.Semaphore
  key: Redacted.Redacted<string> | null
  /** Looks so far: who waited for one needs none of its own. */
  looks: number
  readonly read: (environment: Environment) => Effect.Effect<Result.Result<Redacted.Redacted<string> | null, string>>
}

const holdersOf = (models: ReadonlyArray<Model>, accounts: AccountFile, folder: string): ReadonlyArray<Holder> => {
  const remote = [...new Set(models.filter(({ engine }) => engine !== "local"))]
  return [...Map.groupBy(remote, holderKey).values()].flatMap((models) => {
    const [first] = models
    if (first === undefined) return []
    const { engine, account } = first
    const names = [...new Set(models.map(({ name }) => name))].join(", ")
    const holder: Holder = {
      title: `account "${account}" (${engine}, asked for ${names})`,
      models,
      lock: Semaphore.makeUnsafe(1),
      key: null,
      looks: 0,
      read: (environment) =>
        Effect.map(findKey({ engine, account, accounts, environment, folder }), (found) => {
          if (Result.isSuccess(found)) holder.key = found.success
          return found
        })
    }
    return [holder]
  })
}

const holderKey = ({ engine, account }: Model): string => `${engine} ${account}`

interface Slot {
  readonly model: Model
  readonly holder: Holder
  readonly entry: AccountEntry | undefined
  readonly baseUrl: Result.Result<string, string>
}

const slotOf = (model: Model, holder: Holder, accounts: AccountFile, environment: Environment): Slot => {
  const entry = accounts.entries.get(model.account)
  return { model, holder, entry, baseUrl: baseUrlOf(model, entry, environment) }
}

const serviceOf = (slots: ReadonlyArray<Slot>, readVariables: () => Result.Result<Environment, string>): Accounts["Service"] => {
  const slotByModel = new Map(slots.map((slot) => [slot.model, slot]))
  const accountByModel = new Map<Model, Account>()
  const find = <A>(found: A | undefined, { name }: Model): A => {
    if (found === undefined) throw new Error(`Model ${name} is not one of those whose accounts were opened`)
    return found
  }
  const place = (holder: Holder): void => {
    for (const { model, entry, baseUrl } of slots.filter((slot) => slot.holder === holder)) {
      if (Result.isFailure(baseUrl)) continue
      const { account: name, engine } = model
      const timeoutMs = entry?.timeoutMs ?? timeoutMsDefault
      accountByModel.set(model, {
        name,
        engine,
        baseUrl: baseUrl.success,
        key: holder.key,
        timeoutMs,
        isTimeoutOwn: entry?.timeoutMs !== undefined
      })
    }
  }
  for (const { holder } of slots) place(holder)

  const look = Effect.fnUntraced(function* (holder: Holder, rejected: Redacted.Redacted<string>, looksBefore: number) {
    if (!isSame(holder.key, rejected)) return true
    if (holder.looks > looksBefore) return false
    const environment = readVariables()
    const found = Result.isFailure(environment) ? Result.fail(environment.failure) : yield* holder.read(environment.success)
    holder.looks++
    if (Result.isFailure(found)) {
      yield* Effect.logWarning(mask(`The key of ${holder.title} was rejected and could not be read again: ${found.failure}.`))
      return false
    }
    place(holder)
    return !isSame(holder.key, rejected)
  })
  return {
    limitsOf: (model) => {
      const entry = slotByModel.get(model)?.entry
      return {
        requestsPerMinute: entry?.requestsPerMinute ?? null,
        tokensPerMinute: entry?.tokensPerMinute ?? null,
        concurrencyMax: entry?.concurrencyMax
      }
    },
    of: (model) => find(accountByModel.get(model), model),
    reread: (model, rejected) =>
      Effect.suspend(() => {
        const { holder } = find(slotByModel.get(model), model)
        return holder.lock.withPermits(1)(look(holder, rejected, holder.looks))
      })
  }
}

const isSame = (key: Redacted.Redacted<string> | null, other: Redacted.Redacted<string>): boolean =>
  key !== null && Redacted.value(key) === Redacted.value(other)
