import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect } from "vitest"

import { anthropic, local, openai, openaiCompatible } from "../../../dsl/index.ts"
import { openAccounts, type Account, type AccountsOptions } from "../../../runtime/provider/accounts.ts"
import { mask } from "../../../runtime/provider/redaction.ts"

const mini = openai("gpt-5-mini", { account: "desk" })
const haiku = anthropic("claude-haiku-4-5", { account: "desk" })
const llama = openaiCompatible("llama3", { account: "cellar", baseUrl: "http://10.0.0.7:8000/v1/" })

const makeFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(path.join(os.tmpdir(), "nightshift-accounts-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

interface Setting extends Partial<AccountsOptions> {
  readonly files?: Readonly<Record<string, string | object>>
}

/** Opens accounts in a folder with these files, and an environment of these variables alone. */
const open = Effect.fnUntraced(function* ({ files = {}, ...options }: Setting) {
  const folder = yield* makeFolder
  for (const [name, content] of Object.entries(files))
    writeFileSync(path.join(folder, name), typeof content === "string" ? content : JSON.stringify(content))
  const accounts = yield* openAccounts({ models: [mini], env: null, folder, variables: {}, ...options })
  return { accounts, folder }
})

const keyOf = ({ key }: Account): string | null => (key === null ? null : Redacted.value(key))

const openedKey = (setting: Setting) =>
  Effect.map(open(setting), ({ accounts }) => keyOf(accounts.of(setting.models?.[0] ?? mini))).pipe(Effect.scoped)

/** The message of the refusal, without the folder's own name. */
const refusal = (setting: Setting) =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(open(setting))
    return error.message.replaceAll(/\/\S*nightshift-accounts-[^/\s]*/g, "DIR")
  }).pipe(Effect.scoped)

describe("where an account's key comes from", () => {
  it.effect("[SEC-1] the accounts file first, then the account's own variable, then the SDK's", () =>
    Effect.gen(function* () {
      const variables = {
        IN_FILE: "key-of-file",
        DESK_API_KEY: "key-of-account",
        OPENAI_API_KEY: "key-of-sdk",
        ANTHROPIC_API_KEY: "key-of-other"
      }
      const files = { "accounts.json": { desk: { keyEnv: "IN_FILE" } } }
      expect(yield* openedKey({ files, variables })).toBe("key-of-file")
      expect(yield* openedKey({ variables })).toBe("key-of-account")
      expect(yield* openedKey({ files: { "accounts.json": { desk: { requestsPerMinute: 60 }, other: { keyEnv: "X" } } }, variables })).toBe(
        "key-of-account"
      )
      expect(yield* openedKey({ variables: { ...variables, DESK_API_KEY: undefined } })).toBe("key-of-sdk")
      expect(yield* openedKey({ variables: { ...variables, DESK_API_KEY: "  " } })).toBe("key-of-sdk")
      expect(yield* openedKey({ variables: { ...variables, DESK_API_KEY: undefined }, models: [haiku] })).toBe("key-of-other")
      expect(
        yield* openedKey({ variables: { FRONT_DESK_2_API_KEY: " trimmed \n" }, models: [openai("gpt-5", { account: "front-desk.2" })] })
      ).toBe("trimmed")
    })
  )

  it.effect("[SEC-1] every variable may stand in .env, and the real environment wins", () =>
    Effect.gen(function* () {
      const files = { ".env": '# keys\nexport DESK_API_KEY="key-of-dotenv"\nOPENAI_API_KEY=sdk-of-dotenv\nIN_FILE=named-in-dotenv\n' }
      expect(yield* openedKey({ files })).toBe("key-of-dotenv")
      expect(yield* openedKey({ files, variables: { DESK_API_KEY: "key-of-account" } })).toBe("key-of-account")
      expect(yield* openedKey({ files: { ...files, "accounts.json": { desk: { keyEnv: "IN_FILE" } } } })).toBe("named-in-dotenv")
    })
  )

  it.effect("[SEC-1] a file or a command of a secret manager gives its first line", () =>
    Effect.gen(function* () {
      const variables = { DESK_API_KEY: "key-of-account" }
      expect(
        yield* openedKey({
          variables,
          files: { "accounts.json": { desk: { keyFile: "secret.txt" } }, "secret.txt": "\uFEFFkey-of-file\r\nlogin\n" }
        })
      ).toBe("key-of-file")
      expect(
        yield* openedKey({
          variables,
          files: { "accounts.json": { desk: { keyCommand: ["cat", "secret.txt"] } }, "secret.txt": "key-of-command\n" }
        })
      ).toBe("key-of-command")
    })
  )

  it.effect("[SEC-1] --env picks another file and another .env, and nothing of the plain ones", () =>
    Effect.gen(function* () {
      const files = {
        "accounts.json": { desk: { keyEnv: "PLAIN" } },
        ".env": "PLAIN=plain-key\nDESK_API_KEY=plain-account-key",
        "accounts.staging.json": { desk: { keyEnv: "STAGED", requestsPerMinute: 6 } },
        ".env.staging": "STAGED=staging-key"
      }
      expect(yield* openedKey({ files })).toBe("plain-key")
      expect(yield* openedKey({ files, env: "staging" })).toBe("staging-key")
      expect(yield* refusal({ files, env: "live" })).toContain("DIR/accounts.live.json is not there")
      expect(yield* refusal({ files, env: "../staging" })).toContain("--env takes a name of letters")
    })
  )

  it.effect("[SEC-1] an OpenAI-compatible server gets no key of another company, and needs none", () =>
    Effect.gen(function* () {
      const models = [llama]
      const variables = { OPENAI_API_KEY: "key-of-openai", ANTHROPIC_API_KEY: "key-of-anthropic" }
      expect(yield* openedKey({ models, variables })).toBeNull()
      for (const account of ["openai", "anthropic"])
        expect(yield* openedKey({ variables, models: [openaiCompatible("llama3", { account, baseUrl: "http://10.0.0.7/v1" })] })).toBeNull()
      expect(yield* openedKey({ models, variables: { ...variables, CELLAR_API_KEY: "key-of-cellar" } })).toBe("key-of-cellar")
      expect(yield* openedKey({ models, variables, files: { "accounts.json": { cellar: { keyEnv: "OPENAI_API_KEY" } } } })).toBe(
        "key-of-openai"
      )
      const named = openai("gpt-5", { account: "anthropic" })
      expect(yield* openedKey({ models: [named], variables })).toBe("key-of-openai")
    })
  )
})

describe("where an account's calls go", () => {
  const openedUrl = (setting: Setting) =>
    Effect.map(
      open({ ...setting, variables: { DESK_API_KEY: "some-desk-key", ...setting.variables } }),
      ({ accounts }) => accounts.of(setting.models?.[0] ?? mini).baseUrl
    ).pipe(Effect.scoped)

  it.effect("[SEC-1] to the provider, or where the SDK's own variable or the accounts file says", () =>
    Effect.gen(function* () {
      const variables = { OPENAI_BASE_URL: "https://eu.api.openai.com/v1/", ANTHROPIC_BASE_URL: "http://127.0.0.1:8080" }
      expect(yield* openedUrl({})).toBe("https://api.openai.com/v1")
      expect(yield* openedUrl({ models: [haiku] })).toBe("https://api.anthropic.com")
      expect(yield* openedUrl({ variables })).toBe("https://eu.api.openai.com/v1")
      expect(yield* openedUrl({ variables, models: [haiku] })).toBe("http://127.0.0.1:8080")
      expect(yield* openedUrl({ variables, files: { "accounts.json": { desk: { baseUrl: "https://gateway.example/openai/v1" } } } })).toBe(
        "https://gateway.example/openai/v1"
      )
      expect(yield* openedUrl({ files: { ".env": "OPENAI_BASE_URL=http://localhost:9/v1" } })).toBe("http://localhost:9/v1")
      expect(
        yield* openedUrl({ variables, models: [llama], files: { "accounts.json": { cellar: { baseUrl: "https://elsewhere.example" } } } })
      ).toBe("http://10.0.0.7:8000/v1")
    })
  )

  it.effect("[SEC-3] nothing of OpenAI's or Anthropic's leaves the machine without TLS", () =>
    Effect.gen(function* () {
      for (const host of ["api.example.com", "10.0.0.7:8000", "127.0.0.1.example.com", "localhost.example.com", "[::2]", "0.0.0.0"]) {
        const said = yield* refusal({ variables: { DESK_API_KEY: "some-desk-key", OPENAI_BASE_URL: `http://${host}/v1` } })
        expect(said).toContain(
          `OPENAI_BASE_URL is http://${host}: without TLS, key and data would cross the network in clear. Write https://${host}`
        )
      }
      const variables = { DESK_API_KEY: "some-desk-key", ANTHROPIC_BASE_URL: "http://10.0.0.7" }
      expect(yield* refusal({ models: [haiku], variables })).toContain("ANTHROPIC_BASE_URL is http://10.0.0.7")
      expect(yield* refusal({ variables, files: { "accounts.json": { desk: { baseUrl: "http://10.0.0.7" } } } })).toContain(
        "its baseUrl in the accounts file"
      )
      for (const host of ["localhost:8080", "127.0.0.1:8080", "127.1", "[::1]:8080", "mock.localhost"])
        expect(yield* openedUrl({ variables: { OPENAI_BASE_URL: `http://${host}/v1` } })).toMatch(/^http:\/\//)
    })
  )

  it.effect("[SEC-1] an address that is none, or holds a password, is refused and not repeated", () =>
    Effect.gen(function* () {
      for (const [url, reason] of [
        ["api.example.com", "is no http or https URL"],
        ["ftp://api.example.com", "is no http or https URL"],
        ["https://desk:hunter2hunter2@api.example.com/v1", "holds a user or password"],
        ["https://api.example.com/v1?key=hunter2hunter2", "ends in a query"]
      ] as const) {
        const said = yield* refusal({ variables: { DESK_API_KEY: "some-desk-key", OPENAI_BASE_URL: url } })
        expect(said).toContain(`account "desk" (openai, asked for gpt-5-mini): OPENAI_BASE_URL ${reason}`)
        expect(said).not.toContain("hunter2")
      }
    })
  )
})

describe("an account's limits", () => {
  it.effect("[SEC-1] are what the accounts file declares; an embedded model has none", () =>
    Effect.gen(function* () {
      const desk = { requestsPerMinute: 600, tokensPerMinute: 90_000, concurrencyMax: 12, timeoutMs: 5_000 }
      const { accounts } = yield* open({
        files: { "accounts.json": { desk } },
        variables: { OPENAI_API_KEY: "some-desk-key" },
        models: [mini, llama]
      })
      const none = { requestsPerMinute: null, tokensPerMinute: null, concurrencyMax: undefined }
      expect(accounts.limitsOf(mini)).toEqual({ requestsPerMinute: 600, tokensPerMinute: 90_000, concurrencyMax: 12 })
      expect(accounts.limitsOf(llama)).toEqual(none)
      expect(accounts.limitsOf(local("bayes", () => 1))).toEqual(none)
      expect(accounts.of(mini).timeoutMs).toBe(5_000)
      expect(accounts.of(llama).timeoutMs).toBe(600_000)
      expect(() => accounts.of(haiku)).toThrow("Model claude-haiku-4-5 is not one of those")
    }).pipe(Effect.scoped)
  )
})

describe("accounts that can't be used", () => {
  it.effect("[SEC-1] are all named at once, each with its models, every place looked, and what to type", () =>
    Effect.gen(function* () {
      const models = [mini, openai("gpt-5", { account: "desk" }), anthropic("claude-opus-4-5", { account: "review" }), llama]
      const said = yield* refusal({ models, files: { "accounts.json": { review: { keyFile: "/nowhere/review" } } } })
      expect(said).toBe(
        [
          "Nothing was run or paid for; 2 things stand in the way:",
          '  - account "desk" (openai, asked for gpt-5-mini, gpt-5): no key. Looked for DESK_API_KEY, then OPENAI_API_KEY in the environment and DIR/.env (no such file); ' +
            'DIR/accounts.json has no key for "desk". Type `export DESK_API_KEY=…`, or write where the key is into accounts.json: { "desk": { "keyFile": "/run/secrets/…" } }.',
          '  - account "review" (anthropic, asked for claude-opus-4-5): no key: DIR/accounts.json says of "review" that it\'s in the file /nowhere/review, which is not there. ' +
            "Write the key there, or mend the path."
        ].join("\n")
      )
      expect(yield* refusal({}), "one alone is one sentence").toMatch(/^Nothing was run or paid for: account "desk" .*\.$/)
    })
  )

  it.effect("[SEC-1] an account that says where its key is gets none from elsewhere", () =>
    Effect.gen(function* () {
      const variables = { DESK_API_KEY: "key-of-account", OPENAI_API_KEY: "key-of-sdk" }
      const refused = (desk: object, files = {}) => refusal({ variables, files: { "accounts.json": { desk }, ...files } })
      expect(yield* refused({ keyEnv: "UNSET" })).toContain(
        "it's in UNSET, and that is not set in the environment and DIR/.env (no such file). Type `export UNSET=…`"
      )
      expect(yield* refused({ keyFile: "empty" }, { empty: "\n \n" })).toContain("the file DIR/empty, which is empty")
      expect(yield* refused({ keyFile: "." })).toContain("which can't be read (EISDIR)")
      expect(yield* refused({ keyCommand: ["sh", "-c", "echo sk-half-a-key; exit 4"] })).toContain(
        "`sh …` tells it, which ended with exit code 4. Run its keyCommand by hand"
      )
    })
  )

  it.effect("[SEC-1] every fault of the accounts file is told with its path, none with a value", () =>
    Effect.gen(function* () {
      const said = yield* refusal({
        files: {
          "accounts.json": {
            desk: { keyEnv: "sk-live-in-env", apiKey: "sk-live-in-file", requestsPerMinute: 0.5 },
            front: { keyEnv: "ONE", keyFile: "two" },
            back: { keyCommand: [], baseUrl: 7 },
            side: "sk-live-alone"
          }
        }
      })
      for (const fault of [
        "DIR/accounts.json: desk.keyEnv: must be the name of an environment variable, in capitals, and never the key itself",
        "DIR/accounts.json: desk.apiKey: is no field of an account, which are keyEnv, keyFile, keyCommand, baseUrl,",
        "DIR/accounts.json: desk.requestsPerMinute: must be a whole number above 0",
        "DIR/accounts.json: front: has more than one of keyEnv, keyFile and keyCommand: keep one",
        "DIR/accounts.json: back.keyCommand.0: Missing key",
        "DIR/accounts.json: back.baseUrl: Expected string",
        "DIR/accounts.json: side: Expected object"
      ])
        expect(said).toContain(fault)
      expect(said).not.toContain("sk-live")
    })
  )

  it.effect("[SEC-1] an accounts file that is no JSON, or can't be read, is refused without quoting it", () =>
    Effect.gen(function* () {
      const said = yield* refusal({ files: { "accounts.json": '{\n  "desk": sk-live-key }' } })
      expect(said).toMatch(/DIR\/accounts\.json is not JSON/)
      expect(said).not.toContain("sk-live")
      const folder = yield* makeFolder
      mkdirSync(path.join(folder, "accounts.json"))
      mkdirSync(path.join(folder, ".env"))
      const error = yield* Effect.flip(openAccounts({ models: [mini], env: null, folder, variables: {} }))
      expect(error.faults).toEqual([`${folder}/accounts.json can't be read (EISDIR)`, `${folder}/.env can't be read (EISDIR)`])
    }).pipe(Effect.scoped)
  )

  it.effect("[SEC-1] a key that no header can carry is refused by its place, not by its text", () =>
    Effect.gen(function* () {
      const said = yield* refusal({ variables: { DESK_API_KEY: "sk-live one two" } })
      expect(said).toContain("the key in DESK_API_KEY holds a space, a line break or a letter that no HTTP header carries")
      expect(said).not.toContain("sk-live")
    })
  )

  it.effect("[SEC-1] [case 60] a key that was read is a secret from then on, and never shows by itself", () =>
    Effect.gen(function* () {
      const key = "sk-accounts-noted-1"
      expect(mask(key), "the control").toBe(key)
      const { accounts } = yield* open({ variables: { DESK_API_KEY: key } })
      expect(mask(`401 for ${key}`)).toBe("401 for ***")
      const account = accounts.of(mini)
      expect(JSON.stringify(account) + String(account.key)).not.toContain(key)
    }).pipe(Effect.scoped)
  )
})

describe("a key that was rejected", () => {
  /** Counts how often the key is looked for. */
  const files = {
    "accounts.json": { desk: { keyCommand: ["sh", "-c", "echo >> looks; cat secret.txt"] } },
    "secret.txt": "first-desk-key"
  }
  const looksIn = (folder: string): number => readFileSync(path.join(folder, "looks"), "utf8").length
  const models = [mini, openai("gpt-5", { account: "desk" })] as const
  const rejectedOf = (key: Account["key"]) => key ?? Redacted.make("none")

  it.effect("[SEC-1] is looked for again: a rotated one is every model's of the account, without a restart", () =>
    Effect.gen(function* () {
      const { accounts, folder } = yield* open({ files, models })
      const rejected = rejectedOf(accounts.of(mini).key)
      writeFileSync(path.join(folder, "secret.txt"), "second-desk-key")
      expect(yield* accounts.reread(mini, rejected)).toBe(true)
      expect(models.map((model) => keyOf(accounts.of(model)))).toEqual(["second-desk-key", "second-desk-key"])
      expect(yield* accounts.reread(models[1], rejected), "known already").toBe(true)
      expect(looksIn(folder)).toBe(2)
      expect(mask("second-desk-key"), "the new one is a secret too").toBe("***")
      expect(mask("first-desk-key"), "and the old one stays one").toBe("***")
    }).pipe(Effect.scoped)
  )

  it.effect("[SEC-1] is looked for once by all calls that it was rejected for at the same time", () =>
    Effect.gen(function* () {
      const { accounts, folder } = yield* open({ files, models })
      const rejected = rejectedOf(accounts.of(mini).key)
      const askAll = Effect.forEach(Array.from({ length: 50 }), (_, index) => accounts.reread(models[index % 2] ?? mini, rejected), {
        concurrency: 50
      })
      expect(new Set(yield* askAll), "the same key again: the run has to stop").toEqual(new Set([false]))
      expect(looksIn(folder)).toBe(2)
      writeFileSync(path.join(folder, "secret.txt"), "second-desk-key")
      expect(new Set(yield* askAll)).toEqual(new Set([true]))
      expect(looksIn(folder)).toBe(3)
    }).pipe(Effect.scoped)
  )

  it.effect("[SEC-1] is read anew from .env, which may have changed", () =>
    Effect.gen(function* () {
      const { accounts, folder } = yield* open({ files: { ".env": "DESK_API_KEY=first-desk-key" } })
      const rejected = rejectedOf(accounts.of(mini).key)
      expect(yield* accounts.reread(mini, rejected)).toBe(false)
      writeFileSync(path.join(folder, ".env"), "DESK_API_KEY=second-desk-key")
      expect(yield* accounts.reread(mini, rejected)).toBe(true)
      expect(keyOf(accounts.of(mini))).toBe("second-desk-key")
    }).pipe(Effect.scoped)
  )

  it.effect("[SEC-1] stays where its place can't be read any more", () =>
    Effect.gen(function* () {
      const { accounts, folder } = yield* open({ files })
      const rejected = rejectedOf(accounts.of(mini).key)
      rmSync(path.join(folder, "secret.txt"))
      expect(yield* accounts.reread(mini, rejected)).toBe(false)
      expect(keyOf(accounts.of(mini))).toBe("first-desk-key")
    }).pipe(Effect.scoped)
  )

  it.effect("[SEC-1] two providers' accounts of one name are two accounts", () =>
    Effect.gen(function* () {
      const variables = { OPENAI_API_KEY: "key-of-openai", ANTHROPIC_API_KEY: "key-of-anthropic" }
      const { accounts } = yield* open({ variables, models: [mini, haiku] })
      expect([keyOf(accounts.of(mini)), keyOf(accounts.of(haiku))]).toEqual(["key-of-openai", "key-of-anthropic"])
    }).pipe(Effect.scoped)
  )
})
