/** Who answers the models of one job: embedded functions alone, or providers over the wire, with keys that were looked up before anything is spent. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import type { Model } from "../../dsl/index.ts"
import { localProvider } from "../provider/local.ts"
import { Provider } from "../provider/provider.ts"
import { isRemote } from "./graph.ts"

/** Null for a job of embedded models only: then nothing of providers is even loaded. */
export const openEngines = Effect.fn("Run.openEngines")(function* (
  models: ReadonlyArray<Model>,
  services: Context.Context<never>,
  place: { readonly env: string | null; readonly folder: string }
) {
  const local = yield* Effect.provide(Provider, localProvider(services))
  const remote = models.filter(isRemote)
  if (remote.length === 0) return { provider: local, remote: null }
  const { openAccounts } = yield* Effect.promise(() => import("../provider/accounts.ts"))
  const { openHttp } = yield* Effect.promise(() => import("../provider/http.ts"))
  const { remoteProvider } = yield* Effect.promise(() => import("../provider/remote.ts"))
  const { batchEngines } = yield* Effect.promise(() => import("../provider/batch-engines.ts"))
  const accounts = yield* openAccounts({ models: remote, ...place })
  const agent = yield* openHttp
  const provider = yield* remoteProvider({ agent, accounts, local })
  return { provider, remote: { accounts, batches: yield* batchEngines({ agent, accounts }) } }
})
