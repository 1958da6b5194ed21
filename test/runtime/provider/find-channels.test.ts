import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

import { findChannels, type ChannelSearch } from "../../../runtime/provider/find-channels.ts"
import { mask } from "../../../runtime/provider/redaction.ts"

const url = "https://hooks.example.com/services/T000/B000/wjxl2Mf9QpR7sVtY"

const find = (accounts: object, search: Partial<ChannelSearch> = {}) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "nightshift-channels-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    writeFileSync(join(folder, "accounts.json"), JSON.stringify(accounts))
    return yield* findChannels({ names: ["ops"], consumers: [], env: null, folder, variables: { OPS_WEBHOOK: url }, ...search })
  }).pipe(Effect.scoped)

const refusal = (accounts: object, search: Partial<ChannelSearch> = {}) =>
  Effect.map(Effect.flip(find(accounts, search)), ({ message }) => message.replaceAll(/\/\S*nightshift-channels-[^/\s]*/g, "DIR"))

const ops = { kind: "slack", urlEnv: "OPS_WEBHOOK" }

describe("where channels are declared", () => {
  it.effect("[OPS-3] beside the accounts; a consumer has one where it's declared, and needs none", () =>
    Effect.gen(function* () {
      const channels = { ops, ticketing: { kind: "console" } }
      const found = yield* find({ desk: { requestsPerMinute: 5 }, channels }, { consumers: ["ticketing", "warehouse"] })
      expect(found.map(({ name, kind, url }) => [name, kind, url === null ? null : Redacted.value(url)])).toEqual([
        ["ops", "slack", url],
        ["ticketing", "console", null]
      ])
      expect(yield* find({}, { names: [], consumers: ["warehouse"] })).toEqual([])
    })
  )

  it.effect("[OPS-3] a name that nobody declared is refused before anything is spent, with what to write", () =>
    Effect.gen(function* () {
      expect(yield* refusal({ channels: { night: ops } })).toBe(
        'Nothing was run or paid for: the job notifies channel "ops", and DIR/accounts.json declares night. Write it there: ' +
          '{ "channels": { "ops": { "kind": "slack", "urlEnv": "OPS_WEBHOOK" } } }, or take it out of the job\'s notify.'
      )
      expect(yield* refusal({ channels: { ops } }, { variables: {} })).toContain(
        'channel "ops": no URL: DIR/accounts.json says of channel "ops" that it\'s in OPS_WEBHOOK, and that is not set'
      )
    })
  )

  it.effect(
    "[SEC-1] [SEC-3] a URL is a secret: masked whole and in its parts, never in the file, and never without TLS beyond this machine",
    () =>
      Effect.gen(function* () {
        yield* find({ channels: { ops } })
        expect(mask(`POST ${url} failed`)).toBe("POST *** failed")
        expect(mask("path /services/T000/B000/wjxl2Mf9QpR7sVtY")).not.toContain("wjxl2Mf9")
        expect(mask("token wjxl2Mf9QpR7sVtY")).toBe("token ***")
        expect(yield* refusal({ channels: { ops: { kind: "slack", url } } })).toContain("channels.ops.url: is no field of a channel")
        expect(yield* refusal({ channels: { ops: { kind: "slack" } } })).toContain("must say in one way where its URL is")
        expect(yield* refusal({ channels: { ops } }, { variables: { OPS_WEBHOOK: "http://hooks.example.com/abcdefgh" } })).toMatch(
          /the URL in OPS_WEBHOOK is http: without TLS/
        )
        expect(yield* find({ channels: { ops } }, { variables: { OPS_WEBHOOK: "http://127.0.0.1:8080/hook-hook" } })).toHaveLength(1)
      })
  )
})
