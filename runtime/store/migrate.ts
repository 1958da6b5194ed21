/** Brings a file to this version's tables: additively, and never a newer file. */
import * as Effect from "effect/Effect"

import type { Duck } from "./duck.ts"
import { StoreError } from "./store-error.ts"

/** Applies what is missing, each version in its own transaction. A file of a newer version is refused unread. */
export const migrate = Effect.fn("Store.migrate")(function* (
  duck: Pick<Duck<unknown>, "run" | "writer">,
  name: string,
  path: string,
  migrations: ReadonlyArray<ReadonlyArray<string>>
): Effect.fn.Return<void, StoreError> {
  yield* duck.run(
    `preparing ${path}`,
    `create table if not exists ${name}.migrations (version integer not null, applied_at timestamptz not null)`
  )
  const found = yield* Effect.tryPromise({
    try: async () =>
      (await duck.writer.runAndReadAll(`select coalesce(max(version), 0)::integer from ${name}.migrations`)).getRows()[0]?.[0],
    catch: (cause) => new StoreError({ reason: "broken", path, detail: String(cause), holderPid: null })
  })
  const version = Number(found ?? 0)
  if (version > migrations.length) {
    return yield* new StoreError({
      reason: "newer",
      path,
      detail: `version ${version}, this nightshift knows ${migrations.length}`,
      holderPid: null
    })
  }
  for (let next = version + 1; next <= migrations.length; next++) {
    yield* duck.run(
      `migrating ${path}`,
      "begin",
      ...(migrations[next - 1] ?? []),
      `insert into ${name}.migrations values (${next}, now())`,
      "commit"
    )
  }
})
